//! The action that runs a linter, formatter or fixer on a batch of files. How files are divided into batches is in `batches`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::action::{Action, Command, PerFile, Policy, Source};
use crate::base::{Digest, RelPath, sandbox_paths};
use crate::config::Config;
use crate::config::typed::ToolSettings;
use crate::plan::{config_files, environment, program};
use crate::tools::{Call, Runner, Tool};

/// The directory to which a linter may write reports, below the build root and below the output root.
pub const REPORTS: &str = "reports";

const FIXED_CLOCK: &str = include_str!("fixed_clock.py");
const BUF_RUN: &str = include_str!("buf_run.py");

/// The settings of a tool that all its processes share.
#[derive(Clone, Debug, Default)]
pub struct ToolOptions {
    /// `[tool].args`.
    pub args: Vec<String>,
    /// Settings files that the user configured.
    pub config: BTreeSet<RelPath>,
    /// The name of a program that replaces the usual one.
    pub console_script: Option<String>,
    /// Wall clock time.
    pub timeout: Option<Duration>,
}

/// Files that share a process, and the inputs of that process.
#[derive(Clone, Debug)]
pub struct ToolBatch {
    /// The step's name in progress and errors.
    pub label: String,
    /// At least one file.
    pub files: Vec<RelPath>,
    /// The tree of the files and everything else that the tool reads.
    pub input_root: Source,
    /// A digest of everything in the input root besides the files.
    pub context: Digest,
    /// The system tree, the interpreter and the venv image, by mount point.
    pub images: BTreeMap<String, Source>,
    /// The source roots of the files, relative to the build root.
    pub source_roots: Vec<RelPath>,
    /// The command line and the variables of a program of the repository, which is run instead of the program of the call.
    pub program: Option<(Vec<String>, BTreeMap<String, String>)>,
}

impl ToolOptions {
    /// Reads the options of the section of the tool.
    pub fn from_config(tool: &Tool, call: &Call, config: &Config) -> ToolOptions {
        let settings = ToolSettings::of_call(config, &tool.scope, &call.option_prefix);
        ToolOptions {
            args: settings.args,
            config: config_files::configured_files(tool, config),
            console_script: settings.console_script,
            timeout: None,
        }
    }
}

/// The action that runs one call of a tool on one batch.
pub fn action(tool: &Tool, call: &Call, options: &ToolOptions, batch: &ToolBatch) -> Action {
    let mut env = environment::base();
    if call.runner == Some(Runner::Buf) {
        env.insert("WADERS_SOURCE_ROOTS".to_owned(), environment::source_roots(&batch.source_roots));
    }
    let has_reports = !call.kind.rewrites() && has_no_reports_dir(&batch.files);
    let mut argv = argv(tool, call, options, &batch.files);
    if let Some((start, variables)) = &batch.program {
        argv.splice(0..0, start.iter().cloned());
        env.extend(variables.clone());
    }
    if call.kind.rewrites() {
        argv = copy_changed_files(argv, batch.files.len());
    }
    let mut command = Command::new(argv, env, batch.input_root, batch.images.clone());
    command.outputs_at = outputs_at(has_reports);
    let mut policy = Policy::new(batch.label.clone());
    policy.remote = true;
    policy.subjects = batch.files.iter().map(ToString::to_string).collect();
    policy.timeout = options.timeout;
    policy.cache.success_codes = success_codes(call);
    policy.per_file = call.alone.then(|| per_file(call, batch));
    Action { command, policy }
}

fn per_file(call: &Call, batch: &ToolBatch) -> PerFile {
    PerFile { files: batch.files.len(), context: batch.context, ignored_output: call.chatter.clone() }
}

/// Whether no source is in the reports directory. Only then may a tool write to it.
pub fn has_no_reports_dir<'f>(sources: impl IntoIterator<Item = &'f RelPath>) -> bool {
    !sources.into_iter().any(|file| file.starts_with(&reports()))
}

/// The mount point of the reports directory and its path below the output root, if there are reports.
pub fn outputs_at(has_reports: bool) -> BTreeMap<String, RelPath> {
    has_reports.then(|| (sandbox_paths::in_src(REPORTS), reports())).into_iter().collect()
}

fn reports() -> RelPath {
    RelPath::parse(REPORTS).expect("the path is clean")
}

/// A result with findings is cached like one without, because the same files give the same findings.
fn success_codes(call: &Call) -> Vec<i32> {
    std::iter::once(0).chain(call.finding_codes.iter().copied()).collect()
}

fn argv(tool: &Tool, call: &Call, options: &ToolOptions, files: &[RelPath]) -> Vec<String> {
    let mut argv: Vec<String> = match (call.fixed_clock, call.runner) {
        (true, _) => program::argv(FIXED_CLOCK),
        (false, Some(Runner::Buf)) => program::argv(BUF_RUN),
        (false, _) => Vec::new(),
    };
    for (index, word) in call.argv.iter().enumerate() {
        match word.as_str() {
            "{config}" => argv.extend(config_args(tool, options)),
            "{args}" => argv.extend(options.args.iter().cloned()),
            "{files}" => argv.extend(files.iter().map(to_argument)),
            program if index == 0 => {
                argv.push(sandbox_paths::in_deps_bin(options.console_script.as_deref().unwrap_or(program)))
            }
            word => argv.push(word.to_owned()),
        }
    }
    argv
}

/// A file name that begins with a dash must not be parsed as an option.
fn to_argument(file: &RelPath) -> String {
    if file.as_str().starts_with('-') { format!("./{file}") } else { file.to_string() }
}

/// Wraps `argv` so that the files that the tool changed are copied to the output root. A changed file is newer than
/// `/bin/sh`, because all inputs of a sandbox have the same modification time. The files are the last arguments.
fn copy_changed_files(argv: Vec<String>, files: usize) -> Vec<String> {
    let words = argv.len() - files;
    let script = format!(
        "\"$@\"; code=$?; shift {words}; for file; do [ -e \"$file\" ] || exit 70; \
         [ \"$file\" -nt /bin/sh ] && {{ cp --parents -- \"$file\" {out} || exit 70; }}; done; exit $code",
        out = sandbox_paths::OUT
    );
    ["/bin/sh", "-c", &script, "sh"].into_iter().map(str::to_owned).chain(argv).collect()
}

/// A settings file is an argument only if it is the only one. If there are several, the tool discovers them itself.
fn config_args(tool: &Tool, options: &ToolOptions) -> Vec<String> {
    let Some(config) = options.config.first().filter(|_| options.config.len() == 1) else { return Vec::new() };
    tool.config_args.iter().map(|word| word.replace("{}", config.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools;

    fn words(scope: &str, name: &str, options: &ToolOptions, files: &[&str]) -> String {
        let tool = tools::named(scope).unwrap();
        let call = tool.calls.iter().find(|call| call.name == name).unwrap();
        let batch = ToolBatch {
            label: String::new(),
            files: files.iter().map(|file| RelPath::parse(file).unwrap()).collect(),
            input_root: Source::Tree(Digest::of(b"")),
            program: None,
            context: Digest::of(b""),
            images: BTreeMap::new(),
            source_roots: Vec::new(),
        };
        action(&tool, call, options, &batch).command.argv.join(" ")
    }

    fn options(args: &[&str], config: &[&str]) -> ToolOptions {
        ToolOptions {
            args: args.iter().map(|arg| arg.to_string()).collect(),
            config: config.iter().map(|path| RelPath::parse(path).unwrap()).collect(),
            ..ToolOptions::default()
        }
    }

    #[test]
    fn settings_come_first_then_arguments_then_files() {
        assert_eq!(
            words("flake8", "flake8", &options(&["--max-line-length=90"], &["build/.flake8"]), &["a.py", "b.py"]),
            "/deps/bin/flake8 --config=build/.flake8 --jobs=1 --max-line-length=90 a.py b.py"
        );
    }

    #[test]
    fn several_settings_files_are_not_passed_as_arguments() {
        assert!(!words("isort", "isort", &options(&[], &["a.cfg", "b.cfg"]), &["a.py"]).contains("--settings"));
    }

    #[test]
    fn the_files_that_a_formatter_changed_are_copied_to_the_output() {
        let words = words("pyupgrade", "pyupgrade", &options(&["--py39-plus"], &[]), &["a.py", "-b.py"]);
        let script = "\"$@\"; code=$?; shift 2; for file; do [ -e \"$file\" ] || exit 70; \
                      [ \"$file\" -nt /bin/sh ] && { cp --parents -- \"$file\" /out || exit 70; }; done; exit $code";
        assert_eq!(words, format!("/bin/sh -c {script} sh /deps/bin/pyupgrade --py39-plus a.py ./-b.py"));
    }

    #[test]
    fn a_tool_that_prints_the_time_runs_with_a_fixed_clock() {
        let words = words("bandit", "bandit", &ToolOptions::default(), &["a.py"]);
        assert!(words.starts_with("/deps/bin/python -s -B -c "), "{words}");
        assert!(words.ends_with(" /deps/bin/bandit --quiet a.py"), "{words}");
    }

    #[test]
    fn the_console_script_replaces_the_program() {
        let options = ToolOptions { console_script: Some("tan".to_owned()), ..ToolOptions::default() };
        assert!(words("black", "black", &options, &["a.py"]).contains(" /deps/bin/tan -W 1 a.py"));
    }
}
