//! Tests of the parser of `/proc/PID/maps`.

use super::*;

const TEXT: &str = "\
00400000-0041c000 r--p 00000000 08:01 1234                               /usr/bin/python3.11
0041c000-0056c000 r-xp 0001c000 08:01 1234                               /usr/bin/python3.11
0060c000-00670000 rw-p 0020b000 08:01 1234                               /usr/bin/python3.11
00670000-006a9000 rw-p 00000000 00:00 0 
01dc4000-01f8c000 rw-p 00000000 00:00 0                                  [heap]
7f0000000000-7f0000001000 r-xp 00000000 fd:1f 99                         /tmp/a b\\012c.so (deleted)
7ffd1000-7ffd2000 r-xp 00000000 00:00 0                                  [vdso]
";

fn parse(text: &str) -> Maps {
    Maps::parse(text.as_bytes().to_vec())
}

#[test]
fn every_field_is_read() {
    let maps = parse(TEXT);
    assert_eq!(maps.mappings.len(), 7);
    let code = &maps.mappings[1];
    assert_eq!(code.range, 0x41_c000..0x56_c000);
    assert_eq!(code.permissions, Permissions { read: true, write: false, execute: true });
    assert_eq!(code.offset, 0x1c000);
    assert_eq!(code.file, FileId { major: 8, minor: 1, inode: 1234 });
    assert_eq!(maps.raw_path(code), b"/usr/bin/python3.11");
    assert_eq!(maps.raw_path(&maps.mappings[3]), b"");
    assert_eq!(maps.raw_path(&maps.mappings[4]), b"[heap]");
}

#[test]
fn files_are_mappings_put_together() {
    let files = parse(TEXT).files();
    assert_eq!(files.len(), 2);
    assert_eq!(files[0].name(), b"python3.11");
    assert_eq!(files[0].segments.len(), 3);
    assert!(!files[0].deleted && files[0].is_executable());
    assert_eq!(files[1].path, Path::new("/tmp/a b\nc.so"));
    assert!(files[1].deleted);
}

#[test]
fn a_file_loaded_twice_is_two_instances() {
    let files = parse(
        "1000-2000 r--p 00000000 08:01 5 /lib/a\n2000-3000 r-xp 00001000 08:01 5 /lib/a\n\
         9000-a000 r--p 00000000 08:01 5 /lib/a\na000-b000 r-xp 00001000 08:01 5 /lib/a\n",
    )
    .files();
    assert_eq!(files.len(), 2);
    assert_eq!(files[1].segments[0].range, 0x9000..0xa000);
}

#[test]
fn another_file_in_a_gap_does_not_split_one() {
    let files = parse(
        "1000-2000 r--p 00000000 08:01 5 /lib/a\n2000-3000 r--s 00000000 08:01 6 /cache\n\
         3000-4000 rw-p 00001000 08:01 5 /lib/a\n",
    )
    .files();
    assert_eq!(files.len(), 2);
    assert_eq!(files[0].segments.len(), 2);
}

#[test]
fn garbage_lines_are_left_out() {
    let maps = parse(
        "\n\n-\nzz-yy r--p 0 0:0 0\n2000-1000 r--p 0 0:0 0 /backwards\n1000-2000 r--p\n\
         1000-2000 r--p 0 08:01 18446744073709551616 /inode\n1000-2000 rwx 0 0:0 0\n\
         1000-2000 r--p 0 08:01 7 /good\n1000-20",
    );
    assert_eq!(maps.mappings.len(), 1);
    assert_eq!(maps.raw_path(&maps.mappings[0]), b"/good");
}

proptest::proptest! {
    #[test]
    fn no_bytes_upset_the_parser(text in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        let maps = Maps::parse(text);
        for mapping in &maps.mappings {
            assert!(mapping.range.start < mapping.range.end);
            let _ = maps.raw_path(mapping);
        }
        let _ = maps.files();
    }

    #[test]
    fn damaged_lines_do_not_upset_it(at in 0..TEXT.len(), byte in proptest::num::u8::ANY) {
        let mut text = TEXT.as_bytes().to_vec();
        text[at] = byte;
        let _ = Maps::parse(text).files();
    }
}
