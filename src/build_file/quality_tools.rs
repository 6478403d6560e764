//! Finds the linters, fixers and formatters that a plugin declares with `CodeQualityToolRuleBuilder(…)`, without running the plugin.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, ExprCall};

use crate::base::RelPath;
use crate::build_file::Source;

/// The class whose calls declare tools.
const BUILDER: &str = "CodeQualityToolRuleBuilder";

/// A tool that a plugin declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QualityTool {
    /// `lint`, `fmt` or `fix`.
    pub goal: String,
    /// The address of a `code_quality_tool`.
    pub target: String,
    /// The name in summaries.
    pub name: String,
    /// The name of the settings section.
    pub scope: String,
}

/// The tools that the text of a plugin declares with literal arguments, in order. A text that cannot be parsed declares none.
pub fn quality_tools(file: &RelPath, text: String) -> Vec<QualityTool> {
    let Ok(source) = Source::parse(file, text) else { return Vec::new() };
    let mut search = BuilderSearch { found: Vec::new() };
    search.visit_body(&source.module.body);
    search.found
}

struct BuilderSearch {
    found: Vec<QualityTool>,
}

impl<'a> Visitor<'a> for BuilderSearch {
    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Expr::Call(call) = expr {
            self.found.extend(declared(call));
        }
        visitor::walk_expr(self, expr);
    }
}

fn declared(call: &ExprCall) -> Option<QualityTool> {
    let name = match &*call.func {
        Expr::Name(name) => name.id.as_str(),
        Expr::Attribute(attribute) => attribute.attr.as_str(),
        _ => return None,
    };
    if name != BUILDER {
        return None;
    }
    let text = |name: &str, place: usize| match call.arguments.find_argument_value(name, place)? {
        Expr::StringLiteral(literal) => Some(literal.value.to_str().to_owned()),
        _ => None,
    };
    Some(QualityTool {
        goal: text("goal", 0)?,
        target: text("target", 1)?,
        name: text("name", 2)?,
        scope: text("scope", 3)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_with_literal_arguments_are_found() {
        let text = r#"
from pants.backend.adhoc import code_quality_tool as cqt
def rules():
    first = cqt.CodeQualityToolRuleBuilder(goal="lint", target="//:flake8", name="Flake8", scope="flake8")
    return [*first.rules(), *CodeQualityToolRuleBuilder("fmt", "a:b", "B", "b").rules(),
            CodeQualityToolRuleBuilder(goal=GOAL, target="", name="", scope="")]
"#;
        let file = RelPath::parse("plugins/x/register.py").unwrap();
        let found = quality_tools(&file, text.to_owned());
        let shown: Vec<_> = found.iter().map(|tool| format!("{} {} {}", tool.goal, tool.target, tool.scope)).collect();
        assert_eq!(shown, ["lint //:flake8 flake8", "fmt a:b b"]);
        assert_eq!(quality_tools(&file, "def".to_owned()), []);
    }
}
