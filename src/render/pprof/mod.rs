//! pprof's format, a gzipped protobuf: stacks with counts and times, labelled with process,
//! thread and state.
//!
//! It is written part by part: protobuf takes messages that stand one after the other for
//! one, so no more than one sample is ever in memory.

mod message;

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message;

use self::message::{Function, Label, Line, Location, Mapping, Sample, ValueType};
use super::rows::{Row, rows};
use super::{Format, Settings, labels};
use crate::profile::{self, Detail, Process, Profile, Seen, State, Thread};

/// `pprof`.
pub(crate) const FORMAT: Format = Format {
    name: "pprof",
    extensions: &["pb.gz", "pprof"],
    about: "for go tool pprof and what reads its files; labelled with process and thread",
    detail: Detail::Threads,
    write,
};

/// The mapping of all Python code. Each library has one more.
const PYTHON: u64 = 1;

/// Writes the counts of `profile`.
///
/// # Errors
/// Those of `out`.
pub(crate) fn write(profile: &Profile, _: &Settings, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = Writer {
        profile,
        out: GzEncoder::new(out, Compression::default()),
        strings: HashMap::new(),
        functions: HashMap::new(),
        locations: HashSet::new(),
        mappings: HashMap::new(),
    };
    writer.head()?;
    for (thread, stack, state, samples) in profile.stacks_by_thread() {
        let seen = profile::Sample { stack, thread: Some(thread), state };
        let thread = profile.thread(thread);
        let labels = writer.labels(thread, profile.process(thread.process), state)?;
        let time = nanoseconds(profile.about.period());
        writer.sample(Seen::Sample(seen), samples, time, labels)?;
    }
    // Nobody held the GIL then, or it cannot be told.
    let time = if profile.about.every_thread { nanoseconds(profile.about.period()) } else { 0 };
    writer.sample(Seen::Idle, profile.idle(), time, Vec::new())?;
    writer.sample(Seen::Failed, profile.failed(), time, Vec::new())?;
    writer.out.finish()?;
    Ok(())
}

struct Writer<'a> {
    profile: &'a Profile,
    out: GzEncoder<&'a mut dyn Write>,
    /// Positions in the string table.
    strings: HashMap<String, i64>,
    /// Functions that have been written, by name and file.
    functions: HashMap<(i64, i64), u64>,
    /// Locations that have been written.
    locations: HashSet<u64>,
    /// Mappings of libraries that have been written, by path.
    mappings: HashMap<&'a str, u64>,
}

impl Mapping {
    /// One whose names are all known: readers look for no others.
    fn named(id: u64, filename: i64) -> Self {
        Self {
            id,
            filename,
            has_functions: true,
            has_filenames: true,
            has_line_numbers: true,
            ..Self::default()
        }
    }
}

impl<'a> Writer<'a> {
    /// What stands for the whole profile.
    fn head(&mut self) -> io::Result<()> {
        let about = &self.profile.about;
        self.string("")?;
        let clock = if about.every_thread { "wall" } else { "gil" };
        let time = ValueType { kind: self.string(clock)?, unit: self.string("nanoseconds")? };
        let count = ValueType { kind: self.string("samples")?, unit: self.string("count")? };
        let mapping = Mapping::named(PYTHON, self.string("python")?);
        let mut comments = vec![labels::PROGRAM.to_owned()];
        comments.extend(
            self.profile
                .processes()
                .map(|(_, process)| format!("{process}, Python {}", process.python)),
        );
        comments.extend(about.account.lines().map(|line| line.to_string()));
        let comment = comments.iter().map(|text| self.string(text)).collect::<io::Result<_>>()?;
        self.part(&message::Profile {
            sample_type: vec![count, time.clone()],
            mapping: vec![mapping],
            time_nanos: i64::try_from(about.started.saturating_mul(1000)).unwrap_or(i64::MAX),
            duration_nanos: nanoseconds(about.elapsed),
            period_type: Some(time),
            period: nanoseconds(about.period()),
            comment,
            ..message::Profile::default()
        })
    }

    /// One stack, unless it was never seen.
    fn sample(&mut self, seen: Seen, samples: u64, time: i64, label: Vec<Label>) -> io::Result<()> {
        if samples == 0 {
            return Ok(());
        }
        let mut found = Vec::new();
        rows(self.profile, seen, &mut found);
        let locations = found.iter().rev().map(|row| self.location(*row));
        let location_id = locations.collect::<io::Result<_>>()?;
        let samples = i64::try_from(samples).unwrap_or(i64::MAX);
        let value = vec![samples, samples.saturating_mul(time)];
        let sample = vec![Sample { location_id, value, label }];
        self.part(&message::Profile { sample, ..message::Profile::default() })
    }

    /// Whose sample it is.
    fn labels(
        &mut self,
        thread: &Thread,
        process: &Process,
        state: State,
    ) -> io::Result<Vec<Label>> {
        let mut labels = vec![
            self.number("pid", process.pid.into())?,
            self.text("process", &process.to_string())?,
            self.text("thread", &thread.to_string())?,
            // A pointer in most systems. What is none keeps its bits.
            self.number("thread_id", thread.id as i64)?,
            self.text("state", labels::state(process, state))?,
        ];
        if let Some(native_id) = thread.native_id {
            labels.push(self.number("native_id", native_id.into())?);
        }
        Ok(labels)
    }

    fn text(&mut self, key: &str, text: &str) -> io::Result<Label> {
        Ok(Label { key: self.string(key)?, text: self.string(text)?, number: 0 })
    }

    fn number(&mut self, key: &str, number: i64) -> io::Result<Label> {
        Ok(Label { key: self.string(key)?, text: 0, number })
    }

    /// The number of the location that a row shows.
    fn location(&mut self, row: Row) -> io::Result<u64> {
        // Numbers begin with 1.
        let id = row.index(self.profile) as u64 + 1;
        if !self.locations.insert(id) {
            return Ok(id);
        }
        let frame = row.frame(self.profile);
        let name = self.string(row.name(self.profile))?;
        let filename = self.string(frame.map_or("", |frame| &frame.file))?;
        let line = frame.and_then(|frame| labels::line(self.profile, frame)).unwrap_or(0);
        let function_id = self.function(name, filename)?;
        let mapping_id = match frame.filter(|frame| frame.kind.is_native()) {
            Some(frame) => self.library(&frame.file)?,
            None => PYTHON,
        };
        let line = vec![Line { function_id, line: line.into() }];
        let location = vec![Location { id, mapping_id, line }];
        self.part(&message::Profile { location, ..message::Profile::default() })?;
        Ok(id)
    }

    /// The number of the mapping of a library.
    fn library(&mut self, path: &'a str) -> io::Result<u64> {
        if let Some(id) = self.mappings.get(path) {
            return Ok(*id);
        }
        let id = PYTHON + 1 + self.mappings.len() as u64;
        self.mappings.insert(path, id);
        let filename = self.string(if path.is_empty() { "[anonymous]" } else { path })?;
        let build_id = self.profile.modules.build_id(path).unwrap_or_default();
        let build_id = self.string(build_id)?;
        let mapping = vec![Mapping { build_id, ..Mapping::named(id, filename) }];
        self.part(&message::Profile { mapping, ..message::Profile::default() })?;
        Ok(id)
    }

    fn function(&mut self, name: i64, filename: i64) -> io::Result<u64> {
        let next = self.functions.len() as u64 + 1;
        let id = *self.functions.entry((name, filename)).or_insert(next);
        if id == next {
            // With a system name, pprof would take `<module>` for a template of C++, and make
            // one function of all `sort<...>`.
            let function = vec![Function { id, name, filename }];
            self.part(&message::Profile { function, ..message::Profile::default() })?;
        }
        Ok(id)
    }

    /// The position of a text in the string table.
    fn string(&mut self, text: &str) -> io::Result<i64> {
        if let Some(position) = self.strings.get(text) {
            return Ok(*position);
        }
        let position = i64::try_from(self.strings.len()).unwrap_or(i64::MAX);
        self.strings.insert(text.to_owned(), position);
        let string_table = vec![text.to_owned()];
        self.part(&message::Profile { string_table, ..message::Profile::default() })?;
        Ok(position)
    }

    fn part(&mut self, part: &message::Profile) -> io::Result<()> {
        self.out.write_all(&part.encode_to_vec())
    }
}

fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::render::fixture;
    use crate::stack::FrameStyle;

    fn unpacked(bytes: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).expect("it is gzip");
        plain
    }

    fn decoded() -> message::Profile {
        let plain = unpacked(&fixture::written(FORMAT));
        message::Profile::decode(plain.as_slice()).expect("it is protobuf")
    }

    /// Another release of the compressor may find other bytes for the same contents.
    #[test]
    fn golden() {
        let seen = fixture::written(FORMAT);
        let golden = fixture::golden("hostile.pb.gz", &seen);
        assert!(unpacked(&golden) == unpacked(&seen), "hostile.pb.gz is not what is written now");
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let profile = decoded();
        assert_eq!(profile.string_table[0], "");
        let text = |position: i64| &profile.string_table[position as usize];
        for sample in &profile.sample {
            for id in &sample.location_id {
                let location = profile.location.iter().find(|location| location.id == *id);
                let function = location.expect("a location").line[0].function_id;
                let function = profile.function.iter().find(|f| f.id == function);
                text(function.expect("a function").name);
            }
            assert_eq!(sample.value.len(), profile.sample_type.len());
            assert_eq!(sample.value[1], sample.value[0] * profile.period);
        }
        let kinds: Vec<&str> =
            profile.sample_type.iter().map(|kind| text(kind.kind).as_str()).collect();
        assert_eq!(kinds, ["samples", "wall"]);
        let seen = fixture::profile();
        let total: i64 = profile.sample.iter().map(|sample| sample.value[0]).sum();
        assert_eq!(total as usize, seen.timeline().len());
    }

    #[test]
    fn native_functions_lie_in_the_mapping_of_their_library() {
        let plain = unpacked(&fixture::written_of(&fixture::native(), FORMAT));
        let profile = message::Profile::decode(plain.as_slice()).expect("it is protobuf");
        let text = |position: i64| profile.string_table[position as usize].as_str();
        let mappings: Vec<_> =
            profile.mapping.iter().map(|m| (m.id, text(m.filename), text(m.build_id))).collect();
        let build_id = "00112233445566778899aabbccddeeff01234567";
        let expected = [
            (1, "python", ""),
            (2, "/srv/lib/libfoo.so.1", build_id),
            (3, "/usr/bin/python3.11", ""),
            (4, "[anonymous]", ""),
        ];
        assert_eq!(mappings, expected);
        let mut locations = profile.location.clone();
        locations.sort_by_key(|location| location.id);
        let of: Vec<u64> = locations.iter().map(|location| location.mapping_id).collect();
        assert_eq!(of, [1, 2, 1, 3, 4]);
    }

    #[test]
    fn moments_at_which_nobody_held_the_gil_add_no_time_to_it() {
        let mut profile = fixture::profile();
        profile.about.every_thread = false;
        let mut out = Vec::new();
        profile.about.style = FrameStyle::WithoutLines;
        write(&profile, &Settings::default(), &mut out).expect("a Vec takes everything");
        let plain = unpacked(&out);
        let decoded = message::Profile::decode(plain.as_slice()).expect("it is protobuf");
        let words: Vec<&Sample> = decoded.sample.iter().filter(|s| s.label.is_empty()).collect();
        assert_eq!(words.iter().map(|s| s.value[0]).collect::<Vec<_>>(), [2, 1]);
        assert!(words.iter().all(|sample| sample.value[1] == 0));
        assert!(decoded.location.iter().all(|location| location.line[0].line == 0));
    }
}
