//! Native stacks: from registers and a copy of the stack to frames, and their names.

mod types;

use std::io;
use std::ops::Range;
use std::sync::Arc;

pub(crate) use types::{
    Module, ModuleId, NativeFrame, NativeName, Registers, StackCopy, UnwindEnd,
};

use super::Target;

/// Unwinds the stacks of one target.
#[derive(Debug, Default)]
pub(crate) struct Unwinder {
    modules: Vec<Module>,
}

impl Unwinder {
    /// One that knows no code yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Learns what is mapped now. Cheap if nothing has changed.
    pub(crate) fn learn<T: Target>(&mut self, _target: &T) -> io::Result<()> {
        Ok(())
    }

    /// Finds the frames of a stack, innermost first, at most 4096. `frames` is cleared first.
    pub(crate) fn unwind(
        &mut self,
        _registers: Registers,
        _stack: &StackCopy<'_>,
        frames: &mut Vec<NativeFrame>,
    ) -> UnwindEnd {
        frames.clear();
        UnwindEnd::Unknown
    }

    /// The module that holds an address; `None` for code that is in no file.
    pub(crate) fn module_of(&self, _address: u64) -> Option<ModuleId> {
        None
    }

    /// What is known of a module.
    pub(crate) fn module(&self, id: ModuleId) -> &Module {
        &self.modules[id.0 as usize]
    }

    /// Where the function begins that the unwind information of an address describes.
    pub(crate) fn function_start(&self, _address: u64) -> Option<u64> {
        None
    }

    /// The name of the function at an address.
    pub(crate) fn name(&mut self, address: u64) -> NativeName {
        let text: Arc<str> = format!("{address:#x}").into();
        NativeName { function: text, module: "".into(), start: address }
    }

    /// Where a module has the symbol `name`, exported or local.
    pub(crate) fn symbol(&self, _module: ModuleId, _name: &str) -> Option<Range<u64>> {
        None
    }
}
