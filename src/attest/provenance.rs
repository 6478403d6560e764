//! SLSA provenance, version 1: how a result was made, and everything that it was made of. The format is
//! <https://slsa.dev/spec/v1.0/provenance>; what Waders writes into it is described in `docs/attest.md`. There is no time and
//! no identity of a run in it, so that the same inputs give the same bytes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::attest::material::Material;
use crate::attest::statement::{Statement, Subject};

/// The type of the predicate.
pub const PREDICATE: &str = "https://slsa.dev/provenance/v1";

/// The type of the build, which `docs/attest.md` describes. The number is raised when the parameters change their meaning.
pub const BUILD_TYPE: &str = "urn:waders:build-type:step:1";

/// How a result was made.
#[derive(Clone, Debug, Default)]
pub struct Build {
    /// The goal.
    pub goal: String,
    /// The addresses of the targets, or the name of the tool.
    pub targets: Vec<String>,
    /// The specs of the command line.
    pub specs: Vec<String>,
    /// Settings that matter and cannot contain a secret, by section.
    pub settings: BTreeMap<String, BTreeMap<String, Value>>,
    /// The URI of the system that is responsible for the build.
    pub builder_id: String,
    /// The version of Waders.
    pub version: String,
    /// What carried out the last step.
    pub step: StepIdentity,
    /// The commit of the repository.
    pub commit: Option<Commit>,
    /// Everything that the result was made of, sorted.
    pub materials: Vec<Material>,
    /// Documents that were written with the result, and their SHA-256 hashes.
    pub byproducts: Vec<Subject>,
}

/// What identifies the last step.
#[derive(Clone, Debug, Default)]
pub struct StepIdentity {
    /// The key of the action; `None` if the result was computed without a process.
    pub action_key: Option<String>,
    /// The name of the function, if the result was computed without a process.
    pub recipe: Option<String>,
    /// The isolation level and the limits.
    pub platform: BTreeMap<String, String>,
    /// The names of the environment variables. Their values may be secrets.
    pub variables: Vec<String>,
    /// Whether the process could use the network.
    pub network: bool,
    /// The incremental state that the process started from.
    pub started_from: Option<String>,
}

/// The state of the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// In hexadecimal digits.
    pub hash: String,
    /// The URI of the repository, if the settings name it.
    pub repository: Option<String>,
    /// The sources among the materials that differ from the commit.
    pub changed: Vec<String>,
}

/// The statement on how these files were made.
pub fn statement(subjects: Vec<Subject>, build: &Build) -> Statement {
    let predicate = json!({
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "goal": build.goal,
                "targets": build.targets,
                "specs": build.specs,
                "settings": build.settings,
            },
            "internalParameters": internal(&build.step),
            "resolvedDependencies": dependencies(build),
        },
        "runDetails": run_details(build),
    });
    Statement::new(subjects, PREDICATE, predicate)
}

fn internal(step: &StepIdentity) -> Value {
    let mut all = Map::new();
    all.extend(step.action_key.iter().map(|key| ("actionKey".to_owned(), json!(key))));
    all.extend(step.recipe.iter().map(|recipe| ("recipe".to_owned(), json!(recipe))));
    if step.action_key.is_some() {
        all.insert("isolation".to_owned(), json!(step.platform.get("isolation")));
        all.insert("network".to_owned(), json!(if step.network { "host" } else { "loopback" }));
        let limits = step.platform.iter().filter_map(|(name, value)| Some((name.strip_prefix("limit:")?, value)));
        let limits: Map<String, Value> = limits.map(|(name, value)| (name.to_owned(), json!(value))).collect();
        all.insert("limits".to_owned(), Value::Object(limits));
        all.insert("environmentVariables".to_owned(), json!(step.variables));
    }
    all.extend(step.started_from.iter().map(|state| ("incrementalState".to_owned(), json!(state))));
    Value::Object(all)
}

/// The repository comes first, then all materials.
fn dependencies(build: &Build) -> Vec<Value> {
    let commit = build.commit.as_ref().map(|commit| {
        let mut descriptor = json!({ "name": "repository" });
        if let Some(repository) = &commit.repository {
            descriptor["uri"] = json!(repository);
        }
        descriptor["digest"] = json!({ "gitCommit": commit.hash });
        descriptor["annotations"] =
            json!({ "kind": "repository", "dirty": !commit.changed.is_empty(), "changed": commit.changed });
        descriptor
    });
    commit.into_iter().chain(build.materials.iter().map(Material::descriptor)).collect()
}

fn run_details(build: &Build) -> Value {
    let mut details = json!({ "builder": { "id": build.builder_id, "version": { "waders": build.version } } });
    if !build.byproducts.is_empty() {
        details["byproducts"] = json!(build.byproducts);
    }
    details
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attest::material::tests::{material, wheel};
    use crate::attest::{MaterialKind, Role};

    fn build() -> Build {
        Build {
            goal: "package".to_owned(),
            targets: vec!["src/app:bin".to_owned()],
            builder_id: "urn:example:builder".to_owned(),
            version: "1.0".to_owned(),
            step: StepIdentity {
                action_key: Some("ab/1".to_owned()),
                platform: [("isolation", "full"), ("limit:processes", "4096")]
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .into(),
                ..StepIdentity::default()
            },
            commit: Some(Commit { hash: "c".repeat(40), repository: None, changed: Vec::new() }),
            materials: vec![
                material(MaterialKind::Source { executable: false }, "src/a.py", Role::Content),
                wheel("b", "1.0", Vec::new(), Role::Environment),
            ],
            ..Build::default()
        }
    }

    #[test]
    fn the_statement_has_the_shape_of_slsa_provenance() {
        let statement = statement(vec![Subject::new("b", "22"), Subject::new("a", "11")], &build());
        assert_eq!(statement.subject, [Subject::new("a", "11"), Subject::new("b", "22")]);
        let definition = &statement.predicate["buildDefinition"];
        assert_eq!(definition["internalParameters"]["isolation"], json!("full"));
        assert_eq!(definition["internalParameters"]["limits"], json!({ "processes": "4096" }));
        let names: Vec<&Value> =
            definition["resolvedDependencies"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
        assert_eq!(names, ["repository", "src/a.py", "b-1.0-py3-none-any.whl"]);
        assert_eq!(definition["resolvedDependencies"][0]["annotations"]["dirty"], json!(false));
        assert_eq!(statement.predicate["runDetails"]["builder"]["id"], json!("urn:example:builder"));
    }

    #[test]
    fn equal_builds_give_equal_bytes_and_bytes_are_read_back() {
        let subjects = || vec![Subject::new("a", "11")];
        let bytes = statement(subjects(), &build()).to_json();
        assert_eq!(statement(subjects(), &build()).to_json(), bytes);
        assert_eq!(Statement::from_json(&bytes), Some(statement(subjects(), &build())));
        assert_eq!(Statement::from_json(br#"{"_type":"other","subject":[],"predicateType":"","predicate":{}}"#), None);
    }

    #[test]
    fn a_changed_source_makes_the_repository_dirty() {
        let changed = vec!["src/a.py".to_owned()];
        let commit =
            Commit { hash: "c".repeat(40), repository: Some("git+https://a.example.invalid".to_owned()), changed };
        let dependencies = dependencies(&Build { commit: Some(commit), ..build() });
        let expected = json!({ "kind": "repository", "dirty": true, "changed": ["src/a.py"] });
        assert_eq!(dependencies[0]["annotations"], expected);
        assert_eq!(dependencies[0]["uri"], json!("git+https://a.example.invalid"));
    }
}
