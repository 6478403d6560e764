//! The options that inference obeys, read once. What they mean is in `infer`.

use globset::{Glob, GlobSet, GlobSetBuilder};

use crate::config::Config;
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitFiles {
    Always,
    /// Those that hold more than white space.
    ContentOnly,
    Never,
}

/// What an import that nobody provides is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unowned {
    Ignore,
    Warn,
    Error,
}

#[derive(Debug, thiserror::Error)]
#[error("`[python-infer] string_import_ignore` holds `{pattern}`, which is not a pattern")]
pub struct Error {
    pattern: String,
    source: globset::Error,
}

impl Settings {
    pub fn of(config: &Config) -> Result<Settings, Error> {
        let infer = "python-infer";
        let on = |option| config.value(infer, option).as_bool().unwrap_or(true);
        let number = |option, default| {
            config.integer(infer, option).and_then(|number| usize::try_from(number).ok()).unwrap_or(default)
        };
        Ok(Settings {
            enable_resolves: config.flag("python", "enable_resolves"),
            default_resolve: config.text("python", "default_resolve").unwrap_or("python-default").to_owned(),
            imports: on("imports"),
            string_imports: config.flag(infer, "string_imports"),
            string_imports_min_dots: number("string_imports_min_dots", 2),
            string_import_ignore: patterns(&config.list(infer, "string_import_ignore"))?,
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
                Some("ignore") => Unowned::Ignore,
                Some("error") => Unowned::Error,
                _ => Unowned::Warn,
            },
            by_source_root: config.text(infer, "ambiguity_resolution") == Some("by_source_root"),
            ignored_unowned: config.list(infer, "ignored_unowned_imports").into_iter().map(str::to_owned).collect(),
            plugins: Plugins::of(config),
            build_args: config.list("docker", "build_args").into_iter().map(str::to_owned).collect(),
            shell: config.flag("shell-setup", "dependency_inference"),
            protobuf: generated(config, Language::Protobuf, "pants.backend.codegen.protobuf.python", "protoc"),
            thrift: generated(config, Language::Thrift, "pants.backend.codegen.thrift.apache.python", "thrift"),
            grpc: [("grpcio_plugin", GRPCIO), ("grpclib_plugin", GRPCLIB)]
                .into_iter()
                .filter(|(option, _)| config.flag("python-protobuf", option))
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

/// `scope`: the section for the language whatever is made of it.
fn generated(config: &Config, language: Language, backend: &str, scope: &str) -> Generated {
    let python = config.list("GLOBAL", "backend_packages").contains(&backend);
    let runtime = python && config.flag(language.scope(), "infer_runtime_dependency");
    Generated { python, imports: config.flag(scope, "dependency_inference"), runtime }
}

fn patterns(patterns: &[&str]) -> Result<GlobSet, Error> {
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
    fn what_is_not_set_has_its_default() {
        let settings = Settings::of(&Config::default()).expect("defaults");
        assert!(settings.imports && settings.conftests && settings.entry_points && !settings.wants_strings());
        assert_eq!((settings.init_files, settings.unowned), (InitFiles::ContentOnly, Unowned::Warn));
    }
}
