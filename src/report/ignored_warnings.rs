//! The warnings that the option `[GLOBAL] ignore_warnings` suppresses.

use regex::Regex;

use crate::base::Severity;
use crate::report::Message;

/// Marks an entry as a regular expression, as in Pants.
const REGEX_PREFIX: &str = "$regex$";

/// Why an entry is invalid.
#[derive(Debug, thiserror::Error)]
#[error("invalid regular expression `{pattern}` in `ignore_warnings` of `[GLOBAL]`")]
pub struct Error {
    pattern: String,
    source: regex::Error,
}

/// Patterns of warnings that are not shown.
#[derive(Debug, Default)]
pub struct IgnoredWarnings {
    texts: Vec<String>,
    patterns: Vec<Regex>,
}

impl IgnoredWarnings {
    /// Parses the entries of the option: parts of texts, or regular expressions after `$regex$`.
    pub fn parse(entries: &[String]) -> Result<IgnoredWarnings, Error> {
        let mut ignored = IgnoredWarnings::default();
        for entry in entries {
            match entry.strip_prefix(REGEX_PREFIX) {
                Some(pattern) => {
                    let invalid = |source| Error { pattern: pattern.to_owned(), source };
                    ignored.patterns.push(Regex::new(pattern).map_err(invalid)?);
                }
                None => ignored.texts.push(entry.clone()),
            }
        }
        Ok(ignored)
    }

    /// Whether a message is a warning that one of the entries matches, anywhere in its text.
    pub fn matches(&self, message: &Message) -> bool {
        let text = message.text.as_str();
        message.severity == Severity::Warning
            && (self.texts.iter().any(|part| text.contains(part.as_str()))
                || self.patterns.iter().any(|pattern| pattern.is_match(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(entry: &str, severity: Severity, text: &str, expected: bool) {
        let ignored = IgnoredWarnings::parse(&[entry.to_owned()]).unwrap();
        assert_eq!(ignored.matches(&Message::new(severity, text, None)), expected, "{entry} {text}");
    }

    #[test]
    fn a_warning_is_ignored_by_a_part_of_its_text() {
        check("`a` is", Severity::Warning, "`a` is unknown", true);
        check("`a` is", Severity::Warning, "src/BUILD:1:2: `a` is unknown", true);
        check("src/BUILD:1", Severity::Warning, "src/BUILD:1:2: `a` is unknown", true);
        check("unknown", Severity::Warning, "`a` is unknown", true);
        check("known `a`", Severity::Warning, "`a` is unknown", false);
        check("`a` is", Severity::Error, "`a` is unknown", false);
    }

    #[test]
    fn a_regular_expression_matches_anywhere() {
        check("$regex$unkn.wn$", Severity::Warning, "`a` is unknown", true);
        check("$regex$^un", Severity::Warning, "`a` is unknown", false);
        assert!(IgnoredWarnings::parse(&["$regex$(".to_owned()]).is_err());
    }
}
