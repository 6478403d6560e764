//! Parses option values in text: Python literals such as `['a', 1]` and `{'k': (True, None)}`, as Pants accepts them. `value` checks
//! their type.

use serde_json::{Map, Number, Value};

/// The maximum nesting of brackets, so that no input exhausts the stack.
const MAX_DEPTH: usize = 100;

/// A syntax error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unexpected {
    /// The expected syntax.
    pub expected: &'static str,
    /// The byte offset of the error.
    pub offset: usize,
}

/// Parses a text that consists of one literal.
pub(super) fn parse(text: &str) -> Result<Value, Unexpected> {
    let mut reader = Reader::new(text);
    let value = reader.value(0)?;
    reader.end()?;
    Ok(value)
}

/// Parses `+[…]` and `-[…]`, or several of them separated by commas. `true` marks additions.
pub(super) fn parse_edits(text: &str) -> Result<Vec<(bool, Value)>, Unexpected> {
    let mut reader = Reader::new(text);
    let mut edits = Vec::new();
    loop {
        let adds = match reader.next_char() {
            Some('+') => true,
            Some('-') => false,
            _ => return reader.refuse("`+` or `-`"),
        };
        reader.at += 1;
        edits.push((adds, reader.value(0)?));
        if !reader.take(',') {
            reader.end()?;
            return Ok(edits);
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Reader<'a> {
        Reader { text, at: 0 }
    }

    fn refuse<T>(&self, expected: &'static str) -> Result<T, Unexpected> {
        Err(Unexpected { expected, offset: self.at })
    }

    /// Skips white space and returns the next character.
    fn next_char(&mut self) -> Option<char> {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        self.text[self.at..].chars().next()
    }

    fn take(&mut self, expected: char) -> bool {
        let found = self.next_char() == Some(expected);
        if found {
            self.at += expected.len_utf8();
        }
        found
    }

    fn end(&mut self) -> Result<(), Unexpected> {
        if self.next_char().is_some() { self.refuse("the end") } else { Ok(()) }
    }

    fn value(&mut self, depth: usize) -> Result<Value, Unexpected> {
        if depth > MAX_DEPTH {
            return self.refuse("fewer nested brackets");
        }
        match self.next_char() {
            Some('[') => self.items(']', depth),
            Some('(') => self.items(')', depth),
            Some('{') => self.dict(depth),
            Some(quote @ ('\'' | '"')) => self.quoted(quote).map(Value::String),
            Some(_) => self.word(),
            None => self.refuse("a value"),
        }
    }

    fn items(&mut self, close: char, depth: usize) -> Result<Value, Unexpected> {
        self.at += 1;
        let mut items = Vec::new();
        while !self.take(close) {
            items.push(self.value(depth + 1)?);
            if !self.take(',') && self.next_char() != Some(close) {
                return self.refuse("`,` or the closing bracket");
            }
        }
        Ok(Value::Array(items))
    }

    fn dict(&mut self, depth: usize) -> Result<Value, Unexpected> {
        self.at += 1;
        let mut map = Map::new();
        while !self.take('}') {
            let key = match self.next_char() {
                Some(quote @ ('\'' | '"')) => self.quoted(quote)?,
                _ => return self.refuse("a key in quotes"),
            };
            if !self.take(':') {
                return self.refuse("`:`");
            }
            map.insert(key, self.value(depth + 1)?);
            if !self.take(',') && self.next_char() != Some('}') {
                return self.refuse("`,` or `}`");
            }
        }
        Ok(Value::Object(map))
    }

    fn quoted(&mut self, quote: char) -> Result<String, Unexpected> {
        self.at += 1;
        let mut out = String::new();
        let mut chars = self.text[self.at..].char_indices();
        while let Some((offset, c)) = chars.next() {
            match c {
                c if c == quote => {
                    self.at += offset + c.len_utf8();
                    return Ok(out);
                }
                '\\' => match chars.next() {
                    Some((_, 'n')) => out.push('\n'),
                    Some((_, 't')) => out.push('\t'),
                    Some((_, 'r')) => out.push('\r'),
                    Some((_, c @ ('\\' | '\'' | '"'))) => out.push(c),
                    Some((_, c)) => out.extend(['\\', c]),
                    None => break,
                },
                c => out.push(c),
            }
        }
        self.at = self.text.len();
        self.refuse("the closing quote")
    }

    /// Parses a number, a Boolean or `None`.
    fn word(&mut self) -> Result<Value, Unexpected> {
        let rest = &self.text[self.at..];
        let length = rest.find(|c: char| !(c.is_alphanumeric() || "._+-".contains(c))).unwrap_or(rest.len());
        let word = &rest[..length];
        let value = match word {
            "True" | "true" => Value::Bool(true),
            "False" | "false" => Value::Bool(false),
            "None" | "null" => Value::Null,
            word => match number(word) {
                Some(number) => Value::Number(number),
                None => return self.refuse("a value (strings need quotes)"),
            },
        };
        self.at += length;
        Ok(value)
    }
}

/// Parses a number. Underscores between digits are ignored.
fn number(word: &str) -> Option<Number> {
    if !word.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return None;
    }
    let digits = word.replace('_', "");
    let whole = digits.parse::<i64>().ok().map(Number::from);
    whole.or_else(|| digits.parse::<f64>().ok().and_then(Number::from_f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(text: &str, expected: Value) {
        assert_eq!(parse(text), Ok(expected), "{text}");
    }

    #[test]
    fn python_literals_are_read() {
        check("['a', \"b\"]", json!(["a", "b"]));
        check("('a',)", json!(["a"]));
        check("[ ]", json!([]));
        check("{'k': ['v'], 'n': {'m': 1_000}}", json!({"k": ["v"], "n": {"m": 1000}}));
        check(r"'it\'s \d'", json!(r"it's \d"));
        check("[True, false, None, -1.5]", json!([true, false, null, -1.5]));
        check("[\n 'a',\n 'é',\n]", json!(["a", "é"]));
    }

    #[test]
    fn a_syntax_error_has_its_offset() {
        for (text, offset) in
            [("['a'", 4), ("['a' 'b']", 5), ("{a: 1}", 1), ("['a]", 4), ("[b]", 1), ("", 0), ("'a' b", 4)]
        {
            assert_eq!(parse(text).map_err(|unexpected| unexpected.offset), Err(offset), "{text}");
        }
    }

    #[test]
    fn additions_and_removals_are_distinguished() {
        assert_eq!(parse_edits("+['a'],-['b']"), Ok(vec![(true, json!(["a"])), (false, json!(["b"]))]));
        assert!(parse_edits("+['a'],['b']").is_err());
    }

    #[test]
    fn deep_nesting_does_not_exhaust_the_stack() {
        assert!(parse(&"[".repeat(100_000)).is_err());
        assert!(parse(&"{'a':".repeat(100_000)).is_err());
    }
}
