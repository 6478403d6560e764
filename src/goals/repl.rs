//! `repl`: starts Python or IPython on this machine, with the selected targets and their requirements importable.

use std::collections::BTreeSet;

use crate::config::typed::{ReplSettings, ToolSettings};
use crate::goals::Error;
use crate::plan::program_run;
use crate::prepare::host_venv::{self, HostVenv};
use crate::prepare::run::{self, HostSources, Needs};
use crate::session::foreground::{self, HostProgram};
use crate::session::{Session, Verdict, selection};
use crate::targets::Address;

/// The scope of the tool that `--shell=ipython` starts.
const IPYTHON: &str = "ipython";

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    let settings = ReplSettings::parse(session.config());
    let targets: BTreeSet<Address> = selection::with_generated(session)?.into_iter().collect();
    let needs = run::needs(session, &targets, true)?;
    let tool = settings.ipython.then_some(IPYTHON);
    let venv = host_venv::provide(session, |planner| needs.plan_host_venv(planner, tool, settings.in_place))?;
    let sources = match settings.in_place {
        true => HostSources::InPlace(session.build_root().to_owned()),
        false => HostSources::of(session, &needs, true)?,
    };
    let code = foreground::run(session, &interpreter(session, &settings, &needs, &venv, &sources))?;
    drop(sources);
    Ok(Verdict::from_exit_code(code))
}

fn interpreter(
    session: &Session,
    settings: &ReplSettings,
    needs: &Needs,
    venv: &HostVenv,
    sources: &HostSources,
) -> HostProgram {
    let mut argv = match settings.ipython {
        true => vec![venv.root.join("bin/ipython").to_string_lossy().into_owned()],
        false => vec![venv.python.to_string_lossy().into_owned()],
    };
    if settings.ipython {
        argv.extend(settings.ignores_cwd.then(|| "--ignore-cwd".to_owned()));
        argv.extend(ToolSettings::parse(session.config(), IPYTHON).args);
    } else {
        argv.extend(python_options(venv.minor(), settings.history).map(str::to_owned));
    }
    argv.extend(settings.args.iter().cloned());
    let env = run::host_env(sources.dir(), &needs.source_roots, &venv.root);
    HostProgram { argv, env, cwd: session.build_root().to_owned() }
}

/// The options of an interactive interpreter that imports nothing from the current directory, which is the build root: its
/// modules have other names there. Older versions than 3.11 have no option for this but `-I`, which also disables completion and
/// the history.
fn python_options(minor: &str, history: bool) -> impl Iterator<Item = &'static str> {
    let isolated = if program_run::has_safe_path(minor) && history { "-P" } else { "-I" };
    [isolated, "-i"].into_iter()
}
