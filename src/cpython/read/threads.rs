//! Interpreters and their threads, and who holds the GIL.

use std::cell::Cell;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use rustc_hash::FxBuildHasher;

use super::objects::{Gil as GilObject, Interpreter, Thread};
use crate::cpython::abi::{Abi, AttachedLayout, GilHolder, GilLayout, Roots, Standing};
use crate::cpython::memory::{Fault, Memory, Remote, Span, Value};

/// The most interpreters that are read in one process.
const MAX_INTERPRETERS: usize = 4 * 1024;

/// The most threads that are read in one process.
const MAX_THREADS: usize = 64 * 1024;

/// The roots of one process: addresses, where [`Roots`] are offsets.
#[derive(Clone)]
pub(crate) struct ProcessRoots {
    interpreters: InterpreterList,
    gil: Gil,
}

/// Where the list of interpreters begins.
#[derive(Clone, Debug)]
enum InterpreterList {
    /// A variable holds the first one.
    Variable(u64),
    /// The variable cannot be found (a stripped build of 3.6 or older whose
    /// code does not give it away): the interpreter of the first thread that
    /// was seen holding the GIL.
    FirstSeen(Cell<Remote<Interpreter>>),
}

#[derive(Clone)]
enum Gil {
    /// A variable holds the thread that has the GIL.
    Variable(u64),
    /// Every interpreter points to a GIL.
    PerInterpreter(GilLayout),
    /// Each thread has its own: this field says whether the thread is attached.
    PerThread(AttachedLayout),
}

/// A GIL of the process; of a free-threaded one, the right of a thread to run Python code, which
/// no other can have.
#[derive(Clone, Copy)]
pub(crate) enum GilRef {
    /// The variable at this address names the holder.
    Variable(u64),
    /// The struct at this address does.
    Struct(Remote<GilObject>, GilLayout),
    /// The state of this thread does.
    Thread(Remote<Thread>, AttachedLayout),
}

impl PartialEq for GilRef {
    fn eq(&self, other: &Self) -> bool {
        self.address() == other.address()
    }
}

impl GilRef {
    /// Where it is.
    pub(crate) fn address(self) -> u64 {
        match self {
            Self::Variable(address) => address,
            Self::Struct(object, _) => object.address(),
            Self::Thread(thread, _) => thread.address(),
        }
    }

    fn is_null(self) -> bool {
        self.address() == 0
    }

    /// The thread that holds it, if one does.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn holder<M: Memory>(self, memory: &M) -> Result<Option<Remote<Thread>>, Fault> {
        let holder = match self {
            Self::Variable(address) => memory.read(address)?,
            Self::Struct(object, layout) => match memory.field(object, layout.locked)? {
                1 => memory.field(object, layout.last_holder)?,
                _ => return Ok(None),
            },
            Self::Thread(thread, layout) => {
                match layout.standing(memory.field(thread, layout.state)?) {
                    Standing::Attached => thread,
                    Standing::Suspended | Standing::Detached => return Ok(None),
                }
            }
        };
        Ok(if holder.is_null() { None } else { Some(holder) })
    }
}

/// A symbol that a version's roots need and the process does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has no symbol {0}")]
pub(crate) struct MissingRoot(pub &'static str);

/// Addresses that were found by symbol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RootSymbols {
    /// `_PyThreadState_Current` (2.7 to 3.6).
    pub current_thread: Option<u64>,
    /// The variable that holds the first interpreter state (2.7 to 3.6).
    pub interpreters_head: Option<u64>,
    /// `_PyRuntime` (3.7 and later).
    pub runtime: Option<u64>,
}

/// One thread of one interpreter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ThreadInfo {
    /// Its thread state.
    pub state: Remote<Thread>,
    /// `threading.get_ident()`.
    pub id: u64,
    /// Whether its thread state names the interpreter in whose list it stands.
    pub is_consistent: bool,
}

impl ProcessRoots {
    /// The roots that a version has, at the addresses of one process.
    ///
    /// # Errors
    /// If a symbol that they need is not there.
    pub(crate) fn resolve(roots: &Roots, symbols: RootSymbols) -> Result<Self, MissingRoot> {
        match roots {
            Roots::Variables => {
                let current =
                    symbols.current_thread.ok_or(MissingRoot("_PyThreadState_Current"))?;
                let interpreters = match symbols.interpreters_head {
                    Some(head) => InterpreterList::Variable(head),
                    None => InterpreterList::FirstSeen(Cell::new(Remote::new(0))),
                };
                Ok(Self { interpreters, gil: Gil::Variable(current) })
            }
            Roots::Runtime { interpreters, gil } => {
                let runtime = symbols.runtime.ok_or(MissingRoot("_PyRuntime"))?;
                let at = |offset: usize| runtime.wrapping_add(offset as u64);
                let gil = match gil {
                    GilHolder::Current(field) => Gil::Variable(at(field.offset())),
                    GilHolder::PerInterpreter(layout) => Gil::PerInterpreter(*layout),
                    GilHolder::Attached(layout) => Gil::PerThread(*layout),
                };
                Ok(Self { interpreters: InterpreterList::Variable(at(interpreters.offset())), gil })
            }
        }
    }

    /// The address of the variable that begins the list of interpreters.
    #[must_use]
    pub(crate) fn interpreters_head(&self) -> Option<u64> {
        match self.interpreters {
            InterpreterList::Variable(address) => Some(address),
            InterpreterList::FirstSeen(_) => None,
        }
    }

    /// All interpreters, newest first. Empty while Python is starting.
    ///
    /// # Errors
    /// If the list cannot be read.
    pub(crate) fn interpreters<A: Abi, M: Memory>(
        &self,
        memory: &M,
    ) -> Result<Vec<Remote<Interpreter>>, Fault> {
        let first = match &self.interpreters {
            InterpreterList::Variable(address) => memory.read(*address)?,
            InterpreterList::FirstSeen(seen) => {
                if seen.get().is_null() {
                    seen.set(self.interpreter_of_holder::<A, M>(memory)?);
                }
                seen.get()
            }
        };
        list(first, MAX_INTERPRETERS, |interpreter| memory.field(interpreter, A::INTERPRETER.next))
    }

    fn interpreter_of_holder<A: Abi, M: Memory>(
        &self,
        memory: &M,
    ) -> Result<Remote<Interpreter>, Fault> {
        match self.gil_holders::<A, M>(memory)?.first() {
            Some(thread) => memory.field(*thread, A::THREAD.interpreter),
            None => Ok(Remote::new(0)),
        }
    }

    /// What a GIL is made of; `None` where a variable holds the thread that has it.
    pub(crate) fn gil_layout(&self) -> Option<GilLayout> {
        match self.gil {
            Gil::Variable(_) | Gil::PerThread(_) => None,
            Gil::PerInterpreter(layout) => Some(layout),
        }
    }

    /// How threads tell whether they are attached, where there is no GIL.
    pub(crate) fn attached(&self) -> Option<AttachedLayout> {
        match self.gil {
            Gil::PerThread(layout) => Some(layout),
            Gil::Variable(_) | Gil::PerInterpreter(_) => None,
        }
    }

    /// Whether a thread may run Python code; `None` where a GIL says that.
    ///
    /// # Errors
    /// If its state cannot be read.
    pub(crate) fn standing<M: Memory>(
        &self,
        memory: &M,
        thread: Remote<Thread>,
    ) -> Result<Option<Standing>, Fault> {
        let Some(layout) = self.attached() else { return Ok(None) };
        memory.field(thread, layout.state).map(|state| Some(layout.standing(state)))
    }

    /// The GILs of the process: one up to 3.11, then as many as interpreters want; in a
    /// free-threaded build one for each thread.
    ///
    /// # Errors
    /// If the list of interpreters cannot be read.
    pub(crate) fn gils<A: Abi, M: Memory>(&self, memory: &M) -> Result<Vec<GilRef>, Fault> {
        self.gils_again::<A, M>(memory, &[])
    }

    /// The same, with fewer system calls if most of them are `known`.
    ///
    /// # Errors
    /// If the list of interpreters cannot be read.
    pub(crate) fn gils_again<A: Abi, M: Memory>(
        &self,
        memory: &M,
        known: &[GilRef],
    ) -> Result<Vec<GilRef>, Fault> {
        let layout = match &self.gil {
            Gil::Variable(address) => return Ok(vec![GilRef::Variable(*address)]),
            Gil::PerInterpreter(layout) => layout,
            Gil::PerThread(layout) => return self.threads_as_gils::<A, M>(memory, *layout, known),
        };
        let mut gils = Vec::new();
        for interpreter in self.interpreters::<A, M>(memory)? {
            let gil = GilRef::Struct(memory.field(interpreter, layout.gil)?, *layout);
            if !gil.is_null() && !gils.contains(&gil) {
                gils.push(gil);
            }
        }
        Ok(gils)
    }

    fn threads_as_gils<A: Abi, M: Memory>(
        &self,
        memory: &M,
        layout: AttachedLayout,
        known: &[GilRef],
    ) -> Result<Vec<GilRef>, Fault> {
        let known = words_of(memory, known, A::THREAD.next.offset(), u64::SIZE);
        let next = |thread: Remote<Thread>| match known.get(&thread.address()) {
            Some(next) => Ok(Remote::new(u64::from_bytes(next))),
            None => memory.field(thread, A::THREAD.next),
        };
        let mut gils = Vec::new();
        for interpreter in self.interpreters::<A, M>(memory)? {
            let first = memory.field(interpreter, A::INTERPRETER.threads)?;
            let left = MAX_THREADS.saturating_sub(gils.len());
            let threads = list(first, left, next)?;
            gils.extend(threads.into_iter().map(|thread| GilRef::Thread(thread, layout)));
        }
        Ok(gils)
    }

    /// The threads that hold one of these GILs. Where each thread has its own, all are asked with
    /// few system calls, and one that has ended holds none.
    ///
    /// # Errors
    /// If a GIL cannot be read.
    pub(crate) fn holders_of<M: Memory>(
        &self,
        memory: &M,
        gils: &[GilRef],
    ) -> Result<Vec<Remote<Thread>>, Fault> {
        let Gil::PerThread(layout) = &self.gil else {
            return gils.iter().filter_map(|gil| gil.holder(memory).transpose()).collect();
        };
        let states = words_of(memory, gils, layout.state.offset(), i32::SIZE);
        let mut holders = Vec::new();
        for gil in gils {
            let is_attached = match states.get(&gil.address()) {
                Some(state) => layout.standing(i32::from_bytes(state)) == Standing::Attached,
                None => match gil.holder(memory) {
                    Err(fault) if fault.is_process_gone() => return Err(fault),
                    holder => matches!(holder, Ok(Some(_))),
                },
            };
            holders.extend(is_attached.then(|| Remote::new(gil.address())));
        }
        Ok(holders)
    }

    /// The threads that hold a GIL: at most one for each GIL there is.
    ///
    /// # Errors
    /// If a root cannot be read.
    pub(crate) fn gil_holders<A: Abi, M: Memory>(
        &self,
        memory: &M,
    ) -> Result<Vec<Remote<Thread>>, Fault> {
        self.holders_of(memory, &self.gils::<A, M>(memory)?)
    }

    /// All thread states of all interpreters.
    ///
    /// # Errors
    /// If a list or a thread state cannot be read.
    pub(crate) fn states<A: Abi, M: Memory>(&self, memory: &M) -> Result<Vec<ThreadInfo>, Fault> {
        let interpreters = self.interpreters::<A, M>(memory)?;
        self.states_in::<A, M>(memory, &interpreters)
    }

    pub(super) fn states_in<A: Abi, M: Memory>(
        &self,
        memory: &M,
        interpreters: &[Remote<Interpreter>],
    ) -> Result<Vec<ThreadInfo>, Fault> {
        let mut threads = Vec::new();
        // Those that have ended count too: a hostile list may have no others.
        let mut left = MAX_THREADS;
        for interpreter in interpreters.iter().copied() {
            let begin = threads.len();
            let first = memory.field(interpreter, A::INTERPRETER.threads)?;
            let states = list(first, left, |thread| memory.field(thread, A::THREAD.next))?;
            left -= states.len();
            for state in states {
                let info = thread_info::<A, M>(memory, state)?;
                let owner = memory.field(state, A::THREAD.interpreter)?;
                threads.push(ThreadInfo { is_consistent: owner == interpreter, ..info });
            }
            let ended = ended::<A, M>(memory, &threads[begin..])?;
            if !ended.is_empty() {
                let own = threads.split_off(begin);
                let lives = |thread: &ThreadInfo| !ended.contains(&thread.state.address());
                threads.extend(own.into_iter().filter(lives));
            }
        }
        Ok(threads)
    }
}

/// The bytes at an offset of each of these, by address, with as few system calls as there can be:
/// of those before the first that cannot be read.
fn words_of<M: Memory>(
    memory: &M,
    gils: &[GilRef],
    offset: usize,
    length: usize,
) -> HashMap<u64, Vec<u8>, FxBuildHasher> {
    let span = |gil: &GilRef| Span { address: gil.address().wrapping_add(offset as u64), length };
    let spans: Vec<Span> = gils.iter().map(span).collect();
    let mut bytes = vec![0; spans.len() * length];
    let read = memory.read_spans(&spans, &mut bytes).unwrap_or(0);
    let words = bytes[..read.min(bytes.len())].chunks_exact(length).map(<[u8]>::to_vec);
    gils.iter().map(|gil| gil.address()).zip(words).collect()
}

/// Of the states of one interpreter, latest first, those of threads that have ended: another
/// thread has their `pthread_t`, and so their C stack, on which shims lie from 3.14 on. C code
/// that forks without Python leaves them behind. Up to 3.10 no state tells its thread.
fn ended<A: Abi, M: Memory>(
    memory: &M,
    states: &[ThreadInfo],
) -> Result<HashSet<u64, FxBuildHasher>, Fault> {
    let mut ended = HashSet::default();
    let Some(native) = A::THREAD.native_id else { return Ok(ended) };
    let mut latest: HashMap<u64, Remote<Thread>, FxBuildHasher> = HashMap::default();
    for thread in states {
        match latest.entry(thread.id) {
            Entry::Vacant(vacant) => {
                vacant.insert(thread.state);
            }
            Entry::Occupied(later) => {
                let later = memory.field(*later.get(), native)?;
                if memory.field(thread.state, native)? != later {
                    ended.insert(thread.state.address());
                }
            }
        }
    }
    Ok(ended)
}

/// What a thread state says of itself.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn thread_info<A: Abi, M: Memory>(
    memory: &M,
    state: Remote<Thread>,
) -> Result<ThreadInfo, Fault> {
    Ok(ThreadInfo { state, id: memory.field(state, A::THREAD.id)?, is_consistent: true })
}

/// Follows a list that is linked through its nodes, up to `limit` of them.
fn list<S>(
    first: Remote<S>,
    limit: usize,
    next: impl Fn(Remote<S>) -> Result<Remote<S>, Fault>,
) -> Result<Vec<Remote<S>>, Fault> {
    let mut nodes = Vec::new();
    let mut node = first;
    while !node.is_null() && nodes.len() < limit {
        nodes.push(node);
        node = next(node)?;
    }
    Ok(nodes)
}

#[cfg(all(test, feature = "py311"))]
mod tests {
    use super::*;
    use crate::cpython::abi::Python311;
    use crate::cpython::memory::Field;

    /// Words at addresses; how many reads there were.
    #[derive(Default)]
    struct Words(HashMap<u64, u64>, Cell<usize>);

    impl Words {
        fn set<S, T>(&mut self, object: Remote<S>, field: Field<S, T>, word: u64) {
            self.0.insert(object.address() + field.offset() as u64, word);
        }
    }

    impl Memory for Words {
        fn read_into(&self, address: u64, buffer: &mut [u8]) -> Result<(), Fault> {
            self.1.set(self.1.get() + 1);
            let word = self.0.get(&address).copied().unwrap_or(0).to_ne_bytes();
            buffer.copy_from_slice(&word[..buffer.len()]);
            Ok(())
        }
    }

    /// Two states of one thread, one of which has ended, in a list without an end, of
    /// interpreters in such a list.
    #[test]
    fn states_of_threads_that_have_ended_are_bounded() {
        type A = Python311;
        let symbols = RootSymbols { runtime: Some(0x10_0000), ..RootSymbols::default() };
        let roots = ProcessRoots::resolve(&A::roots(0), symbols).expect("roots");
        let mut memory = Words::default();
        let interpreter = Remote::new(0x20_0000);
        let (one, other) = (Remote::new(0x30_0000), Remote::new(0x40_0000));
        memory.0.insert(roots.interpreters_head().expect("a head"), interpreter.address());
        memory.set(interpreter, A::INTERPRETER.next, interpreter.address());
        memory.set(interpreter, A::INTERPRETER.threads, one.address());
        for (state, next, native) in [(one, other, 1), (other, one, 2)] {
            memory.set(state, A::THREAD.next, next.address());
            memory.set(state, A::THREAD.id, 7);
            memory.set(state, A::THREAD.native_id.expect("from 3.11 on"), native);
        }
        let threads = roots.states::<A, _>(&memory).expect("read");
        assert!(threads.iter().all(|thread| thread.state == one));
        assert!(threads.len() <= MAX_THREADS / 2, "{} threads", threads.len());
        let reads = memory.1.get();
        assert!(reads < 8 * (MAX_THREADS + MAX_INTERPRETERS), "{reads} reads");
    }
}
