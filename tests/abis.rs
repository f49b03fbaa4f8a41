//! The lists of ABIs that stand beside the one in `src/cpython/abi/mod.rs`: each has all of
//! them, and no others.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pyflame::cpython::abi::{AbiTag, SUPPORTED};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Fails unless `found` in a list is what the table makes of each ABI.
fn expect(list: &str, found: impl IntoIterator<Item = String>, of: impl Fn(AbiTag) -> String) {
    let found: BTreeSet<String> = found.into_iter().collect();
    let expected: BTreeSet<String> = SUPPORTED.iter().copied().map(of).collect();
    assert_eq!(found, expected, "{list}, and the table of src/cpython/abi/mod.rs");
}

/// What follows `before` in each line that has it, up to `after`.
fn between(text: &str, before: &str, after: &str) -> Vec<String> {
    let part = |line: &str| {
        let (_, rest) = line.split_once(before)?;
        rest.split_once(after).map(|(part, _)| part.to_owned())
    };
    text.lines().filter_map(part).collect()
}

/// The names in a folder that begin with `before`, without that and their endings.
fn names(folder: &str, before: &str) -> Vec<String> {
    let entries = fs::read_dir(path(folder)).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").path());
    let names = names.map(|path| path.file_name().expect("a name").to_string_lossy().into_owned());
    let names = names.map(|name| name.trim_end_matches(".rs").to_owned());
    names.filter_map(|name| name.strip_prefix(before).map(str::to_owned)).collect()
}

/// The words of a list of numbers and words.
fn words(list: &str) -> impl Iterator<Item = String> {
    list.split(|c: char| c.is_whitespace() || c == ',' || c == '"')
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
}

#[test]
fn cargo_has_a_feature_and_a_program_for_each() {
    let manifest = text("Cargo.toml");
    let features = manifest.lines().filter(|line| line.starts_with("py") && line.contains(" = ["));
    let features =
        features.filter_map(|line| line.split_once(' ').map(|(name, _)| name.to_owned()));
    expect("features of Cargo.toml", features, |tag| format!("py{}", tag.abi()));
    let programs = between(&manifest, "path = \"bins/pyflame", ".rs\"");
    let programs = programs.into_iter().filter(|name| !name.is_empty());
    expect("programs of Cargo.toml", programs, AbiTag::abi);
    let default = between(&manifest.replace('\n', " "), "default = [", "]").remove(0);
    let default = words(&default).filter(|word| word.starts_with("py")).collect::<Vec<_>>();
    expect("default features of Cargo.toml", default, |tag| format!("py{}", tag.abi()));
}

#[test]
fn each_has_its_files() {
    let programs = names("bins", "pyflame").into_iter().filter(|name| !name.is_empty());
    expect("bins/", programs, AbiTag::abi);
    expect("headers/", names("headers", "cpython-"), |tag| tag.to_string());
    expect("src/cpython/abi/", names("src/cpython/abi", "python"), AbiTag::abi);
    let build = text("build.rs").replace('\n', " ");
    let list = between(&build, "VERSIONS: ", "];").remove(0);
    let (_, list) = list.split_once("= [").or(list.split_once("= &[")).expect("a list");
    expect("build.rs", words(list), |tag| tag.to_string());
}

#[test]
fn each_is_packaged() {
    let control = text("packaging/debian/control");
    let packages = control.lines().filter_map(|line| line.strip_prefix("Package: pyflame"));
    let packages = packages.filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    expect("packaging/debian/control", packages.map(str::to_owned), |tag| tag.to_string());
    let spec = text("packaging/rpm/pyflame.spec");
    let list = between(&spec, "global abis ", "}").remove(0);
    expect("packaging/rpm/pyflame.spec", words(&list), |tag| tag.to_string());
}

#[test]
fn each_is_tested() {
    let binaries = between(&text("tests/support/binaries.rs"), "    (\"", "\", enabled(");
    expect("tests/support/binaries.rs", binaries, |tag| tag.to_string());
    let interpreters = text("tests/support/interpreters.rs");
    let tested = between(&interpreters, "\", \"", "\", Kind::Normal");
    expect("tests/support/interpreters.rs", tested, |tag| tag.to_string());
}

/// What differs between versions is a field of a layout, not a question for the version.
#[test]
fn no_code_outside_of_the_table_asks_for_a_version() {
    let mut folders = vec![path("src")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                let is_table = path.ends_with("cpython/abi");
                folders.extend((!is_table).then_some(path));
            } else {
                let source = fs::read_to_string(&path).unwrap_or_default();
                files += 1;
                for question in ["TAG.major", "TAG.minor", "TAG <", "TAG >"] {
                    assert!(!source.contains(question), "{}: {question}", path.display());
                }
            }
        }
    }
    assert!(files > 200, "{files} files were read");
}
