//! Interpreters that are expected and not here. Each of them fails the tests, unless somebody
//! has chosen to do without it: a test that is passed over looks like one that has passed.

use std::path::Path;

/// Labels that may be missing, divided by commas or blanks; `all` stands for every one.
pub(crate) const VARIABLE: &str = "PYFLAME_ALLOW_MISSING";

/// An interpreter that is expected and not here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    /// As in `Interpreter`.
    pub label: &'static str,
    /// As in `Interpreter`.
    pub abi: &'static str,
    /// What went wrong, as far as that is known.
    pub why: String,
    /// Whether somebody has chosen to do without it.
    pub is_allowed: bool,
}

impl Missing {
    /// The failure of the tests, unless it may be missing.
    pub(crate) fn failure(&self) -> Option<String> {
        let Self { label, why, is_allowed, .. } = self;
        (!is_allowed).then(|| {
            format!(
                "{label} is missing: {why}\nRun `make interpreters`. Where that cannot get it, \
                 set {VARIABLE}={label} to test without it."
            )
        })
    }
}

/// What is known of interpreters that are not here.
pub(crate) struct Excuses {
    allowed: Vec<String>,
    /// Label, `failed` or `left out`, and why.
    notes: Vec<[String; 3]>,
}

impl Excuses {
    /// What the environment and the last `fetch` into that folder say.
    pub(crate) fn load(folder: &Path) -> Self {
        let allowed = std::env::var(VARIABLE).unwrap_or_default();
        // Without that file, as before there was one, nothing is known.
        let notes = std::fs::read_to_string(folder.join("missing.tsv")).unwrap_or_default();
        Self::parse(&allowed, &notes)
    }

    /// The same of the variable's value and of the text of `missing.tsv`.
    pub(crate) fn parse(allowed: &str, notes: &str) -> Self {
        let words = allowed.split(|c: char| c == ',' || c.is_whitespace());
        let rows = notes.lines().map(|line| line.splitn(3, '\t').map(str::to_owned));
        Self {
            allowed: words.filter(|word| !word.is_empty()).map(str::to_owned).collect(),
            notes: rows.filter_map(|row| row.collect::<Vec<_>>().try_into().ok()).collect(),
        }
    }

    /// Whether the variable names this label, or all.
    pub(crate) fn allow(&self, label: &str) -> bool {
        self.allowed.iter().any(|word| word == label || word == "all")
    }

    /// Whether the variable names an interpreter of this version, or all.
    pub(crate) fn allow_one_of(&self, version: &str) -> bool {
        let is_of = |word: &String| word.split('-').next() == Some(version);
        self.allow("") || self.allowed.iter().any(is_of)
    }

    /// An interpreter that is not here, or cannot be used for that reason.
    pub(crate) fn missing(
        &self,
        label: &'static str,
        abi: &'static str,
        seen: Option<String>,
    ) -> Missing {
        let note = self.notes.iter().find(|[noted, ..]| noted == label);
        let is_left_out = note.is_some_and(|[_, how, _]| how == "left out");
        let known = seen.or_else(|| note.map(|[_, _, why]| why.clone()));
        let why = known.unwrap_or_else(|| "it is not in interpreters.tsv".into());
        Missing { label, abi, why, is_allowed: is_left_out || self.allow(label) }
    }
}
