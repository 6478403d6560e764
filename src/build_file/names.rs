//! Names: those that a statement binds, and Python's names that the evaluator does not support.

use std::collections::BTreeSet;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, ExprContext, Stmt};

/// Built-in functions, exceptions and names of `typing` that Pants makes available to BUILD files and preludes.
const PYTHON_ONLY: &[&str] = &[
    "Any",
    "ArithmeticError",
    "BaseException",
    "Callable",
    "Dict",
    "Iterable",
    "Iterator",
    "List",
    "Literal",
    "Mapping",
    "NameError",
    "NamedTuple",
    "Optional",
    "OSError",
    "Sequence",
    "Set",
    "StopIteration",
    "Tuple",
    "TypedDict",
    "Union",
    "ZeroDivisionError",
    "ascii",
    "bin",
    "bytearray",
    "bytes",
    "callable",
    "cast",
    "chr",
    "classmethod",
    "complex",
    "delattr",
    "dir",
    "divmod",
    "eval",
    "exec",
    "format",
    "getattr",
    "globals",
    "hasattr",
    "hash",
    "hex",
    "id",
    "issubclass",
    "iter",
    "locals",
    "memoryview",
    "next",
    "object",
    "oct",
    "ord",
    "pow",
    "property",
    "setattr",
    "slice",
    "staticmethod",
    "super",
    "vars",
];

/// Whether a name exists in Python but not in this evaluator.
pub(super) fn is_python_only(name: &str) -> bool {
    PYTHON_ONLY.contains(&name)
}

/// Every name that a statement may bind, in any of its branches.
pub(super) fn bound_names(statement: &Stmt) -> BTreeSet<&str> {
    let mut names = Names::default();
    names.visit_stmt(statement);
    names.0
}

#[derive(Default)]
struct Names<'a>(BTreeSet<&'a str>);

impl<'a> Visitor<'a> for Names<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(def) => drop(self.0.insert(def.name.as_str())),
            Stmt::ClassDef(def) => drop(self.0.insert(def.name.as_str())),
            _ => {}
        }
        visitor::walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Expr::Name(name) = expr
            && name.ctx == ExprContext::Store
        {
            self.0.insert(name.id.as_str());
        }
        visitor::walk_expr(self, expr);
    }
}
