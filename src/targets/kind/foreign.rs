//! Target types of other languages and of packagers that Waders does not build. They load, have sources and
//! dependencies, and answer to goals that read; fields that are not listed are kept as they are.

use super::field::{Field, no_texts, text, texts};
use super::{Groups, Kind, Sources};

pub const KINDS: &[Kind] = &[
    plain("deploy_jar", &[]),
    plain("go_binary", &[]),
    Kind { default_sources: &["go.mod"], ..plain("go_mod", &[]) },
    Kind { sources: Sources::Many, default_sources: &["*.go"], ..plain("go_package", &[]) },
    one("java_source", &[]),
    many("java_sources", "java_source", &["*.java", "!*Test.java"]),
    one("javascript_source", &[]),
    many("javascript_sources", "javascript_source", &JAVASCRIPT_SOURCES),
    one("javascript_test", &[]),
    many("javascript_tests", "javascript_test", &["*.test.js", "*.test.cjs", "*.test.mjs"]),
    one("jsx_source", &[]),
    many("jsx_sources", "jsx_source", &["*.jsx", "!*.test.jsx"]),
    one("jsx_test", &[]),
    many("jsx_tests", "jsx_test", &["*.test.jsx"]),
    one("junit_test", &[]),
    many("junit_tests", "junit_test", &["*Test.java"]),
    plain("jvm_artifact", JVM_ARTIFACT).alone(),
    plain("makeself_archive", &[]),
    plain("nfpm_apk_package", &[]),
    plain("nfpm_archlinux_package", &[]),
    plain("nfpm_content_dir", &[]),
    plain("nfpm_content_dirs", &[]),
    one("nfpm_content_file", &[]),
    plain("nfpm_content_files", &[]),
    plain("nfpm_content_symlink", &[]),
    plain("nfpm_content_symlinks", &[]),
    plain("nfpm_deb_package", &[]),
    plain("nfpm_rpm_package", &[]),
    Kind { default_sources: &["package.json"], ..one("package_json", &[&[no_texts("scripts", "")]]) },
    plain("pyoxidizer_binary", PYOXIDIZER),
    plain("scala_artifact", &[]),
    one("scala_source", &[]),
    many("scala_sources", "scala_source", &["*.scala", "!*Spec.scala", "!*Suite.scala", "!*Test.scala"]),
    plain("scalac_plugin", &[]),
    plain("scie_binary", &[]),
    Kind { sources: Sources::Many, default_sources: &["*.tf"], ..plain("terraform_module", &[]) },
    one("tsx_source", &[]),
    many("tsx_sources", "tsx_source", &["*.tsx", "!*.test.tsx"]),
    one("tsx_test", &[]),
    many("tsx_tests", "tsx_test", &["*.test.tsx"]),
    one("typescript_source", &[]),
    many("typescript_sources", "typescript_source", &["*.ts", "!*.test.ts"]),
    one("typescript_test", &[]),
    many("typescript_tests", "typescript_test", &["*.test.ts"]),
];

const HELP: &str = "Loads and can be asked about; Waders does not build it.";
const JAVASCRIPT_SOURCES: [&str; 6] = ["*.js", "*.cjs", "*.mjs", "!*.test.js", "!*.test.cjs", "!*.test.mjs"];

const fn plain(name: &'static str, fields: Groups) -> Kind {
    super::plain(name, HELP, fields).open()
}

const fn one(name: &'static str, fields: Groups) -> Kind {
    super::one(name, HELP, fields).open()
}

const fn many(name: &'static str, generates: &'static str, default_sources: &'static [&'static str]) -> Kind {
    super::many(name, generates, HELP, default_sources).open()
}

const JVM_ARTIFACT: Groups = &[&[
    text("artifact", ""),
    texts("excludes", ""),
    text("group", ""),
    text("jar", "").raw(),
    text("jdk", ""),
    text("main", ""),
    texts("packages", ""),
    text("resolve", ""),
    text("url", ""),
    text("version", ""),
]];

const ENVIRONMENT: Field = super::core::ENVIRONMENT;

const PYOXIDIZER: Groups = &[&[
    text("binary_name", ""),
    text("entry_point", ""),
    ENVIRONMENT,
    texts("filesystem_resources", ""),
    text("output_path", ""),
    text("template", ""),
]];
