//! Which Python a process runs, how it was found, and which profiler is for it.

use super::finding::Findings;
use crate::app::interpreters::wait_for_interpreter;
use crate::app::programs::profiler_for;
use crate::cpython::abi::AbiTag;
use crate::target::live::Process;
use crate::target::live::memory::LiveMemory;

/// Answers what there is to ask of the interpreter. Its ABI if there is a profiler for it.
pub(super) fn look(process: &Process, findings: &mut Findings) -> Option<AbiTag> {
    let pid = process.pid();
    let found = match wait_for_interpreter(process, &LiveMemory::new(pid)) {
        Ok(found) => found,
        Err(error) => {
            findings.fail("interpreter", &error.to_string());
            return None;
        }
    };
    let link = if found.is_linked { "" } else { ", loaded at run time" };
    let module = found.module().path().display();
    let version = found.full_version();
    findings.ok("interpreter", format!("CPython {version} in {module}{link}"));
    match profiler_for(pid, &version, found.tag()) {
        Ok(program) => {
            findings.ok("profiler", program.display().to_string());
            Some(found.tag())
        }
        Err(error) => {
            findings.fail("profiler", &error.to_string());
            None
        }
    }
}
