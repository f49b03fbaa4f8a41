//! The rooms of `src/`: which may import which, and that no files need each other in a circle.
//!
//! Imports are read out of the text: `use` lines and paths that begin with `crate`, `super` or
//! `self`, but for unit tests. A `pub use` is a name that is passed on and no import: whoever
//! takes it depends on the file that it comes from.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;

/// Each room, and what it may import besides itself.
const ROOMS: [(&str, &[&str]); 8] = [
    ("stack", &[]),
    ("escape", &[]),
    ("cpython", &["stack"]),
    ("target", &["cpython"]),
    ("profile", &["escape", "stack"]),
    ("sampler", &["cpython", "profile", "stack", "target"]),
    ("render", &["escape", "profile", "stack"]),
    ("app", &["cpython", "escape", "profile", "render", "sampler", "stack", "target"]),
];

/// A path as it is written in full: `crate::a::B` is `["a", "B"]`.
type Segments = Vec<String>;

/// The files of a crate, by module, with what each imports.
#[derive(Default)]
struct House {
    files: BTreeMap<Segments, File>,
}

#[derive(Default)]
struct File {
    imports: Vec<Segments>,
    /// Names that it passes on, and where they come from.
    passed_on: HashMap<String, Segments>,
}

impl House {
    /// The files below `folder`, without unit tests.
    fn of(folder: &Path) -> Self {
        let mut house = Self::default();
        house.add_folder(folder, &mut Vec::new());
        house
    }

    fn add_folder(&mut self, folder: &Path, module: &mut Segments) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_stem().expect("a name").to_str().expect("UTF-8").to_owned();
            if path.is_dir() {
                module.push(name);
                self.add_folder(&path, module);
                module.pop();
            } else if path.extension().is_some_and(|end| end == "rs") && !is_of_tests(&name) {
                let mut module = module.clone();
                if name != "mod" && name != "lib" {
                    module.push(name);
                }
                self.add(module, &fs::read_to_string(&path).expect("a source"));
            }
        }
    }

    fn add(&mut self, module: Segments, source: &str) {
        let mut file = File::default();
        for (is_passed_on, path) in paths(&without_tests(source)) {
            let Some(path) = in_full(&module, &path) else { continue };
            match path.last().filter(|_| is_passed_on) {
                Some(name) => {
                    file.passed_on.insert(name.clone(), path);
                }
                None => file.imports.push(path),
            }
        }
        self.files.insert(module, file);
    }

    /// The module whose file a path leads to.
    fn home(&self, path: &[String]) -> Option<&Segments> {
        let length = (0..=path.len()).rev().find(|end| self.files.contains_key(&path[..*end]))?;
        let (module, file) = self.files.get_key_value(&path[..length])?;
        let passed_on = path.get(length).and_then(|name| file.passed_on.get(name));
        match passed_on {
            Some(origin) if origin[..] != path[..=length] => {
                let rest = path[length + 1..].iter().cloned();
                self.home(&origin.iter().cloned().chain(rest).collect::<Segments>())
            }
            _ => Some(module),
        }
    }

    /// Each file with those that it imports.
    fn arrows(&self) -> BTreeMap<&Segments, BTreeSet<&Segments>> {
        let to = |module, file: &File| {
            let homes = file.imports.iter().filter_map(|path| self.home(path));
            // A folder's own name is no file of it.
            homes.filter(|home| *home != module && !home.is_empty()).collect()
        };
        self.files.iter().map(|(module, file)| (module, to(module, file))).collect()
    }

    /// What goes against the table: from, to.
    fn forbidden(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (from, targets) in self.arrows() {
            let Some(room) = from.first() else { continue };
            let allowed = ROOMS.iter().find(|(name, _)| name == room).map_or(&[][..], |(_, to)| to);
            let is_forbidden =
                |to: &&&Segments| to[0] != *room && !allowed.contains(&to[0].as_str());
            let found_here = targets.iter().filter(is_forbidden);
            found.extend(found_here.map(|to| (from.join("::"), to.join("::"))));
        }
        found
    }

    /// A circle of files, if there is one.
    fn circle(&self) -> Option<Vec<String>> {
        let arrows = self.arrows();
        let mut done = BTreeSet::new();
        arrows.keys().find_map(|start| circle_from(start, &arrows, &mut Vec::new(), &mut done))
    }
}

fn circle_from<'a>(
    at: &'a Segments,
    arrows: &BTreeMap<&'a Segments, BTreeSet<&'a Segments>>,
    way: &mut Vec<&'a Segments>,
    done: &mut BTreeSet<&'a Segments>,
) -> Option<Vec<String>> {
    if let Some(begin) = way.iter().position(|before| *before == at) {
        return Some(way[begin..].iter().map(|file| file.join("::")).collect());
    }
    if done.contains(at) {
        return None;
    }
    way.push(at);
    let found = arrows[at].iter().find_map(|next| circle_from(next, arrows, way, done));
    way.pop();
    done.insert(at);
    found
}

fn is_of_tests(name: &str) -> bool {
    ["test", "fixture", "fuzzing"].iter().any(|word| name.contains(word)) || name == "simulated"
}

/// A source without comments and without its unit tests, which stand at its end.
fn without_tests(source: &str) -> String {
    let code: String = source
        .lines()
        .map(|line| line.split("//").next().unwrap_or("").to_owned() + "\n")
        .collect();
    let tests = code.find("#[cfg(test)]\nmod tests").or_else(|| code.find("#[cfg(all(test"));
    tests.map_or(code.clone(), |begin| code[..begin].to_owned())
}

/// The paths in a source that begin with `crate`, `super` or `self`; `true` for those of a
/// `pub use`.
fn paths(code: &str) -> Vec<(bool, Segments)> {
    let mut found = Vec::new();
    for begin in ["crate::", "super::", "self::"] {
        for (place, _) in code.match_indices(begin) {
            let before = &code[..place];
            if before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let words: Vec<&str> = before.trim_end().rsplitn(3, char::is_whitespace).collect();
            let is_use = words.first() == Some(&"use");
            let is_passed_on =
                is_use && words.get(1).is_some_and(|word| *word == "pub" || word.ends_with(')'));
            let mut list = Vec::new();
            read_path(&code[place..], &mut Vec::new(), &mut list);
            found.extend(list.into_iter().map(|path| (is_passed_on, path)));
        }
    }
    found
}

/// Reads one path, with all that it names in braces. Returns what comes after it.
fn read_path<'a>(text: &'a str, prefix: &mut Segments, list: &mut Vec<Segments>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start().trim_start_matches(',').trim_start();
            match rest.strip_prefix('}') {
                Some(after) => return after,
                None if rest.is_empty() => return rest,
                None => rest = read_path(rest, &mut prefix.clone(), list),
            }
        }
    }
    let length = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    let (name, mut rest) = text.split_at(length);
    if name.is_empty() {
        list.push(prefix.clone()); // Such as `*`.
        return rest.get(1..).unwrap_or("");
    }
    prefix.push(name.to_owned());
    if let Some(deeper) = rest.strip_prefix("::") {
        return read_path(deeper, prefix, list);
    }
    if let Some(renamed) = rest.trim_start().strip_prefix("as ") {
        rest = renamed.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_' || c == ' ');
    }
    list.push(prefix.clone());
    rest
}

/// A path from the root of the crate on.
fn in_full(module: &[String], path: &[String]) -> Option<Segments> {
    let mut base = module.to_vec();
    let mut rest = path;
    match rest.first()?.as_str() {
        "crate" => base.clear(),
        "self" => {}
        _ => {
            base.pop()?;
        }
    }
    rest = &rest[1..];
    while rest.first().is_some_and(|segment| segment == "super") {
        base.pop()?;
        rest = &rest[1..];
    }
    base.extend(rest.iter().cloned());
    Some(base)
}

fn sources() -> House {
    House::of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

#[test]
fn arrows_run_down_the_list() {
    let house = sources();
    let count: usize = house.arrows().values().map(BTreeSet::len).sum();
    assert!(count > 500, "{count} imports were found: the sources are not read");
    assert_eq!(house.forbidden(), [], "not in the table of tests/house/rooms.rs");
}

#[test]
fn each_room_is_in_the_table() {
    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs"));
    let source = source.expect("a source");
    let modules = source
        .lines()
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'));
    let modules: BTreeSet<&str> = modules.filter(|name| !is_of_tests(name)).collect();
    let rooms: BTreeSet<&str> = ROOMS.iter().map(|(name, _)| *name).collect();
    assert_eq!(modules, rooms);
}

#[test]
fn no_files_need_each_other_in_a_circle() {
    assert_eq!(sources().circle(), None);
}

/// A house made of sources.
fn house(files: &[(&str, &str)]) -> House {
    let mut house = House::default();
    for (module, source) in files {
        house.add(module.split("::").map(str::to_owned).collect(), source);
    }
    house
}

#[test]
fn a_forbidden_arrow_is_seen() {
    let used = house(&[("cpython::read", "use crate::app::run;"), ("app::run", "")]);
    assert_eq!(used.forbidden(), [("cpython::read".to_owned(), "app::run".to_owned())]);
    let named = house(&[("render", "fn f() { crate::sampler::tick(); }"), ("sampler", "")]);
    assert_eq!(named.forbidden().len(), 1);
    let allowed = house(&[("app::run", "use crate::cpython::{read::{self, f as g}, abi};")]);
    assert_eq!(allowed.forbidden(), []);
    let of_tests = "#[cfg(test)]\nmod tests { use crate::app::run; }";
    assert_eq!(house(&[("cpython", of_tests), ("app::run", "")]).forbidden(), []);
}

#[test]
fn a_circle_is_seen_through_names_that_are_passed_on() {
    let files = [
        ("app", "mod a; mod b; pub use self::a::A;"),
        ("app::a", "use super::b::B; pub struct A;"),
        ("app::b", "use crate::app::A; pub struct B;"),
    ];
    assert_eq!(house(&files).circle().map(|circle| circle.len()), Some(2));
    let files = [files[0], files[1], ("app::b", "use std::fmt; // use crate::app::A;")];
    assert_eq!(house(&files).circle(), None);
}
