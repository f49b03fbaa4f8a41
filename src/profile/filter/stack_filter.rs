//! What a filter leaves of stacks. Each distinct frame and stack is looked at once, and
//! not each sample; the profile that they come from may grow meanwhile.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use super::FrameFilter;
use super::names::below_search_path;
use crate::profile::stats::Key;
use crate::profile::{Detail, Event, Profile, Sample, Seen, StackId, Step, ThreadId};
use crate::stack::{Frame, FrameId, FrameStyle};

/// Puts what a filter leaves of one profile into another.
///
/// It must always be given the same profile.
pub struct StackFilter {
    filter: FrameFilter,
    /// What is left.
    left: Profile,
    groups: Vec<Group>,
    /// The group of each process.
    group_of: Vec<usize>,
    left_out: u64,
    /// Samples of native code alone, of a kind that is left out.
    without_python: u64,
}

/// Processes with the same `sys.path`, in which equal frames have equal names.
#[derive(Default)]
struct Group {
    search_path: Vec<String>,
    frames: HashMap<FrameId, Judgement, FxBuildHasher>,
    stacks: HashMap<StackId, Rest, FxBuildHasher>,
    /// How many stacks of the profile have been looked at.
    looked: usize,
}

/// What is done about a frame.
#[derive(Clone, Copy)]
struct Judgement {
    is_included: bool,
    is_excluded: bool,
    /// The frame by the name that it is to have, once it is needed.
    named: Option<FrameId>,
}

/// What is left of a stack.
#[derive(Clone, Copy)]
struct Rest {
    /// The stack; `None` if nothing of it has been needed.
    stack: Option<StackId>,
    /// Its frames, without what stands for others.
    frames: usize,
    /// Whether there is a frame for which it is to be kept.
    is_included: bool,
    /// Whether what follows is left out, because it has enough frames.
    is_cut: bool,
}

/// Why a sample is left out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LeftOut {
    /// Its frames are.
    ByFrames,
    /// It has native frames only, and these are.
    WithoutPython,
}

impl StackFilter {
    /// Nothing yet; what is left will be kept in so much detail.
    pub fn new(filter: FrameFilter, detail: Detail) -> Self {
        Self {
            filter,
            left: Profile::new(detail),
            groups: Vec::new(),
            group_of: Vec::new(),
            left_out: 0,
            without_python: 0,
        }
    }

    /// Adds these events of a profile. Returns what is left so far.
    pub fn put(&mut self, from: &Profile, events: &[Event]) -> &mut Profile {
        self.begin(from);
        for event in events {
            let mut event = *event;
            if let Seen::Sample(sample) = &mut event.seen {
                match self.stack(from, sample.thread, sample.stack) {
                    Ok(stack) => sample.stack = stack,
                    Err(reason) => {
                        *self.left_out(reason) += 1;
                        // As if no more had been sampled. Where all threads are, others may
                        // have had a stack at this moment.
                        if reason == LeftOut::WithoutPython && !from.about.every_thread {
                            self.left.record_idle(event.microseconds);
                        }
                        continue;
                    }
                }
            }
            self.left.record_event(event);
        }
        self.write_account();
        &mut self.left
    }

    /// The same, where another keeps what is left: always the same `left`.
    pub fn put_into(&mut self, from: &Profile, events: &[Event], left: &mut Profile) {
        std::mem::swap(&mut self.left, left);
        self.put(from, events);
        std::mem::swap(&mut self.left, left);
    }

    /// What is left of a whole profile.
    pub fn sift(mut self, from: &Profile) -> Profile {
        if from.detail() == Detail::Timeline {
            self.put(from, from.timeline());
            return self.left;
        }
        self.begin(from);
        let mut left = std::mem::take(&mut self.left);
        left.count_all(from, |left, sample: Sample, samples| {
            std::mem::swap(left, &mut self.left);
            let stack = self.stack(from, sample.thread, sample.stack);
            std::mem::swap(left, &mut self.left);
            stack
                .map_err(|reason| {
                    *self.left_out(reason) += samples;
                    if reason == LeftOut::WithoutPython && !from.about.every_thread {
                        left.count_idle(samples);
                    }
                })
                .ok()
        });
        self.left = left;
        self.write_account();
        self.left
    }

    /// Takes over what is known beside the samples.
    fn begin(&mut self, from: &Profile) {
        self.left.follow(from);
        self.left.about.style = from.about.style.max(self.filter.style);
        let paths = from.processes().map(|(_, process)| process.search_path.as_slice());
        self.group_of = paths.map(|path| group_with(&mut self.groups, path)).collect();
        if self.group_of.is_empty() {
            self.group_of.push(group_with(&mut self.groups, &[]));
        }
        // So the stacks that are left have the order of the others, however often this is
        // done. Of several groups not every stack is one of each.
        let first = self.group_of[0];
        if self.group_of.iter().all(|group| *group == first) {
            for stack in from.stack_ids_since(self.groups[first].looked) {
                self.rest(from, first, stack);
                self.groups[first].looked += 1;
            }
        }
    }

    /// What is left of the stack of a sample.
    ///
    /// # Errors
    /// Why the sample is left out.
    fn stack(
        &mut self,
        from: &Profile,
        thread: Option<ThreadId>,
        stack: StackId,
    ) -> Result<StackId, LeftOut> {
        let process = thread.map_or(0, |thread| from.thread(thread).process.index());
        let rest = self.rest(from, self.group_of[process], stack);
        let left = rest.stack.filter(|_| rest.is_included && rest.frames > 0);
        left.ok_or_else(|| {
            if self.is_unwanted(from, stack) { LeftOut::WithoutPython } else { LeftOut::ByFrames }
        })
    }

    /// Whether a stack has frames, and all are native and of a kind that is left out.
    fn is_unwanted(&self, from: &Profile, stack: StackId) -> bool {
        let mut next = Some(stack);
        let mut is_unwanted = false;
        while let Some(stack) = next {
            if let Step::Frame(frame) = from.step(stack) {
                if self.filter.native.accept(from.frames.frame(frame).kind) {
                    return false;
                }
                is_unwanted = true;
            }
            next = from.caller(stack);
        }
        is_unwanted
    }

    fn left_out(&mut self, reason: LeftOut) -> &mut u64 {
        match reason {
            LeftOut::ByFrames => &mut self.left_out,
            LeftOut::WithoutPython => &mut self.without_python,
        }
    }

    fn rest(&mut self, from: &Profile, group: usize, stack: StackId) -> Rest {
        let mut unknown = Vec::new();
        let mut next = Some(stack);
        let mut rest = self.nothing();
        while let Some(stack) = next {
            if let Some(known) = self.groups[group].stacks.get(&stack) {
                rest = *known;
                break;
            }
            unknown.push(stack);
            next = from.caller(stack);
        }
        for stack in unknown.into_iter().rev() {
            rest = self.rest_of_callee(from, group, rest, stack);
            self.groups[group].stacks.insert(stack, rest);
        }
        rest
    }

    /// What is left of an empty stack.
    fn nothing(&self) -> Rest {
        let is_included = self.filter.include.is_empty();
        Rest { stack: None, frames: 0, is_included, is_cut: false }
    }

    /// What is left of a stack of whose caller so much is.
    fn rest_of_callee(
        &mut self,
        from: &Profile,
        group: usize,
        caller: Rest,
        stack: StackId,
    ) -> Rest {
        let is_included = match from.step(stack) {
            Step::Frame(frame) => self.judgement(from, group, frame).is_included,
            Step::Truncated => false,
        };
        match (caller.is_included, is_included) {
            (true, _) => self.append(from, group, caller, from.step(stack)),
            (false, false) => caller,
            (false, true) => {
                let mut steps = Vec::new();
                from.steps(stack, &mut steps);
                let start = Rest { is_included: true, ..self.nothing() };
                steps.into_iter().fold(start, |rest, step| self.append(from, group, rest, step))
            }
        }
    }

    /// One step more, if it is left.
    fn append(&mut self, from: &Profile, group: usize, caller: Rest, step: Step) -> Rest {
        if caller.is_cut {
            return caller;
        }
        let Step::Frame(frame) = step else {
            let stack = Some(self.left.child(caller.stack, Step::Truncated));
            return Rest { stack, ..caller };
        };
        if self.judgement(from, group, frame).is_excluded {
            return caller;
        }
        if self.filter.depth == Some(caller.frames) {
            let stack = Some(self.left.child(caller.stack, Step::Truncated));
            return Rest { stack, is_cut: true, ..caller };
        }
        let named = self.named(from, group, frame);
        let stack = Some(self.left.child(caller.stack, Step::Frame(named)));
        Rest { stack, frames: caller.frames + 1, ..caller }
    }

    fn judgement(&mut self, from: &Profile, group: usize, frame: FrameId) -> Judgement {
        let Group { search_path, frames, .. } = &mut self.groups[group];
        *frames.entry(frame).or_insert_with(|| {
            let Frame { file, kind, .. } = from.frames.frame(frame);
            if !self.filter.native.accept(*kind) {
                return Judgement { is_included: false, is_excluded: true, named: None };
            }
            let [is_included, is_excluded] = [&self.filter.include, &self.filter.exclude]
                .map(|globs| globs.iter().any(|glob| glob.matches(file, search_path)));
            Judgement { is_included, is_excluded, named: None }
        })
    }

    /// A frame by the name that it is to have.
    fn named(&mut self, from: &Profile, group: usize, frame: FrameId) -> FrameId {
        let Group { search_path, frames, .. } = &mut self.groups[group];
        let judgement = frames.get_mut(&frame);
        if let Some(Judgement { named: Some(named), .. }) = judgement {
            return *named;
        }
        let style = self.left.about.style;
        let name = self.filter.name(from.frames.frame(frame), style, search_path);
        let named = self.left.frames.intern(name);
        if let Some(judgement) = judgement {
            judgement.named = Some(named);
        }
        named
    }

    fn write_account(&mut self) {
        let FrameFilter { include, exclude, .. } = &self.filter;
        if !include.is_empty() || !exclude.is_empty() {
            self.left.about.account.add(Key::LeftOutByFrames, self.left_out);
        }
        if self.without_python > 0 {
            self.left.about.account.add(Key::WithoutPython, self.without_python);
        }
    }
}

/// The group of processes with this `sys.path`, a new one if there is none.
fn group_with(groups: &mut Vec<Group>, search_path: &[String]) -> usize {
    let known = groups.iter().position(|group| group.search_path == search_path);
    known.unwrap_or_else(|| {
        groups.push(Group { search_path: search_path.to_vec(), ..Group::default() });
        groups.len() - 1
    })
}

impl FrameFilter {
    /// A frame by the name that it is to have, where frames are told in this style.
    fn name(&self, frame: &Frame, style: FrameStyle, search_path: &[String]) -> Frame {
        let mut file = &*frame.file;
        // A library keeps its path, by which its build is known.
        let is_renamed = !frame.kind.is_native();
        if let Some(below) =
            below_search_path(file, search_path).filter(|_| self.relative && is_renamed)
        {
            file = below;
        }
        let stripped = self.strip.iter().filter_map(|prefix| file.strip_prefix(prefix.as_str()));
        if let Some(shortest) = stripped.min_by_key(|rest| rest.len()).filter(|_| is_renamed) {
            file = shortest.trim_start_matches('/');
        }
        match style {
            FrameStyle::WithLines => Frame { file: file.into(), ..frame.clone() },
            FrameStyle::WithoutLines => Frame { file: file.into(), line: 0, ..frame.clone() },
            FrameStyle::FunctionOnly => Frame { file: "".into(), line: 0, ..frame.clone() },
            // Formats that show functions shall have something to show.
            FrameStyle::FileOnly => {
                let function = frame.library().unwrap_or(file).into();
                Frame { file: file.into(), function, line: 0, kind: frame.kind }
            }
        }
    }
}
