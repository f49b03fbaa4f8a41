//! Help and errors in colour, where a person looks at them and has not asked for none.

use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal};

use clap::Error;

/// `error`, which may be help, as it goes to stdout.
pub(super) fn on_stdout(error: &Error) -> String {
    text(error, io::stdout().is_terminal())
}

/// `error` as it goes to stderr.
pub(super) fn on_stderr(error: &Error) -> String {
    text(error, io::stderr().is_terminal())
}

fn text(error: &Error, is_terminal: bool) -> String {
    let text = error.render();
    if is_terminal && is_wanted(env::var_os("NO_COLOR"), env::var_os("TERM")) {
        text.ansi().to_string()
    } else {
        text.to_string()
    }
}

/// Whether these variables of the environment let a terminal have colours. `NO_COLOR`
/// forbids them if it is set to anything (no-color.org).
fn is_wanted(no_color: Option<OsString>, term: Option<OsString>) -> bool {
    no_color.is_none_or(|value| value.is_empty()) && term.is_some_and(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_can_be_forbidden() {
        let term = || Some(OsString::from("xterm"));
        assert!(is_wanted(None, term()));
        assert!(is_wanted(Some("".into()), term()));
        assert!(!is_wanted(Some("1".into()), term()));
        assert!(!is_wanted(None, Some("dumb".into())));
        assert!(!is_wanted(None, None));
    }
}
