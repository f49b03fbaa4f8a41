//! The libraries that native frames are of.

use std::collections::HashMap;

use serde::Serialize;

use crate::profile::Profile;

/// A library, as readers look for its symbols.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Lib<'a> {
    arch: &'static str,
    name: &'a str,
    path: &'a str,
    debug_name: &'a str,
    debug_path: &'a str,
    breakpad_id: String,
    code_id: Option<&'a str>,
}

/// Every library once, in the order of first sight.
pub(super) struct Libs<'a> {
    all: Vec<Lib<'a>>,
    numbers: HashMap<&'a str, u32>,
}

impl<'a> Libs<'a> {
    /// Those of `profile`. Code that is in no file is in no library.
    pub(super) fn of(profile: &'a Profile) -> Self {
        let mut libs = Self { all: Vec::new(), numbers: HashMap::new() };
        let native = profile.frames.all().iter().filter(|frame| !frame.file.is_empty());
        for frame in native {
            let Some(name) = frame.library() else { continue };
            let next = u32::try_from(libs.all.len()).unwrap_or(u32::MAX);
            if *libs.numbers.entry(&frame.file).or_insert(next) == next {
                let code_id = profile.modules.build_id(&frame.file);
                libs.all.push(Lib {
                    arch: "",
                    name,
                    path: &frame.file,
                    debug_name: name,
                    debug_path: &frame.file,
                    breakpad_id: breakpad_id(code_id.unwrap_or_default()),
                    code_id,
                });
            }
        }
        libs
    }

    /// All of them.
    pub(super) fn all(&self) -> &[Lib<'a>] {
        &self.all
    }

    /// The place of a library among all.
    pub(super) fn number(&self, path: &str) -> Option<u32> {
        self.numbers.get(path).copied()
    }
}

/// What Breakpad makes of a build id: the first 16 bytes as a GUID, whose first three fields
/// have their lowest byte first, and an age of 0. Empty where there is none.
fn breakpad_id(build_id: &str) -> String {
    if build_id.is_empty() {
        return String::new();
    }
    let digits = build_id.bytes().chain(std::iter::repeat(b'0')).take(32);
    let digits: Vec<char> = digits.map(|digit| char::from(digit).to_ascii_uppercase()).collect();
    let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    let bytes = order.into_iter().flat_map(|byte| [digits[2 * byte], digits[2 * byte + 1]]);
    bytes.chain(['0']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breakpad_id_is_made_of_a_build_id() {
        let build_id = "00112233445566778899aabbccddeeff01234567";
        assert_eq!(breakpad_id(build_id), "33221100554477668899AABBCCDDEEFF0");
        assert_eq!(breakpad_id("abcd"), "0000CDAB0000000000000000000000000");
        assert_eq!(breakpad_id(""), "");
    }
}
