//! The declarations of an evaluated BUILD file. The module `targets` interprets them.

use std::collections::BTreeMap;

use crate::base::RelPath;
use crate::base::text::Place;
use crate::build_file::{Diagnostic, Value};

/// Prefix of the generated keys under which `fields` holds `**parametrize("name", …)`, as parametrize objects.
pub const GROUP_PREFIX: &str = "**parametrize#";

/// One target as a BUILD file declares it, before defaults and parametrization.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetDecl {
    /// The target type as written: `python_sources`.
    pub kind: String,
    /// The field `name`, if it is set.
    pub name: Option<String>,
    /// All other fields that are set.
    pub fields: BTreeMap<String, Value>,
    /// The position of the call in the BUILD file, even if a macro declares the target.
    pub place: Place,
    /// The position of the call in the macro that declares the target, if a macro of a prelude does.
    pub macro_place: Option<(RelPath, Place)>,
    /// Number of `__defaults__` calls before this declaration in the file. Later calls do not apply to it.
    pub defaults_before: usize,
}

/// Field names and values, in the order written.
pub type FieldList = Vec<(String, Value)>;

/// One call of `__defaults__`.
#[derive(Clone, Debug, PartialEq)]
pub struct DefaultsCall {
    /// Target types and their fields, in the order written.
    pub kinds: Vec<(Vec<String>, FieldList)>,
    /// The argument `all`: fields for every target type that has them.
    pub all: FieldList,
    /// The argument `extend`: keep inherited defaults instead of replacing them.
    pub extend: bool,
    /// The argument `ignore_unknown_fields`: report no unknown fields.
    pub ignore_unknown_fields: bool,
    /// The argument `ignore_unknown_targets`: report no unknown target types.
    pub ignore_unknown_targets: bool,
    /// The position of the call in the BUILD file.
    pub place: Place,
}

/// One call of `__dependencies_rules__` or `__dependents_rules__`, not yet parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct RulesCall {
    /// The positional arguments.
    pub rulesets: Vec<Value>,
    /// The argument `extend`: append the inherited rule sets.
    pub extend: bool,
    /// The position of the call in the BUILD file.
    pub place: Place,
}

/// The declarations of one BUILD file, and the diagnostics of its evaluation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BuildFile {
    /// Targets, in the order of their declaration.
    pub targets: Vec<TargetDecl>,
    /// Calls of `__defaults__`, in order.
    pub defaults: Vec<DefaultsCall>,
    /// Calls of `__dependencies_rules__`, in order.
    pub dependencies_rules: Vec<RulesCall>,
    /// Calls of `__dependents_rules__`, in order.
    pub dependents_rules: Vec<RulesCall>,
    /// Errors and warnings of the evaluation.
    pub diagnostics: Vec<Diagnostic>,
    /// True if errors in this file may change the defaults or rules that its subdirectories inherit.
    pub affects_subdirectories: bool,
}
