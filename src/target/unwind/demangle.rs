//! Names as they were written: without what compilers and linkers add to them.

use std::fmt::{self, Write};

use cpp_demangle::{BorrowedSymbol, DemangleOptions, ParseOptions};

/// The longest name, in bytes; what is longer is cut and ends in `…`.
pub(super) const MAX_NAME: usize = 1024;

/// What compilers add to the name of a part or of a copy of a function (GCC's `clone_function_name`,
/// LLVM's `.llvm.`), up to the digits that may follow.
const SUFFIXES: [&str; 8] =
    [".cold", ".part.", ".constprop.", ".isra.", ".lto_priv.", ".llvm.", ".localalias", ".warm"];

/// The name of a function, from the name of its symbol.
pub(super) fn function_name(symbol: &[u8]) -> String {
    let symbol = String::from_utf8_lossy(symbol);
    let plain = without_version(without_suffixes(&symbol));
    demangled(plain).unwrap_or_else(|| cut(plain))
}

/// Without `@@GLIBC_2.17`, which symbols of `.symtab` may end in.
fn without_version(name: &str) -> &str {
    name.find('@').filter(|at| *at > 0).and_then(|at| name.get(..at)).unwrap_or(name)
}

/// A part of a function counts as the function.
fn without_suffixes(name: &str) -> &str {
    let is_counted = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let mut name = name;
    while let Some(place) = name.rfind('.').filter(|place| *place > 0) {
        // The suffix begins at this dot, or at the one before a number.
        let begins = |place: usize| {
            let rest = name.get(place..)?;
            let suffix = SUFFIXES.iter().find_map(|suffix| rest.strip_prefix(suffix))?;
            is_counted(suffix).then_some(place)
        };
        let before = name.get(..place).and_then(|name| name.rfind('.')).filter(|place| *place > 0);
        match begins(place).or_else(|| begins(before?)) {
            Some(end) => name = name.get(..end).unwrap_or_default(),
            None => break,
        }
    }
    name
}

/// `None` for a name that no compiler has made.
fn demangled(name: &str) -> Option<String> {
    // Both refuse longer ones, or take long.
    if name.len() > MAX_NAME {
        return None;
    }
    let mut text = Bounded::default();
    if let Ok(rust) = rustc_demangle::try_demangle(name) {
        // The alternate form has no hash.
        let _ = write!(text, "{rust:#}");
        return text.finished();
    }
    if !name.starts_with("_Z") {
        return None;
    }
    let options = ParseOptions::default().recursion_limit(64);
    let symbol = BorrowedSymbol::new_with_options(name.as_bytes(), &options).ok()?;
    let options = DemangleOptions::new().no_params().no_return_type().recursion_limit(64);
    let result = symbol.structured_demangle(&mut text, &options);
    if result.is_err() && !text.is_full {
        return None;
    }
    text.finished()
}

/// A text that takes no more than [`MAX_NAME`] bytes: a few bytes of a name can stand for many.
#[derive(Default)]
struct Bounded {
    text: String,
    is_full: bool,
}

impl Bounded {
    fn finished(self) -> Option<String> {
        if self.is_full {
            return Some(self.text + "…");
        }
        (!self.text.is_empty()).then_some(self.text)
    }
}

impl Write for Bounded {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let left = MAX_NAME.saturating_sub(self.text.len());
        if part.len() <= left {
            self.text.push_str(part);
            return Ok(());
        }
        self.text.push_str(beginning(part, left));
        self.is_full = true;
        Err(fmt::Error)
    }
}

fn cut(name: &str) -> String {
    if name.len() <= MAX_NAME {
        name.to_owned()
    } else {
        beginning(name, MAX_NAME).to_owned() + "…"
    }
}

/// The beginning of a text, up to `length` bytes.
fn beginning(text: &str, length: usize) -> &str {
    let end = (0..=length.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(symbol: &str) -> String {
        function_name(symbol.as_bytes())
    }

    #[test]
    fn names_are_as_they_were_written() {
        assert_eq!(name("zlib_compress"), "zlib_compress");
        assert_eq!(name("_ZN3foo3barEi"), "foo::bar");
        assert_eq!(name("_ZSt4sortIPiEvT_S1_"), "std::sort<int*>");
        assert_eq!(name("_ZN4core3fmt5write17h0123456789abcdefE"), "core::fmt::write");
        assert_eq!(name("_RNvCs1234_7mycrate3foo"), "mycrate::foo");
        assert_eq!(name("_Znotmangled"), "_Znotmangled");
    }

    #[test]
    fn a_part_of_a_function_counts_as_the_function() {
        for symbol in [
            "list_sort.cold",
            "list_sort.part.0",
            "list_sort.constprop.12",
            "list_sort.isra.0.cold",
            "list_sort.part.0.constprop.0.cold.3",
            "list_sort.lto_priv.1",
            "list_sort.llvm.1234567890",
            "list_sort@@LIBX_1.2",
        ] {
            assert_eq!(name(symbol), "list_sort", "{symbol}");
        }
        assert_eq!(name("_ZN3foo3barEi.cold"), "foo::bar");
        assert_eq!(name("a.b"), "a.b");
        assert_eq!(name(".cold"), ".cold");
        assert_eq!(name("cache.coldstart"), "cache.coldstart");
        assert_eq!(name(""), "");
    }

    #[test]
    fn names_are_bounded() {
        assert_eq!(name(&"é".repeat(600)), "é".repeat(512) + "…");
        // Each substitution doubles the text.
        let mut symbol = "_Z1fI1aE".to_owned();
        for _ in 0..20 {
            symbol += "St4pairIS_S_E";
        }
        assert!(name(&symbol).len() <= MAX_NAME + "…".len());
        let deep = format!("_ZN{}1aE", "1aI".repeat(300));
        assert!(name(&deep).len() <= MAX_NAME + "…".len());
    }
}
