//! The executables and libraries that native frames are of.

use std::collections::HashMap;
use std::sync::Arc;

/// The most modules that are kept.
const MOST: usize = 1 << 16;

/// The longest build id, in hexadecimal digits. The linkers' own have 16 to 64.
const LONGEST_BUILD_ID: usize = 128;

/// An executable or a library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Its path, as [`Frame::file`](crate::stack::Frame::file) has it.
    pub path: Arc<str>,
    /// What its linker calls this build of it, in hexadecimal digits.
    pub build_id: String,
}

/// Every module of which the build is known, once.
#[derive(Clone, Debug, Default)]
pub struct Modules {
    all: Vec<Module>,
    places: HashMap<Arc<str>, usize>,
}

impl Modules {
    /// Adds a module. What is known of its path already stays. A text that is no build id is
    /// passed over.
    pub fn add(&mut self, path: &Arc<str>, build_id: &str) {
        let is_id = !build_id.is_empty()
            && build_id.len() <= LONGEST_BUILD_ID
            && build_id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_id && self.all.len() < MOST && !self.places.contains_key(path) {
            self.places.insert(Arc::clone(path), self.all.len());
            let module = Module { path: Arc::clone(path), build_id: build_id.to_owned() };
            self.all.push(module);
        }
    }

    /// The build id of the module at `path`.
    #[must_use]
    pub fn build_id(&self, path: &str) -> Option<&str> {
        let place = *self.places.get(path)?;
        self.all.get(place).map(|module| module.build_id.as_str())
    }

    /// The modules that have been added after the first `known`, in that order.
    #[must_use]
    pub fn since(&self, known: usize) -> &[Module] {
        self.all.get(known..).unwrap_or_default()
    }

    /// Takes over what `other` has. Both must come from the same profile.
    pub(super) fn follow(&mut self, other: &Self) {
        for module in other.since(self.all.len()) {
            self.add(&module.path, &module.build_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_build() {
        let mut modules = Modules::default();
        let path: Arc<str> = "/lib/libz.so.1".into();
        modules.add(&path, "0a1b");
        modules.add(&path, "ffff");
        assert_eq!(modules.build_id("/lib/libz.so.1"), Some("0a1b"));
        assert_eq!(modules.build_id("/lib/libm.so.6"), None);
        assert_eq!(modules.since(0).len(), 1);
        assert!(modules.since(7).is_empty());
    }

    #[test]
    fn what_is_no_build_id_is_passed_over() {
        let mut modules = Modules::default();
        let long = "0".repeat(LONGEST_BUILD_ID + 1);
        for text in ["", "0x12", "12\n", "é", &long] {
            modules.add(&"a.so".into(), text);
        }
        assert!(modules.since(0).is_empty());
    }
}
