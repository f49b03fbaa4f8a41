//! What is fuzzed: bytes of others, given to those who read them.
//!
//! Each function here takes any bytes, and fails by a panic alone. `fuzz/` gives them those that
//! libFuzzer finds; the tests below, made-up ones. Each room has the functions of its own parts.

pub use crate::app::fuzzing::folded;
pub use crate::cpython::fuzzing::{code, frames, lines, objects, text};
pub use crate::profile::fuzzing::{recording, recording_content};
pub use crate::render::fuzzing::writers;
pub use crate::target::fuzzing::{core, elf, machine_code, proc_texts, unwind, versions};

/// One of them.
pub type Target = fn(&[u8]);

/// All of them, by the names that their targets in `fuzz/` have.
pub const TARGETS: &[(&str, Target)] = &[
    ("code", code),
    ("core", core),
    ("elf", elf),
    ("folded", folded),
    ("frames", frames),
    ("lines", lines),
    ("machine_code", machine_code),
    ("objects", objects),
    ("proc_texts", proc_texts),
    ("recording", recording),
    ("recording_content", recording_content),
    ("text", text),
    ("unwind", unwind),
    ("versions", versions),
    ("writers", writers),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use proptest::prelude::*;

    use super::TARGETS;
    use crate::cpython::fuzzing::START;

    /// Bytes, and among them words that lead somewhere, count something or hit a limit.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let word = prop_oneof![
            4 => (0..4096_u64).prop_map(|offset| START + offset * 8),
            2 => 0..9_u64,
            1 => Just(u64::MAX),
            2 => any::<u64>(),
        ];
        let words = prop::collection::vec(word, 0..600);
        let bytes = words.prop_map(|words| words.into_iter().flat_map(u64::to_ne_bytes).collect());
        let names = prop::collection::vec("[ -~\n;<>\"'&\u{1b}\u{2028}é🐍]{0,12}", 0..20);
        prop_oneof![
            4 => (any::<[u8; 2]>(), bytes).prop_map(|(head, rest): (_, Vec<u8>)| {
                [&head[..], &rest].concat()
            }),
            2 => prop::collection::vec(any::<u8>(), 0..300),
            1 => names.prop_map(|names| names.join("\n").into_bytes()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn no_bytes_do_harm(bytes in bytes()) {
            for (_, target) in TARGETS {
                target(&bytes);
            }
        }
    }

    #[test]
    fn each_has_a_program_for_the_fuzzer() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
        // The sources of a package have none.
        let Ok(entries) = fs::read_dir(folder) else { return };
        let names = entries.map(|entry| entry.expect("an entry").path());
        let names = names.map(|path| path.file_stem().expect("a name").display().to_string());
        let expected: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).into()).collect();
        assert_eq!(names.collect::<BTreeSet<_>>(), expected);
    }
}
