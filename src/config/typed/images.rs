//! `[docker]`: how container images are named and built.

use serde_json::Value;

use super::section::Section;
use crate::config::Config;

/// The section `[docker]`.
#[derive(Clone, Debug)]
pub struct DockerSettings {
    /// The repository of images whose target names none. May contain placeholders such as `{name}`.
    pub default_repository: String,
    /// The registries that targets name, sorted by alias.
    pub registries: Vec<Registry>,
    /// The build arguments of every image, as `NAME=value`, or `NAME` for the caller's value.
    pub build_args: Vec<String>,
}

/// A registry in `[docker] registries`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registry {
    /// The name that targets use, after `@`.
    pub alias: String,
    /// Host and port, perhaps with a path.
    pub address: String,
    /// Whether images without the field `registries` have it in their names.
    pub is_default: bool,
    /// Tags of every image at this registry.
    pub extra_image_tags: Vec<String>,
    /// Whether `publish` does not push to it.
    pub skip_push: bool,
    /// The repository of images whose target names none, instead of `default_repository`.
    pub repository: Option<String>,
}

impl DockerSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> DockerSettings {
        let section = Section::new(config, "docker");
        DockerSettings {
            default_repository: section.text_or("default_repository", "{name}"),
            registries: section.dict("registries").iter().map(|(alias, value)| registry(alias, value)).collect(),
            build_args: section.texts("build_args"),
        }
    }
}

fn registry(alias: &str, value: &Value) -> Registry {
    let text = |key: &str| value[key].as_str().map(str::to_owned);
    let tags = value["extra_image_tags"].as_array().into_iter().flatten().filter_map(Value::as_str);
    // As in Pants, a registry with the alias `default` is one.
    let is_default = value["default"].as_bool().unwrap_or(alias == "default");
    Registry {
        alias: alias.to_owned(),
        address: text("address").or_else(|| value.as_str().map(str::to_owned)).unwrap_or_default(),
        is_default,
        extra_image_tags: tags.map(str::to_owned).collect(),
        skip_push: value["skip_push"].as_bool().unwrap_or(false),
        repository: text("repository"),
    }
}
