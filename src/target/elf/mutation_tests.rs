//! Damaged files: nothing that is wrong with one may upset the parser.

use proptest::prelude::*;

use super::fixture::{DATA, ElfFile, Hash, SIZE};
use super::loaded::Loaded;
use super::tests::libraries;
use super::*;
use crate::target::mapped::{Permissions, Segment};

/// Asks everything that can be asked of an image.
fn exercise(bytes: &[u8]) {
    let mapped = [
        Segment {
            range: 0x7f00_0000_0000..0x7f00_0000_0000 + bytes.len() as u64,
            offset: 0,
            permissions: Permissions { read: true, write: true, execute: true },
        },
        Segment { range: 0x1000..u64::MAX, offset: 0x1000, permissions: Permissions::default() },
    ];
    for image in [Image::parse(bytes), Image::parse_loaded(bytes, 0x7f00_0000_0000)] {
        let Ok(image) = image else { continue };
        for name in ["one", "two", "imported", "printf", "_dl_open", ""] {
            let _ = image.symbol(name);
        }
        let _ = image.local_symbols(["hidden", "two"]);
        let _ = (image.load_bias(&mapped), image.soname(), image.needed().count());
        let _ = image.build_id();
        for part in image.segments() {
            let _ = image.bytes_at(part.address, part.file_size);
        }
    }
}

fn made(hash: Hash) -> Vec<u8> {
    ElfFile {
        hash,
        exported: vec![("one", 0x5000, 8), ("imported", 0, 0), ("two", 0x5100, 16)],
        local: vec![("hidden", 0x5300, 4)],
        needed: vec!["libc.so.6"],
        soname: Some("libmade.so"),
        ..ElfFile::default()
    }
    .build()
}

/// A number that is likely to hit a limit.
fn nasty() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(1),
        Just(u64::MAX),
        Just(u64::MAX - 7),
        Just(i64::MAX as u64),
        Just(u64::from(u32::MAX)),
        Just(SIZE),
        Just(SIZE - 1),
        any::<u64>(),
        0..SIZE,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn damaged_files(
        hash in prop_oneof![Just(Hash::Gnu), Just(Hash::SystemV), Just(Hash::None)],
        damage in prop::collection::vec((0..DATA / 4, nasty(), prop_oneof![Just(4_usize), Just(8)]), 1..6),
        cut in prop_oneof![4 => Just(SIZE as usize), 1 => 0..SIZE as usize],
    ) {
        let mut bytes = made(hash);
        for (word, number, width) in damage {
            let at = word as usize * 4;
            bytes[at..at + width].copy_from_slice(&number.to_le_bytes()[..width]);
        }
        exercise(&bytes[..cut]);
    }

    #[test]
    fn damaged_memory(damage in prop::collection::vec((0..64_u64, nasty()), 1..6)) {
        let mut bytes = made(Hash::Gnu);
        for (word, number) in damage {
            let at = word as usize * 8;
            bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
        let permissions = Permissions { read: true, write: true, execute: true };
        let mapped = [Segment { range: START..START + SIZE, offset: 0, permissions }];
        let _ = copy_from_memory(&Loaded { start: START, bytes: &bytes }, &mapped);
    }
}

const START: u64 = 0x10_0000;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damaged_real_libraries(
        damage in prop::collection::vec((any::<prop::sample::Index>(), nasty(), any::<bool>()), 1..20),
    ) {
        thread_local! {
            static SMALLEST: Vec<u8> = {
                let all = libraries().into_iter().map(|(_, bytes)| bytes);
                all.min_by_key(Vec::len).unwrap_or_default()
            };
        }
        let mut bytes = SMALLEST.with(Clone::clone);
        for (place, number, in_headers) in damage {
            let range = if in_headers { 4096 } else { bytes.len() - 8 };
            let at = place.index(range);
            bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
        exercise(&bytes);
    }
}

/// A chain that leads back to its beginning must end all the same.
#[test]
fn circular_chains() {
    let mut bytes = made(Hash::SystemV);
    for entry in 0..4 {
        bytes[0x140c + entry * 4..][..4].copy_from_slice(&1_u32.to_le_bytes());
    }
    let image = Image::parse(&bytes[..]).unwrap();
    assert_eq!(image.symbol("absent"), None);
}

/// A GNU chain without an end, through a large file.
#[test]
fn endless_chains() {
    let mut bytes = made(Hash::Gnu);
    bytes.resize(64 << 20, 0);
    for entry in 0..8 {
        bytes[0x1420 + entry * 4..][..4].copy_from_slice(&0_u32.to_le_bytes());
    }
    assert_eq!(Image::parse(&bytes[..]).unwrap().symbol("nowhere"), None);
}
