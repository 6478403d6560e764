//! Reads what an audit recorded of one step, and compares it with the trees that the step was given. What the declarations say
//! about it is in `undeclared` and `unused`.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::action::{Action, ActionGraph, Origin, Outcome, Step};
use crate::audit::{Classified, Origin as FileOrigin, Reach, ReadSet, reaches};
use crate::base::{Digest, RelPath, sandbox_paths};
use crate::engine::executor::Results;
use crate::goals::Error;
use crate::goals::audit::packages::{self, Packages};
use crate::prepare::audit::AuditedStep;
use crate::report::audit::{ImageUse, PackageUse, SourceUse, StepReport};
use crate::session::{Session, failure};
use crate::store::{Node, Store, Tree};
use crate::targets::{Address, TargetGraph};

/// An audited step.
pub(super) struct Inspected {
    /// What the report shows.
    pub report: StepReport,
    /// The targets that it works on.
    pub targets: Vec<Address>,
    /// What it tried to reach.
    pub reaches: BTreeSet<Reach>,
    /// The distributions that it used, with normalized names.
    pub distributions: BTreeSet<String>,
}

impl Inspected {
    /// The name in findings.
    pub(super) fn label(&self) -> String {
        format!("{} {}", self.report.goal, self.report.name)
    }

    /// Whether the step ran and was recorded.
    pub(super) fn is_audited(&self) -> bool {
        self.report.origin.is_some()
    }
}

/// Inspects the steps of one goal.
pub(super) struct Inspector {
    goal: String,
    actions: ActionGraph,
    targets: Arc<TargetGraph>,
    store: Arc<Store>,
    /// By digest of the image.
    packages: RefCell<BTreeMap<Digest, Arc<Packages>>>,
}

impl Inspector {
    pub(super) fn new(session: &mut Session, goal: &str, actions: ActionGraph) -> Result<Inspector, Error> {
        let (targets, store) = (session.load_graph()?, session.services.open_store()?);
        Ok(Inspector { goal: goal.to_owned(), actions, targets, store, packages: RefCell::default() })
    }

    /// The report about a step. A step that did not run has a report with the reason.
    pub(super) fn inspect(&self, step: &AuditedStep, results: &Results) -> Result<Inspected, Error> {
        let mut inspected = Inspected {
            report: self.empty_report(step),
            targets: step.targets.clone(),
            reaches: BTreeSet::new(),
            distributions: BTreeSet::new(),
        };
        let Ok(id) = step.step else {
            inspected.report.result =
                step.step.as_ref().err().map(|failure| failure.message.clone()).unwrap_or_default();
            return Ok(inspected);
        };
        let Step::Run(action) = self.actions.step(id) else { unreachable!("the steps of goals are processes") };
        inspected.report.command.clone_from(&action.command.argv);
        inspected.report.environment.clone_from(&action.command.env);
        match failure::ran(&step.step, results) {
            Ok((_, origin, outcome)) => self.add_outcome(&mut inspected, action, origin, outcome)?,
            Err(failure) => inspected.report.result = failure.message,
        }
        Ok(inspected)
    }

    fn empty_report(&self, step: &AuditedStep) -> StepReport {
        StepReport {
            goal: self.goal.clone(),
            name: step.name.clone(),
            targets: step.targets.iter().map(Address::to_string).collect(),
            origin: None,
            result: String::new(),
            succeeded: false,
            command: Vec::new(),
            environment: BTreeMap::new(),
            sources: Vec::new(),
            packages: Vec::new(),
            images: BTreeMap::new(),
            toolchain_files: Vec::new(),
            sandbox_files: Vec::new(),
            programs: Vec::new(),
            sockets: Vec::new(),
            absent_paths: 0,
            outputs: BTreeMap::new(),
            incomplete: false,
        }
    }

    fn add_outcome(
        &self,
        inspected: &mut Inspected,
        action: &Action,
        origin: Origin,
        outcome: &Outcome,
    ) -> Result<(), Error> {
        inspected.report.result = outcome.exit.to_string();
        inspected.report.succeeded = action.policy.is_success(outcome.exit);
        let set = outcome.audit.as_ref().and_then(|audit| self.store.get(audit.read_set).ok());
        let set = set.and_then(|bytes| ReadSet::from_bytes(&bytes).ok());
        let Some(set) = set else {
            // The kernel killed the whole sandbox, and the record with it.
            return Ok(());
        };
        inspected.report.origin = Some(origin);
        inspected.report.incomplete = set.incomplete;
        let root = self.store.tree(set.root)?;
        let sources: BTreeSet<String> = root.nodes.keys().map(ToString::to_string).collect();
        let classified = Classified::new(&set, &sources);
        let path = action.command.env.get("PATH").map(String::as_str).unwrap_or_default();
        inspected.reaches = reaches(&set, &classified, path, action.command.network);
        inspected.report.sources = self.sources(&root, &classified);
        self.add_images(inspected, &set, &classified)?;
        inspected.report.outputs = outputs(&self.store.tree(outcome.output)?, outcome);
        add_lists(&mut inspected.report, &set, &classified);
        Ok(())
    }

    fn sources(&self, root: &Tree, classified: &Classified) -> Vec<SourceUse> {
        let source = |(path, node): (&RelPath, &Node)| SourceUse {
            path: path.to_string(),
            blake3: node.content().map(|digest| digest.hex()).unwrap_or_default(),
            owners: self.owners(path),
            read: !classified.unused_sources.contains(path.as_str()),
        };
        root.nodes.iter().filter(|(_, node)| **node != Node::EmptyDirectory).map(source).collect()
    }

    /// The owners of a file. A generator only repeats the targets that it generates.
    fn owners(&self, path: &RelPath) -> Vec<String> {
        let owners = self.targets.owners(path);
        let generated: Vec<&Address> =
            owners.iter().filter(|owner| self.targets.generated_by(owner).is_empty()).collect();
        let shown = if generated.is_empty() { owners.iter().collect() } else { generated };
        shown.into_iter().map(Address::to_string).collect()
    }

    fn add_images(&self, inspected: &mut Inspected, set: &ReadSet, classified: &Classified) -> Result<(), Error> {
        let used = || classified.used.values().flatten();
        for (at, digest) in &set.images {
            let is_below = |path: &&String| path.strip_prefix(at.as_str()).is_some_and(|rest| rest.starts_with('/'));
            let files_read = used().filter(is_below).count();
            inspected.report.images.insert(at.clone(), ImageUse { digest: digest.to_string(), files_read });
            if at == sandbox_paths::DEPS || at == sandbox_paths::REQUIREMENTS {
                let packages = self.packages(*digest)?;
                let inside = used().filter_map(|path| path.strip_prefix(at.as_str())?.strip_prefix('/'));
                let uses = packages.uses(inside);
                let distributions = uses.iter().filter(|package| package.files_read > 0);
                inspected.distributions.extend(distributions.map(|package| packages::normalized(&package.name)));
                inspected.report.packages.extend(uses);
            }
        }
        inspected.report.packages.sort_by(|left: &PackageUse, right| left.name.cmp(&right.name));
        Ok(())
    }

    fn packages(&self, image: Digest) -> Result<Arc<Packages>, Error> {
        if let Some(known) = self.packages.borrow().get(&image) {
            return Ok(known.clone());
        }
        let packages = Arc::new(Packages::read(&self.store, image)?);
        self.packages.borrow_mut().insert(image, packages.clone());
        Ok(packages)
    }
}

/// The files of an output tree with their digests, or the standard streams: a statement about a step has at least one subject.
fn outputs(tree: &Tree, outcome: &Outcome) -> BTreeMap<String, String> {
    let streams = [("standard output", outcome.stdout), ("standard error", outcome.stderr)];
    let streams = streams.map(|(name, digest)| (name.to_owned(), digest.hex()));
    let files = tree.nodes.iter().filter_map(|(path, node)| Some((path.to_string(), node.content()?.hex())));
    let files: BTreeMap<String, String> = files.collect();
    if files.is_empty() { streams.into() } else { files }
}

fn add_lists(report: &mut StepReport, set: &ReadSet, classified: &Classified) {
    let files = |origin| classified.used.get(&origin).into_iter().flatten().cloned().collect();
    report.toolchain_files = files(FileOrigin::Toolchain);
    report.sandbox_files = files(FileOrigin::Sandbox);
    report.programs = classified.programs.iter().cloned().collect();
    report.sockets = set.sockets.iter().map(|socket| socket.address.clone()).collect();
    report.sockets.dedup();
    report.absent_paths = classified.absent.len();
}
