//! What the user set: the option table, pants.toml and its friends, the environment, flags, and who wins.
//! Nobody else reads the environment or a settings file.

pub mod index;

use std::collections::BTreeMap;

use serde_json::Value;

/// Every option's value, after precedence, interpolation and `@file` values.
#[derive(Clone, Debug, Default)]
pub struct Config {
    values: BTreeMap<(String, String), Value>,
}

impl Config {
    /// Options that are not named keep their defaults.
    pub fn of(values: impl IntoIterator<Item = (&'static str, &'static str, Value)>) -> Config {
        let values = values.into_iter().map(|(scope, option, value)| ((scope.to_owned(), option.to_owned()), value));
        Config { values: values.collect() }
    }

    /// `null` where the option has neither a value nor a default.
    pub fn value(&self, scope: &str, option: &str) -> &Value {
        self.values.get(&(scope.to_owned(), option.to_owned())).unwrap_or(&Value::Null)
    }

    pub fn flag(&self, scope: &str, option: &str) -> bool {
        self.value(scope, option).as_bool().unwrap_or(false)
    }

    pub fn integer(&self, scope: &str, option: &str) -> Option<i64> {
        self.value(scope, option).as_i64()
    }

    pub fn text(&self, scope: &str, option: &str) -> Option<&str> {
        self.value(scope, option).as_str()
    }

    pub fn list(&self, scope: &str, option: &str) -> Vec<&str> {
        let items = self.value(scope, option).as_array();
        items.into_iter().flatten().filter_map(Value::as_str).collect()
    }
}
