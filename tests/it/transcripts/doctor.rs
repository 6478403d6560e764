//! `doctor` on this machine, with indexes that refuse, never answer or contain a password, and outside of a repository. Machines without
//! user namespaces, disk space or network are in the transcript `restricted_machines`.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::transcripts::workspace::Workspace;

/// The exit code and the checks, by name. `index` is the only package index.
fn checkup(mut command: Command, index: &str) -> (i32, Vec<Value>, String) {
    let output = command
        .env_remove("PIP_FIND_LINKS")
        .env_remove("PIP_EXTRA_INDEX_URL")
        .env("PIP_INDEX_URL", index)
        .env("UV_DEFAULT_INDEX", index)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
    let json: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    (output.status.code().unwrap(), json["checks"].as_array().unwrap().clone(), text)
}

fn named<'c>(checks: &'c [Value], name: &str) -> &'c Value {
    checks.iter().find(|check| check["name"].as_str().unwrap().starts_with(name)).unwrap()
}

/// A server that gives each request the same answer, and its address.
fn serve(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    format!("http://user:s3cret@{address}/simple")
}

const ABSENT: &str = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const DENIED: &str = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

#[test]
fn every_check_has_a_result_and_passwords_are_hidden() {
    let Some(workspace) = Workspace::running() else { return };
    let (_, checks, text) = checkup(workspace.waders("daily", &["doctor", "--json"]), &serve(ABSENT));
    for name in ["kernel", "namespaces", "Landlock", "open files", "store", "free disk", "git", "system packages"] {
        assert!(named(&checks, name)["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{name}");
    }
    assert_eq!(named(&checks, "waders.lock")["state"], "ok");
    // An index without the project that is asked for is reachable.
    assert_eq!(named(&checks, "index")["state"], "ok", "{text}");
    for check in &checks {
        assert_eq!(check["state"] == "ok", check["advice"].is_null(), "{check}");
    }
    assert!(!text.contains("s3cret"), "{text}");
}

#[test]
fn an_index_that_refuses_is_a_failure_with_advice_and_without_the_password() {
    let workspace = Workspace::new("running");
    let (code, checks, text) = checkup(workspace.waders("daily", &["doctor", "--json"]), &serve(DENIED));
    let index = named(&checks, "index");
    assert_eq!((index["state"].as_str(), index["detail"].as_str().unwrap().contains("401")), (Some("failed"), true));
    assert!(index["advice"].as_str().unwrap().contains("credentials"), "{index}");
    assert!(code != 0 && !text.contains("s3cret"), "{text}");
}

#[test]
fn a_server_that_never_answers_delays_the_checks_for_a_few_seconds_only() {
    let workspace = Workspace::new("running");
    // Connections are established by the kernel, and nobody reads them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/simple", silent.local_addr().unwrap());
    let started = Instant::now();
    let (code, checks, text) = checkup(workspace.waders("daily", &["doctor", "--json"]), &address);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert_eq!(named(&checks, "index")["state"], "failed", "{text}");
    assert_ne!(code, 0);
}

#[test]
fn the_checks_work_outside_of_a_repository() {
    let workspace = Workspace::new("running");
    let dir = tempfile::tempdir().unwrap();
    let mut command = workspace.waders("daily", &["doctor", "--json"]);
    command.current_dir(dir.path());
    let (_, checks, _) = checkup(command, &serve(ABSENT));
    assert!(!checks.iter().any(|check| check["name"] == "waders.lock"));
    // Nothing is written but an empty store.
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
