//! What a signal means while a command runs: whether the command has to be given it, and
//! when it is left. Plain decisions; [`super::keeper`] does what they say.

use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGQUIT};

/// How soon a second Ctrl-C has to follow, to leave a command that does not end.
const TWICE: Duration = Duration::from_secs(2);

/// How long a command is waited for that has been asked to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a command may take to end by the last signal that it is waited for.
const MOMENT: Duration = Duration::from_millis(300);

/// Signals that are sent within so short a time by the same process are one request:
/// `timeout` sends to its child, and then to its process group.
const AT_ONCE: Duration = Duration::from_millis(100);

/// Where a signal came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// A key on the terminal, or its end: the kernel has sent it to the command as well.
    Terminal,
    /// This process, as far as it can be seen from here; 0 if it cannot.
    Process(i32),
    /// The command itself, which knows what it does.
    Command,
}

/// What to do about a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reaction {
    /// The command is given it.
    pub(crate) pass_on: bool,
    /// If the command has not ended by then, it is left.
    pub(crate) leave_at: Option<Instant>,
}

/// The signals that have come so far.
#[derive(Debug, Default)]
pub(crate) struct Policy {
    /// When Ctrl-C was pressed last.
    interrupted: Option<Instant>,
    /// The last signal that asked the command to end.
    asked: Option<(i32, Sender, Instant)>,
}

impl Policy {
    /// Decides about a signal that has come just now.
    pub(crate) fn react(&mut self, signal: i32, sender: Sender, now: Instant) -> Reaction {
        let pass_on = matches!(sender, Sender::Process(_));
        let is_key = signal == SIGINT || (signal == SIGQUIT && sender == Sender::Terminal);
        let leave_at = match (is_key, self.asked) {
            (false, None) => {
                self.asked = Some((signal, sender, now));
                Some(now + PATIENCE)
            }
            (false, Some((same, by, at)))
                if same == signal && by == sender && now.duration_since(at) < AT_ONCE =>
            {
                return Reaction { pass_on: false, leave_at: None };
            }
            (_, Some(_)) => Some(now + MOMENT),
            (true, None) => {
                let last = self.interrupted.replace(now);
                let is_second = last.is_some_and(|last| now.duration_since(last) <= TWICE);
                is_second.then_some(now + MOMENT)
            }
        };
        Reaction { pass_on, leave_at }
    }

    /// Whether the command has been asked to end, and is waited for.
    pub(crate) fn has_asked(&self) -> bool {
        self.asked.is_some()
    }
}

#[cfg(test)]
mod tests {
    use signal_hook::consts::{SIGHUP, SIGTERM};

    use super::*;

    const SHELL: Sender = Sender::Process(77);

    fn after(seconds: f64, begin: Instant) -> Instant {
        begin + Duration::from_secs_f64(seconds)
    }

    #[test]
    fn a_key_is_not_passed_on_and_a_kill_is() {
        let now = Instant::now();
        for (signal, sender, pass_on) in [
            (SIGINT, Sender::Terminal, false),
            (SIGQUIT, Sender::Terminal, false),
            (SIGHUP, Sender::Terminal, false),
            (SIGINT, SHELL, true),
            (SIGTERM, SHELL, true),
            (SIGHUP, SHELL, true),
            (SIGQUIT, SHELL, true),
            // Outside of the container that this is the first process of.
            (SIGTERM, Sender::Process(0), true),
            (SIGTERM, Sender::Command, false),
        ] {
            let reaction = Policy::default().react(signal, sender, now);
            assert_eq!(reaction.pass_on, pass_on, "{signal} by {sender:?}");
        }
    }

    #[test]
    fn two_keys_within_two_seconds_leave() {
        let begin = Instant::now();
        let mut policy = Policy::default();
        let mut press = |at| policy.react(SIGINT, Sender::Terminal, after(at, begin)).leave_at;
        assert_eq!(press(0.0), None);
        assert_eq!(press(2.5), None);
        assert_eq!(press(5.0), None);
        assert_eq!(press(6.5), Some(after(6.5, begin) + MOMENT));
    }

    #[test]
    fn who_is_asked_to_end_is_waited_for_until_the_second_signal() {
        let begin = Instant::now();
        for second in [SIGTERM, SIGHUP, SIGQUIT, SIGINT] {
            let mut policy = Policy::default();
            assert!(!policy.has_asked());
            let first = policy.react(SIGTERM, SHELL, begin);
            assert_eq!(first.leave_at, Some(begin + PATIENCE));
            assert!(policy.has_asked());
            let now = after(3.0, begin);
            let reaction = policy.react(second, SHELL, now);
            assert_eq!(reaction, Reaction { pass_on: true, leave_at: Some(now + MOMENT) });
        }
    }

    #[test]
    fn one_request_that_comes_twice_is_one() {
        let begin = Instant::now();
        let mut policy = Policy::default();
        policy.react(SIGTERM, SHELL, begin);
        let again = policy.react(SIGTERM, SHELL, after(0.001, begin));
        assert_eq!(again, Reaction { pass_on: false, leave_at: None });
        // Another one is another.
        let other = policy.react(SIGTERM, Sender::Process(78), after(0.002, begin));
        assert!(other.pass_on && other.leave_at.is_some());
    }
}
