//! The options that control inference, as typed values. Their effect is implemented in `infer`.

use globset::{Glob, GlobSet, GlobSetBuilder};

use crate::config::Config;
use crate::config::typed::{
    DockerSettings, GlobalSettings, ProtobufSettings, PythonInferSettings, PythonSettings, ShellSetupSettings,
    ThriftSettings,
};
pub use crate::config::typed::{InitFiles, UnownedDependency as UnownedBehavior};
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
    /// Whether what is still ambiguous is resolved in favour of first-party code and of the nearest requirement.
    pub nearest: bool,
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
        let (python, infer) = (PythonSettings::parse(config), PythonInferSettings::parse(config));
        let (protobuf, thrift) = (ProtobufSettings::parse(config), ThriftSettings::parse(config));
        let backends = GlobalSettings::parse(config).backend_packages;
        let is_enabled = |backend: &str| backends.iter().any(|enabled| enabled == backend);
        Ok(InferenceSettings {
            enable_resolves: python.enable_resolves,
            default_resolve: python.default_resolve,
            imports: infer.imports,
            string_imports: infer.string_imports,
            string_imports_min_dots: infer.string_imports_min_dots,
            string_import_ignore: glob_set(&infer.string_import_ignore)?,
            assets: infer.assets,
            assets_min_slashes: infer.assets_min_slashes,
            init_files: infer.init_files,
            conftests: infer.conftests,
            entry_points: infer.entry_points,
            unowned: infer.unowned_dependency,
            by_source_root: infer.by_source_root,
            nearest: infer.nearest,
            ignored_unowned: infer.ignored_unowned_imports,
            plugins: Plugins::from_config(config),
            docker_build_args: DockerSettings::parse(config).build_args,
            shell: ShellSetupSettings::parse(config).dependency_inference,
            protobuf: CodegenSettings::new(
                is_enabled("pants.backend.codegen.protobuf.python"),
                protobuf.dependency_inference,
                protobuf.infer_runtime_dependency,
            ),
            thrift: CodegenSettings::new(
                is_enabled("pants.backend.codegen.thrift.apache.python"),
                thrift.dependency_inference,
                thrift.infer_runtime_dependency,
            ),
            grpc: [(protobuf.grpcio_plugin, GRPCIO), (protobuf.grpclib_plugin, GRPCLIB)]
                .into_iter()
                .filter(|(is_enabled, _)| *is_enabled)
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

impl CodegenSettings {
    /// Only generated Python needs a runtime library.
    fn new(python: bool, infer_imports: bool, infer_runtime: bool) -> CodegenSettings {
        CodegenSettings { python, infer_imports, infer_runtime: python && infer_runtime }
    }
}

fn glob_set(patterns: &[String]) -> Result<GlobSet, Error> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(Glob::new(pattern).map_err(|source| Error { pattern: pattern.clone(), source })?);
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
