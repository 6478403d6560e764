//! The attack suite: what a step must not be able to do, and what it must be. Probes are Python programs in
//! `../escape` and `../allowed`, run in real sandboxes; what needs a look from outside is in Rust here.
//!
//! Everything runs as whoever starts it and, when that is root, once more as an ordinary user.

// Clippy knows tests by `#[test]`, which a test binary with its own `main` has not.
#![allow(clippy::unwrap_used)]

mod harness;
mod kit;
mod lifetime;
mod probes;
mod refusals;
mod request;
mod trees;

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use nix::unistd::geteuid;

use crate::harness::Suite;

const ORDINARY: u32 = 1001;

fn main() -> ExitCode {
    waders_sandbox::spawner_main_if_asked();
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Some(code) = lifetime::play_role(&args).or_else(|| refusals::play_role(&args)) {
        return code;
    }
    if let Some(why) = kit::missing() {
        return harness::Total::skipped("all of it", &why).conclude();
    }
    let place = kit::Place::for_everyone();
    let as_child = args.first().filter(|word| *word == "--ordinary-user").is_some();
    let who = if geteuid().is_root() { "root" } else { "user" };
    let (probe_dir, words) = if as_child { (args[1].clone().into(), &args[2..]) } else { (place.probes(), &args[..]) };
    let mut suite = Suite::new(who, words);
    probes::add(&mut suite, &probe_dir);
    trees::add(&mut suite);
    request::add(&mut suite);
    lifetime::add(&mut suite);
    refusals::add(&mut suite);
    let mut total = suite.run();
    if geteuid().is_root() {
        total = total.and(as_ordinary_user(&probe_dir, words));
    }
    if as_child { total.pass_on() } else { total.conclude() }
}

/// The whole suite again, without any privilege.
fn as_ordinary_user(probe_dir: &std::path::Path, words: &[String]) -> harness::Total {
    let output = Command::new("/proc/self/exe")
        .arg("--ordinary-user")
        .arg(probe_dir)
        .args(words)
        .current_dir("/")
        .env("TMPDIR", "/tmp")
        .uid(ORDINARY)
        .gid(ORDINARY)
        .output();
    match output {
        Ok(output) => harness::Total::of_child(&output),
        Err(error) => harness::Total::skipped("user: all of it", &format!("cannot become user {ORDINARY}: {error}")),
    }
}
