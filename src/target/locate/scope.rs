//! Finding the interpreter's symbols as the dynamic linker binds them.

use std::collections::HashMap;
use std::sync::Arc;

use super::module::Module;
use crate::target::elf::Symbol;

/// The module that holds an interpreter, and the executable if that is another.
#[derive(Debug)]
pub(super) struct Scope {
    module: Arc<Module>,
    /// An executable that is not position independent and mentions a variable
    /// of a library gets its own copy of it, which everybody then uses (a copy
    /// relocation), so its symbols go first.
    executable: Option<Arc<Module>>,
    /// Where the module does not export the interpreter's symbols: those that
    /// are usually asked for.
    hidden: Option<HashMap<&'static str, Symbol>>,
}

/// What is looked up in every interpreter. Each lookup in a symbol table reads
/// all of it, so these are looked up together.
const USUAL: [&str; 20] = [
    "PyInterpreterState_Head",
    "PyString_Type",
    "PyType_Type",
    "PyCode_Type",
    "PyFrame_Type",
    "PyFunction_Type",
    "PyUnicode_Type",
    "PyBytes_Type",
    "PyThreadState_GetUnchecked",
    "PyUnstable_Code_GetExtra",
    "Py_GetVersion",
    "Py_Version",
    "_PyCode_GetExtra",
    "_PyRuntime",
    "_PyThreadState_Current",
    "_Py_NegativeRefcount",
    "_Py_RefTotal",
    "interp_head",
    "PyGen_Type",
    "PyCoro_Type",
];

impl Scope {
    pub(super) fn new(module: Arc<Module>, executable: Option<Arc<Module>>, hidden: bool) -> Self {
        let hidden = hidden.then(|| {
            let found = USUAL.into_iter().zip(module.local_symbols(USUAL));
            found.filter_map(|(name, symbol)| Some((name, symbol?))).collect()
        });
        Self { module, executable, hidden }
    }

    /// The module that holds the interpreter.
    #[must_use]
    pub(super) fn module(&self) -> &Module {
        &self.module
    }

    /// Where in the process a symbol of the interpreter is.
    #[must_use]
    pub(super) fn symbol(&self, name: &str) -> Option<Symbol> {
        let copied = self.executable.as_ref().and_then(|executable| executable.symbol(name));
        copied.or_else(|| self.module.symbol(name)).or_else(|| self.hidden_symbol(name))
    }

    fn hidden_symbol(&self, name: &str) -> Option<Symbol> {
        let hidden = self.hidden.as_ref()?;
        if USUAL.contains(&name) {
            return hidden.get(name).copied();
        }
        let [found] = self.module.local_symbols([name]);
        found
    }

    /// Its address alone.
    #[must_use]
    pub(super) fn address(&self, name: &str) -> Option<u64> {
        self.symbol(name).map(|symbol| symbol.address)
    }
}
