//! Words that belong to pytest but stand among the specs of the goal `test`: `-k login`, `-x`, `--maxfail=1` and
//! `-a_test.py::test_b`. They are refused with the line that the user probably meant. Parsing itself is in `args`.

use crate::targets::NodeId;

/// Short options of pytest that take a value, which may be the next word.
const WITH_VALUE: [&str; 8] = ["-W", "-c", "-k", "-m", "-n", "-o", "-p", "-r"];

/// This word is never an excluding spec: without the goal `test`, it is a request for the version.
const VERBOSE: &str = "-v";

/// Long options of pytest and its common plugins that users expect.
const LONG: [&str; 38] = [
    "--basetemp",
    "--capture",
    "--co",
    "--collect-only",
    "--cov",
    "--cov-report",
    "--deselect",
    "--dist",
    "--durations",
    "--exitfirst",
    "--failed-first",
    "--ff",
    "--fixtures",
    "--ignore",
    "--import-mode",
    "--junitxml",
    "--last-failed",
    "--lf",
    "--log-cli-level",
    "--markers",
    "--maxfail",
    "--new-first",
    "--nf",
    "--no-cov",
    "--no-header",
    "--no-summary",
    "--numprocesses",
    "--pdb",
    "--quiet",
    "--reruns",
    "--runslow",
    "--setup-show",
    "--showlocals",
    "--stepwise",
    "--strict-markers",
    "--tb",
    "--trace",
    "--verbose",
];

/// Pytest's words on a command line, in order.
#[derive(Debug, Default)]
pub(super) struct PytestWords {
    /// The words as written.
    words: Vec<String>,
    /// The arguments that pytest would need for them.
    args: Vec<String>,
    expects_value: bool,
}

impl PytestWords {
    /// Takes a word that has no meaning as a goal or flag. False if it is not a word for pytest. `exists` answers whether a
    /// path exists.
    pub(super) fn take(&mut self, word: &str, exists: &dyn Fn(&str) -> bool) -> bool {
        if std::mem::take(&mut self.expects_value) {
            self.push(word, word);
        } else if word == VERBOSE || is_short_option(word) && !exists(&word[1..]) {
            self.expects_value = WITH_VALUE.contains(&word);
            self.push(word, word);
        } else if is_long_option(word) {
            self.push(word, word);
        } else {
            return false;
        }
        true
    }

    /// Whether the next word is the value of an option.
    pub(super) fn expects_value(&self) -> bool {
        self.expects_value
    }

    /// Takes `-a_test.py::test_b`, which excludes a test, or `*_test.py::test_b`, which names tests of several files. Returns the spec of
    /// the files, if one is left; `None` for any other spec.
    pub(super) fn take_names(&mut self, spec: &str) -> Option<Option<String>> {
        let node = NodeId::parse(spec).filter(|node| !node.is_selection())?;
        self.words.push(spec.to_owned());
        if let Some(file) = node.file.strip_prefix(['-', '!']) {
            self.args.push(format!("--deselect={file}::{}", node.names));
            return Some(None);
        }
        // A parameter in brackets is not part of an expression of `-k`.
        let names = node.names.split('[').next().unwrap_or_default();
        self.args.extend(["-k".to_owned(), names.split("::").collect::<Vec<_>>().join(" and ")]);
        Some(Some(node.file.to_owned()))
    }

    fn push(&mut self, word: &str, arg: &str) {
        self.words.push(word.to_owned());
        self.args.push(arg.to_owned());
    }

    /// The words as written; empty if there are none.
    pub(super) fn words(&self) -> &[String] {
        &self.words
    }

    /// The command line that has the same effect.
    pub(super) fn hint(&self, specs: &[String]) -> String {
        let all = ["::".to_owned()];
        let specs = if specs.is_empty() { &all } else { specs };
        let words = ["test"].into_iter().chain(specs.iter().map(String::as_str)).chain(["--"]);
        let words = words.chain(self.args.iter().map(String::as_str));
        let line = words.map(quoted).collect::<Vec<_>>().join(" ");
        format!("arguments after `--` are passed to pytest: write `{line}`")
    }
}

/// The word as a shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@%+".contains(c);
    match word.chars().all(is_plain) && !word.is_empty() {
        true => word.to_owned(),
        // A word with a NUL character cannot be an argument.
        false => shlex::try_quote(word).map_or_else(|_| "ARGUMENT".to_owned(), Into::into),
    }
}

/// `-x`, `-vv`, `-rA` or `-n4`. A longer word is an excluding spec.
fn is_short_option(word: &str) -> bool {
    let Some(letters) = word.strip_prefix('-') else { return false };
    let is_repeated = |letter: char| !letters.is_empty() && letters.chars().all(|other| other == letter);
    let has_value = |option: &str| word.starts_with(option) && letters.len() <= 3 && letters.is_ascii();
    let is_plain = letters.len() == 1 && letters.starts_with(|letter: char| letter.is_ascii_alphabetic());
    is_plain
        || is_repeated('v')
        || is_repeated('q')
        || is_repeated('s')
        || WITH_VALUE.iter().any(|option| has_value(option))
}

fn is_long_option(word: &str) -> bool {
    LONG.contains(&word.split('=').next().unwrap_or(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words that pytest gets, and the line that is suggested; nothing for words that are not pytest's.
    fn check(line: &str, expected: &str) {
        let mut pytest = PytestWords::default();
        let mut specs = Vec::new();
        for word in line.split_whitespace() {
            match pytest.take_names(word) {
                Some(files) => specs.extend(files),
                None if pytest.take(word, &|path| path == "x") => {}
                None => specs.push(word.to_owned()),
            }
        }
        let hint = if pytest.words().is_empty() { String::new() } else { pytest.hint(&specs) };
        assert_eq!(hint.rsplit("write ").next().unwrap(), expected, "{line}");
    }

    #[test]
    fn options_of_pytest_are_moved_behind_the_dashes() {
        check("-k login src::", "`test src:: -- -k login`");
        check(":: -q -vv -rA -n4", "`test :: -- -q -vv -rA -n4`");
        check("-v", "`test :: -- -v`");
        check("--maxfail=1 --lf a_test.py", "`test a_test.py -- --maxfail=1 --lf`");
    }

    #[test]
    fn tests_that_no_spec_can_name_become_options() {
        check("*_test.py::TestA::test_b[1-2]", "`test '*_test.py' -- -k 'TestA and test_b'`");
        check("tests:: -tests/a_test.py::test_b", "`test tests:: -- --deselect=tests/a_test.py::test_b`");
        check("--lf a_test.py::test_b[1]", "`test 'a_test.py::test_b[1]' -- --lf`");
    }

    #[test]
    fn specs_are_not_words_of_pytest() {
        for line in ["-src/a::", "-x", "-app", "!x", "a_test.py::", "a_test.py::test_b", "src::", "--tag=a", "-"] {
            check(line, "");
        }
    }
}
