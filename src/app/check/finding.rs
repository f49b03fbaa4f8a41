//! What `pyflame check` has found: one line for each question, as text or as JSON.

use std::fmt::Write;

use serde::Serialize;

use crate::escape::in_line;

/// What an answer means for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// A run works, but not as well as it could, or the user may want to know.
    Note,
    /// A run fails.
    Fail,
}

/// The answer to one question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was asked, in a word or two.
    pub question: &'static str,
    /// What the answer means.
    pub verdict: Verdict,
    /// The answer.
    pub answer: String,
    /// What can be done, where something can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// All answers about one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Findings {
    /// The process.
    pub pid: i32,
    /// Its command line, where it can be read.
    pub command: String,
    /// The answers, in the order of the questions.
    pub findings: Vec<Finding>,
}

impl Findings {
    /// Nothing yet.
    pub(super) fn new(pid: i32, command: String) -> Self {
        Self { pid, command, findings: Vec::new() }
    }

    /// Adds an answer that is as it should be.
    pub(super) fn ok(&mut self, question: &'static str, answer: impl Into<String>) {
        self.add(question, Verdict::Ok, answer.into(), None);
    }

    /// Adds an answer that the user may want to know.
    pub(super) fn note(
        &mut self,
        question: &'static str,
        answer: impl Into<String>,
        remedy: Option<String>,
    ) {
        self.add(question, Verdict::Note, answer.into(), remedy);
    }

    /// Adds an answer that lets a run fail. `words` are those of the run itself: the first
    /// line says what is wrong, those after it what to do.
    pub(super) fn fail(&mut self, question: &'static str, words: &str) {
        let (answer, remedy) = split(words);
        self.add(question, Verdict::Fail, answer, remedy);
    }

    fn add(
        &mut self,
        question: &'static str,
        verdict: Verdict,
        answer: String,
        remedy: Option<String>,
    ) {
        self.findings.push(Finding { question, verdict, answer, remedy });
    }

    /// Whether a run would fail.
    pub(super) fn has_failed(&self) -> bool {
        self.findings.iter().any(|finding| finding.verdict == Verdict::Fail)
    }

    /// As lines for a person.
    pub(super) fn text(&self) -> String {
        let mut text = format!("Process {}: {}\n", self.pid, in_line(&self.command));
        for Finding { question, verdict, answer, remedy } in &self.findings {
            let mark = match verdict {
                Verdict::Ok => "ok",
                Verdict::Note => "note",
                Verdict::Fail => "FAIL",
            };
            let _ = writeln!(text, "  {mark:<5} {question:<12} {}", in_line(answer));
            for line in remedy.iter().flat_map(|remedy| remedy.lines()) {
                let _ = writeln!(text, "{:21}{}", "", in_line(line));
            }
        }
        text
    }

    /// As one line of JSON.
    pub(super) fn json(&self) -> String {
        #[derive(Serialize)]
        struct Whole<'a> {
            works: bool,
            #[serde(flatten)]
            findings: &'a Findings,
        }
        let whole = Whole { works: !self.has_failed(), findings: self };
        // Nothing in it can fail to be written: text and numbers.
        serde_json::to_string(&whole).unwrap_or_default() + "\n"
    }
}

/// The first line of what a run says, and the rest of it.
pub(super) fn split(words: &str) -> (String, Option<String>) {
    match words.split_once('\n') {
        Some((first, rest)) => (first.trim_end().to_owned(), Some(rest.trim_end().to_owned())),
        None => (words.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> Findings {
        let mut findings = Findings::new(42, "python3 a\x1b.py".to_owned());
        findings.ok("process", "it runs");
        findings.note("engine", "stops", Some("Run as root (sudo).".to_owned()));
        findings
    }

    #[test]
    fn text_has_a_line_for_each_question_and_acts_on_no_terminal() {
        let expected = "Process 42: python3 a\\u{1b}.py\n\
            \x20 ok    process      it runs\n\
            \x20 note  engine       stops\n\
            \x20                    Run as root (sudo).\n";
        assert_eq!(made().text(), expected);
    }

    #[test]
    fn what_a_run_says_is_the_answer_and_the_remedy() {
        let mut findings = made();
        assert!(!findings.has_failed());
        findings.fail("access", "Not permitted\nRun as root.\n");
        assert!(findings.has_failed());
        let last = findings.findings.last().expect("it was added");
        assert_eq!(
            (last.answer.as_str(), last.remedy.as_deref()),
            ("Not permitted", Some("Run as root."))
        );
    }

    #[test]
    fn json_is_one_object() {
        let json: serde_json::Value = serde_json::from_str(&made().json()).expect("JSON");
        assert_eq!((&json["works"], &json["pid"]), (&true.into(), &42.into()));
        assert_eq!(json["findings"][1]["verdict"], "note");
        assert_eq!(json["findings"][0].get("remedy"), None);
    }
}
