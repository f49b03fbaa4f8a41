//! What can go wrong while a process is sampled: the profiler is killed, signals pour
//! in, the process forks, becomes another program, or unloads its interpreter.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::binaries::{Binaries, is_built};
use crate::support::copies::{libpython, loader};
use crate::support::features::Shows;
use crate::support::interpreters::{Interpreter, Interpreters, Kind};
use crate::support::process::{Guard, Running, expect_left_alone, status_line, wait_until};
use crate::support::profiler::{
    Profile, attach, command, start_sampling, wait_for_ticks, wait_until_it_catches,
};
use crate::support::runner::Trial;
use crate::support::target::{Target, in_folder, new_file, set_environment};
use crate::support::{Context, Outcome, PATIENCE, expect, native, targets, with_more_time};

/// What a test gets to work with.
struct Case {
    interpreter: Interpreter,
    profiler: PathBuf,
}

type Test = fn(&Case) -> Outcome<String>;

const TESTS: [(&str, Test); 7] = [
    ("profiler killed", profiler_killed),
    ("storm of signals", storm_of_signals),
    ("storm of signals for the profiler", storm_for_the_profiler),
    ("process that forks", process_that_forks),
    ("process that executes Python", process_that_executes_python),
    ("process that executes Python elsewhere", process_that_executes_python_elsewhere),
    ("process that executes another program", process_that_executes_another),
];

/// How often the profiler is killed: with all versions, a thousand times.
const KILLS: u32 = 80;

/// docs/ABIS.md has nothing from here.
pub(crate) const SHOWS: Shows = &[];

pub(crate) fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    let mut trials = Vec::new();
    let mut add = |interpreter: &Interpreter, name: &str, test: Test| {
        let profiler = binaries.profiler(interpreter.abi);
        let case = Case { interpreter: interpreter.clone(), profiler };
        let name = format!("{} {name}", interpreter.label);
        trials.push(Trial::new(name, move || test(&case)));
    };
    for interpreter in interpreters.one_per_abi().into_iter().filter(|i| is_built(i.abi)) {
        for (name, test) in TESTS {
            add(interpreter, name, test);
        }
    }
    let normal = interpreters.here.iter().filter(|i| i.kind == Kind::Normal && is_built(i.abi));
    for interpreter in normal.filter(|i| i.shared) {
        add(interpreter, "process that unloads Python", process_that_unloads);
    }
    trials
}

fn send(pid: u32, signal: Signal) -> Outcome {
    let pid = i32::try_from(pid).context(|| "a pid".into())?;
    kill(Pid::from_raw(pid), signal).context(|| format!("send {signal}"))
}

/// Killed at any moment, the profiler leaves a process that runs on and loses nothing.
fn profiler_killed(case: &Case) -> Outcome<String> {
    let file = new_file("counts");
    fs::write(&file, [0; 16]).context(|| file.display().to_string())?;
    let name = file.display().to_string();
    let target = Target::start(&case.interpreter, "counting.py", &[&name])?;
    target.expect("ready")?;
    let count = |index: usize| -> Outcome<u64> {
        let bytes = fs::read(&file).context(|| name.clone())?;
        let word = bytes.get(index * 8..index * 8 + 8).and_then(|word| word.try_into().ok());
        word.map(u64::from_le_bytes).context(|| "a short file".into())
    };
    for round in 0..KILLS {
        let rate = if round % 2 == 0 { "0" } else { "0.0003" };
        let engine = match round % 3 {
            0 => ["--engine", "auto"],
            1 => ["--engine", "stop"],
            _ => ["--pause", "always"],
        };
        let pid = target.pid().to_string();
        let options = ["-s", "3600", "-r", rate, engine[0], engine[1], "-p", &pid];
        let profiler =
            Guard::spawn(command(&case.profiler, &options).stdout(std::process::Stdio::null()))?;
        // Moments all over its life, from the first instruction on.
        std::thread::sleep(Duration::from_micros(u64::from(round * 7919 % 23_000)));
        drop(profiler);
        expect_left_alone(target.pid())?;
        let before = count(0)?;
        send(target.pid(), Signal::SIGUSR1)?;
        wait_until("the target counts on", || Ok((count(0)? > before + 1).then_some(())))?;
        wait_until("the signal is counted", || {
            Ok((count(1)? == u64::from(round) + 1).then_some(()))
        })?;
    }
    send(target.pid(), Signal::SIGUSR2)?;
    let words = target.expect("counted")?;
    let rounds = count(0)?;
    expect(words == [rounds.to_string(), KILLS.to_string()], || words.join(" "))?;
    target.end()?;
    // A file left over in the build folder does no harm.
    let _ = fs::remove_file(&file);
    Ok(format!("{KILLS} times, {rounds} rounds"))
}

/// Of ten thousand signals a second, none is lost to a stop.
fn storm_of_signals(case: &Case) -> Outcome<String> {
    let library = native::library()?.display().to_string();
    with_more_time(&["1", "4", "10"], |time| {
        let target = Target::start(&case.interpreter, "storm.py", &[&library])?;
        target.expect("ready")?;
        let options = ["-s", time, "-r", "0.0001", "--pause", "always"];
        let profile = attach(&case.profiler, target.pid(), &options)?.clean()?;
        expect_left_alone(target.pid())?;
        let profile = Profile::parse(&profile, true)?;
        send(target.pid(), Signal::SIGUSR2)?;
        let words = target.expect("storm")?;
        target.end()?;
        let [sent, came] = words.as_slice() else { return Err(words.join(" ")) };
        let number: u64 = sent.parse().context(|| sent.clone())?;
        expect(sent == came, || format!("{sent} signals sent, {came} came"))?;
        let words = format!("{sent} signals, {} samples", profile.total());
        let is_enough = number > 1000 && profile.samples_with("<module>") > 100;
        Ok(if is_enough { Ok(words) } else { Err(words) })
    })
}

/// Signals that come faster than the shortest sleep lasts keep nothing from its end, neither a
/// stop nor the run; nor do more snapshots than can be written.
fn storm_for_the_profiler(case: &Case) -> Outcome<String> {
    let target = Target::start(&case.interpreter, "busy.py", &[])?;
    target.expect("ready")?;
    let file = new_file("storm");
    let sent = in_storm(case, target.pid(), &["-o", &file.display().to_string()])?;
    let text = fs::read(&file).context(|| file.display().to_string())?;
    fs::remove_file(&file).context(|| file.display().to_string())?;
    let total = Profile::parse(&text, true)?.total();
    expect(total > 0, || format!("nothing in {sent} signals"))?;
    let picture = file.with_extension("svg");
    let more = in_storm(case, target.pid(), &["-o", &picture.display().to_string()])?;
    fs::remove_file(&picture).context(|| picture.display().to_string())?;
    target.end()?;
    Ok(format!("{total} samples, {sent} and {more} signals"))
}

/// Samples with as many `SIGUSR1` as can be sent, each of which asks for what there is so far.
/// Returns how many that were.
fn in_storm(case: &Case, pid: u32, options: &[&str]) -> Outcome<u32> {
    let pid_words = pid.to_string();
    let own = ["-s", "2", "-r", "0.002", "--pause", "always", "-p", &pid_words];
    let running = Running::start(&mut command(&case.profiler, &[&own, options].concat()), false)?;
    wait_until_it_catches(&running, &[Signal::SIGUSR1])?;
    let (begin, mut sent) = (Instant::now(), 0_u32);
    while !status_line(running.pid(), "State")?.starts_with('Z') && begin.elapsed() < PATIENCE {
        for _ in 0..1000 {
            send(running.pid(), Signal::SIGUSR1)?;
        }
        sent += 1000;
    }
    expect(begin.elapsed() < PATIENCE, || format!("no end after {sent} signals"))?;
    let finished = running.finish()?;
    expect(finished.status.success(), || finished.words())?;
    expect_left_alone(pid)?;
    Ok(sent)
}

/// Children that are forked at any moment of a stop go on and end as they should.
fn process_that_forks(case: &Case) -> Outcome<String> {
    with_more_time(&["0.5", "2", "8"], |time| {
        let mut target = Target::start(&case.interpreter, "forks.py", &[])?;
        target.expect("ready")?;
        let mut samples = 0;
        for engine in [["--pause", "always"], ["--engine", "auto"]] {
            let options = ["-s", time, "-r", "0.0005", engine[0], engine[1]];
            let profile = attach(&case.profiler, target.pid(), &options)?.clean()?;
            expect_left_alone(target.pid())?;
            samples += Profile::parse(&profile, true)?.samples_with("<module>");
        }
        target.close_stdin();
        let words = target.expect("children")?;
        target.end()?;
        let [children, wrong] = words.as_slice() else { return Err(words.join(" ")) };
        let words = format!("{children} children, {wrong} not as they should, {samples} samples");
        expect(wrong == "0", || words.clone())?;
        Ok(if children != "0" && samples > 50 { Ok(words) } else { Err(words) })
    })
}

/// For so many waits a profiler is left to it, before the program executes another and after: one
/// that prepares its work waits too, and on a busy machine often. The kernel's engine waits a
/// hundred times a second.
const WAITS: [&str; 3] = ["50", "500", "2500"];

fn number(waits: &str) -> Outcome<u64> {
    waits.parse().context(|| waits.to_owned())
}

/// Starts `executes.py`, and the profiler on it; after so many waits it executes the program.
fn sampled_until_it_executes(
    case: &Case,
    program: &[&str],
    more: &[&str],
    waits: &str,
) -> Outcome<(Target, Running)> {
    let mut target = Target::start(&case.interpreter, "executes.py", program)?;
    target.expect("ready")?;
    let options = [&["-r", "0.001"], more].concat();
    let running = start_sampling(&case.profiler, target.pid(), &options)?;
    wait_for_ticks(&running, number(waits)?)?;
    target.tell("\n")?;
    Ok((target, running))
}

/// The profile goes on in the new program, which is the same Python.
fn process_that_executes_python(case: &Case) -> Outcome<String> {
    let python = case.interpreter.executable.display().to_string();
    let busy = targets().join("busy.py").display().to_string();
    with_more_time(&WAITS, |waits| {
        let program = [python.as_str(), &busy];
        let (target, running) = sampled_until_it_executes(case, &program, &[], waits)?;
        target.expect("ready")?;
        wait_for_ticks(&running, number(waits)?)?;
        send(running.pid(), Signal::SIGINT)?;
        let profile = Profile::parse(&running.finish()?.clean()?, true)?;
        expect_left_alone(target.pid())?;
        let (before, after) = (profile.samples_with("before"), profile.samples_with("leaf"));
        let words = format!("{before} samples before, {after} after");
        Ok(if before > 0 && after > 0 { Ok(words) } else { Err(words) })
    })
}

/// The new program looks for its modules elsewhere, and paths are relative to that; those of
/// the old one stay relative to where it looked.
fn process_that_executes_python_elsewhere(case: &Case) -> Outcome<String> {
    let folder = new_file("elsewhere");
    in_folder(&folder, || {
        let (python, busy) = (case.interpreter.executable.display(), folder.join("busy.py"));
        let (python, busy) = (python.to_string(), busy.display().to_string());
        fs::copy(targets().join("busy.py"), &busy).context(|| busy.clone())?;
        with_more_time(&WAITS, |waits| {
            let (program, more) = ([python.as_str(), &busy], ["--relative"]);
            let (target, running) = sampled_until_it_executes(case, &program, &more, waits)?;
            target.expect("ready")?;
            wait_for_ticks(&running, number(waits)?)?;
            send(running.pid(), Signal::SIGINT)?;
            let profile = Profile::parse(&running.finish()?.clean()?, true)?;
            target.end()?;
            let files = |function: &str| -> BTreeSet<String> {
                let frames = profile.stacks.iter().flat_map(|stack| &stack.frames);
                let of_function = frames.filter(|frame| frame.function == function);
                of_function.map(|frame| frame.file.clone()).collect()
            };
            let (before, after) = (files("before"), files("often"));
            let is_relative = |files: &BTreeSet<String>, name: &str| files.iter().eq([name]);
            let words = format!("{before:?} and {after:?}");
            if before.is_empty() || after.is_empty() {
                return Ok(Err(words));
            }
            let are_relative =
                is_relative(&before, "executes.py") && is_relative(&after, "busy.py");
            expect(are_relative, || words)?;
            Ok(Ok(String::new()))
        })
    })
}

/// The profile ends where Python does, and says so; the new program is left alone.
fn process_that_executes_another(case: &Case) -> Outcome<String> {
    with_more_time(&WAITS, |waits| {
        let (mut target, running) = sampled_until_it_executes(case, &["/bin/cat"], &[], waits)?;
        target.tell("still here\n")?;
        expect(target.line()? == "still here", || "cat says something else".into())?;
        let finished = running.finish()?;
        expect_left_alone(target.pid())?;
        let before = Profile::parse(&finished.stdout, true)?.samples_with("before");
        target.end()?;
        if before == 0 {
            return Ok(Err(finished.words()));
        }
        finished.expect_error(0, &["The profile ends here."])?;
        Ok(Ok(format!("{before} samples before")))
    })
}

/// A program that loaded Python, ran it, and unloads it under the sampler.
fn process_that_unloads(case: &Case) -> Outcome<String> {
    let program = native::compile("embed.c", "embed", &["-ldl"])?;
    let library = libpython(&case.interpreter)?;
    let home = case.interpreter.executable.ancestors().nth(2).context(|| "no folder".into())?;
    // By the interpreter's own loader, which has the libraries that it needs.
    let mut command = Command::new(loader(&case.interpreter.executable)?);
    set_environment(&mut command);
    command.env("LD_LIBRARY_PATH", library.parent().context(|| "no folder".into())?);
    command.arg(program).arg(&library).arg(home).arg(targets().join("forks.py"));
    let mut target = Target::start_command(&case.interpreter, &mut command)?;
    target.expect("ready")?;
    let running = start_sampling(&case.profiler, target.pid(), &["-r", "0.001"])?;
    target.tell("\n")?;
    target.expect("children")?;
    target.expect("unloaded")?;
    // Modules that are linked to the library keep it.
    let maps = format!("/proc/{}/maps", target.pid());
    let stays = fs::read_to_string(&maps).context(|| maps.clone())?.contains("libpython");
    if stays {
        wait_for_ticks(&running, 100)?;
        send(running.pid(), Signal::SIGINT)?;
    }
    let finished = running.finish()?;
    expect_left_alone(target.pid())?;
    let profile = Profile::parse(&finished.stdout, true)?;
    expect(profile.samples_with("<module>") > 0, || finished.words())?;
    target.end()?;
    let words = format!("{} samples before", profile.samples_with("<module>"));
    if stays {
        finished.clean()?;
        return Ok(format!("{words}; then its modules kept the library"));
    }
    finished.expect_error(0, &["The profile ends here."])?;
    Ok(words)
}
