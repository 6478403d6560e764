//! The documents about one step: provenance, the result of tests and tools, and a bill of materials.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::attest::provenance::{self, Build, Commit};
use crate::attest::test_result::{self, TestOutcome};
use crate::attest::{Statement, Subject, sbom};
use crate::base::RelPath;
use crate::config::typed::{AttestSettings, plain_settings};
use crate::goals::Error;
use crate::goals::recorded::RecordedStep;
use crate::plan::test_run::JUNIT;
use crate::prepare::attest::{Closures, StepClosure};
use crate::report::junit;
use crate::report::limits::JUNIT_BYTES;
use crate::session::{CheckedOut, Session, selection};
use crate::store::Node;

/// What all documents of a run have in common.
pub(super) struct RunContext {
    goal: &'static str,
    specs: Vec<String>,
    builder_id: String,
    repository: Option<String>,
    checked_out: Option<CheckedOut>,
}

impl RunContext {
    pub(super) fn new(session: &Session, settings: &AttestSettings, goal: &'static str) -> Result<RunContext, Error> {
        Ok(RunContext {
            goal,
            specs: selection::specs(session)?,
            builder_id: settings.builder_id.clone(),
            repository: settings.repository.as_deref().map(crate::session::without_credentials),
            checked_out: session.checked_out()?,
        })
    }

    /// The commit, and which of these sources differ from it.
    fn commit(&self, closure: &StepClosure) -> Option<Commit> {
        let checked_out = self.checked_out.as_ref()?;
        let is_changed = |name: &&str| RelPath::parse(name).is_ok_and(|file| !checked_out.contains(&file));
        let sources = closure.materials.iter().filter(|material| material.is_source());
        let changed = sources.map(|material| material.name.as_str()).filter(is_changed).map(str::to_owned).collect();
        Some(Commit { hash: checked_out.commit.clone(), repository: self.repository.clone(), changed })
    }
}

/// The documents about one step, by the suffixes of their file names.
pub(super) struct Documents {
    /// The file name without suffix.
    pub name: String,
    /// Statements to be signed.
    pub statements: Vec<(&'static str, Statement)>,
    /// Files as they are.
    pub files: Vec<(&'static str, Vec<u8>)>,
}

/// The documents about a step that was carried out.
pub(super) fn of_step(
    session: &mut Session,
    context: &RunContext,
    closures: &Closures,
    step: &RecordedStep,
) -> Result<Documents, Error> {
    let closure = closures.find(step.step)?;
    let is_package = context.goal == "package";
    let (subjects, mut files) = match is_package {
        true => (packaged_files(session, closures, step)?, Vec::new()),
        false => report_files(session, context.goal, closures, step)?,
    };
    let version = env!("CARGO_PKG_VERSION");
    let sbom = sbom::render(&step.name, &subjects, &closure.materials, version);
    let byproducts = vec![subject(&format!("{}/{}.cdx.json", context.goal, step.name), &sbom)];
    files.push(("cdx.json", sbom));
    let commit = context.commit(&closure);
    let tested = test_result::statement(subjects.clone(), &outcome(step, &files), &closure.materials);
    let build = Build {
        goal: context.goal.to_owned(),
        targets: step.targets.clone(),
        specs: context.specs.clone(),
        settings: settings(session, step),
        builder_id: context.builder_id.clone(),
        version: version.to_owned(),
        step: closure.identity,
        commit,
        materials: closure.materials,
        byproducts,
    };
    let mut statements = vec![("provenance", provenance::statement(subjects, &build))];
    if !is_package {
        statements.push(("test-result", tested));
    }
    Ok(Documents { name: step.name.clone(), statements, files })
}

/// The settings that matter to a step. All else that can change its result is covered by its action key.
fn settings(session: &Session, step: &RecordedStep) -> BTreeMap<String, BTreeMap<String, Value>> {
    let sections: Vec<&str> =
        ["python", "python-infer"].into_iter().chain(step.sections.iter().map(String::as_str)).collect();
    plain_settings(session.config(), &sections)
}

fn subject(name: &str, bytes: &[u8]) -> Subject {
    Subject::new(name, &format!("{:x}", Sha256::digest(bytes)))
}

/// The files of a package, at their paths below the directory for results.
fn packaged_files(session: &mut Session, closures: &Closures, step: &RecordedStep) -> Result<Vec<Subject>, Error> {
    let store = session.services.open_store()?;
    let Some(result) = closures.result(step.step) else { return Ok(Vec::new()) };
    let mut subjects = Vec::new();
    for (path, node) in store.tree(result.tree)?.nodes {
        if let Node::File { digest, .. } = node {
            subjects.push(Subject::new(path.as_str(), &closures.sha256(digest)?));
        }
    }
    Ok(subjects)
}

type ReportFiles = (Vec<Subject>, Vec<(&'static str, Vec<u8>)>);

/// A file with the outcome of the process, and for tests the report of pytest.
fn report_files(
    session: &mut Session,
    goal: &str,
    closures: &Closures,
    step: &RecordedStep,
) -> Result<ReportFiles, Error> {
    let store = session.services.open_store()?;
    let Some((_, outcome)) = closures.result(step.step).and_then(|result| result.outcome.as_ref()) else {
        return Ok((Vec::new(), Vec::new()));
    };
    let nodes = store.tree(outcome.output)?.nodes;
    let mut output = Map::new();
    for (path, node) in &nodes {
        if let Node::File { digest, .. } = node {
            output.insert(path.to_string(), json!({ "sha256": closures.sha256(*digest)? }));
        }
    }
    let document = json!({
        "exit": outcome.exit.to_string(),
        "stdout": { "sha256": closures.sha256(outcome.stdout)? },
        "stderr": { "sha256": closures.sha256(outcome.stderr)? },
        "output": output,
    });
    let mut files = vec![("result.json", format!("{document:#}\n").into_bytes())];
    let report = RelPath::parse(JUNIT).expect("the path is clean");
    if let Some(digest) = nodes.get(&report).and_then(Node::content)
        && goal == "test"
        && digest.size_bytes() <= JUNIT_BYTES
    {
        files.push(("junit.xml", store.get(digest)?));
    }
    let subjects = files.iter().map(|(suffix, bytes)| subject(&format!("{goal}/{}.{suffix}", step.name), bytes));
    Ok((subjects.collect(), files))
}

/// How a test or a tool came out.
fn outcome(step: &RecordedStep, files: &[(&str, Vec<u8>)]) -> TestOutcome {
    let report = files.iter().find(|(suffix, _)| *suffix == "junit.xml");
    let names = report.and_then(|(_, xml)| junit::test_names(xml)).unwrap_or_default();
    TestOutcome {
        passed: step.passed,
        passed_tests: names.passed,
        warned_tests: names.skipped,
        failed_tests: names.failed,
    }
}
