//! Where CPython's own development headers are on this machine.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The development headers of one CPython.
#[derive(Debug)]
pub(crate) struct Headers {
    /// The folder that `Python.h` is in.
    pub folder: PathBuf,
    /// Where `pyconfig.h` may be instead.
    pub others: Vec<PathBuf>,
    /// "3.14", or "3.14t" if its build has a layout of its own.
    pub version: String,
    /// The patch level: the 2 of 3.14.2.
    pub micro: u32,
    /// The interpreters they belong to.
    pub labels: Vec<String>,
}

/// The letters of the ABI of a build, by its `pyconfig.h`.
fn letters(version: &str, pyconfig: &str) -> &'static str {
    let defines = |name: &str| pyconfig.contains(&format!("#define {name} 1"));
    // Up to 3.7 a pydebug build traces references, too.
    let debug_traces = ["2.7", "3.4", "3.5", "3.6", "3.7"].contains(&version);
    match () {
        () if defines("Py_GIL_DISABLED") => "t",
        () if defines("Py_TRACE_REFS") || debug_traces && defines("Py_DEBUG") => "d",
        () => "",
    }
}

/// The headers of all interpreters in the list, each folder once.
pub(crate) fn all() -> Vec<Headers> {
    let mut found: BTreeMap<PathBuf, Headers> = BTreeMap::new();
    for (label, executable) in interpreters() {
        let Some(prefix) = executable.parent().and_then(Path::parent) else { continue };
        for headers in below(&prefix.join("include")) {
            let is_letter = |c: char| c.is_ascii_lowercase();
            if label.split('-').next() != Some(headers.version.trim_end_matches(is_letter)) {
                continue;
            }
            found.entry(headers.folder.clone()).or_insert(headers).labels.push(label.clone());
        }
    }
    found.into_values().collect()
}

/// Label and executable of every interpreter in `interpreters.tsv`.
fn interpreters() -> Vec<(String, PathBuf)> {
    let list = cache().join("interpreters.tsv");
    let text = fs::read_to_string(&list).unwrap_or_else(|error| {
        panic!("{}: {error}; make the list with tests/interpreters/fetch", list.display())
    });
    text.lines()
        .filter_map(|line| {
            let mut columns = line.split('\t');
            Some((columns.next()?.to_owned(), PathBuf::from(columns.next()?)))
        })
        .collect()
}

/// Where `make interpreters` keeps them.
pub(crate) fn cache() -> PathBuf {
    if let Some(folder) = env::var_os("PYFLAME_INTERPRETERS") {
        return PathBuf::from(folder);
    }
    let base = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).unwrap_or_else(|| {
        PathBuf::from(env::var_os("HOME").expect("HOME is not set")).join(".cache")
    });
    base.join("pyflame/interpreters")
}

/// The headers in `include/pythonX.Y` and its like.
fn below(include: &Path) -> Vec<Headers> {
    let Ok(entries) = fs::read_dir(include) else { return Vec::new() };
    let mut found = Vec::new();
    for folder in entries.flatten().map(|entry| entry.path()) {
        let Ok(patchlevel) = fs::read_to_string(folder.join("patchlevel.h")) else { continue };
        let number = |name: &str| -> Option<u32> {
            let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            let line =
                patchlevel.lines().map(words).find(|w| w.get(1).is_some_and(|w| w == name))?;
            line.get(2)?.parse().ok()
        };
        let (Some(major), Some(minor), Some(micro)) =
            (number("PY_MAJOR_VERSION"), number("PY_MINOR_VERSION"), number("PY_MICRO_VERSION"))
        else {
            continue;
        };
        let name = folder.file_name().unwrap_or_default().to_owned();
        let triplet = format!("{}-linux-gnu", env::consts::ARCH);
        let others = vec![include.join(triplet).join(name), include.to_owned()];
        let pyconfig = [&folder, &others[0]]
            .map(|place| fs::read_to_string(place.join("pyconfig.h")).unwrap_or_default())
            .concat();
        let version = format!("{major}.{minor}");
        let version = format!("{version}{}", letters(&version, &pyconfig));
        found.push(Headers { folder, others, version, micro, labels: Vec::new() });
    }
    found
}
