//! Which formats there are, and which one a file name asks for.

use std::path::Path;

use super::format::Format;
use super::{
    cpuprofile, firefox, flamechart, folded, html, json_lines, pprof, recording, speedscope, svg,
    trace_event,
};
use crate::escape::in_line;

/// Every format. The first is the default.
pub const FORMATS: &[Format] = &[
    folded::FORMAT,
    flamechart::FORMAT,
    svg::FLAME_GRAPH,
    svg::ICICLE,
    svg::CHART,
    html::FORMAT,
    speedscope::FORMAT,
    pprof::FORMAT,
    firefox::FORMAT,
    cpuprofile::FORMAT,
    trace_event::FORMAT,
    json_lines::FORMAT,
    recording::FORMAT,
];

impl Format {
    /// The format with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        FORMATS.iter().find(|format| format.name == name).copied()
    }

    /// Whether sources are read to write it.
    #[must_use]
    pub fn reads_sources(self) -> bool {
        self == html::FORMAT
    }

    /// The format that a file name asks for by the way it ends; of several the one with
    /// the longest ending.
    #[must_use]
    pub fn of_file(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().to_lowercase();
        let ends = |extension: &&str| {
            name.strip_suffix(*extension).is_some_and(|stem| stem.ends_with('.'))
        };
        let longest = |format: &Self| {
            format.extensions.iter().filter(|end| ends(end)).map(|end| end.len()).max()
        };
        let matching = FORMATS.iter().filter_map(|format| Some((longest(format)?, format)));
        matching.max_by_key(|(length, _)| *length).map(|(_, format)| *format)
    }
}

/// A file name that could be meant for several formats.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "Error: \"{}\" could be one of several formats: {endings}.\n\
     Choose one by such a name, or with --format.\n",
    in_line(file)
)]
pub struct Ambiguous {
    file: String,
    endings: String,
}

impl Ambiguous {
    /// That `path` ends as files of several formats do, each of which has more before that.
    #[must_use]
    pub fn of_file(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().to_lowercase();
        let (_, last) = name.rsplit_once('.')?;
        let endings = FORMATS.iter().flat_map(|format| {
            let own = format.extensions.iter();
            own.filter(|own| own.rsplit_once('.').is_some_and(|(_, end)| end == last))
                .map(|own| format!(".{own} ({})", format.name))
        });
        let endings: Vec<String> = endings.collect();
        let is_ambiguous = endings.len() > 1 && Format::of_file(path).is_none();
        let file = path.display().to_string();
        is_ambiguous.then(|| Self { file, endings: endings.join(", ") })
    }
}

impl Default for Format {
    fn default() -> Self {
        folded::FORMAT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_endings_are_those_of_one_format() {
        let mut seen = std::collections::HashSet::new();
        for format in FORMATS {
            assert_eq!(Format::named(format.name), Some(*format));
            for extension in format.extensions {
                assert!(seen.insert(extension), "{extension} is of two formats");
                let file = format!("some.where/x.{extension}");
                assert_eq!(Format::of_file(Path::new(&file)), Some(*format));
            }
        }
    }

    #[test]
    fn an_ending_of_several_formats_names_them() {
        for file in ["x.json", "a.b/x.svg.JSON", ".json", "x.prof.json"] {
            let ambiguous = Ambiguous::of_file(Path::new(file)).expect("ambiguous").to_string();
            for words in [".speedscope.json (speedscope)", ".firefox.json", ".trace.json", file] {
                assert!(ambiguous.contains(words), "{file}: {ambiguous}");
            }
        }
        for file in ["x.speedscope.json", "x.jsonl", "json", "x.gz", "x.pb.gz", "x.svg", "x.out"] {
            assert_eq!(Ambiguous::of_file(Path::new(file)), None, "{file}");
        }
    }

    #[test]
    fn an_ending_stands_behind_a_dot() {
        assert_eq!(Format::of_file(Path::new("folded")), None);
        assert_eq!(Format::of_file(Path::new("a.FOLDED")), Some(folded::FORMAT));
        assert_eq!(Format::of_file(Path::new("a.out")), None);
    }
}
