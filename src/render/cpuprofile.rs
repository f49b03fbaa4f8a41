//! `.cpuprofile`, the CPU profile of V8: what the Performance panel of Chrome's developer
//! tools, Visual Studio Code and speedscope open.
//!
//! The format knows one thread. As long as one at a time was seen, which is so when only
//! holders of the GIL are sampled, the samples stand at their times. Otherwise the threads
//! are laid one behind the other, each a branch of the tree.

use std::collections::HashMap;
use std::io::{self, Write};

use serde::Serialize;

use super::json::{self, Items};
use super::rows::{Row, Tree};
use super::tracks::{Moment, Stretch, Tracks, thread, with_gaps};
use super::{Format, Settings, labels, rows};
use crate::profile::{Detail, Profile, Seen, ThreadId};

/// `cpuprofile`.
pub(crate) const FORMAT: Format = Format {
    name: "cpuprofile",
    extensions: &["cpuprofile"],
    about: "for Chrome's developer tools and Visual Studio Code",
    detail: Detail::Timeline,
    write,
};

/// The node of the root. Nodes are numbered from 1.
const ROOT: u32 = 1;

/// The node of times at which nobody looked. Readers know its name.
const UNKNOWN: u32 = 2;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a, Nodes: Serialize, Samples: Serialize, TimeDeltas: Serialize> {
    nodes: Nodes,
    start_time: u64,
    end_time: u64,
    samples: Samples,
    time_deltas: TimeDeltas,
    /// Not part of the format, and passed over by readers.
    pyflame: json::RunInfo<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Node<'a> {
    id: u32,
    call_frame: CallFrame<'a>,
    hit_count: u32,
    children: Vec<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallFrame<'a> {
    function_name: &'a str,
    script_id: &'static str,
    url: &'a str,
    /// From 0; -1 where there is none.
    line_number: i64,
    column_number: i64,
}

/// Writes the timeline of `profile`.
///
/// # Errors
/// Those of `out`.
pub(crate) fn write(profile: &Profile, _: &Settings, out: &mut dyn Write) -> io::Result<()> {
    let tracks = Tracks::of(profile);
    let mut nodes = Nodes::new(profile, &tracks);
    tracks.in_order().for_each(|moment| nodes.hit(moment.seen));
    let end = stretches(&tracks).last().map_or(0, |last| last.start);
    let document = Document {
        nodes: Items(|| nodes.written()),
        start_time: tracks.origin(),
        end_time: tracks.origin() + end,
        samples: Items(|| stretches(&tracks).map(|stretch| nodes.number(stretch.seen))),
        time_deltas: Items(|| {
            let mut clock = 0;
            stretches(&tracks).map(move |stretch| {
                let delta = stretch.start - clock;
                clock = stretch.start;
                delta
            })
        }),
        pyflame: json::RunInfo::of(profile),
    };
    json::write(&document, out)
}

/// All time, and one more moment to end the last sample: not every reader looks at the end
/// of the whole.
fn stretches<'a>(tracks: &'a Tracks<'_>) -> impl Iterator<Item = Stretch> + 'a {
    let mut end = None;
    let mut stretches = in_one_row(tracks);
    std::iter::from_fn(move || {
        let next = stretches.next();
        let last = end.take().map(|start| Stretch { start, length: 0, seen: None });
        end = next.map(|next| next.start + next.length);
        next.or(last)
    })
}

/// All time, thread after thread if there is no other way.
fn in_one_row<'a>(tracks: &'a Tracks<'_>) -> Box<dyn Iterator<Item = Stretch> + 'a> {
    if !tracks.overlap() {
        return Box::new(with_gaps(tracks.in_order()));
    }
    let mut clock = 0;
    let moments = tracks.all().iter().flat_map(|track| tracks.moments(track));
    Box::new(moments.map(move |Moment { length, seen, .. }| {
        let start = clock;
        clock += length;
        Stretch { start, length, seen: Some(seen) }
    }))
}

/// The nodes of a file: the root, the unknown, then processes where they have to be told and
/// threads where there are several, then stacks.
struct Nodes<'a> {
    profile: &'a Profile,
    tree: Tree<Option<ThreadId>>,
    /// Processes and threads: what they are called, and the node around each.
    branches: Vec<(String, u32)>,
    /// The node around the stacks of each thread.
    threads: HashMap<Option<ThreadId>, u32>,
    /// How often each node of the tree was the innermost.
    hits: Vec<u32>,
}

impl<'a> Nodes<'a> {
    fn new(profile: &'a Profile, tracks: &Tracks<'_>) -> Self {
        let mut branches: Vec<(String, u32)> = Vec::new();
        let mut branch = |title, around| {
            branches.push((title, around));
            UNKNOWN + index(branches.len())
        };
        let mut processes = HashMap::new();
        if profile.tells_processes() {
            for (id, process) in profile.processes() {
                processes.insert(id, branch(process.to_string(), ROOT));
            }
        }
        let several = profile.threads().nth(1).is_some();
        let mut threads = HashMap::from([(None, ROOT)]);
        for track in tracks.all() {
            let Some(id) = track.thread else { continue };
            let thread = profile.thread(id);
            let mut around = processes.get(&thread.process).copied().unwrap_or(ROOT);
            if several {
                around = branch(thread.to_string(), around);
            }
            threads.insert(track.thread, around);
        }
        let (tree, hits) = (Tree::new(), Vec::new());
        Self { profile, tree, branches, threads, hits }
    }

    /// Counts what was seen.
    fn hit(&mut self, seen: Seen) {
        let node = self.tree.node(self.profile, thread(seen), seen) as usize;
        self.hits.resize(self.tree.nodes().len().max(self.hits.len()), 0);
        self.hits[node] = self.hits[node].saturating_add(1);
    }

    /// The number of the node of what was seen.
    fn number(&self, seen: Option<Seen>) -> u32 {
        let node = seen.and_then(|seen| self.tree.find(thread(seen), seen));
        node.map_or(UNKNOWN, |node| self.first() + node)
    }

    /// The number of the first node of the tree.
    fn first(&self) -> u32 {
        UNKNOWN + 1 + index(self.branches.len())
    }

    /// The number of the node around a node of the tree.
    fn around(&self, node: &rows::Node<Option<ThreadId>>) -> u32 {
        match node.caller {
            Some(caller) => self.first() + caller,
            None => self.threads.get(&node.group).copied().unwrap_or(ROOT),
        }
    }

    /// Every node, in the order of their numbers.
    fn written(&self) -> impl Iterator<Item = Node<'_>> {
        let mut children: Vec<Vec<u32>> = vec![Vec::new(); self.first() as usize];
        children.resize_with(self.first() as usize + self.tree.nodes().len(), Vec::new);
        children[ROOT as usize].push(UNKNOWN);
        for (number, (_, around)) in (UNKNOWN + 1..).zip(&self.branches) {
            children[*around as usize].push(number);
        }
        for (number, node) in (self.first()..).zip(self.tree.nodes()) {
            children[self.around(node) as usize].push(number);
        }
        let words = ["(root)", "(program)"].into_iter();
        let words = words.chain(self.branches.iter().map(|(title, _)| title.as_str()));
        let words = words.map(|word| (CallFrame::word(word), 0));
        let rows = self.tree.nodes().iter().zip(&self.hits);
        let rows = rows.map(|(node, hits)| (self.call_frame(node.row), *hits));
        let frames = words.chain(rows).zip(children.into_iter().skip(1));
        (ROOT..).zip(frames).map(|(id, ((call_frame, hit_count), children))| Node {
            id,
            call_frame,
            hit_count,
            children,
        })
    }

    fn call_frame(&self, row: Row) -> CallFrame<'_> {
        let Some(frame) = row.frame(self.profile) else {
            return CallFrame::word(row.name(self.profile));
        };
        let line = labels::line(self.profile, frame).map_or(-1, |line| i64::from(line) - 1);
        CallFrame { url: &frame.file, line_number: line, ..CallFrame::word(&frame.function) }
    }
}

impl<'a> CallFrame<'a> {
    /// One that is no place in a file.
    fn word(function_name: &'a str) -> Self {
        Self { function_name, script_id: "0", url: "", line_number: -1, column_number: -1 }
    }
}

/// A position as a number of a node.
fn index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::render::fixture;

    #[test]
    fn golden() {
        fixture::expect_golden("hostile.cpuprofile", &fixture::written(FORMAT));
    }

    fn numbers(value: &Value) -> Vec<u64> {
        value.as_array().expect("an array").iter().filter_map(Value::as_u64).collect()
    }

    #[test]
    fn nodes_are_a_tree_and_every_sample_is_one_of_them() {
        let document: Value =
            serde_json::from_slice(&fixture::written(FORMAT)).expect("it is JSON");
        let nodes = document["nodes"].as_array().expect("nodes");
        let mut around = vec![0; nodes.len() + 1];
        for (position, node) in nodes.iter().enumerate() {
            assert_eq!(node["id"].as_u64(), Some(position as u64 + 1));
            for child in numbers(&node["children"]) {
                around[child as usize] += 1;
            }
        }
        assert_eq!((around[ROOT as usize], around[2..].iter().all(|n| *n == 1)), (0, true));
        let samples = numbers(&document["samples"]);
        assert!(samples.iter().all(|id| (1..around.len() as u64).contains(id)));
        let deltas = numbers(&document["timeDeltas"]);
        assert_eq!(samples.len(), deltas.len());
        let start = document["startTime"].as_u64().expect("a time");
        let last = start + deltas.iter().sum::<u64>();
        assert_eq!(document["endTime"].as_u64(), Some(last));
    }

    #[test]
    fn one_thread_stands_at_its_times() {
        let all = fixture::profile();
        let mut profile = Profile::new(Detail::Timeline);
        profile.about = all.about.clone();
        let step = profile.frames.intern(all.frames.all()[0].clone());
        let stack = profile.child(None, crate::profile::Step::Frame(step));
        for wait in [10_000, 20_000, 90_000] {
            let state = crate::profile::State::default();
            let sample = crate::profile::Sample { stack, thread: None, state };
            profile.record(profile.about.started + wait, sample);
        }
        let mut out = Vec::new();
        let settings = Settings::default();
        write(&profile, &settings, &mut out).expect("a Vec takes everything");
        let document: Value = serde_json::from_slice(&out).expect("it is JSON");
        assert_eq!(numbers(&document["samples"]), [2, 3, 3, 2, 3, 2]);
        assert_eq!(numbers(&document["timeDeltas"]), [0, 10_000, 10_000, 10_000, 60_000, 10_000]);
    }
}
