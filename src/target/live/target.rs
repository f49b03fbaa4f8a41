//! A live process as a target.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::memory::LiveMemory;
use super::source::open_within;
use super::stop::{Stopped, Stopper};
use super::{Process, counts_otherwise, innermost_id, pointers_in_call};
use crate::target::interface::{Hold, NativeThread, Stop, Target, ThreadId};
use crate::target::mapped::{Mapped, MappedFile, OpenedFile};
use crate::target::registers::RegisterSet;

impl Target for Process {
    type Memory = LiveMemory;
    type Stopper = Stopper;
    const CHANGES: bool = true;

    fn pid(&self) -> i32 {
        Self::pid(self)
    }

    fn executable(&self) -> &Path {
        Self::executable(self)
    }

    fn command_line(&self) -> String {
        Self::command_line(self)
    }

    fn is_alive(&self) -> bool {
        Self::is_alive(self)
    }

    fn age(&self) -> Option<Duration> {
        Self::age(self)
    }

    fn memory(&self) -> LiveMemory {
        LiveMemory::new(self.pid())
    }

    fn stopper(&self, is_allowed: bool) -> Stopper {
        Stopper::new(self.pid()).allowed(is_allowed).only(self.identity())
    }

    fn files(&self) -> io::Result<Vec<MappedFile>> {
        self.maps().map(|maps| maps.files())
    }

    fn mapped(&self) -> io::Result<Mapped> {
        let maps = self.maps()?;
        Ok(Mapped { files: maps.files(), code: maps.other_code() })
    }

    fn open_path(&self, path: &Path) -> Option<File> {
        let path = path.to_str().filter(|_| path.is_absolute())?;
        open_within(self.pid(), path).map(|(file, _)| file)
    }

    fn is_executable(&self, mapped: &MappedFile) -> bool {
        Self::is_executable(self, mapped)
    }

    fn open_mapped(&self, mapped: &MappedFile) -> Option<OpenedFile> {
        Self::open_mapped(self, mapped)
    }

    fn thread_ids(&self) -> io::Result<Vec<ThreadId>> {
        let pid = self.pid();
        let differ = counts_otherwise(pid);
        let inside = |tid: i32| {
            if differ { innermost_id(pid, tid) } else { u64::try_from(tid).ok() }
        };
        let pair = |outside| Some(ThreadId { inside: inside(outside)?, outside });
        Ok(self.threads()?.into_iter().filter_map(pair).collect())
    }

    fn thread(&self, tid: i32) -> Option<NativeThread> {
        let stat = self.thread_stat(tid).ok()?;
        Some(NativeThread { name: Some(stat.name), state: Some(stat.state) })
    }

    fn registers(&self, tid: i32) -> Option<RegisterSet> {
        let (ip, sp) = pointers_in_call(self.pid(), tid)?;
        Some(RegisterSet::Pointers { ip, sp })
    }
}

impl Stop for Stopper {
    type Guard<'a> = Stopped<'a>;

    fn hold(&mut self) -> Option<Stopped<'_>> {
        Self::hold(self)
    }

    fn awaits(&self, tid: i32) -> bool {
        Self::awaits(self, tid)
    }

    fn wait_for_late(&mut self) {
        Self::wait_for_late(self);
    }
}

impl Hold for Stopped<'_> {
    fn stopped(&self) -> Vec<i32> {
        self.threads().collect()
    }

    fn is_complete(&self) -> bool {
        self.missing() == 0
    }

    fn registers(&self, tid: i32) -> Option<RegisterSet> {
        Self::registers(self, tid)
    }

    fn registers_of_waiting(&mut self, tid: i32) -> Option<RegisterSet> {
        Self::registers_of_waiting(self, tid)
    }
}
