//! Escape sequences in the output of tests and tools: colours, hyperlinks, movements of the cursor. They are removed where no
//! terminal interprets them.

use std::borrow::Cow;

/// The text without escape sequences (ECMA-48) and other control characters, except white space.
pub(super) fn without_escapes(text: &str) -> Cow<'_, str> {
    if !text.contains(['\u{1b}', '\u{9b}', '\u{9d}']) {
        return Cow::Borrowed(text);
    }
    // Sequences can end within a character, so the result need not be UTF-8.
    let bytes = anstream::adapter::strip_bytes(text.as_bytes()).into_vec();
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn colours_hyperlinks_and_titles_are_removed() {
        let check = |text: &str, expected: &str| assert_eq!(without_escapes(text), expected, "{text:?}");
        check("\u{1b}[1;31mE  assert 0\u{1b}[0m\n", "E  assert 0\n");
        check("\u{1b}]8;;file:///src/a.py\u{1b}\\a.py\u{1b}]8;;\u{1b}\\:1", "a.py:1");
        check("\u{1b}]8;;https://example.invalid/é\u{7}rule\u{1b}]8;;\u{7} x", "rule x");
        check("\u{1b}]0;title\u{7}a\tb\r\n", "a\tb\r\n");
        check("a\u{1b}[2J\u{1b}[Hb\u{1b}7c", "abc");
        check("plain \u{e9}\n", "plain \u{e9}\n");
    }

    proptest! {
        #[test]
        fn nothing_that_a_terminal_interprets_remains(text in "[a\u{1b}\u{9b}\u{e9}\\[\\]8;m\u{7}\\\\]{0,40}") {
            let is_clean = !without_escapes(&text).contains('\u{1b}');
            prop_assert!(is_clean);
        }
    }
}
