//! `[python]`, `[python-infer]`, `[python-repos]`, and the sections of code generators and images as far as dependency
//! inference reads them.

use std::collections::BTreeMap;

use super::section::Section;
use crate::config::Config;

/// The resolve that exists if no resolves are configured.
const DEFAULT_RESOLVE: &str = "python-default";

/// The section `[python]`.
#[derive(Clone, Debug)]
pub struct PythonSettings {
    /// The interpreter constraints of targets without their own.
    pub interpreter_constraints: Vec<String>,
    /// Minor versions, such as `3.11`, in ascending order.
    pub interpreter_versions_universe: Vec<String>,
    /// Without resolves, all targets share one.
    pub enable_resolves: bool,
    /// The resolve of targets that name none.
    pub default_resolve: String,
    /// Name to the path of the lockfile, as configured.
    pub resolves: BTreeMap<String, String>,
    /// Resolve to its interpreter constraints.
    pub resolves_to_interpreter_constraints: BTreeMap<String, Vec<String>>,
    /// What to do if a lockfile does not match its requirements.
    pub invalid_lockfile: InvalidLockfile,
    /// Whether lockfiles are targets.
    pub enable_lockfile_targets: bool,
    /// Whether tests see all packages of a lockfile.
    pub run_against_entire_lockfile: bool,
    /// Whether code sees only the packages of its own project.
    pub packages_by_project: bool,
    /// Packages that are built from source; `:all:` for every package.
    pub no_binary: Vec<String>,
    /// Packages that are never built from source; `:all:` for every package.
    pub only_binary: Vec<String>,
    /// The path of the constraints file that applies if Waders pins requirements.
    pub requirement_constraints: Option<String>,
    /// Whether `tailor` ignores directories with nothing but an empty `__init__.py`.
    pub tailor_ignore_empty_init_files: bool,
    /// Whether `tailor` adds `pex_binary` targets.
    pub tailor_pex_binary_targets: bool,
}

/// What to do if a lockfile does not match its requirements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidLockfile {
    /// The user did not decide.
    Unset,
    /// Report an error.
    Error,
    /// Report a warning.
    Warn,
    /// Use the lockfile.
    Ignore,
}

/// How the lockfile of a resolve is made: the options `[python] resolves_to_…`. Each list is sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolveSettings {
    /// The path of the constraints file.
    pub constraints_file: Option<String>,
    /// Packages that must be installed from wheels.
    pub only_binary: Vec<String>,
    /// Packages that must be built from source distributions.
    pub no_binary: Vec<String>,
    /// Requirements that are excluded.
    pub excludes: Vec<String>,
    /// Requirements that replace others.
    pub overrides: Vec<String>,
    /// The time before which files must have been uploaded.
    pub uploaded_prior_to: Option<String>,
}

impl ResolveSettings {
    /// Parses the options for a resolve. The key `__default__` applies to resolves that an option does not name.
    pub fn parse(config: &Config, resolve: &str) -> ResolveSettings {
        let section = Section::new(config, "python");
        let value = |option: &str| {
            let values = section.dict(option);
            values.get(resolve).or_else(|| values.get("__default__")).cloned()
        };
        let list = |option: &str| {
            let value = value(option).unwrap_or_default();
            let texts = value.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned));
            let mut texts: Vec<String> = texts.collect();
            texts.sort();
            texts
        };
        let text = |option: &str| value(option).and_then(|value| value.as_str().map(str::to_owned));
        ResolveSettings {
            constraints_file: text("resolves_to_constraints_file"),
            only_binary: list("resolves_to_only_binary"),
            no_binary: list("resolves_to_no_binary"),
            excludes: list("resolves_to_excludes"),
            overrides: list("resolves_to_overrides"),
            uploaded_prior_to: text("resolves_to_uploaded_prior_to"),
        }
    }
}

impl PythonSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> PythonSettings {
        let section = Section::new(config, "python");
        let resolves = section.dict("resolves").iter();
        let constraints = section.dict("resolves_to_interpreter_constraints").iter();
        PythonSettings {
            interpreter_constraints: section.texts("interpreter_constraints"),
            interpreter_versions_universe: section.texts("interpreter_versions_universe"),
            enable_resolves: section.flag("enable_resolves"),
            default_resolve: section.text_or("default_resolve", DEFAULT_RESOLVE),
            resolves: resolves.filter_map(|(name, path)| Some((name.clone(), path.as_str()?.to_owned()))).collect(),
            resolves_to_interpreter_constraints: constraints
                .filter_map(|(resolve, list)| {
                    let texts = list.as_array()?.iter().filter_map(|text| text.as_str().map(str::to_owned));
                    Some((resolve.clone(), texts.collect()))
                })
                .collect(),
            invalid_lockfile: match section.word("invalid_lockfile_behavior") {
                Some("error") => InvalidLockfile::Error,
                Some("warn") => InvalidLockfile::Warn,
                Some("ignore") => InvalidLockfile::Ignore,
                _ => InvalidLockfile::Unset,
            },
            enable_lockfile_targets: section.flag_or("enable_lockfile_targets", true),
            run_against_entire_lockfile: section.flag("run_against_entire_lockfile"),
            packages_by_project: section.flag("packages_by_project"),
            no_binary: section.texts("no_binary"),
            only_binary: section.texts("only_binary"),
            requirement_constraints: section.filled("requirement_constraints"),
            tailor_ignore_empty_init_files: section.flag("tailor_ignore_empty_init_files"),
            tailor_pex_binary_targets: section.flag("tailor_pex_binary_targets"),
        }
    }
}

/// The section `[python-infer]`.
#[derive(Clone, Debug)]
pub struct PythonInferSettings {
    /// Whether imports are dependencies.
    pub imports: bool,
    /// Whether strings that name modules are dependencies.
    pub string_imports: bool,
    /// The number of dots that a string needs to count as a module.
    pub string_imports_min_dots: usize,
    /// Globs of modules that strings do not name.
    pub string_import_ignore: Vec<String>,
    /// Whether strings that name files are dependencies.
    pub assets: bool,
    /// The number of slashes that a string needs to count as a file.
    pub assets_min_slashes: usize,
    /// Which `__init__.py` files are dependencies.
    pub init_files: InitFiles,
    /// Whether tests depend on `conftest.py` files.
    pub conftests: bool,
    /// Whether binaries depend on their entry points.
    pub entry_points: bool,
    /// How to treat an import that no target provides.
    pub unowned_dependency: UnownedDependency,
    /// Whether the nearest of several providers is used.
    pub by_source_root: bool,
    /// Whether what is still ambiguous is resolved in favour of first-party code and of the nearest requirement.
    pub nearest: bool,
    /// Modules that no target needs to provide.
    pub ignored_unowned_imports: Vec<String>,
}

/// Which `__init__.py` files above a source are dependencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitFiles {
    /// All of them.
    Always,
    /// Those that contain more than white space.
    ContentOnly,
    /// None.
    Never,
}

/// How to treat an import that no target provides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnownedDependency {
    /// Accept it.
    Ignore,
    /// Report a warning.
    Warn,
    /// Report an error.
    Error,
}

impl PythonInferSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> PythonInferSettings {
        let section = Section::new(config, "python-infer");
        PythonInferSettings {
            imports: section.flag_or("imports", true),
            string_imports: section.flag("string_imports"),
            string_imports_min_dots: section.count("string_imports_min_dots").unwrap_or(2),
            string_import_ignore: section.texts("string_import_ignore"),
            assets: section.flag("assets"),
            assets_min_slashes: section.count("assets_min_slashes").unwrap_or(1),
            init_files: match section.word("init_files") {
                Some("always") => InitFiles::Always,
                Some("never") => InitFiles::Never,
                _ => InitFiles::ContentOnly,
            },
            conftests: section.flag_or("conftests", true),
            entry_points: section.flag_or("entry_points", true),
            unowned_dependency: match section.word("unowned_dependency_behavior") {
                Some("ignore") => UnownedDependency::Ignore,
                Some("error") => UnownedDependency::Error,
                _ => UnownedDependency::Warn,
            },
            by_source_root: matches!(section.word("ambiguity_resolution"), Some("by_source_root" | "nearest")),
            nearest: section.word("ambiguity_resolution") == Some("nearest"),
            ignored_unowned_imports: section.texts("ignored_unowned_imports"),
        }
    }
}

/// The section `[python-repos]`.
#[derive(Clone, Debug)]
pub struct PythonReposSettings {
    /// URLs of indexes; `None` for those of the user's own settings.
    pub indexes: Option<Vec<String>>,
    /// URLs or directories that list files.
    pub find_links: Vec<String>,
}

impl PythonReposSettings {
    /// The name of the section.
    pub const SECTION: &str = "python-repos";

    /// Parses the section.
    pub fn parse(config: &Config) -> PythonReposSettings {
        let section = Section::new(config, PythonReposSettings::SECTION);
        PythonReposSettings { indexes: section.optional_texts("indexes"), find_links: section.texts("find_links") }
    }
}

/// The sections `[protoc]` and `[python-protobuf]`.
#[derive(Clone, Debug)]
pub struct ProtobufSettings {
    /// Whether definitions depend on what they import.
    pub dependency_inference: bool,
    /// Whether definitions depend on the libraries that their generated Python imports.
    pub infer_runtime_dependency: bool,
    /// Whether services become code for grpcio.
    pub grpcio_plugin: bool,
    /// Whether services become code for grpclib.
    pub grpclib_plugin: bool,
    /// Whether mypy-protobuf writes type stubs.
    pub mypy_plugin: bool,
    /// Whether the compiler writes type stubs.
    pub generates_type_stubs: bool,
    /// The version of the compiler that the user asks for.
    pub protoc_version: Option<String>,
}

impl ProtobufSettings {
    /// Parses the sections.
    pub fn parse(config: &Config) -> ProtobufSettings {
        let python = Section::new(config, "python-protobuf");
        ProtobufSettings {
            dependency_inference: Section::new(config, "protoc").flag("dependency_inference"),
            infer_runtime_dependency: python.flag("infer_runtime_dependency"),
            grpcio_plugin: python.flag("grpcio_plugin"),
            grpclib_plugin: python.flag("grpclib_plugin"),
            mypy_plugin: python.flag("mypy_plugin"),
            generates_type_stubs: python.flag("generate_type_stubs"),
            protoc_version: Section::new(config, "protoc").text("version"),
        }
    }
}

/// The sections `[thrift]` and `[python-thrift]`.
#[derive(Clone, Debug)]
pub struct ThriftSettings {
    /// Whether definitions depend on what they include.
    pub dependency_inference: bool,
    /// Whether definitions depend on the libraries that their generated Python imports.
    pub infer_runtime_dependency: bool,
    /// The options of the generator of Python code.
    pub options: Vec<String>,
}

impl ThriftSettings {
    /// Parses the sections.
    pub fn parse(config: &Config) -> ThriftSettings {
        ThriftSettings {
            dependency_inference: Section::new(config, "thrift").flag("dependency_inference"),
            infer_runtime_dependency: Section::new(config, "python-thrift").flag("infer_runtime_dependency"),
            options: Section::new(config, "python-thrift").texts("options"),
        }
    }
}

/// The section `[platform-specific-resources]`.
#[derive(Clone, Debug)]
pub struct PlatformResourcesSettings {
    /// The platform, such as `linux_x86_64`; by default that of this machine.
    pub target: Option<String>,
}

impl PlatformResourcesSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> PlatformResourcesSettings {
        PlatformResourcesSettings { target: Section::new(config, "platform-specific-resources").text("target") }
    }
}
