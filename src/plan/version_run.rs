//! The action that writes a file with a version that follows from git. The state of the repository is an argument of the action: the
//! sandbox contains no git directory.

use serde_json::json;

use crate::action::{Action, Source};
use crate::base::{Digest, RelPath, sandbox_paths};
use crate::packaging::venv;
use crate::plan::interpreter::Interpreter;
use crate::plan::program;

const RUN: &str = include_str!("version_run.py");

/// What git says about the commit that is checked out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// The nearest tag with a digit; `None` if there is none.
    pub tag: Option<String>,
    /// The number of commits since the tag, or of all commits.
    pub distance: u64,
    /// `g` and the abbreviated commit; `None` without a commit.
    pub node: Option<String>,
    /// Whether committed files were changed.
    pub dirty: bool,
    /// The branch.
    pub branch: Option<String>,
    /// The day of the commit, such as `2024-12-31`.
    pub node_date: Option<String>,
    /// The present time in seconds since 1970, if the version contains it: some schemes name the day of a changed checkout.
    pub now: Option<u64>,
}

/// A file with a version.
#[derive(Clone, Debug)]
pub struct VersionRun<'t> {
    /// The address of the target.
    pub subject: String,
    /// The state of the repository.
    pub description: Description,
    /// The path of the file.
    pub output: RelPath,
    /// The content of the file, with `{version}` and `{version_tuple}`.
    pub template: &'t str,
    /// Extracts the version from a tag.
    pub tag_regex: Option<&'t str>,
    /// The scheme of the public part of the version.
    pub version_scheme: Option<&'t str>,
    /// The scheme of the local part of the version.
    pub local_scheme: Option<&'t str>,
}

/// The action that writes the file. `tool` is a venv image with setuptools_scm.
pub fn action(interpreter: &Interpreter, tool: Source, empty: Digest, run: &VersionRun<'_>) -> Action {
    let Description { tag, distance, node, dirty, branch, node_date, now } = &run.description;
    let given = json!({
        "tag": tag,
        "distance": distance,
        "node": node,
        "dirty": dirty,
        "branch": branch,
        "node_date": node_date,
        "settings": {
            "tag_regex": run.tag_regex,
            "version_scheme": run.version_scheme,
            "local_scheme": run.local_scheme,
        },
        "template": run.template,
        "output": sandbox_paths::in_out(run.output.as_str()),
    });
    let argv = [program::argv(RUN), vec![given.to_string()]].concat();
    let mut action = interpreter.action(format!("generate {}", run.subject), argv, Source::Tree(empty));
    action.command.images.insert(venv::ROOT.to_owned(), tool);
    if let Some(now) = now {
        action.command.env.insert("SOURCE_DATE_EPOCH".to_owned(), now.to_string());
    }
    action.policy.subjects = vec![run.subject.clone()];
    action.policy.remote = true;
    action
}
