//! Replaces deprecated names of target types and fields by their current names. Takes and returns text, and leaves
//! everything else byte for byte. Which files to rewrite is decided by the goal `update-build-files`.

use std::collections::BTreeSet;

use ruff_python_ast::{Expr, ExprCall, Stmt};
use ruff_text_size::{Ranged, TextRange};

use crate::build_file::Source;

/// A release of Pants, as major and minor number: `(2, 16)`.
pub type Release = (u32, u32);

/// Target types: the deprecated name, the current name, and the first release that has the current one. Source: the
/// release notes of Pants.
const TARGET_TYPES: &[(&str, &str, Release)] = &[
    ("experimental_run_shell_command", "run_shell_command", (2, 16)),
    ("experimental_shell_command", "shell_command", (2, 16)),
    ("experimental_test_shell_command", "test_shell_command", (2, 26)),
    ("protobuf_library", "protobuf_sources", (2, 8)),
    ("python_awslambda", "python_aws_lambda_function", (2, 18)),
    ("python_library", "python_sources", (2, 8)),
    ("python_requirement_library", "python_requirement", (2, 8)),
    ("shell_library", "shell_sources", (2, 8)),
];

/// Fields: the current name of the target type, the deprecated and the current name of the field, and the first release
/// that has the current one. Source: the release notes of Pants.
const FIELDS: &[(&str, &str, &str, Release)] = &[
    ("jvm_artifact", "excludes", "exclusions", (2, 17)),
    ("pex_binary", "experimental_resolve", "resolve", (2, 10)),
    ("python_distribution", "pypi_repositories", "repositories", (2, 9)),
    ("python_requirement", "experimental_resolve", "resolve", (2, 10)),
    ("python_requirements", "experimental_resolve", "resolve", (2, 10)),
    ("python_source", "experimental_resolve", "resolve", (2, 10)),
    ("python_sources", "experimental_resolve", "resolve", (2, 10)),
    ("python_test", "experimental_resolve", "resolve", (2, 10)),
    ("python_test_utils", "experimental_resolve", "resolve", (2, 10)),
    ("python_tests", "experimental_resolve", "resolve", (2, 10)),
];

/// The text with current names, and which kinds of names were replaced.
#[derive(Debug, PartialEq, Eq)]
pub struct Renamed {
    /// The whole text of the file.
    pub text: String,
    /// Whether a target type was renamed.
    pub target_types: bool,
    /// Whether a field was renamed.
    pub fields: bool,
}

/// Renames deprecated target types and fields. `is_at_least` reports whether the repository uses at least a given
/// release of Pants. `macros` are names that preludes define, which are left alone.
pub fn apply_renames(source: &Source, macros: &BTreeSet<String>, is_at_least: &dyn Fn(Release) -> bool) -> Renamed {
    let mut edits: Vec<(TextRange, &str)> = Vec::new();
    let (mut target_types, mut fields) = (false, false);
    for call in source.module.body.iter().filter_map(declaration_call) {
        let Expr::Name(name) = call.func.as_ref() else { continue };
        if macros.contains(name.id.as_str()) {
            continue;
        }
        let known = TARGET_TYPES.iter().find(|(old, _, release)| *old == name.id.as_str() && is_at_least(*release));
        if let Some((_, current, _)) = known {
            edits.push((name.range(), current));
            target_types = true;
        }
        let kind = known.map_or(name.id.as_str(), |(_, current, _)| current);
        for keyword in &call.arguments.keywords {
            let Some(field) = &keyword.arg else { continue };
            let is_old = |(of, old, _, release): &&(&str, &str, &str, Release)| {
                *of == kind && *old == field.as_str() && is_at_least(*release)
            };
            if let Some((_, _, current, _)) = FIELDS.iter().find(is_old) {
                edits.push((field.range(), current));
                fields = true;
            }
        }
    }
    Renamed { text: apply_edits(source.text(), edits), target_types, fields }
}

/// The names that a prelude defines at its top level.
pub fn defined_names(prelude: &Source) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for statement in &prelude.module.body {
        match statement {
            Stmt::FunctionDef(function) => drop(names.insert(function.name.to_string())),
            Stmt::Assign(assign) => {
                let targets = assign.targets.iter().filter_map(Expr::as_name_expr);
                names.extend(targets.map(|name| name.id.to_string()));
            }
            _ => {}
        }
    }
    names
}

/// The call of a statement that is nothing but a call: only those declare targets.
fn declaration_call(statement: &Stmt) -> Option<&ExprCall> {
    statement.as_expr_stmt()?.value.as_call_expr()
}

/// Applies edits, which must be disjoint and in ascending order.
fn apply_edits(text: &str, edits: Vec<(TextRange, &str)>) -> String {
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for (range, new) in edits {
        out.push_str(&text[at..range.start().to_usize()]);
        out.push_str(new);
        at = range.end().to_usize();
    }
    out + &text[at..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::RelPath;

    fn source(text: &str) -> Source {
        Source::parse(&RelPath::parse("BUILD").unwrap(), text.to_owned()).unwrap()
    }

    fn check(text: &str, release: Release, expected: &str) {
        let found =
            apply_renames(&source(text), &BTreeSet::from(["our_library".to_owned()]), &|since| since <= release);
        assert_eq!(found.text, expected);
        assert_eq!(found.target_types || found.fields, text != expected);
    }

    const NEWEST: Release = (u32::MAX, 0);

    #[test]
    fn deprecated_names_are_replaced_and_everything_else_is_unchanged() {
        check("# x\npython_library(name='a', # b\n)\r\n", NEWEST, "# x\npython_sources(name='a', # b\n)\r\n");
        check(
            "python_distribution(\n  pypi_repositories=['x'],\n)",
            NEWEST,
            "python_distribution(\n  repositories=['x'],\n)",
        );
        check("python_awslambda()", NEWEST, "python_aws_lambda_function()");
        check("\u{e4} = 1\npython_library()", NEWEST, "\u{e4} = 1\npython_sources()");
    }

    #[test]
    fn names_that_the_release_does_not_have_are_not_introduced() {
        check("python_awslambda()", (2, 17), "python_awslambda()");
        check("experimental_shell_command()", (2, 15), "experimental_shell_command()");
    }

    #[test]
    fn only_declarations_are_renamed() {
        check("x = python_library\nf('python_library()')", NEWEST, "x = python_library\nf('python_library()')");
        check("pex_binary(pypi_repositories=1)", NEWEST, "pex_binary(pypi_repositories=1)");
    }

    #[test]
    fn a_macro_with_a_deprecated_name_is_left_alone() {
        let names = defined_names(&source("def python_library(**kw):\n  pass\nX = 1\n"));
        assert_eq!(names, BTreeSet::from(["X".to_owned(), "python_library".to_owned()]));
        let found = apply_renames(&source("python_library()"), &names, &|_| true);
        assert_eq!(found.text, "python_library()");
    }
}
