//! Detects unknown backends and plugins in the settings. The options and target types of backends are in the respective tables.

use crate::base::text::nearest;
use crate::config::{Config, Warning, plugins};

/// The backends of Pants up to 2.34 and those of Waders, sorted, one on each line.
const BACKENDS: &str = include_str!("table/backends.txt");

/// One warning for all unknown backends, and one for all plugins. `declares_tools`: whether a plugin of the repository declares tools,
/// so that it is not without effect.
pub fn unknown(config: &Config, declares_tools: &dyn Fn(&str) -> bool) -> Vec<Warning> {
    let is_unknown = |backend: &&str| !is_known(backend) && !declares_tools(backend);
    let backends: Vec<&str> = config.list("GLOBAL", "backend_packages").into_iter().filter(is_unknown).collect();
    let near = backends.iter().find_map(|backend| nearest(backend, BACKENDS.lines()));
    let hint = near.map(|near| format!("did you mean `{near}`?"));
    let unknown = (!backends.is_empty()).then(|| Warning {
        message: format!(
            "Waders does not run the code of Pants plugins, so these backends have no effect: {}",
            listed(&backends)
        ),
        hint,
    });
    let plugins = config.list("GLOBAL", "plugins");
    let installed = (!plugins.is_empty()).then(|| Warning {
        message: format!("Waders does not install Pants plugins, so these have no effect: {}", listed(&plugins)),
        hint: None,
    });
    unknown.into_iter().chain(installed).collect()
}

/// Whether a backend is known.
pub fn is_known(backend: &str) -> bool {
    plugins::find(backend).is_some() || BACKENDS.lines().any(|known| known == backend)
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
        let found: Vec<String> =
            unknown(&config, &|backend| backend == "of_tools").into_iter().map(|warning| warning.message).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn known_backends_and_plugins_cause_no_warning() {
        let known = ["pants.backend.python", "pants.backend.experimental.visibility", "setupgen", "of_tools"];
        check("backend_packages", &known, &[]);
    }

    #[test]
    fn names_without_effect_are_listed_in_one_warning() {
        let text = "Waders does not run the code of Pants plugins, so these backends have no effect: `a`, `b.c`";
        check("backend_packages", &["a", "pants.backend.shell", "b.c"], &[text]);
        let text = "Waders does not install Pants plugins, so these have no effect: `x==1`";
        check("plugins", &["x==1"], &[text]);
    }

    #[test]
    fn a_similar_backend_is_suggested() {
        let config = Config::of([("GLOBAL", "backend_packages", json!(["pants.backend.pyhton"]))]);
        assert_eq!(unknown(&config, &|_| false)[0].hint.as_deref(), Some("did you mean `pants.backend.python`?"));
    }
}
