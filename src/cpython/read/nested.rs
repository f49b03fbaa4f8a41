//! Threads of the kernel that are in several interpreters: Python code of one interpreter has
//! called C code that runs Python code of another one. Each has a thread state for it, but
//! the thread is one, and does one thing at a time: what the innermost of them says.

use std::collections::{HashMap, HashSet};

use super::frames::top_frame;
use super::objects::{Interpreter, Thread};
use super::threads::{ProcessRoots, ThreadInfo};
use crate::cpython::abi::{Abi, Innermost};
use crate::cpython::memory::{Fault, Memory, Remote};

/// `bound_gilstate` in the first byte of `_status` (3.12 and later).
const BOUND: u8 = 1 << 3;

impl ProcessRoots {
    /// All threads of all interpreters: one that is in several is named once, by the state of
    /// the innermost.
    ///
    /// # Errors
    /// If a list or a thread state cannot be read.
    pub(crate) fn threads<A: Abi, M: Memory>(&self, memory: &M) -> Result<Vec<ThreadInfo>, Fault> {
        let interpreters = self.interpreters::<A, M>(memory)?;
        let states = self.states_in::<A, M>(memory, &interpreters)?;
        if interpreters.len() < 2 {
            return Ok(states);
        }
        innermost_only::<A, M>(memory, self, states)
    }
}

/// Leaves of the states of each thread the innermost only.
///
/// # Errors
/// If a thread state cannot be read.
fn innermost_only<A: Abi, M: Memory>(
    memory: &M,
    roots: &ProcessRoots,
    threads: Vec<ThreadInfo>,
) -> Result<Vec<ThreadInfo>, Fault> {
    let mut outer = HashSet::new();
    let mut holders = None;
    for states in states_of_threads::<A, M>(memory, &threads)? {
        let holders = match &holders {
            Some(holders) => holders,
            None => &*holders.insert(roots.gil_holders::<A, M>(memory)?),
        };
        let innermost = innermost::<A, M>(memory, &states, holders)?;
        let others = states.into_iter().filter(|state| *state != innermost);
        outer.extend(others.map(Remote::address));
    }
    Ok(threads.into_iter().filter(|thread| !outer.contains(&thread.state.address())).collect())
}

/// A thread state and where it belongs.
struct State {
    interpreter: Remote<Interpreter>,
    thread: Remote<Thread>,
}

/// The states of each thread that has several, one for each interpreter, in their order.
fn states_of_threads<A: Abi, M: Memory>(
    memory: &M,
    threads: &[ThreadInfo],
) -> Result<Vec<Vec<Remote<Thread>>>, Fault> {
    let mut by_identity: HashMap<u64, Vec<Remote<Thread>>> = HashMap::new();
    for thread in threads {
        by_identity.entry(thread.id).or_default().push(thread.state);
    }
    let mut found = Vec::new();
    for (_, states) in by_identity.into_iter().filter(|(_, states)| states.len() > 1) {
        // A state that was left behind has the identity of a later thread, where the C
        // library has used its record again. From 3.11 it tells another native id. Up to
        // then it is in the same interpreter, and older, or runs nothing.
        let mut by_native: HashMap<u64, Vec<State>> = HashMap::new();
        for state in states {
            let native = match A::THREAD.native_id {
                Some(field) => memory.field(state, field)?,
                None => 0,
            };
            let interpreter = memory.field(state, A::THREAD.interpreter)?;
            let states = by_native.entry(native).or_default();
            if states.iter().all(|other| other.interpreter != interpreter) {
                states.push(State { interpreter, thread: state });
            }
        }
        let several = by_native.into_values().filter(|states| states.len() > 1);
        found.extend(several.map(|states| states.iter().map(|state| state.thread).collect()));
    }
    Ok(found)
}

/// The innermost state of a thread.
///
/// One without a frame runs nothing. Of the others, that which holds a GIL is it: only one
/// can be current. While the thread waits, the version has to tell. Up to 3.9 none does: it
/// is taken to be in the interpreter that was created last, as a program is that runs code in
/// one that it has made.
fn innermost<A: Abi, M: Memory>(
    memory: &M,
    states: &[Remote<Thread>],
    holders: &[Remote<Thread>],
) -> Result<Remote<Thread>, Fault> {
    let mut active = Vec::new();
    for state in states {
        if !top_frame::<A, M>(memory, *state)?.is_null() {
            active.push(*state);
        }
    }
    let states = if active.is_empty() { states } else { &active };
    let first = states.first().copied().unwrap_or(Remote::new(0));
    if let Some(holder) = states.iter().find(|state| holders.contains(state)) {
        return Ok(*holder);
    }
    match A::INNERMOST {
        Innermost::Bound(field) => {
            for state in states {
                if memory.field(*state, field)? & BOUND != 0 {
                    return Ok(*state);
                }
            }
            Ok(first)
        }
        Innermost::CFrame(field) => {
            let mut lowest = (u64::MAX, first);
            for state in states {
                // The stack grows downwards.
                let c_frame = memory.field(*state, field)?.address();
                if c_frame < lowest.0 {
                    lowest = (c_frame, *state);
                }
            }
            Ok(lowest.1)
        }
        Innermost::Unknown => Ok(first),
    }
}

#[cfg(all(test, feature = "py27", feature = "py36", feature = "py310"))]
#[cfg(all(feature = "py311", feature = "py312", feature = "py314"))]
mod tests {
    use super::super::fixtures::FakePython;
    use super::super::objects::Frame;
    use super::super::threads::RootSymbols;
    use super::*;
    use crate::cpython::abi::{Python36, Python310, Python312, Roots};

    const HEAD: u64 = 0x100;
    const CURRENT: u64 = 0x108;
    const FRAME: Remote<Frame> = Remote::new(0x77_0000);
    const IDENTITY: u64 = 140;

    /// A process of two interpreters, each with a state of the same thread. The second one
    /// was made by code of the first.
    struct Two<A> {
        python: FakePython<A>,
        first: Remote<Thread>,
        second: Remote<Thread>,
    }

    impl<A: Abi> Two<A> {
        fn new() -> Self {
            let mut python = FakePython::<A>::new();
            let mut next = Remote::<Interpreter>::new(0);
            let mut state = || {
                let interpreter = Remote::new(python.object(0));
                let state = python.thread(FRAME);
                python.set(interpreter, A::INTERPRETER.threads, state.address());
                python.set(interpreter, A::INTERPRETER.next, next.address());
                python.set(state, A::THREAD.interpreter, interpreter.address());
                python.set(state, A::THREAD.id, IDENTITY);
                next = interpreter;
                state
            };
            let (first, second) = (state(), state());
            python.memory.write_word(HEAD, next.address());
            python.memory.write_word(CURRENT, 0);
            Self { python, first, second }
        }

        fn roots(&self) -> ProcessRoots {
            let symbols = RootSymbols {
                interpreters_head: Some(HEAD),
                current_thread: Some(CURRENT),
                runtime: None,
            };
            ProcessRoots::resolve(&Roots::Variables, symbols).expect("both are there")
        }

        /// The states that are taken for the threads there are.
        fn threads(&self) -> Vec<Remote<Thread>> {
            let threads = self.roots().threads::<A, _>(&self.python.memory);
            threads.expect("they can be read").iter().map(|thread| thread.state).collect()
        }

        /// All states.
        fn states(&self) -> Vec<Remote<Thread>> {
            let states = self.roots().states::<A, _>(&self.python.memory);
            states.expect("they can be read").iter().map(|thread| thread.state).collect()
        }

        fn hold(&mut self, state: Remote<Thread>) {
            self.python.memory.write_word(CURRENT, state.address());
        }
    }

    #[test]
    fn two_threads_are_two() {
        let mut two = Two::<Python36>::new();
        two.python.set(two.first, Python36::THREAD.id, IDENTITY + 1);
        assert_eq!(two.threads(), [two.second, two.first]);
        let mut two = Two::<Python312>::new();
        let native = Python312::THREAD.native_id.expect("3.12 tells it");
        // The record of a thread that has ended was used again.
        two.python.set(two.first, native, 7);
        two.python.set(two.second, native, 8);
        assert_eq!(two.threads(), [two.second, two.first]);
    }

    #[test]
    fn a_state_whose_record_is_a_later_threads_has_ended() {
        let mut two = Two::<Python312>::new();
        let native = Python312::THREAD.native_id.expect("3.12 tells it");
        let interpreter = two.python.memory.field(two.second, Python312::THREAD.interpreter);
        let interpreter = interpreter.expect("it is mapped");
        let stale = two.python.thread(FRAME);
        two.python.set(two.second, Python312::THREAD.next, stale.address());
        two.python.set(stale, Python312::THREAD.interpreter, interpreter.address());
        two.python.set(stale, Python312::THREAD.id, IDENTITY);
        two.python.set(two.first, Python312::THREAD.id, IDENTITY + 1);
        for (state, id) in [(two.second, 8), (stale, 7), (two.first, 9)] {
            two.python.set(state, native, id);
        }
        assert_eq!(two.threads(), [two.second, two.first]);
        // C code may have made two states for one thread.
        two.python.set(stale, native, 8);
        assert_eq!(two.states(), [two.second, stale, two.first]);
    }

    #[test]
    fn the_holder_of_the_gil_is_the_innermost() {
        let mut two = Two::<Python36>::new();
        assert_eq!(two.threads(), [two.second]);
        two.hold(two.first);
        assert_eq!(two.threads(), [two.first]);
        two.hold(two.second);
        assert_eq!(two.threads(), [two.second]);
    }

    #[test]
    fn a_state_without_frames_is_not_the_innermost() {
        let mut two = Two::<Python36>::new();
        let idle = two.python.thread(Remote::new(0));
        let interpreter: Remote<Interpreter> = Remote::new(two.python.memory.read(HEAD).unwrap());
        two.python.set(interpreter, Python36::INTERPRETER.threads, idle.address());
        two.python.set(idle, Python36::THREAD.interpreter, interpreter.address());
        two.python.set(idle, Python36::THREAD.id, IDENTITY);
        assert_eq!(two.threads(), [two.first]);
    }

    #[test]
    fn the_newest_call_of_the_loop_is_the_lowest_in_the_stack() {
        let Innermost::CFrame(field) = Python310::INNERMOST else { panic!("3.10 has C frames") };
        for (first, second) in [(0x9000, 0x8000), (0x8000, 0x9000)] {
            let mut two = Two::<Python310>::new();
            two.python.set(two.first, field, first);
            two.python.set(two.second, field, second);
            let expected = if first < second { two.first } else { two.second };
            assert_eq!(two.threads(), [expected]);
        }
    }

    #[test]
    fn the_state_that_was_current_last_says_so() {
        let Innermost::Bound(field) = Python312::INNERMOST else { panic!("3.12 has the bit") };
        for is_first in [true, false] {
            let mut two = Two::<Python312>::new();
            let (bound, other) =
                if is_first { (two.first, two.second) } else { (two.second, two.first) };
            let offset = field.offset() as u64;
            // What else there is in the byte does not count.
            two.python.memory.write(bound.address() + offset, &[BOUND | 3]);
            two.python.memory.write(other.address() + offset, &[3]);
            assert_eq!(two.threads(), [bound]);
        }
    }
}
