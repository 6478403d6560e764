//! Splitting text into words as a shell does. Nothing is expanded or run.

/// `None` where a quote is not closed. `#` begins no comment: in an argument it is meant.
pub fn words(text: &str) -> Option<Vec<String>> {
    // No text that people write holds this character of the private use area.
    const HASH: &str = "\u{f8f0}";
    let words = shlex::split(&text.replace('#', HASH))?;
    Some(words.into_iter().map(|word| word.replace(HASH, "#")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_group_and_a_hash_is_plain() {
        assert_eq!(words("-m 'not slow' #3 a\\ b").unwrap(), ["-m", "not slow", "#3", "a b"]);
        assert_eq!(words("'a"), None);
    }
}
