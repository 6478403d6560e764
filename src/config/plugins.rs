//! Well-known in-repository plugins, described as data in `plugins.toml`. Other rooms implement their effects.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

use crate::config::Config;

/// The effects of one plugin.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plugin {
    /// Changes to distributions.
    pub artifact: Option<Artifact>,
    /// Inferred dependencies to remove.
    pub exclude: Option<Exclude>,
}

/// Defaults and requirements for the metadata of distributions.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Artifact {
    /// A file relative to the build root. Its contents are the version.
    pub version_file: Option<String>,
    /// Files in the directory of the BUILD file. The first that exists is the long description.
    pub long_description_files: Vec<String>,
    /// The required prefix of every name.
    pub name_prefix: Option<String>,
    /// Keys that must be set.
    pub required: Vec<String>,
    /// Keys that are always set to these values.
    pub fixed: toml::Table,
    /// Whether `python_requires` is the minor version of the repository's exact interpreter constraint: `>=3.11,<3.12`. It is
    /// a classifier too if there are other classifiers.
    pub minor_range: bool,
    /// Classifiers that come before those that are set.
    pub classifiers: Vec<String>,
    /// Classifiers by the end of the version: the first of these letters after the digits, such as `rc`. The key `""` is for
    /// other versions.
    pub status_classifiers: BTreeMap<String, String>,
    /// Classifiers by the value of the key `license`.
    pub license_classifiers: BTreeMap<String, String>,
}

impl Artifact {
    /// The classifier for the development status of a version.
    pub fn status_classifier(&self, version: &str) -> Option<&str> {
        let release = version.trim_end_matches(|c: char| c.is_ascii_digit());
        let marks = self.status_classifiers.iter().filter(|(mark, _)| !mark.is_empty() && release.ends_with(*mark));
        let longest = marks.max_by_key(|(mark, _)| mark.len()).map(|(_, classifier)| classifier);
        longest.or_else(|| self.status_classifiers.get("")).map(String::as_str)
    }
}

/// Inferred dependencies that are removed.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exclude {
    /// The tag of the targets that have the dependencies.
    pub tagged: String,
    /// The dependencies are below this directory, relative to the build root.
    pub below: String,
    /// Dependencies below this directory are kept.
    pub but_not_below: String,
}

/// The plugin that provides a backend.
pub fn find(backend: &str) -> Option<&'static Plugin> {
    static PLUGINS: OnceLock<BTreeMap<String, Plugin>> = OnceLock::new();
    let read = || toml::from_str(include_str!("plugins.toml")).expect("plugins.toml is valid: tested below");
    PLUGINS.get_or_init(read).get(backend)
}

/// The known plugins that a repository uses.
pub fn in_use(config: &Config) -> impl Iterator<Item = &'static Plugin> {
    config.list("GLOBAL", "backend_packages").into_iter().filter_map(find)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugins_are_found_by_the_names_of_their_backends() {
        let version_file = find("setupgen").and_then(|plugin| plugin.artifact.as_ref()?.version_file.as_deref());
        assert_eq!(version_file, Some("VERSION"));
        assert_eq!(find("platform_resources"), Some(&Plugin::default()));
        assert_eq!(
            find("accelerator_wheels").and_then(|plugin| Some(&*plugin.exclude.as_ref()?.tagged)),
            Some("accelerator")
        );
        assert_eq!(find("another"), None);
    }

    #[test]
    fn the_status_of_a_version_follows_from_its_end() {
        let artifact = find("setupgen").and_then(|plugin| plugin.artifact.as_ref()).unwrap();
        let status = |version| artifact.status_classifier(version).and_then(|text| text.chars().nth(22));
        let versions = ["26.8.0rc1", "26.8.0b2", "26.8.0.dev3", "26.8.0a1", "26.8.0"];
        assert_eq!(versions.map(status), ["4", "4", "2", "3", "5"].map(|digit| digit.chars().next()));
        assert_eq!(Artifact::default().status_classifier("1.0"), None);
    }
}
