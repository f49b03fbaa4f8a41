//! docs/FAULTS.md names a test for each fault: each of them exists.

use std::fs;
use std::path::{Path, PathBuf};

/// The sources of a test program.
fn sources(program: &str) -> Vec<PathBuf> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let file = tests.join(format!("{program}.rs"));
    if file.is_file() {
        return vec![file];
    }
    let entries = fs::read_dir(tests.join(program)).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// Whether a test program has a test of this title.
fn has_test(program: &str, title: &str) -> bool {
    let quoted = format!("\"{title}\"");
    let text = |file: &PathBuf| fs::read_to_string(file).unwrap_or_default();
    sources(program).iter().any(|file| text(file).contains(&quoted))
}

/// The program and the title that the last column of a row names.
fn named(row: &str) -> Option<(&str, &str)> {
    let cell = row.strip_prefix('|')?.strip_suffix('|')?.rsplit_once('|')?.1.trim();
    let (program, title) = cell.strip_prefix('`')?.split_once("`: ")?;
    Some((program, title))
}

#[test]
fn each_fault_has_a_test_that_exists() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/FAULTS.md");
    let text = fs::read_to_string(file).expect("docs/FAULTS.md");
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.ends_with("| test |"));
    let (mut count, mut missing) = (0, Vec::new());
    for row in rows {
        count += 1;
        match named(row) {
            Some((program, title)) if has_test(program, title) => {}
            _ => missing.push(row),
        }
    }
    assert!(missing.is_empty(), "no such test:\n{}", missing.join("\n"));
    assert!(count > 30, "{count} rows were found");
}

#[test]
fn a_row_names_its_test() {
    assert_eq!(named("| a | b | `live_code`: x |"), Some(("live_code", "x")));
    assert_eq!(named("| a | b | none |"), None);
    assert!(!has_test("live_code", "what nobody tests") && !has_test("live_nothing", "replaced"));
}
