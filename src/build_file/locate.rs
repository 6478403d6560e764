//! Positions of arguments and of parts of their values in the text of a BUILD file, for messages. Declarations do not
//! record them: a repository has a hundred thousand values, and a message needs one.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, ExprCall};
use ruff_text_size::{Ranged, TextSize};

use crate::base::text::Place;
use crate::build_file::Source;

/// The position of a part of the call at `call`. Each name of `path` is an argument, a key of a dict or a string inside
/// the part before it: `["overrides", "a.py", "tags"]`. `None` if the text has no such part, for instance because a macro
/// computes the value.
pub fn locate(source: &Source, call: Place, path: &[&str]) -> Option<Place> {
    let mut search = CallSearch { source, place: call, found: None };
    search.visit_body(&source.module.body);
    let mut at = None;
    let mut part = Part::Call(search.found?);
    for name in path {
        let mut search = PartSearch { name, found: None };
        part.walk(&mut search);
        let (start, next) = search.found?;
        (at, part) = (Some(start), Part::Value(next));
    }
    at.map(|at| source.place(at))
}

enum Part<'a> {
    Call(&'a ExprCall),
    Value(&'a Expr),
}

impl<'a> Part<'a> {
    fn walk(&self, search: &mut PartSearch<'a, '_>) {
        match self {
            Part::Call(call) => search.visit_arguments(&call.arguments),
            Part::Value(value) => search.visit_expr(value),
        }
    }
}

/// Searches the call that begins at a position.
struct CallSearch<'a, 's> {
    source: &'s Source,
    place: Place,
    found: Option<&'a ExprCall>,
}

impl<'a> Visitor<'a> for CallSearch<'a, '_> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Call(call) if self.source.place(call.start()) == self.place => {
                self.found = self.found.or(Some(call));
            }
            _ if self.found.is_none() => visitor::walk_expr(self, expr),
            _ => {}
        }
    }
}

/// Searches the first part with a name: its position, and its value.
struct PartSearch<'a, 'n> {
    name: &'n str,
    found: Option<(TextSize, &'a Expr)>,
}

impl<'a> Visitor<'a> for PartSearch<'a, '_> {
    fn visit_keyword(&mut self, keyword: &'a ruff_python_ast::Keyword) {
        match &keyword.arg {
            Some(arg) if arg.as_str() == self.name => self.found = self.found.or(Some((arg.start(), &keyword.value))),
            _ => visitor::walk_keyword(self, keyword),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        if self.found.is_some() {
            return;
        }
        match expr {
            Expr::Dict(dict) => {
                let is_named = |key: &Expr| {
                    let text = key.as_string_literal_expr().map(|text| text.value.to_str());
                    text == Some(self.name) || key.as_name_expr().is_some_and(|name| name.id.as_str() == self.name)
                };
                let named = dict.items.iter().find_map(|item| {
                    let key = item.key.as_ref().filter(|key| is_named(key))?;
                    Some((key.start(), &item.value))
                });
                match named {
                    Some(named) => self.found = Some(named),
                    None => visitor::walk_expr(self, expr),
                }
            }
            Expr::StringLiteral(text) if text.value.to_str() == self.name => self.found = Some((expr.start(), expr)),
            _ => visitor::walk_expr(self, expr),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::RelPath;

    #[track_caller]
    fn check(text: &str, path: &[&str], expected: Option<(usize, usize)>) {
        let source = Source::parse(&RelPath::parse("BUILD").expect("clean"), text.to_owned()).expect("valid");
        let found = locate(&source, Place { line: 2, column: 1 }, path);
        assert_eq!(found.map(|place| (place.line, place.column)), expected, "{path:?}");
    }

    #[test]
    fn arguments_keys_and_strings_of_a_call_have_a_position() {
        let text = "f(tags=1)\nf(\n  tags=[\n    'a',\n    'b' 'c'],\n  overrides={\n    'x.py': dict(tags='t'),\n    'y': {'k': 1}})\n";
        check(text, &["tags"], Some((3, 3)));
        check(text, &["tags", "bc"], Some((5, 5)));
        check(text, &["overrides", "x.py", "tags"], Some((7, 18)));
        check(text, &["overrides", "y", "k"], Some((8, 11)));
        check(text, &["tags", "none"], None);
        check(text, &[], None);
        check("\n\nf(tags=1)\n", &["tags"], None);
    }
}
