//! The possible stacks of `busy.py`, read from its source: functions with their
//! ranges of lines, and which functions each line calls.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use super::profiler::{Frame, Profile};
use super::{Context, Outcome, expect, targets};

/// What the source says.
pub(crate) struct Shape {
    file: String,
    functions: HashMap<String, RangeInclusive<u32>>,
    calls: HashMap<u32, Vec<String>>,
    roots: Vec<String>,
}

impl Shape {
    /// Reads the source of a target.
    pub(crate) fn of(script: &str) -> Outcome<Self> {
        let file = targets().join(script).display().to_string();
        let source = std::fs::read_to_string(&file).context(|| file.clone())?;
        let lines: Vec<(u32, &str)> = (1..).zip(source.lines()).collect();
        let mut shape = Shape {
            file,
            functions: HashMap::new(),
            calls: HashMap::new(),
            roots: vec!["<module>".into()],
        };
        let last = u32::try_from(lines.len()).context(|| "a long file".into())?;
        shape.functions.insert("<module>".into(), 1..=last);
        for (index, (number, line)) in lines.iter().enumerate() {
            if let Some((_, called)) = line.split_once("# calls ") {
                shape.calls.insert(*number, called.split(", ").map(str::to_owned).collect());
            }
            let Some(rest) = line.trim_start().strip_prefix("def ") else { continue };
            let (name, _) = rest.split_once('(').context(|| format!("line {number}: {line}"))?;
            if line.ends_with("# begins a stack") {
                shape.roots.push(name.to_owned());
            }
            // A function begins with its decorators, or in old versions behind them.
            let above = lines.iter().take(index).rev();
            let decorators = above.take_while(|(_, l)| l.trim_start().starts_with('@')).count();
            let first = lines.get(index - decorators).map_or(*number, |(n, _)| *n);
            let body = lines.iter().skip(index + 1);
            let inside = body.take_while(|(_, l)| l.is_empty() || indent(l) > indent(line));
            let end = inside.filter(|(_, l)| !l.is_empty()).last().map_or(*number, |(n, _)| *n);
            shape.functions.insert(name.to_owned(), first..=end);
        }
        Ok(shape)
    }

    /// Fails if a stack of the profile cannot have existed.
    pub(crate) fn check(&self, profile: &Profile) -> Outcome {
        for stack in profile.stacks.iter().filter(|stack| !is_of_the_end(&stack.frames)) {
            self.check_stack(&stack.frames).context(|| {
                let frames: Vec<String> = stack.frames.iter().map(Frame::to_string).collect();
                format!("a stack that cannot have existed: {}", frames.join(";"))
            })?;
        }
        Ok(())
    }

    fn check_stack(&self, frames: &[Frame]) -> Outcome {
        let (root, innermost) = frames.first().zip(frames.last()).context(|| "no frames".into())?;
        expect(self.roots.contains(&root.function), || "no stack begins like this".into())?;
        for frame in frames {
            if let Some(number) = churned(frame) {
                // What this code calls is checked with its place.
                check_churned(frame, number)?;
                continue;
            }
            expect(frame.file == self.file, || format!("{frame} is of another file"))?;
            let line = frame.line.context(|| format!("{frame} has no line"))?;
            if line == 0 && std::ptr::eq(frame, innermost) {
                continue; // On an instruction that belongs to no line.
            }
            let inside = match self.functions.get(&frame.function) {
                // Line 0: an instruction that the line table gives no line.
                Some(range) => line == 0 || range.contains(&line),
                // A comprehension or a lambda: its line is one that calls it.
                None => self.calls_on(frame).contains(&frame.function),
            };
            expect(inside, || format!("{frame} is not a line of that function"))?;
        }
        for (caller, callee) in frames.iter().zip(frames.iter().skip(1)) {
            expect(self.calls_on(caller).contains(&callee.function), || {
                format!("{caller} does not call {}", callee.function)
            })?;
        }
        Ok(())
    }

    fn calls_on(&self, frame: &Frame) -> Vec<String> {
        if let Some(number) = churned(frame) {
            let callee =
                if frame.function == "<module>" { format!("f{number}") } else { "left".into() };
            return vec![callee];
        }
        let called = frame.line.and_then(|line| self.calls.get(&line));
        called.cloned().unwrap_or_default()
    }
}

/// What the interpreter calls from no module when the program is over: the wait of `threading`
/// for its threads, and the exit handlers that installed packages have registered (some
/// machines load one into every process by a `.pth` file).
fn is_of_the_end(frames: &[Frame]) -> bool {
    frames.first().is_some_and(|root| {
        let waits = root.function == "_shutdown" && root.file.ends_with("/threading.py");
        let module = root.function == "<module>";
        waits || !module && root.file.contains("/site-packages/")
    })
}

/// The number of the code that `hectic.py` compiles for one call.
fn churned(frame: &Frame) -> Option<u32> {
    frame.file.strip_prefix("<churn ")?.strip_suffix('>')?.parse().ok()
}

/// Such code has its number in its file, its function and its lines.
fn check_churned(frame: &Frame, number: u32) -> Outcome {
    let line = frame.line.context(|| format!("{frame} has no line"))?;
    let good = match frame.function.as_str() {
        // A module that has not begun is on the line that its code object names: the
        // first of the file in 3.10, none from 3.11.
        "<module>" => line <= 1 || (number + 1..=number + 3).contains(&line),
        name => name == format!("f{number}") && (number + 1..=number + 2).contains(&line),
    };
    expect(good, || format!("{frame} does not fit together"))
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}
