//! Runs one program in a sandbox from the command line, to look around in it.
//!
//! `run [ro:<host>:<inside> | rw:… | tmp:<inside> | env:<NAME=value>]… -- <program> [argument]…`
//! Without mounts there is the host's `/usr`, `/tmp` and an empty HOME.

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
    let words: Vec<String> = std::env::args().skip(1).collect();
    let split = words.iter().position(|word| word == "--").ok_or("no `--` before the program")?;
    let mut mounts = vec![mount("ro:/usr:/usr")?, mount("tmp:/tmp")?, mount("tmp:/home/waders")?];
    let usual =
        [("HOME", "/home/waders"), ("LANG", "C.UTF-8"), ("PATH", "/usr/bin"), ("TMPDIR", "/tmp"), ("TZ", "UTC")];
    let mut env = BTreeMap::from(usual.map(|(name, value)| (name.to_owned(), value.to_owned())));
    for word in &words[..split] {
        match word.strip_prefix("env:").and_then(|pair| pair.split_once('=')) {
            Some((name, value)) => drop(env.insert(name.to_owned(), value.to_owned())),
            None => mounts.push(mount(word)?),
        }
    }
    let request = Request {
        argv: words[split + 1..].to_vec(),
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
        },
        isolation: Isolation::Full,
        stdio: Stdio::Inherited,
    };
    let (stdout, stderr) = (std::io::stdout(), std::io::stderr());
    let (stdout, stderr) = (stdout.as_fd().try_clone_to_owned()?, stderr.as_fd().try_clone_to_owned()?);
    let outcome = Spawner::start()?.run(&request, stdout, stderr)?.wait()?;
    eprintln!("{outcome:?}");
    Ok(match outcome.exit {
        Exit::Code(code) => ExitCode::from(code as u8),
        _ => ExitCode::FAILURE,
    })
}

fn mount(word: &str) -> Result<Mount, String> {
    let parts: Vec<&str> = word.split(':').collect();
    let (at, kind) = match parts[..] {
        ["ro", source, at] => (at, MountKind::ReadOnly { source: source.into() }),
        ["rw", source, at] => (at, MountKind::Writable { source: source.into() }),
        ["tmp", at] => (at, MountKind::Scratch { bytes: BYTES, inodes: INODES }),
        _ => return Err(format!("`{word}` is no mount")),
    };
    Ok(Mount { at: at.into(), kind })
}
