//! Pictures and reports as a reader sees them: in a browser, which `make report-test`
//! finds or installs. `drive.mjs` searches, zooms, filters and compares what it sees with
//! numbers that are known: those of the profiles that are made up here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pyflame::app::sources::sources_of;
use pyflame::profile::Profile;
use pyflame::render::{Format, Settings};

#[allow(dead_code)]
#[path = "../support/mod.rs"]
mod support;

mod fixture;

use support::binaries::{Binaries, is_built};
use support::interpreters::{Interpreter, Interpreters};
use support::process::run;
use support::profiler::command;
use support::target::{new_file, set_environment};
use support::{Context, Outcome, expect, targets};

/// A folder of its own for each test, whose screenshots stay to be looked at.
fn folder(name: &str) -> Outcome<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report").join(name);
    fs::create_dir_all(&folder).context(|| folder.display().to_string())?;
    Ok(folder)
}

/// Writes a profile into a file of this name, whose ending chooses the format.
fn write(profile: &Profile, file: &Path) -> Outcome {
    let words = || format!("write {}", file.display());
    let format = Format::of_file(file).context(words)?;
    let settings = Settings { sources: Some(sources_of), ..Settings::default() };
    let mut out = fs::File::create(file).context(words)?;
    (format.write)(profile, &settings, &mut out).context(words)
}

/// Lets the browser open `file` and do what `drive.mjs` knows under this name.
fn drive(what: &str, file: &Path, arguments: &[&str]) -> Outcome<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/report/drive.mjs");
    let mut node = Command::new("node");
    node.arg(script).arg(what).arg(file).args(arguments);
    let finished = run(&mut node)?;
    expect(finished.status.success(), || finished.words())?;
    let words = String::from_utf8_lossy(&finished.stdout).trim().to_owned();
    println!("{what}: {words}");
    Ok(words)
}

#[test]
#[ignore = "needs a browser: make report-test"]
fn a_report_shows_what_is_known() -> Outcome {
    let folder = folder("fixture")?;
    let source = folder.join("app.py");
    fs::write(&source, fixture::SOURCE).context(|| source.display().to_string())?;
    let report = folder.join("report.html");
    write(&fixture::profile(&source.display().to_string()), &report)?;
    drive("report", &report, &[]).map(drop)
}

#[test]
#[ignore = "needs a browser: make report-test"]
fn pauses_of_a_free_threaded_program_are_a_state() -> Outcome {
    let report = folder("pauses")?.join("report.html");
    write(&fixture::pauses(), &report)?;
    drive("pauses", &report, &[]).map(drop)
}

#[test]
#[ignore = "needs a browser: make report-test"]
fn an_empty_report_says_so() -> Outcome {
    let report = folder("empty")?.join("report.html");
    write(&Profile::default(), &report)?;
    drive("empty", &report, &[]).map(drop)
}

#[test]
#[ignore = "needs a browser: make report-test"]
fn pictures_can_be_searched_and_zoomed() -> Outcome {
    let folder = folder("pictures")?;
    let profile = fixture::profile("/srv/app.py");
    for name in ["flame.svg", "flame.icicle.svg", "flame.chart.svg"] {
        let picture = folder.join(name);
        write(&profile, &picture)?;
        drive("picture", &picture, &[])?;
    }
    Ok(())
}

#[test]
#[ignore = "needs a browser: make report-test"]
fn a_million_samples_stay_usable() -> Outcome {
    let report = folder("million")?.join("report.html");
    write(&fixture::million(), &report)?;
    let length = fs::metadata(&report).context(|| report.display().to_string())?.len();
    expect(length < 30_000_000, || format!("{length} bytes"))?;
    let words = drive("million", &report, &[])?;
    println!("{} MB; {words}", length / 1_000_000);
    Ok(())
}

/// Of the oldest and the newest Python that were built for.
#[test]
#[ignore = "needs a browser: make report-test"]
fn a_run_on_a_real_interpreter_is_shown() -> Outcome {
    let interpreters = Interpreters::load()?;
    let built: Vec<&Interpreter> =
        interpreters.one_per_abi().into_iter().filter(|i| is_built(i.abi)).collect();
    let (first, last) = (built.first(), built.last());
    let (first, last) = first.zip(last).context(|| "no interpreter to test with".into())?;
    show_run(first)?;
    if first.label != last.label { show_run(last) } else { Ok(()) }
}

fn show_run(interpreter: &Interpreter) -> Outcome {
    let report = folder(interpreter.label)?.join("report.html");
    let script = targets().join("traced.py");
    let profiler = Binaries::install()?.profiler(interpreter.abi);
    let mut profile = command(&profiler, &["-r", "0.002", "--title", "a <title>", "-o"]);
    set_environment(&mut profile);
    profile.arg(&report).arg("-t").arg(&interpreter.executable).arg(&script).args(["1", "0"]);
    let finished = run(&mut profile)?;
    expect(finished.status.success(), || finished.words())?;
    // The busiest line must be shown as it is in the file.
    let text = fs::read_to_string(&script).context(|| script.display().to_string())?;
    let known = new_file("source");
    fs::write(&known, text).context(|| known.display().to_string())?;
    let shown = drive("run", &report, &[&known.display().to_string()]).map(drop);
    let _ = fs::remove_file(&known);
    shown
}
