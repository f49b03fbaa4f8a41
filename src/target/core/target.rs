//! A core file as a target.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use goblin::elf::header::ELFMAG;

use super::{Core, CoreMemory};
use crate::cpython::memory::Memory;
use crate::target::interface::{NativeThread, Target, ThreadId};
use crate::target::mapped::{Identity, Mapped, MappedFile, OpenedFile, OtherCode, open_regular};
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

    fn mapped(&self) -> io::Result<Mapped> {
        let files = self.files()?;
        let memory = self.memory();
        let starts: HashSet<u64> = files
            .iter()
            .flat_map(|file| file.segments.iter().map(|segment| segment.range.start))
            .collect();
        let segments = self.pieces.contents.segments.iter();
        let other =
            segments.filter(|part| part.permissions.execute && !starts.contains(&part.start));
        let code = other
            .map(|part| OtherCode {
                range: part.start..part.end,
                // Nothing in the file names a mapping that is of no file.
                is_vdso: memory
                    .read_bytes(part.start, ELFMAG.len())
                    .is_ok_and(|head| head == ELFMAG),
            })
            .collect();
        Ok(Mapped { files, code })
    }

    fn open_path(&self, path: &Path) -> Option<File> {
        open_regular(path).map(|(file, _)| file)
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
