//! The results of calls of tools: read from the store, printed, and written to the directory for results.

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::action::{Origin, Outcome};
use crate::base::{Digest, RelPath, replace_file, sandbox_paths};
use crate::config::typed::ToolGoalSettings;
use crate::engine::StepResult;
use crate::engine::executor::Results;
use crate::goals::Error;
use crate::plan::tool_run::REPORTS;
use crate::prepare::calls::{Contents, PlannedBatch, PlannedCall};
use crate::report::finding::FindingPatterns;
use crate::report::junit::path_safe;
use crate::report::limits::PARSED_BYTES;
use crate::report::tool_result::{About, Mode, ToolResult, ToolRun};
use crate::report::{Status, code_quality, github, json, sarif, tool_summary};
use crate::session::failure::{self, Failure};
use crate::session::{Session, Verdict};
use crate::store::Store;
use crate::tools::Call;

/// The results of several calls.
#[derive(Default)]
pub(super) struct CallResults {
    /// By name; calls with the same name are reported as one tool.
    pub tools: BTreeMap<String, ToolResult>,
    /// Why processes did not run.
    pub failures: Vec<Failure>,
    /// The files that tools changed, with their new content.
    pub rewritten: Contents,
}

impl CallResults {
    /// Adds the results of calls that worked on `contents`.
    pub(super) fn add(
        &mut self,
        session: &mut Session,
        calls: &[PlannedCall],
        outcomes: &Results,
        contents: &Contents,
    ) -> Result<(), Error> {
        let store = session.services.open_store()?;
        let was_interrupted = session.services.was_interrupted();
        for call in calls.iter().filter(|call| !call.batches.is_empty()) {
            let name = &call.enabled.call.name;
            let patterns = LazyCell::new(|| patterns(&call.enabled.call));
            let mut runs = Vec::new();
            for batch in &call.batches {
                let files = batch.files.iter().map(ToString::to_string).collect();
                if !was_interrupted && failure::was_stopped(&batch.step, outcomes) {
                    runs.push(ToolRun {
                        status: Status::Stopped,
                        ..ToolRun::not_run(files, batch.partition.clone(), "")
                    });
                    continue;
                }
                match failure::ran(&batch.step, outcomes) {
                    Ok(ran) => {
                        let (run, rewritten) = read_run(&store, (call, batch), &patterns, ran, contents)?;
                        self.rewritten.extend(rewritten);
                        runs.push(run);
                    }
                    Err(failure) => {
                        runs.push(ToolRun::not_run(files, batch.partition.clone(), &failure.message));
                        self.failures.push(failure);
                    }
                }
            }
            let rewrites = call.enabled.call.kind.rewrites();
            let about = || about(call);
            let empty = || ToolResult { name: name.clone(), about: about(), rewrites, runs: Vec::new() };
            self.tools.entry(name.clone()).or_insert_with(empty).runs.extend(runs);
        }
        Ok(())
    }

    /// The verdict as in Pants: the exit code of the last tool by name that is not 0. If every failed process did not run, and
    /// for the same kind of reason, that kind is the verdict.
    pub(super) fn verdict(&self, mode: Mode) -> Verdict {
        let failed = self.tools.values().flat_map(|tool| &tool.runs).filter(|run| run.status.exit_code() != 0).count();
        match failure::common_kind(&self.failures) {
            Some(kind) if self.failures.len() == failed => Verdict::Prevented(kind),
            _ => {
                let codes = self.tools.values().map(|tool| tool.exit_code(mode));
                Verdict::from_exit_code(codes.into_iter().rfind(|code| *code != 0).unwrap_or(0))
            }
        }
    }

    /// Removes files that could not be written from the changed files.
    pub(super) fn remove_changed(&mut self, refused: &[&RelPath]) {
        let is_refused = |file: &str| refused.iter().any(|refused| refused.as_str() == file);
        for run in self.tools.values_mut().flat_map(|tool| &mut tool.runs) {
            run.changed.retain(|file| !is_refused(file));
        }
    }

    /// The tools, sorted by name.
    pub(super) fn list(&self) -> Vec<&ToolResult> {
        self.tools.values().collect()
    }

    /// Prints findings and summary lines.
    pub(super) fn print(&self, session: &Session, mode: Mode) {
        let colour = session.ui.terminal.colour;
        for block in self.tools.values().flat_map(|tool| tool_summary::output_blocks(tool, mode, colour)) {
            session.ui.summary(&block);
        }
        for tool in self.tools.values() {
            session.ui.summary(&tool_summary::summary_line(tool, mode, colour));
        }
    }

    /// Writes results for other programs, if they are asked for: GitHub annotations, SARIF, JSON.
    pub(super) fn write_reports(&self, session: &Session, goal: &str, verdict: Verdict) -> Result<(), Error> {
        if session.environment().var("GITHUB_ACTIONS") == Some("true") {
            for tool in self.tools.values() {
                tool.findings().iter().for_each(|finding| session.ui.summary(&github::annotation(&tool.name, finding)));
            }
        }
        let settings = ToolGoalSettings::parse(session.config(), goal);
        if let Some(file) = settings.sarif {
            write_report(session, &file, &sarif::render(&self.list()))?;
        }
        if let Some(file) = settings.code_quality {
            write_report(session, &file, &code_quality::render(&self.list()))?;
        }
        self.print_json(session, goal, verdict)
    }

    /// Prints results as JSON, if that is asked for.
    pub(super) fn print_json(&self, session: &Session, goal: &str, verdict: Verdict) -> Result<(), Error> {
        match ToolGoalSettings::parse(session.config(), goal).json {
            true => Ok(session.ui.print(&json::render_tools(goal, &self.list(), session.exit_code(verdict)))?),
            false => Ok(()),
        }
    }
}

fn write_report(session: &Session, file: &str, text: &str) -> Result<(), Error> {
    let path = session.context.output_path(file);
    let written = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    let written = written.and_then(|()| replace_file(&path, text.as_bytes()));
    written.map_err(|source| Error::Output { path, source })
}

fn about(call: &PlannedCall) -> About {
    // A tool of the repository shares only the form of the description.
    let of_tool = call.enabled.target.is_none().then_some(&call.enabled.tool);
    About {
        version: call.version.clone(),
        homepage: of_tool.and_then(|tool| tool.homepage.clone()),
        code_help: of_tool.and_then(|tool| tool.code_help.clone()),
    }
}

fn patterns(call: &Call) -> FindingPatterns {
    FindingPatterns::new(&call.findings, call.first_column, call.chatter.as_deref())
        .expect("every pattern compiles: tested")
}

/// The result of one process, and the files that it changed.
fn read_run(
    store: &Store,
    (call, batch): (&PlannedCall, &PlannedBatch),
    patterns: &LazyCell<FindingPatterns, impl FnOnce() -> FindingPatterns>,
    (done, origin, outcome): (&StepResult, Origin, &Outcome),
    contents: &Contents,
) -> Result<(ToolRun, Contents), Error> {
    let text = |digest: Digest| {
        if digest.size_bytes() == 0 {
            return Ok(String::new());
        }
        let text = strip_sandbox_root(&store.excerpt(digest, PARSED_BYTES)?);
        Ok::<_, Error>(patterns.remove_noise(text))
    };
    let timeout = batch.timeout.unwrap_or(Duration::ZERO);
    let (stdout, stderr) = (text(outcome.stdout)?, text(outcome.stderr)?);
    let output = [stderr.as_str(), &stdout].concat();
    let findings = if output.is_empty() { Vec::new() } else { patterns.parse(&output) };
    let status = match Status::from_exit(outcome.exit, &call.enabled.call.finding_codes, timeout) {
        Status::Found(code) if findings.is_empty() && has_crashed(&stderr) => Status::Failed(code),
        status => status,
    };
    let rewritten = match call.enabled.call.kind.rewrites() && status.is_done() {
        true => changed_files(store, done, contents)?,
        false => Contents::new(),
    };
    let run = ToolRun {
        files: batch.files.iter().map(ToString::to_string).collect(),
        partition: batch.partition.clone(),
        status,
        origin: Some(origin),
        wall: outcome.wall,
        findings,
        stdout,
        stderr,
        changed: rewritten.keys().map(ToString::to_string).collect(),
    };
    Ok((run, rewritten))
}

/// Whether Python crashed. Its exit code is then 1, which is also what many linters return for findings.
fn has_crashed(stderr: &str) -> bool {
    stderr.lines().any(|line| line == "Traceback (most recent call last):")
}

/// The files that the process changed, with their new content.
fn changed_files(store: &Store, done: &StepResult, contents: &Contents) -> Result<Contents, Error> {
    let mut nodes = store.tree(done.tree)?.nodes;
    nodes.retain(|file, node| contents.get(file).is_some_and(|known| known.content() != node.content()));
    Ok(nodes)
}

/// Makes paths below `/src`, where tools see the build root, relative to the build root.
pub(super) fn strip_sandbox_root(text: &str) -> String {
    let begins =
        |before: Option<char>| before.is_none_or(|c| !(c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-')));
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let prefix = format!("{}/", sandbox_paths::SRC);
    while let Some(at) = rest.find(&prefix) {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        if !begins(out.chars().next_back()) {
            out.push_str(&prefix);
        }
        rest = &after[prefix.len()..];
    }
    out + rest
}

/// Copies what linters wrote to `reports/` to `dist/<goal>/<tool>/`.
pub(super) fn keep_reports(
    session: &mut Session,
    goal: &str,
    calls: &[PlannedCall],
    outcomes: &Results,
) -> Result<(), Error> {
    let store = session.services.open_store()?;
    let reports = RelPath::parse(REPORTS).expect("the path is clean");
    for call in calls.iter().filter(|call| !call.enabled.call.kind.rewrites()) {
        for (number, batch) in call.batches.iter().enumerate() {
            let Ok((done, ..)) = failure::ran(&batch.step, outcomes) else { continue };
            let Some(tree) = store.subtree(done.tree, &reports)? else { continue };
            if store.tree(tree)?.nodes.is_empty() {
                continue;
            }
            let dir = session.context.dist_dir().join(goal).join(path_safe(&call.enabled.call.name));
            let dir = if call.batches.len() == 1 { dir } else { dir.join((number + 1).to_string()) };
            store.copy_out(tree, &dir)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_is_distinguished_from_findings() {
        assert!(has_crashed("old\nTraceback (most recent call last):\n  File \"x\"\nRuntimeError: no\n"));
        assert!(!has_crashed("a.py:1: W1 `Traceback (most recent call last):` is spelt out\n"));
    }

    #[test]
    fn paths_are_printed_from_the_build_root() {
        let check = |text, expected| assert_eq!(strip_sandbox_root(text), expected);
        check("Fixing /src/src/a.py\n", "Fixing src/a.py\n");
        check("/src/a.py:1: x (/src/b.py)", "a.py:1: x (b.py)");
        check("lib/src/a.py and ../src/b.py", "lib/src/a.py and ../src/b.py");
        check("nothing", "nothing");
    }
}
