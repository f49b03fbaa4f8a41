//! Which threads and frames are sampled: `--cpu`, `--idle`, `--thread`, `--main-thread`
//! and the filters of frames, on a few interpreters.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use crate::support::binaries::{Binaries, is_built};
use crate::support::features::{Feature, Shows, stands};
use crate::support::interpreters::{Interpreter, Interpreters};
use crate::support::process::wait_until_asleep;
use crate::support::profiler::{Profile, attach};
use crate::support::runner::Trial;
use crate::support::target::Target;
use crate::support::truth::parse_dump;
use crate::support::{Context, Outcome, expect};

/// A version of each way to find a thread's id and its name.
const VERSIONS: [&str; 6] = ["2.7", "3.5", "3.8", "3.11", "3.12", "3.14"];

/// What docs/ABIS.md has from here.
pub(crate) const SHOWS: Shows = &[
    (Feature::Selection, "threads and frames are chosen"),
    (Feature::FrameFilters, "threads and frames are chosen"),
];

pub(crate) fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    let is_chosen = |i: &&Interpreter| stands(&VERSIONS, i.abi) && is_built(i.abi);
    let chosen = interpreters.one_per_abi().into_iter().filter(is_chosen).cloned();
    let trial = |interpreter: Interpreter| {
        let profiler = binaries.profiler(interpreter.abi);
        let name = format!("{} threads and frames are chosen", interpreter.label);
        Trial::new(name, move || choices(&interpreter, &profiler))
    };
    chosen.map(trial).collect()
}

/// Samples the target, and names the functions of its own file that were met.
fn functions(profiler: &Path, pid: u32, options: &[&str]) -> Outcome<BTreeSet<String>> {
    let options = [&["-s", "0.5", "-r", "0.005"], options].concat();
    let profile = Profile::parse(&attach(profiler, pid, &options)?.clean()?, true)?;
    let frames = profile.stacks.iter().flat_map(|stack| &stack.frames);
    let own = frames.filter(|frame| frame.file.ends_with("modes.py"));
    let functions = own.map(|frame| frame.function.clone());
    Ok(functions.filter(|function| function != "<module>").collect())
}

fn choices(interpreter: &Interpreter, profiler: &Path) -> Outcome<String> {
    let mut target = Target::start(interpreter, "modes.py", &[])?;
    let pid = target.pid();
    let id = target.expect("ready")?.first().cloned().context(|| "no identity".into())?;
    // The main thread and the idle one; the third packs.
    wait_until_asleep(target.pid(), 2, 3)?;
    let cases: [(&[&str], &[&str]); 8] = [
        (&["--threads"], &["packing", "sleeping", "waiting"]),
        (&["--idle"], &["packing", "sleeping", "waiting"]),
        (&["--cpu"], &["packing"]),
        (&["--threads", "--thread", "idle, very"], &["sleeping"]),
        (&["--threads", "--thread", &id], &["sleeping"]),
        (&["--threads", "--main-thread"], &["waiting"]),
        (&["--threads", "--main-thread", "--thread", "busy"], &["packing", "waiting"]),
        (&["--cpu", "--thread", "idle, very"], &[]),
    ];
    for (options, expected) in cases {
        let seen = functions(profiler, pid, options)?;
        let expected: BTreeSet<String> = expected.iter().map(|name| (*name).to_owned()).collect();
        expect(seen == expected, || format!("{options:?}: {expected:?}; seen: {seen:?}"))?;
    }
    filters(profiler, pid)?;
    dumps(profiler, pid, &id)?;
    target.tell("x")?;
    target.end()?;
    Ok(format!("{} choices", cases.len()))
}

/// Threads of a dump, and threads that there are none of.
fn dumps(profiler: &Path, pid: u32, idle: &str) -> Outcome {
    let threads = |options: &[&str]| -> Outcome<Vec<u64>> {
        let output = attach(profiler, pid, &[&["--dump"], options].concat())?.clean()?;
        Ok(parse_dump(&output)?.iter().map(|thread| thread.ident).collect())
    };
    let idle_alone = [idle.parse().context(|| idle.to_owned())?];
    for word in ["idle, very", idle] {
        let seen = threads(&["--thread", word])?;
        expect(seen == idle_alone, || format!("--dump --thread {word}: {seen:?}"))?;
    }
    let seen = threads(&["--main-thread", "--thread", "busy"])?;
    expect(seen.len() == 2 && !seen.contains(&idle_alone[0]), || format!("--dump: {seen:?}"))?;

    let dump = attach(profiler, pid, &["--dump", "--thread", "bussy"])?;
    let says = dump.stderr.contains("no thread that is called so") && dump.stderr.contains("busy");
    expect(says && dump.status.code() == Some(1), || dump.words())?;
    let profile = attach(profiler, pid, &["-s", "0.3", "--thread", "bussy"])?;
    let says = profile.stderr.starts_with("WARNING: no thread");
    expect(says && profile.status.success(), || profile.words())
}

/// Paths below `sys.path`, modules, and parts of frames.
fn filters(profiler: &Path, pid: u32) -> Outcome {
    let folded = |options: &[&str]| -> Outcome<Vec<String>> {
        let options = [&["-s", "0.5", "--threads", "-n"], options].concat();
        let output = attach(profiler, pid, &options)?.clean()?;
        let text = String::from_utf8(output).context(|| "not UTF-8".into())?;
        let stacks = text.lines().filter_map(|line| line.rsplit_once(' '));
        Ok(stacks.map(|(stack, _)| stack.to_owned()).collect())
    };
    let relative = folded(&["--relative", "--thread", "busy", "--exclude", "threading"])?;
    expect(relative == ["modes.py:packing"], || format!("--relative: {relative:?}"))?;
    let included = folded(&["--include", "threading", "--function-only"])?;
    let is_thread = |stack: &String| stack.contains(";run;");
    expect(included.len() >= 2 && included.iter().all(is_thread), || format!("{included:?}"))?;
    let cut = folded(&["--main-thread", "--depth", "1"])?;
    let is_cut = |stack: &String| stack.ends_with("modes.py:<module>;(truncated)");
    expect(cut.len() == 1 && cut.iter().all(is_cut), || format!("--depth: {cut:?}"))
}
