//! Connections that are slow, break in the middle, or are closed while they are idle.

use std::time::{Duration, Instant};

use waders::engine::action_cache::Needs;
use waders::engine::remote::RemoteSettings;

use super::fake::{Behaviour, Fake};
use super::link::{Link, Shape};
use super::machines::{Machine, READS, WRITES, action, noise};
use super::servers::Casd;

/// 200 ms there and back, 1 MB/s.
const SLOW: Shape =
    Shape { latency: Duration::from_millis(100), bytes_per_second: 1_000_000, idle_limit: None, cut_after_bytes: None };

/// Both a batch and a stream need longer than the time limit for an answer, which counts only the time without progress.
#[test]
fn a_slow_connection_is_used_as_long_as_it_makes_progress() {
    let server = Fake::start(Behaviour::default());
    let link = Link::to(&server.address(), SLOW);
    let limited = || RemoteSettings {
        timeout: Duration::from_millis(600),
        retries: 0,
        batch_bytes: 500_000,
        ..RemoteSettings::new(&link.address())
    };
    let files = [("batch/a", noise(1, 400_000)), ("batch/b", noise(2, 400_000)), ("stream", noise(3, 700_000))];
    let one = Machine::with(limited(), WRITES, None);
    let start = Instant::now();
    one.run("slow", b"", &files);
    assert_eq!((one.finish(), one.warnings()), (0, Vec::new()));
    let two = Machine::with(limited(), READS, None);
    assert!(two.fetch(&action("slow"), Needs::WholeOutput).is_some(), "{:?}", two.warnings());
    let seconds = start.elapsed().as_secs_f64();
    assert!((3.0..8.0).contains(&seconds), "1.5 MB in each direction took {seconds} s");
}

#[test]
fn an_interrupted_download_is_resumed_where_it_ended() {
    let dir = tempfile::tempdir().unwrap();
    let Some(server) = Casd::start(dir.path()) else { return };
    let one = Machine::new(&server.address(), WRITES);
    one.run("large", b"", &[("large", noise(4, 16_000_000))]);
    assert_eq!(one.finish(), 0);
    // More interruptions than attempts.
    let link = Link::to(&server.address(), Shape { cut_after_bytes: Some(3_500_000), ..Shape::default() });
    let two = Machine::with(RemoteSettings { retries: 1, ..RemoteSettings::new(&link.address()) }, READS, None);
    assert!(two.fetch(&action("large"), Needs::WholeOutput).is_some(), "{:?}", two.warnings());
    let received = two.cache.summary().received_bytes;
    assert!(link.cuts() >= 4 && received < 16_100_000, "{} interruptions, {received} bytes", link.cuts());
    assert_eq!(two.warnings(), [""; 0]);
}

#[test]
fn a_connection_that_was_closed_while_idle_is_made_again() {
    let server = Fake::start(Behaviour::default());
    let link = Link::to(&server.address(), Shape { idle_limit: Some(Duration::from_millis(200)), ..Shape::default() });
    let machine = Machine::with(RemoteSettings { retries: 0, ..RemoteSettings::new(&link.address()) }, WRITES, None);
    for name in ["before", "after"] {
        machine.run(name, b"", &[]);
        machine.finish();
        std::thread::sleep(Duration::from_millis(500));
    }
    assert_eq!((machine.cache.summary().stored, machine.warnings()), (2, Vec::new()));
    assert_eq!(link.connections(), 2);
}

/// A connection that breaks during a call of one message.
#[test]
fn calls_are_repeated_when_their_connection_breaks() {
    let server = Fake::start(Behaviour { delay: Duration::from_millis(300), ..Behaviour::default() });
    let link = Link::to(&server.address(), Shape::default());
    let machine = Machine::new(&link.address(), WRITES);
    machine.run("broken", b"", &[("file", noise(5, 50_000))]);
    for _ in 0..2 {
        std::thread::sleep(Duration::from_millis(450));
        link.cut();
    }
    assert_eq!((machine.finish(), machine.warnings()), (0, Vec::new()));
    assert_eq!(machine.cache.summary().stored, 1);
}

#[test]
fn results_that_a_full_server_removes_are_misses_and_are_stored_again() {
    let dir = tempfile::tempdir().unwrap();
    let Some(server) = Casd::start_with(dir.path(), &["--quota-high=12M", "--quota-low=6M"]) else { return };
    let one = Machine::new(&server.address(), WRITES);
    let names: Vec<String> = (0..30).map(|number| number.to_string()).collect();
    let file = |name: &String| [("file", noise(name.parse::<u64>().unwrap() + 100, 1_000_000))];
    for name in &names {
        one.run(name, b"", &file(name));
        one.finish();
    }
    assert_eq!(one.warnings(), [""; 0]);
    let two = Machine::new(&server.address(), WRITES);
    let is_lost = |name: &&String| two.fetch(&action(name), Needs::WholeOutput).is_none();
    let lost: Vec<&String> = names.iter().filter(is_lost).collect();
    assert!(lost.len() > 10, "30 MB do not fit into 12 MB: {lost:?}");
    assert_eq!(two.warnings(), [""; 0]);
    two.run(lost[0], b"", &file(lost[0]));
    two.finish();
    let three = Machine::new(&server.address(), READS);
    assert!(three.fetch(&action(lost[0]), Needs::WholeOutput).is_some(), "{:?}", two.warnings());
}
