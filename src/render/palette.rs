//! Where the code of a frame comes from, and the colours that tell: warm for a program's
//! own code, blue for the standard library, green for installed packages; violet for native
//! code, slate for that of the interpreter.

use crate::profile::Profile;
use crate::stack::{Frame, FrameKind};

/// Whose code a file is, as far as its path tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The program's own.
    Own,
    /// A package installed beside it.
    Installed,
    /// The standard library, or part of the interpreter.
    Standard,
    /// Machine code of a library or an extension.
    Native,
    /// Machine code of the interpreter.
    Interpreter,
}

impl Origin {
    /// Judges a frame.
    #[must_use]
    pub(super) fn of(frame: &Frame) -> Self {
        match frame.kind {
            FrameKind::Python => Self::of_file(&frame.file),
            FrameKind::Native => Self::Native,
            FrameKind::Interpreter => Self::Interpreter,
        }
    }

    /// Judges a path as the program names it.
    #[must_use]
    pub(super) fn of_file(file: &str) -> Self {
        let mut folder_before = "";
        let mut standard = file.starts_with("<frozen");
        for part in file.split(['/', '\\']) {
            if matches!(part, "site-packages" | "dist-packages") {
                return Self::Installed;
            }
            let is_library = matches!(folder_before, "lib" | "lib64" | "Lib");
            standard |= is_library && is_pythons_folder(part);
            folder_before = part;
        }
        if standard { Self::Standard } else { Self::Own }
    }

    /// A colour for a name that comes from here. Equal names have equal colours, whatever
    /// else is in the picture.
    #[must_use]
    pub(super) fn colour(self, name: &str) -> Colour {
        let (from, to) = match self {
            Self::Own => ((245, 138, 66), (253, 200, 116)),
            Self::Installed => ((116, 190, 164), (170, 219, 196)),
            Self::Standard => ((132, 174, 216), (182, 209, 236)),
            Self::Native => ((178, 146, 214), (214, 194, 238)),
            Self::Interpreter => ((150, 156, 174), (190, 195, 210)),
        };
        let share = shade(name);
        let between = |from: u8, to: u8| {
            let (from, to) = (u32::from(from), u32::from(to));
            ((from * (255 - u32::from(share)) + to * u32::from(share)) / 255) as u8
        };
        (between(from.0, to.0), between(from.1, to.1), between(from.2, to.2))
    }
}

/// Red, green and blue.
pub(super) type Colour = (u8, u8, u8);

/// For what is not code: idle and failed samples, processes, cut stacks.
pub(super) const NOTE: Colour = (205, 203, 198);

/// What the colours of native code mean, if there is any in `profile`.
#[must_use]
pub(super) fn native_legend(profile: &Profile) -> Option<String> {
    let words = [
        (FrameKind::Native, "violet: native code"),
        (FrameKind::Interpreter, "slate: the interpreter's own"),
    ];
    let words = words.into_iter().filter(|(kind, _)| profile.frames.has(*kind));
    let words: Vec<&str> = words.map(|(_, words)| words).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// `python3.11`, or a zipped library such as `python311.zip`.
fn is_pythons_folder(part: &str) -> bool {
    part.strip_prefix("python").is_some_and(|version| {
        let version = version.strip_suffix(".zip").unwrap_or(version);
        version.starts_with(|c: char| c.is_ascii_digit())
            && version.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 't' | 'd'))
    })
}

/// A number that belongs to a name, the same on every machine: FNV-1a, folded.
fn shade(name: &str) -> u8 {
    let hash = name
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (hash ^ (hash >> 8) ^ (hash >> 16) ^ (hash >> 24)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_tells_whose_code_it_is() {
        for (file, origin) in [
            ("/srv/app/main.py", Origin::Own),
            ("app.py", Origin::Own),
            ("<string>", Origin::Own),
            ("/home/me/python3/tool.py", Origin::Own),
            ("/usr/lib/pythonic/x.py", Origin::Own),
            ("/usr/lib/python3.11/json/decoder.py", Origin::Standard),
            ("/opt/py/lib/python2.7/re.py", Origin::Standard),
            ("/usr/lib/python311.zip/os.py", Origin::Standard),
            ("<frozen importlib._bootstrap>", Origin::Standard),
            ("/srv/venv/lib/python3.11/site-packages/flask/app.py", Origin::Installed),
            ("/usr/lib/python3/dist-packages/yaml/__init__.py", Origin::Installed),
        ] {
            assert_eq!(Origin::of_file(file), origin, "{file}");
        }
    }

    #[test]
    fn colours_depend_on_the_name_alone() {
        assert_eq!(Origin::Own.colour("main"), Origin::Own.colour("main"));
        assert_ne!(Origin::Own.colour("main"), Origin::Own.colour("parse"));
        assert_ne!(Origin::Own.colour("main"), Origin::Standard.colour("main"));
    }
}
