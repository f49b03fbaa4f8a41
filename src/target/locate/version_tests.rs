//! Tests of how a release is recognised and doubted.

use std::sync::Arc;

use super::*;
use crate::cpython::memory::fake::FakeMemory;
use crate::target::elf::fixture::{DATA, ElfFile};
use crate::target::locate::module::Module;

fn release(major: u8, minor: u8, micro: u8) -> Release {
    let text = format!("{major}.{minor}.{micro}\0");
    Release::from_text(text.as_bytes()).unwrap()
}

fn conflict_with(release: Release, exported: &[&str]) -> Option<String> {
    conflict_among(release, |name| exported.contains(&name))
}

#[test]
fn the_symbols_of_each_version_fit_it() {
    let old = ["_PyThreadState_Current", "PyString_Type"];
    assert_eq!(conflict_with(release(2, 7, 18), &old), None);
    assert_eq!(conflict_with(release(3, 5, 10), &["_PyThreadState_Current"]), None);
    let with_extra = ["_PyThreadState_Current", "_PyCode_GetExtra"];
    assert_eq!(conflict_with(release(3, 6, 15), &with_extra), None);
    assert_eq!(conflict_with(release(3, 7, 0), &["_PyRuntime", "_PyCode_GetExtra"]), None);
    assert_eq!(conflict_with(release(3, 10, 13), &["_PyRuntime"]), None);
    assert_eq!(conflict_with(release(3, 11, 0), &["_PyRuntime", "Py_Version"]), None);
    let latest =
        ["_PyRuntime", "Py_Version", "PyUnstable_Code_GetExtra", "PyThreadState_GetUnchecked"];
    assert_eq!(conflict_with(release(3, 13, 0), &latest), None);
    assert_eq!(conflict_with(release(3, 15, 1), &latest), None);
}

#[test]
fn symbols_that_a_version_has_not_contradict_it() {
    for (found, exported, named) in [
        (release(3, 6, 0), &["PyString_Type", "_PyThreadState_Current"][..], "PyString_Type"),
        (release(3, 7, 0), &["_PyRuntime", "_PyThreadState_Current"], "_PyThreadState_Current"),
        (release(3, 6, 0), &["_PyRuntime", "_PyThreadState_Current"], "_PyRuntime"),
        (release(3, 5, 2), &["_PyThreadState_Current", "_PyCode_GetExtra"], "_PyCode_GetExtra"),
        (release(3, 10, 2), &["_PyRuntime", "Py_Version"], "Py_Version"),
        (
            release(3, 11, 2),
            &["_PyRuntime", "Py_Version", "PyUnstable_Code_GetExtra"],
            "PyUnstable",
        ),
        (release(2, 7, 18), &["_PyThreadState_Current"], "PyString_Type"),
        (release(3, 6, 1), &[], "_PyThreadState_Current"),
        (release(3, 8, 1), &[], "_PyRuntime"),
        (release(3, 12, 1), &["_PyRuntime"], "Py_Version"),
    ] {
        let conflict = conflict_with(found, exported).unwrap();
        assert!(conflict.contains(named), "{found}: {conflict}");
    }
}

/// A scope of one module that exports `names`, with texts in its data.
fn scope(names: &[&'static str], texts: &[&[u8]]) -> (Scope, FakeMemory) {
    let mut exported: Vec<_> =
        (0x6000..).step_by(16).zip(names).map(|(at, name)| (*name, at, 8)).collect();
    exported.push(("Py_GetVersion", DATA, 64));
    let mut data = Vec::new();
    let mut code = Vec::new();
    for (index, text) in (0_u64..).zip(texts) {
        let place = DATA + 0x100 + index * 0x40;
        data.push((place, [b"\0", *text, b"\0"].concat()));
        // lea rdx,[rip+d]
        let after = DATA + code.len() as u64 + 7;
        code.extend([0x48, 0x8d, 0x15]);
        code.extend(((place + 1 - after) as u32).to_le_bytes());
    }
    data.push((DATA, code));
    let file = ElfFile { exported, data, ..ElfFile::default() };
    let mut memory = FakeMemory::new();
    memory.write(0, &file.build());
    (Scope::new(Arc::new(Module::of_bytes(file.build(), 0)), None, false), memory)
}

#[test]
fn the_function_leads_to_the_text() {
    let texts: [&[u8]; 3] = [b"%.80s (%.80s) %.80s", b"3.6.15", b"[GCC 10.2.1]"];
    let (scope, memory) = scope(&["_PyThreadState_Current"], &texts);
    assert_eq!(identify(&scope, &memory).unwrap(), release(3, 6, 15));
}

#[test]
fn two_texts_that_agree_are_one() {
    let texts: [&[u8]; 2] = [b"3.6.15", b"3.6.15 (default, Oct 2022)"];
    let (scope, memory) = scope(&["_PyThreadState_Current"], &texts);
    assert_eq!(identify(&scope, &memory).unwrap(), release(3, 6, 15));
}

#[test]
fn a_text_that_the_symbols_exclude_is_a_contradiction() {
    let (scope, memory) = scope(&["_PyRuntime"], &[b"3.6.15"]);
    let doubt = identify(&scope, &memory).unwrap_err();
    assert!(matches!(doubt, Doubt::Contradiction(found, _) if found == release(3, 6, 15)));
}

#[test]
fn the_constants_are_searched_where_the_code_does_not_tell() {
    // Two texts of which the function could mean either; one is SQLite's.
    let (scope, memory) = scope(&["_PyThreadState_Current"], &[b"3.40.1", b"3.6.15"]);
    assert_eq!(identify(&scope, &memory).unwrap(), release(3, 6, 15));
}

#[test]
fn an_ambiguous_or_missing_version_is_unknown() {
    let (two, memory) = scope(&["_PyRuntime"], &[b"3.8.1", b"3.9.2"]);
    assert!(matches!(identify(&two, &memory), Err(Doubt::Unknown)));
    let (none, memory) = scope(&["_PyRuntime"], &[b"hello"]);
    assert!(matches!(identify(&none, &memory), Err(Doubt::Unknown)));
}
