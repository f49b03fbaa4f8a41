//! Native frames between the Python frames of a stack (`--native`).
//!
//! Registers and stack of a thread are copied at the moment at which its Python frames are. They
//! are unwound afterwards ([`crate::target::unwind`]), and merged with the Python frames by
//! address ([`fit`]). What does not fit is not guessed: the stack stands without native frames
//! then, and the account says why ([`NativeTorn`]).

mod depth;
mod fit;
mod id;
mod machine;
mod still;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxBuildHasher;

use self::depth::Depth;
use self::fit::{Loop, Natives, Part};
pub(crate) use self::id::NativeId;
pub(crate) use self::machine::Machine;
use self::machine::PAGE;
pub(crate) use self::still::StillNative;
use crate::cpython::abi::Abi;
use crate::cpython::memory::{Memory, Remote};
use crate::cpython::read::frames::{Position, Walk};
use crate::cpython::read::objects::CFrame;
use crate::profile::{Modules, NativeTorn};
use crate::sampler::stacks::{Placed, Ran};
use crate::stack::{Frame, FrameId, FrameKind, FrameTable};
use crate::target::Target;
use crate::target::unwind::{ModuleId, NativeFrame, UnwindEnd, Unwinder};

/// How long it is taken to stay the same what is mapped, where code is met that is not; and where
/// all that is met is: a library can have been loaded in the place of another.
const MAPS_HOLD: Duration = Duration::from_millis(100);
const MAPS_HOLD_LONGER: Duration = Duration::from_millis(250);

/// What is spent for that at most: one part in so many of the time.
const LEARNING_SHARE: u32 = 100;

/// The functions that execute Python code up to 3.10, the newest first (`Python/ceval.c`): where
/// there is the first, the second calls it.
const LOOPS: [&str; 2] = ["_PyEval_EvalFrameDefault", "PyEval_EvalFrameEx"];

/// What the compiler calls the part of a function that is seldom executed.
const COLD: &str = ".cold";

/// So many addresses are remembered.
const MOST_PLACES: usize = 1 << 16;

/// The most functions that are told apart in one run.
const MOST_FUNCTIONS: usize = 1 << 20;

/// A frame of a merged stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Merged {
    /// The Python frame of this number.
    Python(usize),
    /// A native frame.
    Native(NativeId),
}

/// A native function.
struct Function {
    /// The path of its library, and its name.
    names: (Arc<str>, Arc<str>),
    /// What the linker calls this build of the library.
    build_id: Option<String>,
}

/// Code at an address.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Whether it is in the evaluation loop.
    is_loop: bool,
    /// The number of its function, if somebody has asked for it.
    function: Option<u32>,
}

/// Where the interpreter's evaluation loop is in a module.
#[derive(Clone, Copy, Debug)]
struct LoopCode {
    start: u64,
    end: u64,
}

/// Tells the native frames of one process.
pub(crate) struct NativeStacks {
    unwinder: Unwinder,
    /// When the mappings were read, and how long that took.
    learnt: Option<(Instant, Duration)>,
    /// The frames of the thread at hand, innermost first.
    frames: Vec<NativeFrame>,
    /// Where the loop is, in the modules in which it was looked for.
    loop_code: Vec<LoopCode>,
    looked_in: HashSet<ModuleId>,
    /// What is known of code, by address.
    places: HashMap<u64, Place, FxBuildHasher>,
    functions: Vec<Function>,
    ids: HashMap<(Arc<str>, Arc<str>), u32>,
    /// What the profile calls them.
    names: HashMap<(u32, FrameKind), FrameId, FxBuildHasher>,
    depth: Depth,
}

impl NativeStacks {
    /// Knows nothing yet.
    pub(crate) fn new() -> Self {
        Self {
            unwinder: Unwinder::new(),
            learnt: None,
            frames: Vec::new(),
            loop_code: Vec::new(),
            looked_in: HashSet::new(),
            places: HashMap::default(),
            functions: Vec::new(),
            ids: HashMap::new(),
            names: HashMap::default(),
            depth: Depth::default(),
        }
    }

    /// How many pages of a stack have to be copied, as far as is known.
    pub(crate) fn pages(&self) -> u64 {
        self.depth.pages()
    }

    /// Copies as much of stacks as ever.
    #[must_use]
    pub(crate) fn whole(mut self) -> Self {
        self.depth = Depth::whole();
        self
    }

    /// Copies the stack of `machine` from its stack pointer on, out of a thread that does not run.
    pub(crate) fn copy_stack(&self, memory: &impl Memory, machine: &mut Machine) {
        let Some(pointer) = machine.stack_pointer() else { return };
        let mut address = pointer & !(PAGE - 1);
        let (mut left, mut at_once) = (self.pages(), self.pages());
        let mut bytes = Vec::new();
        // Where it ends before that, the end is found by halves.
        while left > 0 && at_once > 0 {
            let pages = at_once.min(left);
            bytes.resize((pages * PAGE) as usize, 0);
            if memory.read_into(address, &mut bytes).is_err() {
                at_once = pages / 2;
                continue;
            }
            machine.add_stack(address, &bytes);
            left -= pages;
            let Some(next) = address.checked_add(pages * PAGE) else { return };
            address = next;
        }
    }

    /// Learns what is mapped, so that nobody has to stand still for that.
    pub(crate) fn prepare(&mut self, target: &impl Target) {
        self.learn(target, Duration::ZERO);
    }

    /// Whether unwinding comes to no end with the registers that are known.
    pub(crate) fn lacks_registers(&mut self, target: &impl Target, machine: &Machine) -> bool {
        !matches!(self.unwind(target, machine), Ok(UnwindEnd::Root))
    }

    /// The stack of a thread of `target` with its native frames, outermost first. Its Python
    /// frames are the `steps` of `walk`, outermost first. `newest` is the newest C frame of the
    /// thread, where there is one.
    ///
    /// # Errors
    /// If the native frames do not fit, why.
    pub(super) fn merge<A: Abi>(
        &mut self,
        target: &impl Target,
        machine: &Machine,
        (walk, newest): (&Walk, Option<Remote<CFrame>>),
        steps: &[usize],
    ) -> Result<Vec<Merged>, NativeTorn> {
        let end = self.unwind(target, machine)?;
        self.look_for_loops();
        self.note_loops();
        let merged = self.fit::<A>(machine, end, (walk, newest), steps);
        if let Err(reason) = &merged {
            let Self { frames, loop_code, .. } = self;
            let path = &walk.path;
            log::trace!(
                "no native frames: {reason:?}, {end:?}, {frames:x?}, {loop_code:x?}, {path:x?}"
            );
        }
        merged
    }

    fn fit<A: Abi>(
        &mut self,
        machine: &Machine,
        end: UnwindEnd,
        (walk, newest): (&Walk, Option<Remote<CFrame>>),
        steps: &[usize],
    ) -> Result<Vec<Merged>, NativeTorn> {
        let natives = Natives { machine, frames: &self.frames };
        let is_loop = |frame: &NativeFrame| {
            self.places.get(&frame.address).is_some_and(|place| place.is_loop)
        };
        let loops = match (fit::loops::<A>(walk, newest, &natives, is_loop), end) {
            (Ok(loops), UnwindEnd::Root | UnwindEnd::Unknown) => loops,
            (_, UnwindEnd::Cut(_)) => return Err(NativeTorn::Cut),
            (Err(NativeTorn::Mismatch), UnwindEnd::Unknown) => return Err(NativeTorn::Unknown),
            (Err(reason), _) => return Err(reason),
            (Ok(_), UnwindEnd::TooDeep) => return Err(NativeTorn::Cut),
            (Ok(_), UnwindEnd::NoProgress) => return Err(NativeTorn::Unknown),
        };
        let parts = fit::merge(&loops, self.frames.len())?;
        self.merged(&parts, &loops, steps)
    }

    /// Puts native frames between those of `stack`, as [`Self::merge`] finds them. If they do not
    /// fit, the stack stays.
    ///
    /// # Errors
    /// If they do not fit, why.
    pub(super) fn add_to<A: Abi>(
        &mut self,
        target: &impl Target,
        machine: &Machine,
        walk: (&Walk, Option<Remote<CFrame>>),
        (steps, stack): (&[usize], &mut Vec<Placed>),
    ) -> Result<(), NativeTorn> {
        let merged = self.merge::<A>(target, machine, walk, steps)?;
        let placed = |part: Merged| match part {
            Merged::Python(number) => stack.get(number).copied(),
            Merged::Native(id) => {
                Some(Placed { code: Ran::Native(id), position: Position::Line(0) })
            }
        };
        *stack = merged.into_iter().filter_map(placed).collect();
        Ok(())
    }

    /// What the profile calls a native function.
    pub(super) fn frame(
        &mut self,
        id: NativeId,
        table: &mut FrameTable,
        modules: &mut Modules,
    ) -> Option<FrameId> {
        let Function { names: (library, name), build_id } =
            self.functions.get(id.function as usize)?;
        let intern = || {
            build_id.iter().for_each(|id| modules.add(library, id));
            table.intern(Frame::native(library.clone(), name.clone(), id.kind))
        };
        Some(*self.names.entry((id.function, id.kind)).or_insert_with(intern))
    }

    /// Turns to another profile.
    pub(super) fn begin_profile(&mut self) {
        self.names.clear();
    }

    /// Unwinds the stack of a thread.
    fn unwind(&mut self, target: &impl Target, machine: &Machine) -> Result<UnwindEnd, NativeTorn> {
        let registers = || machine.registers().ok_or(NativeTorn::Absent);
        let stack = machine.stack().ok_or(NativeTorn::Absent)?;
        self.learn(target, MAPS_HOLD_LONGER);
        let mut end = self.unwinder.unwind(registers()?, &stack, &mut self.frames);
        if matches!(end, UnwindEnd::Unknown) && self.learn(target, MAPS_HOLD) {
            end = self.unwinder.unwind(registers()?, &stack, &mut self.frames);
        }
        match end {
            UnwindEnd::Cut(needed) => self.depth.note_cut(needed),
            _ => {
                let last = self.frames.last().map_or(stack.start, |last| last.start);
                self.depth.note(last.saturating_sub(stack.start));
            }
        }
        Ok(end)
    }

    /// Learns what is mapped now, if it has been known for so long. Whether it is something else
    /// than before.
    fn learn<T: Target>(&mut self, target: &T, hold: Duration) -> bool {
        let holds = |(since, took): (Instant, Duration)| {
            !T::CHANGES || since.elapsed() < hold.max(took * LEARNING_SHARE)
        };
        if self.learnt.is_some_and(holds) {
            return false;
        }
        let start = Instant::now();
        // If it cannot be read, what is met there is unknown.
        let has_changed = self.unwinder.learn(target).unwrap_or(true);
        self.learnt = Some((Instant::now(), start.elapsed()));
        if has_changed {
            self.places.clear();
            self.looked_in.clear();
            self.loop_code.clear();
        }
        has_changed
    }

    /// Finds out where the evaluation loop is in the modules of the stack.
    fn look_for_loops(&mut self) {
        let Self { frames, unwinder, looked_in, loop_code, .. } = self;
        let modules = frames.iter().filter_map(|frame| unwinder.module_of(frame.address));
        for module in modules {
            if !looked_in.insert(module) {
                continue;
            }
            let symbol = |name: &str| {
                let range = unwinder.symbol(module, name)?;
                Some(LoopCode { start: range.start, end: range.end })
            };
            let found = LOOPS.into_iter().find_map(|name| Some((name, symbol(name)?)));
            let Some((name, code)) = found else { continue };
            loop_code.push(code);
            loop_code.extend(symbol(&format!("{name}{COLD}")));
        }
    }

    /// Notes of the frames at hand whether they are calls of the evaluation loop.
    fn note_loops(&mut self) {
        if self.places.len() >= MOST_PLACES {
            self.places.clear();
        }
        for frame in &self.frames {
            if !self.places.contains_key(&frame.address) {
                let is_loop = self.is_in_loop(frame.address);
                self.places.insert(frame.address, Place { is_loop, function: None });
            }
        }
    }

    fn is_in_loop(&self, address: u64) -> bool {
        let start = self.unwinder.function_start(address);
        let has = |code: &LoopCode| {
            (code.start..code.end).contains(&address) || start == Some(code.start)
        };
        self.loop_code.iter().any(has)
    }

    /// The merged stack, outermost first.
    fn merged(
        &mut self,
        parts: &[Part],
        loops: &[Loop],
        steps: &[usize],
    ) -> Result<Vec<Merged>, NativeTorn> {
        let module = |this: &Self, native: usize| {
            this.frames.get(native).and_then(|frame| this.unwinder.module_of(frame.address))
        };
        let interpreter = loops.first().and_then(|one| module(self, one.native));
        let outermost = loops.last().map_or(usize::MAX, |one| one.native);
        let mut python = steps.iter().enumerate().peekable();
        let mut merged = Vec::with_capacity(parts.len());
        for part in parts.iter().rev() {
            match part {
                // A frame that is left out of a stack is none of its frames.
                Part::Python(step) => {
                    let number = python.next_if(|(_, own)| *own == step).map(|(number, _)| number);
                    merged.extend(number.map(Merged::Python));
                }
                Part::Native(native) => {
                    let of_module = module(self, *native);
                    let is_interpreter = of_module.is_some() && of_module == interpreter
                        || *native > outermost && of_module.is_some_and(|m| self.starts(m));
                    let kind =
                        if is_interpreter { FrameKind::Interpreter } else { FrameKind::Native };
                    let address = self.frames.get(*native).map_or(0, |frame| frame.address);
                    let is_loop = loops.iter().any(|one| one.native == *native);
                    let function =
                        if is_loop { self.loop_function(address) } else { self.function(address) };
                    let function = function.ok_or(NativeTorn::Unknown)?;
                    // What `-X perf` makes for each Python function (`Python/perf_trampoline.c`).
                    let is_trampoline = of_module.is_none() && self.is_named(function, "py::");
                    let kind = if is_trampoline { FrameKind::Interpreter } else { kind };
                    merged.push(Merged::Native(NativeId { function, kind }));
                }
            }
        }
        if python.next().is_some() { Err(NativeTorn::Mismatch) } else { Ok(merged) }
    }

    /// Whether the name of a function begins so.
    fn is_named(&self, function: u32, start: &str) -> bool {
        let function = self.functions.get(function as usize);
        function.is_some_and(|Function { names: (_, name), .. }| name.starts_with(start))
    }

    /// Whether a module starts programs and threads: what it is in outside of all Python code
    /// tells nothing.
    fn starts(&self, module: ModuleId) -> bool {
        const NAMES: [&str; 4] = ["libc.so", "libc-2", "libpthread", "ld-musl"];
        let name = Path::new(&*self.unwinder.module(module).path).file_name();
        let name = name.unwrap_or_default().to_string_lossy();
        NAMES.iter().any(|start| name.starts_with(start)) || is_python(&name)
    }

    /// The function at an address.
    fn function(&mut self, address: u64) -> Option<u32> {
        if let Some(Place { function: Some(known), .. }) = self.places.get(&address) {
            return Some(*known);
        }
        let name = self.unwinder.name(address);
        let id = self.intern((name.module, name.function), address)?;
        if let Some(place) = self.places.get_mut(&address) {
            place.function = Some(id);
        }
        Some(id)
    }

    /// The evaluation loop at an address, from 3.11 on: what has no symbol is a part of it that
    /// the compiler has moved away.
    fn loop_function(&mut self, address: u64) -> Option<u32> {
        let function = self.function(address)?;
        if !self.is_named(function, "0x") {
            return Some(function);
        }
        let library = self.functions.get(function as usize)?.names.0.clone();
        let id = self.intern((library, LOOPS[0].into()), address)?;
        if let Some(place) = self.places.get_mut(&address) {
            place.function = Some(id);
        }
        Some(id)
    }

    /// The number of a function that has these names, and code at an address.
    fn intern(&mut self, names: (Arc<str>, Arc<str>), address: u64) -> Option<u32> {
        let next = u32::try_from(self.functions.len()).ok()?;
        if !self.ids.contains_key(&names) && self.functions.len() >= MOST_FUNCTIONS {
            return None;
        }
        let id = *self.ids.entry(names.clone()).or_insert(next);
        if id == next {
            let module = self.unwinder.module_of(address);
            let build_id = module.and_then(|id| self.unwinder.module(id).build_id.clone());
            self.functions.push(Function { names, build_id });
        }
        Some(id)
    }
}

/// Whether a file has the name of CPython's own program: `python3.11d`, `python3.12-intel64`.
fn is_python(name: &str) -> bool {
    let Some(version) = name.strip_prefix("python") else { return false };
    let rest = version.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    let has_version = rest.len() < version.len();
    rest.trim_matches(['d', 'm', 't']).is_empty() || has_version && rest.starts_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_of_cpython_are_told_from_those_that_embed_it() {
        let own = ["python", "python3", "python3.11", "python2.7d", "python3.14t", "python3.9-dbg"];
        assert!(own.into_iter().all(is_python));
        let others = ["python-host", "pythonic", "uwsgi", "python3.11x", "libpython3.11.so.1.0"];
        assert!(!others.into_iter().any(is_python));
    }
}
