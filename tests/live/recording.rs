//! Recordings of live processes: what a report makes of them is what the profiler would
//! have written; a run that is killed leaves what it had seen.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use pyflame::profile::recording::Reader;
use pyflame::profile::{Detail, Profile as Seen};

use crate::support::binaries::{Binaries, is_built};
use crate::support::features::{Feature, Shows};
use crate::support::interpreters::{Interpreter, Interpreters};
use crate::support::process::{Guard, run, wait_until, wait_until_asleep};
use crate::support::profiler::{Profile, command, parse_flamechart, start_sampling};
use crate::support::runner::Trial;
use crate::support::target::{Target, in_folder, new_file};
use crate::support::{Context, Outcome, expect, with_more_time};

type Test = fn(&Interpreter, &Binaries, &Path) -> Outcome<String>;

const TESTS: [(&str, Test); 8] = [
    ("recorded and reported", recorded_and_reported),
    ("killed while it records", killed),
    ("two runs in one file", two_runs),
    ("read while it is written", read_live),
    ("compared", compared),
    ("reported as the run would have been", as_the_run),
    ("chosen afterwards", chosen_afterwards),
    ("chosen of several processes", several_processes),
];

/// What docs/ABIS.md has from here.
pub(crate) const SHOWS: Shows = &[
    (Feature::Recordings, "recorded and reported"),
    (Feature::Recordings, "killed while it records"),
    (Feature::Comparison, "compared"),
];

pub(crate) fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for interpreter in interpreters.one_per_abi().into_iter().filter(|i| is_built(i.abi)) {
        for (name, test) in TESTS {
            let (interpreter, binaries) = (interpreter.clone(), Arc::clone(&binaries));
            trials.push(Trial::new(format!("{} {name}", interpreter.label), move || {
                let folder = new_file("recording");
                in_folder(&folder, || test(&interpreter, &binaries, &folder))
            }));
        }
    }
    trials
}

fn busy(interpreter: &Interpreter) -> Outcome<Target> {
    let target = Target::start(interpreter, "busy.py", &[])?;
    target.expect("ready")?;
    Ok(target)
}

/// Records a process and returns the file.
fn record(
    interpreter: &Interpreter,
    binaries: &Binaries,
    target: &Target,
    file: PathBuf,
    more: &[&str],
) -> Outcome<PathBuf> {
    let (pid, path) = (target.pid().to_string(), file.display().to_string());
    let arguments = [&["-p", &pid, "-s", "0.5", "-r", "0.001", "-o", &path], more].concat();
    run(&mut command(&binaries.profiler(interpreter.abi), &arguments))?.clean()?;
    Ok(file)
}

/// What `pyflame report` writes about a file.
fn report(binaries: &Binaries, file: &Path, more: &[&str]) -> Outcome<Vec<u8>> {
    let path = file.display().to_string();
    let arguments = [&["report", &path], more].concat();
    run(&mut command(&binaries.launcher(), &arguments))?.clean()
}

fn recorded_and_reported(
    interpreter: &Interpreter,
    binaries: &Binaries,
    folder: &Path,
) -> Outcome<String> {
    let target = busy(interpreter)?;
    let file = record(interpreter, binaries, &target, folder.join("a.pyflame"), &[])?;
    let folded = Profile::parse(&report(binaries, &file, &[])?, true)?;
    expect(folded.samples_with("leaf") * 2 > folded.total(), || format!("{folded:?}"))?;
    let chart = parse_flamechart(&report(binaries, &file, &["--format", "flamechart"])?)?;
    expect(chart.len() as u64 == folded.total(), || format!("{} moments", chart.len()))?;
    let ordered = chart.windows(2).all(|pair| pair[0].microseconds <= pair[1].microseconds);
    expect(ordered, || "the times are not in order".into())?;
    // A recording of a recording says the same.
    let again = folder.join("b.pyflame");
    report(binaries, &file, &["-o", &again.display().to_string()])?;
    let [first, second] = [&file, &again].map(|file| report(binaries, file, &[]));
    expect(first? == second?, || "a copy says something else".into())?;
    // Every profiler knows whose command this is.
    let path = file.display().to_string();
    let profiler = binaries.profiler(interpreter.abi);
    let by_profiler = run(&mut command(&profiler, &["report", &path]))?.clean()?;
    expect(by_profiler == report(binaries, &file, &[])?, || "the profiler differs".into())?;
    let bytes = fs::metadata(&file).context(|| path.clone())?.len();
    target.end()?;
    Ok(format!("{} samples in {bytes} bytes", folded.total()))
}

fn killed(interpreter: &Interpreter, binaries: &Binaries, folder: &Path) -> Outcome<String> {
    let target = busy(interpreter)?;
    let file = folder.join("killed.pyflame");
    let path = file.display().to_string();
    let running = start_sampling(
        &binaries.profiler(interpreter.abi),
        target.pid(),
        &["-r", "0.001", "-o", &path],
    )?;
    wait_until("a second with samples has been recorded", || {
        let so_far = run(&mut command(&binaries.launcher(), &["report", &path]))?;
        let so_far = Profile::parse(&so_far.stdout, true)?;
        Ok((so_far.samples_with("main") > 0).then_some(()))
    })?;
    drop(running); // by SIGKILL
    let finished = run(&mut command(&binaries.launcher(), &["report", &path]))?;
    finished.expect_error(0, &["WARNING: ", "the run was broken off"])?;
    let folded = Profile::parse(&finished.stdout, true)?;
    expect(folded.samples_with("main") > 0, || finished.words())?;
    // Another run takes the place of what is not whole.
    let cut = fs::read(&file).context(|| path.clone())?;
    fs::write(&file, &cut[..cut.len() - 3]).context(|| path.clone())?;
    let pid = target.pid().to_string();
    let profiler = binaries.profiler(interpreter.abi);
    let arguments = ["-p", &pid, "-s", "0.2", "-o", &path, "--append"];
    run(&mut command(&profiler, &arguments))?
        .expect_error(0, &["are of a run that was broken off"])?;
    let finished = run(&mut command(&binaries.launcher(), &["report", &path]))?;
    finished.expect_error(0, &["1 of 2 runs were broken off"])?;
    target.end()?;
    Ok(format!("{} samples survived", folded.total()))
}

fn two_runs(interpreter: &Interpreter, binaries: &Binaries, folder: &Path) -> Outcome<String> {
    let target = busy(interpreter)?;
    let total = |file: &Path| -> Outcome<u64> {
        Ok(Profile::parse(&report(binaries, file, &[])?, true)?.total())
    };
    let file = record(interpreter, binaries, &target, folder.join("a.pyflame"), &[])?;
    let first = total(&file)?;
    record(interpreter, binaries, &target, file.clone(), &["--append"])?;
    let both = total(&file)?;
    expect(both > first, || format!("{both} samples in both, {first} in the first"))?;
    record(interpreter, binaries, &target, file.clone(), &[])?;
    let over = total(&file)?;
    expect(over < both, || format!("{over} samples, not less than {both}"))?;
    // Files are added up too.
    let other = record(interpreter, binaries, &target, folder.join("b.pyflame"), &[])?;
    let other_path = other.display().to_string();
    let merged = Profile::parse(&report(binaries, &file, &[&other_path])?, true)?.total();
    expect(merged == over + total(&other)?, || format!("{merged} samples in two files"))?;
    target.end()?;
    Ok(format!("{first}, then {both} samples"))
}

fn read_live(interpreter: &Interpreter, binaries: &Binaries, _: &Path) -> Outcome<String> {
    let target = busy(interpreter)?;
    let pid = target.pid().to_string();
    let arguments = ["-p", &pid, "-s", "3600", "--format", "recording", "-o", "-"];
    let mut child = command(&binaries.profiler(interpreter.abi), &arguments);
    let mut guard = Guard::spawn(child.stdout(Stdio::piped()))?;
    let pipe = guard.0.stdout.take().context(|| "no pipe".into())?;
    let mut profile = Seen::new(Detail::Threads);
    let mut reader = Reader::new(pipe).context(|| "read the pipe".into())?;
    // It would be an hour until a profile that is written at its end.
    let samples = |profile: &Seen| profile.stacks().map(|(_, count)| count).sum::<u64>();
    let mut blocks = 0;
    while samples(&profile) < 100 {
        let more = reader.next(&mut profile).context(|| "read a block".into())?;
        expect(more, || format!("it ended after {} samples", samples(&profile)))?;
        blocks += 1;
    }
    expect(blocks > 1, || "all came at once".into())?;
    expect(reader.about().ticks >= 100, || format!("{:?}", reader.about()))?;
    // Who reads no more ends the run.
    drop(reader);
    let status = guard.wait("the profiler")?;
    expect(status.success(), || status.to_string())?;
    target.end()?;
    Ok(format!("{} samples in {blocks} blocks", samples(&profile)))
}

fn compared(interpreter: &Interpreter, binaries: &Binaries, folder: &Path) -> Outcome<String> {
    let file = wait_until("a recording has much of seldom()", || {
        let file = folder.join("a.pyflame");
        let _ = fs::remove_file(&file);
        let target = busy(interpreter)?;
        let file = record(interpreter, binaries, &target, file, &[])?;
        target.end()?;
        let profile = Profile::parse(&report(binaries, &file, &[])?, true)?;
        let is_much = profile.samples_with("seldom") * 20 > profile.total();
        Ok(is_much.then_some(file))
    })?;
    let folded = folder.join("b.folded");
    report(binaries, &file, &["-o", &folded.display().to_string()])?;
    let [a, b] = [&file, &folded].map(|file| file.display().to_string());
    let change = folder.join("change.folded").display().to_string();
    let same = run(&mut command(&binaries.launcher(), &["diff", &a, &b, "-o", &change]))?;
    let text = String::from_utf8_lossy(&same.clean()?).into_owned();
    expect(text.contains("No difference is more than chance explains"), || text.clone())?;
    let mut lines = String::new();
    fs::File::open(&change)
        .and_then(|mut file| file.read_to_string(&mut lines))
        .context(|| change.clone())?;
    let equal = |line: &str| {
        let mut words = line.rsplit(' ');
        words.next() == words.next()
    };
    expect(!lines.is_empty() && lines.lines().all(equal), || lines.clone())?;
    let draw = Command::new("sh").args(["-c", "test -s \"$1\"", "sh", &change]).status();
    expect(draw.is_ok_and(|status| status.success()), || change.clone())?;
    // A function that is gone is faster.
    let less: String = lines
        .lines()
        .filter(|line| !line.contains(":seldom"))
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(line, _)| format!("{line}\n"))
        .collect();
    fs::write(&folded, less).context(|| b.clone())?;
    let text = run(&mut command(&binaries.launcher(), &["diff", &a, &b]))?.clean()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let faster = text.split_once("Faster:").map_or("", |(_, faster)| faster);
    expect(faster.contains(":seldom"), || text.clone())?;
    Ok(String::new())
}

/// What may be chosen of a process at rest: where it stands, its files, its functions.
const CHOICES: [&[&str]; 8] = [
    &[],
    &["-n"],
    &["--function-only"],
    &["--file-only"],
    &["--relative"],
    &["--depth", "2"],
    &["--include", "truth", "--strip-prefix", "/"],
    &["--exclude", "threading", "-n", "-x"],
];

/// A process that stands still gives one sample each time: written at once, recorded with the
/// same choice, and recorded as a whole and chosen from by the report, it is the same bytes.
fn as_the_run(interpreter: &Interpreter, binaries: &Binaries, folder: &Path) -> Outcome<String> {
    let (target, truth) = Target::at_rest(interpreter)?;
    let pid = target.pid().to_string();
    let profiler = binaries.profiler(interpreter.abi);
    let sample = |more: &[&str]| {
        let arguments = [&["-p", &pid, "-s", "0", "--threads"], more].concat();
        run(&mut command(&profiler, &arguments))?.clean()
    };
    let file = |name: &str| folder.join(name);
    let record = |name: &str, more: &[&str]| -> Outcome<PathBuf> {
        let path = file(name).display().to_string();
        sample(&[&["-o", &path], more].concat())?;
        Ok(file(name))
    };
    let whole = record("whole.pyflame", &[])?;
    for choice in CHOICES {
        let direct = sample(choice)?;
        let recorded = report(binaries, &record("chosen.pyflame", choice)?, &[])?;
        let chosen = report(binaries, &whole, choice)?;
        let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        for other in [recorded, chosen] {
            expect(direct == other, || {
                format!("{choice:?}: {} reported as {}", words(&direct), words(&other))
            })?;
        }
        expect(!direct.is_empty(), || format!("nothing is left with {choice:?}"))?;
    }
    // Files are not told by a recording of functions.
    let functions = record("functions.pyflame", &["--function-only"])?.display().to_string();
    let arguments = ["report", &functions, "--include", "truth"];
    run(&mut command(&binaries.launcher(), &arguments))?
        .expect_error(1, &["cannot choose from", "--function-only"])?;
    Ok(format!("{} threads, {} choices", truth.threads.len(), CHOICES.len()))
}

/// Threads and states are chosen from a recording as a profiler chooses them.
fn chosen_afterwards(
    interpreter: &Interpreter,
    binaries: &Binaries,
    folder: &Path,
) -> Outcome<String> {
    let mut target = Target::start(interpreter, "modes.py", &[])?;
    let id = target.expect("ready")?.first().cloned().context(|| "no identity".into())?;
    // The main thread and the idle one; the third hashes.
    wait_until_asleep(target.pid(), 2, 3)?;
    let record =
        |name: &str, more: &[&str]| record(interpreter, binaries, &target, folder.join(name), more);
    let whole = record("whole.pyflame", &["--idle"])?;
    let functions = |choice: &[&str]| -> Outcome<BTreeSet<String>> {
        let folded = Profile::parse(&report(binaries, &whole, choice)?, true)?;
        let frames = folded.stacks.iter().flat_map(|stack| &stack.frames);
        let own = frames.filter(|frame| frame.file.ends_with("modes.py"));
        let functions = own.map(|frame| frame.function.clone());
        Ok(functions.filter(|function| function != "<module>").collect())
    };
    let cases: [(&[&str], &[&str]); 7] = [
        (&[], &["packing", "sleeping", "waiting"]),
        (&["--cpu"], &["packing"]),
        (&["--thread", "idle, very"], &["sleeping"]),
        (&["--thread", &id], &["sleeping"]),
        (&["--main-thread"], &["waiting"]),
        (&["--main-thread", "--thread", "busy"], &["packing", "waiting"]),
        (&["--cpu", "--thread", "idle, very"], &[]),
    ];
    for (choice, expected) in cases {
        let expected: BTreeSet<String> = expected.iter().map(|name| (*name).to_owned()).collect();
        let seen = functions(choice)?;
        expect(seen == expected, || format!("{choice:?}: {expected:?}; seen: {seen:?}"))?;
    }
    // The same moments, with and without those at which there is nothing. Interrupts of two
    // threads may come at one microsecond, and are one moment then.
    let total = |choice: &[&str]| -> Outcome<Profile> {
        Profile::parse(&report(binaries, &whole, choice)?, true)
    };
    let main = total(&["--main-thread"])?;
    let idle = total(&["--cpu", "--main-thread"])?;
    let are_alike = idle.total().abs_diff(main.total()) * 50 <= main.total();
    expect(idle.stacks.is_empty() && are_alike, || {
        format!("{idle:?}, not {} moments", main.total())
    })?;
    expect(total(&["--gil", "-x"])?.idle == 0, || "-x leaves idle moments".into())?;
    let plain = record("plain.pyflame", &["--threads"])?;
    for (file, choice, words) in [
        (&plain, &["--cpu"][..], "Record with --idle"),
        (&whole, &["--thread", "nobody"], "\"idle, very\""),
    ] {
        let path = file.display().to_string();
        let arguments = [&["report", &path], choice].concat();
        run(&mut command(&binaries.launcher(), &arguments))?.expect_error(1, &[words])?;
    }
    target.tell("x")?;
    target.end()?;
    Ok(format!("{} choices of {} moments", cases.len(), main.total()))
}

/// Each process of several has names by its own `sys.path`, at once and in a report.
fn several_processes(
    interpreter: &Interpreter,
    binaries: &Binaries,
    folder: &Path,
) -> Outcome<String> {
    let (first, _) = Target::at_rest(interpreter)?;
    let (second, _) = Target::at_rest(interpreter)?;
    let pids = [&first, &second].map(|target| target.pid().to_string());
    let sample = |time: &str, more: &[&str]| {
        let line = ["-p", &pids[0], "-p", &pids[1], "-s", time, "--threads"];
        run(&mut command(&binaries.launcher(), &[&line, more].concat()))?.clean_if_sampled()
    };
    let choice = ["--relative", "-n", "--exclude", "truth"];
    with_more_time(&["0.3", "2", "8"], |time| {
        let direct = sample(time, &choice)?.unwrap_or_default();
        let recording = folder.join(format!("several-{time}.pyflame"));
        let reported = match sample(time, &["-o", &recording.display().to_string()])? {
            Some(_) => report(binaries, &recording, &choice)?,
            None => Vec::new(),
        };
        let (direct, reported) = (relative_stacks(&direct)?, relative_stacks(&reported)?);
        let words = format!("{direct:#?}, reported as {reported:#?}");
        // Each run has to start two that sample, each of which sees one stack.
        let is_whole = direct.len() >= 2 && reported.len() >= 2;
        let is_right = !is_whole || direct == reported;
        expect(is_right && direct.len() <= 2 && reported.len() <= 2, || words.clone())?;
        Ok(if is_whole { Ok(()) } else { Err(words) })
    })?;
    first.end()?;
    second.end()?;
    Ok(String::new())
}

/// The stacks of several `stacks.py`, each of which must have names by its `sys.path`.
fn relative_stacks(folded: &[u8]) -> Outcome<BTreeSet<String>> {
    let text = String::from_utf8_lossy(folded).into_owned();
    let stacks = text.lines().filter_map(|line| line.rsplit_once(' '));
    let stacks: BTreeSet<String> = stacks.map(|(stack, _)| stack.to_owned()).collect();
    let is_relative = |stack: &String| {
        stack.starts_with("process ")
            && stack.contains(");stacks.py:")
            && !stack.contains("truth.py")
    };
    expect(stacks.iter().all(is_relative), || format!("{stacks:#?}"))?;
    Ok(stacks)
}
