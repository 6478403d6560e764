//! Target types of other languages and packagers, which Waders does not build. They load, have sources and
//! dependencies, and goals that only read targets support them. Fields that are not listed are accepted without
//! validation.

use super::field::{Field, Shape, field, string, string_list};
use super::{FieldGroups, Kind, Sources};

/// The target types of this module.
pub(super) const KINDS: &[Kind] = &[
    plain("deploy_jar", &[]),
    plain("go_binary", &[]),
    Kind { default_sources: &["go.mod"], ..plain("go_mod", &[]) },
    Kind { sources: Sources::Many, default_sources: &["*.go"], ..plain("go_package", &[]) },
    single_source("java_source", &[]),
    file_generator("java_sources", "java_source", &["*.java", "!*Test.java"]),
    single_source("javascript_source", &[]),
    file_generator("javascript_sources", "javascript_source", &JAVASCRIPT_SOURCES),
    single_source("javascript_test", &[]),
    file_generator("javascript_tests", "javascript_test", &["*.test.js", "*.test.cjs", "*.test.mjs"]),
    single_source("jsx_source", &[]),
    file_generator("jsx_sources", "jsx_source", &["*.jsx", "!*.test.jsx"]),
    single_source("jsx_test", &[]),
    file_generator("jsx_tests", "jsx_test", &["*.test.jsx"]),
    single_source("junit_test", &[]),
    file_generator("junit_tests", "junit_test", &["*Test.java"]),
    plain("jvm_artifact", JVM_ARTIFACT).without_dependencies(),
    plain("makeself_archive", &[]),
    plain("nfpm_apk_package", &[]),
    plain("nfpm_archlinux_package", &[]),
    plain("nfpm_content_dir", &[]),
    plain("nfpm_content_dirs", &[]),
    single_source("nfpm_content_file", &[]),
    plain("nfpm_content_files", &[]),
    plain("nfpm_content_symlink", &[]),
    plain("nfpm_content_symlinks", &[]),
    plain("nfpm_deb_package", &[]),
    plain("nfpm_rpm_package", &[]),
    Kind {
        default_sources: &["package.json"],
        ..single_source("package_json", &[&[field("scripts", Shape::Any, "[]", "")]])
    },
    plain("pyoxidizer_binary", PYOXIDIZER),
    plain("scala_artifact", &[]),
    single_source("scala_source", &[]),
    file_generator("scala_sources", "scala_source", &["*.scala", "!*Spec.scala", "!*Suite.scala", "!*Test.scala"]),
    plain("scalac_plugin", &[]),
    plain("scie_binary", &[]),
    Kind { sources: Sources::Many, default_sources: &["*.tf"], ..plain("terraform_module", &[]) },
    single_source("tsx_source", &[]),
    file_generator("tsx_sources", "tsx_source", &["*.tsx", "!*.test.tsx"]),
    single_source("tsx_test", &[]),
    file_generator("tsx_tests", "tsx_test", &["*.test.tsx"]),
    single_source("typescript_source", &[]),
    file_generator("typescript_sources", "typescript_source", &["*.ts", "!*.test.ts"]),
    single_source("typescript_test", &[]),
    file_generator("typescript_tests", "typescript_test", &["*.test.ts"]),
];

const HELP: &str = "Loads and can be inspected; Waders does not build it.";
const JAVASCRIPT_SOURCES: [&str; 6] = ["*.js", "*.cjs", "*.mjs", "!*.test.js", "!*.test.cjs", "!*.test.mjs"];

const fn plain(name: &'static str, fields: FieldGroups) -> Kind {
    super::plain(name, HELP, fields).open_ended()
}

const fn single_source(name: &'static str, fields: FieldGroups) -> Kind {
    super::single_source(name, HELP, fields).open_ended()
}

const fn file_generator(name: &'static str, generates: &'static str, default_sources: &'static [&'static str]) -> Kind {
    super::file_generator(name, generates, HELP, default_sources).open_ended()
}

const JVM_ARTIFACT: FieldGroups = &[&[
    string("artifact", ""),
    string_list("excludes", ""),
    string("group", ""),
    field("jar", Shape::Source, "null", "").raw(),
    string("jdk", ""),
    string("main", ""),
    string_list("packages", ""),
    string("resolve", ""),
    string("url", ""),
    string("version", ""),
]];

const ENVIRONMENT: Field = super::core::ENVIRONMENT;

const PYOXIDIZER: FieldGroups = &[&[
    string("binary_name", ""),
    string("entry_point", ""),
    ENVIRONMENT,
    string_list("filesystem_resources", ""),
    string("output_path", ""),
    string("template", ""),
]];
