//! Patterns for modules and paths, and what `sys.path` makes of a path.

/// A pattern for modules and paths, in which `*` stands for anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    itself: glob::Pattern,
    below_path: glob::Pattern,
    below_module: glob::Pattern,
}

impl Glob {
    /// The pattern `text`.
    ///
    /// # Errors
    /// If it is none.
    pub fn new(text: &str) -> Result<Self, glob::PatternError> {
        Ok(Self {
            itself: glob::Pattern::new(text)?,
            below_path: glob::Pattern::new(&format!("{}/*", text.trim_end_matches('/')))?,
            below_module: glob::Pattern::new(&format!("{text}.*"))?,
        })
    }

    /// Whether it names a file: by its path, the path below an entry of `sys.path`, or the
    /// module in it.
    pub(super) fn matches(&self, file: &str, search_path: &[String]) -> bool {
        self.matches_path(file)
            || below_search_path(file, search_path)
                .is_some_and(|below| self.matches_path(below) || self.matches_module(below))
    }

    fn matches_path(&self, path: &str) -> bool {
        self.itself.matches(path) || self.below_path.matches(path)
    }

    fn matches_module(&self, path: &str) -> bool {
        let module = module_of(path);
        self.itself.matches(&module) || self.below_module.matches(&module)
    }
}

/// The rest of a path that lies below an entry of `sys.path`: of several the longest. What
/// is relative already is so to one of them.
pub(super) fn below_search_path<'a>(file: &'a str, search_path: &[String]) -> Option<&'a str> {
    if !file.starts_with('/') {
        return Some(file);
    }
    let below = search_path.iter().filter_map(|entry| {
        let rest = file.strip_prefix(entry.as_str())?;
        if entry.ends_with('/') { Some(rest) } else { rest.strip_prefix('/') }
    });
    below.min_by_key(|rest| rest.len())
}

/// The module in a file below an entry of `sys.path`.
fn module_of(path: &str) -> String {
    let stem = path.strip_suffix(".py").or_else(|| path.strip_suffix(".pyc")).unwrap_or(path);
    stem.strip_suffix("/__init__").unwrap_or(stem).replace('/', ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_have_the_names_that_they_are_imported_by() {
        assert_eq!(module_of("a/b.py"), "a.b");
        assert_eq!(module_of("a/__init__.py"), "a");
        assert!(Glob::new("a[").is_err());
    }

    #[test]
    fn a_relative_path_is_below_the_search_path() {
        let glob = Glob::new("requests.api").expect("a pattern");
        assert!(glob.matches("requests/api.py", &[]));
        assert!(!glob.matches("/lib/requests/api.py", &[]));
        assert!(glob.matches("/lib/requests/api.py", &["/lib".to_owned()]));
    }
}
