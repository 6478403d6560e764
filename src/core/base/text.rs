//! Positions in text, and similarity of words. No files here: callers add the file name.

use std::fmt;

use regex::Regex;

/// A position in a text. Lines and columns count from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Place {
    /// The position of a byte offset; an offset past the end gives the position of the end.
    pub fn of(text: &str, offset: usize) -> Place {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &text[..offset];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Place { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.line, self.column)
    }
}

/// The text without the lines that match `pattern`.
pub fn without_lines(text: &str, pattern: &Regex) -> String {
    text.split_inclusive('\n').filter(|line| !pattern.is_match(line)).collect()
}

/// The known word that is most similar to a misspelt one, if it is similar enough for a suggestion: the Damerau-Levenshtein
/// distance is at most 1, plus 1 for every four characters.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().min(word.len()) / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_from_one() {
        assert_eq!(Place::of("a\nbc", 3), Place { line: 2, column: 2 });
        assert_eq!(Place::of("", 9), Place { line: 1, column: 1 });
    }

    #[test]
    fn the_most_similar_word_is_suggested() {
        assert_eq!(nearest("python_test", ["python_tests", "resources"]), Some("python_tests"));
        assert_eq!(nearest("zzz", ["python_tests"]), None);
    }
}
