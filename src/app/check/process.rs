//! What can be told of a process before anything is known of its Python: whether it is there,
//! where it lives, and whether it may be read.

use std::path::Path;
use std::time::Duration;

use nix::unistd::geteuid;

use super::finding::Findings;
use crate::app::sandbox::borrowed;
use crate::target::live::security::{self, Capabilities};
use crate::target::live::{self, OpenError, Process};

/// The most names that are listed in one answer.
const MOST_NAMES: usize = 5;

/// Answers what there is to ask of the process. `None` if it cannot be read.
pub(super) fn look(pid: i32, findings: &mut Findings) -> Option<Process> {
    let process = match Process::open(pid) {
        Ok(process) => process,
        Err(error) => {
            if let OpenError::Denied { .. } = error {
                findings.ok("process", owner(pid));
                settings(findings);
                let hint = if borrowed::are_left() { borrowed::HINT } else { "" };
                findings.fail("access", &format!("{error}\n{hint}"));
            } else {
                findings.fail("process", &error.to_string());
            }
            return None;
        }
    };
    findings.ok("process", format!("{}{}", owner(pid), since(process.age())));
    executable(&process, findings);
    namespaces(pid, findings);
    settings(findings);
    findings.ok("access", access(pid));
    tracer(pid, findings);
    Some(process)
}

fn owner(pid: i32) -> String {
    let user = security::user(pid).map_or("it is there".to_owned(), |user| {
        if user == geteuid().as_raw() {
            "of this user".to_owned()
        } else {
            format!("of user {user}")
        }
    });
    let label = security::label(pid).map(|label| format!(", {label}")).unwrap_or_default();
    format!("{user}{label}")
}

fn since(age: Option<Duration>) -> String {
    let seconds = age.map(|age| Duration::from_secs(age.as_secs()));
    seconds.map_or_else(String::new, |age| {
        format!(", started {} ago", humantime::format_duration(age))
    })
}

/// What it executes, and which of the files that it has loaded are there no more.
fn executable(process: &Process, findings: &mut Findings) {
    findings.ok("executable", process.executable().display().to_string());
    let files = process.maps().map(|maps| maps.files()).unwrap_or_default();
    let mut replaced: Vec<_> =
        files.iter().filter(|file| file.deleted && file.is_executable()).collect();
    replaced.dedup_by(|one, other| one.path == other.path);
    if replaced.is_empty() {
        return;
    }
    let names: Vec<_> = replaced.iter().take(MOST_NAMES).map(|file| base(&file.path)).collect();
    let more = if replaced.len() > MOST_NAMES { ", …" } else { "" };
    findings.note(
        "files",
        format!("{} replaced since they were loaded: {}{more}", replaced.len(), names.join(", ")),
        Some("The process is read as it was loaded. It runs the new files after a restart.".into()),
    );
}

fn base(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn namespaces(pid: i32, findings: &mut Findings) {
    match security::other_namespaces(pid) {
        Some(others) if others.is_empty() => findings.ok("namespaces", "those of this program"),
        Some(others) => findings.ok(
            "namespaces",
            format!("others than those of this program: {} (a container)", others.join(", ")),
        ),
        None => findings.note("namespaces", "cannot be told", None),
    }
}

/// What this kernel's settings are: for who has to change them.
fn settings(findings: &mut Findings) {
    let settings = security::settings();
    let words: Vec<_> =
        settings.iter().map(|setting| format!("{} {}", setting.name, setting.value)).collect();
    let words =
        if words.is_empty() { "nothing is restricted".to_owned() } else { words.join(", ") };
    findings.ok("settings", words);
}

fn access(pid: i32) -> String {
    let names = Capabilities::own().names();
    let by = match (names.is_empty(), security::user(pid)) {
        (false, _) => format!("this program has {}", names.join(", ")),
        (true, Some(user)) if user == geteuid().as_raw() => "it is of the same user".to_owned(),
        (true, _) => "the kernel allows it".to_owned(),
    };
    format!("its memory may be read: {by}")
}

fn tracer(pid: i32, findings: &mut Findings) {
    match live::traced_by(pid) {
        None => findings.ok("stops", "nobody else traces the process"),
        Some(words) => findings.note(
            "stops",
            words,
            Some("--engine kernel and --pause never need no stop.".into()),
        ),
    }
}
