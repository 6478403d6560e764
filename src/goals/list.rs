//! `list`: prints the addresses of the selected targets, one on each line. `filter` is an older name of it.

use crate::config::typed::ListSettings;
use crate::goals::Error;
use crate::goals::output;
use crate::session::{Session, Verdict, selection};
use crate::targets::Target;

/// Runs `list`.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    let selected = session.ignoring_missing_sources(Session::select)?;
    if selected.is_empty() {
        session.ui.warn("no targets were matched by the command line");
        selection::warn_without_specs(session, "list")?;
        selection::warn_if_nothing_exists(session, "list")?;
        return Ok(Verdict::Good);
    }
    if ListSettings::parse(session.config()).documented {
        let graph = session.load_graph()?;
        let documented: Vec<String> =
            selected.iter().filter_map(|address| graph.get(address)).filter_map(documented).collect();
        output::lines(session, "list", &documented)?;
        return Ok(Verdict::Good);
    }
    output::addresses(session, "list", &selected)?;
    Ok(Verdict::Good)
}

/// Runs `filter`.
pub(super) fn filter(session: &mut Session) -> Result<Verdict, Error> {
    let selected = session.ignoring_missing_sources(Session::select)?;
    output::addresses(session, "filter", &selected)?;
    Ok(Verdict::Good)
}

/// The address with the description below it; `None` for a target without one.
fn documented(target: &Target) -> Option<String> {
    let description = target.text("description")?;
    let lines = description.trim().split('\n').map(|line| format!("\n  {line}"));
    Some(format!("{}{}", target.address, lines.collect::<String>()))
}
