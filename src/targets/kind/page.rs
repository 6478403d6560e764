//! Help pages of target types, and the same data as JSON. The module `cli` prints them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use super::{Field, Kind, Shape, kinds};

/// Name and help of each target type that BUILD files can use.
pub fn list() -> impl Iterator<Item = (&'static str, &'static str)> {
    writable_kinds().map(|kind| (kind.name, kind.help))
}

/// The help page of a target type. `None` if the type is unknown.
pub fn page(name: &str) -> Option<String> {
    let kind = Kind::find(name).filter(|kind| !kind.name.starts_with('_'))?;
    let mut out = format!("{}\n\nUsage: {}(name=…, …) in a BUILD file\n", kind.help, kind.name);
    if !kind.backend.is_empty() {
        out += &format!("Backend: {}\n", kind.backend);
    }
    if kind.is_generator() {
        out += &format!("Generates: {}\n", kind.generates);
    }
    out += "\nFields:\n";
    for (name, value_description, help) in rows(kind) {
        out += format!("  {name:<32} {help}").trim_end();
        out += &format!(" [{value_description}]\n");
    }
    if kind.open_ended {
        out += "\nOther fields are accepted without validation.\n";
    }
    Some(out)
}

/// All target types and their fields, by name.
pub fn to_json() -> Json {
    let field = |field: &Field| {
        let default: Json = serde_json::from_str(field.default).unwrap_or_default();
        let value = json!({
            "kind": shape_name(field.shape), "default": default, "help": field.help, "required": field.required,
            "backends": field.backends,
        });
        (field.name.to_owned(), value)
    };
    let kind = |kind: &Kind| {
        let fields: Map<String, Json> = kind.fields().chain(kind.generated_fields()).map(field).collect();
        let value = json!({
            "description": kind.help, "backend": kind.backend, "generates": kind.generates,
            "default_sources": kind.default_sources, "fields": fields,
        });
        (kind.name.to_owned(), value)
    };
    writable_kinds().map(kind).collect::<Map<_, _>>().into()
}

/// All backends that define target types or fields, with the names that they define.
pub fn backends() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut contents: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for kind in writable_kinds() {
        if !kind.backend.is_empty() {
            contents.entry(kind.backend).or_default().insert(kind.name);
        }
        for field in kind.fields() {
            for backend in field.backends {
                contents.entry(backend).or_default().insert(field.name);
            }
        }
    }
    contents.into_iter().map(|(backend, names)| (backend, names.into_iter().collect())).collect()
}

fn writable_kinds() -> impl Iterator<Item = &'static Kind> {
    kinds().filter(|kind| !kind.name.starts_with('_'))
}

/// Name, type with default, and help of each field, sorted by name.
fn rows(kind: &'static Kind) -> Vec<(&'static str, String, &'static str)> {
    let mut rows = vec![
        ("description", "string".to_owned(), "A description of the target. `list --documented` shows it."),
        ("tags", "list of strings".to_owned(), "Tags, by which `--tag` selects targets."),
    ];
    if kind.has_dependencies || Kind::find(kind.generates).is_some_and(|generated| generated.has_dependencies) {
        rows.push((
            "dependencies",
            "list of addresses".to_owned(),
            "Dependencies in addition to the inferred ones; `!` excludes one.",
        ));
    }
    if kind.is_generator() {
        rows.push(("overrides", "dict".to_owned(), "Fields that differ for single generated targets, by name."));
    }
    if !kind.source_field().is_empty() {
        let default = Json::from(kind.default_sources).to_string();
        let value_description =
            if kind.default_sources.is_empty() { "required".to_owned() } else { format!("default: {default}") };
        rows.push((
            kind.source_field(),
            value_description,
            "The source files, relative to the directory of the BUILD file.",
        ));
    }
    // Names that begin with an underscore are internal to Pants.
    let fields = kind.fields().chain(kind.generated_fields()).filter(|field| !field.name.starts_with('_'));
    let (skips, fields): (Vec<&Field>, Vec<&Field>) =
        fields.partition(|field| super::is_skip(field.name) && field.copied);
    rows.extend(fields.into_iter().map(|field| (field.name, value_description(field), field.help)));
    if !skips.is_empty() {
        let tools: Vec<&str> = skips.iter().filter_map(|field| field.name.strip_prefix("skip_")).collect();
        rows.push(("skip_…", tools.join(" | "), "Excludes the target from this linter, formatter or checker."));
    }
    rows.sort_by_key(|(name, ..)| *name);
    rows
}

/// The type of a field, its default value or that it is required, and its first backend.
fn value_description(field: &Field) -> String {
    let mut text = described_shape(field.shape);
    match field.default {
        _ if field.required => text += ", required",
        "null" | "[]" | "{}" => {}
        "true" => text += ", default: True",
        "false" => text += ", default: False",
        default => text += &format!(", default: {default}"),
    }
    if let [backend, ..] = field.backends {
        text += &format!(", with {backend}");
    }
    text
}

/// The type of a field in words, for help pages.
fn described_shape(shape: Shape) -> String {
    match shape {
        Shape::String => "string".to_owned(),
        Shape::StringList => "list of strings".to_owned(),
        Shape::AddressList => "list of addresses".to_owned(),
        other => shape_name(other),
    }
}

/// The name of a type in the JSON output.
fn shape_name(shape: Shape) -> String {
    match shape {
        Shape::String => "text".to_owned(),
        Shape::StringList => "texts".to_owned(),
        Shape::Bool => "True or False".to_owned(),
        Shape::Number | Shape::Count => "number".to_owned(),
        Shape::Dict | Shape::StringDict | Shape::ListDict => "dict".to_owned(),
        Shape::Source => "file".to_owned(),
        Shape::AddressList => "addresses".to_owned(),
        Shape::Address => "address".to_owned(),
        Shape::Object => "object".to_owned(),
        Shape::Any => "anything".to_owned(),
        Shape::OneOf(choices) => choices.join(" | "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_a_page_with_its_fields() {
        for (name, _) in list() {
            assert!(page(name).is_some_and(|page| page.contains("  tags ")), "{name}");
        }
        let page = page("python_tests").expect("known");
        for wanted in
            ["Generates: python_test\n", "  timeout ", "[number]", "[default: [\"test_*.py\"", "add_trailing_comma | "]
        {
            assert!(page.contains(wanted), "{wanted} in {page}");
        }
        assert!(super::page("_lockfile").is_none() && super::page("nothing").is_none());
    }

    #[test]
    fn backends_define_types_and_fields() {
        let backends = backends();
        assert!(backends["pants.backend.python"].contains(&"python_test"));
        assert_eq!(backends["pants.backend.python.lint.black"], ["skip_black"]);
    }
}
