//! `--engine kernel`: stacks that existed, and shares of the wall clock, from samples that
//! the kernel takes.
//!
//! Where this machine's kernel does not do that, or not for this user, only the refusal is
//! tested.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

mod choices;
mod modes;
mod processes;

use crate::support::binaries::Binaries;
use crate::support::features::{Feature, Shows};
use crate::support::interpreters::{Interpreter, Interpreters};
use crate::support::process::{Finished, Running, expect_left_alone, run};
use crate::support::profiler::{
    Frame, Profile, attach, command, may_use_kernel, wait_until_it_catches,
};
use crate::support::runner::{self, Test, Trial};
use crate::support::shape::Shape;
use crate::support::shares::{Share, equal_within, of_all, share_within};
use crate::support::target::{Target, in_folder, new_file, set_environment};
use crate::support::{Context, Outcome, expect, measured, twice, with_more_time};

/// What a test gets to work with.
struct Case {
    interpreter: Interpreter,
    profiler: PathBuf,
    launcher: PathBuf,
}

/// How frames and code objects are read, of each ABI.
const TESTS: [(&str, Test<Case>); 5] = [
    ("busy program", busy_program),
    ("short calls", short_calls),
    ("the same texts in turn", same_texts),
    ("always another text", fresh_texts),
    ("too deep", too_deep),
];

/// What depends on the kind of frames, or on nothing of Python.
const TESTS_OF_KINDS: [(&str, Test<Case>); 5] = [
    ("portions of the wall clock", |case| twice(case, portions)),
    ("threads that start", |case| twice(case, threads_that_start)),
    ("command", traced_command),
    ("windows", windows),
    ("signals while it begins", signals_at_the_beginning),
];

/// A version of each kind of frames, and those of them that have a GIL.
const KINDS: [&str; 6] = ["2.7", "3.8", "3.11", "3.13", "3.15", "3.14t"];
const WITH_GIL: &[&str] = KINDS.split_at(5).0;

/// What docs/ABIS.md has from here.
pub(crate) const SHOWS: Shows =
    &[(Feature::Kernel, "kernel, busy program"), (Feature::Kernel, "kernel, short calls")];

pub(crate) fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    let case = |interpreter: &Interpreter| Case {
        interpreter: interpreter.clone(),
        profiler: binaries.profiler(interpreter.abi),
        launcher: binaries.launcher(),
    };
    let refusals: [(&str, Test<Case>); 2] =
        [("without rights", without_rights), ("other options", other_options)];
    let mut trials = runner::one_per_abi(&interpreters, "kernel, ", &refusals, case);
    if may_use_kernel() {
        let all = |tests: &[(&str, Test<Case>)]| {
            runner::one_per_abi(&interpreters, "kernel, ", tests, case)
        };
        let some = |tests: &[(&str, Test<Case>)], versions: &[&str]| {
            let is_chosen = |trial: &Trial| versions.iter().any(|version| trial.is_of(version));
            all(tests).into_iter().filter(is_chosen).collect::<Vec<_>>()
        };
        trials.extend(some(&processes::TESTS, &["2.7", "3.11", "3.15"]));
        // Timers of two processes at a time leave none of the processors to this program.
        let mut alone = all(&TESTS);
        alone.extend(some(&TESTS_OF_KINDS, &KINDS));
        alone.extend(some(&choices::TESTS, WITH_GIL));
        alone.extend(some(&modes::TESTS, &KINDS));
        trials.extend(alone.into_iter().map(Trial::alone));
    } else {
        eprintln!("this user may not load programs into this kernel: only refusals are tested");
    }
    trials
}

const KERNEL: &[&str] = &["--engine", "kernel"];

/// What a run says in its account.
fn account(finished: &Finished, what: &str) -> Outcome<u64> {
    let lines = finished.stderr.lines();
    let number = lines.filter_map(|line| line.strip_prefix(what)?.strip_prefix(": ")).next();
    let number = number.context(|| format!("no {what:?}: {}", finished.words()))?;
    number.trim().parse().context(|| format!("{what:?}: {}", finished.words()))
}

/// A run whose ticks all came to something.
fn sample(case: &Case, target: &Target, options: &[&str]) -> Outcome<(Profile, Finished)> {
    let options = [KERNEL, &["--stats"], options].concat();
    let finished = attach(&case.profiler, target.pid(), &options)?;
    expect_left_alone(target.pid())?;
    expect(finished.stderr.contains("engine: kernel\n"), || finished.words())?;
    expect(account(&finished, "stopped")? == 0, || finished.words())?;
    Ok((Profile::parse(&finished.stdout, true)?, finished))
}

fn start(case: &Case, script: &str, arguments: &[&str]) -> Outcome<Target> {
    let target = Target::start(&case.interpreter, script, arguments)?;
    target.expect("ready")?;
    Ok(target)
}

#[allow(clippy::cast_precision_loss)]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// Only possible stacks, and shares of time as the program measured them itself.
fn busy_program(case: &Case) -> Outcome<String> {
    measured(|| {
        let target = start(case, "busy.py", &[])?;
        let (profile, finished) = sample(case, &target, &["-s", "1", "-r", "0.001"])?;
        Shape::of("busy.py")?.check(&profile)?;
        let spent = target.spent()?;
        let &[often, seldom] = spent.as_slice() else { return Err("no times".into()) };
        let (total, missed) = (profile.total(), account(&finished, "missed")?);
        let (a, b) = (profile.samples_with("often"), profile.samples_with("seldom"));
        // Its own times are of its whole life, the samples are of one second.
        let share = share_within(a, a + b, often / (often + seldom), 0.02);
        let is_full = (950..=1100).contains(&total);
        let words = format!("{total} samples, {missed} missed, in often(): {share}");
        Ok((is_full && share.is_near(), words))
    })
}

/// Interrupts that land in calls and returns: every caller stands on a line that calls the
/// next frame.
fn short_calls(case: &Case) -> Outcome<String> {
    measured(|| {
        let target = start(case, "hectic.py", &[])?;
        let (profile, finished) = sample(case, &target, &["-s", "1", "-r", "0.0001"])?;
        Shape::of("hectic.py")?.check(&profile)?;
        target.end()?;
        let (total, ticks) = (profile.total(), account(&finished, "ticks")?);
        let words = format!("{total} samples of {ticks} ticks, {} stacks", profile.stacks.len());
        Ok((total * 100 > ticks * 80, words))
    })
}

/// What a sample saw may be something else that has the same addresses when it is named.
fn same_texts(case: &Case) -> Outcome<String> {
    measured(|| {
        let (profile, is_full, words) = renewed(case, "same")?;
        let samples = ["run1", "run2", "run3"].map(|function| profile.samples_with(function));
        let shares = samples.map(|samples| share(samples, profile.total()));
        Ok((
            is_full && samples.iter().all(|samples| *samples > 0),
            format!("{words}, {shares:.2?}"),
        ))
    })
}

fn fresh_texts(case: &Case) -> Outcome<String> {
    measured(|| renewed(case, "fresh").map(|(_, is_full, words)| (is_full, words)))
}

/// A profile of texts that come and go, whether most ticks have a sample, and how many.
fn renewed(case: &Case, texts: &str) -> Outcome<(Profile, bool, String)> {
    let target = start(case, "renewed.py", &[texts])?;
    let (profile, finished) = sample(case, &target, &["-s", "1", "-r", "0.001"])?;
    target.end()?;
    for stack in &profile.stacks {
        let mut numbers: Vec<&str> = stack.frames.iter().filter_map(number_of_text).collect();
        numbers.dedup();
        expect(numbers.len() <= 1, || {
            let frames: Vec<String> = stack.frames.iter().map(Frame::to_string).collect();
            format!("a stack that cannot have existed: {}", frames.join(";"))
        })?;
    }
    let (samples, ticks) = (account(&finished, "samples")?, account(&finished, "ticks")?);
    let words = format!("{samples} samples of {ticks} ticks");
    Ok((profile, samples * 100 >= ticks * 60, words))
}

/// The number of the text that a frame of `renewed.py` has to do with.
fn number_of_text(frame: &Frame) -> Option<&str> {
    let of_file = frame.file.strip_prefix("<text ").and_then(|rest| rest.strip_suffix('>'));
    let of_name = ["run", "f"].iter().find_map(|start| frame.function.strip_prefix(start));
    of_file.or(of_name).filter(|number| number.parse::<u32>().is_ok())
}

/// What the timers do not see, a holder of the GIL that sleeps and a GIL that nobody holds,
/// gets what it lasted.
fn portions(case: &Case) -> Outcome<String> {
    let target = start(case, "portions.py", &[])?;
    let (profile, finished) = sample(case, &target, &["-s", "3", "-r", "0.001"])?;
    let spent = target.spent()?;
    let whole: f64 = spent.iter().sum();
    let (works, keeps) = (profile.samples_with("works"), profile.samples_with("keeps"));
    // The rest is between them: a busy machine may take the processor away there too.
    let parts = [works, keeps, profile.idle];
    let all: u64 = parts.iter().sum();
    let words = format!("{parts:?} seen, of {spent:.3?} s; {}", finished.words());
    expect(spent.len() == 3 && (2900..=3200).contains(&profile.total()), || words.clone())?;
    // Its own times are of its whole life. What it does until it sleeps, and when it has woken
    // up, is on one side for its own clock and on the other for the kernel's.
    let near = |(part, spent): (&u64, &f64)| share_within(*part, all, spent / whole, 0.03);
    let shares: Vec<Share> = parts.iter().zip(&spent).map(near).collect();
    let (are_near, seen) = of_all(&shares);
    expect(are_near, || format!("{seen}; {words}"))?;
    Ok(format!("{seen}, of {spent:.3?} s"))
}

/// A thread has a timer from its first moment.
fn threads_that_start(case: &Case) -> Outcome<String> {
    let target = start(case, "starting.py", &[])?;
    let (profile, finished) = sample(case, &target, &["-s", "1", "-r", "0.0002"])?;
    target.end()?;
    let samples = ["first", "second", "third"].map(|function| profile.samples_in(function));
    let (sum, total) = (samples.iter().sum::<u64>(), profile.total());
    // They have the same to do, for the time of some samples each.
    let (are_alike, shares) = equal_within(samples, 0.05);
    let words = format!("{sum} of {total} samples, {shares}");
    // To start a thread may take longer than what it does.
    expect(share(sum, total) > 0.15 && are_alike, || format!("{words}; {}", finished.words()))?;
    Ok(words)
}

/// Of a stack that is too deep the innermost frames are shown, and it is said so.
fn too_deep(case: &Case) -> Outcome<String> {
    let code = "import os, select, sys, threading\n\
                def f(n):\n    \
                    return f(n - 1) if n else work()\n\
                def work():\n    \
                    os.write(1, b'ready\\n')\n    \
                    while not select.select([0], [], [], 0)[0]: sum(range(1000))\n\
                sys.setrecursionlimit(100000)\n\
                threading.stack_size(1 << 28)\n\
                thread = threading.Thread(target=f, args=(5000,))\n\
                thread.start()\n\
                thread.join()\n";
    let mut command = Command::new(&case.interpreter.executable);
    set_environment(&mut command);
    let target = Target::start_command(&case.interpreter, command.args(["-c", code]))?;
    target.expect("ready")?;
    let options = [KERNEL, &["-s", "0.5", "-r", "0.002", "--stats"]].concat();
    let finished = attach(&case.profiler, target.pid(), &options)?;
    target.end()?;
    let text = String::from_utf8_lossy(&finished.stdout);
    let mut depths = Vec::new();
    for line in text.lines().filter(|line| line.contains(":work:")) {
        let inner = line.split(';').filter(|frame| *frame == "<string>:f:3").count();
        let is_cut = line.starts_with("(truncated);");
        expect(is_cut && inner >= 1000 || inner == 5001, || format!("{inner} frames: {line:.60}"))?;
        depths.push(inner);
    }
    depths.sort_unstable();
    depths.dedup();
    expect(!depths.is_empty(), || finished.words())?;
    Ok(format!("{depths:?} of 5001 frames"))
}

fn traced_command(case: &Case) -> Outcome<String> {
    let code = "import sys, time\n\
                def work():\n    \
                    end = time.time() + float(sys.argv[1])\n    \
                    while time.time() < end: pass\n\
                work()\n";
    with_more_time(&["0.5", "2", "6"], |time| {
        let mut command = command(&case.profiler, KERNEL);
        set_environment(&mut command);
        let python = case.interpreter.executable.display().to_string();
        let finished = run(command.args(["-r", "0.001", "-t", &python, "-S", "-c", code, time]))?;
        let profile = Profile::parse(&finished.clean()?, true)?;
        let (work, total) = (profile.samples_with("work"), profile.total());
        let words = format!("{work} of {total} samples");
        let is_enough = total >= 100 && work * 10 > total * 8;
        Ok(if is_enough { Ok(words) } else { Err(format!("{words}: {profile:?}")) })
    })
}

/// Each window has the samples of its time.
fn windows(case: &Case) -> Outcome<String> {
    measured(|| {
        let totals = totals_of_windows(case)?;
        let sum: u64 = totals.iter().sum();
        let is_within = totals.len() > 1 && (1150..=1377).contains(&sum);
        Ok((is_within, format!("{totals:?} samples")))
    })
}

/// How many samples each window of `busy.py` has.
fn totals_of_windows(case: &Case) -> Outcome<Vec<u64>> {
    let target = start(case, "busy.py", &[])?;
    let folder = new_file("kernel-windows");
    let totals = in_folder(&folder, || {
        let file = folder.join("out.folded").display().to_string();
        let time = ["--duration", "2500ms", "--rotate", "1s", "-r", "0.002", "-o", &file];
        attach(&case.profiler, target.pid(), &[KERNEL, &time].concat())?.clean()?;
        let mut totals = Vec::new();
        for entry in std::fs::read_dir(&folder).context(|| "list the folder".into())? {
            let path = entry.context(|| "list the folder".into())?.path();
            let text = std::fs::read(&path).context(|| path.display().to_string())?;
            totals.push(Profile::parse(&text, true)?.total());
        }
        Ok(totals)
    })?;
    target.end()?;
    Ok(totals)
}

/// The kernel gives up to check a program if a signal comes meanwhile.
fn signals_at_the_beginning(case: &Case) -> Outcome<String> {
    let target = start(case, "busy.py", &[])?;
    let file = new_file("kernel-signals");
    let (pid, name) = (target.pid().to_string(), file.display().to_string());
    let options = ["--stats", "-s", "2", "-r", "0.001", "-o", &name, "-p", &pid];
    let running =
        Running::start(&mut command(&case.profiler, &[KERNEL, &options].concat()), false)?;
    // Each lets it write what it has so far.
    let asks = Signal::SIGUSR1;
    wait_until_it_catches(&running, &[asks])?;
    let profiler = i32::try_from(running.pid()).context(|| "a process id".into())?;
    let mut sent = 0_u32;
    while !file.exists() {
        sent += 1;
        kill(Pid::from_raw(profiler), asks).context(|| "send SIGUSR1".into())?;
    }
    let finished = running.finish()?;
    target.end()?;
    // It is there unless the run failed.
    let _ = std::fs::remove_file(&file);
    let is_kernels = finished.stderr.contains("engine: kernel\n");
    expect(is_kernels && finished.status.success(), || finished.words())?;
    Ok(format!("{sent} signals"))
}

/// Without rights it says which are needed, and takes no sample in another way.
fn without_rights(case: &Case) -> Outcome<String> {
    let target = start(case, "busy.py", &[])?;
    let pid = target.pid().to_string();
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set", "-sys_admin,-bpf,-perfmon", "--"]);
    command.arg(&case.profiler).args(KERNEL).args(["-s", "0.1", "-p", &pid]);
    let finished = run(&mut command)?;
    target.end()?;
    finished.expect_error(1, &["--engine kernel", "CAP_BPF", "CAP_PERFMON", "root"])?;
    expect(finished.stdout.is_empty(), || finished.words())?;
    Ok(String::new())
}

/// What it cannot do yet is refused.
fn other_options(case: &Case) -> Outcome<String> {
    let refused: [&[&str]; 4] =
        [&["--pause", "always"], &["--jitter", "-r", "0.00005"], &["-r", "0.00004"], &["-s", "0"]];
    for options in refused {
        let finished = attach(&case.profiler, std::process::id(), &[KERNEL, options].concat())?;
        finished.expect_error(1, &["Error: --engine kernel"])?;
    }
    Ok(format!("{} options", refused.len()))
}
