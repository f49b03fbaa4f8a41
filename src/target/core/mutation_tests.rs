//! Core files that are damaged, cut off or made up: nothing of them leads to a panic, an endless
//! loop or a read beyond what there is.

use std::path::Path;

use goblin::elf::program_header::{PF_R, PF_W, PF_X};
use proptest::prelude::*;

use super::fixture::{CoreFile, OnDisk, open_bytes};
use crate::cpython::memory::Memory;
use crate::target::elf::fixture::{ElfFile, SIZE};
use crate::target::{Target, locate};

const START: u64 = 0x5000_0000;

/// A core file of a program that exports what an interpreter does.
fn seed(program: &Path) -> Vec<u8> {
    let image = program_image();
    let path = program.display().to_string();
    CoreFile {
        segments: vec![
            (START, PF_R | PF_X, image[..0x2000].to_vec(), SIZE),
            (START + SIZE, PF_R | PF_W, vec![5; 64], 4096),
        ],
        mapped: vec![
            (START, START + SIZE, 0, path.clone()),
            (START + 2 * SIZE, START + 3 * SIZE, 0, path),
        ],
        program_headers: START + 64,
        ..CoreFile::default()
    }
    .build()
}

fn program_image() -> Vec<u8> {
    let exported = vec![
        ("PyInterpreterState_Head", 0x4000, 8),
        ("_PyRuntime", 0x6200, 0x400),
        ("PyType_Type", 0x6000, 400),
        ("Py_Version", 0x6100, 8),
    ];
    ElfFile { exported, ..ElfFile::default() }.build()
}

/// Opens and asks everything. Whatever it comes to is well.
fn ask(bytes: &[u8]) {
    let Ok(core) = open_bytes(bytes, None) else { return };
    let memory = core.memory();
    for address in [0, START, START + 4095, START + SIZE + 60, START + 2 * SIZE, u64::MAX - 7] {
        let _ = memory.read::<u64>(address);
    }
    let _ = memory.read_bytes(START, 1 << 16);
    let ids = core.thread_ids().unwrap_or_default();
    assert!(ids.len() <= bytes.len() / 12, "a thread takes a note");
    for id in ids {
        let _ = core.thread(id.outside);
    }
    let _ = locate::find_all(&core, &memory);
    let _ = (core.command_line(), core.signal().map(|signal| signal.name()), core.unused_files());
    assert!(core.missing() < u64::MAX);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn bytes_may_be_anything(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..24),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let program = OnDisk::new(&program_image());
        let mut bytes = seed(&program.0);
        for (place, byte) in changes {
            // The headers and the notes are at the beginning: they are met more often.
            let length = bytes.len();
            let place = place.index(length * 2) % length;
            bytes[place] = byte;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        ask(&bytes);
    }

    #[test]
    fn numbers_may_be_anything(
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), prop_oneof![
                Just(0), Just(1), Just(u64::MAX), Just(u64::MAX / 2 + 1), Just(START), any::<u64>(),
            ]),
            1..6,
        ),
    ) {
        let program = OnDisk::new(&program_image());
        let mut bytes = seed(&program.0);
        for (place, number) in changes {
            let place = place.index(1400 / 4) * 4;
            bytes[place..place + 8].copy_from_slice(&number.to_le_bytes());
        }
        ask(&bytes);
    }

    #[test]
    fn whatever_is_behind_a_header_is_read(rest in prop::collection::vec(any::<u8>(), 0..2048)) {
        let bytes = seed(Path::new("/no/such"));
        ask(&[&bytes[..64], &rest].concat());
        ask(&rest);
    }
}
