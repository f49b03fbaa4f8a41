//! Names that make trouble: a `;` in a name ends no frame, and nothing in one acts on a
//! terminal, in whatever format.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use crate::support::binaries::Binaries;
use crate::support::features::Shows;
use crate::support::interpreters::{Interpreter, Interpreters};
use crate::support::process::run;
use crate::support::profiler::attach;
use crate::support::runner::{self, Test, Trial};
use crate::support::target::{Target, in_folder, new_file};
use crate::support::{Outcome, expect, with_more_time};

/// What a test gets to work with.
struct Case {
    interpreter: Interpreter,
    profiler: PathBuf,
}

const TESTS: [(&str, Test<Case>); 2] = [("as text", as_text), ("on a terminal", on_a_terminal)];

/// docs/ABIS.md has nothing from here.
pub(crate) const SHOWS: Shows = &[];

pub(crate) fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    runner::one_per_abi(&interpreters, "names, ", &TESTS, |interpreter| Case {
        interpreter: interpreter.clone(),
        profiler: binaries.profiler(interpreter.abi),
    })
}

/// Fails if there is a character that acts, other than those that end lines.
fn expect_harmless(what: &str, text: &str) -> Outcome {
    let acts = |c: char| {
        !"\r\n\t".contains(c) && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c))
    };
    expect(!text.contains(acts), || format!("{what}: {text:?}"))
}

/// Folded stacks and dumps have a line for each stack or frame, and `;` only between frames.
fn as_text(case: &Case) -> Outcome<String> {
    let target = Target::start(&case.interpreter, "names.py", &["\u{1b};\n"])?;
    target.expect("ready")?;
    let pid = target.pid();
    let folder = new_file("names");
    in_folder(&folder, || {
        let folded = folder.join("out.folded").display().to_string();
        let recording = folder.join("out.pyflame").display().to_string();
        for file in [&folded, &recording] {
            attach(&case.profiler, pid, &["-s", "0.1", "-x", "-o", file])?.clean()?;
        }
        let text = std::fs::read_to_string(&folded).map_err(|error| error.to_string())?;
        expect_harmless("folded", &text)?;
        for line in text.lines() {
            let frames: Vec<&str> = line.split(';').collect();
            let is_right = frames.len() <= 3 && frames.iter().all(|frame| frame.contains(".py:"));
            expect(is_right, || format!("folded: {line:?}"))?;
        }
        expect(text.contains(";a,b\\n\\u{1b}]0,owned"), || format!("folded: {text:?}"))?;
        // The same functions by the same names, though one file is text and one is not.
        let launcher = case.profiler.with_file_name("pyflame");
        let table = run(Command::new(launcher).args(["diff", "--all", &folded, &recording]))?;
        let table = String::from_utf8_lossy(&table.clean()?).into_owned();
        expect_harmless("diff", &table)?;
        let rows = table.lines().filter(|line| line.contains("]0,owned"));
        expect(rows.count() == 1, || format!("diff: {table}"))
    })?;
    for options in [&["--dump"][..], &["--dump", "--verbose"], &["-s", "0", "--flamechart"]] {
        let text = attach(&case.profiler, pid, options)?.clean()?;
        let text = String::from_utf8_lossy(&text);
        expect_harmless(&options.join(" "), &text)?;
        expect(text.contains("\\n\\u{1b}]0"), || format!("{options:?}: {text:?}"))?;
    }
    Ok(String::new())
}

/// What a terminal gets, of the other formats too, and of what is said on stderr.
fn on_a_terminal(case: &Case) -> Outcome<String> {
    let target = Target::start(&case.interpreter, "names.py", &["\u{1b};\n"])?;
    target.expect("ready")?;
    let runs = [
        "--dump --json",
        "--dump --verbose --thread nobody",
        "-s TIME --stats",
        "-s TIME --threads --format jsonl",
        "-s TIME --threads --format speedscope",
        "-s TIME --format html",
        "-s TIME --format pprof",
    ];
    for options in runs {
        with_more_time(&["0.1", "1", "4"], |time| {
            let options = options.replace("TIME", time);
            let line = format!("{} {options} -p {}", case.profiler.display(), target.pid());
            // It gives the command a terminal, and passes on what comes from that.
            let mut terminal = Command::new("script");
            terminal.args(["-q", "-c", &line, "/dev/null"]).env_clear();
            terminal.env("PATH", "/usr/bin:/bin").env("TERM", "dumb").env("SHELL", "/bin/sh");
            let output = run(&mut terminal)?;
            let text = String::from_utf8_lossy(&output.stdout);
            expect_harmless(&options, &text)?;
            let is_there = options.ends_with("pprof") || text.contains("owned");
            Ok(if is_there { Ok(()) } else { Err(format!("{options}: {text:?}")) })
        })?;
    }
    Ok(String::new())
}
