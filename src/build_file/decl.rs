//! What a BUILD file declares, once evaluated. What the declarations mean is `target`'s.

use std::collections::BTreeMap;

use crate::base::text::Place;
use crate::build_file::{Diagnostic, Value};

/// Fields that came from `**parametrize("name", …)` stand under keys with this prefix, as parametrize objects.
pub const GROUP_PREFIX: &str = "**parametrize#";

#[derive(Clone, Debug, PartialEq)]
pub struct TargetDecl {
    /// The target type as written: `python_sources`.
    pub kind: String,
    pub name: Option<String>,
    pub fields: BTreeMap<String, Value>,
    /// The call in the BUILD file, also when a macro made the target.
    pub place: Place,
    /// How many calls of `__defaults__` stand before it in the file: later ones do not count.
    pub defaults_before: usize,
}

/// Field names and values, in the order written.
pub type FieldList = Vec<(String, Value)>;

/// One call of `__defaults__`.
#[derive(Clone, Debug, PartialEq)]
pub struct DefaultsCall {
    /// Target types and their fields, in the order written.
    pub kinds: Vec<(Vec<String>, FieldList)>,
    pub all: FieldList,
    pub extend: bool,
    pub ignore_unknown_fields: bool,
    pub ignore_unknown_targets: bool,
    pub place: Place,
}

/// One call of `__dependencies_rules__` or `__dependents_rules__`, unread.
#[derive(Clone, Debug, PartialEq)]
pub struct RulesCall {
    pub rulesets: Vec<Value>,
    pub extend: bool,
    pub place: Place,
}

/// `is_inherited`: it hands defaults or rules down to the directories below it, or may do so.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BuildFile {
    pub targets: Vec<TargetDecl>,
    pub defaults: Vec<DefaultsCall>,
    pub dependencies_rules: Vec<RulesCall>,
    pub dependents_rules: Vec<RulesCall>,
    pub diagnostics: Vec<Diagnostic>,
    pub is_inherited: bool,
}
