//! `--core`: a core file in the place of a process.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::app::attach::attach_to;
use crate::app::dump::dump_kept;
use crate::app::error::Error;
use crate::app::options::{DumpStyle, Options};
use crate::app::programs::profiler_for;
use crate::app::sandbox::{Needs, confine};
use crate::cpython::abi::Abi;
use crate::escape::say;
use crate::profile::snapshot::{CoreFile, Ending};
use crate::render::Destination;
use crate::target::Target;
use crate::target::core::{Core, spool};
use crate::target::locate::{self, LocateError};

/// The profiler that is for the process of a core file, whose program may be elsewhere by now;
/// and the file that is to be its standard input, if the core file came through that.
///
/// # Errors
/// [`Error`] if it cannot be read or is not of Python, or if the profiler is not installed.
pub(super) fn profiler_of_core(
    file: &Path,
    program: Option<&Path>,
) -> Result<(PathBuf, Option<File>), Error> {
    let core = Core::open(file, program)?;
    let found = locate::find(&core, &core.memory());
    let found = found.map_err(|error| in_core(&core, error.into()))?;
    let profiler = profiler_for(core.pid(), &found.full_version(), found.tag());
    let profiler = profiler.map_err(|error| in_core(&core, error))?;
    let input = if file == Path::new(spool::STDIN) { core.file().ok() } else { None };
    Ok((profiler, input))
}

/// Writes the dump of a core file.
///
/// # Errors
/// [`Error`] if it cannot be read, is not of `A`, or the result not be written.
pub(super) fn dump_core<A: Abi>(
    options: &Options,
    file: &Path,
    program: Option<&Path>,
) -> Result<(), Error> {
    let core = Core::open(file, program)?;
    let told = describe(&core);
    let attached = attach_to::<A, _>(core.clone(), false).map_err(|error| in_core(&core, error))?;
    attached.companions.iter().for_each(|words| say(words));
    if options.dump_style == DumpStyle::Original {
        // What the original wrote has no place for it.
        say(&told.to_string());
    }
    let output = Destination::open(options.output.as_deref())?;
    if options.sandbox {
        confine(&Needs::of_dump(options, &output));
    }
    dump_kept::<A, _>(options, attached, told, output).map_err(|error| in_core(&core, error))
}

fn describe(core: &Core) -> CoreFile {
    let ending = core.signal().map(|signal| Ending {
        signal: signal.name(),
        address: signal.address,
        sender: signal.sender,
        thread: signal.thread,
    });
    let path = core.path().display().to_string();
    CoreFile { path, ending, missing: core.missing() }
}

/// An error about the process of a core file, and what may be the reason.
fn in_core(core: &Core, error: Error) -> Error {
    let error = match error {
        Error::Save(_) => return error,
        // It will never be further.
        Error::Locate(LocateError::Starting { pid, executable, .. }) => {
            Error::NotKept { pid, executable }
        }
        error => error,
    };
    Error::InCore {
        path: core.path().to_path_buf(),
        error: Box::new(error),
        missing: core.missing(),
        files: core.unused_files(),
    }
}
