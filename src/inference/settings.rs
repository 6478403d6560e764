//! The options that inference obeys, read once. What they mean is in `infer`.

use globset::{Glob, GlobSet, GlobSetBuilder};

use crate::config::Config;
use crate::config::typed::{
    DockerSettings, GlobalSettings, ProtobufSettings, PythonInferSettings, PythonSettings, ShellSetupSettings,
    ThriftSettings,
};
pub use crate::config::typed::{InitFiles, UnownedDependency as Unowned};
use crate::inference::definition::{GRPCIO, GRPCLIB, Grpc, Language};
use crate::inference::plugins::Plugins;

#[derive(Clone, Debug)]
pub struct Settings {
    /// Without resolves everybody shares one.
    pub enable_resolves: bool,
    pub default_resolve: String,
    pub imports: bool,
    pub string_imports: bool,
    pub string_imports_min_dots: usize,
    pub string_import_ignore: GlobSet,
    pub assets: bool,
    pub assets_min_slashes: usize,
    pub init_files: InitFiles,
    pub conftests: bool,
    pub entry_points: bool,
    pub unowned: Unowned,
    /// Between equal providers, the nearest to the importer's source root.
    pub by_source_root: bool,
    pub ignored_unowned: Vec<String>,
    pub plugins: Plugins,
    /// Of every image, as `NAME=value`.
    pub build_args: Vec<String>,
    /// Whether shell scripts depend on what they source.
    pub shell: bool,
    protobuf: Generated,
    thrift: Generated,
    /// What a protocol buffer with services is made into beside its messages.
    pub grpc: Vec<Grpc>,
}

/// What becomes of interface definitions of one language.
#[derive(Clone, Copy, Debug)]
pub struct Generated {
    /// Whether Python is made of them.
    pub python: bool,
    /// Whether they depend on what they import.
    pub imports: bool,
    /// Whether they depend on what the code that is made of them needs.
    pub runtime: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("`[python-infer] string_import_ignore` holds `{pattern}`, which is not a pattern")]
pub struct Error {
    pattern: String,
    source: globset::Error,
}

impl Settings {
    pub fn of(config: &Config) -> Result<Settings, Error> {
        let (python, infer) = (PythonSettings::parse(config), PythonInferSettings::parse(config));
        let (protobuf, thrift) = (ProtobufSettings::parse(config), ThriftSettings::parse(config));
        let backends = GlobalSettings::parse(config).backend_packages;
        let is_enabled = |backend: &str| backends.iter().any(|enabled| enabled == backend);
        Ok(Settings {
            enable_resolves: python.enable_resolves,
            default_resolve: python.default_resolve,
            imports: infer.imports,
            string_imports: infer.string_imports,
            string_imports_min_dots: infer.string_imports_min_dots,
            string_import_ignore: patterns(&infer.string_import_ignore)?,
            assets: infer.assets,
            assets_min_slashes: infer.assets_min_slashes,
            init_files: infer.init_files,
            conftests: infer.conftests,
            entry_points: infer.entry_points,
            unowned: infer.unowned_dependency,
            by_source_root: infer.by_source_root,
            ignored_unowned: infer.ignored_unowned_imports,
            plugins: Plugins::of(config),
            build_args: DockerSettings::parse(config).build_args,
            shell: ShellSetupSettings::parse(config).dependency_inference,
            protobuf: Generated::new(
                is_enabled("pants.backend.codegen.protobuf.python"),
                protobuf.dependency_inference,
                protobuf.infer_runtime_dependency,
            ),
            thrift: Generated::new(
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

    pub fn generated(&self, language: Language) -> Generated {
        match language {
            Language::Protobuf => self.protobuf,
            Language::Thrift => self.thrift,
        }
    }

    /// Do strings matter? Reading them off the files costs, and the answer belongs to the key of kept `Imports`.
    pub fn wants_strings(&self) -> bool {
        self.string_imports || self.assets
    }
}

impl Generated {
    /// Only generated Python needs a runtime library.
    fn new(python: bool, imports: bool, runtime: bool) -> Generated {
        Generated { python, imports, runtime: python && runtime }
    }
}

fn patterns(patterns: &[String]) -> Result<GlobSet, Error> {
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
    fn what_is_not_set_has_its_default() {
        let settings = Settings::of(&Config::default()).expect("defaults");
        assert!(settings.imports && settings.conftests && settings.entry_points && !settings.wants_strings());
        assert_eq!((settings.init_files, settings.unowned), (InitFiles::ContentOnly, Unowned::Warn));
    }
}
