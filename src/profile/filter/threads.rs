//! Which threads are meant by those that were asked for.

/// The most threads that a message lists.
const LISTED: usize = 8;

/// Which threads were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThreadFilter {
    /// Names, identities as Python counts, or the kernel's ids. None: any.
    pub words: Vec<String>,
    /// The main thread: the one whose id is the process's.
    pub main: bool,
}

impl ThreadFilter {
    /// Whether every thread is wanted.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.words.is_empty() && !self.main
    }

    /// Whether the thread of process `pid` is meant that has these ids and this name; of a
    /// filter that is not open.
    #[must_use]
    pub fn accepts(&self, pid: i32, id: u64, native: Option<i32>, name: Option<&str>) -> bool {
        let is_meant = |word: &String| {
            name == Some(word)
                || word.parse() == Ok(id)
                || native.is_some_and(|native| word.parse() == Ok(native))
        };
        self.main && native == Some(pid) || self.words.iter().any(is_meant)
    }
}

/// The threads that there are, each an identity and perhaps a name, for a message.
pub(crate) fn in_words<'a>(threads: impl Iterator<Item = (u64, Option<&'a str>)>) -> String {
    let names = threads.map(|(id, name)| match name {
        Some(name) => format!("\"{}\"", name.escape_debug()),
        None => id.to_string(),
    });
    let mut names: Vec<String> = names.collect();
    let others = names.len().saturating_sub(LISTED);
    names.truncate(LISTED);
    match others {
        _ if names.is_empty() => "no thread at all".to_owned(),
        0 => names.join(", "),
        others => format!("{} and {others} more", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_meant_by_name_or_by_either_id() {
        let filter = |word: &str| ThreadFilter { words: vec![word.to_owned()], main: false };
        for word in ["pool-7", "140000000000000", "4243"] {
            let filter = filter(word);
            assert!(filter.accepts(4242, 140_000_000_000_000, Some(4243), Some("pool-7")));
            assert!(!filter.accepts(4242, 140_000_000_000_001, Some(4244), Some("pool-8")));
        }
        assert!(!filter("4243").accepts(4242, 1, None, None));
    }

    #[test]
    fn a_message_lists_a_few_threads() {
        assert_eq!(in_words(std::iter::empty()), "no thread at all");
        assert_eq!(in_words([(7, None), (8, Some("a\"b"))].into_iter()), r#"7, "a\"b""#);
        assert_eq!(in_words((1..=10).map(|id| (id, None))), "1, 2, 3, 4, 5, 6, 7, 8 and 2 more");
    }

    #[test]
    fn the_main_thread_has_the_id_of_the_process() {
        let filter = ThreadFilter { words: Vec::new(), main: true };
        assert!(!filter.is_open());
        assert!(filter.accepts(4242, 1, Some(4242), None));
        assert!(!filter.accepts(4242, 1, Some(4243), Some("MainThread")));
        assert!(ThreadFilter::default().is_open());
    }
}
