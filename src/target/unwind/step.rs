//! From one frame to its caller: what a row of a table says of registers and stack.

use gimli::{CfaRule, Evaluation, EvaluationResult, Location, Register, RegisterRule, Value};

use super::arch;
use super::tables::{Row, Tables};
use super::types::{Registers, StackCopy, UnwindEnd};

/// The registers of a frame, as far as they are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// The instruction pointer; of a caller, the return address.
    pub ip: u64,
    /// The stack pointer.
    pub sp: u64,
    /// The frame pointer.
    pub fp: Option<u64>,
    /// The link register: known only in the frame that the processor was in.
    pub lr: Option<u64>,
    /// Whether `ip` is the next instruction to be executed, and no return address.
    pub is_exact: bool,
}

impl Frame {
    /// The frame that the processor was in.
    pub(super) fn innermost(registers: Registers) -> Self {
        let Registers { ip, sp, bp, lr } = registers;
        let lr = arch::HAS_LINK_REGISTER.then_some(lr);
        Self { ip, sp, fp: Some(bp), lr, is_exact: true }
    }

    /// An address in the instruction that is executed: a call may be the last instruction of its
    /// function.
    pub(super) fn address(&self) -> u64 {
        if self.is_exact { self.ip } else { self.ip.wrapping_sub(1) }
    }

    fn register(&self, register: Register) -> Option<u64> {
        match register {
            arch::SP => Some(self.sp),
            arch::FP => self.fp,
            arch::IP if arch::HAS_LINK_REGISTER => self.lr,
            arch::IP => Some(self.ip),
            _ => None,
        }
    }
}

impl StackCopy<'_> {
    /// The word at an address. What is above the copy could have been copied; the rest is no
    /// stack of this thread.
    pub(super) fn word(&self, address: u64) -> Result<u64, UnwindEnd> {
        /// No stack is larger; nothing that is farther away is asked for.
        const LARGEST: u64 = 1 << 32;
        let inside = address.checked_sub(self.start).ok_or(UnwindEnd::Unknown)?;
        let place = usize::try_from(inside).map_err(|_| UnwindEnd::Unknown)?;
        match self.bytes.get(place..).and_then(<[u8]>::first_chunk) {
            Some(word) => Ok(u64::from_le_bytes(*word)),
            None if inside < LARGEST => Err(UnwindEnd::Cut(inside + 8)),
            None => Err(UnwindEnd::Unknown),
        }
    }
}

/// A row with what it is evaluated with.
pub(super) struct Step<'a> {
    /// What says how.
    pub row: &'a Row,
    /// The tables that it is from.
    pub tables: &'a Tables,
    /// The bytes of the image.
    pub bytes: &'a [u8],
    /// The stack.
    pub stack: &'a StackCopy<'a>,
}

impl Step<'_> {
    /// The caller of a frame. Its stack pointer is the canonical frame address.
    pub(super) fn caller(&self, frame: &Frame) -> Result<Frame, UnwindEnd> {
        let cfa = match &self.row.cfa {
            CfaRule::RegisterAndOffset { register, offset } => {
                let value = frame.register(*register).ok_or(UnwindEnd::Unknown)?;
                value.checked_add_signed(*offset).ok_or(UnwindEnd::Unknown)?
            }
            CfaRule::Expression(expression) => self.evaluate(frame, expression, None)?,
        };
        let ip = match (&self.row.ip, frame.lr) {
            (RegisterRule::Undefined, None) => return Err(UnwindEnd::Root),
            // Tables say nothing of a link register that is still as it was.
            (RegisterRule::Undefined, Some(lr)) => lr,
            (rule, lr) => self.value(frame, rule, cfa, lr)?,
        };
        let fp = match &self.row.fp {
            RegisterRule::Undefined => frame.fp,
            // Who needs it will not find it.
            rule => self.value(frame, rule, cfa, frame.fp).ok(),
        };
        let is_exact = self.row.is_signal_frame;
        Ok(Frame { ip: arch::plain(ip), sp: cfa, fp, lr: None, is_exact })
    }

    /// The caller's value of a register whose value in this frame is `same`.
    fn value(
        &self,
        frame: &Frame,
        rule: &RegisterRule<usize>,
        cfa: u64,
        same: Option<u64>,
    ) -> Result<u64, UnwindEnd> {
        let from_cfa = |offset: i64| cfa.checked_add_signed(offset).ok_or(UnwindEnd::Unknown);
        match rule {
            RegisterRule::SameValue => same.ok_or(UnwindEnd::Unknown),
            RegisterRule::Offset(offset) => self.stack.word(from_cfa(*offset)?),
            RegisterRule::ValOffset(offset) => from_cfa(*offset),
            RegisterRule::Register(register) => frame.register(*register).ok_or(UnwindEnd::Unknown),
            RegisterRule::Expression(expression) => {
                self.stack.word(self.evaluate(frame, expression, Some(cfa))?)
            }
            RegisterRule::ValExpression(expression) => self.evaluate(frame, expression, Some(cfa)),
            _ => Err(UnwindEnd::Unknown),
        }
    }

    /// The value of an expression (DWARF 5, 6.4.2 and 2.5).
    fn evaluate(
        &self,
        frame: &Frame,
        expression: &gimli::UnwindExpression<usize>,
        initial: Option<u64>,
    ) -> Result<u64, UnwindEnd> {
        self.try_evaluate(frame, expression, initial).unwrap_or(Err(UnwindEnd::Unknown))
    }

    /// `None` for what cannot be evaluated.
    fn try_evaluate(
        &self,
        frame: &Frame,
        expression: &gimli::UnwindExpression<usize>,
        initial: Option<u64>,
    ) -> Option<Result<u64, UnwindEnd>> {
        /// Expressions can loop. Real ones have fewer than ten operations.
        const MAX_OPERATIONS: u32 = 200;
        let code = self.tables.expression(self.bytes, self.row.table, expression)?;
        let mut evaluation = Evaluation::new(code, self.row.encoding);
        evaluation.set_max_iterations(MAX_OPERATIONS);
        if let Some(initial) = initial {
            evaluation.set_initial_value(initial);
        }
        let mut result = evaluation.evaluate().ok()?;
        loop {
            let value = match result {
                EvaluationResult::Complete => break,
                EvaluationResult::RequiresRegister { register, .. } => {
                    let value = frame.register(register)?;
                    result = evaluation.resume_with_register(Value::Generic(value)).ok()?;
                    continue;
                }
                EvaluationResult::RequiresMemory { address, size: 8, space: None, .. } => {
                    self.stack.word(address)
                }
                _ => return None,
            };
            match value {
                Ok(value) => result = evaluation.resume_with_memory(Value::Generic(value)).ok()?,
                Err(end) => return Some(Err(end)),
            }
        }
        match evaluation.as_result() {
            [piece] => match piece.location {
                Location::Address { address } => Some(Ok(address)),
                _ => None,
            },
            _ => None,
        }
    }
}

/// The caller of a frame by the chain of frame pointers: the saved one, and above it the return
/// address.
pub(super) fn by_frame_pointer(frame: &Frame, stack: &StackCopy<'_>) -> Result<Frame, UnwindEnd> {
    let fp = frame.fp.filter(|fp| fp % 8 == 0).ok_or(UnwindEnd::Unknown)?;
    let ip = stack.word(fp.checked_add(8).ok_or(UnwindEnd::Unknown)?)?;
    let saved = stack.word(fp)?;
    let sp = fp.checked_add(16).ok_or(UnwindEnd::Unknown)?;
    Ok(Frame { ip: arch::plain(ip), sp, fp: Some(saved), lr: None, is_exact: false })
}
