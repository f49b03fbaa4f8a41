//! Own shares of functions of programs that nobody made for a profiler: each way to sample
//! against stops alone, a part of what `make bench` does at length.
//!
//! A program is sampled with `--pause always`, in the other ways, and with `--pause always`
//! again. How far these two are apart is noise; another way may be further from them by as
//! much as chance and a busy machine can do, not more.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use crate::support::binaries::Binaries;
use crate::support::features::Shows;
use crate::support::interpreters::{Interpreter, Interpreters};
use crate::support::process::expect_left_alone;
use crate::support::profiler::{Moment, Profile, attach, has_turns, parse_flamechart};
use crate::support::runner::{self, Test, Trial};
use crate::support::shares::share_of_looks;
use crate::support::target::Target;
use crate::support::{Outcome, expect, twice};

/// What a test gets to work with.
struct Case {
    interpreter: Interpreter,
    profiler: PathBuf,
}

/// Programs of `library.py` whose functions are short, and that make no system calls: the stops
/// of `--pause always` come some microseconds late, and at the return from a call if there is
/// one until then.
const TESTS: [(&str, Test<Case>); 4] = [
    ("system calls in short turns", |case| twice(case, system_calls)),
    ("comprehensions", |case| program(case, "comprehensions")),
    ("decimal", |case| program(case, "decimal")),
    ("pickle", |case| program(case, "pickle")),
];

/// A way to sample, as options.
type Mode = &'static [&'static str];

/// What is compared: whatever this user may, as many stops as have a fifth of the time, and
/// turns, where the kernel grants them.
const MODES: [Mode; 3] = [&[], &["--engine", "stop", "--max-pause", "20"], &["--engine", "read"]];
const REFERENCE: Mode = &["--pause", "always"];

/// The oldest, and one of each kind of frames since.
const VERSIONS: [&str; 6] = ["2.7", "3.6", "3.8", "3.11", "3.13", "3.15"];

/// Seconds, and between two samples; at moments that no program is in step with, whose own
/// processor time is the clock of the kernel's engine.
const TIME: [&str; 5] = ["-s", "2", "-r", "0.001", "--jitter"];

/// Functions with a smaller part in both references count as one.
const SMALLEST: f64 = 0.02;

/// Fewer samples are none. On a machine that leaves time for no more than some tens, the
/// noise is so great that nothing is told.
const FEWEST: f64 = 20.0;

/// What is not near is sampled again, and the samples are added: noise gets less, what is
/// wrong does not.
const MOST_ROUNDS: usize = 4;

/// docs/ABIS.md has nothing from here.
pub(crate) const SHOWS: Shows = &[];

pub(crate) fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    let trials = runner::one_per_abi(&interpreters, "shares, ", &TESTS, |interpreter| Case {
        interpreter: interpreter.clone(),
        profiler: binaries.profiler(interpreter.abi),
    });
    let is_chosen = |trial: &Trial| VERSIONS.iter().any(|version| trial.is_of(version));
    trials.into_iter().filter(is_chosen).map(Trial::alone).collect()
}

/// Samples by the function on top, named by its file and name.
type Own = HashMap<String, f64>;

fn program(case: &Case, name: &str) -> Outcome<String> {
    let target = Target::start(&case.interpreter, "library.py", &[name])?;
    target.expect("ready")?;
    let (mut first, mut last) = (Own::new(), Own::new());
    let modes = &MODES[..if has_turns() { 3 } else { 2 }];
    let mut found = MODES.map(|_| Own::new());
    let mut measured = Vec::new();
    for _ in 0..MOST_ROUNDS {
        add(&mut first, sample(case, &target, REFERENCE)?);
        for (own, mode) in found.iter_mut().zip(modes) {
            add(own, sample(case, &target, mode)?);
        }
        add(&mut last, sample(case, &target, REFERENCE)?);
        measured =
            modes.iter().zip(&found).map(|(m, own)| compare(m, own, &first, &last)).collect();
        if measured.iter().all(Measured::is_near) {
            break;
        }
    }
    expect(!measured.iter().any(Measured::is_far), || words(&measured))?;
    target.end()?;
    Ok(words(&measured))
}

/// The clock alone chooses the moments at which a thread stands still, also in a program that
/// enters the kernel all the time. It knows its own times.
fn system_calls(case: &Case) -> Outcome<String> {
    let words = [["--engine", "stop"], ["--engine", "read"]].map(|mode| entering(case, mode));
    let [stop, read] = words;
    Ok(format!("stop, {}; read, {}", stop?, read?))
}

fn entering(case: &Case, mode: [&str; 2]) -> Outcome<String> {
    let target = Target::start(&case.interpreter, "entering.py", &[])?;
    target.expect("ready")?;
    let options = [&mode[..], &["--stats"], &TIME].concat();
    let finished = attach(&case.profiler, target.pid(), &options)?;
    expect_left_alone(target.pid())?;
    let account = finished.stderr.replace('\n', ", ");
    let profile = Profile::parse(&finished.stdout, true)?;
    let spent = target.spent()?;
    let &[computing, entering] = spent.as_slice() else { return Err("no times".into()) };
    let (computes, enters) = (profile.samples_with("computes"), profile.samples_with("enters"));
    let measured = computing / (computing + entering);
    // To look at the clock takes a part of the time of both, and of neither in the profile. A
    // turn takes microseconds, and who waits for a processor waits by its own clock too.
    let all = computes + enters;
    let share = share_of_looks(computes, all, all, measured, 0.04);
    let words = format!("in computes(): {share}");
    expect((0.2..0.8).contains(&measured), || words.clone())?;
    expect(all > 500, || format!("{words}: {account}"))?;
    // An older kernel lets nobody have a turn at once, so there are stops.
    let is_compared = has_turns();
    expect(!is_compared || share.is_near(), || format!("{words}: {account}"))?;
    Ok(format!("{words}{}", if is_compared { "" } else { ", not compared before Linux 6.12" }))
}

/// How far one mode is from the references, in points.
struct Measured {
    mode: Mode,
    distance: f64,
    /// Between the references, or what it is by chance, if that is more.
    noise: f64,
    samples: f64,
    /// The function that differs most, and by how much.
    worst: (String, f64),
}

impl Measured {
    /// By so little that it need not be looked at again.
    fn is_near(&self) -> bool {
        self.distance <= (self.noise * 1.25).max(self.noise + 2.0)
    }

    /// By more than chance and a busy machine can do.
    fn is_far(&self) -> bool {
        self.distance > (self.noise * 2.0).max(self.noise + 4.0)
    }
}

fn words(measured: &[Measured]) -> String {
    let one = |m: &Measured| {
        let (mode, worst) = (m.mode.join(" "), m.worst.0.rsplit('/').next().unwrap_or_default());
        let by = format!("{worst} {:+.1}", m.worst.1);
        let mode = if mode.is_empty() { "default mode" } else { &mode };
        let (off, noise, samples) = (m.distance, m.noise, m.samples);
        format!("{mode} off by {off:.1} points ({by}), noise {noise:.1}, {samples} samples")
    };
    measured.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn compare(mode: Mode, own: &Own, first: &Own, last: &Own) -> Measured {
    let references = (total(first), total(last));
    let fewest = total(own).min(references.0);
    let noise = distance(first, last, first, last)
        .max(by_chance(first, last, references))
        .max(by_chance(first, last, (fewest, references.1)));
    let to = |reference| distance(own, reference, first, last);
    let distance = f64::midpoint(to(first), to(last));
    let samples = total(own);
    Measured { mode, distance, noise, samples, worst: worst(own, first, last) }
}

fn add(sum: &mut Own, own: Own) {
    for (function, samples) in own {
        *sum.entry(function).or_default() += samples;
    }
}

/// Once more if there are few samples: another program may have had the machine.
fn sample(case: &Case, target: &Target, mode: Mode) -> Outcome<Own> {
    let first = sample_once(case, target, mode)?;
    let own = if total(&first) < FEWEST { sample_once(case, target, mode)? } else { first };
    let total = total(&own);
    expect(total >= FEWEST, || format!("{total} samples with {mode:?}"))?;
    Ok(own)
}

fn sample_once(case: &Case, target: &Target, mode: Mode) -> Outcome<Own> {
    let options = [mode, &TIME, &["--format", "flamechart"]].concat();
    let finished = attach(&case.profiler, target.pid(), &options)?;
    expect_left_alone(target.pid())?;
    Ok(own(&parse_flamechart(&finished.clean()?)?))
}

fn total(own: &Own) -> f64 {
    own.values().sum()
}

fn own(moments: &[Moment]) -> Own {
    let mut own = Own::new();
    for frame in moments.iter().filter_map(|moment| moment.frames.last()) {
        *own.entry(format!("{}:{}", frame.file, frame.function)).or_default() += 1.0;
    }
    own
}

fn share(own: &Own, function: &str) -> f64 {
    own.get(function).copied().unwrap_or(0.0) / total(own)
}

/// Half of all differences of shares, in points: so many percent of the samples would have
/// to be of other functions.
fn distance(one: &Own, other: &Own, first: &Own, last: &Own) -> f64 {
    let functions: HashSet<&String> = one.keys().chain(other.keys()).collect();
    let mut rest = 0.0;
    let mut sum = 0.0;
    for function in functions {
        let difference = share(one, function) - share(other, function);
        if share(first, function).max(share(last, function)) < SMALLEST {
            rest += difference;
        } else {
            sum += difference.abs();
        }
    }
    50.0 * (sum + f64::abs(rest))
}

/// The distance of two profiles of so many samples that differ by chance alone.
fn by_chance(first: &Own, last: &Own, samples: (f64, f64)) -> f64 {
    let functions: HashSet<&String> = first.keys().chain(last.keys()).collect();
    let mut shares = Vec::new();
    let mut rest = 0.0;
    for function in functions {
        let (a, b) = (share(first, function), share(last, function));
        if a.max(b) < SMALLEST {
            rest += f64::midpoint(a, b)
        } else {
            shares.push(f64::midpoint(a, b))
        }
    }
    shares.push(rest);
    let each = 1.0 / samples.0 + 1.0 / samples.1;
    let deviation = |share: f64| (share * (1.0 - share).max(0.0) * each).sqrt();
    50.0 * std::f64::consts::FRAC_2_PI.sqrt() * shares.into_iter().map(deviation).sum::<f64>()
}

fn worst(own: &Own, first: &Own, last: &Own) -> (String, f64) {
    let functions: HashSet<&String> = own.keys().chain(first.keys()).chain(last.keys()).collect();
    let by = |f: &String| share(own, f) - f64::midpoint(share(first, f), share(last, f));
    let all = functions.into_iter().map(|f| (f.clone(), 100.0 * by(f)));
    all.max_by(|a, b| a.1.abs().total_cmp(&b.1.abs())).unwrap_or_default()
}
