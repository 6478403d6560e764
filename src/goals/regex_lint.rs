//! `[regex-lint]` as part of `lint`: reads the selected files and reports findings like those of a tool.

use std::time::Duration;

use crate::config::typed::{RegexLintSettings, ToolGoalSettings};
use crate::goals::Error;
use crate::report::Status;
use crate::report::finding::Finding;
use crate::report::tool_result::{About, ToolResult, ToolRun};
use crate::session::Session;
use crate::tools::regex_lint::{Detail, NAME, Rules, report};

/// The result; `None` if it is not configured or no selected file has required patterns.
pub(super) fn result(session: &mut Session) -> Result<Option<ToolResult>, Error> {
    let settings = RegexLintSettings::parse(session.config());
    let only = ToolGoalSettings::parse(session.config(), "lint").only;
    let is_chosen = only.is_empty() || only.iter().any(|name| name == NAME);
    if settings.config.is_empty() || !is_chosen || settings.skip {
        return Ok(None);
    }
    let detail = Detail::from_name(&settings.detail_level);
    let rules = Rules::parse(&settings.config)?;
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
    let (stdout, has_passed) = report(&checked, detail);
    let failed = checked.iter().filter(|checked| !checked.other.is_empty());
    let findings = failed.map(|checked| {
        Finding::for_file(
            &checked.path,
            format!("does not match the patterns of `[regex-lint]`: {}", checked.other.join(", ")),
        )
    });
    let findings = findings.collect();
    let run = ToolRun {
        files: checked.into_iter().map(|checked| checked.path).collect(),
        partition: None,
        status: if has_passed { Status::Passed } else { Status::Found(1) },
        origin: None,
        wall: Duration::ZERO,
        stdout,
        stderr: String::new(),
        changed: Vec::new(),
        findings,
    };
    let about = About { version: Some(env!("CARGO_PKG_VERSION").to_owned()), ..About::default() };
    Ok(Some(ToolResult { name: NAME.to_owned(), about, rewrites: false, runs: vec![run] }))
}
