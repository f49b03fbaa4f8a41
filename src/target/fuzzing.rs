//! Readers of ELF files, of core files and of what the kernel writes in `/proc`.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::Path;

use super::core::Core;
use super::disasm::Arch;
use super::elf::loaded::Loaded;
use super::elf::{Image, copy_from_memory};
use super::interface::Target;
use super::live::{Maps, RunCount, Stat};
use super::locate;
use super::mapped::{Permissions, Segment};
use super::unwind::fixture::{file, unwinder};
use super::unwind::{MAX_FRAMES, Registers, StackCopy, UnwindEnd};
use crate::cpython::abi::AbiTag;
use crate::cpython::memory::Memory;

/// Where the content of a file lies in a memory.
const START: u64 = 0x7f00_0000_0000;

/// ELF files, from a disk and out of a memory.
pub fn elf(bytes: &[u8]) {
    let permissions = Permissions { read: true, write: false, execute: true };
    let mapped = [
        Segment { range: START..START + bytes.len() as u64, offset: 0, permissions },
        Segment { range: 0x1000..u64::MAX, offset: 0x1000, permissions },
    ];
    for image in [Image::parse(bytes), Image::parse_loaded(bytes, START)] {
        let Ok(image) = image else { continue };
        for name in ["_PyRuntime", "Py_Version", "PyInterpreterState_Head", ""] {
            let _ = image.symbol(name);
        }
        let _ = image.local_symbols(["interp_head", "_nptl_version"]);
        let _ = (image.load_bias(&mapped), image.soname(), image.needed().count());
        let _ = (image.build_id(), image.machine());
        assert!(image.segments().len() <= bytes.len());
    }
    let _ = copy_from_memory(&Loaded { start: START, bytes }, &mapped[..1]);
}

/// Machine code of every processor.
pub fn machine_code(bytes: &[u8]) {
    let Some((pc, code)) = bytes.split_first_chunk() else { return };
    let pc = u64::from_ne_bytes(*pc);
    for machine in [goblin::elf::header::EM_X86_64, goblin::elf::header::EM_AARCH64] {
        let Some(arch) = Arch::of_machine(machine) else { continue };
        let _ = arch.loaded_word(code, pc);
        assert!(arch.referenced_addresses(code, pc).len() <= code.len());
    }
}

/// Core files: what they say, and whether an interpreter is in them.
pub fn core(bytes: &[u8]) {
    // What is packed is unpacked by others, and may be very large then.
    if !bytes.starts_with(goblin::elf::header::ELFMAG) {
        return;
    }
    let Some(file) = unnamed(bytes) else { return };
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let Ok(core) = Core::open(Path::new(&path), None) else { return };
    let memory = core.memory();
    for address in [0, 4095, 0x40_0000, START, u64::MAX - 7] {
        let _ = memory.read::<u64>(address);
    }
    let files = core.files().unwrap_or_default();
    for file in files.iter().take(16) {
        for segment in &file.segments {
            assert!(segment.range.start < segment.range.end);
            let _ = memory.read::<u64>(segment.range.start);
            let _ = memory.read::<u64>(segment.range.end.wrapping_sub(4));
        }
    }
    let ids = core.thread_ids().unwrap_or_default();
    assert!(ids.len() <= bytes.len(), "a thread takes a note");
    for id in ids.iter().take(64) {
        let _ = core.thread(id.outside);
    }
    let _ = locate::find_all(&core, &memory);
    let _ = locate::thread_id_offset(&core, &memory);
    let _ = (core.command_line(), core.signal().map(|signal| signal.name()));
    let _ = (core.unused_files(), core.missing());
}

/// A file without a name, in memory.
fn unnamed(bytes: &[u8]) -> Option<File> {
    use nix::sys::memfd::{MFdFlags, memfd_create};
    let mut file = File::from(memfd_create("fuzzed", MFdFlags::MFD_CLOEXEC).ok()?);
    file.write_all(bytes).ok()?;
    Some(file)
}

/// `maps`, `stat`, `status`, `schedstat` and mounts.
pub fn proc_texts(bytes: &[u8]) {
    for file in Maps::parse(bytes.to_vec()).files() {
        assert!(!file.segments.is_empty());
        assert!(file.segments.iter().all(|segment| segment.range.start < segment.range.end));
        let _ = (file.name(), file.is_executable());
    }
    if let Some(stat) = Stat::parse(bytes) {
        let _ = (stat.shares_its_processor(), stat.is_kernel_thread(), stat.state.has_ended());
    }
    let _ = RunCount::parse(bytes);
    super::live::read_texts(&String::from_utf8_lossy(bytes));
}

/// Unwind tables, registers and a stack.
pub fn unwind(bytes: &[u8]) {
    let Some((head, rest)) = bytes.split_first_chunk::<34>() else { return };
    let word = |number: usize| head.get(2 + number * 8..)?.first_chunk().copied();
    let [ip, sp, bp, lr] = [0, 1, 2, 3].map(|number| word(number).map_or(0, u64::from_le_bytes));
    let length = usize::from(head[0] & 63) * 8;
    let (stack, rest) = rest.split_at(length.min(rest.len()));
    let count = usize::from(head[1] & 7);
    let pair = |number: usize| {
        let at = |place| Some(u32::from_le_bytes(*rest.get(number * 8 + place..)?.first_chunk()?));
        Some((at(0)? & 0xffff, at(4)? & 0xffff))
    };
    let pairs: Vec<(u32, u32)> = (0..count).map_while(pair).collect();
    let made = file(&pairs, rest.get(pairs.len() * 8..).unwrap_or_default());
    let registers = Registers { ip, sp, bp, lr };
    let stack = StackCopy { start: sp, bytes: stack };
    for image in [made, rest.to_vec()] {
        unwind_image(image, crate::cpython::fuzzing::START, registers, &stack);
    }
}

/// Unwinds in an image that is loaded at `base`, and asks for all that there is to know.
pub(super) fn unwind_image(image: Vec<u8>, base: u64, registers: Registers, stack: &StackCopy<'_>) {
    let Some(mut unwinder) = unwinder(image, base) else { return };
    let mut frames = Vec::new();
    let end = unwinder.unwind(registers, stack, &mut frames);
    assert!(frames.len() <= MAX_FRAMES);
    if let UnwindEnd::Cut(needed) = end {
        assert!(needed > stack.bytes.len() as u64);
    }
    for (callee, caller) in frames.iter().zip(frames.iter().skip(1)) {
        assert_eq!(callee.end, caller.start);
        assert!(callee.start <= callee.end);
    }
    for frame in frames.iter().take(64) {
        let name = unwinder.name(frame.address);
        assert!(!name.function.is_empty() && name.function.len() < 2048);
        let _ = unwinder.function_start(frame.address);
        let Some(module) = unwinder.module_of(frame.address) else { continue };
        let _ = (unwinder.symbol(module, "main"), unwinder.module(module));
    }
}

/// The release of an interpreter, as text and as number, and names of ABIs.
pub fn versions(bytes: &[u8]) {
    for release in locate::releases(bytes) {
        let words = format!("{release}\0");
        assert_eq!(locate::releases(words.as_bytes()).first(), Some(&release), "{words}");
    }
    if let Some(tag) = std::str::from_utf8(bytes).ok().and_then(AbiTag::named) {
        assert!(tag.is_supported());
    }
}
