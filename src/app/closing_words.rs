//! What is said after a run.

use std::io::{self, IsTerminal};

use crate::app::options::Options;
use crate::escape::say;
use crate::profile::stats::words_on_limit;

/// Said after a run of which nothing was counted because of its choice of threads.
pub(crate) const NO_SUCH_THREAD: &str = "no thread that could have been sampled is one of those asked for.\n\
     pyflame --dump --verbose shows the names and ids of all; --threads also samples those \
     that wait.";

/// Says what became of every tick, where somebody reads it, and what would give more samples.
pub(crate) fn tell_account(options: &Options, rows: &[(String, String)]) {
    if options.stats || io::stderr().is_terminal() {
        rows.iter().for_each(|(name, value)| say(&format!("{name}: {value}")));
        let words = options.pause.limit().and_then(|limit| words_on_limit(rows, limit));
        words.iter().for_each(|words| say(words));
    }
}
