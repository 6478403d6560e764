//! `[docker]`: how container images are named and built.

use serde_json::Value;

use super::section::Section;
use crate::config::Config;

/// The section `[docker]`.
#[derive(Clone, Debug, Default)]
pub struct DockerSettings {
    /// The repository of images whose target names none. May contain placeholders such as `{name}`.
    pub default_repository: String,
    /// The registries that targets name, sorted by alias.
    pub registries: Vec<Registry>,
    /// The build arguments of every image, as `NAME=value`, or `NAME` for the caller's value.
    pub build_args: Vec<String>,
    /// The root of the contexts of images whose target names none.
    pub default_context_root: String,
    /// The stage that is built of Dockerfiles whose target names none.
    pub build_target_stage: Option<String>,
    /// Whether no layer of an earlier build is used.
    pub build_no_cache: bool,
    /// Names of hosts and their addresses, for programs that run during builds.
    pub build_hosts: Vec<(String, String)>,
    /// The program that builds and pushes images, and the one that runs them, if the user chose.
    pub builder: Option<String>,
    /// See `builder`.
    pub runner: Option<String>,
    /// Base images and what stands for each in images that are composed: the system tree, an interpreter constraint, or an image of a
    /// registry.
    pub composed_bases: Vec<(String, String)>,
    /// The size above which a layer of a composed image is an error.
    pub max_layer_bytes: Option<u64>,
    /// Arguments for running an image; `None` for those that suit the terminal.
    pub run_args: Option<Vec<String>>,
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
        let podman = section.flag("experimental_enable_podman").then(|| "podman".to_owned());
        let engine = |goal: &str| section.dict("engine").get(goal).and_then(Value::as_str).map(str::to_owned);
        DockerSettings {
            builder: engine("build").or_else(|| podman.clone()),
            runner: engine("run").or_else(|| podman.clone()),
            default_repository: section.text_or("default_repository", "{name}"),
            registries: section.dict("registries").iter().map(|(alias, value)| registry(alias, value)).collect(),
            build_args: section.texts("build_args"),
            default_context_root: section.text_or("default_context_root", ""),
            build_target_stage: section.filled("build_target_stage"),
            build_no_cache: section.flag("build_no_cache"),
            build_hosts: pairs(section.dict("build_hosts")),
            composed_bases: pairs(section.dict("composed_bases")),
            max_layer_bytes: section.count("max_layer_size"),
            run_args: Some(section.texts("run_args")).filter(|args| !args.is_empty()),
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

fn pairs(entries: &serde_json::Map<String, Value>) -> Vec<(String, String)> {
    entries.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}
