//! From a process to the roots of its interpreter: which mapped file holds it,
//! which release it is, and where its variables and types are.
//!
//! What is found here comes from symbols, code bytes and constants. That the
//! layouts of the release fit the live objects is proven later, by [`crate::cpython::read::proof`].

mod error;
mod interpreter;
mod libc;
mod linked;
mod module;
mod release;
mod roots;
mod scope;
mod variant;
mod version;

pub(crate) use error::LocateError;
pub(crate) use interpreter::Interpreter;
pub(crate) use libc::thread_id_offset;
pub(crate) use module::Module;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use version::releases;

use std::sync::Arc;

use self::interpreter::HEAD_FUNCTION;
use self::linked::{Objects, is_needed_by};
use self::scope::Scope;
use crate::cpython::memory::Memory;
use crate::target::interface::Target;
use crate::target::mapped::MappedFile;

/// Finds the interpreter of a process: an initialised one, by
/// [`Interpreter::is_initialised`]. If there are several, that which the program is linked to.
///
/// # Errors
/// [`LocateError::Starting`] if there is one, but none that is initialised.
pub(crate) fn find<M: Memory>(
    target: &impl Target,
    memory: &M,
) -> Result<Interpreter, LocateError> {
    let mut found = search(target, memory, false)?;
    Ok(found.swap_remove(0))
}

/// Finds all interpreters of a process that are initialised, those first that the program is
/// linked to. There is at least one.
///
/// # Errors
/// [`LocateError::Starting`] if there is one, but none that is initialised.
pub(crate) fn find_all<M: Memory>(
    target: &impl Target,
    memory: &M,
) -> Result<Vec<Interpreter>, LocateError> {
    search(target, memory, true)
}

/// Files are looked at in this order, and, unless `all` are wanted, no further than needed:
/// the executable, libraries called `libpython…`, everything else that has code.
fn search<M: Memory>(
    target: &impl Target,
    memory: &M,
    all: bool,
) -> Result<Vec<Interpreter>, LocateError> {
    let pid = target.pid();
    let files = target.files().map_err(|source| no_maps(pid, source))?;
    let mut search = Search::new(target, memory, all, files);
    let found = search.run();
    if found.is_empty() { Err(search.failure()) } else { Ok(found) }
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

/// How the program came to a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// It is the program itself, or linked to it.
    Program,
    /// Another one is, so it was loaded at run time.
    Loaded,
    /// None is, as far as can be told.
    Unknown,
}

/// Whether one is known to be initialised.
fn is_sure<M: Memory>(found: &[Interpreter], memory: &M) -> bool {
    found.iter().any(|found| found.is_initialised(memory) == Some(true))
}

/// One search, and what it has learnt so far.
struct Search<'a, T, M> {
    target: &'a T,
    memory: &'a M,
    /// Whether to go on when one has been found.
    all: bool,
    files: Vec<MappedFile>,
    executable: Option<Arc<Module>>,
    /// Why the best candidate so far was not taken.
    failure: Option<LocateError>,
}

impl<'a, T: Target, M: Memory> Search<'a, T, M> {
    fn new(target: &'a T, memory: &'a M, all: bool, files: Vec<MappedFile>) -> Self {
        Self { target, memory, all, files, executable: None, failure: None }
    }

    fn run(&mut self) -> Vec<Interpreter> {
        let files = std::mem::take(&mut self.files);
        let (executable, others): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|file| self.target.is_executable(file));
        self.executable = executable.iter().find_map(|file| self.open(file));
        let (libraries, others): (Vec<_>, Vec<_>) =
            others.into_iter().partition(is_called_libpython);
        let others: Vec<_> = others.into_iter().filter(MappedFile::is_executable).collect();

        let mut found = Vec::new();
        if let Some(main) = self.executable.clone() {
            found.extend(self.try_module(main, Link::Program, false));
        }
        if self.all || !is_sure(&found, self.memory) {
            found.extend(self.try_files(&libraries, &others));
        }
        self.files = [executable, libraries, others].concat();
        if found.is_empty() {
            found.extend(self.try_hidden());
        }
        // Of some it cannot be told whether they are initialised. They count if there are
        // no others.
        if is_sure(&found, self.memory) {
            found.retain(|found| found.is_initialised(self.memory) == Some(true));
        }
        found
    }

    /// The interpreters in files other than the executable, those first that it is linked to.
    fn try_files(&mut self, libraries: &[MappedFile], others: &[MappedFile]) -> Vec<Interpreter> {
        let mut objects = Objects::default();
        let mut holders = Vec::new();
        for file in libraries.iter().chain(others) {
            let Some(module) = self.open(file) else { continue };
            let number = objects.add(&module);
            if module.symbol(HEAD_FUNCTION).is_none() {
                continue;
            }
            let is_needed = |main: &Arc<Module>| is_needed_by(&module, main);
            if !self.all && self.executable.as_ref().is_some_and(is_needed) {
                let found = self.try_module(Arc::clone(&module), Link::Program, false);
                if is_sure(found.as_slice(), self.memory) {
                    return found.into_iter().collect();
                }
            }
            holders.push((number, module));
        }
        let needed = self.executable.as_ref().map(|main| objects.needed_by(main));
        let is_linked = |(number, _): &(usize, Arc<Module>)| {
            needed.as_ref().is_some_and(|needed| needed.contains(number))
        };
        let (linked, loaded): (Vec<_>, Vec<_>) = holders.into_iter().partition(is_linked);
        let link = if linked.is_empty() { Link::Unknown } else { Link::Loaded };
        let linked = linked.into_iter().map(|(_, module)| (module, Link::Program));
        let holders = linked.chain(loaded.into_iter().map(|(_, module)| (module, link)));
        holders.filter_map(|(module, link)| self.try_module(module, link, false)).collect()
    }

    /// The last resort, and slow: interpreters that are linked in without being
    /// exported, in files that were not stripped.
    fn try_hidden(&mut self) -> Option<Interpreter> {
        if self.failure.is_some() || self.pypy().is_some() {
            return None;
        }
        let files = self.files.clone();
        files.iter().find_map(|file| {
            let module = self.open(file)?;
            let link = if self.target.is_executable(file) { Link::Program } else { Link::Unknown };
            self.try_module(module, link, true)
        })
    }

    fn open(&self, file: &MappedFile) -> Option<Arc<Module>> {
        Module::open(self.target, self.memory, file).map(Arc::new)
    }

    /// The interpreter that a module holds, unless it is not initialised.
    fn try_module(&mut self, module: Arc<Module>, link: Link, hidden: bool) -> Option<Interpreter> {
        let defines = if hidden {
            module.local_symbols([HEAD_FUNCTION]).iter().any(Option::is_some)
        } else {
            module.symbol(HEAD_FUNCTION).is_some()
        };
        if !defines {
            return None;
        }
        let copies = if link == Link::Loaded { None } else { self.copies_for(&module) };
        let scope = Scope::new(Arc::clone(&module), copies, hidden);
        match interpreter::judge(self.target, self.memory, scope) {
            Ok(found) if found.is_initialised(self.memory) != Some(false) => {
                return Some(found.linked(link == Link::Program));
            }
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
        let executable = self.target.executable().to_path_buf();
        LocateError::Starting { pid: self.target.pid(), executable, what }
    }

    /// Why nothing was found.
    fn failure(self) -> LocateError {
        let (pid, executable) = (self.target.pid(), self.target.executable().to_path_buf());
        if !self.target.is_alive() {
            return LocateError::Gone { pid };
        }
        if let Some(module) = self.pypy() {
            return LocateError::PyPy { pid, module };
        }
        let is_loaded = self.files.iter().any(|file| self.target.is_executable(file));
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
