//! What differs between processors. Both are compiled everywhere, so that both stay whole.

#[cfg_attr(not(target_arch = "aarch64"), allow(dead_code))]
mod aarch64;
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
mod x86_64;

#[cfg(target_arch = "aarch64")]
pub(super) use aarch64::{
    FP, HAS_LINK_REGISTER, IP, LONGEST_CALL, SP, VENDOR, ends_in_call, plain,
};
#[cfg(target_arch = "x86_64")]
pub(super) use x86_64::{FP, HAS_LINK_REGISTER, IP, LONGEST_CALL, SP, VENDOR, ends_in_call, plain};
