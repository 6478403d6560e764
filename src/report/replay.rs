//! The result of a repeated step compared with the recorded one, as data and as text for people.

use serde::Serialize;

use crate::base::Digest;

/// The version of the JSON format. New fields keep it, any other change raises it.
pub const SCHEMA_VERSION: u32 = 1;

/// Changed lines that are shown of one file.
const SHOWN_LINES: usize = 30;

/// A comparison.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The name of the step.
    pub step: String,
    /// Its recorded key.
    pub key: Digest,
    /// Whether the results are equal, apart from times that the tool measures.
    pub reproduced: bool,
    /// How the process ended when it was recorded.
    pub recorded_exit: String,
    /// How it ended now.
    pub exit: String,
    /// The number of output files now.
    pub files: usize,
    /// The number of files and streams in which only measured times differ.
    pub equal_but_for_times: usize,
    /// The files and streams that differ.
    pub differences: Vec<ComparedFile>,
}

/// A file or stream that differs.
#[derive(Debug, Serialize)]
pub struct ComparedFile {
    /// Its name.
    pub name: String,
    /// What was recorded; `None` if there was nothing.
    pub before: Option<String>,
    /// What is there now; `None` if there is nothing.
    pub after: Option<String>,
    /// The offset of the first byte that differs, without measured times, if both contents are known.
    pub first_differing_byte: Option<usize>,
    /// The changed lines of text, each with a sign.
    pub lines: Vec<String>,
}

/// Renders a comparison.
pub fn render(found: &Comparison) -> String {
    let count = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    if found.reproduced {
        let mut text = format!("reproduced: {} ({}, {})\n", found.step, found.exit, count(found.files, "output file"));
        if found.equal_but_for_times > 0 {
            text += &format!("  only measured times differ (files and streams: {})\n", found.equal_but_for_times);
        }
        return text;
    }
    let mut text = format!("not reproduced: {}\n", found.step);
    if found.exit != found.recorded_exit {
        text += &format!("  - {} -> {}\n", found.recorded_exit, found.exit);
    }
    for file in &found.differences {
        text += &self::file(file);
    }
    text
}

fn file(file: &ComparedFile) -> String {
    let what = match (&file.before, &file.after) {
        (None, _) => "added".to_owned(),
        (_, None) => "missing".to_owned(),
        _ => match file.first_differing_byte {
            Some(at) => format!("differs, first at byte {at}"),
            None => "differs".to_owned(),
        },
    };
    let mut text = format!("  - {} {what}\n", file.name);
    for line in file.lines.iter().take(SHOWN_LINES) {
        text += &format!("      {line}\n");
    }
    if file.lines.len() > SHOWN_LINES {
        text += &format!("      ({} more changed lines)\n", file.lines.len() - SHOWN_LINES);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(reproduced: bool, differences: Vec<ComparedFile>) -> Comparison {
        Comparison {
            schema_version: SCHEMA_VERSION,
            step: "src/a_test.py:tests".to_owned(),
            key: Digest::of(b""),
            reproduced,
            recorded_exit: "exit code 0".to_owned(),
            exit: if reproduced { "exit code 0" } else { "exit code 1" }.to_owned(),
            files: 1,
            equal_but_for_times: 1,
            differences,
        }
    }

    #[test]
    fn both_results_are_described() {
        let expected = "reproduced: src/a_test.py:tests (exit code 0, 1 output file)\n  only measured times differ (files and streams: 1)\n";
        assert_eq!(render(&sample(true, Vec::new())), expected);
        let file = ComparedFile {
            name: "output file `word`".to_owned(),
            before: Some("file 1".to_owned()),
            after: Some("file 2".to_owned()),
            first_differing_byte: Some(0),
            lines: vec!["- a".to_owned(), "+ b".to_owned()],
        };
        let expected = "not reproduced: src/a_test.py:tests\n  - exit code 0 -> exit code 1\n  - output file `word` differs, first at byte 0\n      - a\n      + b\n";
        assert_eq!(render(&sample(false, vec![file])), expected);
    }
}
