//! Splits text into words as a shell does. Nothing is expanded or executed.

/// The words of a text; `None` if a quote is not closed. `#` is an ordinary character and does not begin a comment.
pub fn words(text: &str) -> Option<Vec<String>> {
    // A character of the private use area, which does not occur in settings.
    const HASH: &str = "\u{f8f0}";
    let words = shlex::split(&text.replace('#', HASH))?;
    Some(words.into_iter().map(|word| word.replace(HASH, "#")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_removed_and_a_hash_is_ordinary() {
        assert_eq!(words("-m 'not slow' #3 a\\ b").unwrap(), ["-m", "not slow", "#3", "a b"]);
        assert_eq!(words("'a"), None);
    }
}
