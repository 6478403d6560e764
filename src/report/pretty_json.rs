//! JSON formatted byte for byte as Python's `json.dumps(…, indent=n)` does, because scripts that read the output of Pants
//! expect this form. The callers decide on the content.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// Renders a value with `indent` spaces for each level, in ASCII, without a final newline.
pub fn pretty(value: &impl Serialize, indent: usize) -> String {
    let spaces = " ".repeat(indent);
    let formatter = Ascii(PrettyFormatter::with_indent(spaces.as_bytes()));
    let mut out = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut out, formatter)).expect("texts and numbers are JSON");
    String::from_utf8(out).expect("ASCII")
}

struct Ascii<'a>(PrettyFormatter<'a>);

impl Formatter for Ascii<'_> {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }

    /// Characters outside the Basic Multilingual Plane become two escapes (RFC 8259, section 7).
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        for char in fragment.chars() {
            match char {
                ' '..='~' => writer.write_all(&[char as u8])?,
                _ => {
                    for unit in char.encode_utf16(&mut [0; 2]) {
                        write!(writer, "\\u{unit:04x}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(value: serde_json::Value, indent: usize, expected: &str) {
        assert_eq!(pretty(&value, indent), expected);
    }

    #[test]
    fn the_output_is_the_same_as_that_of_python() {
        check(json!([]), 2, "[]");
        check(json!({"a": ["b", null, true, 1]}), 2, "{\n  \"a\": [\n    \"b\",\n    null,\n    true,\n    1\n  ]\n}");
        check(json!({"a": {}}), 4, "{\n    \"a\": {}\n}");
    }

    #[test]
    fn non_ascii_characters_are_escaped() {
        check(json!("\u{e9}\u{1f600}\u{7f}\n\"\\"), 2, "\"\\u00e9\\ud83d\\ude00\\u007f\\n\\\"\\\\\"");
    }
}
