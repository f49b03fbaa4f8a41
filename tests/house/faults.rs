//! docs/FAULTS.md names a test for each fault: each of them exists.

use std::fs;
use std::path::{Path, PathBuf};

/// The sources of a module of the live tests.
fn sources(module: &str) -> Vec<PathBuf> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live");
    let file = tests.join(format!("{module}.rs"));
    if file.is_file() {
        return vec![file];
    }
    let entries = fs::read_dir(tests.join(module)).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// Whether a module has a test of this title.
fn has_test(module: &str, title: &str) -> bool {
    let quoted = format!("\"{title}\"");
    let text = |file: &PathBuf| fs::read_to_string(file).unwrap_or_default();
    sources(module).iter().any(|file| text(file).contains(&quoted))
}

/// The module and the title that the last column of a row names.
fn named(row: &str) -> Option<(&str, &str)> {
    let cell = row.strip_prefix('|')?.strip_suffix('|')?.rsplit_once('|')?.1.trim();
    let (module, title) = cell.strip_prefix('`')?.split_once("`: ")?;
    Some((module, title))
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
            Some((module, title)) if has_test(module, title) => {}
            _ => missing.push(row),
        }
    }
    assert!(missing.is_empty(), "no such test:\n{}", missing.join("\n"));
    assert!(count > 30, "{count} rows were found");
}

#[test]
fn a_row_names_its_test() {
    assert_eq!(named("| a | b | `code`: x |"), Some(("code", "x")));
    assert_eq!(named("| a | b | none |"), None);
    assert!(!has_test("code", "what nobody tests") && !has_test("nothing", "replaced"));
}
