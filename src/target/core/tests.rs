//! Tests on made-up core files.

use goblin::elf::header::{EM_S390, ET_EXEC};
use goblin::elf::program_header::{PF_R, PF_W, PF_X};

use super::fixture::{CoreFile, MACHINE, OnDisk, open_bytes};
use super::*;
use crate::cpython::memory::{Fault, Memory};
use crate::target::elf::fixture::{DATA, ElfFile, SIZE};
use crate::target::{Target, ThreadState};

const PAGE: u64 = 4096;
const START: u64 = 0x5000_0000;

fn error(bytes: &[u8]) -> String {
    open_bytes(bytes, None).map(drop).expect_err("it is refused").to_string()
}

#[test]
fn a_process_is_as_the_notes_say() {
    let core = CoreFile::default().open();
    assert_eq!((core.pid(), core.command_line().as_str()), (4242, "python3 app.py"));
    assert_eq!(core.executable(), Path::new("python3"), "no file is known");
    let ids: Vec<i32> = core.thread_ids().unwrap().iter().map(|id| id.outside).collect();
    assert_eq!(ids, [4243, 4242]);
    let signal = core.signal().expect("there was one");
    assert_eq!((signal.number, signal.address, signal.thread), (11, Some(8), 4243));
    let threads = [4242, 4243, 1].map(|id| core.thread(id));
    let [Some(first), Some(other), None] = threads else { panic!("{threads:?}") };
    assert_eq!((first.name.as_deref(), other.name), (Some("python3"), None));
    if MACHINE == goblin::elf::header::EM_X86_64 {
        let states = (first.state, other.state);
        assert_eq!(states, (Some(ThreadState::Sleeping), Some(ThreadState::Running)));
    }
    assert_eq!(CoreFile { signal: 0, ..CoreFile::default() }.open().signal(), None);
}

#[test]
fn what_is_no_core_file_is_told_what_it_is() {
    let program = CoreFile { kind: ET_EXEC, ..CoreFile::default() }.build();
    assert!(error(&program).contains("it is a program or a library"));
    let foreign = CoreFile { machine: EM_S390, ..CoreFile::default() }.build();
    assert!(error(&foreign).contains("another kind of processor (ELF machine 22)"));
    let mut narrow = CoreFile::default().build();
    narrow[4] = 1;
    assert!(error(&narrow).contains("32-bit"));
    assert!(error(b"").contains("not an ELF file"));
    assert!(error(b"#!/bin/sh\n\n\n\n\n\n\n").contains("not an ELF file"));
    assert!(error(&CoreFile::default().build()[..100]).contains("damaged or cut off"));
    let silent = CoreFile { threads: Vec::new(), ..CoreFile::default() }.build();
    assert!(error(&silent).contains("tells of no thread"));
    let folder = Core::open(Path::new("/"), None).map(drop).expect_err("no file").to_string();
    assert!(folder.contains("directory"), "{folder}");
    let missing = Core::open(Path::new("/no/such"), None).map(drop).expect_err("no file");
    assert!(missing.to_string().contains("No such file"), "{missing}");
}

#[test]
fn memory_is_what_the_segments_hold() {
    let memory = CoreFile {
        segments: vec![
            (START, PF_R | PF_W, vec![1; 8], 16),
            (START + 16, PF_R, vec![2; 16], 16),
            (START + 32, PF_R, vec![3; 16], 16),
        ],
        ..CoreFile::default()
    };
    let memory = memory.memory();
    assert_eq!(memory.read_bytes(START, 8), Ok(vec![1; 8]));
    assert_eq!(memory.read_bytes(START + 24, 16), Ok([[2; 8], [3; 8]].concat()), "over an edge");
    // What was not kept may have been anything.
    assert_eq!(memory.read_bytes(START + 4, 8), Err(Fault::unmapped(START + 4, 8)));
    assert!(memory.read::<u64>(START + 8).is_err());
    assert!(memory.read::<u64>(START + 44).is_err(), "beyond the last");
    assert!(memory.read::<u64>(START - 4).is_err());
    assert!(memory.read::<u64>(u64::MAX - 3).is_err());
    assert_eq!(memory.read_bytes(0, 0), Ok(Vec::new()));
}

#[test]
fn so_many_segments_that_a_section_counts_them_are_read_too() {
    let file = CoreFile {
        segments: vec![(START, PF_R, vec![1; 8], 8)],
        counts_in_section: true,
        ..CoreFile::default()
    };
    assert_eq!(file.memory().read_bytes(START, 8), Ok(vec![1; 8]));
}

#[test]
fn of_a_file_that_was_cut_off_there_is_the_beginning() {
    let file = CoreFile {
        segments: vec![(START, PF_R, vec![1; 8], 8), (START + PAGE, PF_R, vec![2; 100], PAGE)],
        mapped: vec![(START + PAGE, START + 2 * PAGE, 0, "/proc/self/exe".to_owned())],
        ..CoreFile::default()
    };
    let bytes = file.build();
    let core = open_bytes(&bytes[..bytes.len() - 60], None).expect("its notes are there");
    assert_eq!(core.missing(), 60);
    let memory = core.memory();
    assert_eq!(memory.read_bytes(START, 8), Ok(vec![1; 8]));
    assert_eq!(memory.read_bytes(START + PAGE, 40), Ok(vec![2; 40]));
    // The process may have changed it, so the file does not have it.
    assert!(memory.read_bytes(START + PAGE, 41).is_err());
}

/// A program whose first page the core file holds, as the kernel has it, and whose second and
/// third it leaves out.
fn with_program(path: &Path, image: &[u8]) -> CoreFile {
    let path = path.display().to_string();
    CoreFile {
        segments: vec![
            (START, PF_R, image[..PAGE as usize].to_vec(), 2 * PAGE),
            (START + 2 * PAGE, PF_R | PF_X, Vec::new(), PAGE),
            (START + 3 * PAGE, PF_R | PF_W, Vec::new(), PAGE),
        ],
        mapped: vec![
            (START, START + 2 * PAGE, 0, path.clone()),
            (START + 2 * PAGE, START + 3 * PAGE, 2, path.clone()),
            (START + 3 * PAGE, START + 4 * PAGE, 3, path.clone()),
            (START + 4 * PAGE, START + SIZE, 4, path),
        ],
        program_headers: START + 64,
        ..CoreFile::default()
    }
}

/// An image whose build id is in the first page, and that has bytes of its own at `DATA`.
fn image(byte: u8) -> Vec<u8> {
    let mut image = ElfFile::default().build();
    let id = image[0x1c00..0x1c20].to_vec();
    image[0x300..0x320].copy_from_slice(&id);
    // The third program header: offset and address of the notes.
    for field in [64 + 2 * 56 + 8, 64 + 2 * 56 + 16] {
        image[field..field + 8].copy_from_slice(&0x300_u64.to_le_bytes());
    }
    image[DATA as usize..DATA as usize + 8].fill(byte);
    image[2 * PAGE as usize + 8..2 * PAGE as usize + 16].fill(byte);
    image
}

#[test]
fn what_is_left_out_is_read_from_the_file() {
    let image = image(7);
    let disk = OnDisk::new(&image);
    let core = with_program(&disk.0, &image).open();
    assert_eq!(core.executable(), disk.0);
    let files = core.files().unwrap();
    assert_eq!(files.len(), 1);
    assert!(core.is_executable(&files[0]) && files[0].is_executable());
    assert!(core.open_mapped(&files[0]).is_some());
    let memory = core.memory();
    assert_eq!(memory.read_bytes(START + 2 * PAGE + 8, 8), Ok(vec![7; 8]));
    assert_eq!(
        memory.read_bytes(START + PAGE - 8, 16),
        Ok(image[PAGE as usize - 8..][..16].into())
    );
    // No segment tells of it: `gcore` leaves out what could not be written to.
    assert_eq!(memory.read_bytes(START + DATA, 8), Ok(vec![7; 8]));
    assert!(memory.read::<u64>(START + 3 * PAGE).is_err(), "it could be written to");
    assert!(memory.read::<u64>(START + SIZE).is_err());
    assert_eq!(core.unused_files(), [""; 0]);
}

#[test]
fn a_file_that_has_been_replaced_is_refused_with_its_name() {
    let mut other = image(7);
    other[0x310] ^= 1; // In the build id.
    let disk = OnDisk::new(&other);
    let core = with_program(&disk.0, &image(7)).open();
    assert!(core.memory().read::<u64>(START + DATA).is_err());
    assert!(core.open_mapped(&core.files().unwrap()[0]).is_none());
    let told = format!("\"{}\" is another file than", disk.0.display());
    assert!(core.unused_files()[0].starts_with(&told), "{:?}", core.unused_files());

    let gone = Path::new("/no/such/program");
    let core = with_program(gone, &image(7)).open();
    assert!(core.memory().read::<u64>(START + DATA).is_err());
    assert!(core.unused_files()[0].contains("is not there"), "{:?}", core.unused_files());
    // It is elsewhere by now.
    let disk = OnDisk::new(&image(7));
    let bytes = with_program(gone, &image(7)).build();
    let core = open_bytes(&bytes, Some(&disk.0)).expect("a core file");
    assert_eq!(core.memory().read_bytes(START + DATA, 8), Ok(vec![7; 8]));
    assert_eq!(core.executable(), gone);
}

#[test]
fn a_file_that_cannot_be_compared_is_refused() {
    let image = image(7);
    let disk = OnDisk::new(&image);
    let mut file = with_program(&disk.0, &image);
    file.segments[0].2.clear();
    let core = file.open();
    assert!(core.memory().read::<u64>(START + DATA).is_err());
    assert!(core.unused_files()[0].contains("what would prove that"));
}

#[test]
fn of_files_without_use_those_come_first_that_may_hold_an_interpreter() {
    let names = ["a.so", "LC_TIME", "libpython3.11.so.1.0", "python"];
    let at = |position: usize| START + position as u64 * PAGE;
    let part = |(position, name): (usize, &str)| {
        (at(position), at(position + 1), 0, format!("/no/such/{name}"))
    };
    let mapped = names.into_iter().enumerate().map(part).collect();
    let file = CoreFile { mapped, program_headers: at(3) + 64, ..CoreFile::default() };
    let core = file.open();
    for position in 0..names.len() {
        assert!(core.memory().read::<u64>(at(position)).is_err());
    }
    let told = core.unused_files();
    let named = told.iter().map(|words| words.split('"').nth(1).expect("a name"));
    let expected = ["python", "libpython3.11.so.1.0", "a.so"];
    assert!(named.eq(expected.map(|name| format!("/no/such/{name}"))), "{told:?}");
}

/// The last page of a mapping is filled up with zeros, and there is nothing beyond it.
#[test]
fn a_file_ends_with_zeros() {
    let mut image = image(7);
    image.truncate(SIZE as usize - 100);
    let disk = OnDisk::new(&image);
    let mut file = with_program(&disk.0, &image);
    file.mapped[3].1 += PAGE;
    let memory = file.memory();
    assert_eq!(memory.read_bytes(START + SIZE - 104, 8), Ok(vec![0; 8]));
    assert_eq!(memory.read_bytes(START + SIZE - 8, 8), Ok(vec![0; 8]));
    assert!(memory.read::<u64>(START + SIZE).is_err());
}
