//! The command line, as far as it needs no Python process: messages and exit
//! codes that scripts written for the original rely on.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::Path;
use std::process::Command;

use crate::support::binaries::{ABIS, Binaries};
use crate::support::process::{Finished, run};
use crate::support::profiler::command;
use crate::support::target::{in_folder, new_file};

type Result<T = ()> = crate::support::Outcome<T>;

/// The launcher and every profiler that was built.
fn everyone() -> Result<Vec<Command>> {
    let binaries = Binaries::install()?;
    let built = ABIS.iter().filter(|(_, built)| built.is_some());
    let profilers = built.map(|(abi, _)| binaries.profiler(abi));
    let all = std::iter::once(binaries.launcher()).chain(profilers);
    Ok(all.map(|program| command(&program, &[])).collect())
}

/// Runs everyone with these arguments; each must fail as the original did.
fn everyone_says(arguments: &[&str], code: i32, check: impl Fn(&str) -> bool) -> Result {
    for mut command in everyone()? {
        let finished = run(command.args(arguments))?;
        let good = check(&finished.stderr) && finished.status.code() == Some(code);
        crate::support::expect(good && finished.stdout.is_empty(), || finished.words())?;
    }
    Ok(())
}

fn launcher(arguments: &[&str]) -> Result<Finished> {
    run(&mut command(&Binaries::install()?.launcher(), arguments))
}

#[test]
fn usage_without_a_process() -> Result {
    everyone_says(&[], 1, |words| words.starts_with("Usage: "))?;
    everyone_says(&["-s", "3"], 1, |words| words.starts_with("Usage: "))
}

#[test]
fn usage_with_two_processes() -> Result {
    everyone_says(&["-p", "1", "2"], 1, |words| words.starts_with("Usage: "))?;
    everyone_says(&["1", "2"], 1, |words| words.starts_with("Usage: "))
}

#[test]
fn usage_with_two_words() -> Result {
    everyone_says(&["foo", "bar"], 1, |words| {
        words.starts_with("Usage: ") && words.contains("failed to parse \"foo\" as a PID")
    })
}

#[test]
fn an_ending_of_several_formats_is_asked_about() -> Result {
    let says = |words: &str| {
        words.contains(".speedscope.json (speedscope)") && words.contains(".trace.json")
    };
    everyone_says(&["-p", "1", "-o", "/no/such/x.json"], 1, says)?;
    launcher(&["report", "/no/such/x.pyflame", "-o", "x.json"])
        .and_then(|finished| crate::support::expect(says(&finished.stderr), || finished.words()))
}

#[test]
fn usage_of_trace_without_a_command() -> Result {
    everyone_says(&["-t"], 1, |words| words.starts_with("Usage: "))?;
    everyone_says(&["-x", "--trace"], 1, |words| words.starts_with("Usage: "))
}

#[test]
fn process_ids_that_are_none() -> Result {
    for pid in ["x", "1x", "-1", "0", "", " 1", "99999999999999999999", "1.5", "0x10"] {
        let words = format!("failed to parse \"{pid}\" as a PID");
        everyone_says(&["-p", pid], 1, |stderr| stderr.contains(&words))?;
    }
    everyone_says(&["abc"], 1, |words| words.contains("failed to parse \"abc\" as a PID"))
}

#[test]
fn numbers_that_are_none() -> Result {
    for arguments in [["-s", "x"], ["-r", "x"], ["-r", "-1"], ["-s", "nan"], ["-r", "inf"]] {
        let all = [&arguments[..], &["-p", "1"]].concat();
        everyone_says(&all, 1, |words| !words.is_empty() && !words.contains("panicked"))?;
    }
    Ok(())
}

#[test]
fn trace_with_a_process_or_a_dump() -> Result {
    let compatible = |words: &str| words.contains("not mutually compatible");
    everyone_says(&["-p", "1", "-t", "true"], 1, compatible)?;
    everyone_says(&["-d", "-t", "true"], 1, compatible)?;
    everyone_says(&["--dump", "-x", "--trace", "true"], 1, compatible)
}

#[test]
fn abi_versions_that_do_not_exist() -> Result {
    for abi in ["1", "28", "33", "399", "3.60", "3.6t", "36d", "x", ""] {
        let words = format!("Unknown or unsupported ABI version: {abi}");
        everyone_says(&["--abi", abi, "-p", "1"], 1, |stderr| stderr.starts_with(&words))?;
    }
    Ok(())
}

#[test]
fn abi_version_of_another_profiler() -> Result {
    let binaries = Binaries::install()?;
    let built: Vec<&str> = ABIS.iter().filter_map(|(abi, b)| b.as_ref().map(|_| *abi)).collect();
    for (own, other) in built.iter().zip(built.iter().cycle().skip(1)).filter(|(a, b)| a != b) {
        let number = other.replace('.', "");
        let arguments = ["--abi", &number, "-p", "1"];
        let finished = run(&mut command(&binaries.profiler(own), &arguments))?;
        finished.expect_error(1, &[&format!("pyflame{own}"), &format!("pyflame{other}")])?;
    }
    Ok(())
}

#[test]
fn pyflame_on_a_pyflame() -> Result {
    let said = |words: &str| words.starts_with("You tried to pyflame a pyflame");
    everyone_says(&["-t", "pyflame", "-p", "1"], 1, said)?;
    everyone_says(&["-t", "pyflame3.6", "-h"], 1, said)?;
    everyone_says(&["-t", "/usr/local/bin/pyflame2.7"], 1, said)
}

#[test]
fn commands_that_cannot_run() -> Result {
    let said = |words: &str| words.starts_with("Child process exited with status: ");
    everyone_says(&["-t", "no-such-command-anywhere", "x"], 1, said)?;
    everyone_says(&["-t", "/no/such/command"], 1, said)?;
    everyone_says(&["-t", "/etc/passwd"], 1, said)?;
    everyone_says(&["-t", "/"], 1, said)?;
    everyone_says(&["-t", ""], 1, said)
}

#[test]
fn commands_that_are_not_python() -> Result {
    let said = |words: &str| words.starts_with("Failed to locate libpython");
    everyone_says(&["-t", "true"], 1, said)?;
    everyone_says(&["-t", "sh", "-c", "exit 3"], 1, said)?;
    let finished = launcher(&["-t", "echo", "hello", "-v"])?;
    finished.expect_error(1, &["Failed to locate libpython"])?;
    crate::support::expect(finished.stdout == b"hello -v\n", || finished.words())
}

/// Another user's link in a folder like `/tmp` is not followed: that user would choose what is
/// overwritten. Only root can make one for this test; `links.rs` tests the rule for everybody.
#[test]
fn a_link_that_another_user_has_put_there_is_refused() -> Result {
    let folder = new_file("links");
    in_folder(&folder, || {
        let path = |name: &str| folder.join(name).display().to_string();
        let (stacks, file, link) = (path("stacks"), path("file"), path("link"));
        std::fs::write(&stacks, "a.py:f:1 7\n").map_err(|error| error.to_string())?;
        std::fs::write(&file, "old").map_err(|error| error.to_string())?;
        symlink(&file, &link).map_err(|error| error.to_string())?;
        let diff = || launcher(&["diff", &stacks, &stacks, "-o", &link]);
        let content = || std::fs::read_to_string(&file).map_err(|error| error.to_string());
        std::fs::set_permissions(&folder, Permissions::from_mode(0o1777))
            .map_err(|error| error.to_string())?;
        diff()?.clean()?;
        crate::support::expect(content()? == "a.py:f 7 7\n", || format!("{:?}", content()))?;
        let is_root = nix::unistd::geteuid().is_root();
        if is_root && lchown(&link, Some(1), None).is_ok() && lchown(&folder, Some(2), None).is_ok()
        {
            std::fs::write(&file, "old").map_err(|error| error.to_string())?;
            let refused = diff()?;
            let words = "is a symbolic link of user 1 in a directory that others may write to";
            let is_right = refused.stderr.contains(words) && refused.status.code() == Some(1);
            crate::support::expect(is_right && content()? == "old", || refused.words())?;
        }
        crate::support::expect(Path::new(&link).is_symlink(), || "the link is gone".into())
    })
}

#[test]
fn output_that_cannot_be_written() -> Result {
    // The file is wanted before anything is sampled, or after: never nothing said.
    let own = std::process::id().to_string();
    let finished = launcher(&["-o", "/no/such/folder/out", "-p", &own])?;
    crate::support::expect(finished.status.code() == Some(1), || finished.words())?;
    crate::support::expect(!finished.stderr.is_empty(), || finished.words())
}

#[test]
fn unknown_options() -> Result {
    let said = |words: &str| words.contains("--no-such-option") && !words.contains("panicked");
    everyone_says(&["--no-such-option", "-p", "1"], 1, said)
}

#[test]
fn typing_errors_are_told_from() -> Result {
    let tips = [
        (&["--exclude-idel"][..], "--exclude-idle"),
        (&["--format", "foldde", "-p", "1"], "'folded'"),
        (&["--pause", "alwyas", "-p", "1"], "'always'"),
        (&["--rotat", "60s"], "--rotate"),
    ];
    for (arguments, tip) in tips {
        everyone_says(arguments, 1, |words| words.contains("tip: ") && words.contains(tip))?;
    }
    Ok(())
}

#[test]
fn errors_tell_what_would_be_right() -> Result {
    everyone_says(&["-s", "5 parsecs", "-p", "1"], 1, |words| words.contains("1h30m"))?;
    everyone_says(&["-r", "often", "-p", "1"], 1, |words| words.contains("100hz"))?;
    everyone_says(&[], 1, |words| words.contains("-p") && words.contains("--help"))?;
    let own = std::process::id().to_string();
    let finished = launcher(&["--rotate", "60s", "-p", &own])?;
    crate::support::expect(finished.status.code() == Some(1), || finished.words())
}

#[test]
fn long_help_is_longer() -> Result {
    for mut command in everyone()? {
        let program = command.get_program().to_owned();
        let short = String::from_utf8(run(command.arg("-h"))?.clean()?);
        let long =
            String::from_utf8(run(std::process::Command::new(program).arg("--help"))?.clean()?);
        let (short, long) = (short.map_err(|e| e.to_string())?, long.map_err(|e| e.to_string())?);
        let good = short.lines().count() * 2 < long.lines().count()
            && long.contains("Examples:\n")
            && !short.contains("Examples:\n")
            && short.contains("Where the result goes:");
        crate::support::expect(good, || format!("-h:\n{short}\n--help:\n{long}"))?;
    }
    Ok(())
}

/// Runs the launcher on a terminal of its own; what the terminal showed.
fn on_a_terminal(environment: &[&str], arguments: &str) -> Result<String> {
    let launcher = Binaries::install()?.launcher();
    let line = format!("{} {arguments}", launcher.display());
    let mut command = Command::new("env");
    command.args(environment).args(["script", "-qec", &line, "/dev/null"]);
    command.env_remove("NO_COLOR").env("TERM", "xterm");
    Ok(String::from_utf8_lossy(&run(&mut command)?.stdout).into_owned())
}

#[test]
fn colours_are_for_terminals_that_want_them() -> Result {
    const ESCAPE: char = '\x1b';
    let has = |text: &str, colours: bool| {
        crate::support::expect(text.contains(ESCAPE) == colours && text.contains("Usage:"), || {
            format!("colours should be there: {colours}: {text:?}")
        })
    };
    has(&on_a_terminal(&[], "--help")?, true)?;
    has(&on_a_terminal(&[], "--no-such-option")?, true)?;
    has(&on_a_terminal(&["NO_COLOR=1"], "--help")?, false)?;
    has(&on_a_terminal(&["NO_COLOR=1"], "--no-such-option")?, false)?;
    has(&on_a_terminal(&["TERM=dumb"], "-h")?, false)?;
    has(&String::from_utf8_lossy(&launcher(&["--help"])?.stdout), false)
}

#[test]
fn help() -> Result {
    for mut command in everyone()? {
        for option in ["-h", "--help"] {
            let finished = run(command.args([option]))?;
            let text = String::from_utf8(finished.clean()?).map_err(|e| e.to_string())?;
            let options = "--pid --trace --seconds --rate --output --threads --exclude-idle \
                           --no-line-numbers --flamechart --dump --abi --version --help";
            for option in options.split_whitespace() {
                crate::support::expect(text.contains(option), || format!("no {option} in {text}"))?;
            }
        }
    }
    Ok(())
}

#[test]
fn version() -> Result {
    let binaries = Binaries::install()?;
    let built: Vec<&str> = ABIS.iter().filter_map(|(abi, b)| b.as_ref().map(|_| *abi)).collect();
    let line = |abis: &[&str]| {
        let numbers: Vec<String> = abis.iter().map(|abi| abi.replace('.', "")).collect();
        let (release, machine) = (env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
        format!("pyflame {release} linux-gnu {machine} (ABI list: {})\n", numbers.join(" "))
    };
    for option in ["-v", "--version"] {
        let seen = launcher(&[option])?.clean()?;
        crate::support::expect(seen == line(&built).as_bytes(), || {
            format!("{:?} instead of {:?}", String::from_utf8_lossy(&seen), line(&built))
        })?;
        for abi in &built {
            let seen = run(&mut command(&binaries.profiler(abi), &[option]))?.clean()?;
            crate::support::expect(seen == line(&[abi]).as_bytes(), || {
                format!("pyflame{abi}: {:?}", String::from_utf8_lossy(&seen))
            })?;
        }
    }
    Ok(())
}
