//! Whether the layout fits the process, and how a run would take its samples.

use std::time::Duration;

use super::finding::{Findings, split};
use crate::app::attach::{Attached, attach};
use crate::app::sandbox::{Needs, Writes, foresee};
use crate::cpython::abi::Abi;
use crate::cpython::read::frames::{Walk, walk_thread};
use crate::sampler::interrupt::{Interrupts, Plan};
use crate::sampler::selection::TimeMode;
use crate::target::live::Process;

/// What an interrupt takes of the thread's time, and more for each frame of its stack, in
/// microseconds: see "What a sample costs" in docs/SAMPLER.md.
const INTERRUPT: f64 = 3.0;
const INTERRUPT_PER_FRAME: f64 = 0.1;

/// What a stop takes of it, in microseconds, and the share of its time that stops may take by
/// default.
const STOP: f64 = 40.0;
const LIMIT: f64 = 0.01;

/// The most threads whose stacks are looked at for the deepest.
const ENOUGH_THREADS: usize = 64;

/// Proves the layout of `A`, and tells which engine a run would use and what it would cost.
pub(super) fn look<A: Abi>(process: &Process, findings: &mut Findings) {
    let attached = match attach::<A>(process.pid(), false) {
        Ok(attached) => attached,
        Err(error) => return findings.fail("layout", &error.to_string()),
    };
    let depth = proof::<A>(&attached, findings);
    gil::<A>(&attached, findings);
    if let Some(words) = &attached.companions {
        let (first, rest) = split(words);
        findings.note("others", first, rest);
    }
    engine::<A>(&attached, depth, findings);
}

/// Says what the layout was held against. The depth of the deepest stack.
fn proof<A: Abi>(attached: &Attached, findings: &mut Findings) -> usize {
    let Attached { memory, roots, .. } = attached;
    let threads = roots.threads::<A, _>(memory).unwrap_or_default();
    let mut walk = Walk::default();
    let depths = threads.iter().take(ENOUGH_THREADS).map(|thread| {
        match walk_thread::<A, _>(memory, thread.state, &mut walk) {
            Ok(()) => walk.frames.len(),
            Err(_) => 0, // It runs: what is read of it may not fit together.
        }
    });
    let depth = depths.max().unwrap_or(0);
    let mut witnesses = vec!["every thread state names its interpreter"];
    if depth > 0 {
        witnesses.push("frames lead to code objects with name, file and line table");
    }
    if !A::debug_offsets().is_empty() {
        witnesses.push("_Py_DebugOffsets say the same");
    }
    let count = counted(threads.len(), "thread");
    let words = format!("proven: {count}; {}", witnesses.join("; "));
    if depth > 0 {
        findings.ok("layout", words);
    } else {
        let rest = "No thread has a frame yet: each code object proves itself when it comes.";
        findings.note("layout", words, Some(rest.into()));
    }
    depth
}

fn counted(number: usize, what: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {what}{ending}")
}

fn gil<A: Abi>(attached: &Attached, findings: &mut Findings) {
    let Attached { memory, roots, .. } = attached;
    let holders = roots.gil_holders::<A, _>(memory).unwrap_or_default().len();
    let words = match (roots.attached(), holders) {
        (Some(_), holders) => {
            format!("none (free-threaded): attached now: {}", counted(holders, "thread"))
        }
        (None, 0) => "no thread holds it now".to_owned(),
        (None, 1) => "a thread holds it now".to_owned(),
        (None, holders) => format!("{holders} threads hold one each now"),
    };
    findings.ok("GIL", words);
}

/// Says what a run with the default options would give up.
fn sandbox(pid: i32, by_kernel: bool, findings: &mut Findings) {
    let confinement = foresee(&Needs {
        pid: Some(pid),
        stops: true,
        kernel: by_kernel,
        command: false,
        sources: false,
        writes: Writes::Nothing,
    });
    findings.ok("sandbox", confinement.to_string());
}

fn engine<A: Abi>(attached: &Attached, depth: usize, findings: &mut Findings) {
    let Attached { memory, roots, process, .. } = attached;
    let plan = Plan {
        interval: Duration::from_millis(10),
        jitter: false,
        mode: TimeMode::default(),
        is_free_threaded: roots.attached().is_some(),
        native: false,
    };
    let probed = Interrupts::<A>::probe(process, memory, roots, plan);
    sandbox(process.pid(), probed.is_ok(), findings);
    match probed {
        Ok(()) => {
            let each = INTERRUPT + depth as f64 * INTERRUPT_PER_FRAME;
            findings.ok("engine", "kernel: its program is accepted, and threads may have timers");
            let costs = [100.0, 1000.0].map(|rate| each * rate / 1e4);
            findings.ok("cost", format!(
                "about {each:.1} us of a running thread for a sample: {:.2} % of its time at 100 Hz, \
                 {:.2} % at 1 kHz; no stops", costs[0], costs[1]
            ));
        }
        Err(refusal) => {
            let (answer, remedy) = split(&refusal.to_string());
            findings.note("engine", format!("stop, because {answer}"), remedy);
            let share = STOP * 100.0 / 1e4;
            let most = LIMIT * 1e6 / STOP;
            findings.ok("cost", format!(
                "up to {STOP} us of the process for a stop: {share:.1} % of its time at 100 Hz; at \
                 1 kHz {most:.0} of 1000 samples a second, which --max-pause 1 allows"
            ));
        }
    }
}
