//! The signal that ended a process.

use super::numbers::number;

/// A signal, and what the kernel said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signal {
    /// Its number.
    pub number: i32,
    /// The address that was wrong, of a signal that is about one.
    pub address: Option<u64>,
    /// The process that sent it, if one did.
    pub sender: Option<i32>,
    /// The thread that it ended first.
    pub thread: i32,
}

/// The highest number of a signal (`_NSIG`).
const LAST: i32 = 64;

/// The first of the real-time signals that is a program's (glibc's `SIGRTMIN`).
const FIRST_REAL_TIME: i32 = 34;

/// A signal of which nothing more is known; `None` for 0, and for what is none.
pub(super) fn of(number: i32) -> Option<Signal> {
    let is_one = (1..=LAST).contains(&number);
    is_one.then_some(Signal { number, address: None, sender: None, thread: 0 })
}

impl Signal {
    /// Adds what a `siginfo_t` says (sigaction(2)), if it is of this signal.
    pub(super) fn add(&mut self, details: &[u8]) {
        use nix::libc::{SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP};
        /// `SI_KERNEL`: the kernel, which says no more.
        const BY_KERNEL: i32 = 0x80;
        let word = |offset| number(details, offset, 4).map(|word| word as u32 as i32);
        let (signal, code) = (word(0), word(8));
        let Some(code) = code.filter(|_| signal == Some(self.number)) else { return };
        if code <= 0 {
            // `SI_USER`, `SI_TKILL`, ….
            self.sender = word(16).filter(|pid| *pid > 0);
        } else if code != BY_KERNEL
            && [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP].contains(&self.number)
        {
            self.address = number(details, 16, 8);
        }
    }

    /// Its name, such as `SIGSEGV`.
    #[must_use]
    pub(crate) fn name(&self) -> String {
        match nix::sys::signal::Signal::try_from(self.number) {
            Ok(signal) => signal.as_str().to_owned(),
            Err(_) if self.number >= FIRST_REAL_TIME => {
                format!("SIGRTMIN+{}", self.number - FIRST_REAL_TIME)
            }
            Err(_) => format!("signal {}", self.number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details(signal: i32, code: i32, word: u64) -> Vec<u8> {
        let mut details = vec![0; 128];
        details[..4].copy_from_slice(&signal.to_le_bytes());
        details[8..12].copy_from_slice(&code.to_le_bytes());
        details[16..24].copy_from_slice(&word.to_le_bytes());
        details
    }

    fn told(number: i32, code: i32, word: u64) -> (String, Option<u64>, Option<i32>) {
        let mut signal = of(number).expect("a signal");
        signal.add(&details(number, code, word));
        (signal.name(), signal.address, signal.sender)
    }

    #[test]
    fn a_signal_says_where_it_is_from() {
        let one = |name: &str, address, sender| (name.to_owned(), address, sender);
        assert_eq!(told(11, 1, 8), one("SIGSEGV", Some(8), None));
        assert_eq!(told(11, 0x80, 0), one("SIGSEGV", None, None));
        assert_eq!(told(11, 0, 4242), one("SIGSEGV", None, Some(4242)));
        assert_eq!(told(6, -6, 4242), one("SIGABRT", None, Some(4242)));
        assert_eq!(told(6, 1, 8), one("SIGABRT", None, None));
        assert_eq!(told(36, 0, 1), one("SIGRTMIN+2", None, Some(1)));
        assert_eq!(told(33, 1, 1), one("signal 33", None, None));
    }

    #[test]
    fn what_is_no_signal_or_of_another_one_is_not_believed() {
        assert!(of(0).is_none() && of(-1).is_none() && of(65).is_none());
        let mut signal = of(11).expect("a signal");
        signal.add(&details(19, 0x80, 7));
        signal.add(&[1, 2, 3]);
        assert_eq!((signal.address, signal.sender), (None, None));
    }
}
