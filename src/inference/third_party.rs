//! The modules that a requirement provides by default: a table (`default_modules.toml`) and naming conventions. Mappings
//! in the repository take precedence; they are applied in `module_map`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// What a target provides for a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Provides {
    /// The module itself.
    Code,
    /// Only its type stubs.
    Stubs,
}

/// The modules that a requirement such as `requests[security]>=2; python_version > "3"` provides, found by project name.
pub fn modules_of(requirement: &str) -> (Provides, Vec<String>) {
    let name = project_name(requirement);
    let project = normalize(name);
    if let Some(modules) = TABLE.modules.get(&project) {
        return (Provides::Code, modules.clone());
    }
    if let Some(modules) = TABLE.stubs.get(&project) {
        return (Provides::Stubs, modules.clone());
    }
    if let Some(module) = stubbed_module(&project) {
        return (Provides::Stubs, vec![module]);
    }
    (Provides::Code, modules_by_convention(&project).unwrap_or_else(|| vec![name.to_lowercase().replace('-', "_")]))
}

/// The project name at the start of a requirement, as written.
pub fn project_name(requirement: &str) -> &str {
    let requirement = requirement.trim_start();
    let is_part = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
    let end = requirement.find(|character| !is_part(character)).unwrap_or(requirement.len());
    &requirement[..end]
}

/// The normalized project name (PEP 503).
pub fn normalize(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let parts: Vec<&str> = lower.split(['-', '_', '.']).filter(|part| !part.is_empty()).collect();
    parts.join("-")
}

#[derive(Deserialize)]
struct Table {
    modules: BTreeMap<String, Vec<String>>,
    stubs: BTreeMap<String, Vec<String>>,
}

static TABLE: LazyLock<Table> =
    LazyLock::new(|| toml::from_str(include_str!("default_modules.toml")).expect("a test parses the table"));

/// The module that a stub project is for: `types-X`, `stubs-X`, `X-types` and `X-stubs` provide stubs for `X`.
fn stubbed_module(project: &str) -> Option<String> {
    let rest = ["types-", "stubs-"].iter().find_map(|prefix| project.strip_prefix(prefix));
    let rest = rest.or_else(|| ["-types", "-stubs"].iter().find_map(|suffix| project.strip_suffix(suffix)));
    rest.map(|rest| rest.replace('-', "_"))
}

/// The modules of projects that follow the naming convention of a project family.
fn modules_by_convention(project: &str) -> Option<Vec<String>> {
    let underscored = |rest: &str| rest.replace('-', "_");
    if project.starts_with("azure-") {
        return Some(vec![project.replace('-', ".")]);
    }
    if project.starts_with("apache-airflow-providers-") {
        return Some(vec![project["apache-".len()..].replace('-', ".")]);
    }
    if project.starts_with("oslo-") {
        return Some(vec![underscored(project)]);
    }
    if let Some(rest) = project.strip_prefix("google-cloud-") {
        let module = format!("google.cloud.{}", rest.replace('-', ""));
        return Some(["", "_v1", "_v2", "_v3"].iter().map(|version| format!("{module}{version}")).collect());
    }
    if let Some(rest) = project.strip_prefix("opentelemetry-instrumentation-") {
        return Some(vec![format!("opentelemetry.instrumentation.{}", underscored(rest))]);
    }
    if let Some(rest) = project.strip_prefix("django-") {
        // Both names are common, and no other project provides the longer one.
        return Some(vec![underscored(rest), underscored(project)]);
    }
    project.strip_prefix("python-").map(|rest| vec![underscored(rest)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(requirement: &str, expected: &[&str]) {
        let (provides, modules) = modules_of(requirement);
        assert_eq!((provides, modules), (Provides::Code, expected.iter().map(ToString::to_string).collect()));
    }

    fn check_stubs(requirement: &str, expected: &[&str]) {
        let (provides, modules) = modules_of(requirement);
        assert_eq!((provides, modules), (Provides::Stubs, expected.iter().map(ToString::to_string).collect()));
    }

    #[test]
    fn the_table_maps_irregular_names() {
        check("PyYAML>=5", &["yaml"]);
        check("scikit_learn", &["sklearn"]);
        check("attrs==22.1", &["attr", "attrs"]);
        check("setuptools", &["easy_install", "pkg_resources", "setuptools"]);
        check("opencv-python ; sys_platform == 'linux'", &["cv2"]);
    }

    #[test]
    fn other_projects_provide_the_module_of_their_name() {
        check("requests[security]~=2.0", &["requests"]);
        check("ruamel.yaml", &["ruamel.yaml"]);
        check("zope.event @ https://example.invalid/zope.whl", &["zope.event"]);
        check("Flask-SQLAlchemy", &["flask_sqlalchemy"]);
        check("typing_extensions", &["typing_extensions"]);
    }

    #[test]
    fn project_families_follow_their_conventions() {
        check("azure-storage-blob", &["azure.storage.blob"]);
        check("oslo.config", &["oslo_config"]);
        check("oslo-config", &["oslo_config"]);
        check("python-crontab", &["crontab"]);
        check("django-unheard-of", &["unheard_of", "django_unheard_of"]);
        check("django-redis", &["django_redis"]);
        check("opentelemetry-instrumentation-aiohttp-client", &["opentelemetry.instrumentation.aiohttp_client"]);
        check("apache-airflow-providers-cncf-kubernetes", &["airflow.providers.cncf.kubernetes"]);
        let versions = ["", "_v1", "_v2", "_v3"].map(|version| format!("google.cloud.resourcemanager{version}"));
        assert_eq!(modules_of("google-cloud-resource-manager").1, versions);
    }

    #[test]
    fn stub_projects_are_recognised() {
        check_stubs("types-PyYAML", &["yaml"]);
        check_stubs("types-requests", &["requests"]);
        check_stubs("pandas-stubs", &["pandas"]);
        check_stubs("django-stubs[compatible-mypy]", &["django"]);
        check_stubs("types-setuptools", &["easy_install", "pkg_resources", "setuptools"]);
    }

    #[test]
    fn table_keys_are_normalised_and_map_to_modules() {
        for table in [&TABLE.modules, &TABLE.stubs] {
            assert!(table.keys().all(|name| *name == normalize(name)));
            assert!(table.values().all(|modules| !modules.is_empty()));
        }
    }
}
