//! What can be done with a result: the last line of a run on a terminal.

use std::path::Path;

use super::Format;

/// Says that `path` has been written, and how to look at it.
#[must_use]
pub fn next_step(format: Format, path: &Path) -> String {
    let file = path.display();
    let step = match format.name {
        "folded" => format!("Draw it: flamegraph.pl {file} > flame.svg, or open it in speedscope"),
        "svg" | "icicle" | "svg-chart" | "html" => "Open it in a browser".to_owned(),
        "speedscope" => "Open it at https://www.speedscope.app".to_owned(),
        "pprof" => format!("Look at it: go tool pprof -http=: {file}"),
        "firefox" => "Open it at https://profiler.firefox.com".to_owned(),
        "cpuprofile" => "Open it in the Performance panel of Chrome's DevTools".to_owned(),
        "trace-event" => "Open it at https://ui.perfetto.dev".to_owned(),
        "recording" => format!("Render it: pyflame report {file} -o flame.svg"),
        _ => return format!("Wrote {file}."),
    };
    format!("Wrote {file}. {step}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_named_with_its_next_step() {
        let words = next_step(Format::default(), Path::new("out.folded"));
        assert!(
            words.starts_with("Wrote out.folded. Draw it: flamegraph.pl out.folded"),
            "{words}"
        );
    }
}
