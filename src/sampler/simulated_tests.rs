//! A simulated target: a thread that executes a random program while it is read.
//!
//! Between any two cache lines of a read it may go on by as much as it likes, field by field
//! as the interpreter writes them. Whatever the engine proves has to have existed since the
//! tick began, with each function where it stood. Only of the innermost function it is not
//! proven where it stood at that moment, and up to 3.10 nor of its caller.

use std::cell::RefCell;
use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use crate::cpython::abi::{
    Abi, Executing, Python36, Python310, Python313, Python314, Python315, Roots, TopFrame,
};
use crate::cpython::memory::{Fault, Memory, Remote};
use crate::cpython::read::code::CodeCache;
use crate::cpython::read::fixtures::{FakePython, TYPES};
use crate::cpython::read::frames::Position;
use crate::cpython::read::objects::{Code, Frame, Thread};
use crate::cpython::read::threads::{ProcessRoots, RootSymbols};
use crate::profile::stats::Account;
use crate::profile::{Detail, Process, Profile};
use crate::sampler::engine::Engine;
use crate::sampler::stop::held::StoppedThreads;
use crate::sampler::tick::Tick;

const FUNCTIONS: usize = 6;

/// How many places a function has.
const PLACES: usize = 8;

/// How deep stacks become.
const DEPTH: usize = 9;

/// Where frames are, and how much of that there is.
const ARENA: u64 = 0x5000_0000;
const ARENA_SIZE: usize = 0x8000;

/// The bytes that a processor gets from another one at once.
const LINE: u64 = 64;

/// A frame of the simulated thread.
#[derive(Clone, Copy, Debug)]
struct Active {
    function: usize,
    place: usize,
    has_called: bool,
    frame: u64,
}

/// Something that happens at one instant.
#[derive(Clone, Copy, Debug)]
enum Event {
    Write(u64, u64, usize),
    /// The same, and from then on the callee is on top, or its caller, or stands elsewhere.
    Enter(u64, u64, Active),
    Leave(u64, u64),
    Move(u64, u64, usize, usize),
}

/// How frames of an ABI come and go.
trait Family: Abi {
    /// Of how many of the innermost functions it is not proven where they stood.
    const WITHOUT_PLACE: usize;
    /// What is there before the first function is called.
    fn root(_machine: &mut Machine<Self>) -> u64 {
        0
    }
    /// Where the frame of a callee is made.
    fn place_frame(machine: &Machine<Self>, function: usize) -> u64;
    /// What a call writes before its frame is on top, and after that.
    fn enter(machine: &Machine<Self>, callee: &Active) -> (Vec<Event>, Vec<Event>);
    /// What a return does, before the caller is on top, and after that.
    fn leave(machine: &Machine<Self>) -> (Vec<Event>, Vec<Event>);
    /// Where a frame keeps its place, what it writes there, and how many bytes.
    fn place(code: u64, frame: u64, place: usize) -> (u64, u64, usize);
}

struct Machine<A: Family> {
    python: FakePython<A>,
    arena: Vec<u8>,
    codes: Vec<Remote<Code>>,
    calls: Vec<[Option<usize>; PLACES]>,
    stack: Vec<Active>,
    coming: VecDeque<Event>,
    root: u64,
    top: u64,
    random: u64,
    stands_still: bool,
    /// What the stack was since the tick began: code objects and places.
    seen: HashSet<Vec<(u64, Position)>>,
}

struct Simulated<A: Family>(RefCell<Machine<A>>);

impl<A: Family> Memory for Simulated<A> {
    fn read_into(&self, address: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        let mut at = address;
        let mut rest = buffer;
        while !rest.is_empty() {
            let length = ((LINE - at % LINE) as usize).min(rest.len());
            let (part, after) = rest.split_at_mut(length);
            self.0.borrow_mut().run();
            self.0.borrow().read(at, part)?;
            (at, rest) = (at.wrapping_add(length as u64), after);
        }
        Ok(())
    }
}

impl<A: Family> Machine<A> {
    fn random(&mut self, below: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as usize % below
    }

    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        match address.checked_sub(ARENA).map(|at| at as usize) {
            Some(at) if at + buffer.len() <= ARENA_SIZE => {
                buffer.copy_from_slice(&self.arena[at..at + buffer.len()]);
                Ok(())
            }
            _ => self.python.memory.read_into(address, buffer),
        }
    }

    fn write(&mut self, address: u64, value: u64, size: usize) {
        let bytes = &value.to_ne_bytes()[..size];
        match address.checked_sub(ARENA).map(|at| at as usize) {
            Some(at) if at + size <= ARENA_SIZE => self.arena[at..at + size].copy_from_slice(bytes),
            _ => self.python.memory.write(address, bytes),
        }
    }

    /// Goes on for a while: mostly not at all, now and then for long.
    fn run(&mut self) {
        if self.stands_still {
            return;
        }
        let steps = match self.random(256) {
            0 => self.random(400),
            1..=9 => self.random(12),
            10..=99 => 1,
            _ => 0,
        };
        (0..steps).for_each(|_| self.step());
    }

    fn step(&mut self) {
        let Some(event) = self.coming.pop_front() else { return self.choose() };
        match event {
            Event::Write(address, value, size) => self.write(address, value, size),
            Event::Enter(address, value, callee) => {
                self.write(address, value, 8);
                self.stack.push(callee);
                self.see();
            }
            Event::Leave(address, value) => {
                self.write(address, value, 8);
                self.stack.pop();
                self.see();
            }
            Event::Move(address, value, size, place) => {
                self.write(address, value, size);
                if let Some(top) = self.stack.last_mut() {
                    (top.place, top.has_called) = (place, false);
                }
                self.see();
            }
        }
    }

    fn see(&mut self) {
        let stack = self.stack.iter();
        let stack = stack.map(|active| (self.codes[active.function].address(), at(active.place)));
        self.seen.insert(proven_part::<A>(stack.collect()));
    }

    /// Decides what the function on top does next.
    fn choose(&mut self) {
        let Some(top) = self.stack.last().copied() else { return self.call(0) };
        let callee = self.calls[top.function][top.place].filter(|_| !top.has_called);
        if let Some(callee) = callee.filter(|_| self.stack.len() < DEPTH) {
            if let Some(top) = self.stack.last_mut() {
                top.has_called = true;
            }
            return self.call(callee);
        }
        let is_over = top.place + 1 == PLACES || self.random(24) == 0; // By an exception.
        if is_over && self.stack.len() > 1 {
            let (before, after) = A::leave(self);
            let caller = self.stack[self.stack.len() - 2].frame;
            self.coming.extend(before);
            self.coming.push_back(Event::Leave(self.top, caller));
            self.coming.extend(after);
            return;
        }
        let place = (top.place + 1) % PLACES;
        let code = self.codes[top.function].address();
        let (address, value, size) = A::place(code, top.frame, place);
        self.coming.push_back(Event::Move(address, value, size, place));
    }

    fn call(&mut self, function: usize) {
        let frame = A::place_frame(self, function);
        let callee = Active { function, place: 0, has_called: false, frame };
        let (before, after) = A::enter(self, &callee);
        self.coming.extend(before);
        self.coming.push_back(Event::Enter(self.top, frame, callee));
        self.coming.extend(after);
    }
}

/// A stack without the places of its innermost functions.
fn proven_part<A: Family>(mut stack: Vec<(u64, Position)>) -> Vec<(u64, Position)> {
    stack.iter_mut().rev().take(A::WITHOUT_PLACE).for_each(|top| top.1 = Position::Line(0));
    stack
}

/// A place, as a frame tells it.
fn at(place: usize) -> Position {
    Position::Instruction(2 * (place as i32 + 1))
}

/// Frames on the heap: each function keeps the memory of one, and recursion takes another.
macro_rules! heap_family {
    ($($abi:ident),*) => {$(
        impl Family for $abi {
            const WITHOUT_PLACE: usize = 2;

            fn place_frame(machine: &Machine<Self>, function: usize) -> u64 {
                let taken = |frame: u64| machine.stack.iter().any(|active| active.frame == frame);
                let places = (0..).map(|n| ARENA + ((n * FUNCTIONS + function) * 0x200) as u64);
                places.into_iter().find(|frame| !taken(*frame)).expect("there is one")
            }

            fn enter(machine: &Machine<Self>, callee: &Active) -> (Vec<Event>, Vec<Event>) {
                let layout = Self::FRAME;
                let word = |offset: usize, value| Event::Write(callee.frame + offset as u64, value, 8);
                let code = machine.codes[callee.function].address();
                let (place, value, size) = Self::place(code, callee.frame, 0);
                let caller = machine.stack.last().map_or(0, |caller| caller.frame);
                let mut before = vec![
                    word(layout.references.offset(), 1),
                    word(layout.code.offset(), code),
                    word(layout.back.offset(), caller),
                ];
                if caller != 0 {
                    before.push(Event::Write(caller + layout.references.offset() as u64, 2, 8));
                }
                before.push(Event::Write(place, value, size));
                let mut after = Vec::new();
                if let Executing::When { field, executed, .. } = layout.executing {
                    let at = callee.frame + field.offset() as u64;
                    after.push(Event::Write(at, u64::from(executed), 1));
                }
                (before, after)
            }

            fn leave(machine: &Machine<Self>) -> (Vec<Event>, Vec<Event>) {
                let layout = Self::FRAME;
                let [.., caller, top] = machine.stack[..] else { return Default::default() };
                let mut before = Vec::new();
                if let Executing::When { field, .. } = layout.executing {
                    before.push(Event::Write(top.frame + field.offset() as u64, 0, 1));
                }
                let after = vec![
                    Event::Write(top.frame + layout.references.offset() as u64, 0, 8),
                    Event::Write(top.frame + layout.back.offset() as u64, 0, 8),
                    Event::Write(caller.frame + layout.references.offset() as u64, 1, 8),
                ];
                (before, after)
            }

            fn place(_code: u64, frame: u64, place: usize) -> (u64, u64, usize) {
                let unit = Self::FRAME.instruction_unit;
                let value = 2 * (place as i32 + 1) / unit;
                (frame + Self::FRAME.last_instruction.offset() as u64, value as u64, 4)
            }
        }
    )*};
}

/// Frames on a stack of their own: each lies where the last one of its caller lay, and what is
/// left of that is still there.
macro_rules! interpreter_family {
    ($($abi:ident),*) => {$(
        impl Family for $abi {
            const WITHOUT_PLACE: usize = 1;

            fn root(machine: &mut Machine<Self>) -> u64 {
                machine.write(ARENA + Self::FRAME.owner.offset() as u64, u64::from(Self::FRAME.first_shim_owner), 1);
                ARENA
            }

            fn place_frame(machine: &Machine<Self>, _function: usize) -> u64 {
                let caller = machine.stack.last();
                // Frames of functions with different variables are of different sizes.
                let size = caller.map_or(0, |caller| caller.function as u64 * 8 + 24);
                caller.map_or(machine.root, |caller| caller.frame) + size + Self::FRAME.size as u64
            }

            fn enter(machine: &Machine<Self>, callee: &Active) -> (Vec<Event>, Vec<Event>) {
                let layout = Self::FRAME;
                let word = |offset: usize, value| Event::Write(callee.frame + offset as u64, value, 8);
                let code = machine.codes[callee.function].address();
                let (place, value, size) = Self::place(code, callee.frame, 0);
                let caller = machine.stack.last().map_or(machine.root, |caller| caller.frame);
                let (mut before, mut after) = (Vec::new(), Vec::new());
                if let Some(field) = layout.stack_top {
                    before.push(Event::Write(caller + field.offset() as u64, 3, 4));
                    before.push(Event::Write(callee.frame + field.offset() as u64, 2, 4));
                    let runs = u64::from(u32::MAX);
                    after.push(Event::Write(callee.frame + field.offset() as u64, runs, 4));
                }
                before.extend([
                    word(layout.code.offset(), code | (layout.code_tag & 1)),
                    Event::Write(place, value, size),
                    Event::Write(callee.frame + layout.owner.offset() as u64, 0, 1),
                    word(layout.previous.offset(), caller),
                ]);
                (before, after)
            }

            fn leave(machine: &Machine<Self>) -> (Vec<Event>, Vec<Event>) {
                let [.., caller, top] = machine.stack[..] else { return Default::default() };
                let Some(field) = Self::FRAME.stack_top else { return Default::default() };
                let runs = u64::from(u32::MAX);
                let before = vec![Event::Write(top.frame + field.offset() as u64, 2, 4)];
                (before, vec![Event::Write(caller.frame + field.offset() as u64, runs, 4)])
            }

            fn place(code: u64, frame: u64, place: usize) -> (u64, u64, usize) {
                let first = code + Self::FRAME.first_instruction as u64;
                let value = first + 2 * (place as u64 + 1);
                (frame + Self::FRAME.instruction.offset() as u64, value, 8)
            }
        }
    )*};
}

heap_family!(Python36, Python310);
interpreter_family!(Python313, Python314, Python315);

/// A machine with a random program, that has been running for a while.
fn machine<A: Family>(
    seed: u64,
    name: impl Fn(&mut FakePython<A>, &str) -> u64,
) -> (Simulated<A>, Remote<Thread>, ProcessRoots) {
    let mut python = FakePython::<A>::new();
    let codes = (0..FUNCTIONS)
        .map(|function| {
            let (name, file) =
                (name(&mut python, &format!("f{function}")), name(&mut python, "a.py"));
            python.code(name, file, 1, &[])
        })
        .collect();
    let thread = python.thread(Remote::<Frame>::new(0));
    let TopFrame::Direct(field) = A::THREAD.top else { panic!("this ABI has no C frames") };
    let current = python.object(0);
    python.memory.write_word(current, thread.address());
    let symbols = RootSymbols { current_thread: Some(current), ..RootSymbols::default() };
    let roots = ProcessRoots::resolve(&Roots::Variables, symbols).expect("it has all");
    let mut machine = Machine {
        python,
        arena: vec![0; ARENA_SIZE],
        codes,
        calls: Vec::new(),
        stack: Vec::new(),
        coming: VecDeque::new(),
        root: 0,
        top: thread.address() + field.offset() as u64,
        random: seed,
        stands_still: false,
        seen: HashSet::new(),
    };
    machine.root = A::root(&mut machine);
    for _ in 0..FUNCTIONS {
        let calls = std::array::from_fn(|_| {
            let callee = machine.random(2 * FUNCTIONS);
            // The first function is never called, as that of a module is not.
            (1..FUNCTIONS).contains(&callee).then_some(callee)
        });
        machine.calls.push(calls);
    }
    machine.calls[0][3] = Some(1);
    (0..1000).for_each(|_| machine.step());
    (Simulated(RefCell::new(machine)), thread, roots)
}

/// Reads such a machine at so many ticks. How many stacks were proven.
fn sample<A: Family>(
    seed: u64,
    ticks: usize,
    name: impl Fn(&mut FakePython<A>, &str) -> u64,
) -> usize {
    let (target, _, roots) = machine::<A>(seed, name);
    let mut profile = Profile::new(Detail::default());
    let process = profile.add_process(Process::new(1, String::new(), String::new()));
    let mut engine = Engine::<A, _>::new(&target, roots, CodeCache::new(TYPES), false, process);
    let (mut account, mut proven) = (Account::default(), 0);
    for tick in 0..ticks {
        {
            let mut machine = target.0.borrow_mut();
            machine.seen.clear();
            machine.see();
        }
        let now = Instant::now();
        let deadline = now + Duration::from_secs(3600);
        let mut nobody = StoppedThreads::default();
        let waiting = engine.pending.len();
        let came_to = engine.tick(now, 0, deadline, &mut nobody, &mut profile, &mut account);
        if engine.pending.len() > waiting {
            assert!(matches!(came_to, Tick::Proven(1)));
            proven += 1;
            let stack: Vec<_> =
                engine.stack().iter().map(|link| (link.address, link.position)).collect();
            let machine = target.0.borrow();
            let stack = proven_part::<A>(stack);
            let existed = machine.seen.contains(&stack);
            assert!(existed, "seed {seed}, tick {tick}: {stack:x?} is none of {:x?}", machine.seen);
        }
        for unknown in engine.take_unknown() {
            target.0.borrow_mut().stands_still = true;
            engine.meet(now, unknown.thread, |_| true);
            target.0.borrow_mut().stands_still = false;
        }
        if tick % 64 == 0 {
            engine.settle(None, &mut profile, &mut account);
        }
    }
    proven
}

/// So many programs, and ticks of each.
const PROGRAMS: u64 = 8;
const TICKS: usize = 1500;

fn all<A: Family>(name: impl Fn(&mut FakePython<A>, &str) -> u64 + Copy) {
    let proven: usize = (1..=PROGRAMS).map(|n| sample::<A>(n * 0x9e37_79b9, TICKS, name)).sum();
    println!("{proven} of {}", PROGRAMS as usize * TICKS);
    assert!(proven > PROGRAMS as usize * TICKS / 20, "{proven} stacks were proven");
}

#[test]
fn what_is_proven_of_3_6_existed() {
    all::<Python36>(|python, text| python.ascii(text));
}

#[test]
fn what_is_proven_of_3_10_existed() {
    all::<Python310>(|python, text| python.ascii(text));
}

#[test]
fn what_is_proven_of_3_13_existed() {
    all::<Python313>(|python, text| python.ascii(text));
}

#[test]
fn what_is_proven_of_3_14_existed() {
    all::<Python314>(|python, text| python.ascii(text));
}

#[test]
fn what_is_proven_of_3_15_existed() {
    all::<Python315>(|python, text| python.ascii(text));
}
