//! Tests on made-up modules.

use std::sync::Arc;

use super::interpreter::judge_scope;
use super::module::Module;
use super::scope::Scope;
use super::*;
use crate::cpython::memory::fake::FakeMemory;
use crate::target::elf::fixture::{DATA, ElfFile};
use crate::target::live::Process;
use crate::target::simulated::Simulated;

const BIAS: u64 = 0x7f00_0000_0000;
const TYPE: u64 = 0x6000;
const VERSION: u64 = 0x6100;
const RUNTIME: u64 = 0x6200;
const HEAD_CODE: u64 = DATA;
const HEAD: u64 = 0x6300;

/// A module that exports what 3.11 and later do.
fn modern() -> ElfFile {
    ElfFile {
        exported: vec![
            ("PyInterpreterState_Head", HEAD_CODE, 8),
            ("_PyRuntime", RUNTIME, 0x400),
            ("PyType_Type", TYPE, 400),
            ("PyCode_Type", TYPE + 0x400, 400),
            ("Py_Version", VERSION, 8),
        ],
        ..ElfFile::default()
    }
}

/// The memory of a process that has loaded `file` at [`BIAS`], relocated.
fn loaded(file: &ElfFile) -> FakeMemory {
    let mut memory = FakeMemory::new();
    memory.write(BIAS, &file.build());
    memory.write_word(BIAS + TYPE + 8, BIAS + TYPE);
    // mov rax,[rip+d]; ret
    let distance = (HEAD - (HEAD_CODE + 7)) as u32;
    let code = [&[0x48, 0x8b, 0x05][..], &distance.to_le_bytes(), &[0xc3]].concat();
    memory.write(BIAS + HEAD_CODE, &code);
    memory
}

fn module(file: &ElfFile) -> Arc<Module> {
    Arc::new(Module::of_bytes(file.build(), BIAS))
}

fn judge(file: &ElfFile, memory: &FakeMemory) -> Result<Interpreter, LocateError> {
    let scope = Scope::new(module(file), None, false);
    judge_scope(4242, "/made/program".as_ref(), memory, scope)
}

fn message(result: Result<Interpreter, LocateError>) -> String {
    result.map(drop).unwrap_err().to_string()
}

#[test]
fn an_interpreter_is_described() {
    let file = modern();
    let mut memory = loaded(&file);
    memory.write_word(BIAS + VERSION, 0x030b_02f0);
    let found = judge(&file, &memory).unwrap();
    assert_eq!(found.version.to_string(), "3.11.2");
    assert_eq!(found.runtime, Some(BIAS + RUNTIME));
    assert_eq!(found.interpreters_head, Some(BIAS + HEAD));
    assert_eq!(found.current_thread, None);
    assert_eq!((found.free_threaded, found.trace_refs), (false, false));
    assert_eq!((found.types.r#type, found.types.code), (BIAS + TYPE, Some(BIAS + TYPE + 0x400)));
    assert_eq!((found.types.frame, found.symbol("PyGen_Type")), (None, None));
    assert_eq!(found.is_initialised(&memory), Some(false));
    memory.write_word(BIAS + HEAD, 0x1234);
    assert_eq!(found.is_initialised(&memory), Some(true));
}

#[test]
fn a_library_that_is_not_relocated_is_starting() {
    let file = modern();
    let mut memory = loaded(&file);
    memory.write_word(BIAS + VERSION, 0x030b_02f0);
    memory.write_word(BIAS + TYPE + 8, 0);
    let error = judge(&file, &memory).map(drop).unwrap_err();
    assert!(error.is_starting() && error.may_pass());
    assert!(error.to_string().starts_with("Failed to locate libpython: process 4242"));
}

#[test]
fn longer_object_heads_tell_the_variant() {
    let file = ElfFile {
        exported: [modern().exported, vec![("_Py_RefTotal", 0x6f00, 8)]].concat(),
        ..modern()
    };
    let mut memory = loaded(&file);
    memory.write_word(BIAS + TYPE + 8, 0);
    memory.write_word(BIAS + TYPE + 24, BIAS + TYPE);
    memory.write_word(BIAS + VERSION, 0x030b_02f0);
    let found = judge(&file, &memory).unwrap();
    assert_eq!((found.free_threaded, found.trace_refs), (false, true));

    memory.write_word(BIAS + VERSION, 0x030d_02f0);
    memory.write(BIAS + RUNTIME, b"xdebugpy");
    memory.write_word(BIAS + RUNTIME + 8, 0x030d_02f0);
    memory.write_word(BIAS + RUNTIME + 16, 1);
    let found = judge(&file, &memory).unwrap();
    assert_eq!((found.free_threaded, found.trace_refs), (true, false));
}

#[test]
fn what_the_runtime_says_of_itself_must_agree() {
    let file = modern();
    let mut memory = loaded(&file);
    memory.write_word(BIAS + VERSION, 0x030d_02f0);
    assert!(message(judge(&file, &memory)).contains("_Py_DebugOffsets"));
    memory.write(BIAS + RUNTIME, b"xdebugpy");
    memory.write_word(BIAS + RUNTIME + 8, 0x030e_01f0);
    assert!(message(judge(&file, &memory)).contains("3.14.1"));
    memory.write_word(BIAS + RUNTIME + 8, 0x030d_02f0);
    assert!(judge(&file, &memory).is_ok());
    memory.write_word(BIAS + RUNTIME + 16, 1);
    assert!(message(judge(&file, &memory)).contains("free-threaded"));
}

#[test]
fn a_head_outside_of_the_runtime_is_not_believed() {
    let file = modern();
    let mut memory = loaded(&file);
    memory.write_word(BIAS + VERSION, 0x030b_02f0);
    // mov rax,[rip-0x4000]; ret: before _PyRuntime
    memory.write(BIAS + HEAD_CODE, &[0x48, 0x8b, 0x05, 0x00, 0xc0, 0xff, 0xff, 0xc3]);
    assert_eq!(judge(&file, &memory).unwrap().interpreters_head, None);
}

#[test]
fn a_head_through_a_slot_is_read_from_the_process() {
    let file = modern();
    let mut memory = loaded(&file);
    memory.write_word(BIAS + VERSION, 0x030b_02f0);
    let file = ElfFile { exported: file.exported, ..ElfFile::default() };
    // mov rax,[rip+0x10]; mov rax,[rax+0x28]
    memory.write(BIAS + HEAD_CODE, &[0x48, 0x8b, 0x05, 0x10, 0, 0, 0, 0x48]);
    assert_eq!(judge(&file, &memory).unwrap().interpreters_head, None, "the size cuts it off");
    let mut long = file.clone();
    long.exported[0].2 = 12;
    memory.write(BIAS + HEAD_CODE + 7, &[0x48, 0x8b, 0x40, 0x28, 0xc3]);
    memory.write_word(BIAS + HEAD_CODE + 0x17, BIAS + RUNTIME);
    assert_eq!(judge(&long, &memory).unwrap().interpreters_head, Some(BIAS + RUNTIME + 0x28));
}

#[test]
fn a_symbol_table_names_the_head_of_old_versions() {
    let mut file = ElfFile {
        exported: vec![
            ("PyInterpreterState_Head", HEAD_CODE, 8),
            ("_PyThreadState_Current", RUNTIME, 8),
            ("PyType_Type", TYPE, 400),
            ("Py_GetVersion", DATA + 0x100, 64),
        ],
        local: vec![("interp_head", HEAD + 0x40, 8)],
        ..ElfFile::default()
    };
    let mut memory = loaded(&file);
    // lea rax,[rip+0xf9]: the text at DATA + 0x200
    memory.write(BIAS + DATA + 0x100, &[0x48, 0x8d, 0x05, 0xf9, 0, 0, 0, 0xc3]);
    memory.write(BIAS + DATA + 0x200, b"3.6.15\0");
    let found = judge(&file, &memory).unwrap();
    assert_eq!(found.version.to_string(), "3.6.15");
    assert_eq!(found.interpreters_head, Some(BIAS + HEAD), "the code is asked first");
    memory.write(BIAS + HEAD_CODE, &[0xcc]);
    assert_eq!(judge(&file, &memory).unwrap().interpreters_head, Some(BIAS + HEAD + 0x40));
    file.local.clear();
    let found = judge(&file, &memory).unwrap();
    assert_eq!(found.interpreters_head, None);
    assert_eq!(found.is_initialised(&memory), Some(false), "the current thread is null");
}

#[test]
fn what_every_cpython_exports_must_be_there() {
    let mut file = modern();
    file.exported.retain(|(name, ..)| *name != "PyType_Type");
    let memory = loaded(&file);
    assert!(message(judge(&file, &memory)).contains("PyType_Type"));
}

/// An executable that is linked to a fixed address has the variables of a
/// library that it mentions, and the library then uses those.
#[test]
fn copies_in_the_executable_go_first() {
    let library = modern();
    let mut memory = loaded(&library);
    memory.write_word(BIAS + VERSION, 0x030b_02f0);
    let program = ElfFile {
        kind: goblin::elf::header::ET_EXEC,
        base: 0x40_0000,
        exported: vec![("PyType_Type", 0x7000, 400)],
        ..ElfFile::default()
    };
    memory.write(0x40_0000, &program.build());
    let copy = 0x40_7000;
    memory.write_word(BIAS + TYPE + 8, copy);
    memory.write_word(copy + 8, copy);
    let executable = Arc::new(Module::of_bytes(program.build(), 0));
    let scope = Scope::new(module(&library), Some(executable), false);
    let found = judge_scope(1, "/made/program".as_ref(), &memory, scope).unwrap();
    assert_eq!(found.types.r#type, copy);
    assert_eq!(found.runtime, Some(BIAS + RUNTIME));
}

#[test]
fn hidden_symbols_are_only_looked_for_on_demand() {
    let open = modern();
    let hidden = ElfFile { exported: Vec::new(), local: open.exported.clone(), ..open.clone() };
    let mut memory = loaded(&open);
    memory.write(BIAS, &hidden.build());
    let mut memory_of_hidden = loaded(&hidden);
    memory_of_hidden.write_word(BIAS + VERSION, 0x030b_02f0);
    assert_eq!(module(&hidden).symbol("PyType_Type"), None);
    let scope = Scope::new(module(&hidden), None, true);
    let found = judge_scope(1, "/made/program".as_ref(), &memory_of_hidden, scope).unwrap();
    assert_eq!(found.types.r#type, BIAS + TYPE);
}

#[test]
fn pypy_is_known_by_its_names_and_symbols() {
    for name in ["libpypy3-c.so", "libpypy3.10-c.so", "libpypy-c.so", "pypy3", "pypy3.10-c"] {
        assert!(is_pypy_name(name.as_bytes()), "{name}");
    }
    for name in ["python3", "libpython3.6m.so", "mypypy", ""] {
        assert!(!is_pypy_name(name.as_bytes()), "{name}");
    }
    let pypy = ElfFile { exported: vec![("pypy_execute_source", DATA, 8)], ..ElfFile::default() };
    assert!(has_pypy_symbols(&Module::of_bytes(pypy.build(), 0)));
    assert!(!has_pypy_symbols(&Module::of_bytes(modern().build(), 0)));
    let error = LocateError::PyPy { pid: 1, module: "/usr/bin/pypy3".into() };
    assert!(error.to_string().starts_with("Failed to locate libpython"));
    assert!(error.is_other_python() && !error.may_pass());
}

#[test]
fn this_test_is_not_python() {
    let pid = std::process::id() as i32;
    let process = Process::open(pid).unwrap();
    let memory = crate::target::live::memory::LiveMemory::new(pid);
    let error = find(&process, &memory).map(drop).unwrap_err();
    assert!(matches!(error, LocateError::NotPython { .. }), "{error}");
    assert!(error.to_string().starts_with("Failed to locate libpython: process "));
}

/// A second place to load something at.
const ELSEWHERE: u64 = 0x7e00_0000_0000;

/// A library that holds an interpreter of `version`, loaded at `bias` by a simulated target.
fn load_interpreter(target: &mut Simulated, path: &str, bias: u64, version: u64, state: u64) {
    target.load(path, &modern(), bias);
    target.memory.write_word(bias + TYPE + 8, bias + TYPE);
    let distance = (HEAD - (HEAD_CODE + 7)) as u32;
    let code = [&[0x48, 0x8b, 0x05][..], &distance.to_le_bytes(), &[0xc3]].concat();
    target.memory.write(bias + HEAD_CODE, &code);
    target.memory.write_word(bias + VERSION, version);
    target.memory.write_word(bias + HEAD, state);
}

fn find_in(target: &Simulated) -> Result<Interpreter, LocateError> {
    find(target, &target.memory)
}

#[test]
fn an_interpreter_is_found_in_the_program() {
    let mut target = Simulated::default();
    load_interpreter(&mut target, Simulated::PROGRAM, BIAS, 0x030b_02f0, 0x1234);
    let found = find_in(&target).unwrap();
    assert_eq!((found.version.to_string().as_str(), found.is_linked), ("3.11.2", true));
    assert_eq!(found.runtime, Some(BIAS + RUNTIME));
}

#[test]
fn the_interpreter_that_the_program_needs_goes_first() {
    let mut target = Simulated::default();
    let program = ElfFile { needed: vec!["libpython3.12.so"], ..ElfFile::default() };
    load_interpreter(&mut target, "/made/libpython3.11.so", BIAS, 0x030b_02f0, 0x1234);
    load_interpreter(&mut target, "/made/libpython3.12.so", ELSEWHERE, 0x030c_01f0, 0x5678);
    target.load(Simulated::PROGRAM, &program, 0x5500_0000_0000);
    assert_eq!(find_in(&target).unwrap().version.to_string(), "3.12.1");
    let all = find_all(&target, &target.memory).unwrap();
    let linked: Vec<_> = all.iter().map(|found| (found.version.minor, found.is_linked)).collect();
    assert_eq!(linked, [(12, true), (11, false)]);
}

#[test]
fn an_interpreter_without_a_state_is_starting() {
    let mut target = Simulated::default();
    load_interpreter(&mut target, Simulated::PROGRAM, BIAS, 0x030b_02f0, 0);
    let error = find_in(&target).map(drop).unwrap_err();
    assert!(error.is_starting() && error.to_string().contains("not initialised"), "{error}");
    target.files.clear();
    let error = find_in(&target).map(drop).unwrap_err();
    assert!(error.to_string().contains("its program is not loaded yet"), "{error}");
}

/// What has been put in the place of a mapped file is not asked for its symbols.
#[test]
fn a_file_with_another_content_is_not_believed() {
    let mut target = Simulated::default();
    load_interpreter(&mut target, Simulated::PROGRAM, BIAS, 0x030b_02f0, 0x1234);
    let moved = modern().exported.into_iter().map(|(name, at, size)| (name, at + 0x100, size));
    let other = ElfFile { exported: moved.collect(), ..modern() };
    target.put_on_disk(Simulated::PROGRAM, other.build());
    assert_eq!(find_in(&target).unwrap().runtime, Some(BIAS + RUNTIME));
    target.disk.clear();
    target.put_on_disk(Simulated::PROGRAM, modern().build());
    assert_eq!(find_in(&target).unwrap().runtime, Some(BIAS + RUNTIME));
}
