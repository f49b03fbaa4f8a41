//! Small C programs that print what a C compiler makes of a struct.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What one line of a probe measures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Question {
    /// Size of a C type.
    Size { c_type: String },
    /// Offset and size of a field.
    Field { c_type: String, field: String },
    /// The bits of a 32-bit struct that one bit-field member takes.
    Mask { c_type: String, member: String },
    /// The value of a constant.
    Value { expression: String },
}

/// What a C compiler says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Offset in bytes; 0 if there is none.
    pub offset: usize,
    /// Size in bytes, or the mask, or the value.
    pub size: usize,
}

/// A C program that answers questions about the structs of some headers.
pub(crate) struct Probe<'a> {
    /// Names the program's files: must be unique among the tests.
    pub name: &'a str,
    /// The lines before `main`.
    pub preamble: String,
    /// Folders to look for headers in.
    pub include: Vec<PathBuf>,
}

impl Probe<'_> {
    /// Compiles and runs the program; one answer for each question.
    pub(crate) fn ask(&self, questions: &[Question]) -> Vec<Answer> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let source = folder.join(format!("layout-{}.c", self.name));
        let program = folder.join(format!("layout-{}", self.name));
        fs::write(&source, self.source(questions)).expect("cannot write the probe");

        let mut compile = compiler();
        compile.args(["-std=gnu11", "-w", "-o"]).arg(&program).arg(&source);
        for folder in &self.include {
            compile.arg("-I").arg(folder);
        }
        let compiled = compile.output().expect("cannot run the C compiler");
        assert!(
            compiled.status.success(),
            "{} does not compile:\n{}",
            source.display(),
            String::from_utf8_lossy(&compiled.stderr)
        );
        let ran = Command::new(&program).output().expect("cannot run the probe");
        assert!(ran.status.success(), "{} failed: {}", program.display(), ran.status);
        let answers: Vec<Answer> =
            String::from_utf8_lossy(&ran.stdout).lines().map(parse_answer).collect();
        assert_eq!(answers.len(), questions.len(), "{} is not complete", program.display());
        answers
    }

    fn source(&self, questions: &[Question]) -> String {
        let mut text = self.preamble.clone();
        text.push_str("int printf(const char *, ...);\n");
        text.push_str(
            "static void say(unsigned long a, unsigned long b) { printf(\"%lu %lu\\n\", a, b); }\n",
        );
        text.push_str("int main(void)\n{\n");
        for question in questions {
            let _ = match question {
                Question::Size { c_type } => writeln!(text, "    say(0, sizeof({c_type}));"),
                Question::Field { c_type, field } => writeln!(
                    text,
                    "    say(__builtin_offsetof({c_type}, {field}), sizeof((({c_type} *)0)->{field}));"
                ),
                Question::Mask { c_type, member } => writeln!(
                    text,
                    "    {{ {c_type} s; unsigned m; __builtin_memset(&s, 0, sizeof s); s.{member} = ~0u; \
                     __builtin_memcpy(&m, &s, sizeof m); say(0, m); }}"
                ),
                Question::Value { expression } => writeln!(text, "    say(0, {expression});"),
            };
        }
        text.push_str("    return 0;\n}\n");
        text
    }
}

fn parse_answer(line: &str) -> Answer {
    let mut numbers = line.split(' ').map(|n| n.parse().expect("a probe prints numbers"));
    let mut next = || numbers.next().expect("a probe prints two numbers");
    Answer { offset: next(), size: next() }
}

/// The system's C compiler, as the `cc` crate finds it.
fn compiler() -> Command {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    cc::Build::new()
        .target(&target)
        .host(&target)
        .opt_level(0)
        .cargo_metadata(false)
        .get_compiler()
        .to_command()
}
