//! The action that resolves requirements with uv. It is the only action that gets packages without knowing their hashes in
//! advance, through a proxy to the package indexes; it has no network. What is resolved is decided in `prepare/locks`, how the result is written in `packaging/lockfile`.

use std::sync::Arc;

use serde_json::json;

use crate::action::{Action, Channel, Source};
use crate::base::{Digest, sandbox_paths};
use crate::packaging::venv;
use crate::plan::interpreter::Interpreter;

/// The file below the input root that [`project_text`] returns.
pub const PROJECT: &str = "pyproject.toml";
/// uv's lockfile: below the input root the versions to prefer, below the output root what was resolved.
pub const UV_LOCK: &str = "uv.lock";
/// The file below the output root with the pinned versions and their markers, as a requirements file without hashes.
pub const VERSIONS: &str = "versions.txt";
/// The file below the output root with the metadata of the packages.
pub const METADATA: &str = "metadata.json";

const SCRIPT: &str = include_str!("lock_requirements.py");

/// The time limit of uv for an answer of the proxy, in seconds. The proxy has shorter limits and repeats failed requests itself.
const ANSWER_SECONDS: &str = "600";

/// The places where uv finds packages.
#[derive(Clone, Debug, Default)]
pub struct PackageSources {
    /// URLs of package indexes, in the order in which they are queried.
    pub indexes: Vec<String>,
    /// URLs of pages that list files.
    pub find_links: Vec<String>,
    /// Local directories that contain distributions.
    pub wheelhouses: Vec<Wheelhouse>,
}

/// A local directory that contains distributions.
#[derive(Clone, Debug)]
pub struct Wheelhouse {
    /// The directory on this machine, absolute.
    pub dir: String,
    /// Its files.
    pub tree: Digest,
}

/// What is resolved.
#[derive(Clone, Debug, Default)]
pub struct Project {
    /// The name of the project, which is recorded in uv's lockfile.
    pub name: String,
    /// The supported Python versions, such as `>=3.9,<3.11`.
    pub requires_python: String,
    /// The requirements, sorted.
    pub requirements: Vec<String>,
    /// Requirements that restrict versions without requiring a package.
    pub constraints: Vec<String>,
    /// Requirements that replace those of packages.
    pub overrides: Vec<String>,
    /// Names of packages that are left out.
    pub excludes: Vec<String>,
    /// Markers of the environments to resolve for; empty for all.
    pub environments: Vec<String>,
}

/// How it is resolved.
#[derive(Clone, Debug, Default)]
pub struct ResolveOptions {
    /// Whether to lock only one version of each package where that is possible.
    pub fewest_versions: bool,
    /// Packages that must not be built from source; `:all:` for every package.
    pub only_binary: Vec<String>,
    /// Packages that must be built from source; `:all:` for every package.
    pub no_binary: Vec<String>,
    /// Packages whose locked versions are not preferred.
    pub upgrade_packages: Vec<String>,
    /// The time before which files must have been uploaded.
    pub uploaded_prior_to: Option<String>,
}

/// The action that resolves a project. `uv` is a venv image that contains uv, and `input` a tree that contains [`PROJECT`] and
/// perhaps [`UV_LOCK`]. Through `channel` the step passes a listening socket, which is answered by a proxy to the packages. The
/// result is cached only if uv asked for nothing, because the contents of an index change.
pub fn action(
    label: String,
    interpreter: &Interpreter,
    uv: Source,
    input: Source,
    options: &ResolveOptions,
    packages: &PackageSources,
    channel: Channel,
) -> Action {
    let call = json!({
        "out": sandbox_paths::OUT,
        "uv": sandbox_paths::in_deps_bin("uv"),
        "cache": cache(),
        "lock": lock_options(options),
        "options": common_options(interpreter, packages),
    });
    let argv = [interpreter.python.as_str(), "-s", "-B", "-c", SCRIPT, &call.to_string()];
    let mut action = interpreter.action(label, argv.map(str::to_owned).to_vec(), input);
    action.command.images.insert(venv::ROOT.to_owned(), uv);
    let limits = [("UV_HTTP_RETRIES", "0"), ("UV_HTTP_TIMEOUT", ANSWER_SECONDS)];
    action.command.env.extend(limits.map(|(name, value)| (name.to_owned(), value.to_owned())));
    for (number, wheelhouse) in packages.wheelhouses.iter().enumerate() {
        action.command.images.insert(wheelhouse_at(number), Source::Tree(wheelhouse.tree));
    }
    action.policy.channel = Some(Arc::new(channel));
    action
}

/// The text of a project that uv can lock.
pub fn project_text(project: &Project) -> String {
    // A string of JSON is also one of TOML.
    let quote = |text: &str| serde_json::Value::from(text).to_string();
    let list = |texts: &[String]| texts.iter().map(|text| format!("    {},\n", quote(text))).collect::<String>();
    let mut text = format!(
        "[project]\nname = {}\nversion = \"0.0.0\"\nrequires-python = {}\ndependencies = [\n{}]\n\n[tool.uv]\npackage = false\n",
        quote(&project.name),
        quote(&project.requires_python),
        list(&project.requirements)
    );
    let options = [
        ("constraint-dependencies", &project.constraints),
        ("override-dependencies", &project.overrides),
        ("exclude-dependencies", &project.excludes),
        ("environments", &project.environments),
    ];
    for (name, texts) in options.into_iter().filter(|(_, texts)| !texts.is_empty()) {
        text += &format!("{name} = [\n{}]\n", list(texts));
    }
    text
}

/// The place of a local directory of distributions in uv's lockfile, where `number` is its index in
/// [`PackageSources::wheelhouses`].
pub fn wheelhouse_at(number: usize) -> String {
    format!("/wheelhouse/{number}")
}

fn cache() -> String {
    format!("{}/uv", sandbox_paths::TMP)
}

fn lock_options(options: &ResolveOptions) -> Vec<String> {
    let mut words = Vec::new();
    if options.fewest_versions {
        words.extend(["--fork-strategy", "fewest"].map(str::to_owned));
    }
    let binaries = [("--no-build", &options.only_binary), ("--no-binary", &options.no_binary)];
    for (flag, package) in binaries.into_iter().flat_map(|(flag, names)| names.iter().map(move |name| (flag, name))) {
        match package.as_str() {
            ":all:" => words.push(flag.to_owned()),
            ":none:" => {}
            name => words.extend([format!("{flag}-package"), name.to_owned()]),
        }
    }
    words.extend(options.upgrade_packages.iter().flat_map(|name| ["--upgrade-package".to_owned(), name.clone()]));
    words.extend(options.uploaded_prior_to.iter().flat_map(|time| ["--exclude-newer".to_owned(), time.clone()]));
    words
}

fn common_options(interpreter: &Interpreter, packages: &PackageSources) -> Vec<String> {
    let options = ["--no-config", "--quiet", "--cache-dir", &cache(), "--python", &interpreter.python];
    let mut words = options.map(str::to_owned).to_vec();
    if packages.indexes.is_empty() {
        // Otherwise uv would use its default index.
        words.push("--no-index".to_owned());
    }
    // uv asks its default index last.
    if let Some((last, others)) = packages.indexes.split_last() {
        words.extend(others.iter().flat_map(|index| ["--index".to_owned(), index.clone()]));
        words.extend(["--default-index".to_owned(), last.clone()]);
    }
    let wheelhouses = (0..packages.wheelhouses.len()).map(wheelhouse_at);
    for place in packages.find_links.iter().cloned().chain(wheelhouses) {
        words.extend(["--find-links".to_owned(), place]);
    }
    words
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_project_lists_only_the_settings_that_it_has() {
        let project = Project {
            name: "locks".to_owned(),
            requires_python: "==3.11.*".to_owned(),
            requirements: vec!["a ; extra == \"x\"".to_owned()],
            excludes: vec!["b".to_owned()],
            ..Project::default()
        };
        let table: toml::Table = project_text(&project).parse().expect("TOML");
        assert_eq!(table["project"]["dependencies"][0].as_str(), Some("a ; extra == \"x\""));
        assert_eq!(table["tool"]["uv"].as_table().map(toml::Table::len), Some(2));
    }

    #[test]
    fn indexes_are_queried_in_their_order() {
        let interpreter = Interpreter {
            python: "/usr/bin/python3.11".to_owned(),
            version: "3.11.2".to_owned(),
            minor: "3.11".to_owned(),
            images: BTreeMap::new(),
        };
        let options = |indexes: &[&str]| {
            let indexes = indexes.iter().map(ToString::to_string).collect();
            common_options(&interpreter, &PackageSources { indexes, ..PackageSources::default() }).split_off(6)
        };
        assert_eq!(options(&[]), ["--no-index"]);
        assert_eq!(options(&["a", "b"]), ["--index", "a", "--default-index", "b"]);
    }

    #[test]
    fn words_of_pip_select_how_packages_are_installed() {
        let options = ResolveOptions {
            only_binary: vec![":all:".to_owned()],
            no_binary: vec!["six".to_owned(), ":none:".to_owned()],
            ..ResolveOptions::default()
        };
        assert_eq!(lock_options(&options), ["--no-build", "--no-binary-package", "six"]);
    }
}
