//! Combines the values of all sources into one value for each option. Reads only files that `@path` values name.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::base::sandbox_paths;
use crate::base::text::nearest;
use crate::config::file::SettingsFile;
use crate::config::interpolate::{Unresolved, interpolate};
use crate::config::settings::{SettingsSources, SourceValue};
use crate::config::table::unsupported::{self, Effect};
use crate::config::table::{Row, ScopeKind, Table, renamed};
use crate::config::typed::ServiceTable;
use crate::config::value::{self, Edit, InvalidValue};
use crate::config::{Config, Error, Flag, Origin, Undefined, Warning, at_file, backends};

/// Where the build root is mounted in every sandbox.
const SANDBOX_BUILD_ROOT: &str = sandbox_paths::SRC;

/// The values of all options. `passthrough` contains the arguments after `--`, which only the section `receiver` gets if it is
/// given.
pub(super) fn load(
    settings: &SettingsSources,
    flags: &[Flag],
    passthrough: &[String],
    receiver: Option<&str>,
) -> Result<(Config, Vec<Warning>), Error> {
    check_services(settings)?;
    let resolver = Resolver::new(settings, flags);
    let distdir = resolver.value("GLOBAL", "pants_distdir")?;
    let distdir = distdir.as_str().unwrap_or("dist");
    let mut config = Config::default();
    let mut unsupported = Vec::new();
    for (section, row) in Table::get().rows() {
        let mut value = match resolver.row(section.name, row) {
            Ok(value) => value,
            // An error only for a goal that reads the option.
            Err(Error::Undefined { origin, message, hint }) => {
                config.set_undefined(section.name, row.entry.name, Undefined::new(origin, message, hint));
                continue;
            }
            Err(error) => return Err(error),
        };
        if value != row.default
            && let Effect::Unsupported(reason) = unsupported::effect(section.name, row.entry.name)
        {
            unsupported.extend(unsupported_setting(settings, flags, section.name, row, reason)?);
        }
        if let Value::String(text) = &mut value {
            *text = text.replace("{distdir}", distdir);
        }
        let is_receiver = row.entry.passthrough && receiver.is_none_or(|receiver| receiver == section.name);
        if let (true, Value::Array(list)) = (is_receiver, &mut value) {
            list.extend(passthrough.iter().cloned().map(Value::String));
        }
        config.set(section.name, row.entry.name, value);
    }
    let is_strict = config.text("reading", "unknown") == Some("error");
    if !is_strict && !config.flag("GLOBAL", "verify_config") {
        return Ok((config, Vec::new()));
    }
    let plugin_dirs = config.list("GLOBAL", "pythonpath");
    let declares_tools = |backend: &str| settings.declares_tools(&plugin_dirs, backend);
    let unsupported =
        one_warning("unsupported setting without effect", "unsupported settings without effect", &unsupported);
    let unsupported = unsupported.map(|message| Warning { message, hint: None });
    let warnings = unknown(settings).into_iter().chain(unsupported).chain(backends::unknown(&config, &declares_tools));
    let warnings: Vec<Warning> = warnings.collect();
    match warnings.first().filter(|_| is_strict).cloned() {
        Some(Warning { message, hint }) => Err(Error::Unknown { message: message.replace(", ignored", ""), hint }),
        None => Ok((config, warnings)),
    }
}

/// Refuses a table of a service that is not valid.
fn check_services(settings: &SettingsSources) -> Result<(), Error> {
    for file in &settings.files {
        for (name, setting) in file.sections.get("services").into_iter().flat_map(|section| &section.settings) {
            let invalid = |why| Error::invalid(&file.origin(setting.place), format!("service `{name}`: {why}"));
            ServiceTable::parse(&setting.value).map_err(invalid)?;
        }
    }
    Ok(())
}

/// Determines the values of single options.
pub(super) struct Resolver<'a> {
    settings: &'a SettingsSources,
    flags: &'a [Flag],
    seeds: BTreeMap<&'static str, String>,
}

impl<'a> Resolver<'a> {
    /// A resolver for these sources and flags.
    pub(super) fn new(settings: &'a SettingsSources, flags: &'a [Flag]) -> Resolver<'a> {
        let environment = &settings.environment;
        let user = environment.user.clone();
        let home = environment.home.as_ref().map(|home| home.display().to_string()).unwrap_or_default();
        let root = settings.build_root.display().to_string();
        let seeds = BTreeMap::from([("buildroot", root), ("homedir", home), ("user", user)]);
        let mut resolver = Resolver { settings, flags, seeds };
        for (name, default) in
            [("pants_workdir", ".pants.d"), ("pants_distdir", "dist"), ("pants_supportdir", "build-support")]
        {
            // An invalid value is reported later, when the option itself is loaded.
            let value = resolver.value("GLOBAL", name).ok();
            let dir = value.as_ref().and_then(Value::as_str).unwrap_or(default);
            resolver.seeds.insert(name, settings.build_root.join(dir).display().to_string());
        }
        resolver
    }

    /// The value of an option, which must be in the option table.
    pub(super) fn value(&self, scope: &str, option: &str) -> Result<Value, Error> {
        let row = Table::get().row(scope, option).expect("callers use only options of the table");
        self.row(scope, row)
    }

    fn row(&self, scope: &str, row: &Row) -> Result<Value, Error> {
        let given = self.settings.values_of(scope, row.entry.name, self.flags);
        if given.is_empty() {
            return Ok(row.default.clone());
        }
        let mut edits = Vec::new();
        for given in given {
            let value = match given.file {
                Some(file) => self.interpolated(row, &given, file).map_err(|invalid| {
                    let InvalidValue { message, hint } = name_option(scope, row, invalid);
                    Error::Undefined { origin: given.origin.clone(), message, hint }
                })?,
                None => given.value.clone(),
            };
            edits.extend(self.edits(row, &value).map_err(|invalid| {
                let InvalidValue { message, hint } = name_option(scope, row, invalid);
                Error::Invalid { origin: given.origin.clone(), message, hint }
            })?);
        }
        Ok(value::merge(&row.default, edits))
    }

    fn edits(&self, row: &Row, value: &Value) -> Result<Vec<Edit>, InvalidValue> {
        match at_file::expand(row.entry.kind, value, &self.settings.build_root)? {
            Some(value) => value::edits(row.entry.kind, &value),
            None => Ok(Vec::new()),
        }
    }

    fn interpolated(&self, row: &Row, given: &SourceValue<'_>, file: &SettingsFile) -> Result<Value, InvalidValue> {
        let lookup = |name: &str| {
            let in_section = |section| file.setting(section, name).and_then(|setting| plain(&setting.value));
            if row.entry.in_sandbox && name == "buildroot" {
                return Some(SANDBOX_BUILD_ROOT.to_owned());
            }
            if let Some(variable) = name.strip_prefix("env.") {
                return self.settings.environment.vars.unrecorded().get(variable).cloned();
            }
            in_section(given.section).or_else(|| in_section("DEFAULT")).or_else(|| self.seeds.get(name).cloned())
        };
        interpolate(&given.value, &lookup).map_err(|unresolved| match unresolved {
            Unresolved::Unknown(name) => {
                InvalidValue { message: format!("`%({name})s` is not defined"), hint: Some(advice(&name)) }
            }
            Unresolved::Recursive(name) => InvalidValue {
                message: format!("`%({name})s` refers to itself or expands to too much text"),
                hint: None,
            },
        })
    }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn advice(name: &str) -> String {
    match name.strip_prefix("env.") {
        Some(variable) => format!("set the environment variable `{variable}`"),
        None => format!("set `{name}` in the same section or in `[DEFAULT]`"),
    }
}

fn name_option(scope: &str, row: &Row, invalid: InvalidValue) -> InvalidValue {
    InvalidValue { message: format!("option `{}` of `[{scope}]`: {}", row.entry.name, invalid.message), ..invalid }
}

/// One warning for all unknown sections and options. Many of them belong to plugins.
fn unknown(settings: &SettingsSources) -> Option<Warning> {
    let mut found = Vec::new();
    let mut hint = None;
    for file in &settings.files {
        // Profiles are checked whether they are chosen or not.
        let sections = file.sections.iter().chain(file.profiles.values().flatten());
        for (name, section) in sections.filter(|(name, _)| *name != "DEFAULT") {
            let scope = renamed::scope(name);
            let Some(known) = Table::get().section(scope) else {
                found.push(format!("{}:{}: [{name}]", file.name, section.place));
                let names = Table::get().sections().map(|section| section.name);
                hint = hint.or_else(|| nearest(name, names).map(|near| format!("did you mean `[{near}]`?")));
                continue;
            };
            if known.kind == ScopeKind::Named {
                continue;
            }
            let is_known = |key: &str| known.rows.contains_key(key) || renamed::option(scope, key).is_some();
            for (key, setting) in section.settings.iter().filter(|(key, _)| !known.is_inert && !is_known(key)) {
                found.push(format!("{}:{}: `{key}` of `[{name}]`", file.name, setting.place));
                let near = nearest(key, known.rows.keys().copied());
                hint = hint.or_else(|| near.map(|near| format!("did you mean `{near}`?")));
            }
        }
    }
    // The sections of a chosen profile are there twice.
    let mut seen = BTreeSet::new();
    found.retain(|unknown| seen.insert(unknown.clone()));
    let message = one_warning("unknown setting, ignored", "unknown settings, ignored", &found)?;
    Some(Warning { message, hint })
}

/// One message for all findings.
fn one_warning(one: &str, several: &str, found: &[String]) -> Option<String> {
    match found {
        [] => None,
        [only] => Some(format!("{one}: {only}")),
        all => Some(format!("{} {several}:\n  {}", all.len(), all.join("\n  "))),
    }
}

/// Describes an unsupported option that is set in a file. In a flag or variable it is an error: the user asks for it in this
/// run, whereas a repository may set it for Pants.
fn unsupported_setting(
    settings: &SettingsSources,
    flags: &[Flag],
    scope: &str,
    row: &Row,
    reason: &str,
) -> Result<Option<String>, Error> {
    let given = settings.values_of(scope, row.entry.name, flags);
    let Some(SourceValue { origin, file, .. }) = given.last() else { return Ok(None) };
    // `[DEFAULT]` sets the option for all sections, which is not a request for this one.
    if file.is_some_and(|file| file.setting(scope, row.entry.name).is_none()) {
        return Ok(None);
    }
    let name = format!("`{}` of `[{scope}]`", row.entry.name);
    match origin {
        Origin::File { .. } => Ok(Some(format!("{origin}: {name}: {reason}"))),
        _ => Err(Error::Unsupported {
            origin: origin.clone(),
            message: format!("option {name} is not supported: {reason}"),
            hint: None,
        }),
    }
}

#[cfg(test)]
mod tests;
