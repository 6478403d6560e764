//! Runs one program in a sandbox from the command line, for exploring the sandbox interactively.
//!
//! `run [ro:<host>:<inside> | rw:<host>:<inside> | tmp:<inside> | env:<NAME=value> | audit]… -- <program> [argument]…`
//! `audit` prints what the program named. The sandbox always contains the host's `/usr`, an empty `/tmp` and an empty HOME.

#![allow(clippy::print_stderr)]

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::Duration;

use waders_sandbox::{
    Exit, Isolation, Limits, Mount, MountKind, Network, Request, Spawner, Stdio, spawner_main_if_asked,
};

const BYTES: u64 = 1 << 30;
const INODES: u64 = 100_000;

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    spawner_main_if_asked();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let split = args.iter().position(|arg| arg == "--").ok_or("missing `--` before the program")?;
    let mut mounts = vec![parse_mount("ro:/usr:/usr")?, parse_mount("tmp:/tmp")?, parse_mount("tmp:/home/waders")?];
    let audit = args[..split].iter().any(|arg| arg == "audit");
    let variables =
        [("HOME", "/home/waders"), ("LANG", "C.UTF-8"), ("PATH", "/usr/bin"), ("TMPDIR", "/tmp"), ("TZ", "UTC")];
    let mut env = BTreeMap::from(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
    for arg in args[..split].iter().filter(|arg| *arg != "audit") {
        match arg.strip_prefix("env:").and_then(|pair| pair.split_once('=')) {
            Some((name, value)) => drop(env.insert(name.to_owned(), value.to_owned())),
            None => mounts.push(parse_mount(arg)?),
        }
    }
    let request = Request {
        argv: args[split + 1..].to_vec(),
        env,
        cwd: "/tmp".into(),
        mounts,
        network: Network::Loopback,
        limits: Limits {
            timeout: None,
            grace: Duration::from_secs(5),
            processes: 1024,
            open_files: 1024,
            file_bytes: 1 << 33,
            memory_bytes: None,
            process_memory_bytes: None,
        },
        isolation: Isolation::Full,
        stdio: Stdio::Inherited,
        audit,
    };
    let (stdout, stderr) = (std::io::stdout(), std::io::stderr());
    let (stdout, stderr) = (stdout.as_fd().try_clone_to_owned()?, stderr.as_fd().try_clone_to_owned()?);
    let mut outcome = Spawner::start()?.run(&request, stdout, stderr)?.wait()?;
    if let Some(trace) = outcome.trace.take() {
        trace.files.iter().for_each(|(path, access)| eprintln!("{path}: {access:?}"));
        trace.sockets.iter().for_each(|socket| eprintln!("{socket:?}"));
        let (calls, interrupted) = (trace.calls, trace.interrupted);
        eprintln!("{calls} calls, {interrupted} interrupted, {} paths, {} lost", trace.files.len(), trace.lost);
    }
    eprintln!("{outcome:?}");
    Ok(match outcome.exit {
        Exit::Code(code) => ExitCode::from(code as u8),
        _ => ExitCode::FAILURE,
    })
}

fn parse_mount(arg: &str) -> Result<Mount, String> {
    let parts: Vec<&str> = arg.split(':').collect();
    let (at, kind) = match parts[..] {
        ["ro", source, at] => (at, MountKind::ReadOnly { source: source.into() }),
        ["rw", source, at] => (at, MountKind::Writable { source: source.into() }),
        ["tmp", at] => (at, MountKind::Scratch { bytes: BYTES, inodes: INODES }),
        _ => return Err(format!("invalid mount `{arg}`: expected `ro:`, `rw:` or `tmp:`")),
    };
    Ok(Mount { at: at.into(), kind })
}
