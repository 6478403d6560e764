//! Dependencies that known plugins add or remove. The table of plugins is in `config::plugins`.

use crate::config::Config;
use crate::config::plugins::{self, Exclude};
use crate::config::typed::PlatformResourcesSettings;
use crate::targets::kind;
use crate::targets::{Address, Target};

/// The enabled plugins that change dependencies.
#[derive(Clone, Debug, Default)]
pub struct Plugins {
    excludes: Vec<&'static Exclude>,
    /// The platform for `platform_resources`, such as `linux_x86_64`.
    platform: String,
}

impl Plugins {
    /// Reads the enabled plugins from the configuration.
    pub fn from_config(config: &Config) -> Plugins {
        let platform = PlatformResourcesSettings::parse(config).target.unwrap_or_else(host_platform);
        Plugins { excludes: plugins::in_use(config).filter_map(|plugin| plugin.exclude.as_ref()).collect(), platform }
    }

    /// Whether a plugin removes the dependency of `source` on `owner`.
    pub fn excludes(&self, source: &Target, owner: &Address) -> bool {
        let tags = source.strings("tags");
        let matches =
            |exclude: &&&Exclude| source.kind == kind::PYTHON_SOURCE && tags.contains(&exclude.tagged.as_str());
        let dir = owner.dir.as_str();
        let mut matching = self.excludes.iter().filter(matches);
        matching.any(|exclude| dir.starts_with(&exclude.below) && !dir.starts_with(&exclude.but_not_below))
    }

    /// The address that a `platform_resources` target names for the platform, if any.
    pub fn platform_resources<'t>(&self, target: &'t Target) -> Option<&'t str> {
        let (_, address) =
            target.entries("dependency_map").iter().find(|(platform, _)| platform.as_str() == Some(&self.platform))?;
        address.as_str()
    }
}

/// Pants' name of the host platform.
fn host_platform() -> String {
    let system = if cfg!(target_os = "macos") { "macos" } else { "linux" };
    let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    format!("{system}_{machine}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::RelPath;
    use crate::base::text::Place;
    use crate::targets::Value;
    use serde_json::json;

    fn target(kind: &str, field: &str, value: Value) -> Target {
        let root = RelPath::root();
        Target {
            address: Address::new(&root, "x"),
            kind: kind.to_owned(),
            fields: [(field.to_owned(), value)].into(),
            sources: Vec::new(),
            generator: None,
            build_file: root,
            place: Place { line: 1, column: 1 },
        }
    }

    fn text(text: &str) -> Value {
        Value::Str(text.to_owned())
    }

    #[test]
    fn the_accelerator_plugin_removes_core_dependencies() {
        let plugins =
            Plugins::from_config(&Config::of([("GLOBAL", "backend_packages", json!(["accelerator_wheels"]))]));
        let source = target("python_source", "tags", Value::List(vec![text("accelerator")]));
        let owner = |dir| Address::new(&RelPath::parse(dir).expect("clean"), "lib");
        assert!(plugins.excludes(&source, &owner("src/ai/backend/common")));
        assert!(!plugins.excludes(&source, &owner("src/ai/backend/accelerator/cuda_open")));
        assert!(!plugins.excludes(&source, &owner("")));
        let other = target("python_source", "tags", Value::List(vec![text("other")]));
        assert!(!plugins.excludes(&other, &owner("src/ai/backend/common")));
        assert!(!Plugins::from_config(&Config::default()).excludes(&source, &owner("src/ai/backend/common")));
    }

    #[test]
    fn platform_resources_depend_on_the_platform() {
        let map = Value::Dict(vec![(text("linux_arm64"), text(":arm")), (text(&host_platform()), text(":host"))]);
        let target = target("platform_resources", "dependency_map", map);
        assert_eq!(Plugins::from_config(&Config::default()).platform_resources(&target), Some(":host"));
        let config = |platform| Config::of([("platform-specific-resources", "target", json!(platform))]);
        assert_eq!(Plugins::from_config(&config("linux_arm64")).platform_resources(&target), Some(":arm"));
        assert_eq!(
            Plugins::from_config(&config("macos_x86_64"))
                .platform_resources(&target)
                .filter(|_| host_platform() != "macos_x86_64"),
            None
        );
    }
}
