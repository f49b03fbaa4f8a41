//! The live view, as a person has it: on a terminal that tmux provides, with keys pressed
//! and the screen looked at. Each test says when the screen shows what it should, within a
//! deadline, and that the terminal is as before in the end.

use std::fs;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use crate::support::binaries::{Binaries, is_built};
use crate::support::features::{Feature, Shows, stands};
use crate::support::interpreters::{Interpreter, Interpreters};
use crate::support::process::{expect_left_alone, status_line, wait_until};
use crate::support::runner::Trial;
use crate::support::target::Target;
use crate::support::terminal::Terminal;
use crate::support::{Context, Outcome, expect};

/// An old Python, a new one, and two between.
const CHOSEN: [&str; 4] = ["2.7", "3.8", "3.11", "3.14"];

type Test = fn(&Screen, Target) -> Outcome<String>;

const TESTS: [(&str, Test); 8] = [
    ("shows and quits", shows_and_quits),
    ("keys", keys),
    ("resized", resized),
    ("Ctrl-C", ctrl_c),
    ("SIGTERM", sigterm),
    ("the terminal goes away", terminal_goes_away),
    ("the process ends", process_ends),
    ("a panic", panics),
];

/// What docs/ABIS.md has from here.
pub(crate) const SHOWS: Shows =
    &[(Feature::LiveView, "shows and quits"), (Feature::LiveView, "states of threads")];

pub(crate) fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    let is_chosen = |i: &&Interpreter| stands(&CHOSEN, i.abi) && is_built(i.abi);
    let mut trials = Vec::new();
    for interpreter in interpreters.one_per_abi().into_iter().filter(is_chosen) {
        let (own, all) = (interpreter.clone(), Arc::clone(&binaries));
        trials.push(Trial::new(format!("{} states of threads", own.label), move || {
            let target = Target::start(&own, "modes.py", &[])?;
            target.expect("ready")?;
            states(&Screen::open(&all.launcher(), target.pid())?)
        }));
        for (name, test) in TESTS {
            let (interpreter, binaries) = (interpreter.clone(), Arc::clone(&binaries));
            trials.push(Trial::new(format!("{} {name}", interpreter.label), move || {
                let target = Target::start(&interpreter, "busy.py", &[])?;
                target.expect("ready")?;
                let screen = Screen::open(&binaries.launcher(), target.pid())?;
                screen.wait_for("leaf (")?;
                test(&screen, target)
            }));
        }
    }
    trials
}

/// A thread that has released the GIL and works is told from one that waits.
fn states(screen: &Screen) -> Outcome<String> {
    let shows = |text: &str| text.contains("runs   busy (") && text.contains("waits  idle, very (");
    screen.wait("one thread runs, one waits", shows)?;
    screen.press("q")?;
    screen.left()?;
    Ok("runs, waits".to_owned())
}

/// A terminal in which `pyflame top` runs.
struct Screen {
    terminal: Terminal,
    pid: u32,
}

impl Deref for Screen {
    type Target = Terminal;

    fn deref(&self) -> &Terminal {
        &self.terminal
    }
}

impl Screen {
    /// Opens a terminal and starts `top` for a process in it. What the terminal was like
    /// before and after is written into files.
    fn open(launcher: &Path, pid: u32) -> Outcome<Self> {
        let terminal = Terminal::prepare()?;
        let script = format!(
            "cd '{}'; echo shell; stty -g >before; sh -c 'echo $$ >pid; exec {} top -p {pid}'; \
             echo left $? >status; stty -g >after; echo done; exec cat",
            terminal.folder.display(),
            launcher.display(),
        );
        terminal.run(&script)?;
        Ok(Self { terminal, pid })
    }

    /// The process id of `top`.
    fn own_pid(&self) -> Outcome<nix::unistd::Pid> {
        let path = self.folder.join("pid");
        let pid = fs::read_to_string(&path).context(|| path.display().to_string())?;
        Ok(nix::unistd::Pid::from_raw(pid.trim().parse().context(|| pid.clone())?))
    }

    /// Waits until `top` has left, and says with which status. Fails unless the terminal is
    /// as it was before.
    fn left(&self) -> Outcome<(i32, String)> {
        let text =
            self.wait("top has left", |text| text.contains("done") && text.contains("shell"))?;
        expect(self.read("before")? == self.read("after")?, || {
            "the terminal is not as before".into()
        })?;
        let screen = self.tmux(&["display-message", "-p", "#{alternate_on} #{cursor_flag}"])?;
        expect(screen.trim() == "0 1", || format!("alternate screen, cursor: {screen}"))?;
        let status = self.read("status")?;
        let number = status.trim().strip_prefix("left ").and_then(|number| number.parse().ok());
        Ok((number.context(|| status.clone())?, text))
    }

    /// The same, for a clean end.
    fn left_well(&self) -> Outcome<String> {
        let (status, text) = self.left()?;
        expect(status == 0, || format!("exit status {status}:\n{text}"))?;
        let summary = format!("Process {}: ", self.pid);
        expect(text.contains(&summary) && text.contains(" samples in "), || text.clone())?;
        Ok(String::new())
    }
}

fn shows_and_quits(screen: &Screen, target: Target) -> Outcome<String> {
    let text = screen.wait("function, thread, rate and help are there", |text| {
        // Where there is no GIL, nobody holds it.
        ["GIL held ", " s, attached "].iter().any(|words| text.contains(words))
            && ["busy.py", "own    total  function", " per second, ", "q quit", "thread, and"]
                .iter()
                .all(|words| text.contains(words))
    })?;
    let first = text.lines().next().unwrap_or_default();
    expect(first.starts_with(&target.pid().to_string()), || text.clone())?;
    // The innermost function of a busy program has the most of its time, though not of its
    // first few samples.
    screen.wait("the innermost function is the first", |text| {
        let mut rows = text.lines().filter(|line| line.contains('%') && line.contains(".py)"));
        rows.next().is_some_and(|row| row.contains("leaf ("))
    })?;
    screen.press("q")?;
    screen.left_well()?;
    target.end()?;
    Ok(String::new())
}

fn keys(screen: &Screen, target: Target) -> Outcome<String> {
    screen.press("?")?;
    screen.wait_for("forget what has been counted")?;
    screen.press("?")?;
    screen.press("l")?;
    screen.wait("lines are counted", |text| {
        text.contains("total  line") && text.contains("busy.py:")
    })?;
    screen.press("l")?;
    screen.press("w")?;
    screen.wait_for("percent of the whole time")?;
    screen.press("g")?;
    screen.wait_for("all threads")?;
    screen.press("t")?;
    screen.wait("only threads are shown", |text| {
        text.contains("thread, and where it is") && !text.contains("total  function")
    })?;
    screen.press("t")?;
    screen.press("/")?;
    screen.tmux(&["send-keys", "-l", "MIDDLE"])?;
    screen.wait_for("/MIDDLE_")?;
    for _ in 0..6 {
        screen.press("BSpace")?;
    }
    screen.tmux(&["send-keys", "-l", "middle"])?;
    screen.press("Enter")?;
    let rows = |text: &str, name: &str| {
        let above = text.split("thread, and where it is").next().unwrap_or_default();
        above.lines().any(|line| line.contains(name) && line.contains(".py)"))
    };
    screen.wait("only what matches is shown", |text| {
        rows(text, "middle (") && !rows(text, "leaf (")
    })?;
    screen.press("Escape")?;
    screen.wait("all is shown again", |text| rows(text, "leaf ("))?;
    screen.press("Space")?;
    screen.wait_for("standing still")?;
    screen.press("Space")?;
    screen.wait("it goes on", |text| !text.contains("standing still"))?;
    screen.press("a")?;
    screen.wait("main has the most total time", |text| {
        let first = text.lines().find(|line| line.contains("%  ") && line.contains(".py)"));
        first.is_some_and(|line| line.contains("100.0%") || line.contains("99."))
    })?;
    screen.press("s")?;
    let text = screen.wait_for("Wrote pyflame-")?;
    let name = text
        .split("Wrote ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next())
        .map(|name| name.trim_end_matches('.'))
        .context(|| text.clone())?;
    let path = screen.folder.join(name);
    let saved = fs::read_to_string(&path).context(|| path.display().to_string())?;
    expect(saved.contains("leaf"), || saved.clone())?;
    let counted = |text: &str| -> Option<u64> {
        text.split(" samples in ").next()?.rsplit(' ').next()?.parse().ok()
    };
    let before = screen.wait("there are some samples", |text| counted(text) > Some(100))?;
    screen.press("r")?;
    screen.wait("they are forgotten", |text| counted(text) < counted(&before))?;
    screen.press("q")?;
    screen.left_well()?;
    target.end()?;
    Ok(String::new())
}

fn resized(screen: &Screen, target: Target) -> Outcome<String> {
    screen.tmux(&["resize-window", "-x", "60", "-y", "8"])?;
    screen.wait("the small screen is used", |text| {
        text.lines().count() <= 8 && text.contains("q quit") && !text.contains("where it is")
    })?;
    screen.tmux(&["resize-window", "-x", "140", "-y", "50"])?;
    screen.wait("the large screen is used", |text| {
        text.contains("s save") && text.contains("where it is")
    })?;
    screen.press("q")?;
    screen.left_well()?;
    target.end()?;
    Ok(String::new())
}

fn ctrl_c(screen: &Screen, target: Target) -> Outcome<String> {
    screen.press("C-c")?;
    screen.left_well()?;
    target.end()?;
    Ok(String::new())
}

fn sigterm(screen: &Screen, target: Target) -> Outcome<String> {
    nix::sys::signal::kill(screen.own_pid()?, nix::sys::signal::Signal::SIGTERM)
        .context(|| "send SIGTERM".into())?;
    screen.left_well()?;
    target.end()?;
    Ok(String::new())
}

/// A connection that is lost, or a window that is closed, ends it.
fn terminal_goes_away(screen: &Screen, target: Target) -> Outcome<String> {
    let pid = screen.own_pid()?;
    screen.tmux(&["kill-server"])?;
    wait_until("top has left", || {
        // Nobody may collect it here.
        let state = status_line(pid.as_raw().unsigned_abs(), "State");
        Ok(state.map_or(Some(()), |state| state.starts_with('Z').then_some(())))
    })?;
    expect_left_alone(target.pid())?;
    target.end()?;
    Ok(String::new())
}

fn process_ends(screen: &Screen, target: Target) -> Outcome<String> {
    target.end()?;
    screen.left_well()?;
    let words = format!("Process {} has ended.", screen.pid);
    screen.wait_for(&words)?;
    Ok(String::new())
}

/// Only a build with debug assertions has a key for this.
fn panics(screen: &Screen, target: Target) -> Outcome<String> {
    if !cfg!(debug_assertions) {
        return Ok("not in a release build".into());
    }
    screen.press("F12")?;
    let (status, text) = screen.left()?;
    expect(status == 101, || format!("exit status {status}:\n{text}"))?;
    expect(text.contains("F12 was pressed"), || text.clone())?;
    target.end()?;
    Ok(String::new())
}
