//! The stacks of all threads at one moment as one JSON object, for programs.
//!
//! `state` is `running`, `idle` or `stopped`. `name`, `native_id` and `state` are null
//! where they are not known, and so is `locals` of a frame whose variables changed
//! while they were read; it is missing where it was not asked for. `core` is there for a core
//! file, and `error` for a thread of one that could not be read. `kind` is there for native code,
//! whose file is a library: `native`, or `interpreter` for that of the interpreter itself.

use std::io::{self, Write};

use serde::Serialize;

use super::json::{self, ProcessWords};
use crate::profile::snapshot::{CoreFile, Snapshot, ThreadSnapshot};
use crate::stack::{FrameTable, VariableKind};

/// Writes the object, and a line break behind it.
///
/// # Errors
/// Those of `out`.
pub(crate) fn write(snapshot: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
    let threads = snapshot.threads.iter();
    let is_free_threaded = snapshot.process.is_free_threaded();
    let dump = Dump {
        process: ProcessWords::of(&snapshot.process),
        core: snapshot.core.as_ref().map(Core::of),
        threads: threads
            .map(|thread| Thread::of(thread, &snapshot.frames, is_free_threaded))
            .collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &dump)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct Dump<'a> {
    process: ProcessWords<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    core: Option<Core<'a>>,
    threads: Vec<Thread<'a>>,
}

#[derive(Serialize)]
struct Core<'a> {
    file: &'a str,
    signal: Option<&'a str>,
    address: Option<u64>,
    sender: Option<i32>,
    native_id: Option<i32>,
    missing_bytes: u64,
}

impl<'a> Core<'a> {
    fn of(core: &'a CoreFile) -> Self {
        let ending = core.ending.as_ref();
        Self {
            file: &core.path,
            signal: ending.map(|ending| ending.signal.as_str()),
            address: ending.and_then(|ending| ending.address),
            sender: ending.and_then(|ending| ending.sender),
            native_id: ending.map(|ending| ending.thread),
            missing_bytes: core.missing,
        }
    }
}

#[derive(Serialize)]
struct Thread<'a> {
    id: u64,
    native_id: Option<i32>,
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    holds_gil: Option<bool>,
    /// In place of that in a free-threaded process.
    #[serde(skip_serializing_if = "Option::is_none")]
    attached: Option<bool>,
    /// Whether the interpreter had suspended it, there too.
    #[serde(skip_serializing_if = "Option::is_none")]
    suspended: Option<bool>,
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    truncated: bool,
    frames: Vec<Frame<'a>>,
}

#[derive(Serialize)]
struct Frame<'a> {
    file: &'a str,
    function: &'a str,
    line: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locals: Option<Option<Vec<Local<'a>>>>,
}

#[derive(Serialize)]
struct Local<'a> {
    name: &'a str,
    kind: &'static str,
    value: &'a str,
}

impl<'a> Thread<'a> {
    fn of(thread: &'a ThreadSnapshot, frames: &'a FrameTable, is_free_threaded: bool) -> Self {
        let stack = &thread.stack;
        let frame = |position: usize| {
            let frame = frames.frame(stack.frames[position]);
            let locals = stack.variables.get(position).map(|variables| {
                variables.as_ref().map(|variables| variables.iter().map(Local::of).collect())
            });
            Frame {
                file: &frame.file,
                function: &frame.function,
                line: frame.line,
                kind: json::native_kind(frame),
                locals,
            }
        };
        Self {
            id: stack.thread,
            native_id: thread.native_id,
            name: thread.name.as_deref(),
            holds_gil: (!is_free_threaded).then_some(stack.holds_gil),
            attached: is_free_threaded.then_some(stack.holds_gil),
            suspended: is_free_threaded.then_some(stack.is_suspended),
            state: thread.activity.map(|activity| activity.word()),
            error: thread.unreadable.as_deref(),
            truncated: stack.truncated,
            frames: (0..stack.frames.len()).map(frame).collect(),
        }
    }
}

impl<'a> Local<'a> {
    fn of(variable: &'a crate::stack::Variable) -> Self {
        let kind = match variable.kind {
            VariableKind::Argument => "argument",
            VariableKind::Local => "local",
        };
        Self { name: &variable.name, kind, value: &variable.value }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::profile::snapshot::Ending;
    use crate::profile::snapshot::tests::snapshot;

    #[test]
    fn a_core_file_has_an_object() {
        let mut snapshot = snapshot();
        let ending = Ending {
            signal: "SIGABRT".to_owned(),
            sender: Some(7),
            thread: 9,
            ..Ending::default()
        };
        snapshot.core =
            Some(CoreFile { path: "core".to_owned(), ending: Some(ending), missing: 3 });
        snapshot.threads[1].unreadable = Some("no such bytes".to_owned());
        let mut out = Vec::new();
        write(&snapshot, &mut out).expect("a Vec takes everything");
        let seen: Value = serde_json::from_slice(&out).expect("JSON");
        let expected = json!({
            "file": "core", "signal": "SIGABRT", "address": null, "sender": 7, "native_id": 9,
            "missing_bytes": 3,
        });
        assert_eq!(seen["core"], expected);
        assert_eq!(seen["threads"][1]["error"], "no such bytes");
        assert!(seen["threads"][0].get("error").is_none());
    }

    #[test]
    fn everything_comes_back() {
        let mut out = Vec::new();
        write(&snapshot(), &mut out).expect("a Vec takes everything");
        let seen: Value = serde_json::from_slice(&out).expect("JSON");
        let expected = json!({
            "process": {"pid": 4242, "command": "python3 app.py", "python": "3.11.7"},
            "threads": [
                {
                    "id": 140, "native_id": 4242, "name": "Main\n\"1\"", "holds_gil": true,
                    "state": "running", "truncated": true,
                    "frames": [
                        {"file": "app.py", "function": "work", "line": 7, "locals": [
                            {"name": "text", "kind": "argument", "value": "'a\\n\"<'"},
                            {"name": "count", "kind": "local", "value": "3"},
                        ]},
                        {"file": "app.py", "function": "main", "line": 3, "locals": null},
                    ],
                },
                {
                    "id": 141, "native_id": null, "name": null, "holds_gil": false,
                    "state": null, "truncated": false, "frames": [],
                },
            ],
        });
        assert_eq!(seen, expected);
    }
}
