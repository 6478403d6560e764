//! Results that a machine has and a server may have removed are stored again, and not more often than necessary.

use std::time::Duration;

use waders::engine::action_cache::Needs;
use waders::engine::remote::CacheOptions;

use super::fake::{Behaviour, Fake};
use super::machines::{Machine, READS, WRITES, action, settings};

const TREE: [u8; 32] = [7; 32];

/// Stores a result and a tree on a server, which then loses everything, and finds both in the local cache. Returns whether the server
/// has them again.
fn check(options: CacheOptions, other_server: bool) -> bool {
    let servers = [Fake::start(Behaviour::default()), Fake::start(Behaviour::default())];
    let first = Machine::with(settings(&servers[0].address()), options, None);
    first.run("a result", b"text", &[("file", b"bytes".to_vec())]);
    let tree = first.store.put(b"").unwrap();
    first.cache.publish_tree(TREE, tree);
    assert_eq!(first.finish(), 0);
    for server in &servers {
        server.state().results.clear();
        server.state().blobs.clear();
    }
    let server = &servers[usize::from(other_server)];
    let again = first.with_server(&server.address());
    again.cache.renew(&action("a result").key(), || action("a result"));
    again.cache.renew_tree(TREE, tree);
    assert_eq!((again.finish(), again.warnings()), (0, Vec::new()));
    let reader = Machine::new(&server.address(), READS);
    let has_result = reader.fetch(&action("a result"), Needs::WholeOutput).is_some();
    let has_tree = reader.runtime.block_on(reader.cache.fetch_tree(TREE)).is_some();
    assert_eq!(has_result, has_tree);
    has_result
}

#[test]
fn a_result_is_stored_again_after_its_time_and_not_before() {
    assert!(!check(WRITES, false));
    assert!(check(CacheOptions { renew_after: Duration::ZERO, ..WRITES }, false));
}

#[test]
fn a_result_is_stored_on_a_server_that_never_had_it() {
    assert!(check(WRITES, true));
}

#[test]
fn a_result_of_the_server_counts_as_stored_there() {
    let server = Fake::start(Behaviour::default());
    let one = Machine::new(&server.address(), WRITES);
    one.run("a result", b"", &[]);
    one.finish();
    let two = Machine::new(&server.address(), WRITES);
    assert!(two.fetch(&action("a result"), Needs::WholeOutput).is_some());
    two.cache.renew(&action("a result").key(), || panic!("it is not stored again"));
}

#[test]
fn a_machine_that_only_reads_stores_nothing_again() {
    let server = Fake::start(Behaviour::default());
    let machine = Machine::new(&server.address(), READS);
    machine.run("a result", b"", &[]);
    machine.cache.renew(&action("a result").key(), || panic!("it is not stored"));
    assert_eq!(server.state().calls.len(), 0);
}
