//! What the module `threading` calls the threads of a process.
//!
//! `threading._active` maps a thread's identity to its `Thread`, which keeps the name
//! as an attribute (`Lib/threading.py` of every version). Nothing of it is called; what
//! is not of the expected type is passed over.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::dictionaries::{find, find_attribute, for_each_item};
use super::integers::integer;
use super::objects::{Dict, Object};
use super::text::Text;
use super::threads::ProcessRoots;
use super::types::{ObjectTypes, is_exactly};
use crate::cpython::abi::{Abi, SystemLayout};
use crate::cpython::memory::{Fault, Memory, Remote};

/// The most threads that names are read of.
const MAX_THREADS: usize = 64 * 1024;

/// The longest name that is read, in characters.
const MAX_NAME: i64 = 1024;

/// How long names are read. What is not read by then has no name: dictionaries of a hostile
/// process may be large, and the same again and again.
const LONGEST: Duration = Duration::from_millis(500);

/// Where the names of the threads of one process are.
#[derive(Clone)]
pub(crate) struct ThreadNames {
    types: ObjectTypes,
    system: SystemLayout,
}

/// Names by the identity of their thread, what `threading.get_ident()` returns.
pub(crate) type Names = HashMap<u64, Arc<str>>;

impl ThreadNames {
    /// For a process whose types are at `types`.
    #[must_use]
    pub(crate) fn new(types: ObjectTypes, system: SystemLayout) -> Self {
        Self { types, system }
    }

    /// The names of all threads that have one. Two interpreters may both know a thread:
    /// the older one names it. A process that runs on may change in between: call it
    /// twice where that matters.
    pub(crate) fn read<A: Abi, M: Memory>(&self, memory: &M, roots: &ProcessRoots) -> Names {
        let mut names = Names::new();
        let end = Instant::now() + LONGEST;
        // The list begins with the newest.
        for interpreter in roots.interpreters::<A, M>(memory).unwrap_or_default() {
            if Instant::now() >= end {
                break;
            }
            let modules = memory.field(interpreter, self.system.modules);
            let active = modules.and_then(|modules| self.active::<A, M>(memory, modules));
            if let Ok(Some(active)) = active {
                // What was read before something could not be is as good as before.
                let _ = self.read_active::<A, M>(memory, active, end, &mut names);
            }
        }
        names
    }

    /// `threading._active`, if that module has been imported.
    fn active<A: Abi, M: Memory>(
        &self,
        memory: &M,
        modules: Remote<Dict>,
    ) -> Result<Option<Remote<Dict>>, Fault> {
        let types = &self.types;
        if !types.is_dict::<A, M>(memory, modules.cast()) {
            return Ok(None);
        }
        let Some(module) = find::<A, M>(memory, types, modules, "threading")? else {
            return Ok(None);
        };
        if !is_exactly::<A, M>(memory, module, types.module) {
            return Ok(None);
        }
        let dict = memory.field(module.cast(), A::OBJECTS.module_dict)?;
        if !types.is_dict::<A, M>(memory, dict.cast()) {
            return Ok(None);
        }
        let active = find::<A, M>(memory, types, dict, "_active")?;
        let is_dict = |active: &Remote<Object>| types.is_dict::<A, M>(memory, *active);
        Ok(active.filter(is_dict).map(Remote::cast))
    }

    fn read_active<A: Abi, M: Memory>(
        &self,
        memory: &M,
        active: Remote<Dict>,
        end: Instant,
        names: &mut Names,
    ) -> Result<(), Fault> {
        let mut seen = 0;
        for_each_item::<A, M>(memory, active, &mut |key, thread| {
            let id = integer::<A, M>(memory, &self.types, key).and_then(|id| id.to_word());
            if let (Some(id), Some(name)) = (id, self.name::<A, M>(memory, thread)) {
                names.insert(id, name.into());
            }
            seen += 1;
            let may_go_on = seen < MAX_THREADS && Instant::now() < end;
            if may_go_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
    }

    /// The name of a `Thread`.
    fn name<A: Abi, M: Memory>(&self, memory: &M, thread: Remote<Object>) -> Option<String> {
        let name = find_attribute::<A, M>(memory, &self.types, thread, A::THREAD_NAME).ok()??;
        let is_short = |length: i64| (0..=MAX_NAME).contains(&length);
        if !self.types.is_name::<A, M>(memory, name)
            || !A::Text::length(memory, name.cast()).is_ok_and(is_short)
        {
            return None;
        }
        Some(A::Text::read(memory, name.cast()).ok()?.text)
    }
}
