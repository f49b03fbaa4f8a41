//! What a run still has to do when it has begun.

use std::path::{Path, PathBuf};

use crate::app::options::{EngineChoice, Options};
use crate::render::Destination;

/// What a run still has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Needs {
    /// The process that it reads; `None`: a core file.
    pub pid: Option<i32>,
    /// Whether it may stop the process.
    pub stops: bool,
    /// Whether the kernel takes the samples, or may be asked to for what is executed next.
    pub kernel: bool,
    /// Whether it looks after a command, and may become the profiler for another Python of it.
    pub command: bool,
    /// Whether it reads sources, or symbols, as the process would find them.
    pub sources: bool,
    /// What it opens to write to.
    pub writes: Writes,
}

impl Needs {
    /// Of a run that samples this process.
    pub(crate) fn of_run(options: &Options, pid: i32, by_kernel: bool, writes: Writes) -> Self {
        Self {
            pid: Some(pid),
            stops: options.pause.is_ever(),
            kernel: by_kernel,
            command: false,
            sources: options.format.reads_sources() || options.native.is_any(),
            writes,
        }
    }

    /// Of a run that may go on with another process of a command, in another profiler.
    pub(crate) fn of_command(options: &Options, pid: i32) -> Self {
        let by_kernel = matches!(options.engine, EngineChoice::Auto | EngineChoice::Kernel);
        let file = options.output.clone().filter(|path| path.as_os_str() != "-");
        let writes = file.map_or(Writes::Nothing, Writes::Anew);
        Self { command: true, ..Self::of_run(options, pid, by_kernel, writes) }
    }

    /// Of a dump of a core file.
    pub(crate) fn of_dump(options: &Options, output: &Destination) -> Self {
        let writes = match (output, &options.output) {
            (Destination::File(_), Some(file)) => Writes::NewFiles(file.clone()),
            _ => Writes::Nothing,
        };
        let (stops, sources) = (options.pause.is_ever(), options.native.is_any());
        Self { pid: None, stops, kernel: false, command: false, sources, writes }
    }
}

/// What a run opens to write to, besides what it has open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Writes {
    /// Nothing.
    Nothing,
    /// New files beside this one, of which one takes its name.
    NewFiles(PathBuf),
    /// This, whatever it is: it is opened anew by the next profiler of a command.
    Anew(PathBuf),
}

impl Writes {
    /// The file that is named, if one is.
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Self::Nothing => None,
            Self::NewFiles(file) | Self::Anew(file) => Some(file),
        }
    }
}
