//! A core file as a target.

use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use super::{Core, CoreMemory};
use crate::target::interface::{NativeThread, Target, ThreadId};
use crate::target::mapped::{Identity, MappedFile, OpenedFile};
use crate::target::registers::RegisterSet;
use crate::target::still::AlreadyStill;

impl Target for Core {
    type Memory = CoreMemory;
    type Stopper = AlreadyStill;
    const CHANGES: bool = false;

    fn pid(&self) -> i32 {
        self.pid
    }

    fn executable(&self) -> &Path {
        &self.executable
    }

    fn command_line(&self) -> String {
        self.command.clone()
    }

    fn is_alive(&self) -> bool {
        true
    }

    fn age(&self) -> Option<Duration> {
        None
    }

    fn memory(&self) -> CoreMemory {
        CoreMemory(Rc::clone(&self.pieces))
    }

    fn stopper(&self, _is_allowed: bool) -> AlreadyStill {
        AlreadyStill
    }

    fn files(&self) -> io::Result<Vec<MappedFile>> {
        Ok(self.pieces.files.list())
    }

    fn is_executable(&self, mapped: &MappedFile) -> bool {
        self.pieces.files.executable() == Some(&mapped.path)
    }

    fn open_mapped(&self, mapped: &MappedFile) -> Option<OpenedFile> {
        let file = self.pieces.files.open(mapped, &self.pieces.contents)?;
        Some(OpenedFile { file: file.try_clone().ok()?, identity: Identity::Same })
    }

    fn thread_ids(&self) -> io::Result<Vec<ThreadId>> {
        let pair = |outside: i32| Some(ThreadId { inside: u64::try_from(outside).ok()?, outside });
        Ok(self.threads.iter().filter_map(|thread| pair(thread.id)).collect())
    }

    fn thread(&self, tid: i32) -> Option<NativeThread> {
        let found = self.threads.iter().find(|thread| thread.id == tid)?;
        // Of all threads the first alone has its name in the notes.
        let name = (tid == self.pid).then(|| self.name.clone());
        Some(NativeThread { name: name.filter(|name| !name.is_empty()), state: found.state })
    }

    fn registers(&self, tid: i32) -> Option<RegisterSet> {
        let found = self.threads.iter().find(|thread| thread.id == tid)?;
        found.words.clone().map(RegisterSet::All)
    }
}
