//! Every format, written of a live process: a file whose name asks for the format, in
//! which the process, its thread and its functions are found again. What the formats mean
//! to other programs is tested by `make formats-test`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use crate::support::binaries::{Binaries, is_built};
use crate::support::features::{Feature, Shows, stands};
use crate::support::interpreters::{Interpreter, Interpreters};
use crate::support::profiler::{Folded, Frame, Profile, attach};
use crate::support::runner::Trial;
use crate::support::shape::Shape;
use crate::support::target::{Target, new_file};
use crate::support::{Context, Outcome, expect};
use pyflame::profile::Detail;
use pyflame::profile::recording::Reader;
use pyflame::render::{FORMATS, Format, Settings, json_lines, recording};

/// What a test gets to work with.
struct Case {
    interpreter: Interpreter,
    profiler: PathBuf,
}

/// A file of one format.
struct Written {
    format: Format,
    contents: Vec<u8>,
    pid: u32,
}

/// How a format is checked beyond that it names the functions.
type Check = fn(&Written) -> Outcome<String>;

/// Formats that have such a check.
const CHECKS: [(&str, Check); 6] = [
    ("speedscope", speedscope),
    ("pprof", |_| Ok(String::new())),
    ("firefox", firefox),
    ("cpuprofile", cpuprofile),
    ("trace-event", trace_event),
    ("jsonl", json_lines),
];

/// What docs/ABIS.md has from here.
pub(crate) const SHOWS: Shows = &[(Feature::Formats, "formats")];

/// What is written depends on names, lines and the kind of frames, not on each ABI.
const VERSIONS: [&str; 4] = ["2.7", "3.6", "3.11", "3.15"];

pub(crate) fn trials(interpreters: Interpreters, binaries: Arc<Binaries>) -> Vec<Trial> {
    let is_chosen = |i: &&Interpreter| stands(&VERSIONS, i.abi) && is_built(i.abi);
    let built = interpreters.one_per_abi().into_iter().filter(is_chosen);
    let trial = |interpreter: &Interpreter| {
        let profiler = binaries.profiler(interpreter.abi);
        let case = Case { interpreter: interpreter.clone(), profiler };
        Trial::new(format!("{} formats", interpreter.label), move || formats(&case))
    };
    built.map(trial).collect()
}

fn formats(case: &Case) -> Outcome<String> {
    let target = Target::start(&case.interpreter, "busy.py", &[])?;
    target.expect("ready")?;
    let mut words = Vec::new();
    for format in FORMATS {
        let said = write(case, &target, *format).and_then(|written| check(&written));
        let said = said.context(|| format.name.to_owned())?;
        words.push(format!("{} {said}", format.name).trim_end().to_owned());
    }
    Ok(words.join(", "))
}

/// Samples the target into a file that ends as files of the format do.
fn write(case: &Case, target: &Target, format: Format) -> Outcome<Written> {
    let mut file = new_file("formats").into_os_string();
    let ending = format.extensions.first().context(|| "no ending".into())?;
    file.push(format!(".{ending}"));
    let path = file.to_str().context(|| "a name".into())?;
    let options = ["-s", "0.5", "-r", "0.001", "--threads", "-o", path];
    let output = attach(&case.profiler, target.pid(), &options)?.clean()?;
    expect(output.is_empty(), || "something is on stdout".into())?;
    let contents = fs::read(path).context(|| path.to_owned())?;
    // Whatever is left in the build folder does no harm.
    let _ = fs::remove_file(path);
    Ok(Written { format, contents, pid: target.pid() })
}

fn check(written: &Written) -> Outcome<String> {
    let plain = unpack(written)?;
    let text = String::from_utf8_lossy(&plain);
    for word in ["busy.py", "module", "often", "middle", "leaf"] {
        expect(text.contains(word), || format!("there is no {word} in it"))?;
    }
    let check = CHECKS.iter().find(|(name, _)| *name == written.format.name);
    check.map_or(Ok(String::new()), |(_, check)| check(written))
}

/// What is in a file that is packed; a recording as JSON lines.
fn unpack(written: &Written) -> Outcome<Vec<u8>> {
    let mut plain = Vec::new();
    if written.format == recording::FORMAT {
        let mut profile = pyflame::profile::Profile::new(Detail::Timeline);
        let mut reader = Reader::new(&*written.contents).context(|| "no recording".into())?;
        reader.read_all(&mut profile).context(|| "a recording that breaks off".into())?;
        profile.about = reader.about();
        let settings = Settings::default();
        (json_lines::FORMAT.write)(&profile, &settings, &mut plain)
            .context(|| "JSON lines".into())?;
    } else if flate2::read::GzDecoder::new(&*written.contents).read_to_end(&mut plain).is_err() {
        plain.clone_from(&written.contents);
    }
    Ok(plain)
}

fn parse(text: &[u8]) -> Outcome<Value> {
    serde_json::from_slice(text).context(|| "it is not JSON".into())
}

fn array<'a>(value: &'a Value, name: &str) -> Outcome<&'a Vec<Value>> {
    value[name].as_array().context(|| format!("{name} is not an array"))
}

/// The account of a run that went well.
fn expect_account(account: &Value) -> Outcome<u64> {
    let samples = account["samples"].as_u64().context(|| "no count of samples".into())?;
    expect(samples >= 20, || format!("{samples} samples in 500 ticks"))?;
    Ok(samples)
}

fn speedscope(written: &Written) -> Outcome<String> {
    let document = parse(&written.contents)?;
    let samples = expect_account(&document["pyflame"]["account"])?;
    let frames = array(&document["shared"], "frames")?.len() as u64;
    let (mut seen, mut time) = (0, 0);
    for thread in array(&document, "profiles")? {
        let stacks = array(thread, "samples")?;
        for (stack, weight) in stacks.iter().zip(array(thread, "weights")?) {
            let stack = stack.as_array().context(|| "a stack".into())?;
            expect(stack.iter().all(|frame| frame.as_u64() < Some(frames)), || {
                format!("a frame of {frames} in {stack:?}")
            })?;
            time += weight.as_u64().context(|| format!("{weight} is no length"))?;
            seen += u64::from(!stack.is_empty());
        }
    }
    expect(seen >= samples, || format!("{seen} stacks of {samples} samples"))?;
    expect((150_000..1_500_000).contains(&time), || format!("{time} us in half a second"))?;
    Ok(format!("{seen} samples"))
}

fn firefox(written: &Written) -> Outcome<String> {
    let document = parse(&written.contents)?;
    let pid = written.pid.to_string();
    let threads = array(&document, "threads")?;
    let mains: Vec<&Value> = threads.iter().filter(|t| t["isMainThread"] == true).collect();
    expect(mains.len() == 1 && mains[0]["pid"] == pid.as_str(), || {
        format!("main threads of {pid}: {mains:?}")
    })?;
    let length = mains[0]["samples"]["length"].as_u64();
    expect(length >= Some(20), || format!("{length:?} samples in 500 ticks"))?;
    Ok(String::new())
}

fn cpuprofile(written: &Written) -> Outcome<String> {
    let document = parse(&written.contents)?;
    expect_account(&document["pyflame"]["account"])?;
    let nodes = array(&document, "nodes")?.len() as u64;
    let samples = array(&document, "samples")?;
    expect(samples.iter().all(|node| (Some(1)..=Some(nodes)).contains(&node.as_u64())), || {
        format!("a sample is none of {nodes} nodes")
    })?;
    Ok(format!("{nodes} nodes"))
}

fn trace_event(written: &Written) -> Outcome<String> {
    let document = parse(&written.contents)?;
    expect_account(&document["otherData"]["account"])?;
    let mut open: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut calls = 0;
    for event in array(&document, "traceEvents")? {
        expect(event["pid"] == written.pid, || format!("not of {}: {event}", written.pid))?;
        let name = event["name"].as_str().context(|| format!("no name: {event}"))?;
        let track = open.entry(event["tid"].to_string()).or_default();
        match event["ph"].as_str() {
            Some("B") => track.push(name),
            Some("E") => {
                expect(track.pop() == Some(name), || format!("did not begin: {event}"))?;
                calls += 1;
            }
            _ => {}
        }
    }
    expect(open.values().all(Vec::is_empty), || "not everything ends".into())?;
    Ok(format!("{calls} calls"))
}

/// Every stack is one that the program can have.
fn json_lines(written: &Written) -> Outcome<String> {
    let lines: Outcome<Vec<Value>> =
        written.contents.split_inclusive(|b| *b == b'\n').map(parse).collect();
    let lines = lines?;
    let [run, samples @ .., end] = lines.as_slice() else { return Err("too few lines".into()) };
    let process = &run["processes"][0];
    let command = process["command"].as_str().unwrap_or_default();
    let python = process["python"].as_str().unwrap_or_default();
    expect(command.contains("busy.py") && !python.is_empty(), || format!("run: {run}"))?;
    expect_account(&end["account"])?;
    let mut profile = Profile::default();
    for sample in samples.iter().filter(|line| line["type"] == "sample") {
        expect(sample["pid"] == written.pid, || format!("not of {}: {sample}", written.pid))?;
        let frames: Outcome<Vec<Frame>> = array(sample, "frames")?.iter().map(frame).collect();
        profile.stacks.push(Folded { frames: frames?, count: 1 });
    }
    expect(end["samples"] == profile.total(), || format!("{} lines, {end}", profile.total()))?;
    Shape::of("busy.py")?.check(&profile)?;
    Ok(format!("{} samples of Python {python}", profile.total()))
}

fn frame(value: &Value) -> Outcome<Frame> {
    let bad = || format!("not a frame: {value}");
    let text = |name: &str| value[name].as_str().map(str::to_owned).context(bad);
    let line = value["line"].as_u64().and_then(|line| u32::try_from(line).ok());
    Ok(Frame { file: text("file")?, function: text("function")?, line })
}
