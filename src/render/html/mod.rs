//! A report in one file: flame graph, timeline, threads, hottest functions and lines,
//! source, and the account. It needs no network and nothing installed but a browser.
//!
//! The program that shows it is `*.js`, put into `template.html` together with
//! `report.css` and the profile as JSON. [`document`] says what that JSON holds.

mod document;
mod excerpts;
mod json;
mod timeline;

use std::io::{self, Write};

use self::document::Document;
use super::{Format, Settings, title};
use crate::profile::{Detail, Profile};

/// `html`.
pub(crate) const FORMAT: Format = Format {
    name: "html",
    extensions: &["html", "htm"],
    about: "a report to explore in a browser: threads, time, lines, source",
    detail: Detail::Timeline,
    write,
};

const TEMPLATE: &str = include_str!("template.html");
const STYLE: &str = include_str!("report.css");

/// The program, in the order in which its parts need each other.
const SCRIPTS: [&str; 6] = [
    include_str!("profile.js"),
    include_str!("tree.js"),
    include_str!("flamegraph.js"),
    include_str!("timeline.js"),
    include_str!("tables.js"),
    include_str!("report.js"),
];

/// Writes the report.
///
/// # Errors
/// Those of `out`.
pub(crate) fn write(profile: &Profile, settings: &Settings, out: &mut dyn Write) -> io::Result<()> {
    let title = title::title(profile, settings);
    let document = Document::of(profile, &title, settings.sources);
    let mut rest = TEMPLATE;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        out.write_all(before.as_bytes())?;
        match name {
            "title" => write_text(&title, out)?,
            "style" => out.write_all(STYLE.as_bytes())?,
            "profile" => json::write(&document, out)?,
            _ => SCRIPTS.iter().try_for_each(|script| out.write_all(script.as_bytes()))?,
        }
        rest = after;
    }
    out.write_all(rest.as_bytes())
}

/// Text of an element.
fn write_text(text: &str, out: &mut dyn Write) -> io::Result<()> {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    out.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests;
