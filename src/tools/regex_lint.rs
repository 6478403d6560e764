//! `[regex-lint]`: a built-in linter that checks files against regular expressions. Works on text; the goal reads the
//! files.

use std::collections::{BTreeMap, BTreeSet};

use fancy_regex::Regex;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The name of the settings section and of the linter.
pub const NAME: &str = "regex-lint";

/// Why the linter cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration has an unexpected structure.
    #[error("invalid value of `[regex-lint] config`")]
    Config(#[source] serde_json::Error),
    /// `required_matches` names an unknown path pattern.
    #[error("unknown path pattern `{0}` in `required_matches` of `[regex-lint] config`")]
    PathPattern(String),
    /// `required_matches` names an unknown content pattern.
    #[error("unknown content pattern `{0}` in `required_matches` of `[regex-lint] config`")]
    ContentPattern(String),
    /// The regular expression of a pattern is invalid.
    #[error("invalid regular expression of the pattern `{name}` in `[regex-lint] config`")]
    Regex {
        /// The name of the pattern.
        name: String,
        /// The error of the parser.
        source: Box<fancy_regex::Error>,
    },
    /// Matching failed, for example because it needs too many steps.
    #[error("cannot match the pattern `{name}` in `[regex-lint] config` on `{path}`")]
    Match {
        /// The name of the pattern.
        name: String,
        /// The path of the file.
        path: String,
        /// The error of the matcher.
        source: Box<fancy_regex::Error>,
    },
    /// A path pattern names an unsupported encoding.
    #[error("unsupported encoding `{0}` in `[regex-lint] config`")]
    Encoding(String),
    /// A file cannot be decoded.
    #[error("`{path}` is not {encoding}")]
    NotText {
        /// The path of the file.
        path: String,
        /// The name of the encoding.
        encoding: &'static str,
    },
    /// A file matches path patterns that disagree about its encoding.
    #[error("`{0}` matches path patterns with different encodings")]
    Encodings(String),
}

impl Error {
    /// What the user can do about the error.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Encoding(_) => "supported encodings: utf8, latin-1, ascii",
            Error::NotText { .. } => "set `content_encoding` of the path pattern, or exclude the file from the pattern",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// The detail of the report: `[regex-lint] detail_level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Print nothing.
    None,
    /// Print the numbers of files.
    Summary,
    /// Print the files that fail, and the numbers of files.
    NonMatching,
    /// Print the names of the files that fail.
    Names,
    /// Print all files, and the numbers of files.
    All,
}

impl Detail {
    /// Parses the value of the option; unknown values mean `NonMatching`, the default.
    pub fn from_name(name: &str) -> Detail {
        match name {
            "none" => Detail::None,
            "summary" => Detail::Summary,
            "names" => Detail::Names,
            "all" => Detail::All,
            _ => Detail::NonMatching,
        }
    }
}

/// `[regex-lint] config` as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigDocument {
    required_matches: Map<String, Value>,
    path_patterns: Vec<PatternDocument>,
    content_patterns: Vec<PatternDocument>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PatternDocument {
    name: String,
    pattern: String,
    #[serde(default)]
    inverted: bool,
    content_encoding: Option<String>,
}

/// The rules of the linter: compiled patterns, and which contents each path requires.
#[derive(Debug)]
pub struct Rules {
    paths: Vec<PathRule>,
    contents: BTreeMap<String, Pattern>,
}

#[derive(Debug)]
struct PathRule {
    path: Pattern,
    encoding: Encoding,
    /// Names of the required content patterns.
    required: Vec<String>,
}

#[derive(Debug)]
struct Pattern {
    name: String,
    regex: Regex,
    inverted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Latin1,
    Ascii,
}

/// The content patterns that a file must match.
#[derive(Debug)]
pub struct Required<'r> {
    patterns: Vec<&'r Pattern>,
    encoding: Encoding,
}

/// The result for one file.
#[derive(Debug, PartialEq, Eq)]
pub struct Checked {
    /// The path of the file.
    pub path: String,
    /// The names of the patterns that it matches.
    pub matching: Vec<String>,
    /// The names of the patterns that it does not match.
    pub other: Vec<String>,
}

impl Rules {
    /// Parses the value of `[regex-lint] config`.
    pub fn parse(config: &Map<String, Value>) -> Result<Rules, Error> {
        let written: ConfigDocument = serde_json::from_value(Value::Object(config.clone())).map_err(Error::Config)?;
        let contents =
            written.content_patterns.into_iter().map(|written| Ok((written.name.clone(), pattern(written)?)));
        let contents: BTreeMap<String, Pattern> = contents.collect::<Result<_, _>>()?;
        let mut known = BTreeMap::new();
        for path in written.path_patterns {
            let encoding = Encoding::from_name(path.content_encoding.as_deref().unwrap_or("utf8"))?;
            known.insert(path.name.clone(), (pattern(path)?, encoding));
        }
        let mut paths = Vec::new();
        for (name, required) in &written.required_matches {
            let Some((path, encoding)) = known.remove(name) else { return Err(Error::PathPattern(name.clone())) };
            let required: Vec<String> = serde_json::from_value(required.clone()).map_err(Error::Config)?;
            if let Some(unknown) = required.iter().find(|name| !contents.contains_key(*name)) {
                return Err(Error::ContentPattern(unknown.clone()));
            }
            paths.push(PathRule { path, encoding, required });
        }
        Ok(Rules { paths, contents })
    }

    /// The patterns that a file of this path must match; `None` if there are none.
    pub fn required(&self, path: &str) -> Result<Option<Required<'_>>, Error> {
        let mut found: Option<Required> = None;
        let mut seen = BTreeSet::new();
        for rule in &self.paths {
            if !rule.path.is_satisfied(path, path)? {
                continue;
            }
            let found = found.get_or_insert(Required { patterns: Vec::new(), encoding: rule.encoding });
            if found.encoding != rule.encoding {
                return Err(Error::Encodings(path.to_owned()));
            }
            let names = rule.required.iter().filter(|name| seen.insert(name.as_str()));
            found.patterns.extend(names.filter_map(|name| self.contents.get(name)));
        }
        Ok(found.filter(|required| !required.patterns.is_empty()))
    }
}

impl Required<'_> {
    /// Checks the contents of a file.
    pub fn check(&self, path: &str, content: &[u8]) -> Result<Checked, Error> {
        let text = self.encoding.decode(content);
        let text = text.ok_or_else(|| Error::NotText { path: path.to_owned(), encoding: self.encoding.name() })?;
        let mut checked = Checked { path: path.to_owned(), matching: Vec::new(), other: Vec::new() };
        for pattern in &self.patterns {
            let names = if pattern.is_satisfied(&text, path)? { &mut checked.matching } else { &mut checked.other };
            names.push(pattern.name.clone());
        }
        Ok(checked)
    }
}

/// The text to print, and whether all files match their patterns.
pub fn report(checked: &[Checked], detail: Detail) -> (String, bool) {
    let failed = checked.iter().filter(|checked| !checked.other.is_empty()).count();
    let mut text: String = checked.iter().filter_map(|checked| checked.line(detail)).collect();
    if !matches!(detail, Detail::None | Detail::Names) {
        if !text.is_empty() {
            text.push('\n');
        }
        let matched = checked.len() - failed;
        text.push_str(&format!("{matched} files matched all required patterns.\n"));
        text.push_str(&format!("{failed} files failed to match at least one required pattern.\n"));
    }
    (text, failed == 0)
}

impl Checked {
    fn line(&self, detail: Detail) -> Option<String> {
        let failed = !self.other.is_empty();
        match detail {
            Detail::Names if failed => return Some(format!("{}\n", self.path)),
            Detail::All => {}
            Detail::NonMatching if failed => {}
            _ => return None,
        }
        let part = |what: &str, names: &[String]| match names.is_empty() {
            true => String::new(),
            false => format!(" {what}: {}", names.join(",")),
        };
        let (matched, other) = (part("Matched", &self.matching), part("Didn't match", &self.other));
        Some(format!("{} {}:{matched}{other}\n", if failed { "X" } else { "V" }, self.path))
    }
}

fn pattern(written: PatternDocument) -> Result<Pattern, Error> {
    let regex = Regex::new(&from_python(&written.pattern));
    let regex = regex.map_err(|source| Error::Regex { name: written.name.clone(), source: Box::new(source) })?;
    Ok(Pattern { name: written.name, regex, inverted: written.inverted })
}

impl Pattern {
    /// Whether the regular expression matches anywhere in the text, or nowhere if the pattern is inverted.
    fn is_satisfied(&self, text: &str, path: &str) -> Result<bool, Error> {
        let found = self.regex.is_match(text);
        let failed = |source| Error::Match { name: self.name.clone(), path: path.to_owned(), source: Box::new(source) };
        Ok(found.map_err(failed)? != self.inverted)
    }
}

/// Translates Python's syntax: without `(?m)`, `$` also matches before a final line feed, and `\Z` matches at the end only.
fn from_python(pattern: &str) -> String {
    let lines = pattern
        .split("(?")
        .skip(1)
        .any(|flags| flags.chars().take_while(char::is_ascii_alphabetic).any(|flag| flag == 'm'));
    let (mut out, mut in_class) = (String::with_capacity(pattern.len()), false);
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                Some('Z') if !in_class => out.push_str(r"\z"),
                next => out.extend(std::iter::once('\\').chain(next)),
            },
            '$' if !in_class && !lines => out.push_str(r"(?=\n?\z)"),
            char => {
                in_class = match char {
                    '[' => true,
                    ']' => false,
                    _ => in_class,
                };
                out.push(char);
            }
        }
    }
    out
}

impl Encoding {
    fn from_name(name: &str) -> Result<Encoding, Error> {
        match name.to_ascii_lowercase().replace(['-', '_', ' '], "").as_str() {
            "utf8" | "u8" => Ok(Encoding::Utf8),
            "latin1" | "iso88591" | "l1" => Ok(Encoding::Latin1),
            "ascii" | "usascii" => Ok(Encoding::Ascii),
            _ => Err(Error::Encoding(name.to_owned())),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Encoding::Utf8 => "UTF-8",
            Encoding::Latin1 => "Latin-1",
            Encoding::Ascii => "ASCII",
        }
    }

    fn decode(self, content: &[u8]) -> Option<String> {
        match self {
            Encoding::Latin1 => Some(content.iter().map(|byte| char::from(*byte)).collect()),
            Encoding::Ascii if !content.is_ascii() => None,
            _ => String::from_utf8(content.to_vec()).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rules(config: Value) -> Result<Rules, Error> {
        Rules::parse(config.as_object().unwrap())
    }

    /// Rules with one content pattern for Python files.
    fn python_rules(pattern: &str, inverted: bool) -> Rules {
        let config = json!({
            "required_matches": {"python": ["wanted"]},
            "path_patterns": [{"name": "python", "pattern": r"\.py$"}],
            "content_patterns": [{"name": "wanted", "pattern": pattern, "inverted": inverted}],
        });
        rules(config).unwrap()
    }

    fn check(pattern: &str, content: &str, expected: bool) {
        let rules = python_rules(pattern, false);
        let checked = rules.required("a.py").unwrap().unwrap().check("a.py", content.as_bytes()).unwrap();
        assert_eq!(checked.other.is_empty(), expected, "{pattern} on {content:?}");
    }

    #[test]
    fn patterns_have_python_semantics() {
        check("^# Copyright", "# Copyright 2020\n", true);
        check("^# Copyright", "\n# Copyright 2020\n", false);
        check("(?m)^# Copyright", "\n# Copyright 2020\n", true);
        check("end$", "the end\n", true);
        check("end$", "the end\n\n", false);
        check(r"end\Z", "the end\n", false);
        check(r"\n\Z", "the end\n", true);
        check("(?m)one$", "one\ntwo\n", true);
        check("[$]", "$", true);
        check(r"\$", "$", true);
        check(r"^(?!.*print\()", "x", true);
        check(r"(?P<word>\w+) (?P=word)", "the the", true);
    }

    #[test]
    fn an_inverted_pattern_must_not_match() {
        let rules = python_rules("print", true);
        let required = rules.required("a.py").unwrap().unwrap();
        assert_eq!(required.check("a.py", b"print()").unwrap().other, ["wanted"]);
        assert_eq!(required.check("a.py", b"x").unwrap().matching, ["wanted"]);
        assert!(rules.required("a.txt").unwrap().is_none());
    }

    #[test]
    fn the_report_depends_on_the_detail_level() {
        let file = |path: &str, matching: &[&str], other: &[&str]| Checked {
            path: path.to_owned(),
            matching: matching.iter().map(|name| (*name).to_owned()).collect(),
            other: other.iter().map(|name| (*name).to_owned()).collect(),
        };
        let checked = [file("a.py", &["x"], &["y", "z"]), file("b.py", &["x", "y"], &[])];
        let text_at = |detail| {
            let (text, passed) = report(&checked, detail);
            assert!(!passed);
            text
        };
        let failing = "X a.py: Matched: x Didn't match: y,z\n";
        let summary =
            "1 files matched all required patterns.\n1 files failed to match at least one required pattern.\n";
        assert_eq!(text_at(Detail::None), "");
        assert_eq!(text_at(Detail::Names), "a.py\n");
        assert_eq!(text_at(Detail::Summary), summary);
        assert_eq!(text_at(Detail::NonMatching), format!("{failing}\n{summary}"));
        assert_eq!(text_at(Detail::All), format!("{failing}V b.py: Matched: x,y\n\n{summary}"));
    }

    #[test]
    fn errors_in_the_settings_are_reported() {
        let config = |required: Value, path: Value, content: Value| {
            let config = json!({"required_matches": required, "path_patterns": [path], "content_patterns": [content]});
            rules(config).unwrap_err().to_string()
        };
        let (path, content) = (json!({"name": "p", "pattern": "x"}), json!({"name": "c", "pattern": "x"}));
        assert!(config(json!({"q": ["c"]}), path.clone(), content.clone()).contains("`q`"));
        assert!(config(json!({"p": ["d"]}), path.clone(), content.clone()).contains("`d`"));
        assert!(config(json!({"p": ["c"]}), path.clone(), json!({"name": "c", "pattern": "("})).contains("`c`"));
        let ebcdic = json!({"name": "p", "pattern": "x", "content_encoding": "ebcdic"});
        assert!(config(json!({}), ebcdic, content).contains("`ebcdic`"));
    }

    #[test]
    fn a_file_that_cannot_be_decoded_is_reported() {
        let rules = python_rules("x", false);
        let error = rules.required("a.py").unwrap().unwrap().check("a.py", b"\xff").unwrap_err();
        assert_eq!(error.to_string(), "`a.py` is not UTF-8");
    }
}
