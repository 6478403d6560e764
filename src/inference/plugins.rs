//! What plugins that are known by name add to dependencies, and take away from them. What is theirs by settings stands in
//! `config::plugins`.

use crate::config::Config;
use crate::config::plugins::{self, Exclude};
use crate::config::typed::PlatformResourcesSettings;
use crate::targets::kind;
use crate::targets::{Address, Target, Value};

/// The plugins of a repository, as far as they have to do with dependencies.
#[derive(Clone, Debug, Default)]
pub struct Plugins {
    excludes: Vec<&'static Exclude>,
    /// `linux_x86_64`.
    platform: String,
}

impl Plugins {
    pub fn of(config: &Config) -> Plugins {
        let platform = PlatformResourcesSettings::parse(config).target.unwrap_or_else(host);
        Plugins { excludes: plugins::in_use(config).filter_map(|plugin| plugin.exclude.as_ref()).collect(), platform }
    }

    /// Whether a source does without an owner of what it imports.
    pub fn excludes(&self, source: &Target, owner: &Address) -> bool {
        let tags = source.fields.get("tags").map(Value::strings).unwrap_or_default();
        let is_meant =
            |exclude: &&&Exclude| source.kind == kind::PYTHON_SOURCE && tags.contains(&exclude.tagged.as_str());
        let dir = owner.dir.as_str();
        let mut meant = self.excludes.iter().filter(is_meant);
        meant.any(|exclude| dir.starts_with(&exclude.below) && !dir.starts_with(&exclude.but_not_below))
    }

    /// The address that `platform_resources` names for the platform, if any.
    pub fn resources<'t>(&self, target: &'t Target) -> Option<&'t str> {
        let Some(Value::Dict(platforms)) = target.fields.get("dependency_map") else { return None };
        let (_, address) = platforms.iter().find(|(platform, _)| platform.as_str() == Some(&self.platform))?;
        address.as_str()
    }
}

/// As Pants calls this machine's platform.
fn host() -> String {
    let system = if cfg!(target_os = "macos") { "macos" } else { "linux" };
    let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    format!("{system}_{machine}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::RelPath;
    use crate::base::text::Place;
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
    fn accelerators_do_without_the_core() {
        let plugins = Plugins::of(&Config::of([("GLOBAL", "backend_packages", json!(["accelerator_wheels"]))]));
        let source = target("python_source", "tags", Value::List(vec![text("accelerator")]));
        let owner = |dir| Address::new(&RelPath::parse(dir).expect("clean"), "lib");
        assert!(plugins.excludes(&source, &owner("src/ai/backend/common")));
        assert!(!plugins.excludes(&source, &owner("src/ai/backend/accelerator/cuda_open")));
        assert!(!plugins.excludes(&source, &owner("")));
        let other = target("python_source", "tags", Value::List(vec![text("other")]));
        assert!(!plugins.excludes(&other, &owner("src/ai/backend/common")));
        assert!(!Plugins::of(&Config::default()).excludes(&source, &owner("src/ai/backend/common")));
    }

    #[test]
    fn resources_are_those_of_the_platform() {
        let map = Value::Dict(vec![(text("linux_arm64"), text(":arm")), (text(&host()), text(":host"))]);
        let target = target("platform_resources", "dependency_map", map);
        assert_eq!(Plugins::of(&Config::default()).resources(&target), Some(":host"));
        let config = |platform| Config::of([("platform-specific-resources", "target", json!(platform))]);
        assert_eq!(Plugins::of(&config("linux_arm64")).resources(&target), Some(":arm"));
        assert_eq!(Plugins::of(&config("macos_x86_64")).resources(&target).filter(|_| host() != "macos_x86_64"), None);
    }
}
