//! The list of interpreters: which are expected, and which are on this machine.
//!
//! `make interpreters` leaves `interpreters.tsv`, one line for each that it could
//! assemble. `EXPECTED` is what it yields on a machine where all goes well.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::binaries::is_built;
use super::missing::{Excuses, Missing};
use super::{Context, Outcome};

/// What the tests have to know about an interpreter beyond its ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Everything is tested.
    Normal,
    /// A debug build that shares its C modules with the release build and
    /// crashes in some of them: no ctypes, no asyncio, no `_interpreters`.
    FewModules,
}

/// Label, ABI and kind of every interpreter that `make interpreters` can yield.
const EXPECTED: &[(&str, &str, Kind)] = &[
    ("2.7-pyenv", "2.7", Kind::Normal),
    ("3.6-pyenv", "3.6", Kind::Normal),
    ("3.7-pyenv", "3.7", Kind::Normal),
    ("3.8-pyenv", "3.8", Kind::Normal),
    ("3.9-pyenv", "3.9", Kind::Normal),
    ("3.10-pyenv", "3.10", Kind::Normal),
    ("3.11-pyenv", "3.11", Kind::Normal),
    ("3.12-pyenv", "3.12", Kind::Normal),
    ("3.13-pyenv", "3.13", Kind::Normal),
    ("2.7-static", "2.7", Kind::Normal),
    ("3.4-static", "3.4", Kind::Normal),
    ("3.5-static", "3.5", Kind::Normal),
    ("3.6-static", "3.6", Kind::Normal),
    ("3.7-static", "3.7", Kind::Normal),
    ("3.8-static", "3.8", Kind::Normal),
    ("3.9-static", "3.9", Kind::Normal),
    ("3.10-static", "3.10", Kind::Normal),
    ("3.11-static", "3.11", Kind::Normal),
    ("3.12-static", "3.12", Kind::Normal),
    ("3.13-static", "3.13", Kind::Normal),
    ("3.13t-static", "3.13t", Kind::Normal),
    ("3.14-static", "3.14", Kind::Normal),
    ("3.14t-static", "3.14t", Kind::Normal),
    ("3.15-static", "3.15", Kind::Normal),
    ("3.15t-static", "3.15t", Kind::Normal),
    ("3.11-system", "3.11", Kind::Normal),
    ("2.7-bullseye", "2.7", Kind::Normal),
    ("2.7-bullseye-dbg", "2.7d", Kind::Normal),
    ("3.9-bullseye", "3.9", Kind::Normal),
    ("3.9-bullseye-dbg", "3.9", Kind::Normal),
    ("3.11-bookworm-dbg", "3.11", Kind::Normal),
    ("3.11-bookworm-pie", "3.11", Kind::Normal),
    ("3.13-trixie", "3.13", Kind::Normal),
    ("3.13-trixie-dbg", "3.13", Kind::FewModules),
    ("3.14-sid", "3.14", Kind::Normal),
    ("3.14-sid-dbg", "3.14", Kind::FewModules),
    ("3.14-sid-shared", "3.14", Kind::Normal),
    ("3.15-sid", "3.15", Kind::Normal),
    ("3.15-sid-dbg", "3.15", Kind::FewModules),
    ("3.15-sid-shared", "3.15", Kind::Normal),
];

/// How it was built: by that differ the ways to its symbols, and its speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    /// Python is in a `libpython*.so`.
    Shared,
    /// Python is in the executable.
    Static,
    /// The same, `--with-pydebug`.
    Debug,
}

/// What stands for its ABI though it is not the first of the list, so that each behaviour is
/// tested on every way to build: whatever is tested on some ABIs only has to have one of each.
/// All four have a command line of their own, with a prompt; those out of wheels have none.
const STANDING: [&str; 4] =
    ["2.7-bullseye", "3.9-bullseye-dbg", "3.11-bookworm-dbg", "3.15-sid-shared"];

/// One interpreter of this machine.
#[derive(Clone, Debug)]
pub(crate) struct Interpreter {
    /// Version and origin, as in `3.6-pyenv`.
    pub label: &'static str,
    /// Its ABI, as in `3.6`.
    pub abi: &'static str,
    /// What to expect of it.
    pub kind: Kind,
    /// The file to execute.
    pub executable: PathBuf,
    /// Whether Python is in a `libpython*.so` rather than in the executable.
    pub shared: bool,
    /// The full version, as in `3.6.15`.
    pub version: String,
}

impl Interpreter {
    /// The full version, with the letters of the ABI: `3.14.2t`.
    pub(crate) fn full_version(&self) -> String {
        let letters = self.abi.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        format!("{}{letters}", self.version)
    }

    /// How it was built.
    pub(crate) fn build(&self) -> Build {
        match (self.label.ends_with("-dbg"), self.shared) {
            (true, _) => Build::Debug,
            (false, true) => Build::Shared,
            (false, false) => Build::Static,
        }
    }
}

/// The interpreters of this machine, and those that are missing.
#[derive(Clone)]
pub(crate) struct Interpreters {
    /// In the order of the list.
    pub here: Vec<Interpreter>,
    /// Those that are expected and not here, or do not work.
    pub missing: Vec<Missing>,
    /// Labels that `EXPECTED` does not know.
    pub unknown: Vec<String>,
}

impl Interpreters {
    /// Reads the list. Without one there is nothing to test, which is an error.
    pub(crate) fn load() -> Outcome<Self> {
        let folder = folder()?;
        let excuses = Excuses::load(&folder);
        let list = folder.join("interpreters.tsv");
        let text = std::fs::read_to_string(&list).context(|| {
            format!("no list of interpreters at {}: run `make interpreters`", list.display())
        })?;
        let mut found = Interpreters { here: Vec::new(), missing: Vec::new(), unknown: Vec::new() };
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
        for (label, abi, kind) in EXPECTED.iter().copied() {
            match rows.iter().find(|row| row.first() == Some(&label)) {
                Some(row) => match interpreter(label, abi, kind, row) {
                    Ok(interpreter) => found.here.push(interpreter),
                    Err(why) => found.missing.push(excuses.missing(label, abi, Some(why))),
                },
                None => found.missing.push(excuses.missing(label, abi, None)),
            }
        }
        let expected = |label: &str| EXPECTED.iter().any(|(known, ..)| *known == label);
        let labels = rows.iter().filter_map(|row| row.first());
        found.unknown.extend(labels.filter(|label| !expected(label)).map(|&l| l.to_owned()));
        Ok(found)
    }

    /// One for each ABI, which has all modules: that of `STANDING`, or the first of the list.
    pub(crate) fn one_per_abi(&self) -> Vec<&Interpreter> {
        let mut chosen: Vec<&Interpreter> = Vec::new();
        for interpreter in self.here.iter().filter(|i| i.kind == Kind::Normal) {
            match chosen.iter_mut().find(|c| c.abi == interpreter.abi) {
                Some(first) if STANDING.contains(&interpreter.label) => *first = interpreter,
                Some(_) => {}
                None => chosen.push(interpreter),
            }
        }
        chosen
    }

    /// [`three`] of the ABIs of Python 3 for which there is a profiler.
    pub(crate) fn three_of_python_3(&self) -> Vec<&Interpreter> {
        let mut all = self.one_per_abi();
        all.retain(|interpreter| is_built(interpreter.abi) && !interpreter.abi.starts_with("2."));
        three(&all)
    }
}

/// Three of these, in their order: an old one, one between and a new one, of a build each where
/// there are such; fewer if there are no three.
pub(crate) fn three<'a>(of: &[&'a Interpreter]) -> Vec<&'a Interpreter> {
    let (middle, last) = (of.len() / 2, of.len().saturating_sub(1));
    let built = |build| (0..of.len()).filter(move |position| of[*position].build() == build);
    let of_each = [
        built(Build::Static).next(),
        built(Build::Debug).min_by_key(|position| position.abs_diff(middle)),
        built(Build::Shared).next_back(),
    ];
    let mut chosen = BTreeSet::new();
    for position in of_each.into_iter().flatten().chain([0, middle, last]) {
        if chosen.len() < 3 && position < of.len() {
            chosen.insert(position);
        }
    }
    chosen.into_iter().map(|position| of[position]).collect()
}

/// The one of the next version, or that of the first after the last.
pub(crate) fn after<'a>(of: &[&'a Interpreter], interpreter: &Interpreter) -> &'a Interpreter {
    let position = of.iter().position(|i| i.label == interpreter.label);
    of[position.map_or(0, |position| (position + 1) % of.len())]
}

/// One line of the list as an interpreter, or why it cannot be used.
fn interpreter(
    label: &'static str,
    abi: &'static str,
    kind: Kind,
    row: &[&str],
) -> Outcome<Interpreter> {
    let &[_, executable, linkage, _, _, version, check] = row else {
        return Err(format!("{} columns instead of 7", row.len()));
    };
    if check != "ok" {
        return Err(check.to_owned());
    }
    let executable = PathBuf::from(executable);
    if !executable.exists() {
        return Err(format!("no file {}", executable.display()));
    }
    let shared = linkage == "shared";
    Ok(Interpreter { label, abi, kind, executable, shared, version: version.to_owned() })
}

/// Where `make interpreters` keeps them.
fn folder() -> Outcome<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(folder) = variable("PYFLAME_INTERPRETERS") {
        return Ok(folder.into());
    }
    let cache = variable("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || variable("HOME").map(|home| Path::new(&home).join(".cache"));
    let cache = cache.or_else(home).context(|| "neither XDG_CACHE_HOME nor HOME is set".into())?;
    Ok(cache.join("pyflame/interpreters"))
}

/// The include folders of an interpreter's own development headers.
pub(crate) fn headers(label: &str) -> Outcome<Vec<PathBuf>> {
    let list = folder()?.join("headers.tsv");
    let text = std::fs::read_to_string(&list).context(|| list.display().to_string())?;
    let folders = text.lines().filter_map(|line| line.split_once('\t'));
    let mut folders = folders.filter(|(of, _)| *of == label).map(|(_, folders)| folders);
    let folders = folders.next().context(|| format!("{label} has no headers"))?;
    Ok(folders.split(':').map(PathBuf::from).collect())
}
