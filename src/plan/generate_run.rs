//! The action that runs a command of a target and captures the files that the target declares. Which command that is, and what it
//! needs, is planned in `prepare::generate`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::action::{Action, Command, Policy, Source};
use crate::base::sandbox_paths;
use crate::plan::environment;
use crate::targets::CommandOutputs;

/// Runs the command and copies its outputs.
const RUN: &str = include_str!("generate_run.sh");

/// The shell of every system tree.
const SH: &str = "/bin/sh";

/// A command whose files other targets use.
#[derive(Clone, Debug)]
pub struct GenerateRun {
    /// The step's name in progress and errors.
    pub label: String,
    /// The address of the target.
    pub subject: String,
    /// The command line.
    pub argv: Vec<String>,
    /// The variables of the command, in addition to those of every step.
    pub env: BTreeMap<String, String>,
    /// Directories that are searched for programs before and after the usual ones.
    pub path: (Vec<String>, Vec<String>),
    /// The working directory, and the files to capture.
    pub outputs: CommandOutputs,
    /// Which of them must exist.
    pub required: Required,
    /// Directories to create below the build root.
    pub caches: Vec<String>,
    /// The tree of its inputs.
    pub sources: Source,
    /// The system tree and everything else, by mount point.
    pub images: BTreeMap<String, Source>,
    /// Wall clock time; `None` for no limit.
    pub timeout: Option<Duration>,
    /// Whether it may use the network of this machine.
    pub network: bool,
    /// Whether its result may be used by later runs.
    pub cacheable: bool,
    /// Whether what it prints is shown.
    pub show_output: bool,
}

/// Which of the declared outputs a command must write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Required {
    /// All of them.
    All,
    /// At least one of them.
    Any,
    /// None of them.
    None,
    /// All of them, or else the step prints a warning.
    WarnAll,
    /// At least one of them, or else the step prints a warning.
    WarnAny,
}

impl Required {
    /// The value of the field `outputs_match_mode`. Without a value, all outputs must exist.
    pub fn parse(mode: Option<&str>) -> Option<Required> {
        Some(match mode {
            None | Some("all") => Required::All,
            Some("all_warn") => Required::WarnAll,
            Some("at_least_one") => Required::Any,
            Some("at_least_one_warn") => Required::WarnAny,
            Some("allow_empty") => Required::None,
            Some(_) => return None,
        })
    }

    fn word(self) -> &'static str {
        match self {
            Required::All => "all",
            Required::Any => "any",
            Required::None => "none",
            Required::WarnAll => "warn-all",
            Required::WarnAny => "warn-any",
        }
    }
}

/// The action that runs the command. Its output tree has the paths that other targets find the files at.
pub fn action(run: GenerateRun) -> Action {
    let mut env = environment::base();
    env.extend(run.env);
    let usual = env.remove("PATH").unwrap_or_default();
    let (before, after) = run.path;
    let path: Vec<String> = before.into_iter().chain([usual]).chain(after).collect();
    env.insert("PATH".to_owned(), path.join(":"));
    let mut argv = vec![SH.to_owned(), "-c".to_owned(), RUN.to_owned(), "sh".to_owned()];
    let stream = |path: &Option<crate::base::RelPath>| path.as_ref().map_or("", |path| path.as_str()).to_owned();
    argv.extend([
        run.outputs.workdir.as_str().to_owned(),
        stream(&run.outputs.stdout),
        stream(&run.outputs.stderr),
        run.required.word().to_owned(),
        lines(&run.outputs),
        run.caches.iter().map(|directory| format!("{directory}\n")).collect(),
    ]);
    argv.extend(run.argv);
    let mut command = Command::new(argv, env, run.sources, run.images);
    command.network = run.network;
    let mut policy = Policy::new(run.label);
    policy.subjects = vec![run.subject];
    policy.timeout = run.timeout;
    policy.remote = true;
    // Warnings about outputs are part of what the step prints.
    policy.show_output = run.show_output || matches!(run.required, Required::WarnAll | Required::WarnAny);
    (policy.cache.read, policy.cache.write) = (run.cacheable, run.cacheable);
    Action { command, policy }
}

/// Three lines for each output, as the script reads them.
fn lines(outputs: &CommandOutputs) -> String {
    let line = |output: &crate::targets::CommandOutput| {
        let kind = if output.is_directory { "directory" } else { "file" };
        format!("{kind}\n{}\n{}\n", output.from.as_str(), output.to.as_str())
    };
    outputs.outputs.iter().map(line).collect()
}

/// A text in which `{chroot}` stands for the build root, as in Pants.
pub fn with_build_root(text: &str) -> String {
    text.replace("{chroot}", sandbox_paths::SRC)
}
