//! A Python program under test, held by two pipes.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};

use super::interpreters::Interpreter;
use super::process::{Guard, wait_at_rest};
use super::truth::{Names, Truth};
use super::{Context, Outcome, PATIENCE, targets};

/// A running target. It is killed when it goes out of scope.
pub(crate) struct Target {
    label: String,
    names: Names,
    guard: Guard,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    stderr: PathBuf,
}

/// The environment in which every target runs; nothing else is passed on.
pub(crate) fn set_environment(command: &mut Command) {
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONWARNINGS", "ignore");
}

impl Target {
    /// Starts a script of `tests/targets` under an interpreter.
    pub(crate) fn start(
        interpreter: &Interpreter,
        script: &str,
        arguments: &[&str],
    ) -> Outcome<Self> {
        let mut command = Command::new(&interpreter.executable);
        set_environment(&mut command);
        command.arg(targets().join(script)).args(arguments);
        Self::start_command(interpreter, &mut command)
    }

    /// Starts a command that becomes such a script.
    pub(crate) fn start_command(interpreter: &Interpreter, command: &mut Command) -> Outcome<Self> {
        let stderr = new_file("stderr");
        let file = File::create(&stderr).context(|| format!("create {}", stderr.display()))?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file);
        let mut guard = Guard::spawn(command)?;
        let stdin = guard.0.stdin.take();
        let stdout = guard.0.stdout.take().context(|| "no pipe".into())?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let names = if interpreter.abi.starts_with("2.7") { Names::Bytes } else { Names::Text };
        Ok(Self { label: interpreter.label.to_owned(), names, guard, stdin, lines, stderr })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.guard.pid()
    }

    /// The next line that it writes.
    pub(crate) fn line(&self) -> Outcome<String> {
        self.lines.recv_timeout(PATIENCE).map_err(|error| {
            let stderr = std::fs::read(&self.stderr).unwrap_or_default();
            let stderr = String::from_utf8_lossy(&stderr);
            format!("{}: the target says nothing ({error}); its stderr: {stderr}", self.label)
        })
    }

    /// The next line, which must begin with this word; the words after it.
    pub(crate) fn expect(&self, word: &str) -> Outcome<Vec<String>> {
        let line = self.line()?;
        let mut words = line.split_whitespace().map(str::to_owned);
        if words.next().as_deref() != Some(word) {
            return Err(format!("{}: the target says {line:?}, not {word}", self.label));
        }
        Ok(words.collect())
    }

    /// Ends one that measures its own times, when its standard input closes: the seconds that
    /// it says it has spent.
    pub(crate) fn spent(mut self) -> Outcome<Vec<f64>> {
        self.close_stdin();
        let words = self.expect("spent")?;
        self.end()?;
        Ok(words.iter().filter_map(|word| word.parse().ok()).collect())
    }

    /// Writes to its standard input.
    pub(crate) fn tell(&mut self, text: &str) -> Outcome {
        let words = || format!("{}: tell the target {text:?}", self.label);
        let stdin = self.stdin.as_mut().context(words)?;
        stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush()).context(words)
    }

    /// Closes its standard input.
    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Asks `stacks.py` for a scenario.
    pub(crate) fn begin(&mut self, scenario: &str) -> Outcome {
        self.tell(&format!("{scenario}\n"))
    }

    /// The truth at the next stop, or `None` when the scenario is over.
    pub(crate) fn next_stop(&self) -> Outcome<Option<Truth>> {
        let line = self.line()?;
        if line == "done" {
            return Ok(None);
        }
        let pid = line.strip_prefix("truth ").and_then(|pid| pid.parse().ok());
        let pid = pid.context(|| format!("{}: the target says {line:?}", self.label))?;
        let mut lines = Vec::new();
        loop {
            let line = self.line()?;
            if line == "end" {
                return Truth::parse(self.names, pid, &lines).map(Some);
            }
            lines.push(line);
        }
    }

    /// Starts `stacks.py` and lets it stop within a shallow recursion: a target
    /// at rest whose truth is known.
    pub(crate) fn at_rest(interpreter: &Interpreter) -> Outcome<(Self, Truth)> {
        let (target, truth) = Self::start(interpreter, "stacks.py", &["-"])?.stop()?;
        wait_at_rest(target.pid())?;
        Ok((target, truth))
    }

    /// Brings a new `stacks.py` to a stop.
    pub(crate) fn stop(mut self) -> Outcome<(Self, Truth)> {
        self.expect("ready")?;
        self.begin("recursion-5")?;
        let truth = self.next_stop()?.context(|| format!("{}: it did not stop", self.label))?;
        Ok((self, truth))
    }

    /// Lets it go on to its end, which must be a good one.
    pub(crate) fn end(mut self) -> Outcome {
        self.close_stdin();
        let status = self.guard.wait(&self.label)?;
        if !status.success() {
            let stderr = std::fs::read_to_string(&self.stderr).unwrap_or_default();
            return Err(format!("{}: the target ended with {status}: {stderr}", self.label));
        }
        Ok(())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // A file left over in the build folder does no harm.
        let _ = std::fs::remove_file(&self.stderr);
    }
}

/// Runs a test in a new folder, which is gone afterwards.
pub(crate) fn in_folder<T>(folder: &Path, test: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    fs::create_dir(folder).context(|| folder.display().to_string())?;
    let outcome = test();
    // Whatever is left in the build folder does no harm.
    let _ = fs::remove_dir_all(folder);
    outcome
}

/// A path in the build folder that no other test uses.
pub(crate) fn new_file(what: &str) -> PathBuf {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("{what}-{}-{number}", std::process::id());
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}
