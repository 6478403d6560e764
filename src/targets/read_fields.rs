//! Reads a field of a target by its name and type. A field that is not set, or that has another type, reads as absent.

use crate::targets::{Object, Target, Value};

impl Target {
    /// A string.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field).and_then(Value::as_str)
    }

    /// The strings of a list; empty if the field is absent.
    pub fn strings(&self, field: &str) -> Vec<&str> {
        self.fields.get(field).map(Value::strings).unwrap_or_default()
    }

    /// A boolean.
    pub fn flag(&self, field: &str) -> Option<bool> {
        self.fields.get(field).and_then(Value::as_bool)
    }

    /// An integer.
    pub fn number(&self, field: &str) -> Option<i64> {
        self.fields.get(field).and_then(Value::as_int)
    }

    /// The entries of a dict, in the order in which they are written; empty if the field is absent.
    pub fn entries(&self, field: &str) -> &[(Value, Value)] {
        self.fields.get(field).and_then(Value::as_dict).unwrap_or_default()
    }

    /// The entries of a dict whose keys and values are strings, in the order in which they are written.
    pub fn string_pairs(&self, field: &str) -> impl Iterator<Item = (&str, &str)> {
        self.entries(field).iter().filter_map(|(key, value)| Some((key.as_str()?, value.as_str()?)))
    }

    /// An object such as `http_source(…)` or `python_artifact(…)`.
    pub fn object(&self, field: &str) -> Option<&Object> {
        self.fields.get(field).and_then(Value::as_object)
    }

    /// Whether the field has another value than `None`.
    pub fn is_set(&self, field: &str) -> bool {
        self.fields.get(field).is_some_and(|value| *value != Value::None)
    }
}
