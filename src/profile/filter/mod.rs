//! Which samples and frames of a profile are kept, and how frames are named.

mod names;
mod samples;
mod stack_filter;
mod threads;

pub(crate) use self::names::Glob;
pub(crate) use self::samples::{SampleFilter, State};
pub(crate) use self::stack_filter::StackFilter;
pub(crate) use self::threads::ThreadFilter;
pub(crate) use self::threads::in_words;
use crate::profile::Profile;
use crate::stack::{Frame, FrameStyle, NativeFrames};

/// Why a filter cannot be applied to a profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lacking {
    /// No thread is meant.
    #[error("it has no thread that is called so or has this id, but {threads}")]
    Thread {
        /// Those that there are, in words.
        threads: String,
    },
    /// It was not looked at whether threads were on a processor.
    #[error(
        "it does not tell which threads were on a processor. \
         Record with --idle, which keeps this of every sample"
    )]
    Processor,
    /// Frames do not tell their files.
    #[error(
        "its frames tell functions only, because it was made with --function-only: \
         there are no files to choose or name frames by"
    )]
    Files,
    /// Frames do not tell their functions.
    #[error("its frames tell files only, because it was made with --file-only")]
    Functions,
}

/// What the command line says of frames.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FrameFilter {
    /// Only stacks with such a frame are kept; none: all.
    pub include: Vec<Glob>,
    /// Such frames are taken out.
    pub exclude: Vec<Glob>,
    /// So many of the outermost frames are kept.
    pub depth: Option<usize>,
    /// What is told of frames, and tells them apart.
    pub style: FrameStyle,
    /// What is left out where a path begins with it.
    pub strip: Vec<String>,
    /// Whether paths are relative to the entry of `sys.path` that they are below.
    pub relative: bool,
    /// Which native frames are kept.
    pub native: NativeFrames,
}

impl FrameFilter {
    /// Whether `sys.path` has to be known.
    #[must_use]
    pub fn needs_search_path(&self) -> bool {
        self.relative || !self.include.is_empty() || !self.exclude.is_empty()
    }

    /// Whether it changes anything about frames that tell so much, if none is of a kind that
    /// it leaves out.
    #[must_use]
    pub fn changes(&self, told: FrameStyle) -> bool {
        let Self { native, .. } = *self;
        let style = self.style.min(told);
        *self != Self { style, native, ..Self::default() }
    }

    /// Whether frames that tell so much tell enough.
    ///
    /// # Errors
    /// [`Lacking`] if not.
    pub fn check(&self, told: FrameStyle) -> Result<(), Lacking> {
        let needs_files = self.needs_search_path()
            || !self.strip.is_empty()
            || self.style == FrameStyle::FileOnly;
        match told {
            FrameStyle::FunctionOnly if needs_files => Err(Lacking::Files),
            FrameStyle::FileOnly if self.style == FrameStyle::FunctionOnly => {
                Err(Lacking::Functions)
            }
            _ => Ok(()),
        }
    }

    /// The profile as it is to be written. Its account says how many samples were left
    /// out.
    #[must_use]
    pub fn apply(&self, profile: Profile) -> Profile {
        let is_kept = |frame: &Frame| self.native.accept(frame.kind);
        let keeps_all = profile.frames.all().iter().all(is_kept);
        if keeps_all && !self.changes(profile.about.style) {
            return profile;
        }
        StackFilter::new(self.clone(), profile.detail()).sift(&profile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::stats::Key;
    use crate::profile::{Detail, Process, Sample, State, Step};
    use crate::stack::FrameKind;

    fn frame(file: &str, function: &str) -> Frame {
        Frame::python(file, function, 7)
    }

    /// One sample each of `main` alone, and of `main` that calls `get` of requests.
    fn profile() -> Profile {
        let mut profile = Profile::new(Detail::Timeline);
        let search_path = vec!["/app".into(), "/lib".into(), "/lib/site".into()];
        profile.add_process(Process { search_path, ..Process::default() });
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
        assert_eq!(kept.about.account.count(Key::LeftOutByFrames), 2);
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

    /// One sample each of Python that calls a library that calls Python again, and of a
    /// thread that runs no Python code.
    fn with_native_frames() -> Profile {
        let mut profile = Profile::new(Detail::Timeline);
        profile.add_process(Process { search_path: vec!["/lib".into()], ..Process::default() });
        let eval = Frame::native("/usr/bin/python3", "eval", FrameKind::Interpreter);
        let sort = Frame::native("/lib/site/sort.so", "sort", FrameKind::Native);
        let [main, key] = ["main", "key"].map(|function| frame("/app/main.py", function));
        for stack in [&[&eval, &main, &sort, &eval, &key][..], &[&sort, &eval], &[&eval]] {
            let mut last = None;
            for frame in stack {
                let step = Step::Frame(profile.frames.intern((*frame).clone()));
                last = Some(profile.child(last, step));
            }
            let stack = last.expect("it has frames");
            profile.record(1, Sample { stack, thread: None, state: State::default() });
        }
        profile
    }

    fn left_of(profile: &Profile) -> Vec<String> {
        let mut steps = Vec::new();
        let mut lines = Vec::new();
        for (stack, samples) in profile.stacks() {
            profile.steps(stack, &mut steps);
            let names = steps.iter().filter_map(|step| match step {
                Step::Frame(id) => Some(&*profile.frames.frame(*id).function),
                Step::Truncated => None,
            });
            lines.push(format!("{} {samples}", names.collect::<Vec<_>>().join(";")));
        }
        lines
    }

    #[test]
    fn native_frames_are_kept_as_asked_for() {
        let kept = |native, detail| {
            let mut profile = with_native_frames();
            profile.reduce(detail);
            FrameFilter { native, ..FrameFilter::default() }.apply(profile)
        };
        for detail in [Detail::Stacks, Detail::Timeline] {
            let all = kept(NativeFrames::All, detail);
            assert_eq!(left_of(&all), ["eval 1", "eval;main;sort;eval;key 1", "sort;eval 1"]);
            assert_eq!((all.idle(), all.about.account.get(Key::WithoutPython)), (0, None));
            let some = kept(NativeFrames::Extensions, detail);
            assert_eq!(left_of(&some), ["main;sort;key 1", "sort 1"]);
            assert_eq!((some.idle(), some.about.account.count(Key::WithoutPython)), (1, 1));
            let none = kept(NativeFrames::None, detail);
            assert_eq!(left_of(&none), ["main;key 1"]);
            assert_eq!((none.idle(), none.about.account.count(Key::WithoutPython)), (2, 2));
        }
    }

    #[test]
    fn where_all_threads_are_sampled_one_without_python_code_is_no_idle_moment() {
        let mut profile = with_native_frames();
        profile.about.every_thread = true;
        let filter = FrameFilter { native: NativeFrames::None, ..FrameFilter::default() };
        let none = filter.apply(profile);
        assert_eq!((none.idle(), none.timeline().len()), (0, 1));
        assert_eq!(none.about.account.count(Key::WithoutPython), 2);
    }

    #[test]
    fn libraries_are_chosen_by_their_paths_and_keep_them() {
        let apply = |filter: FrameFilter| filter.apply(with_native_frames());
        let included = apply(FrameFilter { include: globs(&["site.*"]), ..Default::default() });
        assert_eq!(left_of(&included), ["eval;main;sort;eval;key 1", "sort;eval 1"]);
        // What is left out includes nothing.
        let native = NativeFrames::None;
        let none = FrameFilter { include: globs(&["site.*"]), native, ..Default::default() };
        assert!(left_of(&apply(none)).is_empty());
        let (strip, relative) = (vec!["/app/".to_owned(), "/usr/".to_owned()], true);
        let renamed = apply(FrameFilter { strip, relative, ..FrameFilter::default() });
        let files: Vec<&str> = renamed.frames.all().iter().map(|frame| &*frame.file).collect();
        assert_eq!(files, ["/usr/bin/python3", "main.py", "/lib/site/sort.so", "main.py"]);
    }

    #[test]
    fn frames_are_told_apart_by_what_was_asked_for() {
        let by = |style| FrameFilter { style, ..FrameFilter::default() };
        assert_eq!(left(&by(FrameStyle::FunctionOnly))[1], ":main:0;:get:0;:send:0 1");
        assert!(left(&by(FrameStyle::FileOnly))[0].starts_with("/app/main.py:/app/main.py:0"));
        assert_eq!(left(&by(FrameStyle::WithoutLines))[0], "/app/main.py:main:0 1");
    }
}
