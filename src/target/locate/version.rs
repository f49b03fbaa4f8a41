//! Which release of CPython a module holds.
//!
//! One source names the release, the exported symbols must not contradict it.

use super::release::Release;
use super::scope::Scope;
use crate::cpython::memory::Memory;
use crate::target::disasm::Arch;

/// Why a release is not believed.
#[derive(Debug)]
pub(super) enum Doubt {
    /// Nothing names it.
    Unknown,
    /// Something excludes it.
    Contradiction(Release, String),
}

/// Finds the release and holds it against the symbols.
pub(super) fn identify<M: Memory>(scope: &Scope, memory: &M) -> Result<Release, Doubt> {
    let found = from_number(scope, memory)
        .or_else(|| from_function(scope, memory))
        .or_else(|| from_constants(scope, memory))
        .ok_or(Doubt::Unknown)?;
    match conflict(found, scope) {
        Some(conflict) => Err(Doubt::Contradiction(found, conflict)),
        None => Ok(found),
    }
}

/// `Py_Version`, a constant that 3.11 and later export (Include/pylifecycle.h,
/// v3.11.0).
fn from_number<M: Memory>(scope: &Scope, memory: &M) -> Option<Release> {
    Release::from_hex(memory.read(scope.address("Py_Version")?).ok()?)
}

/// The text that `Py_GetVersion` returns begins with the version, and so does
/// the constant that it makes the text of (Python/getversion.c, v2.7.18 to v3.10.0).
fn from_function<M: Memory>(scope: &Scope, memory: &M) -> Option<Release> {
    const LONGEST: u64 = 512;
    const UNKNOWN_SIZE: u64 = 256;
    let function = scope.symbol("Py_GetVersion")?;
    let size = if function.size == 0 { UNKNOWN_SIZE } else { function.size.min(LONGEST) };
    let code = memory.read_bytes(function.address, size as usize).ok()?;
    let arch = Arch::of_machine(scope.module().image().machine())?;
    let texts = arch.referenced_addresses(&code, function.address);
    only_one(texts.into_iter().filter_map(|address| release_at(memory, address)))
}

/// A release as text at an address of the process, if there is one.
fn release_at<M: Memory>(memory: &M, address: u64) -> Option<Release> {
    let mut text = [0; 16];
    memory.read_into(address, &mut text).ok()?;
    Release::from_text(&text)
}

/// Looks for a constant that is a version and nothing else in the data of the
/// module. Other libraries have such constants too (SQLite, zlib), so it must
/// be the only one that the symbols allow.
fn from_constants<M: Memory>(scope: &Scope, memory: &M) -> Option<Release> {
    /// Old linkers put constants and code into one segment, of two.
    const WITH_CODE: usize = 2;
    const LONGEST: u64 = 64 << 20;
    let module = scope.module();
    let parts = module.image().segments();
    let mut found = Vec::new();
    for part in parts.iter().filter(|part| !part.executable || parts.len() <= WITH_CODE) {
        let address = part.address.wrapping_add(module.bias());
        for piece in 0..part.file_size.min(LONGEST).div_ceil(PIECE) {
            let start = piece * PIECE;
            // A text may begin in one piece and end in the next.
            let length = (part.file_size - start).min(PIECE + OVERLAP);
            let bytes = memory.read_bytes(address.wrapping_add(start), length as usize);
            found.extend(constants(&bytes.unwrap_or_default()));
        }
    }
    only_one(found.into_iter().filter(|release| conflict(*release, scope).is_none()))
}

const PIECE: u64 = 1 << 20;
const OVERLAP: u64 = 32;

/// The versions among bytes that have a NUL on both sides.
fn constants(bytes: &[u8]) -> impl Iterator<Item = Release> {
    bytes.windows(2).enumerate().filter_map(|(before, pair)| {
        let text = matches!(pair, [0, b'2' | b'3']).then(|| bytes.get(before + 1..)).flatten()?;
        let end = text.iter().take(OVERLAP as usize).position(|byte| *byte == 0)?;
        let text = text.get(..=end)?;
        if text.contains(&b' ') { None } else { Release::from_text(text) }
    })
}

/// Every release that is read of bytes: where a text begins, among constants, as a number.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn releases(bytes: &[u8]) -> Vec<Release> {
    let number = bytes.first_chunk().map(|number| u64::from_ne_bytes(*number));
    let all = Release::from_text(bytes).into_iter().chain(constants(bytes));
    all.chain(number.and_then(Release::from_hex)).collect()
}

fn only_one(mut releases: impl Iterator<Item = Release>) -> Option<Release> {
    let first = releases.next()?;
    releases.all(|release| release == first).then_some(first)
}

/// A symbol that only some versions export: from, and before.
type Witness = (&'static str, (u8, u8), (u8, u8));

const FIRST: (u8, u8) = (0, 0);
const LAST: (u8, u8) = (u8::MAX, u8::MAX);

/// Where each is declared: `PyString_Type` Include/stringobject.h (v2.7.18);
/// `_PyThreadState_Current` Include/pystate.h (v2.7.18, v3.6.15); `_PyRuntime`
/// Include/internal/pystate.h (v3.7.0); `_PyCode_GetExtra` Include/code.h
/// (v3.6.0 to v3.11.0); `Py_Version` Include/pylifecycle.h (v3.11.0);
/// `PyUnstable_Code_GetExtra` Include/cpython/code.h (v3.12.0);
/// `PyThreadState_GetUnchecked` Include/cpython/pystate.h (v3.13.0).
const WITNESSES: [Witness; 7] = [
    ("PyString_Type", FIRST, (3, 0)),
    ("_PyThreadState_Current", FIRST, (3, 7)),
    ("_PyRuntime", (3, 7), LAST),
    ("_PyCode_GetExtra", (3, 6), (3, 12)),
    ("Py_Version", (3, 11), LAST),
    ("PyUnstable_Code_GetExtra", (3, 12), LAST),
    ("PyThreadState_GetUnchecked", (3, 13), LAST),
];

/// Symbols that a version must export.
const REQUIRED: [Witness; 4] = [
    ("PyString_Type", (2, 0), (3, 0)),
    ("_PyThreadState_Current", (2, 0), (3, 7)),
    ("_PyRuntime", (3, 7), LAST),
    ("Py_Version", (3, 11), LAST),
];

/// What in the symbols excludes a release, in words.
fn conflict(release: Release, scope: &Scope) -> Option<String> {
    conflict_among(release, |name| scope.address(name).is_some())
}

fn conflict_among(release: Release, is_exported: impl Fn(&str) -> bool) -> Option<String> {
    let version = (release.major, release.minor);
    let fits = |from, before| version >= from && version < before;
    for (name, from, before) in WITNESSES {
        if !fits(from, before) && is_exported(name) {
            return Some(format!("it has the symbol {name}, which that version has not"));
        }
    }
    for (name, from, before) in REQUIRED {
        if fits(from, before) && !is_exported(name) {
            return Some(format!("it lacks the symbol {name}, which that version has"));
        }
    }
    None
}

#[cfg(test)]
#[path = "version_tests.rs"]
mod tests;
