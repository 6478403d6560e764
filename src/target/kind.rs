//! All target types that Waders knows, as one table: what holds their sources, what they generate, which fields they
//! take. A type that is not here loads as inert.

/// Where a target's source files come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sources {
    None,
    /// The field `source`: one file.
    One,
    /// The field `sources`: globs.
    Many,
}

/// What a generator makes one target of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Each {
    /// Nothing: this type is no generator.
    Nothing,
    File,
    /// A project in a file of requirements.
    Requirement,
    /// An item of the field `entry_points`.
    EntryPoint,
    /// Pants itself and its test utilities.
    Pants,
}

#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub name: &'static str,
    pub sources: Sources,
    /// What `source` or `sources` is when it is not set.
    pub default_sources: &'static [&'static str],
    pub each: Each,
    /// The type of what is generated; empty for no generator.
    pub generates: &'static str,
    /// Fields beyond `COMMON`; a generator also takes those of what it generates.
    pub fields: &'static [&'static str],
    /// Whether other fields may be set: true for types whose fields this table does not list.
    pub open: bool,
}

impl Kind {
    pub fn of(name: &str) -> Option<&'static Kind> {
        KINDS.binary_search_by(|kind| kind.name.cmp(name)).ok().map(|index| &KINDS[index])
    }

    pub fn is_generator(&self) -> bool {
        self.each != Each::Nothing
    }

    /// Whether this generator keeps a field for itself rather than handing it on.
    pub fn keeps(&self, field: &str) -> bool {
        self.is_generator() && (field == "overrides" || self.fields.contains(&field))
    }

    /// Whether this generator keeps a field and hands it on too.
    pub fn copies(field: &str) -> bool {
        matches!(field, "tags" | "description") || is_skip(field)
    }

    pub fn takes(&self, field: &str) -> bool {
        self.open || is_skip(field) || self.field_names().any(|known| known == field)
    }

    /// Every field that this type takes, in no order, `skip_…` apart.
    pub fn field_names(&self) -> impl Iterator<Item = &'static str> {
        let generated = Kind::of(self.generates).map_or(&[][..], |generated| generated.fields);
        let overrides = self.is_generator().then_some("overrides");
        let source = match self.sources {
            Sources::None => None,
            Sources::One => Some("source"),
            Sources::Many => Some("sources"),
        };
        COMMON.iter().chain(self.fields).chain(generated).copied().chain(overrides).chain(source)
    }
}

/// The known type nearest to a misspelt one.
pub fn nearest(name: &str) -> Option<&'static str> {
    crate::base::text::nearest(name, KINDS.iter().map(|kind| kind.name))
}

/// Linters, formatters and checkers each add a field of this form, those of plugins too.
fn is_skip(field: &str) -> bool {
    field.starts_with("skip_")
}

pub const COMMON: &[&str] = &["dependencies", "description", "name", "tags"];

const PYTHON: &[&str] = &["interpreter_constraints", "resolve", "restartable", "run_goal_use_sandbox"];
const PYTHON_TEST: &[&str] = &[
    "batch_compatibility_tag",
    "entry_point_dependencies",
    "environment",
    "extra_env_vars",
    "interpreter_constraints",
    "resolve",
    "restartable",
    "run_goal_use_sandbox",
    "runtime_package_dependencies",
    "stevedore_namespaces",
    "timeout",
    "xdist_concurrency",
];
const REQUIREMENT: &[&str] =
    &["entry_point", "modules", "requirements", "resolve", "type_stub_modules", "find_links", "index"];
const MAPPINGS: &[&str] = &["module_mapping", "source", "type_stubs_module_mapping"];
const PEX: &[&str] = &[
    "args",
    "check",
    "complete_platforms",
    "compress",
    "emit_warnings",
    "entry_point",
    "env",
    "environment",
    "executable",
    "execution_mode",
    "extra_build_args",
    "ignore_errors",
    "include_requirements",
    "include_sources",
    "include_tools",
    "inherit_path",
    "interpreter_constraints",
    "layout",
    "output_path",
    "platforms",
    "resolve",
    "resolve_local_platforms",
    "restartable",
    "scie",
    "scie_args",
    "scie_argv0",
    "scie_assets_base_url",
    "scie_base",
    "scie_bind_resource_path",
    "scie_busybox",
    "scie_busybox_pex_entrypoint_env_passthrough",
    "scie_desktop_file",
    "scie_env",
    "scie_exe",
    "scie_hash_alg",
    "scie_icon",
    "scie_load_dotenv",
    "scie_name_style",
    "scie_only",
    "scie_pbs_debug",
    "scie_pbs_free_threaded",
    "scie_pbs_release",
    "scie_pbs_stripped",
    "scie_pex_entrypoint_env_passthrough",
    "scie_platform",
    "scie_pypy_release",
    "scie_python_version",
    "script",
    "sh_boot",
    "shebang",
    "strip_pex_env",
    "uv_platforms",
    "validate_entry_point",
    "venv_hermetic_scripts",
    "venv_site_packages_copies",
    "runtime_package_dependencies",
];
const DISTRIBUTION: &[&str] = &[
    "entry_points",
    "env_vars",
    "environment",
    "generate_setup",
    "interpreter_constraints",
    "long_description_path",
    "output_path",
    "provides",
    "repositories",
    "sdist",
    "sdist_config_settings",
    "uses_mypyc",
    "wheel",
    "wheel_config_settings",
    "resolve",
];
const SHELL_COMMAND: &[&str] = &[
    "cache_scope",
    "command",
    "dependencies",
    "environment",
    "execution_dependencies",
    "extra_env_vars",
    "log_output",
    "named_caches",
    "output_dependencies",
    "output_directories",
    "output_files",
    "outputs",
    "path_env_modify",
    "root_output_directory",
    "runnable_dependencies",
    "stderr",
    "stdout",
    "timeout",
    "tools",
    "workdir",
    "workspace_invalidation_sources",
    "outputs_match_mode",
];
const ADHOC_TOOL: &[&str] = &[
    "args",
    "cache_scope",
    "environment",
    "execution_dependencies",
    "extra_env_vars",
    "log_output",
    "named_caches",
    "output_dependencies",
    "output_directories",
    "output_files",
    "outputs_match_mode",
    "path_env_modify",
    "root_output_directory",
    "runnable",
    "runnable_dependencies",
    "stderr",
    "stdout",
    "timeout",
    "workdir",
    "workspace_invalidation_sources",
];

const fn plain(name: &'static str, fields: &'static [&'static str]) -> Kind {
    let (sources, each) = (Sources::None, Each::Nothing);
    Kind { name, sources, default_sources: &[], each, generates: "", fields, open: false }
}

const fn one(name: &'static str, fields: &'static [&'static str]) -> Kind {
    Kind { sources: Sources::One, ..plain(name, fields) }
}

const fn many(name: &'static str, generates: &'static str, default_sources: &'static [&'static str]) -> Kind {
    Kind { sources: Sources::Many, default_sources, each: Each::File, generates, ..plain(name, &["sources"]) }
}

const fn requirements(name: &'static str, default_source: &'static [&'static str]) -> Kind {
    let (each, generates) = (Each::Requirement, "python_requirement");
    Kind { sources: Sources::One, default_sources: default_source, each, generates, ..plain(name, MAPPINGS) }
}

/// A type of a backend whose fields are not listed here.
const fn foreign(kind: Kind) -> Kind {
    Kind { open: true, ..kind }
}

/// Sorted by name.
pub const KINDS: &[Kind] = &[
    one("_generator_sources_helper", &[]),
    one("_lockfile", &[]),
    many("_lockfiles", "_lockfile", &[]),
    plain("adhoc_tool", ADHOC_TOOL),
    plain("archive", &["environment", "files", "format", "output_path", "packages"]),
    foreign(plain("deploy_jar", &[])),
    foreign(plain("docker_environment", &[])),
    foreign(Kind { default_sources: &["Dockerfile"], ..one("docker_image", &["instructions"]) }),
    plain("experimental_run_shell_command", SHELL_COMMAND),
    plain("experimental_shell_command", SHELL_COMMAND),
    plain("experimental_test_shell_command", SHELL_COMMAND),
    foreign(plain("experimental_workspace_environment", &[])),
    plain("experimental_wrap_as_python_sources", &["inputs", "outputs"]),
    plain("experimental_wrap_as_resources", &["inputs", "outputs"]),
    one("file", &[]),
    many("files", "file", &[]),
    plain("generic_target", &[]),
    foreign(plain("go_binary", &[])),
    foreign(Kind { default_sources: &["go.mod"], ..plain("go_mod", &[]) }),
    foreign(Kind { sources: Sources::Many, default_sources: &["*.go"], ..plain("go_package", &[]) }),
    foreign(one("java_source", &[])),
    foreign(many("java_sources", "java_source", &["*.java", "!*Test.java"])),
    foreign(one("javascript_source", &[])),
    foreign(many("javascript_sources", "javascript_source", &JAVASCRIPT_SOURCES)),
    foreign(one("javascript_test", &[])),
    foreign(many("javascript_tests", "javascript_test", &["*.test.js", "*.test.cjs", "*.test.mjs"])),
    foreign(one("jsx_source", &[])),
    foreign(many("jsx_sources", "jsx_source", &["*.jsx", "!*.test.jsx"])),
    foreign(one("jsx_test", &[])),
    foreign(many("jsx_tests", "jsx_test", &["*.test.jsx"])),
    foreign(one("junit_test", &[])),
    foreign(many("junit_tests", "junit_test", &["*Test.java"])),
    foreign(plain("jvm_artifact", &[])),
    foreign(plain("local_environment", &[])),
    foreign(plain("makeself_archive", &[])),
    foreign(plain("nfpm_apk_package", &[])),
    foreign(plain("nfpm_archlinux_package", &[])),
    foreign(plain("nfpm_content_dir", &[])),
    foreign(plain("nfpm_content_dirs", &[])),
    foreign(one("nfpm_content_file", &[])),
    foreign(plain("nfpm_content_files", &[])),
    foreign(plain("nfpm_content_symlink", &[])),
    foreign(plain("nfpm_content_symlinks", &[])),
    foreign(plain("nfpm_deb_package", &[])),
    foreign(plain("nfpm_rpm_package", &[])),
    foreign(Kind { default_sources: &["package.json"], ..one("package_json", &[]) }),
    Kind { each: Each::Pants, generates: "python_requirement", ..plain("pants_requirements", &["testutil"]) },
    Kind { each: Each::EntryPoint, generates: "pex_binary", ..plain("pex_binaries", &["entry_points"]) },
    plain("pex_binary", PEX),
    requirements("pipenv_requirements", &["Pipfile.lock"]),
    plain("platform_resources", &["dependency_map"]),
    requirements("poetry_requirements", &["pyproject.toml"]),
    foreign(one("protobuf_source", &[])),
    foreign(many("protobuf_sources", "protobuf_source", &["*.proto"])),
    foreign(plain("pyoxidizer_binary", &[])),
    foreign(plain("python_aws_lambda_function", &[])),
    foreign(plain("python_aws_lambda_layer", &[])),
    foreign(plain("python_awslambda", &[])),
    plain("python_distribution", DISTRIBUTION),
    foreign(plain("python_google_cloud_function", &[])),
    many("python_library", "python_source", SOURCE_GLOBS),
    plain("python_requirement", REQUIREMENT),
    plain("python_requirement_library", REQUIREMENT),
    requirements("python_requirements", &["requirements.txt"]),
    one("python_source", PYTHON),
    many("python_sources", "python_source", SOURCE_GLOBS),
    one("python_test", PYTHON_TEST),
    many("python_test_utils", "python_source", &["conftest.py", "test_*.pyi", "*_test.pyi", "tests.pyi"]),
    many("python_tests", "python_test", &["test_*.py", "*_test.py", "tests.py"]),
    plain("relocated_files", &["dest", "files_targets", "src"]),
    foreign(plain("remote_environment", &[])),
    one("resource", &[]),
    many("resources", "resource", &[]),
    plain("run_shell_command", SHELL_COMMAND),
    foreign(plain("scala_artifact", &[])),
    foreign(one("scala_source", &[])),
    foreign(many("scala_sources", "scala_source", &["*.scala", "!*Spec.scala", "!*Suite.scala", "!*Test.scala"])),
    foreign(plain("scalac_plugin", &[])),
    foreign(plain("scie_binary", &[])),
    plain("shell_command", SHELL_COMMAND),
    one("shell_source", &["environment", "restartable"]),
    many("shell_sources", "shell_source", &["*.sh", "!*_test.sh", "!test_*.sh", "!tests.sh"]),
    one("shunit2_test", &["environment", "extra_env_vars", "runtime_package_dependencies", "shell", "timeout"]),
    many("shunit2_tests", "shunit2_test", &["*_test.sh", "test_*.sh", "tests.sh"]),
    plain(
        "system_binary",
        &[
            "binary_name",
            "extra_search_paths",
            "fingerprint",
            "fingerprint_args",
            "fingerprint_dependencies",
            "log_fingerprinting_errors",
        ],
    ),
    plain("target", &[]),
    foreign(Kind { sources: Sources::Many, default_sources: &["*.tf"], ..plain("terraform_module", &[]) }),
    plain("test_shell_command", SHELL_COMMAND),
    foreign(one("thrift_source", &[])),
    foreign(many("thrift_sources", "thrift_source", &["*.thrift"])),
    foreign(one("tsx_source", &[])),
    foreign(many("tsx_sources", "tsx_source", &["*.tsx", "!*.test.tsx"])),
    foreign(one("tsx_test", &[])),
    foreign(many("tsx_tests", "tsx_test", &["*.test.tsx"])),
    foreign(one("typescript_source", &[])),
    foreign(many("typescript_sources", "typescript_source", &["*.ts", "!*.test.ts"])),
    foreign(one("typescript_test", &[])),
    foreign(many("typescript_tests", "typescript_test", &["*.test.ts"])),
    requirements("uv_requirements", &["pyproject.toml"]),
    plain("vcs_version", &["generate_to", "local_scheme", "python_resolve", "tag_regex", "template", "version_scheme"]),
];

const JAVASCRIPT_SOURCES: [&str; 6] = ["*.js", "*.cjs", "*.mjs", "!*.test.js", "!*.test.cjs", "!*.test.mjs"];
const SOURCE_GLOBS: &[&str] = &[
    "*.py",
    "*.pyi",
    "!test_*.py",
    "!*_test.py",
    "!tests.py",
    "!conftest.py",
    "!test_*.pyi",
    "!*_test.pyi",
    "!tests.pyi",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_what_is_generated_is_in_it() {
        assert!(KINDS.is_sorted_by(|left, right| left.name < right.name));
        for kind in KINDS.iter().filter(|kind| kind.is_generator()) {
            let generated = Kind::of(kind.generates).expect(kind.name);
            assert!(!generated.is_generator(), "{}", kind.name);
        }
    }

    #[test]
    fn a_generator_takes_the_fields_of_what_it_generates() {
        let tests = Kind::of("python_tests").expect("known");
        assert!(tests.takes("timeout") && tests.takes("overrides") && tests.takes("skip_anything"));
        assert!(!tests.takes("source") && !tests.takes("tiemout"));
        assert!(tests.keeps("sources") && !tests.keeps("timeout"));
    }

    #[test]
    fn a_misspelt_type_finds_its_neighbour() {
        assert_eq!(nearest("python_test_util"), Some("python_test_utils"));
    }
}
