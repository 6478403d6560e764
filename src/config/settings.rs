//! The sources of settings: files, environment variables and flags, and the values that they contain for an option. `load` combines
//! these values.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::config::file::SettingsFile;
use crate::config::load::Resolver;
use crate::config::table::{ScopeKind, renamed};
use crate::config::{Environment, Error, Flag, Origin, Table, implied};

/// The sources of settings of one run, except flags.
#[derive(Clone, Debug)]
pub struct SettingsSources {
    /// The process environment.
    pub environment: Environment,
    /// The build root.
    pub build_root: PathBuf,
    /// The settings files in ascending precedence.
    pub files: Vec<SettingsFile>,
    /// Whether any environment variable sets an option. Usually none does, and the lookups can be skipped.
    has_variables: bool,
}

/// The value of one source for one option.
#[derive(Clone, Debug)]
pub struct SourceValue<'a> {
    /// The origin, for messages.
    pub origin: Origin,
    /// The value as it is written.
    pub value: Value,
    /// The file that contains it, for interpolation.
    pub file: Option<&'a SettingsFile>,
    /// The section that contains it, for interpolation.
    pub section: &'a str,
}

/// Has precedence over `pants.toml`, and lower precedence than files that are named explicitly.
const OWN_FILE: &str = "waders.toml";

impl SettingsSources {
    /// Reads `pants.toml`, `waders.toml`, the files that `PANTS_CONFIG_FILES` or a flag names, and the rc files.
    /// Of the flags, only those that select settings files are used.
    pub fn read(environment: Environment, build_root: PathBuf, flags: &[Flag]) -> Result<SettingsSources, Error> {
        let mut settings = SettingsSources::without_files(environment, build_root);
        if implied::applies_to(&settings.build_root) {
            for text in implied::settings(&settings.build_root) {
                settings.files.push(SettingsFile::parse(implied::ORIGIN, &text)?);
            }
        }
        for (path, must_exist) in settings.config_files(flags)? {
            settings.add(&path, must_exist)?;
        }
        if settings.resolve("pantsrc", flags)?.as_bool().unwrap_or(true) {
            let files = settings.resolve("pantsrc_files", flags)?;
            for name in texts(&files) {
                let path = settings.build_root.join(settings.environment.expand_home(name));
                settings.add(&path, false)?;
            }
        }
        settings.add_profiles(flags)?;
        Ok(settings)
    }

    /// Adds the sections of the chosen profiles, which have precedence over all sections of files. Of several profiles, the last one
    /// has precedence.
    fn add_profiles(&mut self, flags: &[Flag]) -> Result<(), Error> {
        let chosen = self.resolve("profile", flags)?;
        for name in texts(&chosen) {
            let layers: Vec<SettingsFile> = self.files.iter().filter_map(|file| file.profile(name)).collect();
            if layers.is_empty() {
                return Err(self.unknown_profile(name, flags));
            }
            self.files.extend(layers);
        }
        Ok(())
    }

    fn unknown_profile(&self, name: &str, flags: &[Flag]) -> Error {
        let known: BTreeSet<&str> =
            self.files.iter().flat_map(|file| file.profiles.keys()).map(String::as_str).collect();
        let hint = match known.is_empty() {
            true => format!("no settings file has profiles: write `[profile.{name}.SECTION]` in `{OWN_FILE}`"),
            false => format!("known profiles: `{}`", known.into_iter().collect::<Vec<_>>().join("`, `")),
        };
        let message = format!("unknown profile `{name}`");
        match self.values_of("GLOBAL", "profile", flags).pop() {
            Some(given) => Error::invalid(&given.origin, message).with_hint(hint),
            None => Error::Unknown { message, hint: Some(hint) },
        }
    }

    /// Environment variables alone, for goals that work outside a repository.
    pub fn without_files(environment: Environment, build_root: PathBuf) -> SettingsSources {
        let has_variables =
            environment.vars.unrecorded().keys().any(|name| name.starts_with("PANTS_") || name.starts_with("WADERS_"));
        SettingsSources { environment, build_root, files: Vec::new(), has_variables }
    }

    /// The values of all sources for an option, in ascending precedence. Old names of the option are included.
    pub fn values_of<'a>(&'a self, scope: &'a str, option: &'a str, flags: &[Flag]) -> Vec<SourceValue<'a>> {
        let names = names(scope, option);
        let mut given = Vec::new();
        for file in &self.files {
            let named = names.iter().find_map(|name| in_section(file, name.scope, name));
            // `[DEFAULT]` applies to all sections.
            given.extend(named.or_else(|| in_section(file, "DEFAULT", &names[0])));
            given.extend(all_names(file, scope, option));
        }
        given.extend(names.iter().find_map(|name| self.in_environment(name)));
        let is_same = |flag: &&Flag| flag.scope == scope && flag.option == option;
        given.extend(flags.iter().filter(is_same).map(|flag| SourceValue {
            origin: Origin::Flag(flag.spelling.clone()),
            value: Value::String(flag.value.clone()),
            file: None,
            section: scope,
        }));
        given
    }

    /// The aliases of `[cli.alias]`. Flags cannot set it, since a flag can be an alias.
    pub fn aliases(&self) -> Result<serde_json::Map<String, Value>, Error> {
        let aliases = Resolver::new(self, &[]).value("cli", "alias")?;
        Ok(aliases.as_object().cloned().unwrap_or_default())
    }

    fn resolve(&self, option: &str, flags: &[Flag]) -> Result<Value, Error> {
        Resolver::new(self, flags).value("GLOBAL", option)
    }

    /// The settings files in order, and whether a missing file is an error.
    fn config_files(&self, flags: &[Flag]) -> Result<Vec<(PathBuf, bool)>, Error> {
        let default = self.build_root.join("pants.toml");
        let own = self.build_root.join(OWN_FILE);
        let mut files = vec![];
        let named = self.resolve("pants_config_files", flags)?;
        let named: Vec<PathBuf> = texts(&named).map(|name| self.locate(name)).collect();
        let replaces_default = self
            .values_of("GLOBAL", "pants_config_files", flags)
            .iter()
            .any(|given| given.value.as_str().is_some_and(|text| text.trim_start().starts_with(['[', '('])));
        if !replaces_default {
            files.push((default, false));
        }
        files.push((own, false));
        files.extend(named.into_iter().map(|path| (path, true)));
        Ok(files)
    }

    /// A path relative to the current directory if it exists there, otherwise relative to the build root.
    fn locate(&self, name: &str) -> PathBuf {
        let here = self.environment.cwd.join(self.environment.expand_home(name));
        if here.exists() { here } else { self.build_root.join(self.environment.expand_home(name)) }
    }

    /// Whether a plugin in one of these directories declares linters, fixers or formatters.
    pub(super) fn declares_tools(&self, dirs: &[&str], plugin: &str) -> bool {
        let files = dirs.iter().map(|dir| self.build_root.join(dir).join(plugin.replace('.', "/")).join("register.py"));
        let mut texts = files.filter_map(|file| std::fs::read_to_string(file).ok());
        texts.any(|text| text.contains("CodeQualityToolRuleBuilder"))
    }

    fn add(&mut self, path: &Path, must_exist: bool) -> Result<(), Error> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if !must_exist && error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(Error::Unreadable { path: path.to_owned(), source }),
        };
        let name = path.strip_prefix(&self.build_root).unwrap_or(path).display().to_string();
        self.files.push(SettingsFile::parse(&name, text.trim_start_matches('\u{feff}'))?);
        Ok(())
    }

    fn in_environment<'a>(&'a self, name: &Name<'a>) -> Option<SourceValue<'a>> {
        if !self.has_variables {
            return None;
        }
        let found = variables(name.scope, name.option).find_map(|variable| {
            let value = self.environment.vars.unrecorded().get(&variable)?;
            Some((variable, value))
        });
        let (variable, value) = found?;
        let value = name.translate(Value::String(value.clone()));
        Some(SourceValue { origin: Origin::Variable(variable), value, file: None, section: name.scope })
    }
}

/// A current or former name of an option.
struct Name<'a> {
    scope: &'a str,
    option: &'a str,
    values: &'static [(&'static str, &'static str)],
}

impl Name<'_> {
    /// Converts a value of an old option to the current form.
    fn translate(&self, value: Value) -> Value {
        let text = match &value {
            Value::String(text) => text.to_ascii_lowercase(),
            other => other.to_string(),
        };
        let translated = self.values.iter().find(|(old, _)| *old == text);
        translated.map_or(value, |(_, now)| Value::String((*now).to_owned()))
    }
}

/// All names of an option, the current one first.
fn names<'a>(scope: &'a str, option: &'a str) -> Vec<Name<'a>> {
    let mut names = vec![Name { scope, option, values: &[] }];
    let old_scopes = renamed::SCOPES.iter().filter(|(_, now)| *now == scope);
    names.extend(old_scopes.map(|(old, _)| Name { scope: old, option, values: &[] }));
    let old_options = renamed::OPTIONS.iter().filter(|old| old.now_scope == scope && old.now_option == option);
    names.extend(old_options.map(|old| Name { scope: old.scope, option: old.option, values: old.values }));
    names
}

fn in_section<'a>(file: &'a SettingsFile, section: &str, name: &Name<'a>) -> Option<SourceValue<'a>> {
    let setting = file.setting(section, name.option)?;
    let value = name.translate(setting.value.clone());
    Some(SourceValue { origin: file.origin(setting.place), value, file: Some(file), section: name.scope })
}

/// All keys of a section whose keys are names, which are merged with those of other files.
fn all_names<'a>(file: &'a SettingsFile, scope: &'a str, option: &str) -> Option<SourceValue<'a>> {
    let section = Table::get().section(scope).filter(|section| section.kind == ScopeKind::Named && option == "named");
    let section = section.and_then(|_| file.sections.get(scope))?;
    let tables: Map<String, Value> =
        section.settings.iter().map(|(name, setting)| (name.clone(), setting.value.clone())).collect();
    let value = json!({ "add": tables });
    Some(SourceValue { origin: file.origin(section.place), value, file: Some(file), section: scope })
}

/// The environment variables that set an option, in descending precedence. `WADERS_*` has precedence over `PANTS_*`.
fn variables(scope: &str, option: &str) -> impl Iterator<Item = String> {
    let upper = |text: &str| text.to_ascii_uppercase().replace(['-', '.'], "_");
    let (scope, option) = (upper(scope), upper(option));
    let scoped = format!("{scope}_{option}");
    let mut names = vec![format!("WADERS_{scoped}"), format!("PANTS_{scoped}")];
    if scope == "GLOBAL" {
        names.push(format!("WADERS_{option}"));
        names.push(format!("PANTS_{option}"));
        names.extend(option.starts_with("PANTS_").then_some(option));
    }
    names.into_iter()
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}
