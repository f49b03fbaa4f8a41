//! The tables of one thread: stacks lead to frames, frames to functions, functions to
//! texts.

use std::collections::HashMap;
use std::hash::Hash;
use std::iter::repeat_n;

use serde::{Serialize, Serializer};

use super::libs::Libs;
use crate::profile::{Profile, Seen};
use crate::render::labels;
use crate::render::rows::{Row, Tree};
use crate::stack::{Frame, FrameKind};

/// A place in the list of categories.
pub(super) type Category = u8;

/// What readers call a resource that is a library.
const LIBRARY: u8 = 1;

/// Where there is no address, and no resource.
const NONE: i32 = -1;

/// The tables of a thread, while stacks are put in.
pub(super) struct Tables<'a> {
    profile: &'a Profile,
    stacks: Tree<Category>,
}

impl<'a> Tables<'a> {
    /// Empty ones.
    pub(super) fn new(profile: &'a Profile) -> Self {
        Self { profile, stacks: Tree::new() }
    }

    /// Puts a stack in.
    pub(super) fn add(&mut self, category: Category, seen: Seen) {
        self.stacks.node(self.profile, category, seen);
    }

    /// The place of a stack that has been put in.
    pub(super) fn stack(&self, category: Category, seen: Seen) -> Option<u32> {
        self.stacks.find(category, seen)
    }

    /// The tables as they are written.
    pub(super) fn written(&self, libs: &Libs<'_>) -> Written<'_> {
        let mut frames = Interner::default();
        let mut functions = Interner::default();
        let mut strings = Interner::default();
        let mut stack_table = StackTable::default();
        let mut frame_functions = Vec::new();
        let mut resources = Interner::default();
        for node in self.stacks.nodes() {
            let frame = frames.number((node.row, node.group));
            stack_table.frame.push(frame);
            stack_table.prefix.push(node.caller);
            if frame as usize == frame_functions.len() {
                let found = node.row.frame(self.profile);
                let name = strings.number(node.row.name(self.profile));
                let native = found.filter(|frame| frame.kind.is_native());
                // Native code has a library in place of a file.
                let file = found.filter(|_| native.is_none());
                let file = file.map(|frame| strings.number(&frame.file));
                let lib = native.and_then(|frame| libs.number(&frame.file));
                let resource = lib.zip(native).map(|(lib, frame)| {
                    let name = frame.library().unwrap_or_default();
                    resources.number((lib, strings.number(name)))
                });
                frame_functions.push(functions.number((name, file, resource)));
            }
        }
        let subcategory = |row: &Row| row.frame(self.profile).map_or(0, subcategory);
        let line = |row: &Row| labels::line(self.profile, row.frame(self.profile)?);
        Written {
            frame_table: FrameTable {
                category: frames.values.iter().map(|(_, category)| *category).collect(),
                subcategory: frames.values.iter().map(|(row, _)| subcategory(row)).collect(),
                func: frame_functions,
                line: frames.values.iter().map(|(row, _)| line(row)).collect(),
                ..FrameTable::of(frames.values.len())
            },
            func_table: FuncTable {
                name: functions.values.iter().map(|(name, ..)| *name).collect(),
                resource: functions.values.iter().map(|(.., r)| resource(*r)).collect(),
                file_name: functions.values.iter().map(|(_, file, _)| *file).collect(),
                ..FuncTable::of(functions.values.len())
            },
            stack_table: StackTable { length: stack_table.frame.len(), ..stack_table },
            resource_table: ResourceTable::of(&resources.values),
            native_symbols: NativeSymbols::default(),
            string_array: strings.values,
        }
    }
}

/// The tables of a thread.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Written<'a> {
    stack_table: StackTable,
    frame_table: FrameTable,
    func_table: FuncTable,
    resource_table: ResourceTable,
    native_symbols: NativeSymbols,
    string_array: Vec<&'a str>,
}

#[derive(Default, Serialize)]
struct StackTable {
    length: usize,
    frame: Vec<u32>,
    prefix: Vec<Option<u32>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FrameTable {
    length: usize,
    address: Same<i32>,
    inline_depth: Same<u32>,
    category: Vec<Category>,
    subcategory: Vec<u32>,
    func: Vec<u32>,
    native_symbol: Same<()>,
    #[serde(rename = "innerWindowID")]
    inner_window_id: Same<u32>,
    line: Vec<Option<u32>>,
    column: Same<()>,
}

impl FrameTable {
    /// A table of so many frames, of which nothing is known yet.
    fn of(length: usize) -> Self {
        Self {
            length,
            address: Same(NONE, length),
            inline_depth: Same(0, length),
            category: Vec::new(),
            subcategory: Vec::new(),
            func: Vec::new(),
            native_symbol: Same((), length),
            inner_window_id: Same(0, length),
            line: Vec::new(),
            column: Same((), length),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FuncTable {
    length: usize,
    name: Vec<u32>,
    #[serde(rename = "isJS")]
    is_js: Same<bool>,
    #[serde(rename = "relevantForJS")]
    relevant_for_js: Same<bool>,
    resource: Vec<i32>,
    file_name: Vec<Option<u32>>,
    line_number: Same<()>,
    column_number: Same<()>,
}

impl FuncTable {
    /// A table of so many functions, of which nothing is known yet.
    fn of(length: usize) -> Self {
        Self {
            length,
            name: Vec::new(),
            is_js: Same(false, length),
            relevant_for_js: Same(false, length),
            resource: Vec::new(),
            file_name: Vec::new(),
            line_number: Same((), length),
            column_number: Same((), length),
        }
    }
}

/// The libraries of functions.
#[derive(Serialize)]
struct ResourceTable {
    length: usize,
    lib: Vec<u32>,
    name: Vec<u32>,
    host: Same<()>,
    r#type: Same<u8>,
}

impl ResourceTable {
    /// A table of these libraries, by their numbers, and the texts that name them.
    fn of(resources: &[(u32, u32)]) -> Self {
        let length = resources.len();
        Self {
            length,
            lib: resources.iter().map(|(lib, _)| *lib).collect(),
            name: resources.iter().map(|(_, name)| *name).collect(),
            host: Same((), length),
            r#type: Same(LIBRARY, length),
        }
    }
}

/// The place of a function's library among the resources.
fn resource(place: Option<u32>) -> i32 {
    place.and_then(|place| i32::try_from(place).ok()).unwrap_or(NONE)
}

/// What a frame is of, as a place in the list of subcategories.
fn subcategory(frame: &Frame) -> u32 {
    match frame.kind {
        FrameKind::Python => 0,
        FrameKind::Native => 1,
        FrameKind::Interpreter => 2,
    }
}

/// None.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct NativeSymbols {
    length: usize,
    address: [(); 0],
    function_size: [(); 0],
    lib_index: [(); 0],
    name: [(); 0],
}

/// A column in which every value is the same.
struct Same<T>(T, usize);

impl<T: Serialize + Clone> Serialize for Same<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(repeat_n(&self.0, self.1))
    }
}

/// Numbers for values, in the order in which they come.
struct Interner<T> {
    values: Vec<T>,
    numbers: HashMap<T, u32>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self { values: Vec::new(), numbers: HashMap::new() }
    }
}

impl<T: Copy + Eq + Hash> Interner<T> {
    fn number(&mut self, value: T) -> u32 {
        let next = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(value).or_insert(next);
        if number == next {
            self.values.push(value);
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_one_number() {
        let mut strings = Interner::default();
        let numbers = ["a", "b", "a"].map(|text| strings.number(text));
        assert_eq!(numbers, [0, 1, 0]);
        assert_eq!(strings.values, ["a", "b"]);
    }
}
