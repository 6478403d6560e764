//! One thing that a tool complains of, at its place in a file. Read from the tool's words by the patterns of its description.

use regex::{Captures, Regex, RegexBuilder};
use serde::Serialize;

use crate::base::text::without_lines;
use crate::report::summary::without_escapes;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// From the build root.
    pub file: String,
    /// From 1, as the column is.
    pub line: Option<u32>,
    pub column: Option<u32>,
    pub level: Level,
    /// The tool's own: `F401`.
    pub code: Option<String>,
    /// Several lines where a tool goes on.
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Error,
    Warning,
    Note,
}

/// How a tool speaks.
pub struct Wording {
    patterns: Vec<Regex>,
    first_column: u32,
    chatter: Option<Regex>,
}

impl Wording {
    /// A match of a pattern may have the groups `file`, `line`, `column`, `level`, `code` and `message`. One without a file is
    /// about that of the match before, and one without a message says only where those after it are. `first_column` is the
    /// tool's number for that; lines that `chatter` matches say nothing.
    pub fn new(patterns: &[String], first_column: u32, chatter: Option<&str>) -> Result<Wording, regex::Error> {
        let build = |pattern: &str| RegexBuilder::new(pattern).multi_line(true).build();
        let patterns = patterns.iter().map(|pattern| build(pattern)).collect::<Result<_, _>>()?;
        Ok(Wording { patterns, first_column, chatter: chatter.map(build).transpose()? })
    }

    pub fn without_chatter(&self, text: String) -> String {
        match &self.chatter {
            Some(chatter) => without_lines(&text, chatter),
            None => text,
        }
    }

    /// In the order of the text. Where two patterns match, the earlier one counts.
    pub fn findings(&self, text: &str) -> Vec<Finding> {
        let text = &without_escapes(text);
        let mut matches: Vec<Captures> = self.patterns.iter().flat_map(|pattern| pattern.captures_iter(text)).collect();
        matches.sort_by_key(|groups| groups.get_match().start());
        matches.dedup_by_key(|groups| groups.get_match().start());
        let mut findings: Vec<Finding> = Vec::new();
        let mut place = (String::new(), None);
        for groups in matches {
            let group = |name| groups.name(name).map(|group| group.as_str());
            // 0 is the file as a whole.
            let line = group("line").and_then(|line| line.parse().ok()).filter(|line| *line > 0);
            if let Some(file) = group("file") {
                place = (file.trim_start_matches("./").to_owned(), line);
            }
            let Some(message) = group("message") else { continue };
            let finding = Finding {
                file: place.0.clone(),
                line: line.or(place.1),
                column: group("column").and_then(|column| self.column(column)),
                level: group("level").map_or(Level::Error, Level::of),
                code: group("code").map(str::to_owned),
                message: message.lines().map(str::trim).collect::<Vec<_>>().join("\n"),
            };
            match findings.last_mut().filter(|before| finding.continues(before)) {
                Some(before) => before.message += &format!("\n{}", finding.message),
                None => findings.push(finding),
            }
        }
        findings
    }

    /// Tools say 0 for a line as a whole where that is not the first column.
    fn column(&self, text: &str) -> Option<u32> {
        let column = text.parse::<u32>().ok()?;
        (column + 1).checked_sub(self.first_column).filter(|column| *column > 0)
    }
}

impl Finding {
    /// Of a file that a formatter or fixer would change.
    pub fn would_change(file: &str, tool: &str) -> Finding {
        Finding::of_file(file, format!("`{tool}` would change this file"))
    }

    /// Of a file as a whole.
    pub fn of_file(file: &str, message: String) -> Finding {
        Finding { file: file.to_owned(), line: None, column: None, level: Level::Error, code: None, message }
    }

    /// A note on what was found before at the same place.
    fn continues(&self, before: &Finding) -> bool {
        let place = |finding: &Finding| (finding.line, finding.column);
        self.level == Level::Note && self.code.is_none() && self.file == before.file && place(self) == place(before)
    }
}

impl Level {
    /// In the words of all tools; pylint has letters. What nobody knows is taken seriously.
    fn of(word: &str) -> Level {
        match word.to_ascii_lowercase().as_str() {
            "warning" | "warn" | "medium" | "w" => Level::Warning,
            "note" | "info" | "information" | "style" | "low" | "c" | "r" | "i" => Level::Note,
            _ => Level::Error,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "note",
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn finding(file: &str, line: u32, column: u32, code: &str, message: &str) -> Finding {
        Finding {
            line: Some(line),
            column: Some(column),
            code: Some(code.to_owned()),
            ..Finding::of_file(file, message.to_owned())
        }
    }

    fn check(patterns: &[&str], first_column: u32, text: &str, expected: &[Finding]) {
        let patterns: Vec<String> = patterns.iter().map(|pattern| pattern.to_string()).collect();
        assert_eq!(Wording::new(&patterns, first_column, None).unwrap().findings(text), expected, "{text}");
    }

    const LINE: &str =
        r"^(?<file>[^:\n]+):(?<line>\d+):(?<column>\d+): (?:(?<code>[A-Z]\d+) )?(?:(?<level>note): )?(?<message>.+)$";

    #[test]
    fn a_line_is_a_finding_where_a_pattern_says_so() {
        let text = "./a/b.py:3:14: F401 'os' imported but unused\nFound 1 error.\n";
        check(&[LINE], 1, text, &[finding("a/b.py", 3, 14, "F401", "'os' imported but unused")]);
        check(&[LINE], 0, text, &[finding("a/b.py", 3, 15, "F401", "'os' imported but unused")]);
        let whole = Finding { column: None, ..finding("a.py", 3, 0, "E1", "x") };
        check(&[LINE], 1, "a.py:3:0: E1 x\n", &[whole]);
        let nowhere = Finding { line: None, ..finding("a.py", 0, 1, "E1", "x") };
        check(&[LINE], 1, "a.py:99999999999:1: E1 x", std::slice::from_ref(&nowhere));
        check(&[LINE], 1, "a.py:0:1: \u{1b}[31mE1\u{1b}[0m x", &[nowhere]);
    }

    #[test]
    fn a_place_holds_for_what_comes_after_it() {
        let patterns = [r"^In (?<file>.+) line (?<line>\d+):$", r"^ *\^-- (?<code>\w+): (?<message>.+)$"];
        let text = "In a.sh line 2:\n  ^-- SC1: one\n ^-- SC2: two\nIn b.sh line 4:\n^-- SC1: three\n";
        let one = |file, line, code, message| Finding { column: None, ..finding(file, line, 0, code, message) };
        let expected = [one("a.sh", 2, "SC1", "one"), one("a.sh", 2, "SC2", "two"), one("b.sh", 4, "SC1", "three")];
        check(&patterns, 1, text, &expected);
    }

    #[test]
    fn the_first_pattern_that_matches_counts() {
        let patterns = [r"^(?<file>.+): (?<message>.+) \[(?<code>\w+)\]$", r"^(?<file>.+): (?<message>.+)$"];
        let one =
            |code: Option<&str>| Finding { code: code.map(str::to_owned), ..Finding::of_file("a.py", "x".to_owned()) };
        check(&patterns, 1, "a.py: x [e]\na.py: x\n", &[one(Some("e")), one(None)]);
    }

    #[test]
    fn lines_that_say_nothing_are_left_out() {
        let wording = Wording::new(&[], 1, Some(r"INFO|^started")).unwrap();
        let text = wording.without_chatter("INFO a\nbad\n\nstarted at 10\nend".to_owned());
        assert_eq!(text, "bad\n\nend");
    }

    #[test]
    fn notes_belong_to_what_was_found_at_their_place() {
        let note = Finding { level: Level::Note, code: None, ..finding("a.py", 4, 1, "", "elsewhere") };
        check(
            &[LINE],
            1,
            "a.py:3:1: E1 bad\na.py:3:1: note: since\na.py:4:1: note: elsewhere\n",
            &[finding("a.py", 3, 1, "E1", "bad\nsince"), note],
        );
    }
}
