//! `__defaults__`: default fields of a directory and its subdirectories, for targets that do not set them.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::RelPath;
use crate::base::text;
use crate::build_file::{DefaultsCall, Diagnostic, GROUP_PREFIX, Value};
use crate::targets::field_types::{self, Mismatch};
use crate::targets::kind::{self, COMMON, Kind};

/// Field names and values.
pub(super) type Fields = BTreeMap<String, Value>;

/// Default fields by target type.
#[derive(Clone, Debug, Default)]
pub(super) struct Defaults(BTreeMap<String, Fields>);

impl Defaults {
    /// The default fields of a target type.
    pub(super) fn get(&self, kind: &str) -> Option<&Fields> {
        self.0.get(kind)
    }

    /// Adds the defaults of a target type to explicit fields, which take precedence.
    pub(super) fn apply_to(&self, kind: &str, fields: Fields) -> Fields {
        let Some(defaults) = self.0.get(kind) else { return fields };
        let mut merged = defaults.clone();
        merged.extend(fields);
        merged
    }

    /// Applies one call of `__defaults__`. Without `extend`, it replaces the inherited defaults of the target types
    /// that it names, and only those.
    pub(super) fn apply(&mut self, call: &DefaultsCall, file: &RelPath, diagnostics: &mut Vec<Diagnostic>) {
        let mut new = if call.extend { self.0.clone() } else { BTreeMap::new() };
        check_types(call, file, diagnostics);
        if !call.all.is_empty() {
            for kind in kind::kinds() {
                let taken = call.all.iter().filter(|(field, _)| is_set_by_all(kind, field)).cloned();
                new.entry(kind.name.to_owned()).or_default().extend(taken);
            }
        }
        for (kinds, fields) in &call.kinds {
            for name in kinds {
                let Some(kind) = Kind::find(name) else {
                    if !call.ignore_unknown_targets {
                        let warning = Diagnostic::unknown(file, call.place, "target type", &format!("`{name}`"));
                        diagnostics.push(warning.did_you_mean(crate::targets::kind::nearest(name)));
                    }
                    new.entry(name.clone()).or_default().extend(fields.iter().cloned());
                    continue;
                };
                let (known, unknown): (Vec<_>, Vec<_>) =
                    fields.iter().cloned().partition(|(field, _)| is_group(field) || kind.takes(field));
                if let Some((field, _)) = unknown.first().filter(|_| !call.ignore_unknown_fields) {
                    let name = format!("`{field}` of `{name}`");
                    let warning = Diagnostic::unknown(file, call.place, "field", &name);
                    diagnostics.push(warning.did_you_mean(text::nearest(field, kind.field_names())));
                }
                new.entry(name.clone()).or_default().extend(known);
            }
        }
        for (kind, fields) in new {
            match fields.is_empty() {
                true => self.0.remove(&kind),
                false => self.0.insert(kind, fields),
            };
        }
    }
}

/// Reports values of the wrong type, each once.
fn check_types(call: &DefaultsCall, file: &RelPath, diagnostics: &mut Vec<Diagnostic>) {
    let named = call.kinds.iter().flat_map(|(kinds, fields)| kinds.iter().map(move |kind| (kind.as_str(), fields, "")));
    let all = kind::kinds().filter(|kind| !kind.open_ended).map(|kind| (kind.name, &call.all, "all"));
    let mut reported = BTreeSet::new();
    for (name, fields, argument) in named.chain(all.filter(|(_, fields, _)| !fields.is_empty())) {
        let Some(kind) = Kind::find(name) else { continue };
        let fields = fields.iter().map(|(field, value)| (field, value));
        for Mismatch { message, hint, path } in field_types::check_fields(kind, fields).mismatches {
            let message = match argument {
                "" => message,
                argument => message.replacen(&format!("of `{name}`"), &format!("in `{argument}` of `__defaults__`"), 1),
            };
            if reported.insert((argument, path)) {
                diagnostics.push(Diagnostic { hint, ..Diagnostic::error(file, call.place, message) });
            }
        }
    }
}

/// Whether the argument `all` sets a field of a target type. For open-ended types, it sets only the fields common to
/// all types.
fn is_set_by_all(kind: &Kind, field: &str) -> bool {
    is_group(field) || if kind.open_ended { COMMON.contains(&field) } else { kind.takes(field) }
}

fn is_group(field: &str) -> bool {
    field.starts_with(GROUP_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::text::Place;

    fn call(kinds: &[(&str, &str, &str)], extend: bool) -> DefaultsCall {
        let value = |text: &str| Value::Str(text.to_owned());
        let kind = |(kind, field, text): &(&str, &str, &str)| {
            let fields = if field.is_empty() { Vec::new() } else { vec![((*field).to_owned(), value(text))] };
            (vec![(*kind).to_owned()], fields)
        };
        DefaultsCall {
            kinds: kinds.iter().map(kind).collect(),
            all: Vec::new(),
            extend,
            ignore_unknown_fields: false,
            ignore_unknown_targets: false,
            place: Place::default(),
        }
    }

    fn applied(calls: &[DefaultsCall]) -> (Defaults, Vec<Diagnostic>) {
        let (mut defaults, mut diagnostics) = (Defaults::default(), Vec::new());
        for call in calls {
            defaults.apply(call, &RelPath::root(), &mut diagnostics);
        }
        (defaults, diagnostics)
    }

    #[test]
    fn a_call_without_extend_replaces_only_the_types_it_names() {
        let first = call(&[("python_test", "resolve", "a"), ("python_source", "resolve", "a")], false);
        let (defaults, _) = applied(&[first, call(&[("python_test", "timeout", "1")], false)]);
        assert_eq!(defaults.get("python_test").map(|fields| fields.contains_key("resolve")), Some(false));
        assert!(defaults.get("python_source").is_some());
    }

    #[test]
    fn extend_preserves_defaults_and_an_empty_dict_clears_them() {
        let first = call(&[("python_test", "resolve", "a")], false);
        let (defaults, _) = applied(&[first.clone(), call(&[("python_test", "timeout", "1")], true)]);
        assert_eq!(defaults.get("python_test").map(BTreeMap::len), Some(2));
        let (defaults, _) = applied(&[first, call(&[("python_test", "", "")], false)]);
        assert!(defaults.get("python_test").is_none());
    }

    #[test]
    fn all_silently_skips_types_without_the_field() {
        let mut all = call(&[], false);
        all.all = vec![("resolve".to_owned(), Value::Str("a".to_owned()))];
        let (defaults, diagnostics) = applied(&[all]);
        assert!(defaults.get("python_source").is_some() && defaults.get("resource").is_none());
        assert!(diagnostics.is_empty());
    }

    #[test]
    fn an_unknown_field_gets_a_suggestion() {
        let (_, diagnostics) = applied(&[call(&[("python_test", "tiemout", "1")], false)]);
        assert_eq!(diagnostics[0].hint.as_deref(), Some("did you mean `timeout`?"));
    }
}
