//! Measures the cost of a sandbox: runs a trivial program several times in sequence through one spawner, and prints
//! microseconds as JSON, for comparison with other sandboxes on the same machine at the same time.
//!
//! `bench <static program on the host> [runs] [pause in µs]`: during a pause the spawner can prepare the next sandbox.

#![allow(clippy::print_stdout, clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use waders_sandbox::{
    Exit, Isolation, Limits, Mount, MountKind, Network, Request, Spawner, Stdio, spawner_main_if_asked,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    spawner_main_if_asked();
    let mut args = std::env::args().skip(1);
    let program = PathBuf::from(args.next().ok_or("usage: bench <program> [runs] [pause in µs]")?).canonicalize()?;
    let runs: usize = args.next().map_or(Ok(200), |text| text.parse())?;
    let pause = Duration::from_micros(args.next().map_or(Ok(0), |text| text.parse())?);
    let request = request(&program)?;
    let spawner = Spawner::start()?;
    let mut durations_us = Vec::new();
    for _ in 0..runs {
        std::thread::sleep(pause);
        let null = || File::options().write(true).open("/dev/null").map(OwnedFd::from);
        let (stdout, stderr) = (null()?, null()?);
        let start = Instant::now();
        let outcome = spawner.run(&request, stdout, stderr)?.wait()?;
        durations_us.push(start.elapsed().as_micros());
        if outcome.exit != Exit::Code(0) {
            return Err(format!("unexpected exit of the program: {:?}", outcome.exit).into());
        }
    }
    durations_us.sort_unstable();
    let (min, p50, p90) = (durations_us[0], durations_us[runs / 2], durations_us[runs * 9 / 10]);
    println!("{}", serde_json::json!({ "runs": runs, "min_us": min, "p50_us": p50, "p90_us": p90 }));
    Ok(())
}

fn request(program: &std::path::Path) -> Result<Request, &'static str> {
    let dir = program.parent().ok_or("the program has no parent directory")?;
    let name = program.file_name().ok_or("the program has no file name")?.to_string_lossy();
    let scratch = MountKind::Scratch { bytes: 64 << 20, inodes: 10_000 };
    Ok(Request {
        argv: vec![format!("/program/{name}")],
        env: BTreeMap::new(),
        cwd: PathBuf::from("/"),
        mounts: vec![
            Mount { at: "/program".into(), kind: MountKind::ReadOnly { source: dir.to_owned() } },
            Mount { at: "/tmp".into(), kind: scratch },
        ],
        network: Network::Loopback,
        limits: Limits {
            timeout: Some(Duration::from_secs(10)),
            grace: Duration::from_secs(1),
            processes: 16,
            open_files: 256,
            file_bytes: 1 << 20,
            memory_bytes: None,
            process_memory_bytes: None,
        },
        isolation: Isolation::Full,
        stdio: Stdio::Captured,
        audit: false,
    })
}
