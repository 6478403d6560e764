//! The sandbox's tests: what a step must not be able to do, and what it must. Most are Python programs (probes) in
//! `../escape` and `../allowed`, which run in real sandboxes. Tests that observe a sandbox from outside are in Rust
//! here.
//!
//! All tests run as the current user and, if that is root, once more as an ordinary user.

// Clippy recognises tests by `#[test]`, which a test binary with its own `main` does not use.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods)]

mod audit;
mod fixtures;
mod harness;
mod lifetime;
mod probes;
mod refusals;
mod request;
mod step;
mod trees;

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use nix::unistd::geteuid;

use crate::harness::Suite;

/// The user id of the second run: an ordinary user, and not the id that steps see (1000).
const ORDINARY_UID: u32 = 1001;

fn main() -> ExitCode {
    waders_sandbox::spawner_main_if_asked();
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Some(code) = lifetime::run_role(&args).or_else(|| refusals::run_role(&args)) {
        return code;
    }
    if let Some(reason) = fixtures::unsupported() {
        return harness::Summary::skipped("all tests", &reason).print_result();
    }
    let temp = fixtures::SharedTempDir::new();
    let is_child = args.first().is_some_and(|arg| arg == "--ordinary-user");
    let user = if geteuid().is_root() { "root" } else { "user" };
    let (probe_dir, rest) =
        if is_child { (args[1].clone().into(), &args[2..]) } else { (temp.copy_probes(), &args[..]) };
    let mut suite = Suite::new(user, rest);
    probes::add(&mut suite, &probe_dir);
    trees::add(&mut suite);
    request::add(&mut suite);
    step::add(&mut suite);
    lifetime::add(&mut suite);
    refusals::add(&mut suite);
    audit::add(&mut suite);
    let mut summary = suite.run();
    if geteuid().is_root() {
        summary = summary.merge(run_as_ordinary_user(&probe_dir, rest));
    }
    if is_child { summary.print_for_parent() } else { summary.print_result() }
}

/// Runs the whole suite again, without privileges.
fn run_as_ordinary_user(probe_dir: &std::path::Path, args: &[String]) -> harness::Summary {
    let output = Command::new("/proc/self/exe")
        .arg("--ordinary-user")
        .arg(probe_dir)
        .args(args)
        .current_dir("/")
        .env("TMPDIR", "/tmp")
        .uid(ORDINARY_UID)
        .gid(ORDINARY_UID)
        .output();
    match output {
        Ok(output) => harness::Summary::from_child(&output),
        Err(error) => {
            harness::Summary::skipped("user: all tests", &format!("cannot change to user {ORDINARY_UID}: {error}"))
        }
    }
}
