//! Goals, one after the other; the first that ends badly stops the rest.

use std::io::IsTerminal;

use waders_sandbox::Spawner;

use crate::cli::error::{render, render_warning, shows_colour};
use crate::cli::invocation::{self, Invocation};
use crate::cli::{exit_code, help};
use crate::config::Environment;
use crate::goals::{self, Session, Terminal, Verdict};

/// From the words of the command line, without the program's name, to the process's exit code.
pub fn run(argv: &[String], environment: Environment) -> i32 {
    let stderr_is_terminal = std::io::stderr().is_terminal();
    let colour = shows_colour(None, stderr_is_terminal, &environment);
    let invocation = match invocation::read(argv, environment) {
        Ok(invocation) => invocation,
        Err(error) => {
            eprint!("{}", render(&error, error.hint().as_deref(), colour));
            return exit_code::USAGE;
        }
    };
    if let Some(wanted) = &invocation.args.help {
        print!("{}", help::text(wanted));
        return exit_code::OK;
    }
    let setting = invocation.config.value("GLOBAL", "colors").as_bool();
    let colour = shows_colour(setting, stderr_is_terminal, &invocation.environment);
    for warning in &invocation.warnings {
        eprint!("{}", render_warning(warning, colour));
    }
    run_goals(invocation, Terminal { stderr_is_terminal, colour })
}

fn run_goals(invocation: Invocation, terminal: Terminal) -> i32 {
    let Invocation { args, config, build_root, environment, .. } = invocation;
    let mut session = Session::new(config, environment, build_root, args.specs, terminal);
    for name in &args.goals {
        let Some(goal) = goals::named(name) else {
            eprintln!("error: the goal `{name}` is known but not there yet");
            return exit_code::FAILED;
        };
        match goal(&mut session) {
            Ok(Verdict::Good) => {}
            Ok(Verdict::Bad(code)) => return code,
            Ok(Verdict::Interrupted) | Err(goals::Error::Interrupted) => {
                eprintln!("Interrupted by user.");
                return exit_code::FAILED;
            }
            Err(error) => {
                eprint!("{}", render(&error, error.hint().as_deref(), terminal.colour));
                return exit_code::of(&error);
            }
        }
    }
    exit_code::OK
}
