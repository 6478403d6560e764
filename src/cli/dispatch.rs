//! Goals, one after the other; the first that ends badly stops the rest.

use std::io::IsTerminal;

use crate::cli::args::Help;
use crate::cli::error::{render, render_warning, shows_colour};
use crate::cli::invocation::{self, Invocation};
use crate::cli::{completions, help, topics};
use crate::config::{Environment, Table};
use crate::goals::{self, Session, Terminal, Verdict};
use crate::report::ExitCode;

/// From the words of the command line, without the program's name, to the process's exit code.
pub fn run(argv: &[String], environment: Environment) -> u8 {
    let stderr_is_terminal = std::io::stderr().is_terminal();
    let colour = shows_colour(None, stderr_is_terminal, &environment);
    let invocation = match invocation::read(argv, environment) {
        Ok(invocation) => invocation,
        Err(error) => return told(&error, error.hint().as_deref(), colour, ExitCode::Failure),
    };
    let setting = invocation.config.value("GLOBAL", "colors").as_bool();
    let colour = shows_colour(setting, stderr_is_terminal, &invocation.environment);
    if let Some(wanted) = &invocation.args.help {
        return show_help(wanted);
    }
    for warning in &invocation.warnings {
        eprint!("{}", render_warning(warning, colour));
    }
    if let [goal, ..] = &invocation.args.goals[..]
        && goal == "completions"
    {
        return show_completions(&invocation, colour);
    }
    run_goals(invocation, Terminal { stderr_is_terminal, colour })
}

fn run_goals(invocation: Invocation, terminal: Terminal) -> u8 {
    let Invocation { args, config, build_root, environment, .. } = invocation;
    // No word at all: what there is, but nothing was done.
    if args.goals.is_empty() {
        print!("{}", help::overview(Table::get(), &goals::names()));
        return ExitCode::Failure.number();
    }
    let mut session = Session::new(config, environment, build_root, args.specs, terminal);
    let code = run_each(&args.goals, &mut session, terminal);
    session.tell_rest();
    session.leave_memory();
    if code == ExitCode::Success.number() && session.has_mistakes {
        eprintln!("error: this repository has mistakes, which are told above");
        return ExitCode::Failure.number();
    }
    code
}

fn run_each(goals: &[String], session: &mut Session, terminal: Terminal) -> u8 {
    for name in goals {
        let Some(goal) = goals::named(name) else {
            let hint = format!("goals that are there: {}", goals::names().join(", "));
            eprint!("error: the goal `{name}` is not there yet\nhint: {hint}\n");
            return ExitCode::Failure.number();
        };
        match goal(session) {
            Ok(Verdict::Good) => {}
            Ok(Verdict::Interrupted) | Err(goals::Error::Interrupted) => {
                eprintln!("Interrupted by user.");
                return Verdict::Interrupted.exit_code();
            }
            Ok(verdict) => return verdict.exit_code(),
            Err(error) => return told(&error, error.hint().as_deref(), terminal.colour, error.kind().exit_code()),
        }
    }
    ExitCode::Success.number()
}

fn told(error: &dyn std::error::Error, hint: Option<&str>, colour: bool, code: ExitCode) -> u8 {
    eprint!("{}", render(error, hint, colour));
    code.number()
}

fn show_help(wanted: &Help) -> u8 {
    let (table, names) = (Table::get(), goals::names());
    match wanted {
        Help::Version => println!("{}", env!("CARGO_PKG_VERSION")),
        Help::All => print!("{}", topics::all(table, &names)),
        Help::Topics { topics, .. } if topics.is_empty() => print!("{}", help::overview(table, &names)),
        Help::Topics { topics, advanced } => {
            for topic in topics {
                let Some(page) = topics::page(table, &names, topic, *advanced) else {
                    eprintln!("error: there is no help for `{topic}`");
                    if let Some(near) = topics::suggest(table, topic) {
                        eprintln!("hint: did you mean `{near}`?");
                    }
                    return ExitCode::Failure.number();
                };
                print!("{page}");
            }
        }
    }
    ExitCode::Success.number()
}

fn show_completions(invocation: &Invocation, colour: bool) -> u8 {
    let shell = invocation.args.specs.first().map_or("bash", String::as_str);
    match completions::script(Table::get(), &goals::names(), shell) {
        Ok(script) => {
            print!("{script}");
            ExitCode::Success.number()
        }
        Err(error) => told(&error, error.hint().as_deref(), colour, ExitCode::Failure),
    }
}
