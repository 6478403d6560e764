//! From calls and their files to one graph of actions: a process for each batch of files. A batch that cannot be planned
//! carries the reason and does not stop the others.

use std::collections::BTreeSet;

use rayon::prelude::*;
use rustc_hash::FxHashMap;
use uv_pep440::Version;

use crate::action::{Source, StepId};
use crate::base::RelPath;
use crate::config::typed::{PythonSettings, ToolGoalSettings, ToolSettings};
use crate::inference::generated::Generated;
use crate::plan::batches;
use crate::plan::requirements::Wanted;
use crate::plan::tool_run::{self, ToolBatch, ToolOptions};
use crate::prepare::Error;
use crate::prepare::Planner;
use crate::prepare::calls::batch_inputs::{BatchInput, BatchInputs, RepositoryInputs};
use crate::prepare::calls::{
    Contents, EnabledCall, FileTargets, PartitionKey, PartitionedCall, Partitions, PlannedBatch, PlannedCall,
    PlannedCalls,
};
use crate::session::failure::Failure;
use crate::session::{self, Session, toolchains};
use crate::store::Node;
use crate::targets::Address;
use crate::toolchain::Constraints;
use crate::tools::Partition;

/// `goal` is the section whose `batch_size` and `timeout` apply.
pub fn plan(
    session: &mut Session,
    goal: &str,
    calls: &[PartitionedCall],
    contents: &Contents,
) -> Result<PlannedCalls, Error> {
    let repository = RepositoryInputs::load(session, calls)?;
    let mut planner = CallPlanner {
        inputs: BatchInputs::new(session, &repository)?,
        settings: ToolGoalSettings::parse(session.config(), goal),
        contents: contents.iter().collect(),
        planner: Planner::new(session)?,
    };
    let mut planned = Vec::new();
    for PartitionedCall { enabled, partitions } in calls {
        let batches = planner.plan_call(enabled, partitions)?;
        let version = planner.planner.tool_version(&enabled.tool);
        planned.push(PlannedCall { enabled: enabled.clone(), version, batches });
    }
    Ok(PlannedCalls { graph: planner.planner.actions, calls: planned })
}

struct CallPlanner<'p, 's> {
    planner: Planner<'s>,
    inputs: BatchInputs<'p>,
    /// Of the goal whose `batch_size` and `timeout` apply.
    settings: ToolGoalSettings,
    contents: FxHashMap<&'p RelPath, &'p Node>,
}

/// Files by the directory of the project whose declarations limit what their process sees, if any.
type FilesByProject = Vec<(Option<RelPath>, Vec<RelPath>)>;

/// The files of one process.
struct Batch<'k> {
    key: &'k PartitionKey,
    /// The directory of the project whose declarations limit what the process sees.
    project: Option<RelPath>,
    /// The settings file that applies to the files, if the tool uses only one.
    settings: Option<RelPath>,
    files: Vec<RelPath>,
    /// Why the process cannot be planned.
    failure: Option<Failure>,
}

impl CallPlanner<'_, '_> {
    fn plan_call(&mut self, enabled: &EnabledCall, partitions: &Partitions) -> Result<Vec<PlannedBatch>, Error> {
        let batches = self.cut(enabled, partitions);
        let config = self.planner.config();
        let views = &self.planner.project_views;
        let input = |batch: &Batch<'_>| {
            let Batch { key, project, files, failure, .. } = batch;
            if let Some(failure) = failure {
                return Err(failure.clone());
            }
            let own: Vec<(&RelPath, &Node)> = files.iter().map(|file| (file, self.contents[file])).collect();
            let targets: BTreeSet<&Address> = files.iter().flat_map(|file| &partitions.by_key[*key][file]).collect();
            let project = project.as_ref().and_then(|dir| Some((dir, views.get(dir)?)));
            self.inputs.collect(config, enabled, &own, &targets, project).map_err(|error| error.to_failure())
        };
        // Hashes the names and digests of all files: most of the work of a run in which nothing changed.
        let inputs: Vec<Result<BatchInput, Failure>> = batches.par_iter().map(input).collect();
        let mut planned = Vec::new();
        for (Batch { key, project, settings, files, .. }, input) in batches.into_iter().zip(inputs) {
            let step = input.and_then(|input| {
                if let Some(dir) = &project {
                    self.planner.note_undeclared(dir, &input.undeclared);
                }
                let options = self.options(enabled, settings);
                let step = self.plan_batch(enabled, partitions, key, &files, input, options);
                step.map_err(|error| error.to_failure())
            });
            let partition = partitions.describe(key, project.as_ref());
            planned.push(PlannedBatch { files, partition, timeout: self.settings.timeout, step });
        }
        Ok(planned)
    }

    /// The files of each process, in the order in which results are reported.
    fn cut<'k>(&mut self, enabled: &EnabledCall, partitions: &'k Partitions) -> Vec<Batch<'k>> {
        let size = self.settings.batch_size(enabled.tool.batch_size);
        let mut all = Vec::new();
        for (key, targets) in &partitions.by_key {
            let (by_project, failure) = match self.by_project(enabled, key, targets) {
                Ok(by_project) => (by_project, None),
                Err(error) => (vec![(None, targets.keys().cloned().collect())], Some(error.to_failure())),
            };
            for (project, mut files) in by_project {
                files.retain(|file| self.contents.contains_key(file));
                let groups = self.inputs.group_by_settings(self.planner.config(), enabled, files);
                for (settings, files) in groups {
                    let batch = |files: Vec<RelPath>| Batch {
                        key,
                        project: project.clone(),
                        settings: settings.clone(),
                        files,
                        failure: failure.clone(),
                    };
                    all.extend(batches::cut(&files, size).into_iter().map(|files| batch(files.to_vec())));
                }
            }
        }
        all.sort_by(|batch, other| (batch.key, &batch.files).cmp(&(other.key, &other.files)));
        all
    }

    /// The files of a partition by project. Only tools that read what files import are limited.
    fn by_project(
        &mut self,
        enabled: &EnabledCall,
        key: &PartitionKey,
        targets: &FileTargets,
    ) -> Result<FilesByProject, Error> {
        let reads_imports = enabled.target.is_none() && enabled.call.partition == Partition::Closure;
        match self.inputs.closures().filter(|_| reads_imports) {
            Some(closures) => {
                let grouped = self.planner.group_by_project(key, targets, closures)?.into_iter();
                Ok(grouped.map(|(project, targets)| (project, targets.into_keys().collect())).collect())
            }
            None => Ok(vec![(None, targets.keys().cloned().collect())]),
        }
    }

    /// The options of a process whose files have this settings file.
    fn options(&self, enabled: &EnabledCall, settings: Option<RelPath>) -> ToolOptions {
        let tool = &enabled.tool;
        if enabled.target.is_some() {
            return ToolOptions { timeout: self.settings.timeout, ..ToolOptions::default() };
        }
        let mut options = ToolOptions::from_config(tool, &enabled.call, self.planner.config());
        options.timeout = self.settings.timeout;
        if tool.pass_discovered && options.config.is_empty() {
            options.config.extend(settings);
        }
        options
    }

    fn plan_batch(
        &mut self,
        enabled: &EnabledCall,
        partitions: &Partitions,
        key: &PartitionKey,
        files: &[RelPath],
        input: BatchInput,
        options: ToolOptions,
    ) -> Result<StepId, Error> {
        let EnabledCall { tool, call, target } = enabled;
        if let Some(target) = target {
            return self.plan_own_tool(enabled, target, files, input, &options);
        }
        let constraints = match key.constraints.is_empty() {
            true => self.choose_constraints(enabled, partitions)?,
            false => key.constraints.clone(),
        };
        let wanted = input.wanted.filter(|wanted| *wanted != Wanted::default());
        let mut images = self.planner.images(&constraints, tool, wanted)?;
        self.planner.mount_source_roots(&mut images, &input.source_roots)?;
        let own = Source::Tree(input.tree);
        let input_root = self.planner.with_generated(own, &input.generated, |kind| kind == Generated::Python)?;
        let batch = ToolBatch {
            label: label(&call.name, files),
            files: files.to_vec(),
            input_root,
            context: input.others,
            images,
            source_roots: input.source_roots,
            program: None,
        };
        Ok(self.planner.add(tool_run::action(tool, call, &options, &batch)))
    }

    /// A process of a `code_quality_tool`.
    fn plan_own_tool(
        &mut self,
        enabled: &EnabledCall,
        target: &Address,
        files: &[RelPath],
        input: BatchInput,
        options: &ToolOptions,
    ) -> Result<StepId, Error> {
        let program = self.planner.quality_program(target)?;
        let inputs = [vec![Source::Tree(input.tree)], program.sources].concat();
        let batch = ToolBatch {
            label: label(&enabled.call.name, files),
            files: files.to_vec(),
            input_root: self.planner.overlay("files for a tool", inputs),
            context: input.others,
            images: program.images,
            source_roots: Vec::new(),
            program: Some((program.argv, program.env)),
        };
        Ok(self.planner.add(tool_run::action(&enabled.tool, &enabled.call, options, &batch)))
    }

    /// The interpreter of a tool that runs none of the repository's code: the one that its section names, or else one that
    /// can parse all that code.
    fn choose_constraints(&mut self, enabled: &EnabledCall, partitions: &Partitions) -> Result<Vec<String>, Error> {
        let tool = &enabled.tool;
        let settings = ToolSettings::parse(self.planner.config(), &tool.scope);
        if !settings.interpreter_constraints.is_empty() {
            return Ok(settings.interpreter_constraints);
        }
        let mut by_resolve = PythonSettings::parse(self.planner.config()).resolves_to_interpreter_constraints;
        if let Some(constraints) = settings.install_from_resolve.and_then(|resolve| by_resolve.remove(&resolve)) {
            return Ok(constraints);
        }
        let candidates = match (enabled.call.build_files, partitions.constraints.is_empty()) {
            (true, _) => BTreeSet::from([toolchains::constraints_of_build_files(self.planner.session)?]),
            (false, true) => BTreeSet::from([toolchains::default_constraints(self.planner.config())]),
            (false, false) => partitions.constraints.clone(),
        };
        self.newest(candidates, tool.python.as_deref())
    }

    /// The constraints whose interpreter is the newest; if the tool's built-in lock does not support that version, the
    /// versions that it supports.
    fn newest(&mut self, candidates: BTreeSet<Vec<String>>, supported: Option<&str>) -> Result<Vec<String>, Error> {
        let admitted = supported.map(|python| Constraints::parse(&[python.to_owned()])).transpose()?;
        let mut newest: Option<(Version, Vec<String>)> = None;
        for constraints in candidates {
            let version = self.planner.python_version(&constraints)?;
            if newest.as_ref().is_none_or(|(newest, _)| version > *newest) {
                newest = Some((version, constraints));
            }
        }
        let fits = |version: &Version| admitted.as_ref().is_none_or(|admitted| admitted.allows(&version.to_string()));
        match (newest, supported) {
            (Some((version, constraints)), _) if fits(&version) => Ok(constraints),
            (_, Some(python)) => Ok(vec![format!("CPython{python}")]),
            (_, None) => Err(session::Error::NoInterpreter.into()),
        }
    }
}

/// `black: src/a.py and 3 other files`.
fn label(name: &str, files: &[RelPath]) -> String {
    match files {
        [] => name.to_owned(),
        [one] => format!("{name}: {one}"),
        [first, others @ ..] => format!("{name}: {first} and {} other files", others.len()),
    }
}
