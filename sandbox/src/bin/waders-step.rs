//! `waders-step`: runs one step in a sandbox on a worker of a remote execution server. It is started in a directory with the
//! file `request` and the inputs that this names, and writes the directory `out`. Exit codes: 0 the step succeeded, 1 it failed,
//! 2 it did not run, 3 this machine cannot isolate it. It is linked statically, because a worker's system is not known.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use waders_sandbox::{spawner_main_if_asked, step};

fn main() -> ExitCode {
    spawner_main_if_asked();
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args == ["--version"] {
        println!("waders-step {}", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    if args != [step::REQUEST] {
        eprintln!("usage: waders-step {}: runs the step of that file in the current directory", step::REQUEST);
        return ExitCode::from(step::NOT_RUN);
    }
    match std::env::current_dir() {
        Ok(dir) => ExitCode::from(step::run(&dir)),
        Err(error) => {
            eprintln!("waders-step: cannot read the path of the current directory: {error}");
            ExitCode::from(step::NOT_RUN)
        }
    }
}
