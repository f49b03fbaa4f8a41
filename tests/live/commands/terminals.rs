//! Keys that are pressed while a command runs on a terminal.

use std::time::{Duration, Instant};

use super::{Case, Left, script};
use crate::support::process::{expect_left_alone, wait_until};
use crate::support::profiler::Profile;
use crate::support::terminal::Terminal;
use crate::support::{Context, Outcome, expect};

/// So many samples show that a function was sampled.
const ENOUGH: u64 = 5;

/// A command under the profiler on a terminal, with the exit status in a file at the end.
fn open(case: &Case, options: &str, words: &str) -> Outcome<Terminal> {
    let terminal = Terminal::prepare()?;
    terminal.run(&format!(
        "trap : INT; cd '{}'; export PATH=/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 PYTHON_HISTORY=/dev/null; \
         echo shell; {} -r 0.002 {options} -t {words}; echo left $? >status; echo prompt; exec cat",
        terminal.folder.display(),
        case.profiler.display(),
    ))?;
    Ok(terminal)
}

fn commanded(case: &Case, words: &str) -> Outcome<Terminal> {
    let words = format!("{} {} {words}", case.python(), script("commanded.py"));
    let terminal = open(case, "-o out.folded", &words)?;
    terminal.wait_for("ready")?;
    wait_until_sampled(&terminal, "burn")?;
    Ok(terminal)
}

/// Waits until the profiler is at work: it has seen a function of the program.
fn wait_until_sampled(terminal: &Terminal, function: &str) -> Outcome {
    let pid = terminal.text()?;
    let pid = pid.lines().find_map(|line| line.strip_prefix("ready ")).map(str::trim);
    let pid = pid.context(|| "the program does not say its pid".into())?.to_owned();
    let parent =
        crate::support::process::status_line(pid.parse().context(|| pid.clone())?, "PPid")?;
    wait_until("the profile has samples of the program", || {
        super::send(parent.parse().context(|| parent.clone())?, nix::sys::signal::Signal::SIGUSR1)?;
        let text = terminal.read("out.folded").unwrap_or_default();
        Ok(text.contains(function).then_some(()))
    })
}

/// Waits for the shell's next prompt, and says how the profiler ended and what was on the
/// screen.
fn left(terminal: &Terminal) -> Outcome<(i32, String)> {
    let text = terminal.wait_for("\nprompt")?;
    let status = terminal.read("status")?;
    let number = status.trim().strip_prefix("left ").and_then(|number| number.parse().ok());
    Ok((number.context(|| status.clone())?, text))
}

fn samples(terminal: &Terminal, function: &str) -> Outcome<u64> {
    Ok(Profile::parse(terminal.read("out.folded")?.as_bytes(), true)?.samples_with(function))
}

/// Python's prompt is usable, and survives Ctrl-C.
pub(crate) fn prompt(case: &Case) -> Outcome<String> {
    let terminal = open(case, "-o out.folded", &case.python())?;
    terminal.wait_for(">>>")?;
    terminal.enter("import os; print(\"ready %d\" % os.getpid())")?;
    terminal.wait_for("\nready ")?;
    terminal.enter("sum(1 for i in iter(int, 1))")?;
    wait_until_sampled(&terminal, "<genexpr>")?;
    terminal.press("C-c")?;
    terminal.wait_for("KeyboardInterrupt")?;
    terminal.enter("6 * 7")?;
    terminal.wait_for("\n42")?;
    terminal.enter("exit()")?;
    let (status, text) = left(&terminal)?;
    expect(status == 0 && !text.contains("still runs"), || format!("{status}: {text}"))?;
    Ok(String::new())
}

/// The cleaning up is in the profile, and the last words come before the shell's prompt.
pub(crate) fn clean_up(case: &Case) -> Outcome<String> {
    let terminal = commanded(case, "tidy 2")?;
    terminal.press("C-c")?;
    let (status, text) = left(&terminal)?;
    // The terminal has sent it once; nobody else has sent it.
    expect(text.matches("got 2").count() == 1, || text.clone())?;
    expect(text.find("last words") < text.find("\nprompt"), || text.clone())?;
    expect(status == 3, || format!("{status}: {text}"))?;
    let seen = samples(&terminal, "clean_up")?;
    expect(seen >= ENOUGH, || format!("{seen} samples of clean_up"))?;
    Ok(format!("{seen} samples of cleaning up"))
}

/// A program that asks keeps its terminal.
pub(crate) fn question(case: &Case) -> Outcome<String> {
    let terminal = commanded(case, "asks")?;
    terminal.press("C-c")?;
    terminal.wait_for("shut down? (y/n)")?;
    terminal.enter("y")?;
    let (status, text) = left(&terminal)?;
    expect(text.find("bye") < text.find("\nprompt"), || text.clone())?;
    expect(status == 4, || format!("{status}: {text}"))?;
    expect(samples(&terminal, "asks")? > 0, || "no samples".into())?;
    Ok(String::new())
}

/// A command that does not end is left at the second, which is said, and the profile written.
pub(crate) fn twice(case: &Case) -> Outcome<String> {
    let terminal = commanded(case, "deaf 2")?;
    let text = terminal.text()?;
    let pid = text.lines().find_map(|line| line.strip_prefix("ready "));
    let pid: u32 = pid.and_then(|pid| pid.trim().parse().ok()).context(|| text.clone())?;
    let _left = Left(pid);
    terminal.press("C-c")?;
    terminal.wait("it comes once", |text| text.matches("got 2").count() == 1)?;
    press_until_left(&terminal)?;
    let (status, text) = left(&terminal)?;
    expect(text.contains("The command still runs, and is left"), || text.clone())?;
    expect(status == 130, || format!("{status}: {text}"))?;
    expect_left_alone(pid)?;
    expect(samples(&terminal, "burn")? > 0, || "no samples".into())?;
    Ok(String::new())
}

/// Presses Ctrl-C, again if the machine was too busy for two within two seconds.
fn press_until_left(terminal: &Terminal) -> Outcome {
    for _ in 0..20 {
        terminal.press("C-c")?;
        let pressed = Instant::now();
        while pressed.elapsed() < Duration::from_secs(1) {
            if terminal.text()?.contains("is left") {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    Err(format!("the command is never left: {}", terminal.text()?))
}

/// Ctrl-Z stops both, and `fg` lets both go on.
pub(crate) fn job_control(case: &Case) -> Outcome<String> {
    let terminal = Terminal::prepare()?;
    terminal.run(&format!("cd '{}'; PS1='$ ' exec bash --norc -i", terminal.folder.display()))?;
    terminal.wait_for("$")?;
    let (python, script) = (case.python(), script("commanded.py"));
    let profiler = case.profiler.display();
    terminal.enter(&format!("p={profiler} s={script} e={python}; clear"))?;
    terminal.enter("$p -r 0.002 -o out.folded -t $e $s tidy 2")?;
    terminal.wait_for("ready")?;
    wait_until_sampled(&terminal, "burn")?;
    terminal.press("C-z")?;
    let stopped = terminal.wait_for("Stopped")?;
    // The shell names the command when it stops and when it goes on, and what was typed ahead
    // of its prompt is on the screen twice.
    let named = |text: &str| text.matches("tidy 2").count();
    terminal.enter("fg")?;
    terminal.wait("it goes on", |text| named(text) > named(&stopped))?;
    terminal.press("C-c")?;
    terminal.wait_for("last words")?;
    terminal.enter("echo status $?")?;
    let text = terminal.wait_for("\nstatus ")?;
    expect(text.contains("\nstatus 3"), || text.clone())?;
    let seen = samples(&terminal, "clean_up")?;
    expect(seen >= ENOUGH, || format!("{seen} samples of clean_up"))?;
    Ok(String::new())
}
