//! Plans the commands of `shell_command` and `adhoc_tool`: a process in the sandbox with the files that its target names, whose declared
//! outputs are captured.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::action::{Source, StepId};
use crate::config::typed::SandboxSettings;
use crate::plan::generate_run::{self, GenerateRun, Required, with_build_root};
use crate::plan::{environment, program_run};
use crate::prepare::generate::Error;
use crate::prepare::generate::programs::Programs;
use crate::prepare::images::Images;
use crate::prepare::{Error as PrepareError, Planner};
use crate::targets::{Address, CommandOutputs, Target, TargetGraph};

/// The time limit of a shell command that sets none, as in Pants.
const SHELL_TIMEOUT: Duration = Duration::from_secs(30);

/// A linter, fixer or formatter of the repository.
pub(in crate::prepare) struct QualityProgram {
    /// The command line without the files.
    pub argv: Vec<String>,
    /// Its variables.
    pub env: BTreeMap<String, String>,
    /// The trees of its own files.
    pub sources: Vec<Source>,
    /// Everything else in the sandbox, by mount point.
    pub images: Images,
}

impl Planner<'_> {
    /// Plans the command of a target. Returns the tree of its outputs.
    pub(super) fn plan_command(&mut self, graph: &TargetGraph, target: &Target) -> Result<Source, PrepareError> {
        let address = &target.address;
        let outputs =
            CommandOutputs::parse(target).map_err(|source| Error::Output { target: address.clone(), source })?;
        let required = required(target)?;
        if outputs.outputs.is_empty() && required == Required::All {
            return Err(Error::NoOutputs { target: address.clone() }.into());
        }
        let mut programs = Programs::default();
        let mut argv = match target.kind.as_str() {
            "adhoc_tool" => self.add_runnable(graph, target, &mut programs)?,
            _ => program_run::shell_argv(&["-c", target.text("command").unwrap_or_default(), &address.to_string()]),
        };
        argv.extend(target.strings("args").into_iter().map(str::to_owned));
        self.add_tools(target, &mut programs)?;
        self.add_runnable_dependencies(graph, target, "runnable_dependencies", &mut programs)?;
        let mut parts = self.input_trees(graph, target)?;
        let surroundings = self.surroundings(programs)?;
        parts.extend(surroundings.sources);
        let mut env = surroundings.env;
        env.extend(self.requested_env(target));
        let env = env.into_iter().map(|(name, value)| (name, with_build_root(&value))).collect();
        let run = GenerateRun {
            label: format!("generate {address}"),
            subject: address.to_string(),
            argv: argv.iter().map(|word| with_build_root(word)).collect(),
            env,
            path: match target.text("path_env_modify") {
                Some("off") => Default::default(),
                Some("append") => (Vec::new(), surroundings.path),
                _ => (surroundings.path, Vec::new()),
            },
            outputs,
            required,
            caches: caches(target)?,
            sources: self.overlay("inputs of a command", parts),
            images: surroundings.images,
            timeout: timeout(target),
            network: self.uses_network(target)?,
            show_output: target.flag("log_output").unwrap_or(false),
            cacheable: !matches!(target.text("cache_scope"), Some("session" | "success_per_pantsd_restart")),
        };
        let step: StepId = self.add(generate_run::action(run));
        Ok(Source::Output(step))
    }

    /// The program of a `code_quality_tool`, with the files that it needs.
    pub(in crate::prepare) fn quality_program(&mut self, address: &Address) -> Result<QualityProgram, PrepareError> {
        let graph = self.session.load_graph()?;
        let target = graph.get(address).ok_or_else(|| PrepareError::NoTarget(address.clone()))?;
        let mut programs = Programs::default();
        let mut argv = self.add_runnable(&graph, target, &mut programs)?;
        argv.extend(target.strings("args").into_iter().map(str::to_owned));
        self.add_runnable_dependencies(&graph, target, "runnable_dependencies", &mut programs)?;
        let mut sources = self.input_trees(&graph, target)?;
        let surroundings = self.surroundings(programs)?;
        sources.extend(surroundings.sources);
        let mut env = surroundings.env;
        if let [path] = &surroundings.path[..] {
            let usual = environment::base().remove("PATH").unwrap_or_default();
            env.insert("PATH".to_owned(), format!("{path}:{usual}"));
        }
        let argv = argv.iter().map(|word| with_build_root(word)).collect();
        Ok(QualityProgram { argv, env, sources, images: surroundings.images })
    }

    /// The variables that the target asks for.
    fn requested_env(&self, target: &Target) -> BTreeMap<String, String> {
        environment::requested(&target.strings("extra_env_vars"), &self.session.environment().vars)
    }

    fn uses_network(&self, target: &Target) -> Result<bool, PrepareError> {
        let tag = "requires-network";
        match target.strings("tags").contains(&tag) {
            true if SandboxSettings::parse(self.config()).allow_network => Ok(true),
            true => Err(PrepareError::Tag { target: target.address.clone(), tag }),
            false => Ok(false),
        }
    }
}

fn required(target: &Target) -> Result<Required, Error> {
    let mode = target.text("outputs_match_mode");
    Required::parse(mode).ok_or_else(|| Error::Invalid {
        target: target.address.clone(),
        field: "outputs_match_mode",
        written: mode.unwrap_or_default().to_owned(),
        why: "known values: all, all_warn, at_least_one, at_least_one_warn, allow_empty".to_owned(),
    })
}

/// As in Pants, an `adhoc_tool` has no time limit unless it sets one.
fn timeout(target: &Target) -> Option<Duration> {
    let own = target.number("timeout").and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
    own.or((target.kind != "adhoc_tool").then_some(SHELL_TIMEOUT))
}

/// The directories of named caches. They are empty: what an earlier run left there would be an input that nobody declared.
fn caches(target: &Target) -> Result<Vec<String>, Error> {
    let mut directories = Vec::new();
    for field in ["experimental_named_caches", "named_caches"] {
        for (_, path) in target.string_pairs(field) {
            let path = crate::base::RelPath::parse(path).map_err(|error| Error::Invalid {
                target: target.address.clone(),
                field: "named_caches",
                written: path.to_owned(),
                why: error.to_string(),
            })?;
            directories.push(path.as_str().to_owned());
        }
    }
    Ok(directories)
}
