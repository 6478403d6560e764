//! `[regex-lint]` as a part of `lint`: the selected files are read, and the findings look like those of a tool.

use std::time::Duration;

use crate::report::Status;
use crate::report::finding::Finding;
use crate::report::tool_result::{ToolResult, ToolRun};
use crate::session::{Error, Session};
use crate::tools::regex_lint::{Detail, NAME, Rules, report};

/// Nothing where no selected file must hold anything, or nobody set it up.
pub fn result(session: &mut Session) -> Result<Option<ToolResult>, Error> {
    let config = session.config();
    let written = config.dict(NAME, "config").clone();
    let only = config.list("lint", "only");
    let is_meant = only.is_empty() || only.contains(&NAME);
    if written.is_empty() || !is_meant || config.flag(NAME, "skip") {
        return Ok(None);
    }
    let detail = Detail::from_name(config.text(NAME, "detail_level").unwrap_or_default());
    let rules = Rules::parse(&written)?;
    let mut checked = Vec::new();
    for file in session.select_files()? {
        let Some(required) = rules.required(file.as_str())? else { continue };
        let content = session.context.tracker.read(&file.to_path(session.build_root()));
        let content = content.map_err(|source| Error::ReadFile { file: file.clone(), source })?;
        checked.push(required.check(file.as_str(), &content)?);
    }
    if checked.is_empty() {
        return Ok(None);
    }
    let (stdout, is_well) = report(&checked, detail);
    let failed = checked.iter().filter(|checked| !checked.other.is_empty());
    let findings = failed.map(|checked| {
        Finding::of_file(&checked.path, format!("does not match as `[regex-lint]` wants: {}", checked.other.join(", ")))
    });
    let findings = findings.collect();
    let run = ToolRun {
        files: checked.into_iter().map(|checked| checked.path).collect(),
        partition: None,
        status: if is_well { Status::Passed } else { Status::Found(1) },
        origin: None,
        wall: Duration::ZERO,
        stdout,
        stderr: String::new(),
        changed: Vec::new(),
        findings,
    };
    Ok(Some(ToolResult { name: NAME.to_owned(), rewrites: false, runs: vec![run] }))
}
