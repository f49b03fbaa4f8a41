//! Tests with the code of Debian's arm64 builds.

use super::*;

/// Bytes of instructions.
fn code(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

const RET: u32 = 0xd65f_03c0;

#[test]
fn the_variable_itself() {
    // python2.7, 2.7.18-8+deb11u1: adrp x0,0x34e000; ldr x0,[x0,#1968]; ret
    let body = code(&[0x9000_1740, 0xf943_d800, RET]);
    assert_eq!(loaded_word(&body, 0x6_6394), Some(Location::Variable(0x34_e7b0)));
    // python3.11, 3.11.2-6+deb12u8: _PyRuntime is at 0xa36008.
    let body = code(&[0xb000_1d40, 0xf940_1800, RET]);
    assert_eq!(loaded_word(&body, 0x68_d910), Some(Location::Variable(0xa3_6008 + 0x28)));
}

#[test]
fn through_the_global_offset_table() {
    // libpython3.9.so.1.0, 3.9.2-1: adrp x0; ldr x0,[x0,#3224]; ldr x0,[x0,#32]; ret
    let body = code(&[0xf000_1a60, 0xf946_4c00, 0xf940_1000, RET]);
    let through = Location::ThroughSlot { slot: 0x52_ac98, offset: 0x20 };
    assert_eq!(loaded_word(&body, 0x1d_b220), Some(through));
}

#[test]
fn with_a_branch_target_marker() {
    // python3.13, 3.13.5-2: bti c; adrp; ldr; ret. _PyRuntime is at 0xa27698.
    let body = code(&[0xd503_245f, 0x9000_19c0, 0xf944_8800, RET]);
    assert_eq!(loaded_word(&body, 0x6e_fee0), Some(Location::Variable(0xa2_7698 + 0x278)));
    // libpython3.13.so.1.0: bti c; adrp; ldr; ldr; ret
    let body = code(&[0xd503_245f, 0xf000_1fc0, 0xf946_3800, 0xf941_3c00, RET]);
    let through = Location::ThroughSlot { slot: 0x69_fc70, offset: 0x278 };
    assert_eq!(loaded_word(&body, 0x2a_4d40), Some(through));
}

#[test]
fn other_forms_of_compilers_and_linkers() {
    // adrp x1,0x12000; add x1,x1,#0x10; ldr x0,[x1,#0x20]; ret
    let body = code(&[0x9000_0081, 0x9100_4021, 0xf940_1020, RET]);
    assert_eq!(loaded_word(&body, 0x2000), Some(Location::Variable(0x1_2030)));
    // nop; adr x0,.+12; ldr x0,[x0,#8]; ret: relaxed by the linker
    let body = code(&[0xd503_201f, 0x1000_0060, 0xf940_0400, RET]);
    assert_eq!(loaded_word(&body, 0x2000), Some(Location::Variable(0x2018)));
    // nop; ldr x0,.-4; ret
    let body = code(&[0xd503_201f, 0x58ff_ffe0, RET]);
    assert_eq!(loaded_word(&body, 0x2000), Some(Location::Variable(0x2000)));
    // paciasp; stp x29,x30,[sp,#-16]!; mov x29,sp; adrp x0,0x12000; ldr x0,[x0,#8];
    // ldp x29,x30,[sp],#16; autiasp; ret
    let body = code(&[
        0xd503_233f,
        0xa9bf_7bfd,
        0x9100_03fd,
        0x9000_0080,
        0xf940_0400,
        0xa8c1_7bfd,
        0xd503_23bf,
        RET,
    ]);
    assert_eq!(loaded_word(&body, 0x2000), Some(Location::Variable(0x1_2008)));
}

#[test]
fn anything_else_is_unknown() {
    let body = code(&[0x9000_1740, 0xf943_d800, RET]);
    for length in 0..body.len() {
        assert_eq!(loaded_word(&body[..length], 0x6_6394), None);
    }
    for words in [
        &[0x9000_1740, RET][..],                       // only an address
        &[0x9000_1741, 0xf943_d821, RET],              // into x1
        &[0xf943_d800, RET],                           // from an unknown register
        &[0x9000_1740, 0xb943_d800, RET],              // a 32-bit load
        &[0x9000_1740, 0xf943_d800, 0x9100_0400, RET], // then an addition
        &[0x1400_0000, RET],                           // a jump
        &[RET],
    ] {
        assert_eq!(loaded_word(&code(words), 0x6_6394), None, "{words:x?}");
    }
}

#[test]
fn the_strings_of_a_function() {
    // Py_GetVersion of python2.7, 2.7.18-8+deb11u1, up to its call of PyOS_snprintf.
    let body = code(&[
        0xa9be_7bfd,
        0x9100_03fd,
        0xf900_0bf3,
        0x9400_0012,
        0xf000_10f3,
        0x9132_8261,
        0x911b_4033,
        0xaa00_03e4,
        0xd280_1f41,
        0xaa13_03e0,
        0xb000_04a5,
        0xb000_0483,
        0x913e_c0a5,
        0x9117_a063,
        0xb000_04a2,
        0x913f_2042,
        0x97fd_39d4,
    ]);
    let strings = referenced_addresses(&body, 0x13_05e0);
    // Two buffers, the compiler's name, "2.7.18", the format.
    assert_eq!(strings, [0x34_fca0, 0x35_0370, 0x1c_5fb0, 0x1c_15e8, 0x1c_5fc8]);
}

proptest::proptest! {
    #[test]
    fn no_bytes_upset_it(
        words in proptest::collection::vec(proptest::num::u32::ANY, 0..20),
        pc: u64,
    ) {
        let _ = loaded_word(&code(&words), pc);
        let _ = referenced_addresses(&code(&words), pc);
    }
}
