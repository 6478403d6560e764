//! The parsed text of a BUILD file. Deep nesting and huge files are refused here, so that evaluation can recurse over
//! the syntax tree safely. Evaluation is in `eval`.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, ModModule, PySourceType, Stmt};
use ruff_text_size::TextSize;

use crate::base::RelPath;
use crate::base::text::Place;
use crate::build_file::Diagnostic;

/// Size limit of a BUILD file, in bytes. The largest one in a survey of 79 repositories is below 100 kB.
pub const MAX_BYTES: usize = 1 << 20;
/// Limit on nested brackets, expressions and statements. CPython refuses more than 200 nested brackets.
const MAX_NESTING: usize = 100;
/// Limit on consecutive operators without a comma: a parser turns them into a tree that is as deep as the text is long.
const MAX_OPERATORS: usize = 4_000;

/// A parsed file.
#[derive(Debug)]
pub struct Source {
    /// Its path from the build root.
    pub file: RelPath,
    /// The syntax tree.
    pub module: ModModule,
    text: String,
    line_starts: Vec<usize>,
}

impl Source {
    /// Parses the text of a file. A syntax error, a NUL byte, and text beyond the limits are errors.
    pub fn parse(file: &RelPath, text: String) -> Result<Source, Box<Diagnostic>> {
        if text.len() > MAX_BYTES {
            let message = format!("the file has {} bytes; the limit is {MAX_BYTES}", text.len());
            return Err(Box::new(Diagnostic::error(file, Place { line: 1, column: 1 }, message)));
        }
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let mut source = Source { file: file.clone(), module: empty_module(), text, line_starts };
        if let Some(offset) = source.text.find('\0') {
            let offset = TextSize::try_from(offset).unwrap_or_default();
            return Err(Box::new(source.diagnostic(offset, "the file contains a NUL byte")));
        }
        if let Some(offset) = too_deep(source.text.as_bytes()) {
            return Err(source.nested_too_deep(offset));
        }
        let parsed = ruff_python_parser::parse_unchecked_source(&source.text, PySourceType::Python);
        if let Some(error) = parsed.errors().first() {
            let message = format!("syntax error: {}", lower_first(&error.error.to_string()));
            return Err(Box::new(source.diagnostic(error.location.start(), message)));
        }
        source.module = parsed.into_syntax();
        let mut depth = Depth { now: 0, exceeded_at: None };
        depth.visit_body(&source.module.body);
        if let Some(offset) = depth.exceeded_at {
            // Dropping a tree recurses as deep as the tree. This one is leaked instead, once for each such file.
            std::mem::forget(std::mem::replace(&mut source.module, empty_module()));
            return Err(source.nested_too_deep(offset));
        }
        Ok(source)
    }

    /// Parses the bytes of a file: UTF-8, with or without a byte order mark.
    pub fn parse_bytes(file: &RelPath, bytes: Vec<u8>) -> Result<Source, Box<Diagnostic>> {
        let text = String::from_utf8(bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let place = Place::of(&String::from_utf8_lossy(error.as_bytes()), valid);
            Box::new(Diagnostic::error(file, place, "the file is not UTF-8"))
        })?;
        Source::parse(file, text.trim_start_matches('\u{feff}').to_owned())
    }

    /// Whether the file may set defaults or visibility rules for its subdirectories.
    pub fn may_affect_subdirectories(&self) -> bool {
        may_affect_subdirectories(self.text.as_bytes())
    }

    /// The text without a byte order mark.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Line and column of a byte offset, both from 1; the column counts characters.
    pub fn place(&self, offset: TextSize) -> Place {
        let offset = offset.to_usize().min(self.text.len());
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = self.line_starts[line - 1];
        let column = self.text.get(start..offset).map_or(1, |before| before.chars().count() + 1);
        Place { line, column }
    }

    /// An error at a byte offset of this file.
    pub fn diagnostic(&self, offset: TextSize, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(&self.file, self.place(offset), message)
    }

    fn nested_too_deep(&self, offset: TextSize) -> Box<Diagnostic> {
        let message = format!("an expression is nested more than {MAX_NESTING} deep");
        Box::new(self.diagnostic(offset, message))
    }
}

/// Whether a file may set defaults or visibility rules, which its subdirectories inherit. A textual check, so that it
/// also works for files with syntax errors.
pub fn may_affect_subdirectories(text: &[u8]) -> bool {
    let mentions = |word: &[u8]| text.windows(word.len()).any(|part| part == word);
    mentions(b"__defaults__") || mentions(b"_rules__")
}

fn empty_module() -> ModModule {
    let range = ruff_text_size::TextRange::default();
    ModModule { node_index: Default::default(), range, body: Default::default() }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_lowercase().chain(chars).collect())
}

/// The offset at which the nesting exceeds a limit. The parser recurses with the nesting, so this scan of the bytes
/// runs before it. The scan skips strings and comments.
fn too_deep(text: &[u8]) -> Option<TextSize> {
    let mut brackets = 0_usize;
    let mut operators = 0_usize;
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'#' => at = text[at..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |line| at + line),
            quote @ (b'"' | b'\'') => at = string_end(text, at, quote),
            b'(' | b'[' | b'{' => {
                brackets += 1;
                operators += 1;
            }
            b')' | b']' | b'}' => brackets = brackets.saturating_sub(1),
            b',' => operators = 0,
            b'\n' if brackets == 0 && text.get(at.wrapping_sub(1)) != Some(&b'\\') => operators = 0,
            b'+' | b'-' | b'*' | b'/' | b'~' | b'%' | b'.' | b'|' | b'&' | b'^' | b'@' | b':' | b'<' | b'>' => {
                operators += 1;
            }
            // `not`, `await`, `lambda`, `if … else`: operators that are words follow a blank.
            b' ' | b'\t' if text.get(at + 1).is_some_and(u8::is_ascii_alphabetic) => operators += 1,
            _ => {}
        }
        if brackets > MAX_NESTING || operators > MAX_OPERATORS {
            return Some(TextSize::try_from(at).unwrap_or_default());
        }
        at += 1;
    }
    None
}

/// The offset of a string's last byte.
fn string_end(text: &[u8], start: usize, quote: u8) -> usize {
    let triple = text.get(start + 1) == Some(&quote) && text.get(start + 2) == Some(&quote);
    let mut at = if triple { start + 3 } else { start + 1 };
    while at < text.len() {
        match text[at] {
            b'\\' => at += 1,
            b'\n' if !triple => return at - 1,
            byte if byte == quote && !triple => return at,
            byte if byte == quote && text[at..].starts_with(&[quote; 3]) => return at + 2,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

/// Measures the depth of a syntax tree, up to the limit.
struct Depth {
    now: usize,
    exceeded_at: Option<TextSize>,
}

impl Depth {
    fn enter(&mut self, start: TextSize, walk: impl FnOnce(&mut Depth)) {
        if self.now >= MAX_NESTING || self.exceeded_at.is_some() {
            self.exceeded_at.get_or_insert(start);
            return;
        }
        self.now += 1;
        walk(self);
        self.now -= 1;
    }
}

impl<'a> Visitor<'a> for Depth {
    fn visit_expr(&mut self, expr: &'a Expr) {
        self.enter(ruff_text_size::Ranged::range(expr).start(), |depth| visitor::walk_expr(depth, expr));
    }

    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        self.enter(ruff_text_size::Ranged::range(stmt).start(), |depth| visitor::walk_stmt(depth, stmt));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: String) -> String {
        let file = RelPath::parse("BUILD").expect("clean");
        Source::parse(&file, text).expect_err("refused").to_string()
    }

    #[test]
    fn a_syntax_error_names_line_and_column() {
        assert!(refusal("a = 1\nb = = 2\n".to_owned()).starts_with("BUILD:2:5: syntax error: "));
    }

    #[test]
    fn deep_nesting_is_refused_and_overflows_no_stack() {
        let nests =
            ["(", "[", "{", "-", "not ", "a.", "f(x)(", "lambda: ", "a+", "if x:\n ", "x[", "~", "a if b else "];
        for nest in nests {
            let text = nest.repeat(10_000);
            let message = refusal(text);
            assert!(message.starts_with("BUILD:"), "{nest}: {message}");
        }
        let closed = format!("{}1{}", "(".repeat(10_000), ")".repeat(10_000));
        assert!(refusal(closed).contains("nested more than 100 deep"));
        let sum = format!("x = 1{}", "+1".repeat(300));
        assert!(refusal(sum).contains("nested more than 100 deep"));
    }

    #[test]
    fn a_huge_file_is_refused() {
        assert!(refusal("x".repeat(2 << 20)).contains("bytes"));
    }

    #[test]
    fn long_lists_and_long_strings_are_not_deep() {
        let file = RelPath::parse("BUILD").expect("clean");
        let text = format!("x = [{}]\ny = '{}'  # {}\n", "1.5,".repeat(20_000), "(-".repeat(20_000), "(".repeat(500));
        assert!(Source::parse(&file, text).is_ok());
    }
}
