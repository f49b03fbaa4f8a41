//! Native stacks: from registers and a copy of the stack to frames, and their names.
//!
//! The tables that compilers leave for exceptions say how a frame is left from each instruction
//! on. They are evaluated here with what is known: three registers and the copy. It is told
//! where that ends, and nothing is guessed where they are silent: an address that the tables of
//! its module leave out has no caller.
//!
//! A module without any table is the one exception. Its frames are followed by the frame pointer,
//! if what is found there is an address behind a call instruction. That is the caller if the code
//! was compiled with frame pointers. It is not certain: at the very beginning or end of a function
//! the frame pointer is still its caller's, so one frame is left out; and code without frame
//! pointers may have anything in that register, even a frame pointer of a caller farther out.

mod arch;
mod debug;
mod demangle;
mod image;
mod modules;
mod perf_map;
mod step;
mod symbols;
mod tables;
mod types;

use std::io;
use std::ops::Range;
use std::sync::Arc;

use gimli::UnwindContext;
use rustc_hash::FxHashMap;

use super::Target;
use demangle::function_name;
use image::Rule;
use modules::Modules;
use perf_map::PerfMap;
use step::{Frame, by_frame_pointer};
pub(crate) use types::{
    Module, ModuleId, NativeFrame, NativeName, Registers, StackCopy, UnwindEnd,
};

/// A stack has no more frames than this.
pub(crate) const MAX_FRAMES: usize = 4096;

/// How many addresses are remembered.
const MAX_REMEMBERED: usize = 16 << 10;

/// Unwinds the stacks of one target.
#[derive(Debug, Default)]
pub(crate) struct Unwinder {
    modules: Modules,
    /// How callers are found from addresses on; of what is mapped now.
    rules: FxHashMap<u64, Rule>,
    context: Box<UnwindContext<usize>>,
    /// Names of code that is in no file.
    perf_map: PerfMap,
}

impl Unwinder {
    /// One that knows no code yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Learns what is mapped now. Whether that is something else than before; cheap if not. What
    /// was learnt of another target is of use where it has mapped the same files.
    pub(crate) fn learn<T: Target>(&mut self, target: &T) -> io::Result<bool> {
        let are_others = self.modules.learn(target)?;
        if are_others {
            self.rules.clear();
        }
        Ok(self.perf_map.learn(target) || are_others)
    }

    /// Finds the frames of a stack, innermost first, at most [`MAX_FRAMES`]. `frames` is cleared
    /// first.
    pub(crate) fn unwind(
        &mut self,
        registers: Registers,
        stack: &StackCopy<'_>,
        frames: &mut Vec<NativeFrame>,
    ) -> UnwindEnd {
        frames.clear();
        let mut frame = Frame::innermost(registers);
        if !self.learn_rule(frame.address()) {
            return UnwindEnd::Unknown;
        }
        loop {
            let (address, start) = (frame.address(), frame.sp);
            if frames.len() == MAX_FRAMES {
                return UnwindEnd::TooDeep;
            }
            frames.push(NativeFrame { address, start, end: u64::MAX });
            match self.caller(&frame, stack) {
                Ok(caller) => frame = caller,
                Err(end) => return end,
            }
            if let Some(last) = frames.last_mut() {
                last.end = frame.sp;
            }
        }
    }

    /// The caller of a frame whose rule is known; its own rule is known then, too.
    fn caller(&mut self, frame: &Frame, stack: &StackCopy<'_>) -> Result<Frame, UnwindEnd> {
        let address = frame.address();
        let caller = match self.rules.get(&address) {
            Some(Rule::Table(row)) => {
                let loaded = self.modules.at(address).ok_or(UnwindEnd::Unknown)?;
                loaded.image.step(row, frame, stack)?
            }
            Some(Rule::FramePointer) => by_frame_pointer(frame, stack)?,
            Some(Rule::Root) => return Err(UnwindEnd::Root),
            Some(Rule::Uncovered) | None => return Err(UnwindEnd::Unknown),
        };
        let is_guess = matches!(self.rules.get(&address), Some(Rule::FramePointer));
        if caller.ip == 0 {
            return Err(UnwindEnd::Root);
        }
        // Who has called nobody may have nothing on the stack where there is a link register.
        let may_stay = frame.lr.is_some() && caller.ip != frame.ip;
        if caller.sp < frame.sp || (caller.sp == frame.sp && !may_stay) {
            return Err(UnwindEnd::NoProgress);
        }
        if !self.learn_rule(caller.address()) || (is_guess && !self.is_after_call(caller.ip)) {
            return Err(UnwindEnd::Unknown);
        }
        Ok(caller)
    }

    /// Finds the rule of an address, if it is not known. Returns whether code is there.
    fn learn_rule(&mut self, address: u64) -> bool {
        if self.rules.contains_key(&address) {
            return true;
        }
        let rule = match self.modules.code_at(address) {
            Some(Some(loaded)) => loaded.image.rule(loaded.linked(address), &mut self.context),
            Some(None) => Rule::FramePointer,
            None => return false,
        };
        if self.rules.len() >= MAX_REMEMBERED {
            self.rules.clear();
        }
        self.rules.insert(address, rule);
        true
    }

    /// Whether the instruction before an address is a call. Not of code that is in no file: that
    /// is not read.
    fn is_after_call(&self, address: u64) -> bool {
        let loaded = self.modules.at(address.wrapping_sub(1));
        loaded.is_some_and(|loaded| loaded.image.is_after_call(loaded.linked(address)))
    }

    /// The module that holds an address; `None` for code that is in no file.
    pub(crate) fn module_of(&self, address: u64) -> Option<ModuleId> {
        self.modules.at(address).map(|loaded| loaded.module)
    }

    /// What is known of a module.
    pub(crate) fn module(&self, id: ModuleId) -> &Module {
        self.modules.module(id)
    }

    /// Where the function begins that the unwind information of an address describes.
    pub(crate) fn function_start(&self, address: u64) -> Option<u64> {
        let loaded = self.modules.at(address)?;
        let function = loaded.image.function(loaded.linked(address))?;
        Some(function.start.wrapping_add(loaded.bias))
    }

    /// The name of the function at an address. Nothing of it is remembered here.
    pub(crate) fn name(&self, address: u64) -> NativeName {
        let Some(loaded) = self.modules.at(address) else {
            let (name, start) = match self.perf_map.at(address) {
                Some((name, start)) => (function_name(name.as_bytes()), start),
                None => (format!("{address:#x}"), address),
            };
            return NativeName { function: name.into(), module: "".into(), start };
        };
        let linked = loaded.linked(address);
        let (name, start) = match loaded.image.function_symbol(linked) {
            Some(found) => (function_name(&found.name), found.start),
            None => {
                let start = loaded.image.function(linked).map_or(linked, |function| function.start);
                (format!("{start:#x}"), start)
            }
        };
        let module = Arc::clone(&self.modules.module(loaded.module).path);
        NativeName { function: name.into(), module, start: start.wrapping_add(loaded.bias) }
    }

    /// Where a module has the symbol `name`, exported or local, if it is loaded now.
    pub(crate) fn symbol(&self, module: ModuleId, name: &str) -> Option<Range<u64>> {
        let loaded = self.modules.loaded(module)?;
        let found = loaded.image.symbol(name)?;
        let start = found.address.wrapping_add(loaded.bias);
        Some(start..start.saturating_add(found.size))
    }
}

#[cfg(any(test, feature = "fuzzing"))]
pub(in crate::target) mod fixture;
#[cfg(test)]
mod live_tests;
#[cfg(all(test, target_arch = "x86_64"))]
mod tables_tests;
