//! `generate-lockfiles`: resolves requirements and writes lockfiles. What moved is shown on standard error.

use crate::config::typed::GenerateLockfilesSettings;
use crate::goals::Error;
use crate::packaging::lockfile::diff;
use crate::prepare::locks::generate::{self, Written};
use crate::report::Message;
use crate::session::{self, Session, Verdict};

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    let settings = GenerateLockfilesSettings::parse(session.config());
    session.context.refuse_undefined_options()?;
    session.repository.creates_lockfiles = true;
    let results = session.ignoring_missing_sources(|session| {
        // A lockfile without the requirements of a BUILD file with errors would lack packages.
        match session.report_load_errors(|_| true) {
            0 => Ok(generate::generate(session, &settings)),
            errors => Err(session::Error::Broken(errors)),
        }
    })??;
    session.repository.creates_lockfiles = false;
    if results.is_empty() {
        session.ui.warn_with_hint("this repository has no lockfiles", "name some in `[python.resolves]`");
    }
    let mut first_error = None;
    let mut is_changed = false;
    for result in results {
        match result {
            Ok(written) => {
                is_changed |= written.is_changed;
                report(session, &settings, &written);
            }
            Err(error) if first_error.is_none() => first_error = Some(error),
            Err(error) => session.ui.report(Message::from_error(&error, error.hint().as_deref())),
        }
    }
    if is_changed {
        session.forget_repository();
    }
    first_error.map_or(Ok(Verdict::Good), |error| Err(error.into()))
}

fn report(session: &Session, settings: &GenerateLockfilesSettings, written: &Written) {
    let Written { name, path, .. } = written;
    let differences = diff::describe(&written.old, &written.new, settings.diff_include_unchanged);
    if settings.diff && !differences.is_empty() {
        session.ui.text(&format!("Lockfile diff: {path} [{name}]\n{differences}\n"));
    }
    session.ui.summary(&match written.is_changed {
        true => format!("wrote the lockfile of `{name}` to `{path}`"),
        false => format!("the lockfile of `{name}`, `{path}`, is up to date"),
    });
}
