//! One thing that a tool complains of, at its place in a file. Read from the tool's lines by the pattern of its description.

use regex::Regex;
use serde::Serialize;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// From the build root.
    pub file: String,
    /// From 1, as the column is.
    pub line: Option<u32>,
    pub column: Option<u32>,
    /// The tool's own: `F401`.
    pub code: Option<String>,
    pub message: String,
}

/// The findings among lines of output, in their order.
pub fn findings(pattern: &Regex, output: &str) -> Vec<Finding> {
    output.lines().filter_map(|line| finding(pattern, line)).collect()
}

fn finding(pattern: &Regex, line: &str) -> Option<Finding> {
    let groups = pattern.captures(line)?;
    let text = |name| groups.name(name).map(|group| group.as_str().to_owned());
    let number = |name| text(name)?.parse().ok();
    Some(Finding {
        file: text("file")?.trim_start_matches("./").to_owned(),
        line: number("line"),
        column: number("column"),
        code: text("code"),
        message: text("message")?,
    })
}

impl Finding {
    /// Of a file that a formatter or fixer would change.
    pub fn would_change(file: &str, tool: &str) -> Finding {
        let message = format!("`{tool}` would change this file");
        Finding { file: file.to_owned(), line: None, column: None, code: None, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_finding_where_the_pattern_says_so() {
        let pattern = Regex::new(r"^(?<file>[^:]+):(?<line>\d+):(?<column>\d+): (?<code>\S+) (?<message>.+)$").unwrap();
        let found = findings(&pattern, "./a/b.py:3:14: F401 'os' imported but unused\nFound 1 error.\n");
        assert_eq!(
            found,
            [Finding {
                file: "a/b.py".to_owned(),
                line: Some(3),
                column: Some(14),
                code: Some("F401".to_owned()),
                message: "'os' imported but unused".to_owned(),
            }]
        );
    }
}
