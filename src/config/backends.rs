//! The backends and plugins that settings name: which of them nobody here knows. What a backend brings is in the tables of
//! options and target types.

use crate::base::text::nearest;
use crate::config::{Config, Warning, plugins};

/// Those of Pants up to 2.34 and Waders' own, one a line, sorted.
const BACKENDS: &str = include_str!("table/backends.txt");

/// One warning for all unknown backends, and one for all plugins that would be installed.
pub fn unknown(config: &Config) -> Vec<Warning> {
    let backends: Vec<&str> =
        config.list("GLOBAL", "backend_packages").into_iter().filter(|backend| !is_known(backend)).collect();
    let near = backends.iter().find_map(|backend| nearest(backend, BACKENDS.lines()));
    let hint = near.map(|near| format!("did you mean `{near}`?"));
    let unknown = (!backends.is_empty()).then(|| Warning {
        message: format!(
            "code of Pants plugins is not run, so these backends are without effect: {}",
            listed(&backends)
        ),
        hint,
    });
    let plugins = config.list("GLOBAL", "plugins");
    let installed = (!plugins.is_empty()).then(|| Warning {
        message: format!("Pants plugins are not installed, so these are without effect: {}", listed(&plugins)),
        hint: None,
    });
    unknown.into_iter().chain(installed).collect()
}

/// Whether a backend's name says something here.
pub fn is_known(backend: &str) -> bool {
    plugins::named(backend).is_some() || BACKENDS.lines().any(|known| known == backend)
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(option: &'static str, names: &[&str], expected: &[&str]) {
        let config = Config::of([("GLOBAL", option, json!(names))]);
        let found: Vec<String> = unknown(&config).into_iter().map(|warning| warning.message).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn backends_of_pants_and_plugins_known_by_name_are_no_news() {
        check("backend_packages", &["pants.backend.python", "pants.backend.experimental.visibility", "setupgen"], &[]);
    }

    #[test]
    fn what_is_without_effect_is_told_at_once() {
        let text = "code of Pants plugins is not run, so these backends are without effect: `a`, `b.c`";
        check("backend_packages", &["a", "pants.backend.shell", "b.c"], &[text]);
        let text = "Pants plugins are not installed, so these are without effect: `x==1`";
        check("plugins", &["x==1"], &[text]);
    }

    #[test]
    fn a_misspelt_backend_finds_its_neighbour() {
        let config = Config::of([("GLOBAL", "backend_packages", json!(["pants.backend.pyhton"]))]);
        assert_eq!(unknown(&config)[0].hint.as_deref(), Some("did you mean `pants.backend.python`?"));
    }
}
