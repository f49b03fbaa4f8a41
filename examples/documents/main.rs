//! Writes the manual pages and the shell completions, under the names and in the
//! folders of an installed system.
//!
//! ```text
//! documents target/dist/share            # the launcher and every profiler
//! documents target/dist/share 3.6 3.11   # the launcher and these two
//! ```

mod completions;
mod manual;
mod template;

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use completions::Shell;
use pyflame::cpython::abi::{AbiTag, SUPPORTED};

/// A program that is documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    /// `pyflame`.
    Launcher,
    /// `pyflameX.Y`.
    Profiler(AbiTag),
}

impl Program {
    fn name(self) -> String {
        match self {
            Self::Launcher => "pyflame".to_owned(),
            Self::Profiler(version) => version.program(),
        }
    }

    /// The ABIs that can be asked of it.
    fn abis(self) -> Vec<AbiTag> {
        match self {
            Self::Launcher => SUPPORTED.to_vec(),
            Self::Profiler(version) => vec![version],
        }
    }

    fn command(self) -> clap::Command {
        let mut command = pyflame::app::cli::definition(&self.name(), &self.abis());
        // Fills in what arguments leave to their defaults, such as how many values.
        command.build();
        command
    }
}

fn main() -> ExitCode {
    match run(&env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<(), String> {
    let Some((share, versions)) = args.split_first() else {
        return Err("usage: documents DIRECTORY [X.Y]...".to_owned());
    };
    let share = Path::new(share);
    for program in programs(versions)? {
        let name = program.name();
        write(&share.join(format!("man/man1/{name}.1")), &manual::page(program)?)?;
        for shell in Shell::ALL {
            write(&share.join(shell.file(&name)), &completions::script(shell, program)?)?;
        }
    }
    Ok(())
}

/// The launcher and the profilers for `versions`; for none, all there are.
fn programs(versions: &[String]) -> Result<Vec<Program>, String> {
    let mut programs = vec![Program::Launcher];
    if versions.is_empty() {
        programs.extend(SUPPORTED.iter().copied().map(Program::Profiler));
    }
    for text in versions {
        let version = SUPPORTED.iter().copied().find(|tag| tag.to_string() == *text);
        programs
            .push(Program::Profiler(version.ok_or(format!("there is no profiler for {text}"))?));
    }
    Ok(programs)
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let failed = |error| format!("cannot write {}: {error}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    fs::write(path, text).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_versions_are_documented_unless_some_are_named() {
        assert_eq!(programs(&[]).expect("all").len(), 1 + SUPPORTED.len());
        let some = programs(&["3.6".to_owned(), "3.11".to_owned()]).expect("two");
        assert_eq!(some[0], Program::Launcher);
        assert_eq!(some[2].name(), "pyflame3.11");
        assert!(programs(&["36".to_owned()]).is_err());
    }
}
