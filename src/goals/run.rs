//! `run`: runs one target, on this machine as Pants does, or in a sandbox. Its exit code is that of the program. What a program
//! needs is planned in `prepare::run`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;

use crate::action::{Exit, Source, StepId};
use crate::base::{Digest, RelPath};
use crate::config::typed::{DockerSettings, RunSettings};
use crate::engine::executor::Results;
use crate::goals::{Error, package};
use crate::plan::program_run::{self, Places};
use crate::prepare::Planner;
use crate::prepare::host_venv::{self, HostVenv};
use crate::prepare::images::Importable;
use crate::prepare::run::{self, HostSources, Program, RUNNABLE, RUNNABLE_IN_PANTS};
use crate::session::foreground::{self, HostProgram, code_of_signal};
use crate::session::{Session, Verdict, execute, failure, image_builder, selection};
use crate::targets::{Address, Target, kind};

/// The target types of images, which a program of this machine runs.
pub(super) const IMAGES: [&str; 2] = [kind::DOCKER_IMAGE, kind::OCI_IMAGE];

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    let settings = RunSettings::parse(session.config());
    let address = selected_program(session)?;
    if settings.debug_adapter {
        return Err(Error::NoDebugAdapter("run"));
    }
    let graph = session.load_graph()?;
    let is_of = |kind: &str| graph.get(&address).is_some_and(|target| target.kind == kind);
    if IMAGES.into_iter().any(is_of) {
        return run_image(session, &address, &settings);
    }
    let is_pex = is_of(kind::PEX_BINARY);
    match settings.sandbox {
        true => run_in_sandbox(session, &address, &settings),
        false if is_pex && !settings.pex_from_sources => run_pex(session, &address, &settings),
        false => run_on_host(session, &address, &settings),
    }
}

/// The one selected target that can run. Targets that only Waders runs count if there is no other.
fn selected_program(session: &mut Session) -> Result<Address, Error> {
    let graph = session.load_graph()?;
    let selected = selection::with_generated(session)?;
    let of_kinds = |kinds: &[&str]| -> Vec<Address> {
        let targets = selected.iter().filter_map(|address| graph.get(address));
        targets.filter(|target| kinds.contains(&target.kind.as_str())).map(|target| target.address.clone()).collect()
    };
    let mut found = of_kinds(&[&RUNNABLE_IN_PANTS[..], &IMAGES].concat());
    if found.is_empty() {
        found = of_kinds(&RUNNABLE);
    }
    if found.len() > 1 {
        // As in Pants, a file stands for itself rather than for the binaries that start it.
        let sources: BTreeSet<&RelPath> =
            found.iter().filter_map(|address| graph.get(address)).flat_map(|target| &target.sources).collect();
        let starts_another = |address: &Address| {
            graph.get(address).and_then(Target::entry_file).is_some_and(|file| sources.contains(&file))
        };
        found.retain(|address| !starts_another(address));
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        0 if selected.is_empty() => Err(Error::NoTarget("run")),
        0 => {
            let kinds = selected.iter().filter_map(|address| graph.get(address)).map(|target| target.kind.clone());
            Err(Error::NotRunnable(kinds.collect::<BTreeSet<_>>().into_iter().collect()))
        }
        _ => {
            let names = found.iter().map(ToString::to_string).collect();
            Err(Error::SeveralPrograms { goal: "run", names })
        }
    }
}

fn run_in_sandbox(session: &mut Session, address: &Address, settings: &RunSettings) -> Result<Verdict, Error> {
    let once = |session: &mut Session| {
        let program = run::program(session, address)?;
        let planned = program.plan_in_sandbox(session, &settings.args)?;
        let results =
            execute::execute_in_terminal(session, planned.graph, planned.step, |session, results| {
                match tree(planned.venv, results) {
                    Some(venv) => Ok::<_, Error>(program.check_script(session, venv)?),
                    None => Ok(()),
                }
            })?;
        Ok::<_, Error>((planned.step, results))
    };
    let (step, results) = execute::with_repair(session, once)?;
    verdict(step, &results)
}

fn tree(source: Source, results: &Results) -> Option<Digest> {
    match source {
        Source::Tree(tree) => Some(tree),
        Source::Output(step) => results.get(&step)?.as_ref().ok().map(|done| done.tree),
    }
}

/// The verdict of a program with the terminal: its exit code, or 128 and the number of the signal that ended it.
pub(super) fn verdict(step: StepId, results: &Results) -> Result<Verdict, Error> {
    let (_, _, outcome) = failure::ran(&Ok(step), results).map_err(Error::NotStarted)?;
    Ok(match outcome.exit {
        Exit::Code(code) => Verdict::from_exit_code(code),
        Exit::Signal(signal) => Verdict::Bad(code_of_signal(signal)),
        Exit::Interrupted => Verdict::Bad(code_of_signal(SIGINT)),
        Exit::TimedOut | Exit::OutOfMemory | Exit::MissingOutput => Verdict::Bad(code_of_signal(SIGKILL)),
    })
}

/// The number of the signal that Ctrl-C sends: signal(7).
const SIGINT: i32 = 2;
/// The number of the signal that cannot be caught: signal(7).
const SIGKILL: i32 = 9;

/// Services exist only in sandboxes.
fn warn_of_services(session: &Session, program: &Program) {
    if !program.services.is_empty() {
        let names = program.services.join("`, `");
        let message = format!("{}: the services `{names}` are not started on this machine", program.target);
        session.ui.warn_with_hint(&message, "use `run --sandbox` to start them in the sandbox of the program");
    }
}

fn run_on_host(session: &mut Session, address: &Address, settings: &RunSettings) -> Result<Verdict, Error> {
    let program = run::program(session, address)?;
    warn_of_services(session, &program);
    let venv = host_venv::provide(session, |planner| program.needs.plan_host_venv(planner, None, program.in_place))?;
    program.check_script(session, venv.tree)?;
    let sources = match program.in_place {
        true => HostSources::InPlace(session.build_root().to_owned()),
        false => HostSources::of(session, &program.needs, settings.cleanup)?,
    };
    if let HostSources::Kept(dir) = &sources {
        session.ui.note(&format!("the copy of the sources is kept in `{}`", dir.display()), None);
    }
    let code = foreground::run(session, &host_program(session, &program, settings, &venv, &sources))?;
    drop(sources);
    Ok(Verdict::from_exit_code(code))
}

/// Builds a `pex_binary` and runs the file. It contains the arguments and variables of the target.
fn run_pex(session: &mut Session, address: &Address, settings: &RunSettings) -> Result<Verdict, Error> {
    let program = run::program(session, address)?;
    warn_of_services(session, &program);
    let constraints = program.needs.constraints;
    let built = package::build_one(session, address)?;
    let plan = |planner: &mut Planner<'_>| planner.host_venv(&constraints, &Importable::default(), &run::placement());
    let interpreter = host_venv::provide(session, plan)?;
    let files = session.services.open_store()?.tree(built.tree)?.nodes;
    let path = match built.directory {
        Some(directory) => directory.push("__main__.py")?,
        None => files.into_keys().next().unwrap_or_default(),
    };
    let sources = HostSources::copy(session, built.tree, settings.cleanup)?;
    let words = [interpreter.python, path.to_path(sources.dir())];
    let words = words.iter().map(|path| path.to_string_lossy().into_owned());
    let program = HostProgram {
        argv: words.chain(settings.args.iter().cloned()).collect(),
        env: BTreeMap::new(),
        cwd: session.build_root().to_owned(),
    };
    let code = foreground::run(session, &program)?;
    drop(sources);
    Ok(Verdict::from_exit_code(code))
}

/// Builds an image and runs it with a program of this machine.
fn run_image(session: &mut Session, address: &Address, settings: &RunSettings) -> Result<Verdict, Error> {
    let mut done = package::build_all(session, std::slice::from_ref(address))?;
    package::docker::build_images(session, &mut done)?;
    if let Some((_, failure)) = done.failed.pop() {
        return Err(Error::NotStarted(failure));
    }
    let Some(built) = done.built.first() else { return Ok(Verdict::Interrupted) };
    let options = DockerSettings::parse(session.config()).run_args.unwrap_or_else(|| {
        // As in Pants, a container has the terminal if there is one.
        let words = if std::io::stdout().is_terminal() { &["--interactive", "--tty"][..] } else { &[] };
        words.iter().map(|word| (*word).to_owned()).collect()
    });
    let code = match built.image_builds.last() {
        Some((_, build)) => {
            let name = build.names.first().cloned().unwrap_or_default();
            image_builder::run(session, &name, &options, &settings.args)?
        }
        None => {
            let layout = built.content(session)?;
            image_builder::run_layout(session, layout, &options, &settings.args)?
        }
    };
    Ok(Verdict::from_exit_code(code))
}

fn host_program(
    session: &Session,
    program: &Program,
    settings: &RunSettings,
    venv: &HostVenv,
    sources: &HostSources,
) -> HostProgram {
    let bin = venv.root.join("bin");
    let places = Places {
        python: &venv.python.to_string_lossy(),
        options: program_run::python_options(venv.minor(), true),
        bin: &bin.to_string_lossy(),
        sources: &sources.dir().to_string_lossy(),
        build_root: &session.build_root().to_string_lossy(),
    };
    let mut argv = program.entry.argv(&places, &program.name);
    argv.extend(program.args.iter().chain(&settings.args).cloned());
    let mut env = run::host_env(sources.dir(), &program.needs.source_roots, &venv.root);
    // As in Pants, a `run_shell_command` finds its dependencies there.
    env.insert("CHROOT".to_owned(), sources.dir().to_string_lossy().into_owned());
    env.extend(program.env.clone());
    HostProgram { argv, env, cwd: session.build_root().to_owned() }
}
