//! Translates the layout headers of every enabled Python version into Rust.
//!
//! For feature `py36`, `headers/cpython-3.6/layout.h` becomes module `v3_6` of `layouts.rs` in
//! `OUT_DIR`: structs, assertions that rustc lays them out as clang does, and a table of every
//! struct and field for the tests. The headers of a version that is not enabled are not looked
//! at.
//!
//! For feature `kernel`, clang compiles the program that the kernel runs.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::env;
use std::fmt::Write;
use std::fs;
use std::io;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::rc::Rc;

use bindgen::callbacks::{
    DiscoveredItem, DiscoveredItemId, FieldInfo, ParseCallbacks, SourceLocation,
};
use bindgen::{FieldVisibilityKind, RustEdition, RustTarget};

/// Cargo sets such a variable for each feature that is enabled.
const FEATURE: &str = "CARGO_FEATURE_PY";

/// A folder for each ABI: `cpython-3.6`, enabled by feature `py36`.
const HEADERS: &str = "headers";

/// What the kernel runs for `--engine kernel`, and the clang that compiles it.
const KERNEL_PROGRAM: &str = "src/sampler/interrupt/program.c";
const CLANG_VARIABLE: &str = "PYFLAME_CLANG";

/// Structs made of bit-fields. bindgen would give them accessors with unsafe
/// code; only their place and size are wanted.
const BIT_FIELDS: &str = "_PyUnicodeObject_state|PyThreadState_status";

/// What is said of each module: the names are CPython's.
const ALLOW: &str = "#[allow(non_camel_case_types, non_snake_case, non_upper_case_globals, \
                     missing_docs, clippy::all, clippy::pedantic)]";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(complete)");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: run by Cargo only")?);
    let has_kernel = env::var_os("CARGO_FEATURE_KERNEL").is_some();
    if has_kernel {
        compile_kernel_program(&out)?;
    }
    let versions = versions()?;
    let features = env::vars().filter_map(|(name, _)| Some(name.strip_prefix(FEATURE)?.to_owned()));
    let features: Vec<String> = features.map(|feature| feature.to_lowercase()).collect();
    let is_enabled = |version: &&String| features.contains(&number(version));
    let enabled: Vec<&String> = versions.iter().filter(is_enabled).collect();
    let is_here = |feature: &&String| enabled.iter().any(|version| number(version) == **feature);
    if let Some(feature) = features.iter().find(|feature| !is_here(feature)) {
        return Err(format!("no folder in {HEADERS} is for feature py{feature}"));
    }
    if has_kernel && enabled.len() == versions.len() {
        println!("cargo::rustc-cfg=complete");
    }
    if !enabled.is_empty() {
        require_libclang()?;
    }
    let mut layouts = String::new();
    for version in &enabled {
        layouts.push_str(&translate(version)?);
    }
    layouts.push_str(&table_of_tables(&enabled));
    let path = out.join("layouts.rs");
    fs::write(&path, layouts).map_err(|error| format!("{}: {error}", path.display()))
}

/// Every version that has headers, oldest first: `3.9`, `3.10`, `3.14t`.
fn versions() -> Result<Vec<String>, String> {
    println!("cargo::rerun-if-changed={HEADERS}");
    let failed = |error: io::Error| format!("{HEADERS}: {error}");
    let mut versions = Vec::new();
    for entry in fs::read_dir(HEADERS).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().into_string();
        let version = name.ok().and_then(|name| name.strip_prefix("cpython-").map(str::to_owned));
        versions.extend(version);
    }
    versions.sort_by_key(|version| {
        let number = version.trim_end_matches(|letter: char| letter.is_ascii_lowercase());
        let parts = number.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
        (parts.collect::<Vec<_>>(), version.clone())
    });
    Ok(versions)
}

/// A version as its feature writes it: `314t`.
fn number(version: &str) -> String {
    version.replace('.', "")
}

/// bindgen loads libclang when it runs and panics where there is none.
fn require_libclang() -> Result<(), String> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let loaded = panic::catch_unwind(bindgen::clang_version);
    panic::set_hook(hook);
    loaded.map(|_| ()).map_err(|_| {
        "libclang, which reads the layout headers, was not found.\n\
         Run `make libclang`, or install it (Debian: libclang-dev), \
         or set LIBCLANG_PATH to the folder that holds libclang.so."
            .to_owned()
    })
}

/// Compiles the kernel's program, without any header of this machine.
fn compile_kernel_program(out: &Path) -> Result<(), String> {
    println!("cargo::rerun-if-changed={KERNEL_PROGRAM}");
    println!("cargo::rerun-if-env-changed={CLANG_VARIABLE}");
    let clang = env::var_os(CLANG_VARIABLE).unwrap_or_else(|| "clang".into());
    let mut command = Command::new(&clang);
    command.args(["-target", "bpf", "-mcpu=v3", "-std=gnu11", "-O2", "-nostdinc"]);
    if env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "aarch64") {
        command.arg("-DARCH_AARCH64");
    }
    command.args(["-Wall", "-Wextra", "-Werror", "-c", KERNEL_PROGRAM, "-o"]);
    let what = clang.to_string_lossy();
    match command.arg(out.join("interrupt.o")).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{what} could not compile {KERNEL_PROGRAM}: {status}")),
        Err(error) => Err(format!(
            "{what}, which compiles the program of --engine kernel, cannot be run: {error}.\n\
             Run `make clang`, or install it (Debian: clang), or set {CLANG_VARIABLE} to it,\n\
             or build without it: --no-default-features --features with the ABIs only."
        )),
    }
}

/// The module of one version.
fn translate(version: &str) -> Result<String, String> {
    let folder = format!("{HEADERS}/cpython-{version}");
    let found = Rc::new(RefCell::new(Found::default()));
    let bindings = bindgen::builder()
        .header(format!("{folder}/layout.h"))
        .clang_args(["-std=c11", "-nostdinc"])
        .rust_target(RustTarget::stable(85, 0).map_err(|e| e.to_string())?)
        .rust_edition(RustEdition::Edition2024)
        .use_core()
        .opaque_type(BIT_FIELDS)
        .derive_copy(false)
        .derive_debug(false)
        .prepend_enum_name(false)
        .generate_comments(false)
        .disable_header_comment()
        .layout_tests(true)
        .formatter(bindgen::Formatter::Prettyplease)
        .parse_callbacks(Box::new(Collector(Rc::clone(&found))))
        .generate()
        .map_err(|error| format!("{folder}/layout.h: {error}"))?;
    let table = found.borrow().table();
    let module = module(version);
    Ok(format!(
        "/// Layouts of CPython {version}, from `{folder}`.\n{ALLOW}\npub mod {module} {{\n\
         use super::Entry;\nuse core::mem::offset_of;\n\n{bindings}\n\
         #[doc(hidden)]\npub const TABLE: &[Entry] = {table};\n}}\n\n"
    ))
}

/// The name of a version's module: `v3_14t`.
fn module(version: &str) -> String {
    format!("v{}", version.replace('.', "_"))
}

/// Rust source of the list of all versions.
fn table_of_tables(versions: &[&String]) -> String {
    let mut text = "/// Version and table of every enabled Python.\n#[doc(hidden)]\n\
                    pub const TABLES: &[(&str, &[Entry])] = &[\n"
        .to_owned();
    for version in versions {
        let _ = writeln!(text, "    ({version:?}, {}::TABLE),", module(version));
    }
    text.push_str("];\n");
    text
}

/// The structs of one version and their fields, by name.
#[derive(Debug, Default)]
struct Found {
    structs: BTreeSet<String>,
    fields: BTreeSet<(String, String)>,
}

impl Found {
    /// Rust source of a slice of `Entry`, measured by rustc.
    fn table(&self) -> String {
        let mut text = String::from("&[\n");
        for name in &self.structs {
            let _ = writeln!(text, "    Entry::of_struct::<{name}>({name:?}),");
        }
        for (name, field) in &self.fields {
            let _ = writeln!(
                text,
                "    Entry::of_field({name:?}, {field:?}, offset_of!({name}, {field}), |s: &{name}| &s.{field}),"
            );
        }
        text.push(']');
        text
    }
}

/// Notes what bindgen finds.
#[derive(Debug)]
struct Collector(Rc<RefCell<Found>>);

impl ParseCallbacks for Collector {
    fn new_item_found(
        &self,
        _id: DiscoveredItemId,
        item: DiscoveredItem,
        _location: Option<&SourceLocation>,
    ) {
        if let DiscoveredItem::Struct { final_name, .. } = item {
            self.0.borrow_mut().structs.insert(final_name);
        }
    }

    fn field_visibility(&self, field: FieldInfo<'_>) -> Option<FieldVisibilityKind> {
        self.0
            .borrow_mut()
            .fields
            .insert((field.type_name.to_owned(), field.field_name.to_owned()));
        None
    }
}
