//! Dependencies that no audited step used. A dependency of a target counts as used if a step that gets the target read a file
//! of the dependency or of anything below it. Only dependencies that a BUILD file states are findings: an inferred one comes and
//! goes with the import.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::goals::Error;
use crate::goals::audit::inspect::Inspected;
use crate::goals::audit::packages::normalized;
use crate::inference::generated::generated;
use crate::inference::{Dependencies, InferenceSettings};
use crate::report::audit::{AuditFinding, Code};
use crate::session::{self, Session};
use crate::targets::{Address, Target, TargetGraph, dependencies, kind};

/// The goals whose steps get the dependencies of their targets. A linter gets the files alone, and the build of a package
/// copies everything.
const GOALS: [&str; 2] = ["test", "check"];

/// The direct dependencies of all targets that the steps get.
pub(super) fn edges(session: &mut Session, steps: &[Inspected]) -> Result<BTreeMap<String, BTreeSet<String>>, Error> {
    let roots: BTreeSet<Address> = steps.iter().flat_map(|step| step.targets.iter().cloned()).collect();
    let all = session.infer_for(&roots)?;
    let mut reached = all.transitive(&roots);
    reached.extend(roots);
    let known = reached.iter().filter(|address| all.is_inferred(address));
    let texts = |address: &Address| all.direct(address).into_iter().map(Address::to_string).collect();
    Ok(known.map(|address| (address.to_string(), texts(address))).collect())
}

/// The findings of all audited steps together.
pub(super) fn findings(session: &mut Session, steps: &[Inspected]) -> Result<Vec<AuditFinding>, Error> {
    let steps: Vec<&Inspected> =
        steps.iter().filter(|step| step.is_audited() && GOALS.contains(&step.report.goal.as_str())).collect();
    // A step that failed may have ended before it read what it needs.
    if steps.is_empty() || steps.iter().any(|step| !step.report.succeeded) {
        return Ok(Vec::new());
    }
    let roots: BTreeSet<Address> = steps.iter().flat_map(|step| step.targets.iter().cloned()).collect();
    let (graph, all) = (session.load_graph()?, session.infer_for(&roots)?);
    let settings = InferenceSettings::from_config(session.config()).map_err(session::Error::from)?;
    let usage = Usage::new(&graph, &all, &settings, &steps);
    let mut unused: BTreeMap<Stated, Unused<'_>> = BTreeMap::new();
    let reached: BTreeSet<&Address> = usage.steps.iter().flat_map(|step| &step.reached).collect();
    // The dependencies of a requirement are its lockfile and the file that it was generated from, which Waders adds itself.
    let targets = reached.into_iter().filter_map(|address| graph.get(address));
    for target in targets.filter(|target| target.kind != kind::PYTHON_REQUIREMENT) {
        for (written, dependency, is_used) in usage.dependencies_of(target) {
            let entry = unused.entry(Stated::new(&graph, target, written));
            let entry = entry.or_insert_with(|| Unused { target, dependency, is_used: false, steps: BTreeSet::new() });
            // The targets of a generator share its dependencies: one that any of them uses stays.
            entry.is_used |= is_used;
            entry.steps.extend(usage.getting(&target.address).map(|step| step.label.clone()));
        }
    }
    unused.retain(|_, unused| !unused.is_used);
    Ok(unused.into_iter().map(|(stated, unused)| finding(session, stated, unused)).collect())
}

/// A dependency as a BUILD file states it: the target whose declaration has it, and the text.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Stated {
    declared: String,
    written: String,
}

impl Stated {
    /// A dependency of a generated target is that of its generator, unless it is in an override.
    fn new(graph: &TargetGraph, target: &Target, written: &str) -> Stated {
        let generator = target.generator.as_ref().and_then(|generator| graph.get(generator));
        let stating = generator.filter(|generator| generator.strings("dependencies").contains(&written));
        let declared = stating.map_or(&target.address, |generator| &generator.address).to_string();
        Stated { declared, written: written.to_owned() }
    }
}

/// A dependency, and whether it is used after all.
struct Unused<'t> {
    target: &'t Target,
    dependency: Vec<Address>,
    is_used: bool,
    steps: BTreeSet<String>,
}

fn finding(session: &Session, stated: Stated, unused: Unused<'_>) -> AuditFinding {
    let (Stated { declared, written }, Unused { target, dependency, steps, .. }) = (stated, unused);
    let path = target.build_file.to_path(session.build_root());
    let text = session.context.tracker.read_to_string(&path).ok();
    let place = target.place_of(text, &[&written]);
    let what = match &dependency[..] {
        [one] if one.to_string() != written.trim_start_matches("//") => format!("`{written}` (`{one}`)"),
        _ => format!("`{written}`"),
    };
    let number = steps.len();
    let readers = if number == 1 { "the audited step".to_owned() } else { format!("none of {number} audited steps") };
    let verb = if number == 1 { "did not read" } else { "read" };
    AuditFinding {
        file: target.build_file.to_string(),
        line: u32::try_from(place.line).unwrap_or(1),
        code: Code::UnusedDependency,
        message: format!("`{declared}` depends on {what}, which {readers} {verb}"),
        advice: Some(format!("remove `\"{written}\"` from `dependencies` of `{declared}`, unless other steps need it")),
        subject: written,
        steps,
    }
}

/// What the audited steps used.
struct Usage<'a> {
    graph: &'a TargetGraph,
    all: &'a Dependencies,
    settings: &'a InferenceSettings,
    steps: Vec<StepUsage>,
    /// A target and everything below it, computed once.
    closures: RefCell<BTreeMap<Address, Arc<BTreeSet<Address>>>>,
}

struct StepUsage {
    label: String,
    /// The targets that the step gets.
    reached: BTreeSet<Address>,
    files: BTreeSet<String>,
    distributions: BTreeSet<String>,
}

impl<'a> Usage<'a> {
    fn new(
        graph: &'a TargetGraph,
        all: &'a Dependencies,
        settings: &'a InferenceSettings,
        steps: &[&Inspected],
    ) -> Usage<'a> {
        let usage = |step: &&Inspected| {
            let mut reached = all.transitive(&step.targets);
            reached.extend(step.targets.iter().cloned());
            let read = step.report.sources.iter().filter(|source| source.read).map(|source| source.path.clone());
            StepUsage {
                label: step.label(),
                reached,
                files: read.filter(|file| !is_read_in_passing(graph, file)).collect(),
                distributions: step.distributions.clone(),
            }
        };
        Usage { graph, all, settings, steps: steps.iter().map(usage).collect(), closures: RefCell::default() }
    }

    /// The steps that get a target.
    fn getting(&self, address: &Address) -> impl Iterator<Item = &StepUsage> {
        self.steps.iter().filter(move |step| step.reached.contains(address))
    }

    /// The stated dependencies of a target as written and resolved, and whether a step that gets the target used them.
    fn dependencies_of<'t>(&self, target: &'t Target) -> Vec<(&'t str, Vec<Address>, bool)> {
        let written = target.strings("dependencies").into_iter().filter(|text| !text.starts_with('!'));
        let resolved = written.filter_map(|text| Some((text, dependencies::resolve(self.graph, target, text).ok()?)));
        let resolved = resolved.filter(|(_, found)| !found.is_empty());
        resolved
            .map(|(text, found)| {
                let is_used = found.iter().any(|address| self.is_used(target, address));
                (text, found, is_used)
            })
            .collect()
    }

    /// A target that has nothing to read counts as used, such as a package, and one whose files are generated: a step does not read
    /// what they are generated from.
    fn is_used(&self, target: &Target, dependency: &Address) -> bool {
        let closure = self.closure(dependency);
        let targets: Vec<&Target> = closure.iter().filter_map(|address| self.graph.get(address)).collect();
        let is_observable = |target: &&&Target| !target.sources.is_empty() || target.kind == kind::PYTHON_REQUIREMENT;
        let is_generated = |target: &&Target| generated(self.graph, target, self.settings).is_some();
        targets.iter().any(is_generated)
            || targets.iter().find(is_observable).is_none()
            || self.getting(&target.address).any(|step| targets.iter().any(|target| step.used(target)))
    }

    fn closure(&self, address: &Address) -> Arc<BTreeSet<Address>> {
        if let Some(known) = self.closures.borrow().get(address) {
            return known.clone();
        }
        let expanded = dependencies::expand_generators(self.graph, address);
        let mut closure = self.all.transitive(&expanded);
        closure.extend(expanded);
        let closure = Arc::new(closure);
        self.closures.borrow_mut().insert(address.clone(), closure.clone());
        closure
    }
}

impl StepUsage {
    fn used(&self, target: &Target) -> bool {
        if target.kind == kind::PYTHON_REQUIREMENT {
            let names = target.strings("requirements").into_iter().map(requirement_name);
            return names.map(|name| normalized(&name)).any(|name| self.distributions.contains(&name));
        }
        target.sources.iter().any(|source| self.files.contains(source.as_str()))
    }
}

/// Whether a file is read because of where it is: an `__init__.py` or a `conftest.py` beside other modules.
fn is_read_in_passing(graph: &TargetGraph, file: &str) -> bool {
    let (dir, name) = file.rsplit_once('/').unwrap_or(("", file));
    let Ok(dir) = crate::base::RelPath::parse(dir) else { return false };
    let is_other_module = |other: &&crate::base::RelPath| other.as_str() != file && other.as_str().ends_with(".py");
    ["__init__.py", "conftest.py"].contains(&name) && graph.files().in_dir(&dir).any(|other| is_other_module(&other))
}

/// The name at the start of a requirement string: `requests[socks]>=2`.
fn requirement_name(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.')).collect()
}
