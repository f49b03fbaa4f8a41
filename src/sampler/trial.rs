//! How looks at one call fared, and when they are enough to believe in it.

use super::glance::Look;

/// A call is believed after so many second looks that were the same, if that were at
/// least three of four; of looks that copied both frames as one, half. Those can be
/// mistaken while the caller has come to its next call, and the frame of the last callee is
/// not made over yet; or where memory comes late from another processor, see
/// [`super::glance`].
pub const SAME_LOOKS: u32 = 6;

/// A call that is over sooner than a look is never steady. Where there are no stops to
/// teach it, it is believed if more looks were the same than mixtures of moments can be.
/// For a look at a mixture to be the same, the thread must be in the callee three times
/// (by the pointer, before and after, and by the frame) and once in another call of the
/// caller. With x for the callee's share of the time that is x·x·x·(1 − x). No answer is
/// a look that met the two frames so, and the thread elsewhere: x·(1 − x)·(1 − x·x) at
/// most. Of the answers at most 0.1155 can be the same; met was one in twenty-five.
const MIXTURES: f64 = 0.1155;

/// Up to 3.10 the frames tell of a call themselves: the callee that it has not left, the
/// caller, before and after that, that it is inside of one. That it is that one is believed
/// after so many such looks, if it has no rival ([`super::rivals`]).
pub const OFTEN_TOLD: u32 = 24;

/// A frame that a traceback holds stands everywhere as if it were inside a call. But then the
/// callee is mostly not there.
const ALONE_FOR_TOLD: u32 = 2;

/// So many standard deviations above that is no chance, however often it is tried.
const DEVIATIONS: f64 = 5.0;

/// With fewer looks, the deviation says little.
pub const FEW_LOOKS: u32 = 40;

/// What is still in doubt after so many looks is not taken for a call.
pub const MANY_LOOKS: u32 = 400;

/// What was never told in so many looks is not a call.
pub const VAIN_LOOKS: u32 = 64;

/// How often a call was looked at by itself, and what was seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trial {
    /// How often it was looked at.
    pub looks: u32,
    /// How often it was the same.
    pub same: u32,
    /// How often the frames told so ([`Look::Told`]), and when it was the same.
    told: u32,
    /// How often the caller stood there without the callee.
    alone: u32,
}

impl Trial {
    /// Takes note of a look.
    pub fn note(&mut self, look: Look) -> Self {
        if self.looks >= 2 * MANY_LOOKS {
            *self = self.faded();
        }
        self.looks += 1;
        self.same += u32::from(look == Look::Same);
        self.told += u32::from(look == Look::Same || look == Look::Told);
        self.alone += u32::from(look == Look::Alone);
        *self
    }

    /// Most looks were the same: the call lasts longer than a look, or the two frames were
    /// copied as one (`is_near`).
    pub fn is_steady(self, is_near: bool) -> bool {
        let enough = if is_near { self.looks * 2 } else { self.looks * 3 };
        self.same >= SAME_LOOKS && self.same * 4 >= enough
    }

    /// More looks were the same than can be by chance, even if none showed a call.
    pub fn is_beyond_chance(self) -> bool {
        let (looks, same) = (f64::from(self.looks), f64::from(self.same));
        let deviation = (MIXTURES * (1.0 - MIXTURES) * looks).sqrt();
        self.looks >= FEW_LOOKS && same > MIXTURES * looks + DEVIATIONS * deviation
    }

    /// The frames told so often, and the caller was mostly not found without its callee.
    pub fn is_told_often(self) -> bool {
        self.told >= OFTEN_TOLD && self.alone <= self.told * ALONE_FOR_TOLD
    }

    /// Nothing speaks for it, after enough looks.
    pub fn is_in_vain(self) -> bool {
        (self.told == 0 && self.looks >= VAIN_LOOKS) || self.looks >= MANY_LOOKS
    }

    /// The same with half its weight.
    pub fn faded(self) -> Self {
        Self {
            looks: self.looks / 2,
            same: self.same / 2,
            told: self.told / 2,
            alone: self.alone / 2,
        }
    }
}
