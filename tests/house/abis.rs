//! The lists of ABIs that stand beside the one in `src/cpython/abi/mod.rs`: each has all of
//! them, and no others.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pyflame::cpython::abi::{AbiFlags, AbiTag, SUPPORTED};

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
    let (lacking, other) = (&expected - &found, &found - &expected);
    assert!(
        found == expected,
        "{list}: lacks {lacking:?}, has {other:?} that are not in the table of src/cpython/abi/mod.rs"
    );
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
}

/// Files are copied from the version before: each must be about its own.
#[test]
fn files_are_of_their_own_version() {
    let manifest = text("Cargo.toml");
    for tag in SUPPORTED {
        let abi = tag.abi();
        let program =
            format!("\"bins/pyflame{abi}.rs\"\ntest = false\nrequired-features = [\"py{abi}\"]");
        assert!(manifest.contains(&program), "Cargo.toml does not say path = {program}");
        let module = tag.to_string().replace('.', "_");
        let (file, program) =
            (format!("src/cpython/abi/python{abi}.rs"), format!("bins/pyflame{abi}.rs"));
        for (file, own) in [
            (&file, format!("super::layout::v{module} as layout;")),
            (&file, format!("AbiTag::new({}, {})", tag.major, tag.minor)),
            (&file, format!("impl Abi for Python{abi} {{")),
            (&program, format!("abi::Python{abi}>()")),
        ] {
            assert!(text(file).contains(&own), "{file} does not say {own}");
        }
    }
}

/// Headers are copied from the version before: each must name the release that it was held
/// against.
#[test]
fn headers_name_their_own_version() {
    for tag in SUPPORTED.iter().filter(|tag| tag.flags == AbiFlags::default()) {
        let folder = format!("headers/cpython-{tag}");
        for entry in fs::read_dir(path(&folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                continue;
            }
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let header = fs::read_to_string(&path).expect("a header");
            let own = match name.as_str() {
                "layout.h" => format!("All layouts of CPython {tag}."),
                _ => format!(", v{tag}."),
            };
            assert!(header.contains(&own), "{folder}/{name} does not say \"{own}\"");
        }
    }
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
    let interpreters = text("tests/support/interpreters.rs");
    let tested = between(&interpreters, "\", \"", "\", Kind::Normal");
    expect("tests/support/interpreters.rs", tested, |tag| tag.to_string());
}

/// What is said of the newest version: in which file, before its name, and after it.
const SAID: [(&str, &str, &str); 10] = [
    ("ARCHITECTURE.md", "pyflame27.rs … pyflame", ".rs"),
    ("CHANGELOG.md", "`pyflame2.7` to `pyflame", "`"),
    ("Makefile", "fetch CPython 2.7 to ", " for the tests"),
    ("README.md", "`pyflame2.7` to `pyflame", "`"),
    ("README.md", "Any of 2.7 and 3.4 to ", " can be profiled"),
    ("README.md", "`27`, `34`, … `", "`"),
    ("README.md", "fetches CPython 2.7 to ", " once"),
    ("packaging/man/launcher.man", "Python 2.7 and 3.4 to ", " can be profiled"),
    ("src/app/cli/definition.rs", "27, 34, 35, ... ", "\""),
    ("tests/interpreters/fetch", "CPython interpreters, 2.7 to ", ","),
];

/// What runs on some versions only: the newest is one of them.
const ON_SOME: [&str; 3] =
    ["tests/live/formats.rs", "tests/measure/kernel/mod.rs", "tests/measure/shares.rs"];

#[test]
fn the_newest_is_spoken_of() {
    let plain = SUPPORTED.iter().rfind(|tag| tag.flags == AbiFlags::default()).expect("one");
    let mut missing = Vec::new();
    for (file, before, after) in SAID {
        let newest = between(&text(file), before, after);
        if !newest.first().is_some_and(|name| [plain.to_string(), plain.abi()].contains(name)) {
            missing.push(format!("{file} says \"{before}{}{after}\"", newest.join(" ")));
        }
    }
    for file in ON_SOME {
        if !text(file).contains(&format!("\"{plain}\"")) {
            missing.push(format!("{file} leaves it out"));
        }
    }
    assert!(missing.is_empty(), "the newest is {plain}; but\n{}", missing.join("\n"));
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
