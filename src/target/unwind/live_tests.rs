//! Unwinding of programs that the C compiler of this system makes, while they stand still.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::ptrace;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use super::*;
use crate::cpython::memory::Memory;
use crate::target::live::Process;

/// How often f, g and h call each other.
const ROUNDS: usize = 20;

const CALLS: &str = r"
    #include <unistd.h>
    #define OWN __attribute__((noinline, noclone)) int
    OWN f(int); OWN g(int); OWN h(int);
    OWN f(int n) { char text[40]; __asm__ volatile ('' : : 'r'(text) : 'memory'); return g(n) + 1; }
    OWN g(int n) { int result = h(n); __asm__ volatile ('' : : : 'memory'); return result * 3; }
    OWN h(int n) {
        if (n > 1) return f(n - 1) + 2;
        if (write(1, 'x', 1) != 1) return 0;
        for (;;) pause();
    }
";
const MAIN: &str = r"
    #include <stdlib.h>
    int f(int);
    int main(int count, char **words) { return f(atoi(words[count - 1])) + 1; }
";

/// A folder that goes away with its owner.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("pyflame-{}-unwind-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let status = Command::new(program).args(arguments).current_dir(&self.0).status();
        assert!(status.expect("it is installed").success(), "{program} {arguments:?}");
    }

    /// Compiles a source; addresses are those of the file if it is a program.
    fn compile(&self, name: &str, source: &str, arguments: &[&str]) {
        let file = format!("{name}.c");
        fs::write(self.0.join(&file), source.replace('\'', "\"")).expect("a source");
        let always = ["-O2", "-fomit-frame-pointer", "-o", name, &file];
        self.run("cc", &[&always, arguments].concat());
    }

    /// A program all in one file.
    fn program(&self, arguments: &[&str]) {
        self.compile("program", &format!("{CALLS}{MAIN}"), &[&["-no-pie"], arguments].concat());
    }

    /// A program with a library for the calls, which has no unwind tables but what is asked for.
    fn program_with_library(&self, arguments: &[&str]) {
        let library = [
            "-shared",
            "-fPIC",
            "-nostdlib",
            "-fno-plt",
            "-fno-asynchronous-unwind-tables",
            "-fno-unwind-tables",
            "-Wl,--no-eh-frame-hdr",
            "-Wl,--no-ld-generated-unwind-info",
        ];
        self.compile("libcalls.so", CALLS, &[&library[..], arguments].concat());
        self.compile("program", MAIN, &["-no-pie", "-L.", "-lcalls", "-Wl,-rpath,$ORIGIN"]);
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A program that waits in `h`, and stands still.
struct Waiting(Child);

impl Waiting {
    fn start(program: &Path) -> Self {
        let mut command = Command::new(program);
        let mut child =
            command.arg(ROUNDS.to_string()).stdout(Stdio::piped()).spawn().expect("it runs");
        child.stdout.as_mut().expect("a pipe").read_exact(&mut [0]).expect("it waits");
        let pid = Pid::from_raw(child.id() as i32);
        ptrace::attach(pid).expect("it is ours");
        waitpid(pid, None).expect("it stops");
        Self(child)
    }

    fn process(&self) -> Process {
        Process::open(self.0.id() as i32).expect("it lives")
    }

    #[cfg(target_arch = "x86_64")]
    fn registers(&self) -> Registers {
        let all = ptrace::getregs(Pid::from_raw(self.0.id() as i32)).expect("it stands still");
        Registers { ip: all.rip, sp: all.rsp, bp: all.rbp, lr: 0 }
    }

    #[cfg(target_arch = "aarch64")]
    fn registers(&self) -> Registers {
        let pid = Pid::from_raw(self.0.id() as i32);
        let all = ptrace::getregset::<ptrace::regset::NT_PRSTATUS>(pid).expect("it stands still");
        Registers { ip: all.pc, sp: all.sp, bp: all.regs[29], lr: all.regs[30] }
    }

    /// Its stack, from the stack pointer on, up to `length` bytes.
    fn stack(&self, length: u64) -> Vec<u8> {
        let maps = self.process().maps().expect("it lives");
        let text = fs::read_to_string(format!("/proc/{}/maps", self.0.id())).expect("it lives");
        assert!(!maps.files().is_empty());
        let line = text.lines().find(|line| line.ends_with("[stack]")).expect("a stack");
        let end = line.split(['-', ' ']).nth(1).expect("an end");
        let end = u64::from_str_radix(end, 16).expect("a number");
        let start = self.registers().sp;
        let length = length.min(end - start) as usize;
        self.process().memory().read_bytes(start, length).expect("it is mapped")
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What was found of a program.
struct Found {
    frames: Vec<NativeFrame>,
    names: Vec<NativeName>,
    end: UnwindEnd,
}

fn unwind(program: &Path) -> Found {
    let waiting = Waiting::start(program);
    let mut unwinder = Unwinder::new();
    unwinder.learn(&waiting.process()).expect("it lives");
    let bytes = waiting.stack(1 << 20);
    let registers = waiting.registers();
    let stack = StackCopy { start: registers.sp, bytes: &bytes };
    let mut frames = Vec::new();
    let end = unwinder.unwind(registers, &stack, &mut frames);
    for (callee, caller) in frames.iter().zip(frames.iter().skip(1)) {
        assert_eq!(callee.end, caller.start, "frames lie one behind the other");
    }
    // What was learnt gives the same.
    let mut again = Vec::new();
    assert_eq!((unwinder.unwind(registers, &stack, &mut again), &again), (end, &frames));
    let names = frames.iter().map(|frame| unwinder.name(frame.address)).collect();
    Found { frames, names, end }
}

impl Found {
    /// The functions from the innermost `h` on; before it are those of the C library that waits.
    fn functions(&self) -> Vec<&str> {
        let own = |name: &&NativeName| !name.module.contains("libc.so");
        let from = self.names.iter().position(|name| own(&name)).expect("it waits in h");
        self.names[from..].iter().map(|name| &*name.function).collect()
    }

    fn expect_calls(&self) {
        let mut expected = ["h", "g", "f"].repeat(ROUNDS);
        expected.push("main");
        assert_eq!(self.functions()[..expected.len()], expected[..], "{:?}", self.end);
    }

    fn expect_whole(&self) {
        self.expect_calls();
        assert_eq!((self.end, self.functions().last()), (UnwindEnd::Root, Some(&"_start")));
        assert_eq!(self.frames.last().map(|frame| frame.end), Some(u64::MAX));
    }
}

#[test]
fn frames_without_frame_pointers_are_found_by_the_tables() {
    let folder = Folder::new("tables");
    folder.program(&[]);
    unwind(&folder.0.join("program")).expect_whole();
}

#[test]
fn tables_without_a_header_do_as_well() {
    let folder = Folder::new("no-header");
    folder.program(&["-Wl,--no-eh-frame-hdr"]);
    unwind(&folder.0.join("program")).expect_whole();
}

#[test]
fn functions_without_names_are_told_by_where_they_begin() {
    let folder = Folder::new("stripped");
    folder.program(&[]);
    let named = unwind(&folder.0.join("program"));
    folder.run("strip", &["program"]);
    let stripped = unwind(&folder.0.join("program"));
    let own = |found: &Found| {
        let names = found.names.iter().filter(|name| name.module.ends_with("/program"));
        names.map(|name| name.start).collect::<Vec<u64>>()
    };
    assert_eq!(own(&named), own(&stripped));
    assert_eq!(own(&named).len(), ROUNDS * 3 + 2);
    for name in stripped.names.iter().filter(|name| name.module.ends_with("/program")) {
        assert_eq!(*name.function, *format!("{:#x}", name.start));
    }
}

#[test]
fn names_are_found_in_the_file_that_they_were_put_into() {
    let folder = Folder::new("debug-link");
    for build_id in ["-Wl,--build-id=sha1", "-Wl,--build-id=none"] {
        folder.program(&[build_id]);
        folder.run("objcopy", &["--only-keep-debug", "program", "other.debug"]);
        folder.run("strip", &["program"]);
        folder.run("objcopy", &["--add-gnu-debuglink=other.debug", "program"]);
        unwind(&folder.0.join("program")).expect_whole();
        // Another file of that name is not believed.
        folder.compile("other.debug", &format!("{CALLS}{MAIN}\nint one_more;"), &["-no-pie"]);
        assert!(unwind(&folder.0.join("program")).functions()[0].starts_with("0x"));
    }
}

#[test]
fn names_are_found_where_they_are_packed() {
    let folder = Folder::new("packed");
    folder.program(&[]);
    folder.run("objcopy", &["--only-keep-debug", "program", "symbols"]);
    folder.run("strip", &["program"]);
    folder.run("xz", &["symbols"]);
    folder.run("objcopy", &["--add-section", ".gnu_debugdata=symbols.xz", "program"]);
    unwind(&folder.0.join("program")).expect_whole();
}

#[test]
fn tables_for_debuggers_do_as_well() {
    let folder = Folder::new("debug-frame");
    folder.program_with_library(&["-g"]);
    unwind(&folder.0.join("program")).expect_whole();
}

#[test]
fn frame_pointers_are_followed_where_there_is_no_table() {
    let folder = Folder::new("frame-pointers");
    folder.program_with_library(&["-fno-omit-frame-pointer"]);
    unwind(&folder.0.join("program")).expect_whole();
}

#[test]
fn nothing_is_guessed_where_tables_leave_code_out() {
    let folder = Folder::new("left-out");
    folder.program(&["-fno-asynchronous-unwind-tables", "-fno-unwind-tables"]);
    let found = unwind(&folder.0.join("program"));
    assert_eq!((found.functions(), found.end), (vec!["h"], UnwindEnd::Unknown));
}

#[test]
fn it_is_told_how_much_of_a_stack_is_missing() {
    let folder = Folder::new("cut");
    folder.program(&[]);
    let waiting = Waiting::start(&folder.0.join("program"));
    let mut unwinder = Unwinder::new();
    unwinder.learn(&waiting.process()).expect("it lives");
    let registers = waiting.registers();
    let (mut length, mut counts) = (64, Vec::new());
    let mut frames = Vec::new();
    loop {
        let bytes = waiting.stack(length);
        let stack = StackCopy { start: registers.sp, bytes: &bytes };
        match unwinder.unwind(registers, &stack, &mut frames) {
            UnwindEnd::Cut(needed) => {
                assert!(needed > length, "{needed} bytes are more than {length}");
                length = needed;
            }
            end => {
                assert_eq!(end, UnwindEnd::Root);
                break;
            }
        }
        counts.push(frames.len());
    }
    assert!(counts.len() > 10 && counts.is_sorted(), "{counts:?}");
    assert!(frames.len() > ROUNDS * 3);
}

#[test]
fn modules_are_known_again() {
    let folder = Folder::new("again");
    folder.program(&[]);
    let (first, second) =
        (Waiting::start(&folder.0.join("program")), Waiting::start(&folder.0.join("program")));
    let mut unwinder = Unwinder::new();
    let mut look = |waiting: &Waiting| {
        unwinder.learn(&waiting.process()).expect("it lives");
        let main = unwinder.module_of(waiting.registers().ip).expect("the C library");
        let module = unwinder.module(main).clone();
        let ip = waiting.registers().ip;
        assert!(module.ranges.iter().any(|range| range.contains(&ip)));
        let start = unwinder.function_start(ip).expect("it has tables");
        assert!(start <= ip && unwinder.name(ip).start <= ip);
        let pause = unwinder.symbol(main, "pause").expect("it is exported");
        assert_eq!(*unwinder.name(pause.start).function, *"pause");
        (main, module.path, module.build_id)
    };
    let found = look(&first);
    assert!(found.2.as_ref().is_some_and(|id| id.len() == 40));
    assert_eq!(look(&second), found);
    assert_eq!(look(&first), found);
}

#[test]
fn a_file_without_a_build_id_is_one_module() {
    let folder = Folder::new("no-build-id");
    folder.program(&["-Wl,--build-id=none"]);
    let (first, second) =
        (Waiting::start(&folder.0.join("program")), Waiting::start(&folder.0.join("program")));
    let mut unwinder = Unwinder::new();
    let mut main = |waiting: &Waiting| {
        let process = waiting.process();
        unwinder.learn(&process).expect("it lives");
        let files = process.maps().expect("it lives").files();
        let program = files.iter().find(|file| process.is_executable(file)).expect("a program");
        let code = program.segments.iter().find(|segment| segment.permissions.execute);
        unwinder.module_of(code.expect("code").range.start).expect("it is a module")
    };
    let found = main(&first);
    assert_eq!((main(&second), main(&first)), (found, found));
    assert_eq!(unwinder.module(found).build_id, None);
}

#[test]
fn the_library_of_the_kernel_is_read_out_of_memory() {
    let folder = Folder::new("vdso");
    folder.program(&[]);
    let waiting = Waiting::start(&folder.0.join("program"));
    let mut unwinder = Unwinder::new();
    unwinder.learn(&waiting.process()).expect("it lives");
    let code = waiting.process().maps().expect("it lives").other_code();
    let vdso = code.iter().find(|code| code.is_vdso).expect("the kernel maps one");
    let module = unwinder.module_of(vdso.range.start).expect("it is a module");
    assert_eq!(*unwinder.module(module).path, *"[vdso]");
    let name =
        if cfg!(target_arch = "x86_64") { "__vdso_gettimeofday" } else { "__kernel_gettimeofday" };
    let function = unwinder.symbol(module, name).expect("it is exported");
    assert!(vdso.range.contains(&function.start));
    assert_eq!(unwinder.function_start(function.start), Some(function.start));
    assert!(unwinder.name(function.start).function.ends_with("gettimeofday"));
}
