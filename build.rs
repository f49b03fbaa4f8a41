//! Translates the layout headers of every enabled Python version into Rust.
//!
//! For feature `py36`, `headers/cpython-3.6/layout.h` becomes `cpython_3_6.rs`
//! in `OUT_DIR`: structs, and assertions that rustc lays them out as clang does.
//! `cpython_3_6_table.rs` beside it lists every struct and field for the tests.
//! The headers of a version that is not enabled are not looked at.
//!
//! For feature `kernel`, clang compiles the program that the kernel runs.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::env;
use std::fmt::Write;
use std::fs;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::rc::Rc;

use bindgen::callbacks::{
    DiscoveredItem, DiscoveredItemId, FieldInfo, ParseCallbacks, SourceLocation,
};
use bindgen::{FieldVisibilityKind, RustEdition, RustTarget};

/// Every version that has headers. Version 3.6 is enabled by feature `py36`.
const VERSIONS: [&str; 17] = [
    "2.7", "2.7d", "3.4", "3.5", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13",
    "3.13t", "3.14", "3.14t", "3.15", "3.15t",
];

/// What the kernel runs for `--engine kernel`, and the clang that compiles it.
const KERNEL_PROGRAM: &str = "src/sampler/interrupt/program.c";
const CLANG_VARIABLE: &str = "PYFLAME_CLANG";

/// Structs made of bit-fields. bindgen would give them accessors with unsafe
/// code; only their place and size are wanted.
const BIT_FIELDS: &str = "_PyUnicodeObject_state|PyThreadState_status";

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
    if has_kernel && VERSIONS.into_iter().all(is_enabled) {
        println!("cargo::rustc-cfg=complete");
    }
    let enabled: Vec<&str> = VERSIONS.into_iter().filter(|v| is_enabled(v)).collect();
    if enabled.is_empty() {
        return Ok(());
    }
    require_libclang()?;
    for version in enabled {
        translate(version, &out)?;
    }
    Ok(())
}

fn is_enabled(version: &str) -> bool {
    let feature = version.replace('.', "").to_uppercase();
    env::var_os(format!("CARGO_FEATURE_PY{feature}")).is_some()
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

fn translate(version: &str, out: &Path) -> Result<(), String> {
    let folder = format!("headers/cpython-{version}");
    println!("cargo::rerun-if-changed={folder}");
    // The headers of a build with other flags are those of its version, and what differs.
    let plain = folder.trim_end_matches(|letter: char| letter.is_ascii_lowercase());
    println!("cargo::rerun-if-changed={plain}");
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
    let stem = format!("cpython_{}", version.replace('.', "_"));
    save(&out.join(format!("{stem}.rs")), &bindings.to_string())?;
    save(&out.join(format!("{stem}_table.rs")), &found.borrow().table())
}

fn save(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
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
        text.push_str("]\n");
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
