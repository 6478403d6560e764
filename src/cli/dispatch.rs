//! Runs the goals of a command line one after the other until one fails, or shows help, completions or manual pages.

use std::backtrace::Backtrace;
use std::io::{IsTerminal, Write};
use std::time::Instant;

use crate::base::Severity;
use crate::cli::args::Help;
use crate::cli::error::shows_colour;
use crate::cli::invocation::{self, Invocation};
use crate::cli::{complete, completions, help, man, topics, troubleshooting};
use crate::config::typed::GlobalSettings;
use crate::config::{Environment, Table};
use crate::goals;
use crate::report::{ExitCode, Message, hyperlink};
use crate::session::{Session, Terminal, Verdict, selection};
use crate::tracked;

/// Runs a command line and returns the exit code of the process. `argv` does not include the program's name. With `--loop`, the
/// command line runs again each time a file changes that it read.
pub fn run(argv: &[String], environment: Environment) -> u8 {
    if let [goal, rest @ ..] = argv
        && goal == COMPLETING_GOAL
        && let Some(words) = words_to_complete(rest)
    {
        return print(&complete::answer(words, environment)).number();
    }
    let mut runs = 0;
    loop {
        runs += 1;
        match run_once(argv, environment.clone(), runs) {
            Ended::Exit(code) => return code,
            Ended::FilesChanged => {}
        }
    }
}

/// The goal that completion scripts run. It works in any directory, whatever its settings are.
const COMPLETING_GOAL: &str = "complete";

/// The words to complete, after the `--` that scripts write before them. `None` if help was requested instead.
fn words_to_complete(rest: &[String]) -> Option<&[String]> {
    match rest {
        [first, words @ ..] if first == "--" => Some(words),
        [first, ..] if first.starts_with('-') => None,
        words => Some(words),
    }
}

/// How one run of a command line ended.
enum Ended {
    /// The process exits with this code.
    Exit(u8),
    /// A file changed after the run, which is repeated.
    FilesChanged,
}

/// Runs a command line for the `number`th time.
fn run_once(argv: &[String], environment: Environment, number: u64) -> Ended {
    let stderr_is_terminal = std::io::stderr().is_terminal();
    let colour = shows_colour(None, stderr_is_terminal, &environment);
    let invocation = match invocation::read(argv, environment) {
        Ok(invocation) => invocation,
        Err(error) => return Ended::Exit(failed(&error, error.hint().as_deref(), colour, ExitCode::Failure)),
    };
    let global = GlobalSettings::parse(&invocation.config);
    let colour = shows_colour(global.colors, stderr_is_terminal, &invocation.environment);
    if let Some(help) = &invocation.args.help {
        return Ended::Exit(show_help(help));
    }
    if global.print_stacktrace {
        print_stacktraces();
    }
    match invocation.args.goals.first().map(String::as_str) {
        Some("completions") => return Ended::Exit(show_completions(&invocation, colour)),
        Some("man-pages") => return Ended::Exit(write_man_pages(&invocation, colour)),
        _ => {}
    }
    let hyperlinks = colour && stderr_is_terminal && hyperlink::is_supported(|name| invocation.environment.var(name));
    run_goals(invocation, Terminal { stderr_is_terminal, colour, hyperlinks }, number)
}

/// Makes an internal error print the stack, whatever `RUST_BACKTRACE` says.
fn print_stacktraces() {
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        previous(panic);
        print_error(&format!("{}\n", Backtrace::force_capture()));
    }));
}

fn run_goals(invocation: Invocation, terminal: Terminal, number: u64) -> Ended {
    let Invocation { args, config, build_root, environment, warnings, settings_files } = invocation;
    let mut session = match Session::new(config, environment, build_root, args.specs, terminal) {
        Ok(session) => session,
        Err(error) => {
            return Ended::Exit(failed(&error, error.hint().as_deref(), terminal.colour, error.kind().into()));
        }
    };
    for warning in warnings {
        session.ui.report(Message::new(Severity::Warning, &warning.message, warning.hint.as_deref()));
    }
    // Without a goal, the overview is shown, and the exit code indicates that nothing was done.
    if args.goals.is_empty() {
        print(&help::overview(Table::get(), &goals::names()));
        return Ended::Exit(ExitCode::Failure.number());
    }
    tracing::info!(goals = ?args.goals, specs = ?session.context.specs, version = env!("CARGO_PKG_VERSION"), "run started");
    session.services.run_log.set_goals(&args.goals);
    let code = run_each(&args.goals, &mut session);
    session.report_leftovers();
    session.finish_remote_cache();
    tracing::info!(exit_code = code, "run ended");
    let code = match code == ExitCode::Success.number() && session.repository.has_errors {
        true => {
            session.ui.error("the repository has errors (see above)", None);
            ExitCode::Failure.number()
        }
        false => code,
    };
    session.close_run_log(code);
    session.tidy_store();
    let global = session.context.global();
    if global.is_loop && !session.services.was_interrupted() && global.loop_max.is_none_or(|most| number < most) {
        session.services.suspend_store();
        session.ui.summary("Waiting for changes of files (Ctrl-C ends).");
        tracked::wait_for_change(session.context.tracker.watch_list(), &settings_files);
        return Ended::FilesChanged;
    }
    session.repository.leak();
    Ended::Exit(code)
}

fn run_each(goals: &[String], session: &mut Session) -> u8 {
    for name in goals {
        let Some(goal) = goals::named(name) else {
            let hint = format!("implemented goals: {}", goals::names().join(", "));
            session.ui.error(&format!("goal `{name}` is not implemented yet"), Some(&hint));
            return ExitCode::Failure.number();
        };
        #[expect(clippy::disallowed_methods, reason = "the log contains the duration of each goal")]
        let started = Instant::now();
        let result = run_goal(name, goal, session);
        if !goals::has_steps(name) {
            session.services.run_log.discard_cached();
        }
        session.end_part(name);
        let seconds = started.elapsed().as_secs_f64();
        tracing::info!(goal = name, seconds, verdict = ?result.as_ref().ok(), "goal ended");
        match result {
            Ok(Verdict::Good) => {}
            Ok(Verdict::Interrupted) => return report_interrupt(session),
            Ok(verdict) => {
                if matches!(verdict, Verdict::Prevented(_) | Verdict::NotReproduced) {
                    name_help(session, verdict.exit_code());
                }
                return verdict.exit_code();
            }
            Err(error) if error.is_interrupt() => return report_interrupt(session),
            Err(error) => {
                session.ui.report(Message::from_error(&error, error.hint().as_deref()));
                let code = ExitCode::from(error.kind()).number();
                name_help(session, code);
                return code;
            }
        }
    }
    ExitCode::Success.number()
}

/// Runs a goal. Its result counts only if it read no option whose value has an undefined placeholder.
fn run_goal(name: &str, goal: goals::Goal, session: &mut Session) -> Result<Verdict, goals::Error> {
    session.context.refuse_undefined_options()?;
    if goals::needs_specs(name) {
        selection::warn_without_specs(session, name)?;
    }
    let result = goal(session);
    session.context.refuse_undefined_options()?;
    result
}

/// Names the help about an error that ended the run. Logs and scripts get no such line: their readers know the exit code.
fn name_help(session: &Session, code: u8) {
    let is_explained = code != ExitCode::Failure.number() && troubleshooting::is_explained(code);
    if session.ui.terminal.stderr_is_terminal && is_explained {
        session.ui.summary(&format!("For more about this error, run `waders help {code}`."));
    }
}

fn report_interrupt(session: &Session) -> u8 {
    session.ui.summary("Interrupted by user.");
    Verdict::Interrupted.exit_code()
}

/// Reports an error that ends the run before a session exists.
fn failed(error: &dyn std::error::Error, hint: Option<&str>, colour: bool, code: ExitCode) -> u8 {
    print_error(&Message::from_error(error, hint).render(colour));
    code.number()
}

fn show_help(request: &Help) -> u8 {
    let (table, names) = (Table::get(), goals::names());
    let text = match request {
        Help::Version => format!("{}\n", env!("CARGO_PKG_VERSION")),
        Help::All => topics::all(table, &names),
        Help::Topics { topics, .. } if topics.is_empty() => help::overview(table, &names),
        Help::Topics { topics, advanced } => {
            let mut pages = String::new();
            for topic in topics {
                let Some(page) = topics::page(table, &names, topic, *advanced) else {
                    print_error(&format!("error: unknown help topic: `{topic}`\n"));
                    if let Some(near) = topics::suggest(table, topic) {
                        print_error(&format!("hint: did you mean `{near}`?\n"));
                    }
                    return ExitCode::Failure.number();
                };
                pages += &page;
            }
            pages
        }
    };
    print(&text).number()
}

fn show_completions(invocation: &Invocation, colour: bool) -> u8 {
    let shell = invocation.args.specs.first().map_or("bash", String::as_str);
    match completions::script(shell) {
        Ok(script) => print(script).number(),
        Err(error) => failed(&error, error.hint().as_deref(), colour, ExitCode::Failure),
    }
}

fn write_man_pages(invocation: &Invocation, colour: bool) -> u8 {
    let written = match &invocation.args.specs[..] {
        [dir] => man::write(Table::get(), &goals::names(), &invocation.environment.cwd.join(dir)),
        _ => Err(man::Error::NoDirectory),
    };
    match written {
        Ok(()) => ExitCode::Success.number(),
        Err(error) => failed(&error, error.hint().as_deref(), colour, ExitCode::Failure),
    }
}

/// Writes to standard output. A reader that closed its end, such as `head`, is not a failure.
fn print(text: &str) -> ExitCode {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            print_error(&format!("error: cannot write to standard output\n  caused by: {error}\n"));
            ExitCode::Failure
        }
        _ => ExitCode::Success,
    }
}

/// Writes to standard error before a user interface exists. There is nowhere to report a failure.
fn print_error(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
