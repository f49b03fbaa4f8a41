//! The source of a program for its report, as the process itself would find it.

use std::time::SystemTime;

use crate::render;
use crate::target::live::source::Sources;

/// The sources of a process, by its id and command line.
#[must_use]
pub fn sources_of(pid: i32, command: &str) -> Box<dyn render::Sources> {
    Box::new(Sources::of(pid, command))
}

impl render::Sources for Sources {
    fn started(&self) -> Option<SystemTime> {
        Self::started(self)
    }

    fn read(&self, name: &str) -> Option<render::SourceText> {
        let (text, modified) = Self::read(self, name)?;
        Some(render::SourceText { text, modified })
    }
}
