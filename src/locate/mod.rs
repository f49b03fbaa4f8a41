//! From a process to the roots of its interpreter: which mapped file holds it,
//! which release it is, and where its variables and types are.
//!
//! What is found here comes from symbols, code bytes and constants. That the
//! layouts of the release fit the live objects is proven later, by [`crate::abi`].

mod error;
mod interpreter;
mod module;
mod release;
mod roots;
mod scope;
mod variant;
mod version;

pub use error::LocateError;
pub use interpreter::{Interpreter, Types};
pub use module::Module;
pub use release::{Level, Release};

use std::sync::Arc;

use self::interpreter::HEAD_FUNCTION;
use self::scope::Scope;
use crate::memory::Memory;
use crate::process::{MappedFile, Process};

/// Finds the interpreter of a process: the first that is initialised, by
/// [`Interpreter::is_initialised`].
///
/// # Errors
/// [`LocateError::Starting`] if there is one, but none that is initialised.
pub fn find<M: Memory>(process: &Process, memory: &M) -> Result<Interpreter, LocateError> {
    find_if(process, memory, &|interpreter| interpreter.is_initialised(memory))
}

/// Finds the first interpreter of a process that `accept` takes.
///
/// Files are looked at in this order, and no further than needed: the
/// executable, libraries called `libpython…`, everything else that has code.
///
/// # Errors
/// [`LocateError::Starting`] if there is one, but none is accepted.
pub fn find_if<M: Memory>(
    process: &Process,
    memory: &M,
    accept: &dyn Fn(&Interpreter) -> bool,
) -> Result<Interpreter, LocateError> {
    let pid = process.pid();
    let maps = process.maps().map_err(|source| no_maps(pid, source))?;
    let mut search = Search::new(process, memory, accept, maps.files());
    match search.run() {
        Some(interpreter) => Ok(interpreter),
        None => Err(search.failure()),
    }
}

fn no_maps(pid: i32, source: std::io::Error) -> LocateError {
    use std::io::ErrorKind;
    let gone = source.raw_os_error() == Some(nix::errno::Errno::ESRCH as i32);
    if gone || source.kind() == ErrorKind::NotFound {
        LocateError::Gone { pid }
    } else {
        LocateError::NoMaps { pid, source }
    }
}

/// One search, and what it has learnt so far.
struct Search<'a, M> {
    process: &'a Process,
    memory: &'a M,
    accept: &'a dyn Fn(&Interpreter) -> bool,
    files: Vec<MappedFile>,
    executable: Option<Arc<Module>>,
    /// Why the best candidate so far was not taken.
    failure: Option<LocateError>,
}

impl<'a, M: Memory> Search<'a, M> {
    fn new(
        process: &'a Process,
        memory: &'a M,
        accept: &'a dyn Fn(&Interpreter) -> bool,
        files: Vec<MappedFile>,
    ) -> Self {
        Self { process, memory, accept, files, executable: None, failure: None }
    }

    fn run(&mut self) -> Option<Interpreter> {
        let files = std::mem::take(&mut self.files);
        let (executable, others): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|file| self.process.is_executable(file));
        self.executable = executable.iter().find_map(|file| self.open(file));
        let (libraries, others): (Vec<_>, Vec<_>) =
            others.into_iter().partition(is_called_libpython);
        let others: Vec<_> = others.into_iter().filter(MappedFile::is_executable).collect();

        let main = self.executable.clone();
        let found = main
            .and_then(|module| self.try_module(module, false))
            .or_else(|| libraries.iter().find_map(|file| self.try_file(file, false)))
            .or_else(|| others.iter().find_map(|file| self.try_file(file, false)));
        self.files = [executable, libraries, others].concat();
        found.or_else(|| self.try_hidden())
    }

    /// The last resort, and slow: interpreters that are linked in without being
    /// exported, in files that were not stripped.
    fn try_hidden(&mut self) -> Option<Interpreter> {
        if self.failure.is_some() || self.pypy().is_some() {
            return None;
        }
        let files = self.files.clone();
        files.iter().find_map(|file| self.try_file(file, true))
    }

    fn open(&self, file: &MappedFile) -> Option<Arc<Module>> {
        Module::open(self.process, self.memory, file).map(Arc::new)
    }

    fn try_file(&mut self, file: &MappedFile, hidden: bool) -> Option<Interpreter> {
        let module = self.open(file)?;
        self.try_module(module, hidden)
    }

    /// Whether a module holds an interpreter that runs.
    fn try_module(&mut self, module: Arc<Module>, hidden: bool) -> Option<Interpreter> {
        let defines = if hidden {
            module.local_symbols([HEAD_FUNCTION]).iter().any(Option::is_some)
        } else {
            module.symbol(HEAD_FUNCTION).is_some()
        };
        if !defines {
            return None;
        }
        let scope = Scope::new(Arc::clone(&module), self.copies_for(&module), hidden);
        match interpreter::judge(self.process, self.memory, scope) {
            Ok(interpreter) if (self.accept)(&interpreter) => return Some(interpreter),
            Ok(_) => self.remember(self.starting("its interpreter is not initialised")),
            Err(error) => self.remember(error),
        }
        None
    }

    /// The executable, if it may hold copies of the variables of `module`. One
    /// with an interpreter of its own does not.
    fn copies_for(&self, module: &Arc<Module>) -> Option<Arc<Module>> {
        let executable = self.executable.as_ref()?;
        let other = !Arc::ptr_eq(executable, module) && executable.symbol(HEAD_FUNCTION).is_none();
        other.then(|| Arc::clone(executable))
    }

    /// Keeps the failure that says most: that an interpreter is not there yet
    /// weighs more than that another one is odd.
    fn remember(&mut self, failure: LocateError) {
        if self.failure.is_none() || failure.is_starting() {
            self.failure = Some(failure);
        }
    }

    fn starting(&self, what: &'static str) -> LocateError {
        let executable = self.process.executable().to_path_buf();
        LocateError::Starting { pid: self.process.pid(), executable, what }
    }

    /// Why nothing was found.
    fn failure(self) -> LocateError {
        let (pid, executable) = (self.process.pid(), self.process.executable().to_path_buf());
        if !self.process.is_alive() {
            return LocateError::Gone { pid };
        }
        if let Some(module) = self.pypy() {
            return LocateError::PyPy { pid, module };
        }
        let is_loaded = self.files.iter().any(|file| self.process.is_executable(file));
        if !is_loaded {
            return self.starting("its program is not loaded yet");
        }
        let awaits =
            |main: &Arc<Module>| main.image().needed().any(|name| name.starts_with(LIBPYTHON));
        match self.failure {
            Some(failure) => failure,
            None if self.executable.as_ref().is_some_and(awaits) => {
                self.starting("its libraries are being loaded")
            }
            None => LocateError::NotPython { pid, executable },
        }
    }

    fn pypy(&self) -> Option<std::path::PathBuf> {
        let library = self.files.iter().find(|file| is_pypy_name(file.name()));
        let module = self.executable.as_ref().filter(|module| has_pypy_symbols(module));
        library.map(|file| file.path.clone()).or(module.map(|module| module.path().to_path_buf()))
    }
}

const LIBPYTHON: &[u8] = b"libpython";

fn is_called_libpython(file: &MappedFile) -> bool {
    file.name().starts_with(LIBPYTHON)
}

/// `pypy3.10`, `libpypy3.10-c.so`.
fn is_pypy_name(name: &[u8]) -> bool {
    name.starts_with(b"pypy") || name.starts_with(b"libpypy")
}

/// Whether PyPy is linked into an executable.
fn has_pypy_symbols(module: &Module) -> bool {
    ["pypy_execute_source", "pypy_main_startup", "rpython_startup_code"]
        .iter()
        .any(|name| module.symbol(name).is_some())
}

#[cfg(test)]
mod tests;
