//! Which frames of a profile are kept, and how they are named. Applied to each distinct
//! stack once, and not to each sample.

use crate::output::FrameStyle;
use crate::profile::{NewStep, Profile, Step};
use crate::stack::{Frame, FrameTable};

/// What the command line says of frames.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FrameFilter {
    /// Only stacks with such a frame are kept; none: all.
    pub include: Vec<Glob>,
    /// Such frames are taken out.
    pub exclude: Vec<Glob>,
    /// So many of the outermost frames are kept.
    pub depth: Option<usize>,
    /// What tells frames apart.
    pub grouping: Grouping,
    /// What is left out where a path begins with it.
    pub strip: Vec<String>,
    /// Whether paths are relative to the entry of `sys.path` that they are below.
    pub relative: bool,
}

/// What tells frames apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grouping {
    /// File, function and line.
    #[default]
    Frame,
    /// The function.
    Function,
    /// The file.
    File,
}

/// A pattern for modules and paths, in which `*` stands for anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    itself: glob::Pattern,
    below_path: glob::Pattern,
    below_module: glob::Pattern,
}

impl Glob {
    /// The pattern `text`.
    ///
    /// # Errors
    /// If it is none.
    pub fn new(text: &str) -> Result<Self, glob::PatternError> {
        Ok(Self {
            itself: glob::Pattern::new(text)?,
            below_path: glob::Pattern::new(&format!("{}/*", text.trim_end_matches('/')))?,
            below_module: glob::Pattern::new(&format!("{text}.*"))?,
        })
    }

    fn matches_path(&self, path: &str) -> bool {
        self.itself.matches(path) || self.below_path.matches(path)
    }

    fn matches_module(&self, module: &str) -> bool {
        self.itself.matches(module) || self.below_module.matches(module)
    }
}

impl FrameFilter {
    /// Whether `sys.path` has to be known.
    #[must_use]
    pub fn needs_search_path(&self) -> bool {
        self.relative || !self.include.is_empty() || !self.exclude.is_empty()
    }

    /// How frames are written that would be written in `style`.
    #[must_use]
    pub fn style(&self, style: FrameStyle) -> FrameStyle {
        match self.grouping {
            Grouping::Frame => style,
            Grouping::Function => FrameStyle::FunctionOnly,
            Grouping::File => FrameStyle::FileOnly,
        }
    }

    /// The profile as it is to be written. Its account says how many samples were left
    /// out.
    #[must_use]
    pub fn apply(&self, profile: Profile) -> Profile {
        if *self == Self::default() {
            return profile;
        }
        let search_path = profile.about.search_path.clone();
        let (mut kept, left_out) =
            profile.map_stacks(|frames, steps| self.stack(frames, steps, &search_path));
        if left_out > 0 {
            let row = ("left out by --include and --exclude".to_owned(), left_out.to_string());
            kept.about.account.push(row);
        }
        kept
    }

    /// What is kept of a stack, root first; `None` if it is left out.
    fn stack(
        &self,
        frames: &FrameTable,
        steps: &[Step],
        search_path: &[String],
    ) -> Option<Vec<NewStep>> {
        let frame = |step: &Step| match step {
            Step::Frame(id) => Some(frames.frame(*id)),
            Step::Truncated => None,
        };
        let matches = |globs: &[Glob], frame: &Frame| {
            let below = below_search_path(&frame.file, search_path);
            let module = below.map(module_of);
            globs.iter().any(|glob| {
                glob.matches_path(&frame.file)
                    || below.is_some_and(|below| glob.matches_path(below))
                    || module.as_ref().is_some_and(|module| glob.matches_module(module))
            })
        };
        let is_included = self.include.is_empty()
            || steps.iter().filter_map(frame).any(|frame| matches(&self.include, frame));
        if !is_included {
            return None;
        }
        let mut kept = Vec::with_capacity(steps.len());
        let mut number = 0;
        for step in steps {
            let Some(frame) = frame(step) else {
                kept.push(NewStep::Truncated);
                continue;
            };
            if matches(&self.exclude, frame) {
                continue;
            }
            if self.depth == Some(number) {
                kept.push(NewStep::Truncated);
                break;
            }
            number += 1;
            kept.push(NewStep::Frame(self.named(frame, search_path)));
        }
        (number > 0).then_some(kept)
    }

    /// A frame by the name that it is to have.
    fn named(&self, frame: &Frame, search_path: &[String]) -> Frame {
        let mut file = &*frame.file;
        if let Some(below) = below_search_path(file, search_path).filter(|_| self.relative) {
            file = below;
        }
        let stripped = self.strip.iter().filter_map(|prefix| file.strip_prefix(prefix.as_str()));
        if let Some(shortest) = stripped.min_by_key(|rest| rest.len()) {
            file = shortest.trim_start_matches('/');
        }
        match self.grouping {
            Grouping::Frame => Frame { file: file.into(), ..frame.clone() },
            Grouping::Function => Frame { file: "".into(), line: 0, ..frame.clone() },
            // Formats that show functions shall have something to show.
            Grouping::File => Frame { file: file.into(), function: file.into(), line: 0 },
        }
    }
}

/// The rest of a path that lies below an entry of `sys.path`: of several the longest.
fn below_search_path<'a>(file: &'a str, search_path: &[String]) -> Option<&'a str> {
    let below = search_path.iter().filter_map(|entry| {
        let rest = file.strip_prefix(entry.as_str())?;
        if entry.ends_with('/') { Some(rest) } else { rest.strip_prefix('/') }
    });
    below.min_by_key(|rest| rest.len())
}

/// The module in a file below an entry of `sys.path`.
fn module_of(path: &str) -> String {
    let stem = path.strip_suffix(".py").or_else(|| path.strip_suffix(".pyc")).unwrap_or(path);
    stem.strip_suffix("/__init__").unwrap_or(stem).replace('/', ".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Detail, Sample, State};

    fn frame(file: &str, function: &str) -> Frame {
        Frame { file: file.into(), function: function.into(), line: 7 }
    }

    /// One sample each of `main` alone, and of `main` that calls `get` of requests.
    fn profile() -> Profile {
        let mut profile = Profile::new(Detail::Timeline);
        profile.about.search_path = vec!["/app".into(), "/lib".into(), "/lib/site".into()];
        let main = profile.frames.intern(frame("/app/main.py", "main"));
        let get = profile.frames.intern(frame("/lib/site/requests/api.py", "get"));
        let send = profile.frames.intern(frame("/lib/socket.py", "send"));
        let mut stack = None;
        for frame in [main, get, send] {
            stack = Some(profile.child(stack, Step::Frame(frame)));
            if frame != get {
                let stack = stack.expect("it has a frame");
                profile.record(1, Sample { stack, thread: None, state: State::default() });
            }
        }
        profile.record_idle(2);
        profile
    }

    fn globs(words: &[&str]) -> Vec<Glob> {
        words.iter().map(|word| Glob::new(word).expect("a pattern")).collect()
    }

    /// The folded lines of what a filter leaves.
    fn left(filter: &FrameFilter) -> Vec<String> {
        let kept = filter.apply(profile());
        let mut lines = Vec::new();
        let mut steps = Vec::new();
        for (stack, samples) in kept.stacks() {
            kept.steps(stack, &mut steps);
            let name = |step: &Step| match step {
                Step::Frame(id) => {
                    let frame = kept.frames.frame(*id);
                    format!("{}:{}:{}", frame.file, frame.function, frame.line)
                }
                Step::Truncated => "(truncated)".to_owned(),
            };
            let names: Vec<String> = steps.iter().map(name).collect();
            lines.push(format!("{} {samples}", names.join(";")));
        }
        lines
    }

    #[test]
    fn nothing_asked_for_changes_nothing() {
        let all = left(&FrameFilter::default());
        assert_eq!(all.len(), 2);
        assert_eq!(all[0], "/app/main.py:main:7 1");
    }

    #[test]
    fn included_stacks_have_such_a_frame() {
        for word in ["requests", "requests.*", "*/site/*", "requests/api.py", "/lib/site", "req*"] {
            let filter = FrameFilter { include: globs(&[word]), ..FrameFilter::default() };
            let lines = left(&filter);
            assert_eq!(lines.len(), 1, "{word}: {lines:?}");
            assert!(lines[0].ends_with("/lib/socket.py:send:7 1"), "{lines:?}");
        }
        let filter = FrameFilter { include: globs(&["request"]), ..FrameFilter::default() };
        assert!(left(&filter).is_empty());
        let kept = filter.apply(profile());
        assert_eq!(kept.about.account.last().map(|row| row.1.as_str()), Some("2"));
        assert_eq!((kept.idle(), kept.timeline().len()), (1, 1));
    }

    #[test]
    fn excluded_frames_are_taken_out() {
        let filter = FrameFilter { exclude: globs(&["requests", "socket"]), ..Default::default() };
        assert_eq!(left(&filter), ["/app/main.py:main:7 2"]);
        let filter = FrameFilter { exclude: globs(&["*"]), ..Default::default() };
        assert!(left(&filter).is_empty());
    }

    #[test]
    fn the_outermost_frames_are_kept() {
        let filter = FrameFilter { depth: Some(1), ..FrameFilter::default() };
        assert_eq!(left(&filter), ["/app/main.py:main:7 1", "/app/main.py:main:7;(truncated) 1"]);
    }

    #[test]
    fn names_are_shortened() {
        let filter = FrameFilter { relative: true, ..FrameFilter::default() };
        assert_eq!(left(&filter)[1], "main.py:main:7;requests/api.py:get:7;socket.py:send:7 1");
        let strip = vec!["/lib".to_owned(), "/lib/site/".to_owned()];
        let filter = FrameFilter { strip, ..FrameFilter::default() };
        assert_eq!(
            left(&filter)[1],
            "/app/main.py:main:7;requests/api.py:get:7;socket.py:send:7 1"
        );
    }

    #[test]
    fn frames_are_told_apart_by_what_was_asked_for() {
        let by = |grouping| FrameFilter { grouping, ..FrameFilter::default() };
        assert_eq!(left(&by(Grouping::Function))[1], ":main:0;:get:0;:send:0 1");
        assert!(left(&by(Grouping::File))[0].starts_with("/app/main.py:/app/main.py:0"));
    }

    #[test]
    fn modules_have_the_names_that_they_are_imported_by() {
        assert_eq!(module_of("a/b.py"), "a.b");
        assert_eq!(module_of("a/__init__.py"), "a");
        assert!(Glob::new("a[").is_err());
    }
}
