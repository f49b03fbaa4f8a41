//! The interpreter of a process: what is found, and how one module is judged.

use std::path::Path;

use super::error::LocateError;
use super::module::Module;
use super::release::Release;
use super::roots;
use super::scope::Scope;
use super::variant::{DebugOffsets, ObjectHead, Variant, object_head};
use super::version::{self, Doubt};
use crate::cpython::abi::{AbiFlags, AbiTag};
use crate::cpython::memory::{Fault, Memory};
use crate::target::interface::Target;

/// A CPython interpreter in a process.
#[derive(Debug)]
pub(crate) struct Interpreter {
    /// Which release it is.
    pub version: Release,
    /// A build without GIL (`--disable-gil`, 3.13 and later): every object
    /// begins with 16 more bytes.
    pub free_threaded: bool,
    /// A build that links all objects (`--with-trace-refs`, or `--with-pydebug`
    /// before 3.8): every object begins with two more pointers.
    pub trace_refs: bool,
    /// Address of `_PyThreadState_Current`: the thread state that holds the GIL
    /// (2.7 to 3.6; Python/pystate.c).
    pub current_thread: Option<u64>,
    /// Address of the variable that holds the first `PyInterpreterState*`:
    /// `interp_head` up to 3.6, the field `interpreters.head` of `_PyRuntime`
    /// from 3.7. Taken from the body of `PyInterpreterState_Head`, else, up to
    /// 3.6, from the symbol table. `None` if neither tells.
    ///
    /// From 3.7 it is only a witness: the layout of `_PyRuntime` says the same.
    pub interpreters_head: Option<u64>,
    /// Address of `_PyRuntime` (3.7 and later; Python/pylifecycle.c).
    pub runtime: Option<u64>,
    /// Its types.
    pub types: Types,
    /// Whether it is the program of the process, or the program is linked to it. Else it was
    /// loaded at run time, or nothing tells how.
    pub is_linked: bool,
    scope: Scope,
}

/// Addresses of the type objects that objects are recognised by. One that the
/// version does not have, or that the build does not export, is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Types {
    /// `PyType_Type`.
    pub r#type: u64,
    /// `PyCode_Type`.
    pub code: Option<u64>,
    /// `PyFrame_Type`.
    pub frame: Option<u64>,
    /// `PyFunction_Type`.
    pub function: Option<u64>,
    /// `PyUnicode_Type`.
    pub unicode: Option<u64>,
    /// `PyBytes_Type` (3.x).
    pub bytes: Option<u64>,
    /// `PyString_Type` (2.7).
    pub string: Option<u64>,
}

impl Interpreter {
    /// The ABI that it is of.
    #[must_use]
    pub(crate) fn tag(&self) -> AbiTag {
        let Self { version, free_threaded, trace_refs, .. } = *self;
        AbiTag::new(version.major, version.minor).with(AbiFlags { free_threaded, trace_refs })
    }

    /// Its full version, with the letters of its ABI: `3.6.15`, `3.14.2t`.
    #[must_use]
    pub(crate) fn full_version(&self) -> String {
        format!("{}{}", self.version, self.tag().flags.letters())
    }

    /// The module that holds it.
    #[must_use]
    pub(crate) fn module(&self) -> &Module {
        self.scope.module()
    }

    /// Whether it has an interpreter state; `None` where nothing says where that would be.
    pub(crate) fn is_initialised<M: Memory>(&self, memory: &M) -> Option<bool> {
        let variable = self.interpreters_head.or(self.current_thread)?;
        Some(memory.read::<u64>(variable).is_ok_and(|pointer| pointer != 0))
    }

    /// The same, as one to which the program is linked or not.
    pub(super) fn linked(self, is_linked: bool) -> Self {
        Self { is_linked, ..self }
    }

    /// Where in the process a symbol of the interpreter is.
    #[must_use]
    pub(crate) fn symbol(&self, name: &str) -> Option<u64> {
        self.scope.address(name)
    }
}

/// The names that an interpreter cannot do without, one of which tells that a
/// module holds one: the first is a function in every version.
pub(super) const HEAD_FUNCTION: &str = "PyInterpreterState_Head";

/// Reads what the module of `scope` says about the interpreter in it.
pub(super) fn judge<M: Memory>(
    target: &impl Target,
    memory: &M,
    scope: Scope,
) -> Result<Interpreter, LocateError> {
    judge_scope(target.pid(), target.executable(), memory, scope)
}

/// The same, of process `pid` that runs `executable`.
pub(super) fn judge_scope<M: Memory>(
    pid: i32,
    executable: &Path,
    memory: &M,
    scope: Scope,
) -> Result<Interpreter, LocateError> {
    let module = || scope.module().path().to_path_buf();
    let unreadable = |fault: Fault| unreadable(pid, fault);
    let type_type = scope.address("PyType_Type").ok_or_else(|| LocateError::Incomplete {
        pid,
        module: module(),
        symbol: "PyType_Type",
    })?;
    let head = object_head(memory, type_type).map_err(unreadable)?;
    let release = version::identify(&scope, memory).map_err(|doubt| match doubt {
        Doubt::Unknown => LocateError::UnknownVersion { pid, module: module() },
        Doubt::Contradiction(found, conflict) => {
            LocateError::Contradiction { pid, module: module(), found, conflict }
        }
    })?;
    if head == ObjectHead::Unfinished {
        let executable = executable.to_path_buf();
        return Err(LocateError::Starting {
            pid,
            executable,
            what: "its libraries are being loaded",
        });
    }
    let roots = roots::find(&scope, memory, release);
    let variant = variant(&scope, memory, head, release, roots.runtime).map_err(|conflict| {
        LocateError::Contradiction { pid, module: module(), found: release, conflict }
    })?;
    let types = Types {
        r#type: type_type,
        code: scope.address("PyCode_Type"),
        frame: scope.address("PyFrame_Type"),
        function: scope.address("PyFunction_Type"),
        unicode: scope.address("PyUnicode_Type"),
        bytes: scope.address("PyBytes_Type"),
        string: scope.address("PyString_Type"),
    };
    Ok(Interpreter {
        version: release,
        free_threaded: variant.free_threaded,
        trace_refs: variant.trace_refs,
        current_thread: roots.current_thread,
        interpreters_head: roots.interpreters_head,
        runtime: roots.runtime,
        types,
        is_linked: false,
        scope,
    })
}

pub(super) fn unreadable(pid: i32, fault: Fault) -> LocateError {
    if fault.is_process_gone() {
        LocateError::Gone { pid }
    } else {
        LocateError::Unreadable { pid, fault }
    }
}

/// Tells the two kinds of longer object heads apart, and holds the release
/// against what `_PyRuntime` says of it.
fn variant<M: Memory>(
    _scope: &Scope,
    memory: &M,
    head: ObjectHead,
    release: Release,
    runtime: Option<u64>,
) -> Result<Variant, String> {
    let extended = head == ObjectHead::Extended;
    let mut variant = Variant { free_threaded: false, trace_refs: extended };
    if !release.is_at_least(3, 13) {
        return Ok(variant);
    }
    let offsets = runtime.and_then(|runtime| DebugOffsets::read(memory, runtime));
    let offsets = offsets.ok_or("its _PyRuntime does not begin with _Py_DebugOffsets")?;
    if offsets.release != release {
        return Err(format!("its _PyRuntime is of CPython {}", offsets.release));
    }
    if offsets.free_threaded && !extended {
        return Err("its objects are not those of a free-threaded build".to_owned());
    }
    variant.free_threaded = offsets.free_threaded;
    variant.trace_refs = extended && !offsets.free_threaded;
    Ok(variant)
}
