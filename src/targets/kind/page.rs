//! What the table of target types says to people: help pages, and the same as JSON. Where they are shown is `cli`'s.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use super::{Field, Kind, Shape, kinds};

/// Name and help of each type that a BUILD file may name.
pub fn list() -> impl Iterator<Item = (&'static str, &'static str)> {
    written().map(|kind| (kind.name, kind.help))
}

/// The page of a target type.
pub fn page(name: &str) -> Option<String> {
    let kind = Kind::of(name).filter(|kind| !kind.name.starts_with('_'))?;
    let mut out = format!("{}\n\nUsage: {}(name=…, …) in a BUILD file\n", kind.help, kind.name);
    if !kind.backend.is_empty() {
        out += &format!("Backend: {}\n", kind.backend);
    }
    if kind.is_generator() {
        out += &format!("Generates: {}\n", kind.generates);
    }
    out += "\nFields:\n";
    for (name, what, help) in rows(kind) {
        out += format!("  {name:<32} {help}").trim_end();
        out += &format!(" [{what}]\n");
    }
    if kind.open {
        out += "\nOther fields are kept as they are.\n";
    }
    Some(out)
}

/// All of it, by name.
pub fn json_of_all() -> Json {
    let field = |field: &Field| {
        let default: Json = serde_json::from_str(field.default).unwrap_or_default();
        let value = json!({
            "kind": shape(field.shape), "default": default, "help": field.help, "required": field.required,
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
    written().map(kind).collect::<Map<_, _>>().into()
}

/// Every backend of Pants that a type or field belongs to, with what it brings.
pub fn backends() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut brings: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for kind in written() {
        if !kind.backend.is_empty() {
            brings.entry(kind.backend).or_default().insert(kind.name);
        }
        for field in kind.fields() {
            for backend in field.backends {
                brings.entry(backend).or_default().insert(field.name);
            }
        }
    }
    brings.into_iter().map(|(backend, names)| (backend, names.into_iter().collect())).collect()
}

fn written() -> impl Iterator<Item = &'static Kind> {
    kinds().filter(|kind| !kind.name.starts_with('_'))
}

/// Name, what may be written with its default, and help; sorted.
fn rows(kind: &'static Kind) -> Vec<(&'static str, String, &'static str)> {
    let mut rows = vec![
        ("description", "text".to_owned(), "What it is, for people: `list --documented` shows it."),
        ("tags", "texts".to_owned(), "Words that `--tag` selects by."),
    ];
    if kind.depends || Kind::of(kind.generates).is_some_and(|generated| generated.depends) {
        rows.push(("dependencies", "addresses".to_owned(), "What it needs beyond what is inferred; `!` excludes."));
    }
    if kind.is_generator() {
        rows.push(("overrides", "dict".to_owned(), "Name to fields that differ for what it generates."));
    }
    if !kind.source_field().is_empty() {
        let default = Json::from(kind.default_sources).to_string();
        let what = if kind.default_sources.is_empty() { "required".to_owned() } else { format!("default: {default}") };
        rows.push((kind.source_field(), what, "Its files, from the directory of the BUILD file."));
    }
    // What is named with an underscore is Pants' own.
    let fields = kind.fields().chain(kind.generated_fields()).filter(|field| !field.name.starts_with('_'));
    let (skips, fields): (Vec<&Field>, Vec<&Field>) =
        fields.partition(|field| super::is_skip(field.name) && field.copied);
    rows.extend(fields.into_iter().map(|field| (field.name, what(field), field.help)));
    if !skips.is_empty() {
        let tools: Vec<&str> = skips.iter().filter_map(|field| field.name.strip_prefix("skip_")).collect();
        rows.push(("skip_…", tools.join(" | "), "This linter, formatter or checker leaves the target alone."));
    }
    rows.sort_by_key(|(name, ..)| *name);
    rows
}

fn what(field: &Field) -> String {
    let mut what = shape(field.shape);
    match field.default {
        _ if field.required => what += ", required",
        "null" | "[]" | "{}" => {}
        "true" => what += ", default: True",
        "false" => what += ", default: False",
        default => what += &format!(", default: {default}"),
    }
    if let [backend, ..] = field.backends {
        what += &format!(", with {backend}");
    }
    what
}

fn shape(shape: Shape) -> String {
    match shape {
        Shape::Text => "text".to_owned(),
        Shape::Texts => "texts".to_owned(),
        Shape::Bool => "True or False".to_owned(),
        Shape::Number => "number".to_owned(),
        Shape::Dict => "dict".to_owned(),
        Shape::Addresses => "addresses".to_owned(),
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
    fn backends_bring_types_and_fields() {
        let backends = backends();
        assert!(backends["pants.backend.python"].contains(&"python_test"));
        assert_eq!(backends["pants.backend.python.lint.black"], ["skip_black"]);
    }
}
