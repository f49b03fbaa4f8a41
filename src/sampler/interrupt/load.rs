//! Loads the program that runs in interrupts, with the layout of one Python and the
//! addresses of one process.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use aya::maps::{HashMap, Map, MapData, MapError, ProgramArray, RingBuf};
use aya::programs::{PerfEvent, ProgramError, ProgramFd};
use aya::{Ebpf, EbpfError, EbpfLoader};
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, SigmaskHow};
use nix::sys::time::{TimeSpec, TimeValLike};
use rustc_hash::FxHashMap;

use super::KernelError;
use super::constants::{Constants, MOST_GILS};
use super::words::Words;
use crate::cpython::read::code::Named;

/// The program, as clang has compiled it.
static PROGRAM: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/interrupt.o"));

/// How many code objects can be trusted at a time, in powers of 2.
const TRUSTED_BITS: u32 = 16;

/// `OUTCOMES` of the program, and of these: no room in the ring buffer.
const OUTCOMES: usize = 8;
const FULL: usize = 2;

/// `enum program` of it.
const COPY_FRAMES: u32 = 0;
const COPY_STACK: u32 = 1;

/// The program in the kernel, and what it shares with this one.
pub(super) struct Loaded {
    program: Option<OwnedFd>,
    /// Those that the program calls, as long as this is there.
    _programs: ProgramArray<MapData>,
    ring: RingBuf<MapData>,
    /// Becomes readable when the ring should be read.
    news: OwnedFd,
    gils: Words,
    held: Words,
    outcomes: Words,
    seen: HashMap<MapData, u32, u64>,
    states: HashMap<MapData, u32, u64>,
    trusted: Words,
    stack_pages: Words,
    /// What `trusted` holds.
    known: FxHashMap<u32, Named>,
}

/// A loader without the types of the kernel, which the program does not need. aya has read and
/// decoded them all when a loader is there (5 MB, which takes as long as some thousand
/// samples), unless they cannot be opened: so no file can be for that moment.
fn loader<'a>() -> EbpfLoader<'a> {
    let limits = getrlimit(Resource::RLIMIT_NOFILE);
    if let Ok((_, most)) = limits {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, 0, most);
    }
    let mut loader = EbpfLoader::new();
    if let Ok((soft, most)) = limits {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, soft, most);
    }
    loader.btf(None);
    loader
}

impl Loaded {
    /// Loads the program with these constants, and a ring buffer of this many bytes.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub(super) fn load(constants: &Constants, ring: u32) -> Result<Self, KernelError> {
        // The kernel gives up to check a program when a signal comes (`EAGAIN`).
        let mask = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK);
        let loaded = match Self::load_undisturbed(constants, ring, constants.native) {
            // It may be that the kernel does not tell the registers of system calls.
            Err(KernelError::Program(_)) if constants.native => {
                Self::load_undisturbed(constants, ring, false)
            }
            loaded => loaded,
        };
        if let Ok(mask) = mask {
            let _ = mask.thread_set_mask();
        }
        loaded
    }

    fn load_undisturbed(
        constants: &Constants,
        ring: u32,
        kernel_entries: bool,
    ) -> Result<Self, KernelError> {
        // Up to Linux 5.10 what is shared with the kernel counts as locked memory.
        let _ = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);
        let mut loader = loader();
        loader.set_max_entries("RING", ring);
        for (name, value) in &constants.narrow {
            loader.set_global(name, value, true);
        }
        for (name, value) in &constants.wide {
            loader.set_global(name, value, true);
        }
        loader.set_global("code_texts", &constants.texts, true);
        let (native, kernel_entries) = (u32::from(constants.native), u32::from(kernel_entries));
        loader.set_global("native", &native, true);
        loader.set_global("kernel_entries", &kernel_entries, true);
        let mut bpf = loader.load(PROGRAM)?;
        let copying = load_program(&mut bpf, "copy_frames")?;
        let program = load_program(&mut bpf, "on_interrupt")?;
        let mut programs: ProgramArray<_> = take(&mut bpf, "PROGRAMS")?.try_into()?;
        programs.set(COPY_FRAMES, &copying, 0)?;
        if constants.native {
            programs.set(COPY_STACK, &load_program(&mut bpf, "copy_stack")?, 0)?;
        }
        let ring = take(&mut bpf, "RING")?;
        let Map::RingBuf(data) = &ring else {
            return Err(KernelError::Program("RING is another map".into()));
        };
        let news = data.fd().as_fd().try_clone_to_owned()?;
        Ok(Self {
            program: Some(program.as_fd().try_clone_to_owned()?),
            _programs: programs,
            news,
            ring: ring.try_into()?,
            gils: Words::of(take(&mut bpf, "GILS")?, MOST_GILS as usize)?,
            held: Words::of(take(&mut bpf, "HELD")?, MOST_GILS as usize)?,
            outcomes: Words::of(take(&mut bpf, "OUTCOMES")?, OUTCOMES)?,
            seen: take(&mut bpf, "SEEN")?.try_into()?,
            states: take(&mut bpf, "STATES")?.try_into()?,
            trusted: Words::of(take(&mut bpf, "TRUSTED")?, 1 << TRUSTED_BITS)?,
            stack_pages: Words::of(take(&mut bpf, "STACK_PAGES")?, 1)?,
            known: FxHashMap::default(),
        })
    }

    /// The program, once.
    pub(super) fn take_program(&mut self) -> Result<OwnedFd, KernelError> {
        self.program.take().ok_or_else(|| KernelError::Program("it has been taken".into()))
    }

    /// Waits until code objects have been copied or the ring should be read for its length, but
    /// not longer than `time`.
    pub(super) fn rest(&self, time: Duration) {
        let nanoseconds = i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
        let mut news = [PollFd::new(self.news.as_fd(), PollFlags::POLLIN)];
        // A signal is looked for by whoever waits.
        let _ = ppoll(&mut news, Some(TimeSpec::nanoseconds(nanoseconds)), None);
    }

    /// What `read` makes of the next record, if there is one.
    pub(super) fn next_record<T>(&mut self, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        self.ring.next().map(|record| read(&record))
    }

    /// Tells the program where a GIL is: the one that it knows by the number `place`, or
    /// with 0 none.
    pub(super) fn set_gil(&self, place: usize, address: u64) {
        self.gils.set(place, address);
    }

    /// Tells the program the thread state of a thread, which it knows by the number that its
    /// process does, or that it has none. Whether it could be told.
    pub(super) fn set_state(&mut self, thread: u32, state: Option<u64>) -> bool {
        match state {
            Some(state) => self.states.insert(thread, state, 0).is_ok(),
            None => self.states.remove(&thread).is_ok(),
        }
    }

    /// How many interrupts have met a thread that held the GIL at `place`.
    pub(super) fn interrupts(&self, place: usize) -> u64 {
        self.held.get(place)
    }

    /// How many samples found no room in the ring buffer.
    pub(super) fn lost(&self) -> u64 {
        self.outcomes.get(FULL)
    }

    /// Whether a thread has been interrupted lately, by the number that its process knows it
    /// by.
    pub(super) fn has_seen(&self, thread: u32) -> bool {
        self.seen.get(&thread, 0).is_ok()
    }

    /// Where the program looks for a code object, as in `program.c`.
    fn place(named: &Named) -> u32 {
        ((named.address >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - TRUSTED_BITS)) as u32
    }

    /// Tells the program how many pages of stacks to copy.
    pub(super) fn set_stack_pages(&self, pages: u64) {
        self.stack_pages.set(0, pages);
    }

    /// Whether a code object is trusted to stay.
    pub(super) fn trusts(&self, named: &Named) -> bool {
        self.known.get(&Self::place(named)) == Some(named)
    }

    /// Trusts one, in place of another that has the same place.
    pub(super) fn trust(&mut self, named: Named) {
        let place = Self::place(&named);
        self.trusted.set(place as usize, named.address);
        self.known.insert(place, named);
    }

    /// Trusts only those of which `stays` says so.
    pub(super) fn trust_only(&mut self, mut stays: impl FnMut(&Named) -> bool) {
        let Self { trusted, known, .. } = self;
        known.retain(|place, named| {
            let stays = stays(named);
            if !stays {
                trusted.set(*place as usize, 0);
            }
            stays
        });
    }
}

fn load_program(bpf: &mut Ebpf, name: &str) -> Result<ProgramFd, KernelError> {
    let program = bpf.program_mut(name).ok_or_else(|| lacking(name))?;
    let program: &mut PerfEvent = program.try_into()?;
    program.load()?;
    Ok(program.fd()?.try_clone()?)
}

fn lacking(name: &str) -> KernelError {
    KernelError::Program(format!("it has no {name}"))
}

fn take(bpf: &mut Ebpf, name: &str) -> Result<Map, KernelError> {
    bpf.take_map(name).ok_or_else(|| lacking(name))
}

impl From<MapError> for KernelError {
    fn from(error: MapError) -> Self {
        match error {
            MapError::CreateError { io_error, .. } => io_error.into(),
            MapError::SyscallError(error) => error.io_error.into(),
            error => Self::Program(error.to_string()),
        }
    }
}

impl From<ProgramError> for KernelError {
    fn from(error: ProgramError) -> Self {
        match error {
            ProgramError::LoadError { io_error, verifier_log } => {
                if io_error.kind() == io::ErrorKind::PermissionDenied
                    && verifier_log.to_string().is_empty()
                {
                    Self::Denied(io_error)
                } else {
                    Self::Program(format!("{io_error}\n{verifier_log}"))
                }
            }
            ProgramError::SyscallError(error) => error.io_error.into(),
            error => Self::Program(error.to_string()),
        }
    }
}

impl From<EbpfError> for KernelError {
    fn from(error: EbpfError) -> Self {
        match error {
            EbpfError::MapError(error) => error.into(),
            EbpfError::ProgramError(error) => error.into(),
            error => Self::Program(error.to_string()),
        }
    }
}
