//! The variants of a parametrized generator, where `overrides` sets one of its parameters: which of the variants generates
//! the target, and under which parameters. Expansion to variants is in `parametrize`.

use crate::build_file::Value;
use crate::targets::defaults::Fields;
use crate::targets::parametrize::Parameters;

/// One variant of a parametrized generator, among all its variants.
#[derive(Clone, Copy)]
pub(super) struct Variant<'v> {
    /// The parameters of this variant.
    pub parameters: &'v Parameters,
    /// All variants, with their fields.
    pub all: &'v [(Parameters, Fields)],
}

impl Variant<'_> {
    /// The parameters that `overrides` sets to another value for one generated target. `None` if another variant generates
    /// this target: the one that has the overridden value, or the first one if none has it.
    pub(super) fn overridden(&self, fields: &Fields) -> Option<Parameters> {
        let mut overridden = Parameters::new();
        for field in self.parameters.keys() {
            let same = |(_, other): &&(Parameters, Fields)| other.get(field) == fields.get(field);
            let is_self = |(parameters, _): &(Parameters, Fields)| parameters == self.parameters;
            if self.all.iter().find(|variant| is_self(variant)).is_some_and(|own| same(&own)) {
                continue;
            }
            let agrees = |(parameters, _): &&(Parameters, Fields)| {
                parameters.iter().all(|(name, value)| name == field || self.parameters.get(name) == Some(value))
            };
            let Some(Value::Str(value)) = fields.get(field) else { continue };
            let mut agreeing = self.all.iter().filter(agrees);
            if agreeing.clone().any(|other| same(&other)) || !agreeing.next().is_some_and(is_self) {
                return None;
            }
            overridden.insert(field.clone(), value.clone());
        }
        Some(overridden)
    }
}
