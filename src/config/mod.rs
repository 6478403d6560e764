//! Configuration: the option table, settings files, the environment, flags, and their precedence. No other room reads the
//! environment or a settings file.

pub mod index;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::base::Digest;

mod at_file;
pub mod backends;
pub mod build_root;
mod environment;
mod error;
mod file;
mod interpolate;
mod literal;
mod load;
pub mod plugins;
mod settings;
pub mod shell;
pub mod table;
pub mod typed;
mod value;

pub use environment::Environment;
pub use error::{Error, Origin, Warning};
pub use settings::SettingsSources;
pub use table::Table;

/// A flag of the command line that sets an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The scope of the option.
    pub scope: String,
    /// The name of the option.
    pub option: String,
    /// The value as text.
    pub value: String,
    /// The flag as the user wrote it.
    pub spelling: String,
}

/// The values of all options, after precedence, interpolation and `@file` values are applied.
#[derive(Clone, Debug)]
pub struct Config {
    values: BTreeMap<&'static str, BTreeMap<&'static str, Value>>,
}

impl Config {
    /// Determines the values of all options. `passthrough` contains the arguments after `--`.
    pub fn load(
        settings: &SettingsSources,
        flags: &[Flag],
        passthrough: &[String],
    ) -> Result<(Config, Vec<Warning>), Error> {
        load::load(settings, flags, passthrough)
    }

    /// A configuration with these values, given as scope, option and value. Other options have their defaults.
    pub fn of(values: impl IntoIterator<Item = (&'static str, &'static str, Value)>) -> Config {
        let mut config = Config::default();
        for (scope, option, value) in values {
            config.set(scope, option, value);
        }
        config
    }

    /// The value of an option; `null` if it has neither a value nor a default.
    pub fn value(&self, scope: &str, option: &str) -> &Value {
        let value = self.values.get(scope).and_then(|options| options.get(option));
        debug_assert!(value.is_some(), "[{scope}] {option} is not in the option table");
        value.unwrap_or(&Value::Null)
    }

    /// The value of a Boolean option; false if it has none.
    pub fn flag(&self, scope: &str, option: &str) -> bool {
        self.value(scope, option).as_bool().unwrap_or(false)
    }

    /// The value of an integer option, or of a size in bytes.
    pub fn integer(&self, scope: &str, option: &str) -> Option<i64> {
        self.value(scope, option).as_i64()
    }

    /// The value of a numeric option.
    pub fn number(&self, scope: &str, option: &str) -> Option<f64> {
        self.value(scope, option).as_f64()
    }

    /// The value of a string option.
    pub fn text(&self, scope: &str, option: &str) -> Option<&str> {
        self.value(scope, option).as_str()
    }

    /// The value of a list option; empty if it has none.
    pub fn list(&self, scope: &str, option: &str) -> Vec<&str> {
        let items = self.value(scope, option).as_array();
        items.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The value of a dict option; empty if it has none.
    pub fn dict(&self, scope: &str, option: &str) -> &Map<String, Value> {
        static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
        self.value(scope, option).as_object().unwrap_or(&EMPTY)
    }

    /// True if the option is unset or set to its default.
    pub fn is_default(&self, scope: &str, option: &str) -> bool {
        Table::get().row(scope, option).is_some_and(|row| row.default == *self.value(scope, option))
    }

    /// A digest of the values of all options.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(serde_json::to_string(&self.values).expect("names and values always serialize").as_bytes())
    }

    fn set(&mut self, scope: &'static str, option: &'static str, value: Value) {
        debug_assert!(Table::get().row(scope, option).is_some(), "[{scope}] {option} is not in the option table");
        self.values.entry(scope).or_default().insert(option, value);
    }
}

/// All options have their defaults.
impl Default for Config {
    fn default() -> Config {
        let mut values: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for (section, row) in Table::get().rows() {
            values.entry(section.name).or_default().insert(row.entry.name, row.default.clone());
        }
        Config { values }
    }
}
