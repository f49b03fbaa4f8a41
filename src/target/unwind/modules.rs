//! What code is where, and which module it belongs to.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::debug::debug_image;
use super::image::CodeImage;
use super::types::{Module, ModuleId};
use crate::cpython::memory::Memory;
use crate::target::elf::{Bytes, Image};
use crate::target::image::open_image;
use crate::target::interface::Target;
use crate::target::mapped::{FileId, Mapped, MappedFile, OtherCode, Permissions, Segment};

/// Modules beyond this are not known: each keeps a file mapped, and the kernel allows a process
/// 65,530 mappings.
const MAX_MODULES: usize = 16 << 10;

/// The path of the kernel's own library.
const VDSO: &str = "[vdso]";

/// A module at the place where it is loaded.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    /// Which one.
    pub module: ModuleId,
    /// What is added to addresses as linked.
    pub bias: u64,
    /// Its image.
    pub image: Arc<CodeImage>,
}

impl Loaded {
    /// The address as linked.
    pub(super) fn linked(&self, address: u64) -> u64 {
        address.wrapping_sub(self.bias)
    }
}

/// Code at some addresses.
#[derive(Clone, Debug)]
struct Code {
    range: Range<u64>,
    /// Of which module in `Modules::loaded`; `None` for code that is in no file.
    loaded: Option<usize>,
}

/// By what a file is known again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    id: Option<FileId>,
    path: PathBuf,
    content: Content,
}

/// What tells one content of a file from another: numbers of files are used again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Content {
    BuildId(Vec<u8>),
    /// Of a file without one: its length, and the checksum of its beginning and its end, where the
    /// headers of all parts are.
    Headers {
        length: usize,
        checksum: u32,
    },
}

impl Content {
    fn of(image: &Image<Bytes>) -> Self {
        /// In bytes.
        const PART: usize = 16 << 10;
        if let Some((_, id)) = image.build_id() {
            return Self::BuildId(id.to_vec());
        }
        let bytes = image.bytes();
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(bytes.get(..PART).unwrap_or(bytes));
        checksum.update(bytes.get(bytes.len().saturating_sub(PART)..).unwrap_or_default());
        Self::Headers { length: bytes.len(), checksum: checksum.finalize() }
    }
}

/// All code of a target.
#[derive(Debug, Default)]
pub(super) struct Modules {
    pid: i32,
    mapped: Mapped,
    /// All that there ever were.
    modules: Vec<(Module, Arc<CodeImage>)>,
    known: HashMap<Key, ModuleId>,
    /// Those that are loaded now, each with the mapping that it is from.
    loaded: Vec<(Option<MappedFile>, Loaded)>,
    /// In order of address.
    code: Vec<Code>,
}

impl Modules {
    /// Learns what is mapped now. Returns whether that is something else than before.
    pub(super) fn learn<T: Target>(&mut self, target: &T) -> io::Result<bool> {
        let mut mapped = target.mapped()?;
        // Data comes and goes.
        mapped.files.retain(MappedFile::is_executable);
        if mapped == self.mapped && self.pid == target.pid() {
            return Ok(false);
        }
        let before = std::mem::take(&mut self.loaded);
        let is_other = self.pid != target.pid();
        // By where they begin: a process can have thousands.
        let before: HashMap<u64, (MappedFile, Loaded)> = before
            .into_iter()
            .filter_map(|(file, loaded)| Some((file.filter(|_| !is_other)?, loaded)))
            .filter_map(|(file, loaded)| Some((file.segments.first()?.range.start, (file, loaded))))
            .collect();
        self.code.clear();
        self.modules.iter_mut().for_each(|(module, _)| module.ranges.clear());
        let memory = target.memory();
        for file in &mapped.files {
            let start = file.segments.first().map(|segment| segment.range.start);
            let same =
                start.and_then(|start| before.get(&start)).filter(|(known, _)| known == file);
            let loaded = match same {
                Some((_, loaded)) => Some(loaded.clone()),
                None => self.open(target, &memory, file),
            };
            let ranges = file.segments.iter().filter(|segment| segment.permissions.execute);
            self.place(Some(file.clone()), loaded, ranges.map(|segment| segment.range.clone()));
        }
        for code in &mapped.code {
            let vdso = if code.is_vdso { self.vdso(&memory, code) } else { None };
            self.place(None, vdso, std::iter::once(code.range.clone()));
        }
        self.code.sort_by_key(|code| code.range.start);
        (self.pid, self.mapped) = (target.pid(), mapped);
        Ok(true)
    }

    /// Notes where a module is, or code that is in none.
    fn place(
        &mut self,
        file: Option<MappedFile>,
        loaded: Option<Loaded>,
        ranges: impl Iterator<Item = Range<u64>>,
    ) {
        let number = loaded.as_ref().map(|_| self.loaded.len());
        let ranges: Vec<Range<u64>> = ranges.collect();
        let code = ranges.iter().map(|range| Code { range: range.clone(), loaded: number });
        self.code.extend(code);
        if let Some(loaded) = loaded {
            if let Some((module, _)) = self.modules.get_mut(loaded.module.0 as usize) {
                module.ranges.extend(ranges);
            }
            self.loaded.push((file, loaded));
        }
    }

    fn open<T: Target>(
        &mut self,
        target: &T,
        memory: &T::Memory,
        file: &MappedFile,
    ) -> Option<Loaded> {
        let Some((image, bias)) = open_image(target, memory, file) else {
            log::debug!("{} cannot be unwound: no image of it", file.path.display());
            return None;
        };
        log::trace!("{} is loaded by {bias:#x}", file.path.display());
        self.add(Some(file.id), file.path.clone(), image, bias, |image| {
            debug_image(target, image, &file.path)
        })
    }

    fn vdso<M: Memory>(&mut self, memory: &M, code: &OtherCode) -> Option<Loaded> {
        /// In bytes; it has two pages.
        const LARGEST: u64 = 256 << 10;
        let length = code.range.end - code.range.start;
        let length = usize::try_from(length.min(LARGEST)).ok()?;
        // All of it is loaded, with its sections.
        let bytes = memory.read_bytes(code.range.start, length).ok()?;
        let image = Image::parse(Bytes::Copied(bytes)).ok()?;
        let permissions = Permissions { read: true, write: false, execute: true };
        let bias =
            image.load_bias(&[Segment { range: code.range.clone(), offset: 0, permissions }])?;
        self.add(None, VDSO.into(), image, bias, |_| None)
    }

    /// The module of an image: one that is known, or a new one. `debug` finds the file with its
    /// symbols.
    fn add(
        &mut self,
        id: Option<FileId>,
        path: PathBuf,
        image: Image<Bytes>,
        bias: u64,
        debug: impl FnOnce(&Image<Bytes>) -> Option<Image<Bytes>>,
    ) -> Option<Loaded> {
        let build_id = image.build_id().map(|(_, id)| hexadecimal(id));
        let key = Key { id, path: path.clone(), content: Content::of(&image) };
        if let Some(&module) = self.known.get(&key) {
            let (_, image) = self.modules.get(module.0 as usize)?;
            return Some(Loaded { module, bias, image: Arc::clone(image) });
        }
        if self.modules.len() >= MAX_MODULES {
            return None;
        }
        let module = ModuleId(self.modules.len() as u32);
        let image = {
            let debug = debug(&image);
            Arc::new(CodeImage::new(image, debug))
        };
        let described =
            Module { path: path.to_string_lossy().into(), build_id, ranges: Vec::new() };
        self.modules.push((described, Arc::clone(&image)));
        self.known.insert(key, module);
        Some(Loaded { module, bias, image })
    }

    /// Lets all of an image be code at an address, where it is linked for 0.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn load(&mut self, image: Arc<CodeImage>, range: Range<u64>) {
        let module = ModuleId(self.modules.len() as u32);
        let described = Module { path: "made".into(), build_id: None, ranges: Vec::new() };
        self.modules.push((described, Arc::clone(&image)));
        let loaded = Loaded { module, bias: range.start, image };
        self.place(None, Some(loaded), std::iter::once(range));
    }

    /// The code at an address: `None` if there is none, `Some(None)` if it is in no module.
    pub(super) fn code_at(&self, address: u64) -> Option<Option<&Loaded>> {
        let after = self.code.partition_point(|code| code.range.start <= address);
        let code = self.code.get(after.checked_sub(1)?)?;
        if !code.range.contains(&address) {
            return None;
        }
        Some(code.loaded.and_then(|number| self.loaded.get(number)).map(|(_, loaded)| loaded))
    }

    /// The module at an address, where it is loaded.
    pub(super) fn at(&self, address: u64) -> Option<&Loaded> {
        self.code_at(address).flatten()
    }

    /// What is known of a module.
    pub(super) fn module(&self, id: ModuleId) -> &Module {
        &self.modules[id.0 as usize].0
    }

    /// Where a module is loaded now.
    pub(super) fn loaded(&self, id: ModuleId) -> Option<&Loaded> {
        self.loaded.iter().map(|(_, loaded)| loaded).find(|loaded| loaded.module == id)
    }
}

/// Bytes as digits; a build id has 20, and is cut after 64.
fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().take(64).map(|byte| format!("{byte:02x}")).collect()
}
