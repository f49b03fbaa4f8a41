//! `docs/ABIS.md`: what the live tests have shown of each ABI. It has all ABIs and all features
//! that there are. `make abi-table` writes it of what the tests have recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::support::binaries::ABIS;
use crate::support::features::{Feature, Record, Shown};

/// The file of records that the table is made of.
const RECORDS: &str = "PYFLAME_RECORDS";

/// What stands for a test that has passed, and for no test.
const YES: &str = "yes";
const NOT_SEEN: &str = "?";

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ABIS.md")
}

/// The last record of each test and feature, in the order of the file.
fn latest(records: &str) -> Vec<Record> {
    let mut latest: BTreeMap<(String, String, String, String), (usize, Record)> = BTreeMap::new();
    for (position, line) in records.lines().enumerate() {
        let record = Record::parse(line).unwrap_or_else(|| panic!("not a record: {line}"));
        let Record { abi, interpreter, test, feature, .. } = &record;
        let key = (abi.clone(), interpreter.clone(), test.clone(), format!("{feature:?}"));
        latest.insert(key, (position, record));
    }
    let mut latest: Vec<(usize, Record)> = latest.into_values().collect();
    latest.sort_by_key(|(position, _)| *position);
    latest.into_iter().map(|(_, record)| record).collect()
}

/// The table, or the tests that have failed.
fn table(records: &[Record], head: &str) -> Result<String, String> {
    let failed = records.iter().filter(|record| record.shown == Shown::Failed);
    let failed: Vec<String> = failed.map(|r| format!("{} {}", r.interpreter, r.test)).collect();
    if !failed.is_empty() {
        return Err(format!("failed: {}", failed.join("; ")));
    }
    let mut text = String::from(head);
    let mut reasons: Vec<&str> = Vec::new();
    let names: Vec<&str> = ABIS.iter().map(|(abi, _)| *abi).collect();
    let _ = writeln!(text, "| | {} |\n|---|{}", names.join(" | "), "---|".repeat(names.len()));
    for feature in Feature::ALL {
        let _ = write!(text, "| {} |", feature.title());
        for abi in names.iter().copied() {
            let of_cell = || records.iter().filter(|r| r.feature == *feature && r.abi == abi);
            let why = of_cell().find_map(|record| match &record.shown {
                Shown::Not(why) => Some(why.as_str()),
                _ => None,
            });
            let cell = match why {
                _ if of_cell().any(|record| record.shown == Shown::Yes) => YES.to_owned(),
                None => NOT_SEEN.to_owned(),
                Some(why) => {
                    let known = reasons.iter().position(|reason| *reason == why);
                    let number = known.unwrap_or_else(|| {
                        reasons.push(why);
                        reasons.len() - 1
                    });
                    format!("({})", number + 1)
                }
            };
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }
    text.push('\n');
    for (number, why) in (1..).zip(reasons) {
        let _ = writeln!(text, "{number}. {why}");
    }
    text.push_str("\n## Interpreters\n\n| ABI | interpreters on which it was seen |\n|---|---|\n");
    for abi in names {
        let of_abi = records.iter().filter(|r| r.abi == abi && !r.interpreter.is_empty());
        let interpreters: BTreeSet<&str> = of_abi.map(|r| r.interpreter.as_str()).collect();
        let interpreters: Vec<&str> = interpreters.into_iter().collect();
        let _ = writeln!(text, "| {abi} | {} |", interpreters.join("; "));
    }
    Ok(text)
}

/// What stands above the table.
fn head() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let version: Vec<&str> = release.trim().splitn(3, '.').take(2).collect();
    let today = humantime::format_rfc3339(SystemTime::now()).to_string();
    let (date, _) = today.split_once('T').expect("a date and a time");
    format!(
        "# ABIs\n\n\
         What the live tests have shown of each ABI up to {date}, on Linux {} and {}. They write\n\
         this page themselves (`make abi-table`): **{YES}** means that tests of the feature have\n\
         passed there and none has failed; a number in brackets, that there is nothing to test in\n\
         this ABI or build, for the reason below; **{NOT_SEEN}**, that no test tries it there.\n\
         `tests/README.md` tells how they are run.\n\n",
        version.join("."),
        std::env::consts::ARCH,
    )
}

#[test]
fn the_page_has_each_feature_and_each_abi() {
    let text = std::fs::read_to_string(file()).expect("docs/ABIS.md: run `make abi-table`");
    let (table, interpreters) = text.split_once("## Interpreters").expect("two parts");
    let rows = |text: &str| -> Vec<Vec<String>> {
        let rows = text.lines().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
        let cells = |row: &str| row.split('|').map(|cell| cell.trim().to_owned()).collect();
        rows.map(cells).collect()
    };
    let names: Vec<&str> = ABIS.iter().map(|(abi, _)| *abi).collect();
    let rows_of_features = rows(table);
    assert_eq!(rows_of_features[0][1..], names, "the columns: run `make abi-table`");
    let titles: Vec<&str> = rows_of_features[2..].iter().map(|row| row[0].as_str()).collect();
    let expected: Vec<&str> = Feature::ALL.iter().map(|feature| feature.title()).collect();
    assert_eq!(titles, expected, "the rows: run `make abi-table`");
    let numbers: BTreeSet<&str> =
        table.lines().filter_map(|line| Some(line.split_once(". ")?.0)).collect();
    for row in &rows_of_features[2..] {
        assert_eq!(row.len(), names.len() + 1, "{}", row[0]);
        for cell in &row[1..] {
            let number = cell.strip_prefix('(').and_then(|cell| cell.strip_suffix(')'));
            let is_told = number.is_some_and(|number| numbers.contains(number));
            assert!(is_told || [YES, NOT_SEEN].contains(&cell.as_str()), "{}: {cell}", row[0]);
        }
    }
    let of_abis = rows(interpreters);
    let listed: Vec<&str> = of_abis[2..].iter().map(|row| row[0].as_str()).collect();
    assert_eq!(listed, names, "the interpreters: run `make abi-table`");
}

#[test]
fn a_cell_says_what_the_last_run_of_each_test_did() {
    let line = |abi: &str, test: &str, shown| {
        let [abi, interpreter, test] =
            [abi, &format!("{abi}-static (static)"), test].map(str::to_owned);
        Record { abi, interpreter, test, feature: Feature::Dump, shown }.line() + "\n"
    };
    let cell = |records: &str, abi: &str| {
        let text = table(&latest(records), "").expect("none has failed");
        let row = text.lines().find(|line| line.contains(Feature::Dump.title())).expect("a row");
        let position = ABIS.iter().position(|(name, _)| *name == abi).expect("an ABI");
        row.split('|').nth(position + 2).expect("a cell").trim().to_owned()
    };
    let why = Shown::Not("it has none".into());
    let failed = line("3.11", "one", Shown::Failed);
    let passed = line("3.11", "one", Shown::Yes);
    let none = line("3.12", "one", why.clone());
    let words = table(&latest(&(passed.clone() + &failed)), "").expect_err("one has failed");
    assert_eq!(words, "failed: 3.11-static (static) one");
    let all = failed + &passed + &none + &line("3.13", "one", why) + &line("3.13", "b", Shown::Yes);
    assert_eq!(["3.11", "3.12", "3.13", "3.14"].map(|abi| cell(&all, abi)), [YES, "(1)", YES, "?"]);
    assert!(table(&latest(&all), "").expect("none has failed").contains("\n1. it has none\n"));
}

#[test]
#[ignore = "`make abi-table` does this after a run of the live tests"]
fn write() {
    let records = std::env::var(RECORDS).expect(RECORDS);
    let records = std::fs::read_to_string(&records).expect("what the tests have recorded");
    let text = table(&latest(&records), &head()).unwrap_or_else(|words| panic!("{words}"));
    std::fs::write(file(), text).expect("docs/ABIS.md");
}
