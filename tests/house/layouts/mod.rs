//! Holds the layouts that Rust sees against C compilers and CPython's own headers.

mod headers;
mod probe;

use crate::support::missing::{Excuses, VARIABLE};
use headers::Headers;
use probe::{Answer, Probe, Question};
use pyflame::cpython::abi::layout::{Entry, TABLES};

/// Versions that no machine we know of has development headers for.
const WITHOUT_HEADERS: [&str; 2] = ["3.4", "3.5"];

/// Our name of a struct that CPython leaves without a name, and where it is.
const NAMELESS: [(&str, &str); 4] = [
    ("setentry", "*((PySetObject *)0)->table"),
    ("_PyUnicodeObject_state", "((PyASCIIObject *)0)->state"),
    ("PyThreadState_status", "((PyThreadState *)0)->_status"),
    ("_Py_DebugOffsets_err_stackitem", "((_Py_DebugOffsets *)0)->err_stackitem"),
];

/// Layouts of early patch releases: version, the struct, its early form, and
/// the last patch release that has it.
const EARLY: [(&str, &str, &str, u32); 1] =
    [("3.7", "_PyRuntimeState", "_PyRuntimeState_3_7_0", 3)];

/// Structs that CPython declares in its sources only, and the last version that does:
/// the headers that it installs cannot be asked. Live tests read objects of them.
const IN_SOURCES_ONLY: [(&str, u32); 3] =
    [("PyDictKeyEntry", 310), ("PyDictKeysObject", 310), ("PyModuleObject", 309)];

/// Structs that are longer in CPython: ours end with the last field needed, or
/// a patch release has added a field at the end.
const OPEN_ENDED: [&str; 8] = [
    "PyDictObject",
    "PyHeapTypeObject",
    "PyInterpreterState",
    "PyModuleObject",
    "PySetObject",
    "PyThreadState",
    "PyTypeObject",
    "_PyRuntimeState",
];

/// For what the newest version still has.
const NOW: u32 = u32::MAX;

/// The bit-fields: struct, first and last version that has these members, members.
const BIT_FIELDS: [(&str, u32, u32, &[&str]); 4] = [
    ("_PyUnicodeObject_state", 304, 311, &["interned", "kind", "compact", "ascii", "ready"]),
    ("_PyUnicodeObject_state", 312, NOW, &["interned", "kind", "compact", "ascii"]),
    ("PyThreadState_status", 312, NOW, &["initialized", "active", "finalizing", "cleared"]),
    ("PyThreadState_status", 313, 313, &["holds_gil"]),
];

/// The constants: first and last version that has them, names.
const CONSTANTS: [(u32, u32, &[&str]); 12] = [
    (311, NOW, &["Py_TPFLAGS_MANAGED_DICT"]),
    (313, NOW, &["Py_TPFLAGS_INLINE_VALUES"]),
    (311, NOW, &["DICT_KEYS_GENERAL", "DICT_KEYS_UNICODE", "DICT_KEYS_SPLIT"]),
    (304, NOW, &["PyUnicode_1BYTE_KIND", "PyUnicode_2BYTE_KIND", "PyUnicode_4BYTE_KIND"]),
    (304, 311, &["PyUnicode_WCHAR_KIND"]),
    (
        310,
        310,
        &[
            "FRAME_CREATED",
            "FRAME_SUSPENDED",
            "FRAME_EXECUTING",
            "FRAME_RETURNED",
            "FRAME_UNWINDING",
            "FRAME_RAISED",
            "FRAME_CLEARED",
        ],
    ),
    (
        311,
        NOW,
        &["FRAME_OWNED_BY_THREAD", "FRAME_OWNED_BY_GENERATOR", "FRAME_OWNED_BY_FRAME_OBJECT"],
    ),
    (312, 314, &["FRAME_OWNED_BY_CSTACK"]),
    (314, NOW, &["FRAME_OWNED_BY_INTERPRETER"]),
    (314, NOW, &["Py_TAG_REFCNT", "Py_INT_TAG", "Py_TAG_BITS"]),
    (313, NOW, &["_Py_THREAD_DETACHED", "_Py_THREAD_ATTACHED", "_Py_THREAD_SUSPENDED"]),
    (315, NOW, &["_Py_THREAD_SUSPENDED_WAITING", "_Py_THREAD_DETACHED_WAITING"]),
];

/// The first version in which a pydebug build lays out our structs like any
/// other. Before, it includes what `--with-trace-refs` does.
const DEBUG_IS_ALIKE: u32 = 308;

/// The version of an ABI, and what makes CPython's headers of that version its own.
fn build(abi: &str) -> (&str, &'static str) {
    match abi.trim_end_matches(|letter: char| letter.is_ascii_lowercase()) {
        version if version == abi => (version, ""),
        version if abi.ends_with('t') => (version, "#define Py_GIL_DISABLED 1\n"),
        version => (version, "#define Py_TRACE_REFS 1\n"),
    }
}

/// The headers that an ABI is held against, each with what has to be defined before.
fn headers_of<'a>(all: &'a [Headers], abi: &str) -> Vec<(&'a Headers, &'static str)> {
    let (version, define) = build(abi);
    let own = all.iter().filter(|headers| headers.version == abi).map(|headers| (headers, ""));
    let plain = all.iter().filter(|headers| version != abi && headers.version == version);
    own.chain(plain.map(|headers| (headers, define))).collect()
}

#[test]
fn rustc_and_the_c_compiler_agree_on_our_headers() {
    assert!(!TABLES.is_empty(), "no version is enabled");
    for (version, table) in TABLES {
        let questions: Vec<Question> =
            table.iter().map(|entry| question(entry, entry.structure)).collect();
        let answers = our_probe(&format!("ours-{version}"), version).ask(&questions);
        let mut differences = Vec::new();
        for (entry, answer) in table.iter().zip(&answers) {
            if (entry.offset, entry.size) != (answer.offset, answer.size) {
                differences.push(format!("{entry:?}: C says {answer:?}"));
            }
        }
        assert!(differences.is_empty(), "CPython {version}:\n{}", differences.join("\n"));
        println!("CPython {version}: {} entries agree", table.len());
    }
}

#[test]
fn our_headers_agree_with_cpythons_own() {
    let all = headers::all();
    let excuses = Excuses::load(&headers::cache());
    let mut failures = Vec::new();
    for (version, table) in TABLES {
        let theirs = headers_of(&all, version);
        if theirs.is_empty() {
            println!("CPython {version}: no development headers here");
            if !WITHOUT_HEADERS.contains(version) && !excuses.allow_one_of(version) {
                failures.push(format!(
                    "CPython {version}: no development headers. Run `make interpreters`. Where \
                     that cannot get them, set {VARIABLE}={version} to test without them."
                ));
            }
        }
        for (number, (headers, define)) in theirs.into_iter().enumerate() {
            let name = format!("theirs-{version}-{number}");
            failures.extend(compare(&name, table, headers, define));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_pydebug_build_has_the_same_layout_from_3_8_on() {
    let all = headers::all();
    let mut failures = Vec::new();
    for (version, table) in TABLES.iter().filter(|(v, _)| ordinal(v) >= DEBUG_IS_ALIKE) {
        for (number, (headers, define)) in headers_of(&all, version).into_iter().enumerate() {
            let name = format!("debug-{version}-{number}");
            let defines = format!("#define Py_DEBUG 1\n{define}");
            failures.extend(compare(&name, table, headers, &defines));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn bit_fields_and_constants_are_cpythons() {
    let all = headers::all();
    for (version, _) in TABLES {
        let questions = bits(version, str::to_owned);
        let ours = our_probe(&format!("our-bits-{version}"), version).ask(&questions);
        for (question, answer) in questions.iter().zip(&ours) {
            println!("CPython {version}: {question:?}: {:#x}", answer.size);
        }
        for (number, (headers, define)) in headers_of(&all, version).into_iter().enumerate() {
            let name = format!("their-bits-{version}-{number}");
            let questions = bits(version, their_type);
            let theirs = their_probe(&name, headers, define).ask(&questions);
            assert_eq!(ours, theirs, "{}: {questions:#?}", headers.folder.display());
        }
    }
}

/// What to ask about the bit-fields and constants of a version.
fn bits(version: &str, c_type: fn(&str) -> String) -> Vec<Question> {
    let has = |first: u32, last: u32| (first..=last).contains(&ordinal(version));
    let mut questions = Vec::new();
    for (structure, first, last, members) in BIT_FIELDS {
        for member in members.iter().filter(|_| has(first, last)) {
            let (c_type, member) = (c_type(structure), (*member).to_owned());
            questions.push(Question::Mask { c_type, member });
        }
    }
    for (first, last, names) in CONSTANTS {
        for name in names.iter().filter(|_| has(first, last)) {
            questions.push(Question::Value { expression: (*name).to_owned() });
        }
    }
    questions
}

/// Holds a table against the headers of one CPython, prefixed by some defines:
/// the differences.
fn compare(name: &str, table: &[Entry], headers: &Headers, defines: &str) -> Vec<String> {
    let compared: Vec<(&Entry, &str)> = table
        .iter()
        .filter(|entry| !is_filler(entry))
        .filter_map(|entry| Some((entry, their_name(entry.structure, headers)?)))
        .collect();
    let questions: Vec<Question> =
        compared.iter().map(|(entry, name)| question(entry, &their_type(name))).collect();
    let answers = their_probe(name, headers, defines).ask(&questions);
    println!(
        "CPython {}.{} ({}): {} of {} entries compared{}{}",
        headers.version,
        headers.micro,
        headers.labels.join(", "),
        compared.len(),
        table.len(),
        if defines.is_empty() { "" } else { " with " },
        defines.replace("#define ", "").trim_end().replace('\n', ", "),
    );
    compared
        .iter()
        .zip(&answers)
        .filter(|((entry, name), answer)| !same(entry, name, answer))
        .map(|((entry, _), answer)| {
            format!("{}: {entry:?}: CPython says {answer:?}", headers.folder.display())
        })
        .collect()
}

fn same(ours: &Entry, their_name: &str, theirs: &Answer) -> bool {
    let open_ended = ours.field.is_none() && OPEN_ENDED.contains(&their_name);
    ours.offset == theirs.offset
        && (ours.size == theirs.size || open_ended && ours.size < theirs.size)
}

/// Fields that stand for something that is not read have names of their own.
fn is_filler(entry: &Entry) -> bool {
    entry.field.is_some_and(|field| field.starts_with("unread_"))
}

/// CPython's name of one of our structs; `None` where these headers, being of
/// another patch release, have no such layout.
fn their_name<'a>(structure: &'a str, headers: &Headers) -> Option<&'a str> {
    let is_hidden = |last: u32| ordinal(&headers.version) <= last;
    let mut hidden = IN_SOURCES_ONLY.iter().filter(|(_, last)| is_hidden(*last));
    if hidden.any(|(name, _)| *name == structure) {
        return None;
    }
    for (version, name, early, last) in EARLY {
        let is_early = headers.version == version && headers.micro <= last;
        if structure == early {
            return is_early.then_some(name);
        }
        if structure == name && is_early {
            return None;
        }
    }
    Some(structure)
}

/// How C spells one of CPython's structs: private ones have a tag only.
fn their_type(name: &str) -> String {
    if let Some((_, place)) = NAMELESS.into_iter().find(|(ours, _)| *ours == name) {
        return format!("__typeof__({place})");
    }
    let is_tag = name.trim_start_matches('_').starts_with(|c: char| c.is_ascii_lowercase());
    if is_tag { format!("struct {name}") } else { name.to_owned() }
}

fn question(entry: &Entry, c_type: &str) -> Question {
    let c_type = c_type.to_owned();
    match entry.field {
        // bindgen lengthens a name that Rust has a use for.
        Some(field) => Question::Field { c_type, field: field.trim_end_matches('_').to_owned() },
        None => Question::Size { c_type },
    }
}

fn our_probe<'a>(name: &'a str, version: &str) -> Probe<'a> {
    let root = env!("CARGO_MANIFEST_DIR");
    Probe {
        name,
        preamble: "#include \"layout.h\"\n".to_owned(),
        include: vec![format!("{root}/headers/cpython-{version}").into()],
    }
}

fn their_probe<'a>(name: &'a str, headers: &Headers, defines: &str) -> Probe<'a> {
    let internal: &[&str] = match ordinal(&headers.version) {
        ..=306 => &[],
        307 => &["internal/pystate.h"],
        308 => &["pycore_pystate.h"],
        309..=310 => &["pycore_interp.h", "pycore_runtime.h"],
        311..=312 => &["pycore_frame.h", "pycore_interp.h", "pycore_runtime.h"],
        313 => &["pycore_frame.h", "pycore_interp.h", "pycore_runtime.h", "pycore_pystate.h"],
        _ => &[
            "pycore_stackref.h",
            "pycore_frame.h",
            "pycore_interp.h",
            "pycore_runtime.h",
            "pycore_pystate.h",
        ],
    };
    let objects: &[&str] = match ordinal(&headers.version) {
        ..=309 => &["longintrepr.h"],
        310 => &["longintrepr.h", "pycore_moduleobject.h"],
        _ => &["pycore_dict.h", "pycore_moduleobject.h"],
    };
    let mut preamble = format!("#define Py_BUILD_CORE 1\n{defines}");
    for header in ["Python.h", "frameobject.h"].iter().chain(internal).chain(objects) {
        preamble.push_str(&format!("#include <{header}>\n"));
    }
    let mut include = vec![headers.folder.clone(), headers.folder.join("internal")];
    include.extend(headers.others.iter().cloned());
    Probe { name, preamble, include }
}

/// 314 for "3.14", and for "3.14t".
fn ordinal(version: &str) -> u32 {
    let (major, minor) = build(version).0.split_once('.').expect("a version is X.Y");
    let number = |text: &str| text.parse::<u32>().expect("a version is numbers");
    number(major) * 100 + number(minor)
}
