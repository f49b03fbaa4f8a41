//! The list of interpreters that the live tests run on: which of them may be missing, and which
//! stand for others.

use std::path::PathBuf;

use crate::support::interpreters::{Interpreter, Interpreters, Kind, after, three};
use crate::support::missing::{Excuses, Missing};

/// What a fetch has left that got no 3.6, and was not asked for 3.7.
const NOTES: &str =
    "3.6-pyenv\tfailed\tno pyenv\n3.7-pyenv\tleft out\tleft out by --only 3.6-*\nnonsense\n";

fn missing(allowed: &str, label: &'static str) -> Missing {
    Excuses::parse(allowed, NOTES).missing(label, "3.6", None)
}

#[test]
fn one_that_is_missing_fails_the_tests_and_says_what_to_do() {
    let failure = missing("", "3.6-pyenv").failure().expect("a failure");
    assert_eq!(
        failure,
        "3.6-pyenv is missing: no pyenv\nRun `make interpreters`. Where that cannot get it, set \
         PYFLAME_ALLOW_MISSING=3.6-pyenv to test without it."
    );
    let seen = Excuses::parse("", NOTES).missing("3.6-pyenv", "3.6", Some("no file /x".into()));
    assert!(seen.failure().is_some_and(|words| words.contains("missing: no file /x\n")));
    let unknown = missing("", "3.8-pyenv").failure();
    assert!(unknown.is_some_and(|words| words.contains("it is not in interpreters.tsv")));
}

#[test]
fn one_that_the_variable_names_may_be_missing() {
    let lists =
        ["3.6-pyenv", "all", "x, 3.6-pyenv", " 3.4-static 3.6-pyenv\n", "x,all", ",3.6-pyenv,"];
    for allowed in lists {
        let missing = missing(allowed, "3.6-pyenv");
        assert_eq!((missing.why.as_str(), missing.failure()), ("no pyenv", None), "{allowed:?}");
    }
    for other in ["", ",", "3.6", "3.6-*", "3.6-pyenv-dbg", "All", "3.6-pyenv;3.7-pyenv"] {
        assert!(missing(other, "3.6-pyenv").failure().is_some(), "{other:?}");
    }
}

#[test]
fn one_that_was_not_asked_for_may_be_missing() {
    let left_out = missing("", "3.7-pyenv");
    assert_eq!((left_out.why.as_str(), left_out.failure()), ("left out by --only 3.6-*", None));
}

#[test]
fn a_version_may_have_no_headers_if_one_of_it_may_be_missing() {
    let allow = |list: &str| Excuses::parse(list, "").allow_one_of("3.1");
    assert!(allow("3.1-pyenv") && allow("all") && allow("3.1"));
    assert!(!allow("3.11-pyenv") && !allow("") && !allow("3"));
}

fn interpreter(label: &'static str, shared: bool) -> Interpreter {
    let abi = label.split('-').next().unwrap_or_default();
    let (executable, version) = (PathBuf::from(label), format!("{abi}.0"));
    Interpreter { label, abi, kind: Kind::Normal, executable, shared, version }
}

fn labels(interpreters: &[&Interpreter]) -> Vec<&'static str> {
    interpreters.iter().map(|i| i.label).collect()
}

#[test]
fn what_stands_for_an_abi_is_the_first_of_the_list_or_another_way_to_build() {
    let list =
        [("2.7-pyenv", true), ("3.9-pyenv", true), ("2.7-bullseye", false), ("3.9-x", false)];
    let mut here: Vec<Interpreter> = list.map(|(label, shared)| interpreter(label, shared)).into();
    here.push(Interpreter { kind: Kind::FewModules, ..interpreter("3.13-trixie-dbg", false) });
    let interpreters = Interpreters { here, missing: Vec::new(), unknown: Vec::new() };
    assert_eq!(labels(&interpreters.one_per_abi()), ["2.7-bullseye", "3.9-pyenv"]);
}

#[test]
fn three_versions_are_of_three_builds_where_there_are_such() {
    let all = [
        interpreter("2.7-pyenv", true),
        interpreter("3.4-static", false),
        interpreter("3.5-static", false),
        interpreter("3.9-bullseye-dbg", false),
        interpreter("3.10-pyenv", true),
        interpreter("3.11-bookworm-dbg", false),
        interpreter("3.12-pyenv", true),
        interpreter("3.13-static", false),
    ];
    let all: Vec<&Interpreter> = all.iter().collect();
    assert_eq!(labels(&three(&all)), ["3.4-static", "3.9-bullseye-dbg", "3.12-pyenv"]);
    // Where a build is not there, another version is.
    assert_eq!(labels(&three(&all[..3])), ["2.7-pyenv", "3.4-static", "3.5-static"]);
    assert_eq!(
        labels(&three(&[all[0], all[4], all[6]])),
        ["2.7-pyenv", "3.10-pyenv", "3.12-pyenv"]
    );
    assert_eq!(labels(&three(&all[..1])), ["2.7-pyenv"]);
    assert!(three(&[]).is_empty());
    assert_eq!((after(&all, all[0]).label, after(&all, all[7]).label), ("3.4-static", "2.7-pyenv"));
}
