//! JSON that may stand inside a `script` element.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

/// Writes `value`. No string in it can end the element or a line of a script.
///
/// # Errors
/// Those of `out`.
pub(super) fn write(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut serializer = Serializer::with_formatter(out, InScript);
    value.serialize(&mut serializer).map_err(io::Error::from)
}

/// Escapes what HTML and old JavaScript take for something else.
struct InScript;

impl Formatter for InScript {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        let special = |c: char| matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}');
        while let Some((at, character)) = rest.char_indices().find(|(_, c)| special(*c)) {
            out.write_all(&rest.as_bytes()[..at])?;
            write!(out, "\\u{:04x}", u32::from(character))?;
            rest = &rest[at + character.len_utf8()..];
        }
        out.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_cannot_leave_its_element() {
        for text in ["</script><!--", "a\u{2028}b\u{2029}", "\"\\\n\0", "é🔥&amp;"] {
            let mut out = Vec::new();
            write(&text, &mut out).expect("a Vec takes it");
            let json = String::from_utf8(out).expect("JSON is UTF-8");
            assert!(!json.contains(['<', '>', '&', '\u{2028}', '\u{2029}', '\n', '\0']), "{json}");
            let back: String = serde_json::from_str(&json).expect("it is JSON");
            assert_eq!(back, text);
        }
    }
}
