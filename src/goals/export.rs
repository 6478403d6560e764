//! `export`: virtual environments for editors and for work outside sandboxes. They are planned and written in `prepare::export`.

use serde_json::{Value, json};

use crate::config::typed::{ExportSettings, PythonSettings, ToolSettings};
use crate::engine::executor::Results;
use crate::goals::Error;
use crate::plan::requirements;
use crate::prepare::export::directory::{Change, ExportDirectory, Placed};
use crate::prepare::export::ide::{self, Workspace};
use crate::prepare::export::subjects::{Subject, subjects};
use crate::prepare::export::{self, PlannedExport, PlannedExports, stable_path};
use crate::prepare::host_venv::PlannedVenv;
use crate::report;
use crate::session::failure::{self, Failure};
use crate::session::{Session, Verdict, execute};
use crate::tools::Tool;

/// An environment that was written.
struct Written<'e> {
    export: &'e PlannedExport,
    venv: &'e PlannedVenv,
    placed: Placed,
}

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    let settings = ExportSettings::parse(session.config());
    check(session, &settings)?;
    let subjects = subjects(session.config(), &settings, !session.context.specs.is_empty())?;
    let once = |session: &mut Session| {
        let PlannedExports { graph, exports } = export::plan(session, &subjects, &settings)?;
        let planned = PlannedExports { graph: graph.clone(), exports };
        let results = execute::execute(session, graph, &planned.steps(), false)?;
        Ok::<_, Error>((planned.exports, results))
    };
    let (exports, results) = execute::with_repair(session, once)?;
    if session.services.was_interrupted() {
        return Ok(Verdict::Interrupted);
    }
    let (written, failures) = write(session, &settings, &exports, &results);
    link_programs(session, &settings, &written)?;
    write_ide_settings(session, &settings, &written)?;
    print(session, &settings, &written)?;
    Ok(match (failures.is_empty(), failure::common_kind(&failures)) {
        (true, _) => Verdict::Good,
        (false, Some(kind)) => Verdict::Prevented(kind),
        (false, None) => Verdict::Bad(1),
    })
}

/// Refuses names that are unknown, before anything is downloaded.
fn check(session: &Session, settings: &ExportSettings) -> Result<(), Error> {
    let resolves = PythonSettings::parse(session.config()).resolves;
    if let Some(name) = settings.editable_in.iter().find(|name| !resolves.contains_key(*name)) {
        let (by, known) = ("`[export] py_editable_in_resolve`".to_owned(), resolves.into_keys().collect());
        let error = requirements::Error::UnknownResolve { by, resolve: name.clone(), known };
        return Err(crate::prepare::Error::from(error).into());
    }
    if let Some(name) = settings.ide.iter().find(|name| !ide::NAMES.contains(&name.as_str())) {
        return Err(crate::prepare::Error::UnknownIde(name.clone()).into());
    }
    if session.context.specs.iter().any(|spec| spec != "::") {
        session.ui.warn_with_hint(
            "`export` exports whole lockfiles, not the requirements of the given targets",
            "`export --resolve=NAME` exports one resolve or tool, `export` all of them",
        );
    }
    Ok(())
}

/// Writes every environment that could be planned and composed. The failures of the others are reported.
fn write<'e>(
    session: &mut Session,
    settings: &ExportSettings,
    exports: &'e [PlannedExport],
    results: &Results,
) -> (Vec<Written<'e>>, Vec<Failure>) {
    let (mut written, mut failures) = (Vec::new(), Vec::new());
    for export in exports {
        let placed = match &export.venv {
            Ok(venv) => export::write(session, export, results, settings)
                .map(|placed| (placed, venv))
                .map_err(|error| error.to_failure()),
            Err(failure) => Err(failure.clone()),
        };
        match placed {
            Ok((placed, venv)) => {
                report_losses(session, export, &placed);
                written.push(Written { export, venv, placed });
            }
            Err(failure) => {
                let message = format!("cannot export {}: {}", describe(&export.subject), failure.message);
                session.ui.error(&message, None);
                failures.push(failure);
            }
        }
    }
    (written, failures)
}

/// Says what the user had in the previous environment and does not find in the new one.
fn report_losses(session: &Session, export: &PlannedExport, placed: &Placed) {
    if !placed.dropped.is_empty() {
        let names: Vec<String> = placed.dropped.iter().map(|(name, version)| format!("`{name}=={version}`")).collect();
        let text = format!(
            "the new environment of {} does not contain {}, which had been installed into the previous one",
            describe(&export.subject),
            names.join(", ")
        );
        let hint = "install it again, or add it to `extra_requirements` in the section `[export]` to have it in every environment";
        session.ui.warn_with_hint(&text, hint);
    }
    if let Some(moved) = &placed.moved {
        let (from, to) = (session.context.display_path(&placed.location), session.context.display_path(moved));
        session.ui.note(&format!("moved `{from}`, which Waders did not create, to `{to}`"), None);
    }
}

/// Links the programs of the tools that `--export-bin` names.
fn link_programs(session: &Session, settings: &ExportSettings, written: &[Written<'_>]) -> Result<(), Error> {
    let directory = ExportDirectory::new(session);
    for written in written {
        if let Subject::Tool { tool, .. } = &written.export.subject
            && settings.bins.contains(&tool.scope)
        {
            directory.link_program(&tool.scope, &program(session, tool))?;
        }
    }
    Ok(())
}

/// The name of a tool's program.
fn program(session: &Session, tool: &Tool) -> String {
    let script = ToolSettings::parse(session.config(), &tool.scope).console_script;
    script.or_else(|| tool.calls.first()?.argv.first().cloned()).unwrap_or_else(|| tool.scope.clone())
}

/// Writes the settings of editors for the default resolve, or else for the first environment.
fn write_ide_settings(session: &mut Session, settings: &ExportSettings, written: &[Written<'_>]) -> Result<(), Error> {
    if settings.ide.is_empty() {
        return Ok(());
    }
    let default = PythonSettings::parse(session.config()).default_resolve;
    let is_default = |written: &&Written<'_>| match &written.export.subject {
        Subject::Repository => true,
        Subject::Resolve(name) => *name == default,
        Subject::Tool { .. } => false,
    };
    let mut of_sources = written.iter().filter(|written| !matches!(written.export.subject, Subject::Tool { .. }));
    let Some(chosen) = written.iter().find(is_default).or_else(|| of_sources.next()) else { return Ok(()) };
    let graph = session.load_graph()?;
    let source_roots = session.find_source_roots()?.roots(graph.files().iter());
    let environment = stable_path(&chosen.placed.location);
    let dist_dir = session.context.dist_dir();
    let workspace = Workspace {
        build_root: session.build_root(),
        directory: dist_dir.join("export/python/ide"),
        dist_dir: &dist_dir,
        environment: &environment,
        source_roots: &source_roots,
        python_version: chosen.venv.minor(),
    };
    for name in &settings.ide {
        for path in ide::write(name, &workspace)? {
            session.ui.summary(&format!("Wrote settings for {name} to {}", session.context.display_path(&path)));
        }
    }
    Ok(())
}

fn print(session: &Session, settings: &ExportSettings, written: &[Written<'_>]) -> Result<(), Error> {
    let mut text = String::new();
    if settings.json {
        let all: Vec<Value> = written.iter().map(|written| to_json(session, written)).collect();
        text = report::pretty(&all, 2) + "\n";
    }
    for Written { export, venv, placed } in written.iter().filter(|_| !settings.json) {
        let (what, path) = (describe(&export.subject), session.context.display_path(&placed.location));
        let version = venv.version();
        text += &match placed.change {
            Change::Created => format!("Wrote virtualenv for {what} (using Python {version}) to {path}\n"),
            Change::Switched => {
                format!("Switched {path} to the existing virtualenv for {what} (using Python {version})\n")
            }
            Change::Unchanged => format!("Unchanged: virtualenv for {what} (using Python {version}) in {path}\n"),
        };
    }
    Ok(session.ui.print(&text)?)
}

fn to_json(session: &Session, written: &Written<'_>) -> Value {
    json!({
        "name": written.export.subject.name(),
        "kind": match &written.export.subject {
            Subject::Tool { .. } => "tool",
            Subject::Resolve(_) => "resolve",
            Subject::Repository => "repository",
        },
        "path": session.context.display_path(&written.placed.location),
        "python_version": written.venv.version(),
        "change": match written.placed.change {
            Change::Created => "created",
            Change::Switched => "switched",
            Change::Unchanged => "unchanged",
        },
        "packages": written.venv.packages.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
    })
}

fn describe(subject: &Subject) -> String {
    match subject {
        Subject::Repository => "this repository".to_owned(),
        Subject::Resolve(name) => format!("the resolve `{name}`"),
        Subject::Tool { tool, .. } => format!("the tool `{}`", tool.scope),
    }
}
