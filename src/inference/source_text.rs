//! Decodes Python source files: bytes to text, and text to lines. Does not parse.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::bytes::Regex;

/// Decodes a source file (PEP 263) as far as imports need it: as UTF-8 with or without BOM, otherwise as Latin-1. Latin-1
/// preserves the ASCII characters of every encoding that Python accepts for source files.
pub fn decode(content: &[u8]) -> Cow<'_, str> {
    static CODING: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?-u)\A(?:[ \t\x0c]*(?:#[^\n]*)?\r?\n)?[ \t\x0c]*#[^\n]*?coding[:=][ \t]*([-_.a-zA-Z0-9]+)")
            .expect("the pattern is a constant")
    });
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let other =
        CODING.captures(content).is_some_and(|found| !(found[1].eq_ignore_ascii_case(b"utf8") || is_utf8(&found[1])));
    match std::str::from_utf8(content) {
        Ok(text) if !other => Cow::Borrowed(text),
        _ => Cow::Owned(content.iter().map(|byte| char::from(*byte)).collect()),
    }
}

fn is_utf8(encoding: &[u8]) -> bool {
    let prefix = encoding.get(..5).unwrap_or_default();
    prefix.eq_ignore_ascii_case(b"utf-8") || prefix.eq_ignore_ascii_case(b"utf_8")
}

/// The byte offsets at which lines start. `\n`, `\r\n` and `\r` end a line, as in Python.
pub fn line_starts(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let ends = (0..bytes.len()).filter(|at| match bytes[*at] {
        b'\n' => true,
        b'\r' => bytes.get(at + 1) != Some(&b'\n'),
        _ => false,
    });
    std::iter::once(0).chain(ends.map(|at| at + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &[u8], expected: &str) {
        assert_eq!(decode(content), expected);
    }

    #[test]
    fn the_declared_encoding_is_used() {
        check("# coding: latin-1\né".as_bytes(), "# coding: latin-1\nÃ©");
        check("# coding: utf8\né".as_bytes(), "# coding: utf8\né");
        check("# vim: set fileencoding=UTF-8 :\né".as_bytes(), "# vim: set fileencoding=UTF-8 :\né");
        check(b"#!/bin/python\n# coding=cp1252\n\xe9", "#!/bin/python\n# coding=cp1252\né");
        check("x\n\n# coding: latin-1\né".as_bytes(), "x\n\n# coding: latin-1\né");
    }

    #[test]
    fn all_bytes_can_be_decoded() {
        check(b"\xef\xbb\xbfx", "x");
        check(b"\xff\x00", "ÿ\0");
    }

    #[test]
    fn lines_end_as_in_python() {
        assert_eq!(line_starts("a\rb\r\nc\n"), [0, 2, 5, 7]);
        assert_eq!(line_starts(""), [0]);
    }
}
