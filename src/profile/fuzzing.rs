//! Recordings that come from elsewhere.

use super::filter::FrameFilter;
use super::recording::{self, Reader, Writer};
use super::{Detail, Profile};
use crate::stack::FrameStyle;

/// A file that may be a recording.
pub fn recording(bytes: &[u8]) {
    if let Some(profile) = read(bytes) {
        come_back(profile);
    }
    // What a profiler hands over to the next holds samples without times, too.
    let Ok(reader) = Reader::new(bytes) else { return };
    let mut profile = Profile::new(Detail::Stacks);
    assert!(reader.with_counts().read_all(&mut profile).is_ok());
    let filter = FrameFilter { style: FrameStyle::FileOnly, ..FrameFilter::default() };
    let _ = filter.apply(profile);
}

/// What a block of a recording holds, as if it were whole: the first byte is the format's version.
pub fn recording_content(bytes: &[u8]) {
    let Some((version, content)) = bytes.split_first() else { return };
    if let Some(bytes) = recording::of_content(2 + version % 2, content) {
        recording(&bytes);
    }
}

/// What is whole of a recording; `None` if it is none. What cannot be read is the end, no error.
fn read(bytes: &[u8]) -> Option<Profile> {
    let mut profile = Profile::new(Detail::Timeline);
    let mut reader = Reader::new(bytes).ok()?;
    assert!(reader.read_all(&mut profile).is_ok());
    let _ = reader.ending().complaint();
    profile.about = reader.about();
    Some(profile)
}

/// Whatever was read can be written, and is the same when it is read again.
fn come_back(mut profile: Profile) {
    profile.sort_timeline();
    let mut bytes = Vec::new();
    let written = Writer::new(&mut bytes).and_then(|mut writer| writer.finish(&profile));
    assert!(written.is_ok());
    let again = read(&bytes);
    assert!(again.is_some_and(|mut again| {
        again.sort_timeline();
        samples(&again) == samples(&profile)
            && again.timeline().len() == profile.timeline().len()
            && again.about.account == profile.about.account
    }));
}

fn samples(profile: &Profile) -> u64 {
    profile.stacks().map(|(_, count)| count).fold(0, u64::wrapping_add)
}
