//! Parses one settings file into sections, keys and values with their positions. `value` interprets the values.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::base::text::Place;
use crate::config::{Error, Origin};

/// One key of a section.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The value as JSON.
    pub value: Value,
    /// The position of the key.
    pub place: Place,
}

/// One section.
#[derive(Clone, Debug)]
pub struct Section {
    /// The position of the name.
    pub place: Place,
    /// Settings by key.
    pub settings: BTreeMap<String, Setting>,
}

/// A parsed settings file.
#[derive(Clone, Debug)]
pub struct SettingsFile {
    /// The path, relative to the build root if the file is below it.
    pub name: String,
    /// Sections by name.
    pub sections: BTreeMap<String, Section>,
    /// The sections of profiles, by the names of profiles and sections: `[profile.ci.test]`.
    pub profiles: BTreeMap<String, BTreeMap<String, Section>>,
}

/// The table of profiles.
const PROFILES: &str = "profile";

impl SettingsFile {
    /// Parses TOML. Keys outside of sections are errors.
    pub fn parse(name: &str, text: &str) -> Result<SettingsFile, Error> {
        let at = |offset| Origin::File { name: name.to_owned(), place: Place::of(text, offset) };
        let table = DeTable::parse(text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            Error::invalid(&at(offset), error.message().lines().collect::<Vec<_>>().join(", "))
        })?;
        let mut file = SettingsFile { name: name.to_owned(), sections: BTreeMap::new(), profiles: BTreeMap::new() };
        for (key, value) in table.get_ref() {
            let DeValue::Table(table) = value.get_ref() else {
                let message = format!("`{}` is outside of any section", key.get_ref());
                return Err(Error::invalid(&at(key.span().start), message)
                    .with_hint("move the option into a section, such as `[GLOBAL]`"));
            };
            if key.get_ref() == PROFILES {
                file.profiles = profiles(table, text, &at)?;
                continue;
            }
            let section = Section { place: Place::of(text, key.span().start), settings: settings(table, text) };
            file.sections.insert(key.get_ref().to_string(), section);
        }
        Ok(file)
    }

    /// The sections of a profile as a file of their own, for messages with the same name and places.
    pub fn profile(&self, profile: &str) -> Option<SettingsFile> {
        let sections = self.profiles.get(profile)?.clone();
        Some(SettingsFile { name: self.name.clone(), sections, profiles: BTreeMap::new() })
    }

    /// The setting with this key, if the file has it.
    pub fn setting(&self, section: &str, key: &str) -> Option<&Setting> {
        self.sections.get(section)?.settings.get(key)
    }

    /// The origin of a value at this position.
    pub fn origin(&self, place: Place) -> Origin {
        Origin::File { name: self.name.clone(), place }
    }
}

/// The sections of all profiles. Keys outside of the sections of a profile are errors.
fn profiles(
    table: &DeTable<'_>,
    text: &str,
    at: &dyn Fn(usize) -> Origin,
) -> Result<BTreeMap<String, BTreeMap<String, Section>>, Error> {
    let mut profiles = BTreeMap::new();
    for (name, value) in table {
        let name_text = name.get_ref();
        let misplaced = |offset, message: String| {
            let hint = format!("write a section of the profile, such as `[{PROFILES}.NAME.test]`");
            Err(Error::invalid(&at(offset), message).with_hint(hint))
        };
        let DeValue::Table(table) = value.get_ref() else {
            return misplaced(name.span().start, format!("`{name_text}` of `[{PROFILES}]` is not a profile"));
        };
        let mut sections = BTreeMap::new();
        for (key, value) in table {
            let DeValue::Table(table) = value.get_ref() else {
                let message = format!("`{}` of the profile `{name_text}` is outside of any section", key.get_ref());
                return misplaced(key.span().start, message);
            };
            let section = Section { place: Place::of(text, key.span().start), settings: settings(table, text) };
            sections.insert(key.get_ref().to_string(), section);
        }
        profiles.insert(name_text.to_string(), sections);
    }
    Ok(profiles)
}

fn settings(table: &DeTable<'_>, text: &str) -> BTreeMap<String, Setting> {
    let setting = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
        let key: &Spanned<std::borrow::Cow<'_, str>> = key;
        let place = Place::of(text, key.span().start);
        (key.get_ref().to_string(), Setting { value: to_json(value.get_ref()), place })
    };
    table.iter().map(setting).collect()
}

/// Dates become strings, since no option has this type. Numbers outside the range of the machine types become strings, which are
/// refused later.
fn to_json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(integer) => {
            let whole = i64::from_str_radix(integer.as_str(), integer.radix());
            whole.map_or_else(|_| Value::String(integer.as_str().to_owned()), Value::from)
        }
        DeValue::Float(float) => {
            let number = float.as_str().parse().ok().and_then(Number::from_f64);
            number.map_or_else(|| Value::String(float.as_str().to_owned()), Value::Number)
        }
        DeValue::Boolean(truth) => Value::Bool(*truth),
        DeValue::Datetime(date) => Value::String(date.to_string()),
        DeValue::Array(items) => Value::Array(items.iter().map(|item| to_json(item.get_ref())).collect()),
        DeValue::Table(table) => {
            let entry = |(key, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
                (key.get_ref().to_string(), to_json(value.get_ref()))
            };
            Value::Object(table.iter().map(entry).collect::<Map<_, _>>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sections_keys_and_positions_are_read() {
        let file = SettingsFile::parse("pants.toml", "[a]\nx = [1, 'b']\n[a.y]\nk = 0x10\n").unwrap();
        assert_eq!(file.setting("a", "x").unwrap().value, json!([1, "b"]));
        assert_eq!(file.setting("a", "x").unwrap().place, Place { line: 2, column: 1 });
        assert_eq!(file.setting("a", "y").unwrap().value, json!({"k": 16}));
    }

    #[test]
    fn the_order_of_a_table_is_preserved() {
        let file = SettingsFile::parse("pants.toml", "[python.resolves]\nz = '1'\na = '2'\n").unwrap();
        assert_eq!(file.setting("python", "resolves").unwrap().value.to_string(), r#"{"z":"1","a":"2"}"#);
    }

    #[test]
    fn a_syntax_error_has_its_position() {
        for (text, place) in
            [("[a]\nx = [1\n", "pants.toml:"), ("x = 1", "pants.toml:1:1"), ("[a]\nx = 'é' 1", "pants.toml:2:")]
        {
            let error = SettingsFile::parse("pants.toml", text).unwrap_err().to_string();
            assert!(error.starts_with(place), "{error}");
        }
    }
}
