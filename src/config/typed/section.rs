//! One section of the settings, as the structs of this directory parse it.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::config::{Config, Table};

pub(super) struct Section<'c> {
    pub config: &'c Config,
    pub name: &'c str,
}

impl<'c> Section<'c> {
    pub(super) fn new(config: &'c Config, name: &'c str) -> Section<'c> {
        Section { config, name }
    }

    /// Whether sections of this name have the option: goals and tools differ in some.
    pub(super) fn has(&self, option: &str) -> bool {
        Table::get().row(self.name, option).is_some()
    }

    /// False if the option is unset.
    pub(super) fn flag(&self, option: &str) -> bool {
        self.config.flag(self.name, option)
    }

    pub(super) fn flag_or(&self, option: &str, default: bool) -> bool {
        self.switch(option).unwrap_or(default)
    }

    /// `None` if the option is unset.
    pub(super) fn switch(&self, option: &str) -> Option<bool> {
        self.config.value(self.name, option).as_bool()
    }

    pub(super) fn word(&self, option: &str) -> Option<&'c str> {
        self.config.text(self.name, option)
    }

    pub(super) fn text(&self, option: &str) -> Option<String> {
        self.word(option).map(str::to_owned)
    }

    /// `None` also if the text is empty.
    pub(super) fn filled(&self, option: &str) -> Option<String> {
        self.text(option).filter(|text| !text.is_empty())
    }

    pub(super) fn text_or(&self, option: &str, default: &str) -> String {
        self.word(option).unwrap_or(default).to_owned()
    }

    /// Empty if the option is unset.
    pub(super) fn texts(&self, option: &str) -> Vec<String> {
        self.config.list(self.name, option).into_iter().map(str::to_owned).collect()
    }

    /// `None` if the option is unset.
    pub(super) fn optional_texts(&self, option: &str) -> Option<Vec<String>> {
        self.config.value(self.name, option).is_array().then(|| self.texts(option))
    }

    pub(super) fn integer(&self, option: &str) -> Option<i64> {
        self.config.integer(self.name, option)
    }

    pub(super) fn number(&self, option: &str) -> Option<f64> {
        self.config.number(self.name, option)
    }

    /// A number that is not negative; `None` also for one that is.
    pub(super) fn count<T: TryFrom<i64>>(&self, option: &str) -> Option<T> {
        self.integer(option).and_then(|number| T::try_from(number).ok())
    }

    pub(super) fn seconds(&self, option: &str) -> Option<Duration> {
        self.count(option).map(Duration::from_secs)
    }

    pub(super) fn dict(&self, option: &str) -> &'c Map<String, Value> {
        self.config.dict(self.name, option)
    }
}
