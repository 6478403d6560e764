//! Findings about what a step tried to reach and was not given: the target that owns it, and the change of the BUILD file that
//! declares it.

use std::collections::BTreeSet;
use std::path::Path;

use crate::audit::Reach;
use crate::base::RelPath;
use crate::goals::Error;
use crate::goals::audit::inspect::Inspected;
use crate::report::audit::{AuditFinding, Code};
use crate::session::Session;
use crate::session::toolchains::{self, SystemPart};
use crate::targets::{Address, Target, TargetGraph};

/// The files of a directory that a finding names.
const SHOWN: usize = 3;

/// The findings about one step.
pub(super) fn findings(session: &mut Session, step: &Inspected) -> Result<Vec<AuditFinding>, Error> {
    let graph = session.load_graph()?;
    let Some(target) = step.targets.first().and_then(|address| graph.get(address)) else { return Ok(Vec::new()) };
    let inputs = step.report.sources.iter().map(|source| source.path.as_str()).collect();
    let subject = Subject { session, graph: &graph, step, target, inputs };
    let goal = step.report.goal.as_str();
    let is_meant = |reach: &&Reach| match reach {
        // The sources of a package are at other paths than in the repository.
        Reach::Source { .. } => goal != "package",
        // Linters and builds look through directories on purpose.
        Reach::Listing { .. } => goal == "test",
        _ => true,
    };
    Ok(step.reaches.iter().filter(is_meant).filter_map(|reach| subject.finding(reach)).collect())
}

struct Subject<'a> {
    session: &'a Session,
    graph: &'a TargetGraph,
    step: &'a Inspected,
    /// The target of the step, or the first of several.
    target: &'a Target,
    inputs: BTreeSet<&'a str>,
}

impl Subject<'_> {
    fn finding(&self, reach: &Reach) -> Option<AuditFinding> {
        match reach {
            Reach::Source { path } => self.repository_path(path),
            Reach::Listing { path } => self.listing(path),
            Reach::Host { path } => Some(self.host_path(path)),
            Reach::Program { name } => Some(self.program(name)),
            Reach::Network { address } => Some(self.network(address)),
            Reach::HostName => Some(self.host_name()),
        }
    }

    fn new_finding(&self, code: Code, subject: &str, message: String, advice: Option<String>) -> AuditFinding {
        AuditFinding {
            file: self.target.build_file.to_string(),
            line: u32::try_from(self.target.place.line).unwrap_or(1),
            code,
            subject: subject.to_owned(),
            message,
            advice,
            steps: [self.step.label()].into(),
        }
    }

    /// A path that the repository has and the step looked for in vain.
    fn repository_path(&self, path: &str) -> Option<AuditFinding> {
        let path = RelPath::parse(path).ok()?;
        let files = self.graph.files();
        let missing: Vec<&RelPath> = match files.contains(&path) {
            true => files.below(&path.parent().unwrap_or_default()).iter().filter(|file| **file == path).collect(),
            false if files.is_dir(&path) => files.below(&path).iter().collect(),
            false => return None,
        };
        let message = format!("`{path}` exists but is not an input of {}", self.step_name());
        Some(self.new_finding(Code::UndeclaredInput, path.as_str(), message, self.advice(&missing)))
    }

    /// A directory that was listed and has more files in the repository than in the sandbox.
    fn listing(&self, path: &str) -> Option<AuditFinding> {
        let dir = RelPath::parse(path).ok()?;
        let is_missing = |file: &&RelPath| !self.inputs.contains(file.as_str()) && !self.graph.is_build_file(file);
        let missing: Vec<&RelPath> = self.graph.files().in_dir(&dir).filter(is_missing).collect();
        let names: Vec<&str> = missing.iter().filter_map(|file| file.file_name()).take(SHOWN).collect();
        if names.is_empty() {
            return None;
        }
        let more = if missing.len() > SHOWN { format!(" and {} more", missing.len() - SHOWN) } else { String::new() };
        let message = format!(
            "the directory `{path}` was listed, and {} does not get its files {}{more}",
            self.step_name(),
            names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        );
        Some(self.new_finding(Code::UndeclaredInput, path, message, self.advice(&missing)))
    }

    fn step_name(&self) -> String {
        format!("`{}`", self.step.report.name)
    }

    /// The change of BUILD files that makes these files inputs of the step.
    fn advice(&self, missing: &[&RelPath]) -> Option<String> {
        let first = missing.first()?;
        let declared = self.target.generator.as_ref().unwrap_or(&self.target.address);
        let place = format!("`dependencies` of `{declared}` in `{}`", self.target.build_file);
        let owner = missing.iter().find_map(|file| self.owner(file, missing.len() == 1));
        Some(match owner {
            Some(owner) => format!("add `\"{owner}\"` to {place}"),
            None => {
                let dir = first.parent().unwrap_or_default();
                let sources = if missing.len() == 1 { first.file_name()?.to_owned() } else { "*".to_owned() };
                let (build_file, address) = (dir.push("BUILD").ok()?, Address::new(&dir, "files"));
                format!(
                    "no target owns it: add `files(name=\"files\", sources=[\"{sources}\"])` to `{build_file}`, and \
                     `\"{address}\"` to {place}"
                )
            }
        })
    }

    /// The target that owns a file; its generator if more than one file is missing.
    fn owner(&self, file: &RelPath, alone: bool) -> Option<Address> {
        let owners = self.graph.owners(file);
        let is_generator = |owner: &&Address| !self.graph.generated_by(owner).is_empty();
        let owner = owners.iter().find(|owner| !is_generator(owner)).or(owners.first())?;
        let generator = self.graph.get(owner).and_then(|target| target.generator.clone());
        Some(generator.filter(|_| !alone).unwrap_or_else(|| owner.clone()))
    }

    fn host_path(&self, path: &str) -> AuditFinding {
        // The absolute path of the checkout.
        if let Ok(inside) = Path::new(path).strip_prefix(self.session.build_root()) {
            let message = format!("{} looked for `{path}`, an absolute path of this checkout", self.step_name());
            let advice = match inside.as_os_str().is_empty() {
                true => "find files relative to the build root, which is the working directory".to_owned(),
                false => format!("use the path `{}`, relative to the build root, and declare it", inside.display()),
            };
            return self.new_finding(Code::HostPath, path, message, Some(advice));
        }
        let message = format!("{} looked for `{path}`, which no sandbox contains", self.step_name());
        self.new_finding(Code::HostPath, path, message, None)
    }

    fn program(&self, name: &str) -> AuditFinding {
        let message =
            format!("{} looked for the program `{name}`, which the sandbox does not contain", self.step_name());
        let parts = [SystemPart::Program(name)];
        let advice = toolchains::knows_program(name)
            .then(|| toolchains::system_packages_advice(self.session.config(), &parts).into_iter().next())
            .flatten()
            .map(|line| line.split_once(": ").map_or(line.clone(), |(_, advice)| advice.to_owned()));
        self.new_finding(Code::MissingProgram, name, message, advice)
    }

    fn network(&self, address: &str) -> AuditFinding {
        let message = format!("{} tried to reach `{address}`; steps have no network", self.step_name());
        let advice = (!self.target.strings("tags").contains(&"requires-network")).then(|| {
            "replace the service in the test, or add the tag `requires-network` to the target and set `allow_network = true` in \
             the section `[sandbox]` of `waders.toml`"
                .to_owned()
        });
        self.new_finding(Code::Network, address, message, advice)
    }

    fn host_name(&self) -> AuditFinding {
        let message = format!(
            "{} resolved the name of a host; the sandbox knows only `localhost`, and which name it was cannot be observed",
            self.step_name()
        );
        self.new_finding(Code::NameLookup, "/etc/hosts", message, None)
    }
}
