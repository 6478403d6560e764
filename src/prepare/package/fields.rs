//! Fields of packages, read by name, with the defaults of Pants for fields that are not set.

use crate::targets::{Target, Value};

/// A string; `None` if the field is unset.
pub(super) fn text<'t>(target: &'t Target, field: &str) -> Option<&'t str> {
    target.fields.get(field).and_then(Value::as_str)
}

/// A string, or its default.
pub(super) fn text_or<'t>(target: &'t Target, field: &str, default: &'t str) -> &'t str {
    text(target, field).unwrap_or(default)
}

/// A boolean; `None` if the field is unset.
pub(super) fn switch(target: &Target, field: &str) -> Option<bool> {
    target.fields.get(field).and_then(Value::as_bool)
}

/// A boolean, or its default.
pub(super) fn flag(target: &Target, field: &str, default: bool) -> bool {
    switch(target, field).unwrap_or(default)
}

/// A list of strings; empty if the field is unset.
pub(super) fn texts(target: &Target, field: &str) -> Vec<String> {
    let strings = target.fields.get(field).map(Value::strings).unwrap_or_default();
    strings.into_iter().map(str::to_owned).collect()
}

/// Whether the field has another value than `None`.
pub(super) fn is_set(target: &Target, field: &str) -> bool {
    target.fields.get(field).is_some_and(|value| *value != Value::None)
}

/// The entries of a dict with strings as keys and values, in the order in which they are written.
pub(super) fn text_pairs<'t>(target: &'t Target, field: &str) -> Vec<(&'t str, &'t str)> {
    match target.fields.get(field) {
        Some(Value::Dict(entries)) => {
            entries.iter().filter_map(|(key, value)| Some((key.as_str()?, value.as_str()?))).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether the value of the field is an object such as `http_source(…)`.
pub(super) fn is_object(target: &Target, field: &str) -> bool {
    matches!(target.fields.get(field), Some(Value::Object(_)))
}
