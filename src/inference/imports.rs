//! Finds the imports of a Python file. The result depends on the contents alone, so that it can be cached by digest.
//! `Import::absolute` takes the location of the file into account; owners are found in `owners`.

use std::borrow::Cow;
use std::collections::HashMap;

use ruff_python_ast::token::{Token, TokenKind};
use ruff_python_ast::{Alias, ExceptHandler, Expr, PySourceType, Stmt, StmtTry, StmtWith};
use ruff_python_parser::parse_unchecked_source;
use ruff_text_size::{Ranged, TextRange};
use serde::{Deserialize, Serialize};

use crate::inference::parse_limits;
use crate::inference::source_text::{decode, line_starts};

/// Part of the key of cached `Imports`. Must be incremented when the same text gives a different result or encoding.
pub const IMPORTS_VERSION: u32 = 3;

const NO_INFER: &str = "# pants: no-infer-dep";

/// The imports of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imports {
    /// Sorted by position; one entry for each module and kind.
    pub found: Vec<Import>,
    /// The file contains only white space. An `__init__.py` like this is not a dependency.
    pub blank: bool,
    /// The line of the first syntax error. Imports in the rest of the file are still found.
    pub syntax_error: Option<u32>,
    /// The file was not parsed, because it is too large or too deeply nested.
    pub unread: bool,
}

/// An import, or a string that may stand for one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// The module as written, relative ones with their dots: `a.b`, `..sibling.Name`. For an asset, the string.
    pub module: String,
    /// The line, from 1.
    pub line: u32,
    /// The program handles a missing module. A weak import without an owner is not reported.
    pub weak: bool,
    /// The form of the import.
    pub kind: ImportKind,
}

/// The form of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ImportKind {
    /// An import statement or a call of `__import__`.
    Import,
    /// A string that looks like a dotted name.
    String,
    /// A string that looks like a path.
    Asset,
}

impl Import {
    /// The full module name, for a file in `package` (the directory below the source root as a dotted name).
    /// A relative import beyond the top-level package is returned as written.
    pub fn absolute<'a>(&'a self, package: &str) -> Cow<'a, str> {
        let name = self.module.trim_start_matches('.');
        let level = self.module.len() - name.len();
        if level == 0 || self.kind != ImportKind::Import {
            return Cow::Borrowed(&self.module);
        }
        let mut parts: Vec<&str> = package.split('.').filter(|part| !part.is_empty()).collect();
        if level > parts.len() + 1 {
            return Cow::Borrowed(&self.module);
        }
        parts.truncate(parts.len() + 1 - level);
        parts.extend(Some(name).filter(|name| !name.is_empty()));
        Cow::Owned(parts.join("."))
    }
}

/// Finds the imports of a file. Never fails: after a syntax error, at most the surrounding statements are missed.
/// `strings`: also collect the strings for string imports and assets.
pub fn parse_imports(content: &[u8], strings: bool) -> Imports {
    let blank = content.iter().all(|byte| byte.is_ascii_whitespace() || *byte == b'\x0b');
    let text = decode(content);
    let unread = !parse_limits::is_parsable(&text);
    if blank || unread {
        return Imports { blank, unread, ..Imports::default() };
    }
    let parsed = parse_unchecked_source(&text, PySourceType::Python);
    let mut reader = ImportReader::new(&text, parsed.tokens());
    reader.visit_statements(parsed.suite());
    reader.visit_tokens(parsed.tokens(), strings);
    let syntax_error = parsed.errors().first().map(|error| reader.line(error.range().start().to_usize()));
    let found = reader.finish();
    if !parse_limits::is_droppable(parsed.tokens()) {
        // Dropping such a tree would overflow the stack. Files like this are rare, so the memory is leaked.
        std::mem::forget(parsed);
    }
    Imports { found, blank, syntax_error, unread }
}

struct ImportReader<'a> {
    text: &'a str,
    line_starts: Vec<usize>,
    /// The line and the offset of each comment with the pragma `# pants: no-infer-dep`.
    pragmas: Vec<(u32, usize)>,
    /// Bodies of statements that handle an `ImportError`.
    weak: Vec<TextRange>,
    /// Offset, module, kind.
    found: Vec<(usize, String, ImportKind)>,
}

impl<'a> ImportReader<'a> {
    fn new(text: &'a str, tokens: &[Token]) -> ImportReader<'a> {
        let mut reader = ImportReader {
            text,
            line_starts: line_starts(text),
            pragmas: Vec::new(),
            weak: Vec::new(),
            found: Vec::new(),
        };
        if text.contains(NO_INFER) {
            let comments = tokens.iter().filter(|token| token.kind() == TokenKind::Comment);
            let pragmas = comments.filter(|token| text[token.range()].contains(NO_INFER));
            let starts = pragmas.map(|token| token.start().to_usize());
            reader.pragmas = starts.map(|start| (reader.line(start), start)).collect();
        }
        reader
    }

    fn line(&self, offset: usize) -> u32 {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        u32::try_from(line).unwrap_or(u32::MAX)
    }

    /// The offset of the pragma on the line in which a part of the text ends.
    fn pragma_after(&self, range: TextRange) -> Option<usize> {
        if self.pragmas.is_empty() {
            return None;
        }
        let line = self.line(range.end().to_usize());
        let place = self.pragmas.binary_search_by_key(&line, |(line, _)| *line).ok()?;
        Some(self.pragmas[place].1)
    }

    /// Whether a pragma follows a statement or a name directly. As in Pants, it does not concern other statements and names
    /// that end on the same line.
    fn is_ignored(&self, range: TextRange) -> bool {
        let between = |pragma: usize| self.text.get(range.end().to_usize()..pragma);
        self.pragma_after(range)
            .and_then(between)
            .is_some_and(|between| between.trim_matches([' ', '\t', ',', ';', '\x0c']).is_empty())
    }

    fn add(&mut self, range: TextRange, module: String, kind: ImportKind) {
        self.found.push((range.start().to_usize(), module, kind));
    }

    fn add_name(&mut self, range: TextRange, module: String) {
        if !self.is_ignored(range) {
            self.add(range, module, ImportKind::Import);
        }
    }

    /// Adds an import or a string in an expression, which the pragma ignores anywhere on the line.
    fn add_in_line(&mut self, range: TextRange, module: String, kind: ImportKind) {
        if self.pragma_after(range).is_none() {
            self.add(range, module, kind);
        }
    }

    /// Visits all statements with an explicit stack instead of recursion, because the nesting depth is not bounded.
    fn visit_statements(&mut self, suite: &[Stmt]) {
        let mut pending: Vec<&Stmt> = suite.iter().collect();
        while let Some(statement) = pending.pop() {
            match statement {
                Stmt::Import(import) if !self.is_ignored(import.range) => {
                    for alias in &import.names {
                        self.add_name(alias.range, alias.name.to_string());
                    }
                }
                Stmt::ImportFrom(import) if !self.is_ignored(import.range) => {
                    let dots = ".".repeat(usize::try_from(import.level).unwrap_or(usize::MAX).min(1_000));
                    let from = format!("{dots}{}", import.module.as_deref().unwrap_or_default());
                    for alias in &import.names {
                        self.add_name(alias.range, imported_name(&from, alias));
                    }
                }
                Stmt::Try(statement) => {
                    self.weak.extend(body_with_import_error_handler(statement));
                    pending.extend(statement.body.iter().chain(&statement.orelse).chain(&statement.finalbody));
                    let handlers = statement.handlers.iter();
                    pending.extend(handlers.flat_map(|ExceptHandler::ExceptHandler(handler)| &handler.body));
                }
                Stmt::With(statement) => {
                    self.weak.extend(body_with_suppressed_import_error(statement));
                    pending.extend(&statement.body);
                }
                Stmt::FunctionDef(statement) => pending.extend(&statement.body),
                Stmt::ClassDef(statement) => pending.extend(&statement.body),
                Stmt::For(statement) => pending.extend(statement.body.iter().chain(&statement.orelse)),
                Stmt::While(statement) => pending.extend(statement.body.iter().chain(&statement.orelse)),
                Stmt::If(statement) => {
                    pending.extend(&statement.body);
                    pending.extend(statement.elif_else_clauses.iter().flat_map(|clause| &clause.body));
                }
                Stmt::Match(statement) => pending.extend(statement.cases.iter().flat_map(|case| &case.body)),
                _ => {}
            }
        }
    }

    /// Finds calls of `__import__` and strings in the tokens, because tokens are not nested.
    fn visit_tokens(&mut self, tokens: &[Token], strings: bool) {
        if !strings && !self.text.contains("__import__") {
            return;
        }
        let trivia = [TokenKind::Comment, TokenKind::NonLogicalNewline];
        let tokens: Vec<&Token> = tokens.iter().filter(|token| !trivia.contains(&token.kind())).collect();
        let (mut next, mut interpolated) = (0, 0_usize);
        while next < tokens.len() {
            let first = next;
            next += 1;
            match tokens[first].kind() {
                TokenKind::FStringStart | TokenKind::TStringStart => interpolated += 1,
                TokenKind::FStringEnd | TokenKind::TStringEnd => interpolated = interpolated.saturating_sub(1),
                _ => {}
            }
            if tokens[first].kind() != TokenKind::String {
                continue;
            }
            while next < tokens.len() && tokens[next].kind() == TokenKind::String {
                next += 1;
            }
            let Some(value) = tokens[first..next].iter().map(|token| literal(&self.text[token.range()])).collect()
            else {
                continue;
            };
            let range = tokens[first].range().cover(tokens[next - 1].range());
            if self.is_import_call(&tokens[..first], tokens.get(next)) {
                self.add_in_line(range, value, ImportKind::Import);
            } else if strings && interpolated == 0 {
                self.add_string(range, value);
            }
        }
    }

    fn is_import_call(&self, before: &[&Token], after: Option<&&Token>) -> bool {
        let [.., name, parenthesis] = before else { return false };
        let ends = |token: &&Token| matches!(token.kind(), TokenKind::Rpar | TokenKind::Comma);
        parenthesis.kind() == TokenKind::Lpar && &self.text[name.range()] == "__import__" && after.is_some_and(ends)
    }

    fn add_string(&mut self, range: TextRange, value: String) {
        if value.is_empty() || value.chars().any(char::is_whitespace) {
            return;
        }
        if value.contains('/') {
            self.add_in_line(range, value, ImportKind::Asset);
        } else if is_dotted_name(&value) {
            self.add_in_line(range, value, ImportKind::String);
        }
    }

    /// Merges the imports of each module and kind: the first position counts, and the result is weak only if all are.
    fn finish(mut self) -> Vec<Import> {
        self.found.sort();
        let mut found: Vec<Import> = Vec::new();
        let mut indexes: HashMap<(String, ImportKind), usize> = HashMap::new();
        for (offset, module, kind) in std::mem::take(&mut self.found) {
            let weak = kind != ImportKind::Import || self.weak.iter().any(|body| body.contains(offset_of(offset)));
            let index = *indexes.entry((module.clone(), kind)).or_insert(found.len());
            match found.get_mut(index) {
                Some(earlier) => earlier.weak &= weak,
                None => found.push(Import { module, line: self.line(offset), weak, kind }),
            }
        }
        found
    }
}

/// The full name that `from … import …` refers to.
fn imported_name(from: &str, alias: &Alias) -> String {
    match alias.name.as_str() {
        "*" => from.to_owned(),
        name if from.ends_with('.') => format!("{from}{name}"),
        name => format!("{from}.{name}"),
    }
}

/// The body of a `try` statement, if one of its handlers names `ImportError`.
fn body_with_import_error_handler(statement: &StmtTry) -> Option<TextRange> {
    let catches = |ExceptHandler::ExceptHandler(handler): &ExceptHandler| match handler.type_.as_deref() {
        Some(Expr::Tuple(tuple)) => tuple.elts.iter().any(is_import_error),
        Some(Expr::List(list)) => list.elts.iter().any(is_import_error),
        Some(Expr::Set(set)) => set.elts.iter().any(is_import_error),
        Some(expression) => is_import_error(expression),
        None => false,
    };
    let body = statement.body.first()?.range().cover(statement.body.last()?.range());
    statement.handlers.iter().any(catches).then_some(body)
}

/// The body of `with suppress(ImportError):`.
fn body_with_suppressed_import_error(statement: &StmtWith) -> Option<TextRange> {
    let suppresses = |expression: &Expr| {
        let Expr::Call(call) = expression else { return false };
        let name = match &*call.func {
            Expr::Name(name) => name.id.as_str(),
            Expr::Attribute(attribute) => attribute.attr.as_str(),
            _ => return false,
        };
        name == "suppress" && call.arguments.args.iter().any(is_import_error)
    };
    let body = statement.body.first()?.range().cover(statement.body.last()?.range());
    statement.items.iter().any(|item| suppresses(&item.context_expr)).then_some(body)
}

fn is_import_error(expression: &Expr) -> bool {
    matches!(expression, Expr::Name(name) if name.id.as_str() == "ImportError")
}

/// The value of a string or bytes token; `None` if it has a backslash, which no module name contains.
fn literal(token: &str) -> Option<&str> {
    let quote = token.find(['"', '\''])?;
    let quoted = &token[quote..];
    if quoted.contains('\\') {
        return None;
    }
    let width = if quoted.len() >= 6 && (quoted.starts_with("\"\"\"") || quoted.starts_with("'''")) { 3 } else { 1 };
    quoted.get(width..quoted.len().checked_sub(width)?)
}

fn is_dotted_name(text: &str) -> bool {
    text.contains('.') && text.split('.').all(is_identifier)
}

fn is_identifier(word: &str) -> bool {
    let mut characters = word.chars();
    let first = characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    first && characters.all(|character| character.is_alphanumeric() || character == '_')
}

fn offset_of(offset: usize) -> ruff_text_size::TextSize {
    ruff_text_size::TextSize::try_from(offset).expect("longer files are not parsed")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `expected`: `module:line`, followed by `?` for weak imports, `"` for strings and `/` for assets.
    fn check(text: &str, expected: &[&str]) {
        let shown = |import: &Import| {
            let mark = match import.kind {
                ImportKind::Import if import.weak => "?",
                ImportKind::Import => "",
                ImportKind::String => "\"",
                ImportKind::Asset => "/",
            };
            format!("{}:{}{mark}", import.module, import.line)
        };
        let found: Vec<String> = parse_imports(text.as_bytes(), true).found.iter().map(shown).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn every_form_of_import_is_found() {
        check("import os, a.b as c\nimport yaml", &["os:1", "a.b:1", "yaml:2"]);
        check("from a import b as c, d\nfrom e import *", &["a.b:1", "a.d:1", "e:2"]);
        check("from . import x\nfrom .. import *\nfrom ..p.q import y", &[".x:1", "..:2", "..p.q.y:3"]);
        check("from a import (\n  b,\n  c,\n)", &["a.b:2", "a.c:3"]);
        check("x = __import__('a.b')\ny = __import__('c', globals())\n__import__(name)", &["a.b:1", "c:2"]);
        check("importlib.import_module('a')", &[]);
        check("print(f'{__import__(\"a\")}')", &["a:1"]);
    }

    #[test]
    fn imports_are_found_at_every_depth() {
        check("def f():\n  class A:\n    async def g(self):\n      import a", &["a:4"]);
        check("if TYPE_CHECKING:\n  import a\nelif x:\n  import b\nelse:\n  import c", &["a:2", "b:4", "c:6"]);
        check("match x:\n  case 1:\n    import a\n", &["a:3"]);
        check("for x in y:\n  import a\nelse:\n  import b\nwhile 1: import c", &["a:2", "b:4", "c:5"]);
        check("with a, b:\n  import c\nif 0: import d; import e", &["c:2", "d:3", "e:3"]);
        check("try:\n  pass\nexcept* E:\n  import a\nfinally:\n  import b", &["a:4", "b:6"]);
    }

    #[test]
    fn an_import_with_a_handled_import_error_is_weak() {
        check("try:\n  import a\nexcept ImportError:\n  import b\nelse:\n  import c", &["a:2?", "b:4", "c:6"]);
        check("try: import a\nexcept (KeyError, ImportError) as e: pass", &["a:1?"]);
        check("try:\n  import a\nexcept ModuleNotFoundError:\n  pass", &["a:2"]);
        check("try:\n  import a\nexcept builtins.ImportError:\n  pass", &["a:2"]);
        check("try:\n  import a\nexcept:\n  pass", &["a:2"]);
        check("with contextlib.suppress(ImportError):\n  import a", &["a:2?"]);
        check("with suppress(KeyError):\n  import a", &["a:2"]);
        check("try:\n  try:\n    import a\n  except E:\n    import b\nexcept ImportError: pass", &["a:3?", "b:5?"]);
        check("try:\n  __import__('a')\nexcept ImportError: pass", &["a:2?"]);
    }

    #[test]
    fn a_strong_import_takes_precedence_over_a_weak_one() {
        check("try:\n  import a\nexcept ImportError: pass\nimport a", &["a:2"]);
    }

    #[test]
    fn the_pragma_ignores_a_name_or_a_statement() {
        check("import a  # pants: no-infer-dep\nimport b", &["b:2"]);
        check("from a import (\n  b,  # pants: no-infer-dep\n  c,\n)", &["a.c:3"]);
        check("from a import (\n  b,\n  c,\n)  # pants: no-infer-dep", &[]);
        check("import a, \\\n  b  # pants: no-infer-dep # noqa", &[]);
        check("from a import (\n  b, c,  # pants: no-infer-dep\n  d,\n)", &["a.b:2", "a.d:3"]);
        check("import a; import b; # pants: no-infer-dep", &["a:1"]);
        check("import a, b  # pants: no-infer-dep", &[]);
        check("x = 'a.b'  # pants: no-infer-dep\ny = '# pants: no-infer-dep'; import c", &["c:2"]);
    }

    #[test]
    fn strings_that_look_like_modules_and_paths_are_found() {
        check(
            "A = ['a.b.C', 'redis.Redis.x', r'd.e', 'no', 'a..b', 'a.1', 'with space.x', b'x.y', 'x\\.y']",
            &["a.b.C:1\"", "redis.Redis.x:1\"", "d.e:1\"", "x.y:1\""],
        );
        check("A = ('a.'\n 'b')", &["a.b:1\""]);
        check("open('data/x.json')\nf'a/{b}'", &["data/x.json:1/"]);
        check("f'{url(\"a.b\")}' 'c.d'\n'e.f'", &["c.d:1\"", "e.f:2\""]);
        check("'''a.b'''", &["a.b:1\""]);
    }

    #[test]
    fn strings_are_ignored_unless_requested() {
        assert_eq!(parse_imports(b"x = 'a.b.c'\nimport d", false).found.len(), 1);
    }

    #[test]
    fn imports_are_found_around_a_syntax_error() {
        let read = parse_imports(b"import a\nprint 'hello'\nx = (\n\ndef f(:\nimport b\n", false);
        assert!(read.found.iter().any(|import| import.module == "a"));
        assert_eq!(read.syntax_error, Some(2));
        check("try:\n  import a\nexcept ImportError, e:\n  import b\n", &["a:2?", "b:4"]);
    }

    #[test]
    fn relative_imports_are_resolved_against_the_package() {
        let absolute = |module: &str, package: &str| {
            let import = Import { module: module.to_owned(), line: 1, weak: false, kind: ImportKind::Import };
            import.absolute(package).into_owned()
        };
        assert_eq!(absolute(".x", "a.b"), "a.b.x");
        assert_eq!(absolute("..x.y", "a.b"), "a.x.y");
        assert_eq!(absolute("...x", "a.b"), "x");
        assert_eq!(absolute("....x", "a.b"), "....x");
        assert_eq!(absolute(".x", ""), "x");
        assert_eq!(absolute("..", "a.b"), "a");
        assert_eq!(absolute("x.y", "a.b"), "x.y");
    }

    #[test]
    fn other_encodings_and_line_ends_are_read() {
        let found =
            |content: &[u8]| parse_imports(content, false).found.into_iter().map(|import| (import.module, import.line));
        assert!(found(b"# -*- coding: latin-1 -*-\nx = '\xe9'\nimport a\n").eq([("a".to_owned(), 3)]));
        assert!(found(b"\xef\xbb\xbfimport a").eq([("a".to_owned(), 1)]));
        assert!(found(b"x = '\xff\xfe'\rimport a\r\nimport b").eq([("a".to_owned(), 2), ("b".to_owned(), 3)]));
    }

    #[test]
    fn blank_means_white_space_only() {
        assert!(parse_imports(b" \r\n\t\x0c\x0b", false).blank);
        assert!(parse_imports(b"", false).blank);
        assert!(!parse_imports(b"# comment", false).blank);
    }

    #[test]
    fn deep_nesting_neither_overflows_the_stack_nor_hides_other_imports() {
        let deep = |unit: &str, end: &str| format!("x = {}1{}\nimport a\n", unit.repeat(10_000), end.repeat(10_000));
        for (unit, end) in
            [("[", "]"), ("(", ")"), ("-", ""), ("not ", ""), ("a + ", ""), ("a.", ""), ("lambda a, b: ", "")]
        {
            let text = deep(unit, end);
            let small = std::thread::Builder::new().stack_size(2 << 20);
            let read =
                small.spawn(move || parse_imports(text.as_bytes(), true)).expect("thread").join().expect("no overflow");
            assert!(read.found.iter().any(|import| import.module == "a") || read.syntax_error.is_some(), "{unit}");
        }
        let nested: String = (0..2_000).map(|depth| format!("{}if 1:\n", " ".repeat(depth))).collect();
        check(&format!("{nested}{}import a", " ".repeat(2_000)), &["a:2001"]);
    }
}
