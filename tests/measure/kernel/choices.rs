//! Which threads are sampled, and when.

use super::{Case, account, sample, start};
use crate::support::profiler::Profile;
use crate::support::runner::Test;
use crate::support::shares::share_of_looks;
use crate::support::target::Target;
use crate::support::{Context, Outcome, expect, twice};

/// The tests of this file.
pub(crate) const TESTS: [(&str, Test<Case>); 3] = [
    ("system calls in short turns", |case| twice(case, system_calls)),
    ("in step with the clock", |case| twice(case, in_step)),
    ("threads by name and id", threads_by_name),
];

/// With jitter a program that is in step with the timer is seen at all its moments.
fn in_step(case: &Case) -> Outcome<String> {
    let target = start(case, "in_step.py", &["0.002"])?;
    // On a processor only, where the clock is the program's own.
    let (even, _) = sample(case, &target, &["--cpu", "-s", "1", "-r", "0.002"])?;
    let moved = ["--cpu", "-s", "4", "-r", "0.002", "--jitter"];
    let (moved, finished) = sample(case, &target, &moved)?;
    target.end()?;
    let early = |profile: &Profile| {
        let (early, late) = (profile.samples_in("early"), profile.samples_in("late"));
        // Where it is told that its half is over depends on what it does between two looks.
        // Time on a processor has no waits, and the ticks are moved apart from each other.
        share_of_looks(early, early + late, early + late, 0.5, 0.03)
    };
    let (even, jittered) = (early(&even), early(&moved));
    let words = format!("in early(): {:.3} at even times, {jittered}", even.seen);
    expect(jittered.is_near(), || format!("{words} {}", finished.words()))?;
    Ok(words)
}

/// An interrupt is where the clock says, also in a program that enters the kernel all the time,
/// where a stop takes effect at the next system call.
fn system_calls(case: &Case) -> Outcome<String> {
    let target = start(case, "entering.py", &[])?;
    let (profile, finished) = sample(case, &target, &["-s", "2", "-r", "0.001"])?;
    let spent = target.spent()?;
    let &[computing, entering] = spent.as_slice() else { return Err("no times".into()) };
    let (computes, enters) = (profile.samples_with("computes"), profile.samples_with("enters"));
    let measured = computing / (computing + entering);
    // To look at the clock takes a part of the time of both, and of neither in the profile. A
    // turn takes microseconds, and who waits for a processor waits by its own clock too.
    let all = computes + enters;
    let share = share_of_looks(computes, all, all, measured, 0.04);
    let words = format!("in computes(): {share}");
    let is_all = all > 1500 && (0.2..0.8).contains(&measured);
    expect(is_all && share.is_near(), || format!("{words}; {}", finished.words()))?;
    Ok(words)
}

/// The functions of `turns.py` by which its threads are told.
const FUNCTIONS: [&str; 3] = ["first", "second", "third"];

/// How often a choice is tried before a thread is missed.
const ROUNDS: usize = 10;

/// Which of the functions of `turns.py` have samples.
fn met(profile: &Profile) -> Vec<usize> {
    (0..FUNCTIONS.len()).filter(|place| profile.samples_with(FUNCTIONS[*place]) > 0).collect()
}

/// Of the threads that hold the GIL some are sampled; the moments of the others are idle.
fn threads_by_name(case: &Case) -> Outcome<String> {
    let target = Target::start(&case.interpreter, "turns.py", &[])?;
    let id = target.expect("ready")?.first().cloned().context(|| "no identity".into())?;
    let pid = target.pid().to_string();
    let cases: [(&[&str], &[usize]); 5] = [
        (&["--thread", "second"], &[1]),
        (&["--thread", &id], &[2]),
        (&["--main-thread"], &[0]),
        (&["--thread", &pid, "--thread", "third, last"], &[0, 2]),
        (&["--main-thread", "--jitter"], &[0]),
    ];
    let mut rounds = 0;
    for (options, expected) in cases {
        let options = [&["-s", "1", "-r", "0.001"], options].concat();
        let mut seen: Vec<usize> = Vec::new();
        // Which of them hold the GIL in a second is a matter of who else needs the processors.
        for round in 1..=ROUNDS {
            let (profile, finished) = sample(case, &target, &options)?;
            let new = met(&profile);
            expect(new.iter().all(|place| expected.contains(place)), || finished.words())?;
            let (total, missed) = (profile.total(), account(&finished, "missed")?);
            expect(total + missed >= 900 && total <= 1102, || finished.words())?;
            seen.extend(new);
            seen.sort_unstable();
            seen.dedup();
            rounds += 1;
            if seen == expected && profile.idle > 0 {
                break;
            }
            expect(round < ROUNDS, || format!("{seen:?}: {}", finished.words()))?;
        }
    }
    let (busy, _) = sample(case, &target, &["-s", "0.5", "-x", "--thread", "second"])?;
    expect(busy.idle == 0, || format!("-x: {busy:?}"))?;
    let (none, finished) = sample(case, &target, &["-s", "0.3", "--thread", "fourth"])?;
    let says = finished.stderr.contains("no thread");
    expect(says && none.idle == none.total(), || finished.words())?;
    target.end()?;
    Ok(format!("{} choices in {rounds} runs", cases.len()))
}
