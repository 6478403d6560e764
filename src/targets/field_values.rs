//! Field values of a target as `peek` of Pants prints them: explicit values, and the defaults of the target type.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::config::Config;
use crate::config::typed::GlobalSettings;
use crate::targets::kind::{Field, GenerateFrom, Kind, Sources};
use crate::targets::requirement_text::canonical;
use crate::targets::requirements::normalized;
use crate::targets::{Target, Value};

/// The enabled backends and the Pants version, which decide which fields exist.
pub struct EnabledBackends {
    /// `[GLOBAL] backend_packages`.
    pub backends: Vec<String>,
    /// The minor version of Pants 2.x.
    pub minor: u32,
}

/// The minor version for repositories without `pants_version`: the one with which the output is compared in tests.
const COMPARED_WITH: u32 = 17;

impl EnabledBackends {
    /// Reads `[GLOBAL] backend_packages` and `pants_version`.
    pub fn from_config(config: &Config) -> EnabledBackends {
        let GlobalSettings { backend_packages, pants_version, .. } = GlobalSettings::parse(config);
        let minor = pants_version.and_then(|version| version.split('.').nth(1)?.parse().ok());
        EnabledBackends { backends: backend_packages, minor: minor.unwrap_or(COMPARED_WITH) }
    }

    /// Whether the field exists with these backends and this version.
    pub fn has(&self, field: &Field) -> bool {
        field.exists(&self.backends, self.minor)
    }
}

/// Field values by the names that `peek` gives them. `all` includes fields that have their default value.
pub fn field_values(target: &Target, enabled: &EnabledBackends, all: bool) -> BTreeMap<String, Json> {
    let mut values = BTreeMap::new();
    let mut add = |name: &str, raw: bool, default: Json| {
        let none_counts = name == "source" && target.kind == "docker_image";
        let value = target.fields.get(name).filter(|value| **value != Value::None || none_counts);
        let value = value.map_or_else(|| default.clone(), |value| peek_value(&target.kind, name, value));
        if all || value != default {
            values.insert(if raw { format!("{name}_raw") } else { name.to_owned() }, value);
        }
    };
    for name in ["description", "tags"] {
        add(name, false, Json::Null);
    }
    let Some(kind) = Kind::find(&target.kind) else {
        target.fields.keys().for_each(|name| add(name, is_raw(name), Json::Null));
        return values;
    };
    match kind.sources {
        Sources::None => {}
        Sources::One => add("source", true, kind.default_sources.first().map_or(Json::Null, |name| json!(name))),
        Sources::Many => add("sources", true, json!(kind.default_sources)),
    }
    if kind.has_dependencies {
        add("dependencies", true, Json::Null);
    }
    if kind.is_generator() && kind.generates_from != GenerateFrom::Pants && !kind.name.starts_with('_') {
        add("overrides", false, Json::Null);
    }
    let copied = kind.generated_fields().filter(|field| field.copied && kind.is_generator());
    for field in kind.fields().chain(copied) {
        if enabled.has(field) || target.fields.contains_key(field.name) {
            add(field.name, field.raw, serde_json::from_str(field.default).unwrap_or_default());
        }
    }
    let is_listed = |name: &&String| kind.field_names().any(|known| known == name.as_str());
    let unlisted: Vec<&String> = target.fields.keys().filter(|name| !is_listed(name)).collect();
    unlisted.into_iter().for_each(|name| add(name, false, Json::Null));
    values
}

/// Whether `peek` shows the resolved value of the field under the plain name, and this value as `NAME_raw`.
fn is_raw(name: &str) -> bool {
    matches!(name, "dependencies" | "source" | "sources")
}

fn peek_value(kind: &str, name: &str, value: &Value) -> Json {
    match (name, value) {
        ("requirements", Value::List(items) | Value::Tuple(items)) => items
            .iter()
            .map(|item| item.as_str().map_or_else(|| to_json(item), |text| json!(canonical(text))))
            .collect(),
        ("entry_point", Value::Str(text)) if matches!(kind, "pex_binary" | "python_requirement") => {
            let (module, function) = text.split_once(':').map_or((text.as_str(), None), |(m, f)| (m, Some(f)));
            json!({"module": module, "function": function})
        }
        ("script", Value::Str(text)) if kind == "pex_binary" => json!({"name": text}),
        ("provides", Value::Object(object)) => provides_json(&object.named),
        ("module_mapping" | "type_stubs_module_mapping", Value::Dict(pairs)) => pairs
            .iter()
            .map(|(project, modules)| (normalized(&key(project)), to_json(modules)))
            .collect::<Map<_, _>>()
            .into(),
        ("overrides", Value::Dict(pairs)) => {
            pairs.iter().map(|(keys, fields)| (python_tuple(keys), to_json(fields))).collect::<Map<_, _>>().into()
        }
        ("inherit_path", Value::Bool(value)) => json!(value.to_string()),
        _ => to_json(value),
    }
}

/// The arguments of `python_artifact(…)`. Entry points become dicts, in whichever form they are written.
fn provides_json(named: &[(String, Value)]) -> Json {
    let entry = |entry: &&str| entry.split_once('=').map(|(name, start)| (name.trim().to_owned(), json!(start.trim())));
    let group = |entries: &Value| match entries {
        Value::List(_) | Value::Tuple(_) => {
            entries.strings().iter().filter_map(entry).collect::<Map<String, Json>>().into()
        }
        _ => to_json(entries),
    };
    let argument = |(name, value): &(String, Value)| match value {
        Value::Dict(groups) if name == "entry_points" => {
            let groups: Map<String, Json> = groups.iter().map(|(name, entries)| (key(name), group(entries))).collect();
            (name.clone(), groups.into())
        }
        _ => (name.clone(), to_json(value)),
    };
    named.iter().map(argument).collect::<Map<_, _>>().into()
}

/// The value as Python's `json` module writes it. An object becomes a dict of its arguments.
pub fn to_json(value: &Value) -> Json {
    match value {
        Value::None => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Int(value) => json!(value),
        Value::Float(value) => json!(value),
        Value::Str(text) => json!(text),
        Value::List(items) | Value::Tuple(items) => items.iter().map(to_json).collect(),
        Value::Dict(pairs) => {
            pairs.iter().map(|(name, value)| (key(name), to_json(value))).collect::<Map<_, _>>().into()
        }
        Value::Object(made) => match made.kind.as_str() {
            "http_source" => http_source_json(&made.positional, &made.named),
            // Only inside `overrides`: everywhere else it is already expanded.
            "parametrize" => {
                json!({"args": made.positional.iter().map(to_json).collect::<Vec<_>>(), "kwargs": arguments_json(&made.named)})
            }
            _ => arguments_json(&made.named),
        },
    }
}

fn arguments_json(named: &[(String, Value)]) -> Json {
    named.iter().map(|(name, value)| (name.clone(), to_json(value))).collect::<Map<_, _>>().into()
}

fn http_source_json(positional: &[Value], named: &[(String, Value)]) -> Json {
    let argument =
        |name: &str| named.iter().find(|(known, _)| known == name).map_or(Json::Null, |(_, value)| to_json(value));
    let url = positional.first().map_or_else(|| argument("url"), to_json);
    let last = url.as_str().and_then(|url| url.split(['?', '#']).next()?.rsplit('/').next()).unwrap_or_default();
    let filename = argument("filename").as_str().filter(|name| !name.is_empty()).unwrap_or(last).to_owned();
    json!({"url": url, "len": argument("len"), "sha256": argument("sha256"), "filename": filename})
}

fn key(value: &Value) -> String {
    match value {
        Value::Str(text) => text.clone(),
        Value::Int(number) => number.to_string(),
        _ => python_tuple(value),
    }
}

/// The `repr()` of a tuple of strings, which is how `peek` shows the keys of `overrides`.
fn python_tuple(value: &Value) -> String {
    let texts: Vec<&str> = match value {
        Value::Str(text) => vec![text],
        value => value.strings(),
    };
    let quoted: Vec<String> = texts.iter().map(|text| format!("'{}'", text.replace('\\', "\\\\"))).collect();
    match quoted.as_slice() {
        [one] => format!("({one},)"),
        _ => format!("({})", quoted.join(", ")),
    }
}
