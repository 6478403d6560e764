//! `shell`: opens a shell in the sandbox of the step that a goal would run, or runs a command there. Which step that is decides
//! `prepare::shell`. Pants does not have this goal.

use crate::config::typed::ShellSettings;
use crate::goals::Error;
use crate::goals::run::verdict;
use crate::plan::program_run;
use crate::prepare::shell::{self, PlannedStep};
use crate::session::{Session, Verdict, execute, selection};

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    let settings = ShellSettings::parse(session.config());
    if !selection::has_selection(session)? {
        return Err(Error::NoTarget("shell"));
    }
    let terminal = session.environment().var("TERM").map(str::to_owned);
    let once = |session: &mut Session| {
        let planned = shell::plan(session, settings.goal.as_deref())?;
        let note = describe(&planned);
        let (graph, step) = planned.with_shell(&settings.command, terminal.as_deref());
        let results = execute::execute_in_terminal(session, graph, step, |session, _| {
            session.ui.note(&note.0, Some(&note.1));
            Ok::<_, Error>(())
        })?;
        Ok::<_, Error>((step, results))
    };
    let (step, results) = execute::with_repair(session, once)?;
    verdict(step, &results)
}

/// What the sandbox is, and how to run the step in it.
fn describe(planned: &PlannedStep) -> (String, String) {
    let action = planned.action();
    let others = match planned.count {
        1 => String::new(),
        count => format!(", the first of {count}"),
    };
    let what = format!("this is the sandbox of `{}` (goal `{}`{others})", action.policy.label, planned.goal);
    (what, format!("the command of the step is `{}`", program_run::command_line(&action.command.argv)))
}
