//! Remote execution on the workers of a real server: the results of steps, and what becomes of them if the server, a worker or the
//! user does not let them end.

use std::collections::BTreeSet;
use std::fs;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use waders::action::{Action, Exit, Origin};
use waders::base::{Digest, RelPath};

use super::cluster::{Cluster, step_program};
use super::link::{Link, Shape};
use super::servers::Casd;
use crate::transcripts::workspace::Workspace;

/// Whether a process with this word in its arguments runs on this machine.
fn is_running(word: &str) -> bool {
    !processes(word).is_empty()
}

/// The numbers of the other processes with this word in their arguments.
fn processes(word: &str) -> BTreeSet<String> {
    let has_word = |entry: &fs::DirEntry| {
        let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&arguments).contains(word)
    };
    let found = fs::read_dir("/proc").unwrap().flatten().filter(has_word);
    let numbers = found.map(|entry| entry.file_name().to_string_lossy().into_owned());
    numbers.filter(|number| *number != std::process::id().to_string()).collect()
}

#[test]
fn a_worker_gives_a_step_the_sandbox_of_a_local_run() {
    let Some(cluster) = Cluster::start() else { return };
    let script = "
        read line < dir/file; echo \"$line in $PWD\"; echo /* ; id -u 2>/dev/null; echo problem >&2
        : > dir/new; : > /out/empty; echo text > /out/file; cd /out; umask 0; : > open
        (echo > /usr/x) 2>/dev/null || echo read-only
    ";
    let (origin, outcome) = cluster.run(script, true, |_| {}).unwrap();
    assert_eq!((origin, outcome.exit, outcome.attempts), (Origin::RanRemotely, Exit::Code(0), 1));
    let expected = "a source in /src\n/bin /dev /etc /home /lib /lib64 /out /proc /src /tmp /usr\nread-only\n";
    assert_eq!(cluster.text(outcome.stdout), expected);
    assert_eq!(cluster.text(outcome.stderr), "problem\n");
    let output = cluster.store.tree(outcome.output).unwrap();
    let files: Vec<_> = output.nodes.iter().map(|(path, node)| (path.as_str(), node.content().unwrap())).collect();
    assert_eq!(files, [("empty", Digest::of(b"")), ("file", Digest::of(b"text\n")), ("open", Digest::of(b""))]);
    let (origin, again) = cluster.run(script, true, |_| {}).unwrap();
    assert_eq!((origin, again), (Origin::Cached, outcome), "the local cache has the result");
    assert!(fs::read_dir(cluster.dir.path().join("cas")).unwrap().next().is_some());
}

#[test]
fn every_end_of_a_step_is_that_of_a_local_run() {
    let Some(cluster) = Cluster::start() else { return };
    let exit = |script: &str, change: &dyn Fn(&mut Action)| cluster.run(script, true, change).unwrap().1.exit;
    let as_planned = |_: &mut Action| {};
    assert_eq!(exit("exit 3", &as_planned), Exit::Code(3));
    assert_eq!(exit("kill -9 $$", &as_planned), Exit::Signal(9));
    let in_time = |action: &mut Action| action.policy.timeout = Some(Duration::from_millis(300));
    assert_eq!(exit("while :; do :; done", &in_time), Exit::TimedOut);
    let with_report = |action: &mut Action| action.policy.required_output = Some(RelPath::parse("report").unwrap());
    assert_eq!(exit(":", &with_report), Exit::MissingOutput);
    assert_eq!(exit(": > /out/report", &with_report), Exit::Code(0));
    let repeated = |action: &mut Action| action.policy.attempts = 3;
    let (_, outcome) = cluster.run("exit 4", true, repeated).unwrap();
    assert_eq!((outcome.exit, outcome.attempts), (Exit::Code(4), 3));
    assert_eq!(cluster.runner.take_notice(), None);
}

#[test]
fn a_result_is_that_of_an_earlier_execution_only_if_the_run_uses_caches() {
    let Some(cluster) = Cluster::start() else { return };
    let script = "echo text > /out/file";
    assert!(cluster.run(script, true, |_| {}).is_ok());
    let before = cluster.runner.summary();
    let (origin, _) = cluster.run(script, false, |_| {}).unwrap();
    assert_eq!(origin, Origin::RanRemotely);
    let after = cluster.runner.summary();
    assert_eq!(after.steps, before.steps + 1);
    assert!(after.sent_bytes - before.sent_bytes < 10_000, "the images are not uploaded again: {after:?}");
}

#[test]
fn inputs_that_the_server_lost_are_uploaded_again() {
    let Some(cluster) = Cluster::start() else { return };
    assert_eq!(cluster.output("echo first", true), "first\n");
    // The runner knows that the server had the images.
    cluster.lose_contents();
    assert_eq!(cluster.output("echo second", true), "second\n");
    assert_eq!(cluster.runner.take_notice(), None);
}

#[test]
fn outputs_that_the_server_lost_are_made_again() {
    let Some(cluster) = Cluster::start() else { return };
    let script = "echo text; echo more > /out/file";
    let (_, first) = cluster.run(script, true, |_| {}).unwrap();
    cluster.lose_contents();
    // Another key for the local cache, and the same action for the server.
    let (_, second) = cluster.run(script, true, |action| action.policy.cache.read = false).unwrap();
    assert_eq!((first.stdout, first.output), (second.stdout, second.output));
}

#[test]
fn an_interrupt_ends_the_step_on_its_worker() {
    let Some(cluster) = Cluster::start() else { return };
    let marker = format!("marker-{}", std::process::id());
    let script = format!("while :; do : {marker}; done");
    let cancellation = cluster.cancellation.clone();
    let started = Arc::new(OnceLock::new());
    let watcher = std::thread::spawn({
        let (marker, started) = (marker.clone(), started.clone());
        move || {
            while !is_running(&marker) {
                std::thread::sleep(Duration::from_millis(50));
            }
            started.set(Instant::now()).unwrap();
            cancellation.escalate();
        }
    });
    let error = cluster.run(&script, true, |_| {}).unwrap_err();
    watcher.join().unwrap();
    assert_eq!(error, "interrupted by user");
    for _ in 0..100 {
        if !is_running(&marker) {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("the step still runs on the worker");
}

#[test]
fn a_server_that_ends_in_the_middle_of_a_step_is_used_no_more() {
    let Some(mut cluster) = Cluster::start() else { return };
    let marker = format!("ended-{}", std::process::id());
    let server = cluster.server.take();
    let killer = std::thread::spawn({
        let marker = marker.clone();
        move || {
            while !is_running(&marker) {
                std::thread::sleep(Duration::from_millis(50));
            }
            drop(server);
        }
    });
    let script = format!("while :; do : {marker}; done");
    // These tests cannot run the step on this machine, which is tried.
    let error = cluster.run(&script, true, |_| {}).unwrap_err();
    killer.join().unwrap();
    assert!(error.contains("the sandbox could not run `a step`"), "{error}");
    let (notice, hint) = cluster.runner.take_notice().unwrap();
    assert!(
        notice.starts_with("steps run on this machine instead of remote workers: cannot reach `grpc://"),
        "{notice}"
    );
    assert!(hint.is_some());
    assert_eq!(cluster.runner.take_notice(), None, "one warning");
}

/// Behaviour 7.
#[test]
fn a_step_goes_on_while_its_connection_is_made_again() {
    let Some(mut cluster) = Cluster::start() else { return };
    let link = Link::to(&cluster.server.as_ref().unwrap().address(), Shape::default());
    cluster.through(&link);
    assert_eq!(cluster.output("echo ready", true), "ready\n");
    let marker = format!("cut-{}", std::process::id());
    let script = format!("i=0; while [ $i -lt 400000 ]; do : {marker}; i=$((i+1)); done; echo $i");
    let watcher = std::thread::spawn({
        let marker = marker.clone();
        move || {
            while !is_running(&marker) {
                std::thread::sleep(Duration::from_millis(20));
            }
            link.cut();
            let mut seen = BTreeSet::new();
            while is_running(&marker) {
                seen.extend(processes(&marker));
                std::thread::sleep(Duration::from_millis(20));
            }
            (link, seen)
        }
    });
    assert_eq!(cluster.output(&script, true), "400000\n");
    let (link, seen) = watcher.join().unwrap();
    assert!(link.connections() >= 2 && seen.len() == 1, "{} connections, {seen:?}", link.connections());
    assert_eq!(cluster.runner.take_notice(), None);
}

#[test]
fn a_step_on_a_worker_cannot_give_its_output_a_setuid_bit() {
    let Some(cluster) = Cluster::start() else { return };
    let (_, outcome) = cluster.run(": > /out/file; chmod 4755 /out/file", true, |_| {}).unwrap();
    assert_eq!(outcome.exit, Exit::Code(1));
    assert!(cluster.text(outcome.stderr).contains("not permitted"), "{}", cluster.text(outcome.stderr));
}

#[test]
fn a_worker_that_enforces_lower_limits_is_refused() {
    let Some(mut cluster) = Cluster::start() else { return };
    // No user may have this many open files.
    cluster.settings.platform.limits.open_files = u64::MAX - 1;
    cluster.runner = cluster.new_runner();
    assert!(cluster.run(":", true, |_| {}).is_err(), "these tests cannot run it on this machine");
    let (notice, _) = cluster.runner.take_notice().unwrap();
    assert!(notice.contains("a worker cannot isolate steps: a limit of"), "{notice}");
}

#[test]
fn workers_give_the_bytes_of_this_machine() {
    let (dir, Some(workspace)) = (tempfile::tempdir().unwrap(), Workspace::running()) else { return };
    let (Some(server), Some(program)) = (Casd::start_executing(dir.path()), step_program()) else { return };
    let namespace = format!("--process-execution-cache-namespace=workers-{}", std::process::id());
    let goals = ["lint", "check", "test", "package", "sound::"];
    let flags = [
        namespace.clone(),
        "--remote-execution".to_owned(),
        format!("--remote-execution-address={}", server.address()),
        "--remote-execution-extra-platform-properties=['unixUID=1000', 'unixGID=1000']".to_owned(),
        "--remote-local-execution=never".to_owned(),
        format!("--remote-step-program={}", program.display()),
        "--trace=timeline.json".to_owned(),
    ];
    // Each by itself, because a finding of one goal ends the run.
    for goal in &goals[..4] {
        let remotely: Vec<&str> = flags.iter().map(String::as_str).chain([*goal, "sound::"]).collect();
        let run = workspace.waders("verifying", &remotely).output().unwrap();
        let stderr = String::from_utf8_lossy(&run.stderr);
        assert!(stderr.contains("Remote execution: ") && !stderr.contains("instead of"), "{goal}: {stderr}");
    }
    let timeline = fs::read(workspace.repository("verifying").join("timeline.json")).unwrap();
    let timeline: serde_json::Value = serde_json::from_slice(&timeline).unwrap();
    let is_remote = |event: &serde_json::Value| event["args"]["remote"] == true;
    assert!(timeline["traceEvents"].as_array().unwrap().iter().any(is_remote), "{timeline:#}");
    let verify: Vec<&str> = [namespace.as_str(), "verify", "--json"].into_iter().chain(goals).collect();
    let verified = workspace.waders("verifying", &verify).output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!(json["counts"]["different"], 0, "{json:#}");
    assert!(json["counts"]["identical"].as_u64().unwrap() > 3, "{json:#}");
}
