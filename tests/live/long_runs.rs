//! Long runs: snapshots on the way, a file for each window, the line on a terminal that
//! tells how it is getting on, and times with units.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::binaries::Binaries;
use crate::support::features::{Feature, Shows};
use crate::support::interpreters::{Interpreter, Interpreters};
use crate::support::process::{Running, run, wait_until};
use crate::support::profiler::{Profile, attach, command, start_sampling, wait_for_ticks};
use crate::support::runner::{self, Test, Trial};
use crate::support::target::Target;
use crate::support::{Context, Outcome, expect, targets, with_more_time};

/// What a test gets to work with.
struct Case {
    interpreter: Interpreter,
    /// `pyflameX.Y`.
    profiler: PathBuf,
    /// A folder of its own.
    folder: PathBuf,
}

const TESTS: [(&str, Test<Case>); 8] = [
    ("snapshots on SIGUSR1", snapshots),
    ("SIGUSR1 without a file", snapshot_without_a_file),
    ("a file for each window", windows),
    ("a recording for each window", windows_of_recordings),
    ("windows without a file", windows_without_a_file),
    ("a command that outlives --duration", command_that_goes_on),
    ("progress on a terminal", progress_on_a_terminal),
    ("rate with a unit", rate_with_a_unit),
];

/// What docs/ABIS.md has from here.
pub(crate) const SHOWS: Shows = &[(Feature::Windows, "a file for each window")];

pub(crate) fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    runner::one_per_abi_in_folder(&interpreters, "", &TESTS, |interpreter, folder| Case {
        interpreter: interpreter.clone(),
        profiler: binaries.profiler(interpreter.abi),
        folder,
    })
}

impl Case {
    /// A program that is busy until it is told to end.
    fn busy(&self) -> Outcome<Target> {
        let target = Target::start(&self.interpreter, "busy.py", &[])?;
        target.expect("ready")?;
        Ok(target)
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// The names of all files in the folder, in order.
    fn names(&self) -> Outcome<Vec<String>> {
        let entries = fs::read_dir(&self.folder).context(|| "list the folder".into())?;
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.context(|| "list the folder".into())?.file_name();
            names.push(name.to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }
}

fn read(file: impl AsRef<Path>) -> Outcome<Profile> {
    let file = file.as_ref();
    Profile::parse(&fs::read(file).context(|| file.display().to_string())?, true)
}

fn send(running: &Running, signal: Signal) -> Outcome {
    let pid = i32::try_from(running.pid()).context(|| "a pid".into())?;
    kill(Pid::from_raw(pid), signal).context(|| format!("send {signal}"))
}

fn snapshots(case: &Case) -> Outcome<String> {
    let target = case.busy()?;
    let file = case.file("out.folded");
    let running = start_sampling(&case.profiler, target.pid(), &["-r", "0.002", "-o", &file])?;
    let mut totals = Vec::new();
    for _ in 0..2 {
        // The first may come before there is a sample.
        totals.push(wait_until("a snapshot has samples", || {
            expect(!Path::new(&file).exists(), || "there is a result too early".into())?;
            send(&running, Signal::SIGUSR1)?;
            wait_until("there is a snapshot", || Ok(Path::new(&file).exists().then_some(())))?;
            let total = read(&file)?.total();
            fs::remove_file(&file).context(|| "remove the snapshot".into())?;
            Ok((total > 0).then_some(total))
        })?);
        wait_for_ticks(&running, 50)?;
    }
    send(&running, Signal::SIGINT)?;
    running.finish()?.clean()?;
    let last = read(&file)?;
    totals.push(last.total());
    expect(totals.is_sorted() && totals[0] < totals[2] && totals[0] > 0, || {
        format!("each has all samples before it: {totals:?}")
    })?;
    expect(last.samples_with("main") * 10 > last.total() * 9, || format!("{last:?}"))?;
    expect(case.names()? == ["out.folded"], || format!("{:?}", case.names()))?;
    target.end()?;
    Ok(format!("{totals:?} samples"))
}

fn snapshot_without_a_file(case: &Case) -> Outcome<String> {
    let target = case.busy()?;
    // A profiler that prepares its work waits too, and on a busy machine often.
    with_more_time(&["50", "1000", "5000"], |ticks| {
        let running = start_sampling(&case.profiler, target.pid(), &["-r", "0.002"])?;
        send(&running, Signal::SIGUSR1)?;
        wait_for_ticks(&running, ticks.parse().context(|| ticks.to_owned())?)?;
        send(&running, Signal::SIGTERM)?;
        let finished = running.finish()?;
        finished.expect_error(0, &["SIGUSR1", "-o"])?;
        let is_enough = Profile::parse(&finished.stdout, true)?.total() > 50;
        Ok(if is_enough { Ok(String::new()) } else { Err(finished.words()) })
    })
}

fn windows(case: &Case) -> Outcome<String> {
    let (names, time) = windows_of_a_second(case, "out.folded")?;
    let (mut totals, mut main) = (Vec::new(), 0);
    for name in &names {
        let time = name.strip_prefix("out.").and_then(|rest| rest.strip_suffix("Z.folded"));
        let time = time.context(|| format!("no time in {name}"))?;
        let form: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        expect(form == "0000-00-00T00-00-00", || format!("the time in {name}"))?;
        let profile = read(case.folder.join(name))?;
        main += profile.samples_with("main");
        totals.push(profile.total());
    }
    // A machine that is busy may make some late, but there are no more than fit in, with one at
    // the end of each window, and those of the kernel's timers that come a little early.
    let words = format!("{totals:?} samples in {time:.1?}, {main} with main");
    let sum: u64 = totals.iter().sum();
    expect(totals[0] > 0 && totals[1] > 0 && main * 10 > sum * 9, || words.clone())?;
    expect(sum <= fits_in(time) + totals.len() as u64, || words.clone())?;
    Ok(words)
}

/// The names of the files of a run with a window for each second, which goes on until there
/// are three; and how long that took.
fn windows_of_a_second(case: &Case, name: &str) -> Outcome<(Vec<String>, Duration)> {
    let target = case.busy()?;
    let file = case.file(name);
    let begin = Instant::now();
    let options = ["-r", "0.002", "--rotate", "1s", "-o", &file];
    let running = start_sampling(&case.profiler, target.pid(), &options)?;
    wait_until("there are three windows", || Ok((case.names()?.len() >= 3).then_some(())))?;
    send(&running, Signal::SIGINT)?;
    running.finish()?.clean()?;
    let (names, time) = (case.names()?, begin.elapsed());
    target.end()?;
    let is_right = names.len() >= 3 && names.len() as u64 <= time.as_secs() + 1;
    expect(is_right, || format!("windows of 1 s in {time:.1?}: {names:?}"))?;
    Ok((names, time))
}

/// How many samples fit in a time at most, where one is due every two milliseconds.
fn fits_in(time: Duration) -> u64 {
    u64::try_from(time.as_millis() * 525 / 1000).unwrap_or(u64::MAX)
}

fn windows_of_recordings(case: &Case) -> Outcome<String> {
    let (names, time) = windows_of_a_second(case, "out.pyflame")?;
    let (mut totals, mut lengths) = (Vec::new(), Vec::<Duration>::new());
    for name in &names {
        let file = fs::File::open(case.folder.join(name)).context(|| name.clone())?;
        let mut reader = pyflame::profile::recording::Reader::new(file).context(|| name.clone())?;
        let mut profile = pyflame::profile::Profile::default();
        reader.read_all(&mut profile).context(|| name.clone())?;
        let complaint = reader.ending().complaint();
        expect(complaint.is_none(), || format!("{name}: {complaint:?}"))?;
        lengths.push(reader.about().elapsed);
        totals.push(profile.stacks().map(|(_, samples)| samples).sum::<u64>());
    }
    let words = format!("{totals:?} samples in {lengths:.2?} of {time:.2?}");
    // All but the last are whole, and none tells of the time of another, nor has its samples.
    let mut whole = lengths[..lengths.len() - 1].iter();
    let is_right = whole.all(|length| *length > Duration::from_millis(900));
    let (length, sum) = (lengths.iter().sum::<Duration>(), totals.iter().sum::<u64>());
    let is_apart = length <= time && sum <= fits_in(time) + totals.len() as u64;
    expect(is_right && is_apart && totals[0] > 0 && totals[1] > 0, || words.clone())?;
    Ok(words)
}

fn windows_without_a_file(case: &Case) -> Outcome<String> {
    let target = case.busy()?;
    let finished = attach(&case.profiler, target.pid(), &["--rotate", "1s"])?;
    finished.expect_error(1, &["--rotate", "stdout", "-o"])?;
    let finished = attach(&case.profiler, target.pid(), &["--rotate", "1s", "-o", "/dev/null"])?;
    finished.expect_error(1, &["--rotate", "/dev/null"])?;
    target.end()?;
    Ok(String::new())
}

/// The result is there when the time is over, and the command goes on.
fn command_that_goes_on(case: &Case) -> Outcome<String> {
    let file = case.file("out.folded");
    let script = targets().join("busy.py").display().to_string();
    let python = case.interpreter.executable.display().to_string();
    let options = ["-r", "0.002", "--duration", "300ms", "-o", &file, "-t", &python, &script];
    let mut running = Running::start(&mut command(&case.profiler, &options), true)?;
    wait_until("there is a result", || Ok(Path::new(&file).exists().then_some(())))?;
    let profile = read(&file)?;
    expect((20..=167).contains(&profile.total()), || format!("{profile:?}"))?;
    // Its standard input ends, and so does it.
    drop(running.take_stdin());
    let output = running.finish()?.clean()?;
    expect(output.starts_with(b"ready\nspent "), || String::from_utf8_lossy(&output).into_owned())?;
    Ok(format!("{} samples", profile.total()))
}

fn progress_on_a_terminal(case: &Case) -> Outcome<String> {
    let target = case.busy()?;
    let file = case.file("out.folded");
    let line = format!(
        "{} --duration 1200ms -r 100hz -o {file} -p {}",
        case.profiler.display(),
        target.pid()
    );
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).env("TERM", "dumb");
    let screen = run(&mut script)?;
    let text = String::from_utf8_lossy(&screen.stdout).into_owned();
    target.end()?;
    expect(screen.status.success(), || screen.words())?;
    let lines: Vec<&str> = text.split('\r').filter(|l| l.contains(" per second, ")).collect();
    // Four in a second at most. At last it is wiped away, and the account takes its place.
    expect((1..=5).contains(&lines.len()), || format!("{text:?}"))?;
    expect(lines.iter().all(|l| l.contains(" of 1s 200ms, ") && l.contains(" errors")), || {
        format!("{lines:?}")
    })?;
    expect(text.contains("\rengine: "), || format!("no account: {text:?}"))?;
    let closing = text.trim_end().lines().last().unwrap_or_default().to_owned();
    expect(closing.contains(&format!("Wrote {file}. Draw it: ")), || format!("{text:?}"))?;
    Ok(format!("{} lines", lines.len()))
}

fn rate_with_a_unit(case: &Case) -> Outcome<String> {
    let target = case.busy()?;
    let options = ["--duration", "500ms", "-r", "100hz"];
    let profile = Profile::parse(&attach(&case.profiler, target.pid(), &options)?.clean()?, true)?;
    target.end()?;
    expect((10..=57).contains(&profile.total()), || format!("{profile:?}"))?;
    Ok(format!("{} samples", profile.total()))
}
