//! What became of every tick: nothing is silent.

mod account;
mod key;
mod outcome;
mod rows;
mod stops;

pub use self::account::{Account, ByKernel};
pub use self::key::{Key, Unit};
pub use self::outcome::Outcome;
pub use self::rows::{Line, Refusal, Rows, SampledProcess, Shown, Value};
pub use self::stops::Stops;
