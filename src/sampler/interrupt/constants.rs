//! What the program has to know of one Python and one process: the same layouts that all
//! else is read by, as numbers.

use std::fs;
use std::os::unix::fs::MetadataExt;

use nix::sys::stat::{major, minor};

use super::KernelError;
use super::plan::Plan;
use super::record::chunk_size;
use crate::cpython::abi::{Abi, CodeLength, TopFrame};
use crate::cpython::read::frames::Frames;
use crate::cpython::read::threads::ProcessRoots;
use crate::target::live::{Process, innermost_id};

/// How many GILs there can be, as in `program.c`.
pub(super) const MOST_GILS: u32 = 32;

/// The constants of the program, by name.
#[cfg_attr(not(feature = "kernel"), allow(dead_code, reason = "there is no program"))]
pub(super) struct Constants {
    /// Of 32 bits.
    pub narrow: Vec<(&'static str, u32)>,
    /// Of 64 bits.
    pub wide: Vec<(&'static str, u64)>,
    /// `code_texts`.
    pub texts: [u32; 3],
    /// Whether registers and stacks are copied.
    pub native: bool,
}

impl Constants {
    /// Those for `process`. `record_id` is where in the C library's record of a thread its
    /// native id is, if thread states do not tell that.
    ///
    /// # Errors
    /// If the process cannot be looked at.
    pub(super) fn of<A: Abi>(
        process: &Process,
        roots: &ProcessRoots,
        record_id: Option<u64>,
        plan: &Plan,
    ) -> Result<Self, KernelError> {
        let pid = process.pid();
        let namespace = fs::metadata(format!("/proc/{pid}/ns/pid"))
            .map_err(|source| KernelError::Process { pid, source })?;
        let own = innermost_id(pid, pid).ok_or(KernelError::NoIds { pid })?;
        let pointers = A::Frames::POINTERS;
        let (owner, first_shim) = pointers.shims.unwrap_or_default();
        let narrow = |value: usize| value as u32; // Offsets in structs of a few hundred bytes.
        let code = A::CODE;
        // From 3.11 the bytecode is part of the code object.
        let bytecode = match code.length {
            CodeLength::Bytes(field) => field.offset(),
            CodeLength::Instructions(_) => code.name.offset(),
        };
        let mut constants = vec![
            ("process", own as u32),
            ("all_threads", u32::from(plan.is_of_each_thread())),
            ("only_attached", u32::from(!plan.mode.is_of_all_threads())),
            ("thread_next", narrow(A::THREAD.next.offset())),
            ("jitter_step", plan.jitter_step()),
            ("thread_id", narrow(A::THREAD.id.offset())),
            ("has_native_id", u32::from(record_id.is_none())),
            ("native_id", narrow(A::THREAD.native_id.unwrap_or(A::THREAD.id).offset())),
            ("record_id", record_id.unwrap_or(0) as u32),
            ("frame_size", narrow(A::Frames::SIZE)),
            ("frame_caller", narrow(pointers.caller)),
            ("frame_code", narrow(pointers.code)),
            ("has_shims", u32::from(pointers.shims.is_some())),
            ("frame_owner", narrow(owner)),
            ("first_shim_owner", first_shim.into()),
            ("code_size", narrow(code.size)),
            ("code_table", narrow(code.line_table.offset())),
            ("chunk_size", narrow(chunk_size::<A>())),
        ];
        match A::THREAD.top {
            TopFrame::Direct(field) => constants.push(("top", narrow(field.offset()))),
            TopFrame::CFrame(layout) => constants.extend([
                ("through_c_frame", 1),
                ("top", narrow(layout.newest.offset())),
                ("frames_top", narrow(layout.frames_top.offset())),
                ("frames_limit", narrow(layout.frames_limit.offset())),
                ("c_frame_current", narrow(layout.current.offset())),
                ("c_frame_previous", narrow(layout.previous.offset())),
            ]),
        }
        // The kernel checks the program in half the time if there can be only one.
        let gil_places = match (roots.attached(), roots.gil_layout()) {
            (Some(_), _) => 0,
            (None, None) => 1,
            (None, Some(_)) => MOST_GILS,
        };
        constants.push(("gil_places", gil_places));
        if let Some(layout) = roots.gil_layout() {
            constants.extend([
                ("gil_is_struct", 1),
                ("gil_holder", narrow(layout.last_holder.offset())),
                ("gil_locked", narrow(layout.locked.offset())),
            ]);
        }
        if let Some(layout) = roots.attached() {
            constants.extend([
                ("is_free_threaded", 1),
                ("thread_state", narrow(layout.state.offset())),
                ("is_attached", layout.attached as u32), // 1: a small number.
            ]);
        }
        if let Some(copies) = A::COPIES {
            constants.extend([
                ("has_copies", 1),
                ("frame_copy", narrow(copies.index.offset())),
                ("code_copies", narrow(copies.array.offset())),
                ("copies_first", narrow(copies.entries)),
            ]);
        }
        let texts = [code.name.offset(), code.file.offset(), bytecode];
        Ok(Self {
            narrow: constants,
            wide: vec![
                ("namespace_device", kernels_number(namespace.dev())),
                ("namespace_inode", namespace.ino()),
                ("frame_code_tag", pointers.code_tag),
            ],
            texts: texts.map(narrow),
            native: plan.native,
        })
    }
}

/// A device as the kernel itself numbers it.
fn kernels_number(device: u64) -> u64 {
    major(device) << 20 | minor(device)
}

#[cfg(test)]
mod tests {
    use nix::sys::stat::makedev;

    use super::*;

    #[test]
    fn a_device_has_twenty_bits_for_its_minor_number() {
        assert_eq!(kernels_number(makedev(0, 4)), 4);
        assert_eq!(kernels_number(makedev(3, 0x1_2345)), 0x31_2345);
    }
}
