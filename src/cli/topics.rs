//! The topics of `help`: goals and settings, target types, symbols of BUILD files, backends, errors.

use serde_json::{Map, Value, json};

use crate::base::text::nearest;
use crate::cli::{help, troubleshooting};
use crate::config::Table;
use crate::targets::kind::page as kinds;

/// The names that BUILD files may use besides target types.
const SYMBOLS: [(&str, &str); 11] = [
    (
        "__defaults__",
        "Default values of fields for targets in this directory and below: `__defaults__({type: dict(…)})`.",
    ),
    ("__dependencies_rules__", "Rules for the dependencies of targets in this directory and below."),
    ("__dependents_rules__", "Rules for the dependents of targets in this directory and below."),
    ("build_file_dir", "The directory of the BUILD file: `build_file_dir()`."),
    ("env", "The value of an environment variable: `env(\"NAME\", \"default\")`."),
    ("http_source", "A source file to download: `http_source(url=…, len=…, sha256=…)`."),
    ("parametrize", "Several targets from one declaration: `resolve=parametrize(\"a\", \"b\")`."),
    ("per_platform", "A value that depends on the platform: `per_platform(linux_x86_64=…)`."),
    ("python_artifact", "The metadata of a distribution: `python_artifact(name=…, version=…)`."),
    ("setup_py", "An older name of `python_artifact`."),
    ("stevedore_namespace", "A group of entry points: `stevedore_namespace(\"name\")`."),
];

const NO_API: &str = "Waders has no plugin interface: the API of Pants plugins is not supported.\n";

/// The page of a topic; `None` for an unknown topic. `goals` are the implemented goals.
pub fn page(table: &Table, goals: &[&str], topic: &str, advanced: bool) -> Option<String> {
    match topic {
        "targets" => Some(help::lines(kinds::list())),
        "symbols" => Some(help::lines(symbols().into_iter())),
        "backends" => Some(backends()),
        "api-types" => Some(NO_API.to_owned()),
        _ => (help::page(table, goals, topic, advanced).or_else(|| kinds::page(topic)))
            .or_else(|| symbol(topic))
            .or_else(|| troubleshooting::page(topic)),
    }
}

/// Suggests a known topic for an unknown one.
pub fn suggest(table: &Table, topic: &str) -> Option<&'static str> {
    let lists = crate::cli::args::HELP_LISTS;
    let known = symbols().into_iter().map(|(name, _)| name).chain(lists);
    let near: Vec<&'static str> = known.chain(Table::get().sections().map(|section| section.name)).collect();
    nearest(topic, near).filter(|name| page(table, &[], name, false).is_some())
}

/// Everything as JSON, with a schema version.
pub fn all(table: &Table, goals: &[&str]) -> String {
    let mut document = help::all(table, goals);
    document["target_types"] = kinds::to_json();
    document["symbols"] =
        SYMBOLS.iter().map(|(name, help)| ((*name).to_owned(), json!(help))).collect::<Map<_, _>>().into();
    document["backends"] = json!(kinds::backends());
    serde_json::to_string_pretty::<Value>(&document).expect("texts and numbers are JSON") + "\n"
}

fn symbols() -> Vec<(&'static str, &'static str)> {
    let mut symbols: Vec<_> = SYMBOLS.into_iter().chain(kinds::list()).collect();
    symbols.sort_unstable();
    symbols
}

fn symbol(topic: &str) -> Option<String> {
    let (_, help) = SYMBOLS.iter().find(|(name, _)| *name == topic)?;
    Some(format!("{help}\n"))
}

fn backends() -> String {
    let mut out = "Backends of Pants that provide target types or fields. All of these load, whether the backend is enabled or not.\n\n"
        .to_owned();
    for (backend, brings) in kinds::backends() {
        out += &format!("  {backend}\n      {}\n", brings.join(", "));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(topic: &str) -> Option<String> {
        page(Table::get(), &["test", "list"], topic, false)
    }

    #[test]
    fn every_topic_has_a_page() {
        for topic in crate::cli::args::HELP_LISTS.into_iter().chain(["test", "pytest", "python_tests", "parametrize"]) {
            assert!(shown(topic).is_some_and(|page| !page.is_empty()), "{topic}");
        }
        assert_eq!(shown("nothing"), None);
        assert_eq!(suggest(Table::get(), "python_tessts"), Some("python_tests"));
        assert_eq!(suggest(Table::get(), "pytset"), Some("pytest"));
    }

    #[test]
    fn all_topics_are_rendered_as_json() {
        let document: Value = serde_json::from_str(&all(Table::get(), &["test"])).unwrap();
        assert_eq!(document["target_types"]["python_test"]["fields"]["timeout"]["kind"], "number");
        assert_eq!(document["scopes"]["test"]["options"]["output"]["choices"][0], "all");
        assert_eq!(document["scopes"]["pytest"]["options"]["args"]["flag"], "--pytest-args");
    }
}
