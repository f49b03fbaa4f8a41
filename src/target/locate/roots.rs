//! The addresses everything is found from.

use super::release::Release;
use super::scope::Scope;
use crate::cpython::memory::Memory;
use crate::target::disasm::{Arch, Location};

/// See the fields of the same names of [`super::Interpreter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Roots {
    pub(super) current_thread: Option<u64>,
    pub(super) interpreters_head: Option<u64>,
    pub(super) runtime: Option<u64>,
}

pub(super) fn find<M: Memory>(scope: &Scope, memory: &M, release: Release) -> Roots {
    let runtime = scope.address("_PyRuntime");
    let decoded = decoded_head(scope, memory).filter(|head| is_credible(*head, runtime));
    let interpreters_head =
        if release.is_at_least(3, 7) { decoded } else { decoded.or_else(|| named_head(scope)) };
    Roots { current_thread: scope.address("_PyThreadState_Current"), interpreters_head, runtime }
}

/// A head inside `_PyRuntime` must be inside of it: no version's is larger than 1 MB.
fn is_credible(head: u64, runtime: Option<u64>) -> bool {
    const LARGEST: u64 = 1 << 20;
    runtime.is_none_or(|runtime| head.checked_sub(runtime).is_some_and(|inside| inside < LARGEST))
}

fn decoded_head<M: Memory>(scope: &Scope, memory: &M) -> Option<u64> {
    const LONGEST: u64 = 64;
    let function = scope.symbol("PyInterpreterState_Head")?;
    let size = if function.size == 0 { LONGEST } else { function.size.min(LONGEST) };
    let code = memory.read_bytes(function.address, size as usize).ok()?;
    let arch = Arch::of_machine(scope.module().image().machine())?;
    match arch.loaded_word(&code, function.address)? {
        Location::Variable(address) => Some(address),
        Location::ThroughSlot { slot, offset } => {
            let base: u64 = memory.read(slot).ok()?;
            Some(base.wrapping_add(offset))
        }
    }
}

/// `interp_head` is static, so only a symbol table that was not stripped names it.
fn named_head(scope: &Scope) -> Option<u64> {
    let [head] = scope.module().local_symbols(["interp_head"]);
    head.map(|symbol| symbol.address)
}
