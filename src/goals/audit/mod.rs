//! `audit`: runs the steps of other goals and reports what each really reads and reaches. `inspect` reads the read set of a
//! step, `undeclared` and `unused` compare it with the declarations, `probe` runs the leak tests. The steps are planned in
//! `prepare::audit`. Pants does not have this goal.

mod inspect;
mod packages;
mod probe;
mod undeclared;
mod unused;

use std::collections::BTreeMap;

use crate::base::replace_file;
use crate::config::typed::AuditSettings;
use crate::engine::executor::Results;
use crate::goals::Error;
use crate::prepare::audit::{self, PlannedAudit};
use crate::report::audit::{AuditFinding, AuditReport, SCHEMA_VERSION, link, page, text};
use crate::report::junit::path_safe;
use crate::report::sarif;
use crate::session::{Session, Verdict, execute, selection};

use inspect::{Inspected, Inspector};

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    let settings = AuditSettings::parse(session.config());
    if settings.probe {
        return probe::run(session, settings.json);
    }
    if !selection::has_selection(session)? {
        return Err(Error::NoTarget("audit"));
    }
    session.services.require_audit();
    let goals: Vec<&str> = match settings.goals.is_empty() {
        true => audit::GOALS.to_vec(),
        false => settings.goals.iter().map(String::as_str).collect(),
    };
    let mut steps = Vec::new();
    for goal in goals {
        let (planned, results) = execute_goal(session, goal)?;
        if session.services.was_interrupted() {
            return Ok(Verdict::Interrupted);
        }
        let inspector = Inspector::new(session, goal, planned.graph)?;
        for step in &planned.steps {
            steps.push(inspector.inspect(step, &results)?);
        }
    }
    if steps.is_empty() {
        session.ui.warn("the goals have no step for these targets");
    }
    let report = report(session, steps)?;
    write(session, &settings, &report)?;
    let is_good = report.steps.iter().all(|step| step.succeeded) && !report.has_errors();
    Ok(if is_good { Verdict::Good } else { Verdict::Bad(1) })
}

fn execute_goal(session: &mut Session, goal: &str) -> Result<(PlannedAudit, Results), Error> {
    let once = |session: &mut Session| {
        let planned = audit::plan(session, goal)?;
        let steps: Vec<_> = planned.steps.iter().filter_map(|step| step.step.as_ref().ok().copied()).collect();
        let results = execute::execute(session, planned.graph.clone(), &steps, false)?;
        Ok::<_, Error>((planned, results))
    };
    execute::with_repair(session, once)
}

fn report(session: &mut Session, steps: Vec<Inspected>) -> Result<AuditReport, Error> {
    let mut findings: BTreeMap<(String, u32, &str, String), AuditFinding> = BTreeMap::new();
    for step in &steps {
        for finding in undeclared::findings(session, step)? {
            let key = (finding.file.clone(), finding.line, finding.code.name(), finding.subject.clone());
            // The same file can be missing in many steps.
            match findings.get_mut(&key) {
                Some(known) => known.steps.extend(finding.steps),
                None => drop(findings.insert(key, finding)),
            }
        }
    }
    let dependencies = unused::edges(session, &steps)?;
    let mut findings: Vec<AuditFinding> = findings.into_values().collect();
    findings.extend(unused::findings(session, &steps)?);
    findings.sort();
    let steps = steps.into_iter().map(|step| step.report).collect();
    Ok(AuditReport { schema_version: SCHEMA_VERSION, steps, findings, dependencies })
}

fn write(session: &Session, settings: &AuditSettings, report: &AuditReport) -> Result<(), Error> {
    let printed = if settings.json { report.json() } else { text::render(report) };
    session.ui.print(&printed)?;
    let mut files = Vec::new();
    if let Some(file) = &settings.html {
        files.push((session.context.output_path(file), page::render(report)));
    }
    if let Some(file) = &settings.sarif {
        files.push((session.context.output_path(file), sarif::render(&[&report.as_tool_result()])));
    }
    if let Some(dir) = &settings.links {
        let dir = session.context.output_path(dir);
        let mut names = BTreeMap::new();
        for step in report.steps.iter().filter(|step| step.origin.is_some()) {
            let name = format!("{}-{}", step.goal, path_safe(&step.name));
            // Several processes of one linter have one name.
            let number = names.entry(name.clone()).and_modify(|number| *number += 1).or_insert(1);
            let name = if *number == 1 { name } else { format!("{name}-{number}") };
            files.push((dir.join(format!("{name}.link.json")), link::statement(step).to_string() + "\n"));
        }
    }
    for (path, text) in files {
        let written = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        let written = written.and_then(|()| replace_file(&path, text.as_bytes()));
        written.map_err(|source| Error::Output { path: path.clone(), source })?;
    }
    Ok(())
}
