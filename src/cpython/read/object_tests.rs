//! The readers of objects on memory that was made up: a dictionary of every layout, and
//! bytes that mean harm.

use proptest::prelude::*;

use super::dictionaries::{find, find_attribute, length};
use super::fixtures::FakePython;
use super::frames::{Position, RawFrame};
use super::objects::Object;
use super::text::Unicode;
use super::types::ObjectTypes;
use super::values::Values;
use super::variables::variables;
use crate::cpython::abi::{
    Abi, AttributesLayout, DictLayout, EntryLayout, KeysFormat, Python27, Python36, Python310,
    Python311, Python312, Python314,
};
use crate::cpython::fuzzing::object_types;
use crate::cpython::memory::Remote;
use crate::cpython::memory::fake::FakeMemory;

/// Where hostile bytes are, and how many words of them.
const START: u64 = 0x1_0000;
const WORDS: usize = 512;

/// The longest text that a value may become: five items in five items of 100 characters,
/// which are escaped at worst.
const LONGEST: usize = 256 * 1024;

/// A word that leads somewhere, counts something, or is nonsense.
fn word() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => (0..WORDS as u64).prop_map(|index| START + index * 8),
        3 => (0..16_u64).prop_map(|number| START + 512 + number * 8),
        2 => 0..8_u64,
        1 => any::<u64>(),
    ]
}

fn read_everything<A: Abi>(words: &[u64], target: u64) {
    let mut memory = FakeMemory::new();
    for (address, word) in (START..).step_by(8).zip(words) {
        memory.write_word(address, *word);
    }
    let types = object_types(START + 512, A::NAMES_ARE_BYTES);
    let object = Remote::<Object>::new(target);
    let values = Values { memory: &memory, types: &types };
    assert!(values.show::<A>(object).len() < LONGEST);
    let _ = find::<A, _>(&memory, &types, object.cast(), "threading");
    let _ = find_attribute::<A, _>(&memory, &types, object, "_name");
    let raw = RawFrame {
        frame: object.cast(),
        caller: Remote::new(0),
        code: object.cast(),
        position: Position::Instruction(0),
        may_be_incomplete: false,
        is_told_by_caller: false,
        calls_none: false,
        references: 0,
        may_call: false,
        is_alive: true,
        is_foreign: false,
        is_executed: false,
    };
    if let Ok(found) = variables::<A, _>(&values, &raw) {
        assert!(found.iter().all(|variable| variable.value.len() < LONGEST));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn hostile_objects_are_survived(
        words in prop::collection::vec(word(), WORDS),
        target in word(),
    ) {
        read_everything::<Python27>(&words, target);
        read_everything::<Python36>(&words, target);
        read_everything::<Python310>(&words, target);
        read_everything::<Python311>(&words, target);
        read_everything::<Python312>(&words, target);
        read_everything::<Python314>(&words, target);
    }
}

/// Types of a made-up process.
fn types() -> ObjectTypes {
    let (text, dict) = (super::fixtures::TYPES.text, 0x4000);
    ObjectTypes { unicode: text, dict, integer: 0x5000, ..ObjectTypes::default() }
}

/// A dictionary of 200 entries in a table of 512, so that indices take two bytes, some of
/// which are free.
fn fake_dict<A: Abi<Text = Unicode>>(python: &mut FakePython<A>) -> Remote<super::objects::Dict> {
    let DictLayout::Keys { used, keys, format, .. } = A::OBJECTS.dict else {
        panic!("2.7 has no keys of their own");
    };
    let dict = Remote::new(python.object(types().dict));
    let table = Remote::new(python.object(0));
    python.set(dict, used, 100);
    python.set(dict, keys, table.address());
    let (first, entry): (u64, EntryLayout) = match format {
        KeysFormat::Compact { size, used, indices, entry } => {
            python.set(table, size, 512);
            python.set(table, used, 200);
            (table.address() + indices as u64 + 1024, entry)
        }
        KeysFormat::Kinds { log2_index_bytes, kind, used, indices, text_entry, .. } => {
            let at = |place: usize| table.address() + place as u64;
            python.memory.write(at(log2_index_bytes.offset()), &[10]);
            python.memory.write(at(kind.offset()), &[1]);
            python.set(table, used, 200);
            (at(indices) + 1024, text_entry)
        }
        KeysFormat::Open { .. } => panic!("not among these versions"),
    };
    python.memory.write(first, &vec![0; 200 * entry.size]);
    for number in (0..200).step_by(2) {
        let key = python.ascii(&format!("key{number}"));
        let at = first + number * entry.size as u64;
        python.memory.write_word(at + entry.key as u64, key);
        python.memory.write_word(at + entry.value as u64, 0x9000 + number);
    }
    dict
}

fn finds_what_is_there<A: Abi<Text = Unicode>>() {
    let mut python = FakePython::<A>::new();
    let dict = fake_dict(&mut python);
    let look =
        |name: &str| find::<A, _>(&python.memory, &types(), dict, name).expect("it is there");
    for number in [0, 64, 198] {
        assert_eq!(look(&format!("key{number}")), Some(Remote::new(0x9000 + number)));
    }
    assert_eq!(look("key1"), None);
    assert_eq!(look("key200"), None);
    assert_eq!(length::<A, _>(&python.memory, dict), Ok(100));
}

#[test]
fn items_are_found_whatever_the_width_of_indices() {
    finds_what_is_there::<Python36>();
    finds_what_is_there::<Python310>();
    finds_what_is_there::<Python311>();
    finds_what_is_there::<Python312>();
    finds_what_is_there::<Python314>();
}

#[test]
fn only_3_11_and_later_keep_attributes_outside_of_dictionaries() {
    assert!(matches!(Python310::OBJECTS.attributes, AttributesLayout::Dict));
    assert!(matches!(Python311::OBJECTS.attributes, AttributesLayout::TwoWords(_)));
    assert!(matches!(Python312::OBJECTS.attributes, AttributesLayout::TaggedWord(_)));
    assert!(matches!(Python314::OBJECTS.attributes, AttributesLayout::Inline { .. }));
}
