//! The options that control inference, as typed values. Their effect is implemented in `infer`.

use globset::{Glob, GlobSet, GlobSetBuilder};

use crate::config::Config;
use crate::inference::interface_definition::{GRPCIO, GRPCLIB, GrpcPlugin, Language};
use crate::inference::plugins::Plugins;

/// The options that control inference: mostly those of `[python-infer]`.
#[derive(Clone, Debug)]
pub struct InferenceSettings {
    /// `[python] enable_resolves`. If false, all targets share the default resolve.
    pub enable_resolves: bool,
    /// `[python] default_resolve`.
    pub default_resolve: String,
    /// Whether to infer dependencies from import statements.
    pub imports: bool,
    /// Whether to infer dependencies from strings that look like module names.
    pub string_imports: bool,
    /// The least number of dots in such a string.
    pub string_imports_min_dots: usize,
    /// Strings that are never treated as module names.
    pub string_import_ignore: GlobSet,
    /// Whether to infer dependencies from strings that look like paths.
    pub assets: bool,
    /// The least number of slashes in such a string.
    pub assets_min_slashes: usize,
    /// Which `__init__.py` files the modules below them depend on.
    pub init_files: InitFiles,
    /// Whether tests depend on the `conftest.py` files above them.
    pub conftests: bool,
    /// Whether to infer dependencies from entry points.
    pub entry_points: bool,
    /// How to report imports without an owner.
    pub unowned: UnownedBehavior,
    /// Whether ambiguity is resolved in favour of the provider nearest to the importer's source root.
    pub by_source_root: bool,
    /// Modules that need no owner, with all their submodules.
    pub ignored_unowned: Vec<String>,
    /// Changes to dependencies that known plugins make.
    pub plugins: Plugins,
    /// `[docker] build_args` as `NAME=value`: default build arguments of every image.
    pub docker_build_args: Vec<String>,
    /// Whether shell scripts depend on the files that they source.
    pub shell: bool,
    protobuf: CodegenSettings,
    thrift: CodegenSettings,
    /// The enabled gRPC plugins, which generate further modules for protocol buffers with services.
    pub grpc: Vec<GrpcPlugin>,
}

/// Code generation from the interface definitions of one language.
#[derive(Clone, Copy, Debug)]
pub struct CodegenSettings {
    /// Whether Python code is generated.
    pub python: bool,
    /// Whether a definition depends on the definitions that it imports.
    pub infer_imports: bool,
    /// Whether a definition depends on the runtime libraries of the generated code.
    pub infer_runtime: bool,
}

/// `[python-infer] init_files`: which `__init__.py` files count as dependencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitFiles {
    /// All of them.
    Always,
    /// Those with content other than white space.
    ContentOnly,
    /// None.
    Never,
}

/// `[python-infer] unowned_dependency_behavior`: how to report an import that no target provides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnownedBehavior {
    /// Not at all.
    Ignore,
    /// As a warning.
    Warn,
    /// As an error.
    Error,
}

/// An invalid value of an inference option.
#[derive(Debug, thiserror::Error)]
#[error("invalid glob `{pattern}` in `[python-infer] string_import_ignore`")]
pub struct Error {
    pattern: String,
    source: globset::Error,
}

impl InferenceSettings {
    /// Reads the options from the configuration.
    pub fn from_config(config: &Config) -> Result<InferenceSettings, Error> {
        let infer = "python-infer";
        let on = |option| config.value(infer, option).as_bool().unwrap_or(true);
        let number = |option, default| {
            config.integer(infer, option).and_then(|number| usize::try_from(number).ok()).unwrap_or(default)
        };
        Ok(InferenceSettings {
            enable_resolves: config.flag("python", "enable_resolves"),
            default_resolve: config.text("python", "default_resolve").unwrap_or("python-default").to_owned(),
            imports: on("imports"),
            string_imports: config.flag(infer, "string_imports"),
            string_imports_min_dots: number("string_imports_min_dots", 2),
            string_import_ignore: glob_set(&config.list(infer, "string_import_ignore"))?,
            assets: config.flag(infer, "assets"),
            assets_min_slashes: number("assets_min_slashes", 1),
            init_files: match config.text(infer, "init_files") {
                Some("always") => InitFiles::Always,
                Some("never") => InitFiles::Never,
                _ => InitFiles::ContentOnly,
            },
            conftests: on("conftests"),
            entry_points: on("entry_points"),
            unowned: match config.text(infer, "unowned_dependency_behavior") {
                Some("ignore") => UnownedBehavior::Ignore,
                Some("error") => UnownedBehavior::Error,
                _ => UnownedBehavior::Warn,
            },
            by_source_root: config.text(infer, "ambiguity_resolution") == Some("by_source_root"),
            ignored_unowned: config.list(infer, "ignored_unowned_imports").into_iter().map(str::to_owned).collect(),
            plugins: Plugins::from_config(config),
            docker_build_args: config.list("docker", "build_args").into_iter().map(str::to_owned).collect(),
            shell: config.flag("shell-setup", "dependency_inference"),
            protobuf: codegen_settings(config, Language::Protobuf, "pants.backend.codegen.protobuf.python", "protoc"),
            thrift: codegen_settings(config, Language::Thrift, "pants.backend.codegen.thrift.apache.python", "thrift"),
            grpc: [("grpcio_plugin", GRPCIO), ("grpclib_plugin", GRPCLIB)]
                .into_iter()
                .filter(|(option, _)| config.flag("python-protobuf", option))
                .map(|(_, grpc)| grpc)
                .collect(),
        })
    }

    /// The code generation settings of a language.
    pub fn codegen(&self, language: Language) -> CodegenSettings {
        match language {
            Language::Protobuf => self.protobuf,
            Language::Thrift => self.thrift,
        }
    }

    /// Whether strings must be collected from sources. This takes time, and it is part of the key of cached `Imports`.
    pub fn needs_strings(&self) -> bool {
        self.string_imports || self.assets
    }
}

/// `scope` is the section of the compiler, which applies to all target languages.
fn codegen_settings(config: &Config, language: Language, backend: &str, scope: &str) -> CodegenSettings {
    let python = config.list("GLOBAL", "backend_packages").contains(&backend);
    let infer_runtime = python && config.flag(language.scope(), "infer_runtime_dependency");
    CodegenSettings { python, infer_imports: config.flag(scope, "dependency_inference"), infer_runtime }
}

fn glob_set(patterns: &[&str]) -> Result<GlobSet, Error> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(Glob::new(pattern).map_err(|source| Error { pattern: (*pattern).to_owned(), source })?);
    }
    set.build().map_err(|source| Error { pattern: patterns.join(" "), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unset_options_have_their_defaults() {
        let settings = InferenceSettings::from_config(&Config::default()).expect("defaults");
        assert!(settings.imports && settings.conftests && settings.entry_points && !settings.needs_strings());
        assert_eq!((settings.init_files, settings.unowned), (InitFiles::ContentOnly, UnownedBehavior::Warn));
    }
}
