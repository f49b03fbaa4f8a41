//! Tests on made-up files, and on the libraries of this very process.

use std::collections::HashMap;
use std::fs::{self, File};

use goblin::elf::header::{EM_AARCH64, EM_ARM, ET_CORE, ET_EXEC};
use goblin::elf::sym::STT_GNU_IFUNC;

use super::fixture::{BUILD_ID, ElfFile, Hash, SIZE};
use super::*;
use crate::cpython::memory::fake::FakeMemory;
use crate::target::live::Process;
use crate::target::live::memory::LiveMemory;
use crate::target::mapped::{MappedFile, Permissions, Segment};

fn file(hash: Hash) -> ElfFile {
    ElfFile {
        hash,
        exported: vec![
            ("one", 0x5000, 8),
            ("imported", 0, 0),
            ("two", 0x5100, 16),
            ("three", 0x5200, 0),
        ],
        local: vec![("hidden", 0x5300, 4), ("two", 0x5999, 1)],
        needed: vec!["libc.so.6", "libpython3.6m.so.1.0"],
        soname: Some("libmade.so"),
        ..ElfFile::default()
    }
}

fn at(address: u64, size: u64) -> Option<Symbol> {
    Some(Symbol { address, size })
}

#[test]
fn symbols_are_found_whichever_way_they_are_indexed() {
    for hash in [Hash::Gnu, Hash::SystemV, Hash::None] {
        let image = Image::parse(file(hash).build()).unwrap();
        assert_eq!(image.symbol("one"), at(0x5000, 8), "{hash:?}");
        assert_eq!(image.symbol("two"), at(0x5100, 16), "{hash:?}");
        assert_eq!(image.symbol("three"), at(0x5200, 0), "{hash:?}");
        for absent in ["imported", "hidden", "on", "ones", "", "four"] {
            assert_eq!(image.symbol(absent), None, "{hash:?} {absent}");
        }
    }
}

#[test]
fn local_symbols_are_found_in_one_pass() {
    let image = Image::parse(file(Hash::Gnu).build()).unwrap();
    let found = image.local_symbols(["absent", "hidden", "two"]);
    assert_eq!(found, [None, at(0x5300, 4), at(0x5999, 1)]);
}

#[test]
fn names_and_notes() {
    let image = Image::parse(file(Hash::Gnu).build()).unwrap();
    assert_eq!(image.soname(), Some(&b"libmade.so"[..]));
    let needed: Vec<_> = image.needed().collect();
    assert_eq!(needed, [&b"libc.so.6"[..], b"libpython3.6m.so.1.0"]);
    let (address, id) = image.build_id().unwrap();
    assert_eq!(id, BUILD_ID);
    assert_eq!(image.bytes_at(address, 8), Some(&BUILD_ID[..]));
}

#[test]
fn only_executables_and_libraries_are_images() {
    let parse = |file: ElfFile| Image::parse(file.build()).map(drop);
    assert_eq!(parse(ElfFile { kind: ET_CORE, ..ElfFile::default() }), Err(ElfError::NotElf));
    // The bytes of another 64-bit processor can be read, whoever needs them.
    assert_eq!(parse(ElfFile { machine: EM_AARCH64, ..ElfFile::default() }), Ok(()));
    let mut small = ElfFile { machine: EM_ARM, ..ElfFile::default() }.build();
    small[4] = 1;
    assert_eq!(Image::parse(&small[..]).map(drop), Err(ElfError::ThirtyTwoBit));
    assert_eq!(Image::parse(&small[..52]).map(drop), Err(ElfError::ThirtyTwoBit));
    let mut big_endian = ElfFile::default().build();
    big_endian[5] = 2;
    assert_eq!(Image::parse(&big_endian[..]).map(drop), Err(ElfError::Foreign));
    for text in [&b""[..], b"\x7fELF", b"#!/bin/sh\n"] {
        assert_eq!(Image::parse(text).map(drop), Err(ElfError::NotElf));
    }
}

fn segment(start: u64, end: u64, offset: u64, execute: bool) -> Segment {
    let permissions = Permissions { read: true, write: false, execute };
    Segment { range: start..end, offset, permissions }
}

#[test]
fn the_bias_of_a_plain_file() {
    let image = Image::parse(ElfFile::default().build()).unwrap();
    let mapped = [segment(0x7f00_0000_0000, 0x7f00_0000_8000, 0, true)];
    assert_eq!(image.load_bias(&mapped), Some(0x7f00_0000_0000));
    assert_eq!(image.load_bias(&[]), None);
    assert_eq!(image.load_bias(&[segment(0x1000, 0x2000, 0x9000, true)]), None);
}

#[test]
fn the_bias_of_a_prelinked_file() {
    let prelinked = ElfFile { base: 0x30_0000_0000, ..ElfFile::default() };
    let image = Image::parse(prelinked.build()).unwrap();
    let mapped = |start: u64| [segment(start, start + SIZE, 0, true)];
    assert_eq!(image.load_bias(&mapped(0x30_0000_0000)), Some(0));
    assert_eq!(image.load_bias(&mapped(0x30_0010_0000)), Some(0x10_0000));
    assert_eq!(image.load_bias(&mapped(0x7000)), Some(0x7000_u64.wrapping_sub(0x30_0000_0000)));
}

#[test]
fn a_file_that_cannot_move_has_no_bias() {
    let fixed = ElfFile { kind: ET_EXEC, base: 0x40_0000, ..file(Hash::Gnu) };
    let image = Image::parse(fixed.build()).unwrap();
    assert_eq!(image.load_bias(&[]), Some(0));
    assert_eq!(image.symbol("one"), at(0x40_5000, 8));
}

/// The layout of old linkers: data begins in the page where code ends, so that
/// this page of the file is mapped twice, and the data's mapping alone would
/// give the wrong bias.
#[test]
fn a_page_that_is_mapped_twice_does_not_mislead() {
    let mut bytes = ElfFile::default().build();
    let mut put = |at: usize, numbers: &[u64]| {
        for (index, number) in numbers.iter().enumerate() {
            bytes[at + index * 8..at + index * 8 + 8].copy_from_slice(&number.to_le_bytes());
        }
    };
    // Two loaded segments: code 0..0x4800, data from 0x4800 at 0x20_4800.
    put(64 + 8, &[0, 0, 0, 0x4800, 0x4800, 0x1000]);
    put(64 + 2 * 56, &[1 | 6 << 32, 0x4800, 0x20_4800, 0x20_4800, 0x3800, 0x3800, 0x1000]);
    let image = Image::parse(bytes).unwrap();
    let bias = 0x7f00_0000_0000;
    let code = segment(bias, bias + 0x5000, 0, true);
    let data = segment(bias + 0x20_4000, bias + 0x20_8000, 0x4000, false);
    assert_eq!(image.load_bias(&[code.clone(), data.clone()]), Some(bias));
    assert_eq!(image.load_bias(&[data, code]), Some(bias));
}

#[test]
fn a_copy_out_of_memory_serves_as_the_file() {
    let bias = 0x7f12_3456_7000;
    let mapped = [segment(bias, bias + SIZE, 0, true)];
    // The dynamic linker has added the bias to the pointers, or has not (musl).
    for relocated in [false, true] {
        let mut bytes = file(Hash::Gnu).build();
        if relocated {
            for entry in [0x208, 0x218, 0x228] {
                let value = u64::from_le_bytes(bytes[entry..entry + 8].try_into().unwrap());
                bytes[entry..entry + 8].copy_from_slice(&(value + bias).to_le_bytes());
            }
        }
        let mut memory = FakeMemory::new();
        memory.write(bias, &bytes);
        let (image, found) = copy_from_memory(&memory, &mapped).unwrap();
        assert_eq!(found, bias);
        assert_eq!(image.symbol("two"), at(0x5100, 16), "relocated: {relocated}");
    }
}

#[test]
fn what_cannot_be_read_of_a_copy_is_left_out() {
    let bias = 0x7f12_3456_7000;
    let mut memory = FakeMemory::new();
    let mut bytes = file(Hash::Gnu).build();
    bytes[0x4000..].fill(1);
    memory.write(bias, &bytes[..0x4000]);
    memory.write(bias + 0x6000, &bytes[0x6000..]);
    let (image, _) = copy_from_memory(&memory, &[segment(bias, bias + SIZE, 0, true)]).unwrap();
    assert_eq!(image.symbol("one"), at(0x5000, 8));
    assert_eq!(image.bytes_at(0x4000, 0x2000), Some(&[0; 0x2000][..]));
    assert_eq!(image.bytes_at(0x6000, 0x2000), Some(&[1; 0x2000][..]));
    assert_eq!(image.build_id().map(|(_, id)| id), Some(&BUILD_ID[..]));
    assert!(copy_from_memory(&FakeMemory::new(), &[segment(bias, bias + SIZE, 0, true)]).is_err());
    assert!(copy_from_memory(&memory, &[]).is_err());
}

/// Every ELF file that this process has mapped.
pub(super) fn libraries() -> Vec<(MappedFile, Vec<u8>)> {
    let process = Process::open(std::process::id() as i32).unwrap();
    let files = process.maps().unwrap().files().into_iter().filter(MappedFile::is_executable);
    let libraries: Vec<_> = files.map(|file| (fs::read(&file.path).unwrap(), file)).collect();
    assert!(libraries.len() >= 2, "a program and its C library");
    libraries.into_iter().map(|(bytes, file)| (file, bytes)).collect()
}

#[test]
fn every_exported_symbol_is_found_where_a_full_parse_has_it() {
    let mut compared = 0;
    for (library, bytes) in libraries() {
        let image = Image::parse(&bytes[..]).unwrap();
        let full = goblin::elf::Elf::parse(&bytes).unwrap();
        // Old versions of a symbol have the same name, so there may be several, and one
        // of them may be an indirect function, which is rightly not to be had.
        let mut all: HashMap<&str, Vec<Option<Symbol>>> = HashMap::new();
        for symbol in full.dynsyms.iter() {
            let name = full.dynstrtab.get_at(symbol.st_name).unwrap();
            let indirect = symbol.st_type() == STT_GNU_IFUNC;
            let symbol = image::defined(symbol);
            if symbol.is_some() || indirect {
                all.entry(name).or_default().push(symbol);
            }
        }
        for (name, symbols) in &all {
            let found = image.symbol(name);
            assert!(symbols.contains(&found), "{name} in {:?}: {found:?}", library.path);
            compared += 1;
        }
    }
    assert!(compared > 1000, "{compared}");
}

#[test]
fn the_bias_of_this_process_leads_to_the_headers() {
    let memory = LiveMemory::new(std::process::id() as i32);
    for (library, bytes) in libraries() {
        let image = Image::parse(&bytes[..]).unwrap();
        let bias = image.load_bias(&library.segments).unwrap();
        for part in image.segments().iter().filter(|part| part.executable) {
            let length = part.file_size.min(4096) as usize;
            let mut live = vec![0; length];
            crate::cpython::memory::Memory::read_into(
                &memory,
                part.address.wrapping_add(bias),
                &mut live,
            )
            .unwrap();
            assert_eq!(live, bytes[part.offset as usize..][..length], "{:?}", library.path);
        }
    }
}

#[test]
fn copies_of_live_libraries_have_their_symbols() {
    let memory = LiveMemory::new(std::process::id() as i32);
    let mut compared = 0;
    for (library, bytes) in libraries() {
        let of_file = Image::parse(map_file(&File::open(&library.path).unwrap()).unwrap()).unwrap();
        let (of_memory, bias) = copy_from_memory(&memory, &library.segments).unwrap();
        assert_eq!(Some(bias), of_file.load_bias(&library.segments));
        let full = goblin::elf::Elf::parse(&bytes).unwrap();
        for symbol in full.dynsyms.iter().take(300) {
            let name = full.dynstrtab.get_at(symbol.st_name).unwrap();
            assert_eq!(of_memory.symbol(name), of_file.symbol(name), "{name}");
            compared += 1;
        }
    }
    assert!(compared > 300, "{compared}");
}
