//! Findings of linters and checkers, parsed from a tool's output with the patterns in its description. How findings are
//! shown is not decided here.

use regex::{Captures, Regex, RegexBuilder};
use serde::Serialize;

use crate::base::text::without_lines;
use crate::report::escapes::without_escapes;

/// A problem that a tool reported, with its location.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// Relative to the build root.
    pub file: String,
    /// Counted from 1; `None` for the file as a whole.
    pub line: Option<u32>,
    /// Counted from 1; `None` for the line as a whole.
    pub column: Option<u32>,
    /// How serious it is.
    pub level: Level,
    /// The tool's own code, such as `F401`.
    pub code: Option<String>,
    /// May have several lines.
    pub message: String,
}

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Must be fixed.
    Error,
    /// Should be fixed.
    Warning,
    /// Information, such as the reason for another finding.
    Note,
}

/// The compiled patterns that recognise findings in the output of one tool.
pub struct FindingPatterns {
    patterns: Vec<Regex>,
    first_column: u32,
    noise: Option<Regex>,
}

impl FindingPatterns {
    /// Compiles the patterns of a tool. A match may have the groups `file`, `line`, `column`, `level`, `code` and `message`.
    /// A match without a file belongs to the file of the match before it. A match without a message is a heading: it gives
    /// the location of the matches after it. `first_column` is the number that the tool uses for the first column. Lines
    /// that match `noise` carry no information.
    pub fn new(patterns: &[String], first_column: u32, noise: Option<&str>) -> Result<FindingPatterns, regex::Error> {
        let build = |pattern: &str| RegexBuilder::new(pattern).multi_line(true).build();
        let patterns = patterns.iter().map(|pattern| build(pattern)).collect::<Result<_, _>>()?;
        Ok(FindingPatterns { patterns, first_column, noise: noise.map(build).transpose()? })
    }

    /// Removes the lines that carry no information, such as progress messages.
    pub fn remove_noise(&self, text: String) -> String {
        match &self.noise {
            Some(noise) => without_lines(&text, noise),
            None => text,
        }
    }

    /// Parses the findings, in the order of the text. Where two patterns match, the first in the list applies.
    pub fn parse(&self, text: &str) -> Vec<Finding> {
        let text = &without_escapes(text);
        let mut matches: Vec<Captures> = self.patterns.iter().flat_map(|pattern| pattern.captures_iter(text)).collect();
        matches.sort_by_key(|groups| groups.get_match().start());
        matches.dedup_by_key(|groups| groups.get_match().start());
        let mut findings: Vec<Finding> = Vec::new();
        let mut location = (String::new(), None);
        for groups in matches {
            let group = |name| groups.name(name).map(|group| group.as_str());
            // Tools print line 0 for the file as a whole.
            let line = group("line").and_then(|line| line.parse().ok()).filter(|line| *line > 0);
            if let Some(file) = group("file") {
                location = (file.trim_start_matches("./").to_owned(), line);
            }
            let Some(message) = group("message") else { continue };
            let finding = Finding {
                file: location.0.clone(),
                line: line.or(location.1),
                column: group("column").and_then(|column| self.column(column)),
                level: group("level").map_or(Level::Error, Level::parse),
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

    /// Tools whose first column is 1 print 0 for the line as a whole.
    fn column(&self, text: &str) -> Option<u32> {
        let column = text.parse::<u32>().ok()?;
        (column + 1).checked_sub(self.first_column).filter(|column| *column > 0)
    }
}

impl Finding {
    /// Makes the finding that a formatter or fixer would change a file.
    pub fn would_change(file: &str, tool: &str) -> Finding {
        Finding::for_file(file, format!("`{tool}` would change this file"))
    }

    /// Makes a finding about a file as a whole.
    pub fn for_file(file: &str, message: String) -> Finding {
        Finding { file: file.to_owned(), line: None, column: None, level: Level::Error, code: None, message }
    }

    /// True for a note about the finding before it, at the same location.
    fn continues(&self, before: &Finding) -> bool {
        let position = |finding: &Finding| (finding.line, finding.column);
        let is_same_file = self.file == before.file;
        self.level == Level::Note && self.code.is_none() && is_same_file && position(self) == position(before)
    }
}

impl Level {
    /// Understands the words of all supported tools; pylint prints letters. Unknown words are errors.
    fn parse(word: &str) -> Level {
        match word.to_ascii_lowercase().as_str() {
            "warning" | "warn" | "medium" | "w" => Level::Warning,
            "note" | "info" | "information" | "style" | "low" | "c" | "r" | "i" => Level::Note,
            _ => Level::Error,
        }
    }

    /// The name in reports.
    pub fn name(self) -> &'static str {
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
            ..Finding::for_file(file, message.to_owned())
        }
    }

    fn check(patterns: &[&str], first_column: u32, text: &str, expected: &[Finding]) {
        let patterns: Vec<String> = patterns.iter().map(|pattern| pattern.to_string()).collect();
        assert_eq!(FindingPatterns::new(&patterns, first_column, None).unwrap().parse(text), expected, "{text}");
    }

    const LINE: &str =
        r"^(?<file>[^:\n]+):(?<line>\d+):(?<column>\d+): (?:(?<code>[A-Z]\d+) )?(?:(?<level>note): )?(?<message>.+)$";

    #[test]
    fn lines_that_match_a_pattern_are_findings() {
        let text = "./a/b.py:3:14: F401 'os' imported but unused\nFound 1 error.\n";
        check(&[LINE], 1, text, &[finding("a/b.py", 3, 14, "F401", "'os' imported but unused")]);
        check(&[LINE], 0, text, &[finding("a/b.py", 3, 15, "F401", "'os' imported but unused")]);
        let whole = Finding { column: None, ..finding("a.py", 3, 0, "E1", "x") };
        check(&[LINE], 1, "a.py:3:0: E1 x\n", &[whole]);
        let without_line = Finding { line: None, ..finding("a.py", 0, 1, "E1", "x") };
        check(&[LINE], 1, "a.py:99999999999:1: E1 x", std::slice::from_ref(&without_line));
        check(&[LINE], 1, "a.py:0:1: \u{1b}[31mE1\u{1b}[0m x", &[without_line]);
    }

    #[test]
    fn a_heading_locates_the_findings_after_it() {
        let patterns = [r"^In (?<file>.+) line (?<line>\d+):$", r"^ *\^-- (?<code>\w+): (?<message>.+)$"];
        let text = "In a.sh line 2:\n  ^-- SC1: one\n ^-- SC2: two\nIn b.sh line 4:\n^-- SC1: three\n";
        let one = |file, line, code, message| Finding { column: None, ..finding(file, line, 0, code, message) };
        let expected = [one("a.sh", 2, "SC1", "one"), one("a.sh", 2, "SC2", "two"), one("b.sh", 4, "SC1", "three")];
        check(&patterns, 1, text, &expected);
    }

    #[test]
    fn the_first_matching_pattern_applies() {
        let patterns = [r"^(?<file>.+): (?<message>.+) \[(?<code>\w+)\]$", r"^(?<file>.+): (?<message>.+)$"];
        let one =
            |code: Option<&str>| Finding { code: code.map(str::to_owned), ..Finding::for_file("a.py", "x".to_owned()) };
        check(&patterns, 1, "a.py: x [e]\na.py: x\n", &[one(Some("e")), one(None)]);
    }

    #[test]
    fn lines_without_information_are_removed() {
        let patterns = FindingPatterns::new(&[], 1, Some(r"INFO|^started")).unwrap();
        let text = patterns.remove_noise("INFO a\nbad\n\nstarted at 10\nend".to_owned());
        assert_eq!(text, "bad\n\nend");
    }

    #[test]
    fn a_note_is_appended_to_the_finding_at_its_location() {
        let note = Finding { level: Level::Note, code: None, ..finding("a.py", 4, 1, "", "elsewhere") };
        check(
            &[LINE],
            1,
            "a.py:3:1: E1 bad\na.py:3:1: note: since\na.py:4:1: note: elsewhere\n",
            &[finding("a.py", 3, 1, "E1", "bad\nsince"), note],
        );
    }
}
