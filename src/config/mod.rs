//! Configuration: the option table, settings files, the environment, flags, and their precedence. No other room reads the
//! environment or a settings file.

pub mod index;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};

use crate::base::Digest;

mod at_file;
pub mod backends;
pub mod build_root;
mod environment;
mod error;
mod file;
pub mod implied;
mod interpolate;
mod literal;
mod load;
pub mod plugins;
pub mod poetry;
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
    /// The options whose value has an undefined placeholder. They have their defaults in `values`.
    undefined: Arc<BTreeMap<(&'static str, &'static str), Undefined>>,
    /// Where a test records which options are read.
    reads: Option<ReadLog>,
}

/// The options that were read, as scope and name.
pub type ReadLog = Arc<Mutex<BTreeSet<(String, String)>>>;

/// An option whose value has an undefined placeholder: an error only if the option is read.
#[derive(Debug)]
struct Undefined {
    origin: Origin,
    message: String,
    hint: Option<String>,
    was_read: AtomicBool,
}

impl Config {
    /// Determines the values of all options. `passthrough` contains the arguments after `--`. If `receiver` is given, only this
    /// section gets them; otherwise every section does.
    pub fn load(
        settings: &SettingsSources,
        flags: &[Flag],
        passthrough: &[String],
        receiver: Option<&str>,
    ) -> Result<(Config, Vec<Warning>), Error> {
        load::load(settings, flags, passthrough, receiver)
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
        if let Some(reads) = &self.reads {
            let mut reads = reads.lock().unwrap_or_else(PoisonError::into_inner);
            reads.insert((scope.to_owned(), option.to_owned()));
        }
        if !self.undefined.is_empty() {
            self.mark_read(scope, option);
        }
        let value = self.values.get(scope).and_then(|options| options.get(option));
        debug_assert!(value.is_some(), "[{scope}] {option} is not in the option table");
        value.unwrap_or(&Value::Null)
    }

    /// The error of an option that was read although its value has an undefined placeholder. The reader got the default, so
    /// nothing that depends on it may be run or written.
    pub fn undefined_read(&self) -> Option<Error> {
        let read = self.undefined.values().find(|undefined| undefined.was_read.load(Ordering::Relaxed))?;
        let Undefined { origin, message, hint, .. } = read;
        Some(Error::Invalid { origin: origin.clone(), message: message.clone(), hint: hint.clone() })
    }

    /// The default configuration, with a log of the options that are read from it.
    pub fn recording() -> (Config, ReadLog) {
        let reads = ReadLog::default();
        (Config { reads: Some(reads.clone()), ..Config::default() }, reads)
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
        let mut text = serde_json::to_string(&self.values).expect("names and values always serialize");
        text.extend(self.undefined.keys().map(|(scope, option)| format!("\n[{scope}] {option} is undefined")));
        Digest::of(text.as_bytes())
    }

    fn mark_read(&self, scope: &str, option: &str) {
        let read = self.undefined.iter().filter(|((of, name), _)| *of == scope && *name == option);
        read.for_each(|(_, undefined)| undefined.was_read.store(true, Ordering::Relaxed));
    }

    fn set_undefined(&mut self, scope: &'static str, option: &'static str, undefined: Undefined) {
        let all = Arc::get_mut(&mut self.undefined).expect("a configuration is not shared while it is loaded");
        all.insert((scope, option), undefined);
    }

    fn set(&mut self, scope: &'static str, option: &'static str, value: Value) {
        debug_assert!(Table::get().row(scope, option).is_some(), "[{scope}] {option} is not in the option table");
        self.values.entry(scope).or_default().insert(option, value);
    }
}

impl Undefined {
    fn new(origin: Origin, message: String, hint: Option<String>) -> Undefined {
        Undefined { origin, message, hint, was_read: AtomicBool::new(false) }
    }
}

/// All options have their defaults.
impl Default for Config {
    fn default() -> Config {
        let mut values: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for (section, row) in Table::get().rows() {
            values.entry(section.name).or_default().insert(row.entry.name, row.default.clone());
        }
        Config { values, undefined: Arc::default(), reads: None }
    }
}
