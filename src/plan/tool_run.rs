//! A tool and a batch of files to one process. What the batches are, and what becomes of the results, is elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::action::{Action, CachePolicy, Each, Source};
use crate::base::{Digest, RelPath};
use crate::config::Config;
use crate::config::typed::ToolSettings;
use crate::plan::{config_files, environment, program};
use crate::tools::{Call, Tool};

/// Where a linter may leave reports, below the build root and below `/out`.
pub const REPORTS: &str = "reports";

const FIXED_CLOCK: &str = include_str!("fixed_clock.py");

/// What a tool's section says for all its processes.
#[derive(Clone, Debug, Default)]
pub struct ToolOptions {
    pub args: Vec<String>,
    /// The files that `config` names.
    pub config: BTreeSet<RelPath>,
    /// What to run instead of the usual program.
    pub console_script: Option<String>,
    pub timeout: Option<Duration>,
}

/// Files that share a process, and what that gets to see.
#[derive(Clone, Debug)]
pub struct ToolBatch {
    pub label: String,
    /// At least one.
    pub files: Vec<RelPath>,
    pub input_root: Source,
    /// All of the input root but the files.
    pub fits: Digest,
    /// System tree, interpreter and venv image, by mount point.
    pub images: BTreeMap<String, Source>,
    /// On the import path, relative to the build root.
    pub source_roots: Vec<RelPath>,
}

impl ToolOptions {
    pub fn of(tool: &Tool, config: &Config) -> ToolOptions {
        let settings = ToolSettings::parse(config, &tool.scope);
        ToolOptions {
            args: settings.args,
            config: config_files::named(tool, config),
            console_script: settings.console_script,
            timeout: None,
        }
    }
}

pub fn action(tool: &Tool, call: &Call, options: &ToolOptions, batch: &ToolBatch) -> Action {
    let mut env = environment::base();
    if !batch.source_roots.is_empty() {
        env.insert("WADERS_SOURCE_ROOTS".to_owned(), environment::source_roots(&batch.source_roots));
    }
    let has_reports = !call.kind.rewrites() && leaves_reports_alone(&batch.files);
    Action {
        label: batch.label.clone(),
        argv: argv(tool, call, options, &batch.files),
        env,
        cwd: RelPath::root(),
        input_root: batch.input_root,
        images: batch.images.clone(),
        outputs_at: outputs_at(has_reports),
        network: false,
        timeout: options.timeout,
        attempts: 1,
        cache: CachePolicy { read: true, keep: true, good_codes: good_codes(call) },
        slot_variable: None,
        share: None,
        warm: None,
        each: call.alone.then(|| each(call, batch)),
        interactive: false,
    }
}

fn each(call: &Call, batch: &ToolBatch) -> Each {
    Each { files: batch.files.len(), fits: batch.fits, chatter: call.chatter.clone() }
}

/// The directory for reports is nobody else's: sources may lie in one of that name.
pub fn leaves_reports_alone<'f>(sources: impl IntoIterator<Item = &'f RelPath>) -> bool {
    !sources.into_iter().any(|file| file.starts_with(&reports()))
}

pub fn outputs_at(has_reports: bool) -> BTreeMap<String, RelPath> {
    has_reports.then(|| (format!("/src/{REPORTS}"), reports())).into_iter().collect()
}

fn reports() -> RelPath {
    RelPath::parse(REPORTS).expect("the path is clean")
}

/// What a tool found is as good a result as that it found nothing: the same files give it again.
fn good_codes(call: &Call) -> Vec<i32> {
    std::iter::once(0).chain(call.finding_codes.iter().copied()).collect()
}

fn argv(tool: &Tool, call: &Call, options: &ToolOptions, files: &[RelPath]) -> Vec<String> {
    let mut argv: Vec<String> = match call.fixed_clock {
        true => program::argv(FIXED_CLOCK),
        false => Vec::new(),
    };
    for (index, word) in call.argv.iter().enumerate() {
        match word.as_str() {
            "{config}" => argv.extend(config_args(tool, options)),
            "{args}" => argv.extend(options.args.iter().cloned()),
            "{files}" => argv.extend(files.iter().map(shown)),
            program if index == 0 => {
                argv.push(format!("/deps/bin/{}", options.console_script.as_deref().unwrap_or(program)))
            }
            word => argv.push(word.to_owned()),
        }
    }
    if call.kind.rewrites() { rewriting(argv, files.len()) } else { argv }
}

/// A name that begins with a dash is not to be read as an option.
fn shown(file: &RelPath) -> String {
    if file.as_str().starts_with('-') { format!("./{file}") } else { file.to_string() }
}

/// The files come last. What the tool wrote is lost with the sandbox, so the files that it wrote are copied out: those
/// that are newer than the system's, since all that a sandbox begins with is of one time.
fn rewriting(argv: Vec<String>, files: usize) -> Vec<String> {
    let words = argv.len() - files;
    let script = format!(
        "\"$@\"; code=$?; shift {words}; for file; do [ -e \"$file\" ] || exit 70; \
         [ \"$file\" -nt /bin/sh ] && {{ cp --parents -- \"$file\" /out || exit 70; }}; done; exit $code"
    );
    ["/bin/sh", "-c", &script, "sh"].into_iter().map(str::to_owned).chain(argv).collect()
}

/// Some tools look at several files, but none can be told of more than one.
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
            fits: Digest::of(b""),
            images: BTreeMap::new(),
            source_roots: Vec::new(),
        };
        action(&tool, call, options, &batch).argv.join(" ")
    }

    fn options(args: &[&str], config: &[&str]) -> ToolOptions {
        ToolOptions {
            args: args.iter().map(|arg| arg.to_string()).collect(),
            config: config.iter().map(|path| RelPath::parse(path).unwrap()).collect(),
            ..ToolOptions::default()
        }
    }

    #[test]
    fn settings_come_before_arguments_and_files_last() {
        assert_eq!(
            words("flake8", "flake8", &options(&["--max-line-length=90"], &["build/.flake8"]), &["a.py", "b.py"]),
            "/deps/bin/flake8 --config=build/.flake8 --jobs=1 --max-line-length=90 a.py b.py"
        );
    }

    #[test]
    fn several_settings_files_are_seen_and_none_is_named() {
        assert!(!words("isort", "isort", &options(&[], &["a.cfg", "b.cfg"]), &["a.py"]).contains("--settings"));
    }

    #[test]
    fn what_rewrites_hands_its_files_over() {
        let words = words("pyupgrade", "pyupgrade", &options(&["--py39-plus"], &[]), &["a.py", "-b.py"]);
        let script = "\"$@\"; code=$?; shift 2; for file; do [ -e \"$file\" ] || exit 70; \
                      [ \"$file\" -nt /bin/sh ] && { cp --parents -- \"$file\" /out || exit 70; }; done; exit $code";
        assert_eq!(words, format!("/bin/sh -c {script} sh /deps/bin/pyupgrade --py39-plus a.py ./-b.py"));
    }

    #[test]
    fn a_tool_that_tells_the_time_is_run_with_a_clock_that_stands() {
        let words = words("bandit", "bandit", &ToolOptions::default(), &["a.py"]);
        assert!(words.starts_with("/deps/bin/python -s -B -c "), "{words}");
        assert!(words.ends_with(" /deps/bin/bandit --quiet a.py"), "{words}");
    }

    #[test]
    fn another_program_may_stand_in() {
        let options = ToolOptions { console_script: Some("tan".to_owned()), ..ToolOptions::default() };
        assert!(words("black", "black", &options, &["a.py"]).contains(" /deps/bin/tan -W 1 a.py"));
    }
}
