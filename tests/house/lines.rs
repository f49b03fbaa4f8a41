//! The line tables against the interpreters themselves.
//!
//! `tests/targets/line_tables.py` runs under every interpreter of the list. It
//! compiles that interpreter's standard library and some made-up sources, runs a
//! program, and writes the line table of every code object together with what the
//! interpreter itself says about it. Here each table is decoded and compared at
//! every offset. `cargo test --test house lines -- --nocapture` prints the numbers.

use std::collections::HashSet;
use std::fmt;
use std::io::{self, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use pyflame::cpython::read::lines::{
    Entry, LineTable, LocationTable, Ranges, SignedLnotab, UnsignedLnotab,
};

use crate::support::interpreters::{Interpreter, Interpreters};
use crate::support::missing::Missing;

/// The marks of the stream, as in `line_tables.py`.
const MAGIC: i32 = 0x4C49_4E45;
const LIVE: i32 = 2;
const END: i32 = 3;
const NO_LINE: i32 = -1;

/// No table, code or list in the stream is longer than this.
const MOST: usize = 1 << 26;
/// In tables longer than this, only every 64th point is also searched for from the
/// start of the table.
const LONG_TABLE: usize = 1000;
/// How many differences of one interpreter are told in full.
const TOLD: usize = 5;

#[test]
fn every_offset_has_the_line_that_the_interpreter_gives() {
    let Interpreters { here: interpreters, missing, .. } =
        Interpreters::load().unwrap_or_else(|words| panic!("{words}"));
    let jobs = Mutex::new(jobs(&interpreters));
    let reports = Mutex::new(Vec::new());
    let started = Instant::now();
    let work = || {
        loop {
            let job = jobs.lock().expect("a worker panicked").pop();
            let Some(job) = job else { break };
            let report = job.run();
            reports.lock().expect("a worker panicked").push((job, report));
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });

    let mut reports = reports.into_inner().expect("a worker panicked");
    reports.sort_by_key(|(job, _)| job.number);
    let mut failures = Vec::new();
    let mut offsets = 0;
    for (job, report) in &reports {
        match report {
            Ok(report) => {
                println!("{:<18} {:<8} {report}", job.interpreter.label, job.interpreter.version);
                failures.extend(report.failures(job));
                offsets += report.offsets;
            }
            Err(error) => failures.push(format!("{}: {error}", job.interpreter.label)),
        }
    }
    println!("{offsets} offsets in {:.1} s", started.elapsed().as_secs_f64());
    println!("Builds of one version share a standard library; the first compiles it.");
    println!("Not here: {}", missing.iter().map(|m| m.label).collect::<Vec<_>>().join(", "));
    failures.extend(missing.iter().filter_map(Missing::failure));
    assert!(offsets > 0 && reports.len() == interpreters.len(), "some did not run");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// What is to be done with one interpreter.
struct Job<'a> {
    interpreter: &'a Interpreter,
    number: usize,
    /// Whether it compiles its standard library. The first interpreter of a version
    /// does; another build of the same version would give the same tables.
    standard_library: bool,
}

fn jobs(interpreters: &[Interpreter]) -> Vec<Job<'_>> {
    let mut seen = HashSet::new();
    let mut jobs: Vec<_> = (0..)
        .zip(interpreters)
        .map(|(number, interpreter)| {
            let standard_library = seen.insert((&interpreter.version, interpreter.abi));
            Job { interpreter, number, standard_library }
        })
        .collect();
    jobs.reverse(); // They are taken from the end.
    jobs
}

impl Job<'_> {
    fn run(&self) -> io::Result<Report> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/targets/line_tables.py");
        let mut command = Command::new(&self.interpreter.executable);
        command.args(["-E", "-S", "-B", "-W", "ignore", script]);
        if !self.standard_library {
            command.arg("--no-standard-library");
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().expect("stdout is piped");
        let report = self.read(Stream(BufReader::with_capacity(1 << 20, stdout)));
        // With its pipe closed the child ends soon, whatever went wrong.
        let status = child.wait()?;
        match report {
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
            _ if !status.success() => {
                Err(io::Error::other(format!("line_tables.py failed: {status}")))
            }
            report => report,
        }
    }

    fn read<R: Read>(&self, mut stream: Stream<R>) -> io::Result<Report> {
        let started = Instant::now();
        let [magic, version, c_answers] = stream.numbers()?;
        if magic != MAGIC {
            return Err(io::Error::other("not a stream of line tables"));
        }
        let version @ (major, minor) = (version >> 24 & 0xFF, version >> 16 & 0xFF);
        if !self.interpreter.version.starts_with(&format!("{major}.{minor}.")) {
            return Err(io::Error::other(format!("it is version {major}.{minor}")));
        }
        let mut report = match version {
            (2, 7) | (3, 4 | 5) => compare_all::<UnsignedLnotab, _>(&mut stream, 1),
            (3, 6..=9) => compare_all::<SignedLnotab, _>(&mut stream, 2),
            (3, 10) => compare_all::<Ranges, _>(&mut stream, 2),
            (3, 11..=15) => compare_all::<LocationTable, _>(&mut stream, 2),
            _ => Err(io::Error::other("no line table is known for this version")),
        }?;
        report.version = version;
        report.c_answers = c_answers != 0;
        report.time = started.elapsed();
        Ok(report)
    }
}

/// What came out for one interpreter.
#[derive(Default)]
struct Report {
    version: (i32, i32),
    /// Source files of the standard library that compiled, and that did not.
    files: i32,
    bad_files: i32,
    code_objects: i32,
    /// Offsets compared, and those of them that have no line.
    offsets: usize,
    no_line: usize,
    /// Whether `PyCode_Addr2Line` could be asked, and its answers compared.
    c_answers: bool,
    c_points: usize,
    /// Places where frames were seen, and those before the first instruction.
    live_points: usize,
    not_started: usize,
    differences: usize,
    told: Vec<String>,
    time: Duration,
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{:>5} files ({:>2} bad) {:>6} code objects {:>8} offsets ({:>6} no line) \
             {:>6} C answers {:>3} live ({:>2} at -1) {:>4.1} s, {} differences",
            self.files,
            self.bad_files,
            self.code_objects,
            self.offsets,
            self.no_line,
            self.c_points,
            self.live_points,
            self.not_started,
            self.time.as_secs_f64(),
            self.differences,
        )
    }
}

impl Report {
    /// What speaks against the decoder, or shows that too little was compared.
    fn failures(&self, job: &Job) -> Vec<String> {
        let has_no_line = self.version >= (3, 10);
        let has_not_started = self.version <= (3, 10);
        let library = job.standard_library;
        let checks = [
            (self.differences == 0, "the lines differ"),
            (self.files > 400 || !library, "too few files of the standard library"),
            (self.bad_files < 30, "too many files do not compile"),
            (self.offsets > 500_000 || !library, "too few offsets of the standard library"),
            (self.offsets > 5_000, "too few offsets"),
            (!self.c_answers || self.c_points >= self.code_objects as usize, "too few C answers"),
            (self.live_points > 50, "too few places of live frames"),
            ((self.no_line > 0) == has_no_line, "code without a line: too little or too much"),
            ((self.not_started > 0) == has_not_started, "frames at -1: too few or too many"),
        ];
        let failed = checks.into_iter().filter(|(holds, _)| !holds);
        failed
            .map(|(_, what)| format!("{}: {what}: {self}", job.interpreter.label))
            .chain(self.told.iter().map(|told| format!("{}: {told}", job.interpreter.label)))
            .collect()
    }

    fn differ(&mut self, message: impl FnOnce() -> String) {
        self.differences += 1;
        if self.told.len() < TOLD {
            self.told.push(message());
        }
    }
}

/// Compares every code object of the stream; `unit` is the length of the shortest
/// instruction.
fn compare_all<T: LineTable, R: Read>(stream: &mut Stream<R>, unit: i32) -> io::Result<Report> {
    let mut report = Report::default();
    loop {
        let [origin] = stream.numbers()?;
        if origin == END {
            let [files, bad_files, records] = stream.numbers()?;
            if records != report.code_objects {
                return Err(io::Error::other("code objects went missing"));
            }
            (report.files, report.bad_files) = (files, bad_files);
            return Ok(report);
        }
        let code = Code::read(stream)?;
        report.code_objects += 1;
        if origin == LIVE {
            report.live_points += code.points.len();
            report.not_started += code.points.iter().filter(|point| point.0 < 0).count();
        } else {
            report.c_points += code.points.len();
            compare_ranges::<T>(&mut report, &code, unit);
        }
        compare_points::<T>(&mut report, &code);
    }
}

/// Compares every offset of the bytecode with the ranges of the interpreter.
fn compare_ranges<T: LineTable>(report: &mut Report, code: &Code, unit: i32) {
    let mut entries = T::entries(&code.table, code.first_line).fuse();
    let mut entry = entries.next();
    let mut offset = 0;
    for &(start, end, line) in &code.ranges {
        if start != offset {
            report.differ(|| format!("the ranges leave out {offset} to {start}: {code:?}"));
            offset = start;
        }
        while offset < end {
            while entry.is_some_and(|entry| entry.end <= offset) {
                entry = entries.next();
            }
            let found = entry.and_then(|entry| entry.line);
            if found != line {
                report.differ(|| format!("offset {offset}: {found:?}, not {line:?}: {code:?}"));
            }
            report.offsets += 1;
            report.no_line += usize::from(line.is_none());
            offset += unit;
        }
    }
    if offset != code.size {
        report.differ(|| format!("the ranges end at {offset}: {code:?}"));
    }
}

/// Compares single offsets.
fn compare_points<T: LineTable>(report: &mut Report, code: &Code) {
    let entries: Vec<Entry> = T::entries(&code.table, code.first_line).collect();
    for (index, &(offset, line)) in code.points.iter().enumerate() {
        let entry = entries.get(entries.partition_point(|entry| entry.end <= offset));
        let found = match offset {
            0.. => entry.and_then(|entry| entry.line),
            _ => T::line(&code.table, code.first_line, offset),
        };
        if found != line {
            report.differ(|| format!("point {offset}: {found:?}, not {line:?}: {code:?}"));
        }
        if code.table.len() <= LONG_TABLE || index % 64 == 0 {
            let found = T::line(&code.table, code.first_line, offset);
            if found != line {
                report.differ(|| format!("from the start, {offset}: {found:?}: {code:?}"));
            }
        }
    }
}

/// A code object, and what the interpreter says of it.
struct Code {
    first_line: i32,
    /// Length of the bytecode in bytes.
    size: i32,
    table: Vec<u8>,
    ranges: Vec<(i32, i32, Option<i32>)>,
    points: Vec<(i32, Option<i32>)>,
}

impl fmt::Debug for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.table.iter().take(200).collect::<Vec<_>>();
        let Self { first_line, size, .. } = self;
        write!(out, "{size} bytes from line {first_line}, table {table:02x?}")
    }
}

impl Code {
    fn read<R: Read>(stream: &mut Stream<R>) -> io::Result<Self> {
        let [first_line, size, table, ranges, points] = stream.numbers()?;
        let line = |line| (line != NO_LINE).then_some(line);
        Ok(Self {
            first_line,
            size,
            table: stream.bytes(table)?,
            ranges: stream.list(ranges, |[start, end, number]| (start, end, line(number)))?,
            points: stream.list(points, |[offset, number]| (offset, line(number)))?,
        })
    }
}

/// What `line_tables.py` writes.
struct Stream<R>(R);

impl<R: Read> Stream<R> {
    fn numbers<const N: usize>(&mut self) -> io::Result<[i32; N]> {
        let mut numbers = [[0; 4]; N];
        self.0.read_exact(numbers.as_flattened_mut())?;
        Ok(numbers.map(i32::from_ne_bytes))
    }

    fn bytes(&mut self, count: i32) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; checked(count)?];
        self.0.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn list<const N: usize, T>(
        &mut self,
        count: i32,
        item: impl Fn([i32; N]) -> T,
    ) -> io::Result<Vec<T>> {
        (0..checked(count)?).map(|_| self.numbers().map(&item)).collect()
    }
}

/// A length from the stream, if it can be one.
fn checked(count: i32) -> io::Result<usize> {
    usize::try_from(count)
        .ok()
        .filter(|&count| count <= MOST)
        .ok_or_else(|| io::Error::other("the stream of line tables is out of step"))
}
