//! Combines the values of all sources into one value for each option. Reads only files that `@path` values name.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::base::sandbox_paths;
use crate::base::text::nearest;
use crate::config::file::SettingsFile;
use crate::config::interpolate::{Unresolved, interpolate};
use crate::config::settings::{SettingsSources, SourceValue};
use crate::config::table::{Row, Table, renamed};
use crate::config::value::{self, Edit, InvalidValue};
use crate::config::{Config, Error, Flag, Warning, at_file, backends};

/// Where the build root is mounted in every sandbox.
const SANDBOX_BUILD_ROOT: &str = sandbox_paths::SRC;

/// The values of all options. `passthrough` contains the arguments after `--`.
pub fn load(
    settings: &SettingsSources,
    flags: &[Flag],
    passthrough: &[String],
) -> Result<(Config, Vec<Warning>), Error> {
    let resolver = Resolver::new(settings, flags);
    let distdir = resolver.value("GLOBAL", "pants_distdir")?;
    let distdir = distdir.as_str().unwrap_or("dist");
    let mut config = Config::default();
    for (section, row) in Table::get().rows() {
        let mut value = resolver.row(section.name, row)?;
        if let Value::String(text) = &mut value {
            *text = text.replace("{distdir}", distdir);
        }
        if let (true, Value::Array(list)) = (row.entry.passthrough, &mut value) {
            list.extend(passthrough.iter().cloned().map(Value::String));
        }
        config.set(section.name, row.entry.name, value);
    }
    let is_strict = config.text("reading", "unknown") == Some("error");
    if !is_strict && !config.flag("GLOBAL", "verify_config") {
        return Ok((config, Vec::new()));
    }
    let warnings: Vec<Warning> = unknown(settings).into_iter().chain(backends::unknown(&config)).collect();
    match warnings.first().filter(|_| is_strict).cloned() {
        Some(Warning { message, hint }) => Err(Error::Unknown { message: message.replace(", ignored", ""), hint }),
        None => Ok((config, warnings)),
    }
}

/// Determines the values of single options.
pub struct Resolver<'a> {
    settings: &'a SettingsSources,
    flags: &'a [Flag],
    seeds: BTreeMap<&'static str, String>,
}

impl<'a> Resolver<'a> {
    /// A resolver for these sources and flags.
    pub fn new(settings: &'a SettingsSources, flags: &'a [Flag]) -> Resolver<'a> {
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
    pub fn value(&self, scope: &str, option: &str) -> Result<Value, Error> {
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
            edits.extend(self.edits(row, &given).map_err(|invalid| name_place(scope, row, &given, invalid))?);
        }
        Ok(value::merge(&row.default, edits))
    }

    fn edits(&self, row: &Row, given: &SourceValue<'_>) -> Result<Vec<Edit>, InvalidValue> {
        let value = match given.file {
            Some(file) => self.interpolated(row, given, file)?,
            None => given.value.clone(),
        };
        match at_file::expand(row.entry.kind, &value, &self.settings.build_root)? {
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

fn name_place(scope: &str, row: &Row, given: &SourceValue<'_>, invalid: InvalidValue) -> Error {
    let message = format!("option `{}` of `[{scope}]`: {}", row.entry.name, invalid.message);
    Error::Invalid { origin: given.origin.clone(), message, hint: invalid.hint }
}

/// One warning for all unknown sections and options. Many of them belong to plugins.
fn unknown(settings: &SettingsSources) -> Option<Warning> {
    let mut found = Vec::new();
    let mut hint = None;
    for file in &settings.files {
        for (name, section) in file.sections.iter().filter(|(name, _)| *name != "DEFAULT") {
            let scope = renamed::scope(name);
            let Some(known) = Table::get().section(scope) else {
                found.push(format!("{}:{}: [{name}]", file.name, section.place));
                let names = Table::get().sections().map(|section| section.name);
                hint = hint.or_else(|| nearest(name, names).map(|near| format!("did you mean `[{near}]`?")));
                continue;
            };
            let is_known = |key: &str| known.rows.contains_key(key) || renamed::option(scope, key).is_some();
            for (key, setting) in section.settings.iter().filter(|(key, _)| !known.is_inert && !is_known(key)) {
                found.push(format!("{}:{}: `{key}` of `[{name}]`", file.name, setting.place));
                let near = nearest(key, known.rows.keys().copied());
                hint = hint.or_else(|| near.map(|near| format!("did you mean `{near}`?")));
            }
        }
    }
    let message = match found.as_slice() {
        [] => return None,
        [one] => format!("unknown setting, ignored: {one}"),
        all => format!("{} unknown settings, ignored:\n  {}", all.len(), all.join("\n  ")),
    };
    Some(Warning { message, hint })
}

#[cfg(test)]
mod tests;
