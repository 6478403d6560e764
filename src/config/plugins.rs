//! In-repository plugins that are known by name, as data: `plugins.toml`. Who acts on it looks there for what concerns it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

use crate::config::Config;

/// What one plugin does.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plugin {
    pub artifact: Option<Artifact>,
    pub exclude: Option<Exclude>,
}

/// What distributions get that do not say it themselves.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Artifact {
    /// From the build root: its text is the version.
    pub version_file: Option<String>,
    /// Beside the BUILD file: the first that exists is the long description.
    pub long_description_files: Vec<String>,
    /// What every name begins with.
    pub name_prefix: Option<String>,
    /// What has to be said.
    pub required: Vec<String>,
}

/// Inferred dependencies that targets do not have after all.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exclude {
    /// Of the targets whose dependencies these are.
    pub tagged: String,
    /// Directories from the build root.
    pub below: String,
    pub but_not_below: String,
}

/// The plugin of a backend's name.
pub fn named(backend: &str) -> Option<&'static Plugin> {
    static PLUGINS: OnceLock<BTreeMap<String, Plugin>> = OnceLock::new();
    let read = || toml::from_str(include_str!("plugins.toml")).expect("plugins.toml is read by a test");
    PLUGINS.get_or_init(read).get(backend)
}

/// Those that a repository uses.
pub fn in_use(config: &Config) -> impl Iterator<Item = &'static Plugin> {
    config.list("GLOBAL", "backend_packages").into_iter().filter_map(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugins_are_known_by_the_names_of_their_backends() {
        let version_file = named("setupgen").and_then(|plugin| plugin.artifact.as_ref()?.version_file.as_deref());
        assert_eq!(version_file, Some("VERSION"));
        assert_eq!(named("platform_resources"), Some(&Plugin::default()));
        assert_eq!(
            named("accelerator_wheels").and_then(|plugin| Some(&*plugin.exclude.as_ref()?.tagged)),
            Some("accelerator")
        );
        assert_eq!(named("another"), None);
    }
}
