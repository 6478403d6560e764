//! What a client of a shared cache has to cope with, against a server that does it: faults, limits, and lies. No fault is ever an
//! error of the run, and no wrong byte is ever used.

use std::collections::BTreeSet;
use std::time::Duration;

use tonic::Code;
use waders::engine::Trust;
use waders::engine::action_cache::Needs;
use waders::engine::remote::{CacheOptions, ContentBehavior, DigestFunction, RemoteSettings, Secret, Token};
use waders::signing::PrivateKey;

use super::fake::{Behaviour, Fake};
use super::machines::{Machine, READS, WRITES, action, noise, settings};
use super::servers::Casd;

/// A result with files of many kinds, none of which is part of the entry but the small ones.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("report.xml", b"<report/>".to_vec()),
        ("empty", Vec::new()),
        ("a/b/large", noise(1, 300_000)),
        ("a/b/program", noise(2, 50_000)),
        ("a/same", noise(2, 50_000)),
        ("words", b"words, words, words. ".repeat(5_000)),
    ]
}

/// Two machines share a result through a server: the second one gets the same bytes.
fn check_that_a_result_is_shared(address: &str) {
    let (one, two) = (Machine::new(address, WRITES), Machine::new(address, READS));
    let action = one.run("shared", b"some output", &files());
    assert_eq!(one.finish(), 0);
    assert_eq!(one.warnings(), [""; 0]);
    let outcome = two.fetch(&action, Needs::WholeOutput).expect("the result is on the server");
    assert_eq!(Some(outcome.clone()), one.local.get(&action.key(), Needs::WholeOutput).unwrap());
    assert_eq!(two.store.tree(outcome.output).unwrap(), one.store.tree(outcome.output).unwrap());
    for node in two.store.tree(outcome.output).unwrap().nodes.values() {
        if let Some(content) = node.content() {
            assert_eq!(two.store.get(content).unwrap(), one.store.get(content).unwrap());
        }
    }
    assert_eq!(two.store.get(outcome.stdout).unwrap(), b"some output");
    assert_eq!((one.cache.summary().stored, two.cache.summary().hits), (1, 1));
    assert_eq!(two.warnings(), [""; 0]);
}

#[test]
fn a_result_is_shared_through_a_real_server() {
    let dir = tempfile::tempdir().unwrap();
    let Some(server) = Casd::start(dir.path()) else { return };
    check_that_a_result_is_shared(&server.address());
}

#[test]
fn a_result_is_shared_through_a_server_with_blake3() {
    let server = Fake::start(Behaviour { function: DigestFunction::Blake3, ..Behaviour::default() });
    check_that_a_result_is_shared(&server.address());
    let key = action("shared").key();
    assert!(server.state().results.contains_key(&key.hex()), "the local key is the remote key");
}

#[test]
fn contents_are_compressed_where_the_server_can_and_it_is_worth_it() {
    let server = Fake::start(Behaviour { zstd: true, ..Behaviour::default() });
    check_that_a_result_is_shared(&server.address());
    assert_eq!(server.state().compressed, 2, "the words, and the stream of the large file");
    let plain = Fake::start(Behaviour::default());
    check_that_a_result_is_shared(&plain.address());
    assert_eq!(plain.state().compressed, 0);
}

/// Behaviour 1.
#[test]
fn a_server_that_cannot_be_reached_is_one_warning_and_no_further_call() {
    let machine = Machine::new("grpc://127.0.0.1:1", WRITES);
    for number in 0..50 {
        assert_eq!(machine.fetch(&action(&number.to_string()), Needs::WholeOutput), None);
    }
    machine.run("a result", b"", &[]);
    assert_eq!(machine.finish(), 0);
    let warnings = machine.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("cannot reach `grpc://127.0.0.1:1`: "), "{warnings:?}");
    assert!(warnings[0].contains("check `remote_store_address`, and whether the server runs"), "{warnings:?}");
    assert_eq!(machine.warnings(), [""; 0], "it is shown once");
}

#[test]
fn calls_are_repeated_while_a_server_restarts() {
    let server = Fake::start(Behaviour { unavailable_calls: 2, ..Behaviour::default() });
    check_that_a_result_is_shared(&server.address());
}

/// Behaviour 2.
#[test]
fn a_blob_that_is_missing_after_a_hit_makes_it_a_miss() {
    let server = Fake::start(Behaviour::default());
    let one = Machine::new(&server.address(), WRITES);
    let action = one.run("lost", b"", &files());
    one.finish();
    server.state().behaviour.loses = BTreeSet::from([50_000]);
    let two = Machine::new(&server.address(), READS);
    assert_eq!(two.fetch(&action, Needs::WholeOutput), None);
    assert_eq!(two.warnings(), [""; 0], "caches lose blobs: that is no problem of the user");
    // Its result without the files is known, and that it cannot be completed is found when a step needs it.
    let outcome = two.fetch(&action, Needs::Outcome).unwrap();
    assert!(!two.complete(outcome.output));
    // With a check beforehand, it is a miss at once.
    let validating = CacheOptions { content: ContentBehavior::Validate, ..READS };
    let three = Machine::new(&server.address(), validating);
    assert_eq!(three.fetch(&action, Needs::Outcome), None);
}

/// Behaviour 3: the machine that made a result again stores what the server lost.
#[test]
fn lost_blobs_are_uploaded_again_with_the_next_result() {
    let server = Fake::start(Behaviour::default());
    let one = Machine::new(&server.address(), WRITES);
    one.run("lost", b"", &files());
    one.finish();
    server.state().blobs.retain(|_, bytes| bytes.len() != 50_000);
    one.run("lost", b"", &files());
    one.finish();
    assert!(Machine::new(&server.address(), READS).fetch(&action("lost"), Needs::WholeOutput).is_some());
}

/// Behaviour 4.
#[test]
fn queries_and_batches_keep_below_the_announced_size() {
    let limit = 100_000;
    let server = Fake::start(Behaviour { max_batch_bytes: limit, ..Behaviour::default() });
    let one = Machine::new(&server.address(), WRITES);
    let contents: Vec<(String, Vec<u8>)> = (0..3000).map(|number| (format!("f{number}"), noise(number, 300))).collect();
    let files: Vec<(&str, Vec<u8>)> = contents.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    let action = one.run("many", b"", &files);
    assert_eq!((one.finish(), one.warnings().len()), (0, 0));
    {
        let state = server.state();
        assert!(state.batches.len() > 9 && state.batches.iter().all(|size| *size < 100_000), "{:?}", state.batches);
        assert!(
            state.queries.len() > 3 && state.queries.iter().all(|count| count * 80 < 100_000),
            "{:?}",
            state.queries
        );
    }
    let two = Machine::new(&server.address(), READS);
    assert!(two.fetch(&action, Needs::WholeOutput).is_some());
}

#[test]
fn a_blob_above_the_limit_of_the_server_is_one_warning() {
    let server = Fake::start(Behaviour { max_blob_bytes: 200_000, ..Behaviour::default() });
    let one = Machine::new(&server.address(), WRITES);
    one.run("too large", b"", &files());
    one.run("small", b"", &[]);
    one.finish();
    let warnings = one.warnings();
    assert!(warnings.len() == 1 && warnings[0].contains("accepts no blob above 200000 bytes"), "{warnings:?}");
    assert_eq!(one.cache.summary().stored, 1, "the small one");
}

/// Behaviour 5: many calls wait for each other longer than the limit for one of them.
#[test]
fn time_limits_do_not_count_the_time_in_a_queue() {
    let server = Fake::start(Behaviour { delay: Duration::from_millis(100), ..Behaviour::default() });
    let limited = RemoteSettings { concurrency: 2, timeout: Duration::from_millis(800), ..settings(&server.address()) };
    let machine = Machine::with(limited, READS, None);
    let all = (0..40).map(|number| {
        let cache = machine.cache.clone();
        machine.runtime.spawn(async move { cache.fetch(&action(&number.to_string()), Needs::Outcome).await })
    });
    let all: Vec<_> = all.collect();
    all.into_iter().for_each(|one| assert!(!machine.runtime.block_on(one).unwrap()));
    assert_eq!(machine.warnings(), [""; 0]);
    assert_eq!(server.count("GetActionResult"), 40);
}

#[test]
fn a_server_that_does_not_answer_is_given_up() {
    let server = Fake::start(Behaviour { delay: Duration::from_secs(30), ..Behaviour::default() });
    let limited = RemoteSettings { timeout: Duration::from_millis(200), retries: 1, ..settings(&server.address()) };
    let machine = Machine::with(limited, READS, None);
    assert_eq!(machine.fetch(&action("slow"), Needs::Outcome), None);
    let warnings = machine.warnings();
    assert!(warnings.len() == 1 && warnings[0].contains("no answer within 0.2 s"), "{warnings:?}");
}

/// Behaviour 6.
#[test]
fn a_write_that_is_answered_early_is_a_success() {
    let server = Fake::start(Behaviour { answers_early: true, ..Behaviour::default() });
    let one = Machine::new(&server.address(), WRITES);
    one.run("early", b"", &[("large", noise(7, 3_000_000))]);
    assert_eq!((one.finish(), one.warnings().len()), (0, 0));
    assert_eq!(one.cache.summary().stored, 1);
    assert_eq!(server.count("Write"), 1);
}

/// Behaviour 8.
#[test]
fn a_token_is_read_again_when_its_file_changes() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "first\n").unwrap();
    let server = Fake::start(Behaviour { token: Some("Bearer first".to_owned()), ..Behaviour::default() });
    let with_token = RemoteSettings { token: Some(Token::File(file.clone())), ..settings(&server.address()) };
    let machine = Machine::with(with_token, WRITES, None);
    machine.run("a", b"", &[]);
    machine.finish();
    server.state().behaviour.token = Some("Bearer second".to_owned());
    std::fs::write(&file, "second").unwrap();
    machine.run("b", b"", &[]);
    machine.finish();
    assert_eq!((machine.cache.summary().stored, machine.warnings().len()), (2, 0));
}

#[test]
fn a_rejected_token_is_one_warning_that_does_not_show_it() {
    let server = Fake::start(Behaviour { token: Some("Bearer right".to_owned()), ..Behaviour::default() });
    let token = Some(Token::Text(Secret("wrong-and-secret".to_owned())));
    let machine = Machine::with(RemoteSettings { token, ..settings(&server.address()) }, READS, None);
    assert_eq!(machine.fetch(&action("a"), Needs::Outcome), None);
    assert_eq!(machine.fetch(&action("b"), Needs::Outcome), None);
    let warnings = machine.warnings();
    assert!(warnings.len() == 1 && warnings[0].contains("UNAUTHENTICATED: the token has expired"), "{warnings:?}");
    assert!(
        warnings[0].contains("check `remote_oauth_bearer_token`") && !warnings[0].contains("secret"),
        "{warnings:?}"
    );
    assert_eq!(server.state().calls.len(), 2, "asked again once, with the token read again");
}

#[test]
fn a_wrong_instance_and_a_server_without_a_cache_are_one_warning() {
    let server = Fake::start(Behaviour { instance: "main".to_owned(), ..Behaviour::default() });
    let machine = Machine::new(&server.address(), READS);
    assert_eq!(machine.fetch(&action("a"), Needs::Outcome), None);
    let warnings = machine.warnings();
    assert!(warnings.len() == 1 && warnings[0].contains("check `remote_instance_name`"), "{warnings:?}");
    let machine = Machine::new(&server.address(), WRITES);
    assert_eq!(machine.fetch(&action("a"), Needs::Outcome), None);
    machine.run("a", b"", &[]);
    machine.finish();
    assert_eq!(machine.warnings().len(), 1, "also where results are stored");
    let named = RemoteSettings { instance_name: "main".to_owned(), ..settings(&server.address()) };
    assert_eq!(Machine::with(named, READS, None).warnings(), [""; 0]);

    let server = Fake::start(Behaviour { without_cache: true, ..Behaviour::default() });
    let machine = Machine::new(&server.address(), READS);
    assert_eq!(machine.fetch(&action("a"), Needs::Outcome), None);
    let warnings = machine.warnings();
    assert!(warnings.len() == 1 && warnings[0].contains("does not support a cache"), "{warnings:?}");
}

#[test]
fn invalid_settings_are_one_warning() {
    let check = |settings: RemoteSettings, expected: &str| {
        let machine = Machine::with(settings, READS, None);
        assert_eq!(machine.fetch(&action("a"), Needs::Outcome), None);
        let warnings = machine.warnings();
        assert!(warnings.len() == 1 && warnings[0].contains(expected), "{warnings:?}");
    };
    check(settings("example.invalid:50051"), "an address must begin with `grpc://` or `grpcs://`");
    check(settings("grpc://user name@"), "cannot use");
    let missing = Some(std::path::PathBuf::from("/nonexistent/ca.pem"));
    let secure = RemoteSettings { ca_certs: missing, ..settings("grpcs://127.0.0.1:1") };
    check(secure, "cannot read `/nonexistent/ca.pem`");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("no.pem");
    std::fs::write(&file, "text").unwrap();
    let secure = || settings("grpcs://127.0.0.1:1");
    check(RemoteSettings { ca_certs: Some(file.clone()), ..secure() }, "no.pem` contains no certificate in PEM format");
    let client_identity = Some((file.clone(), file));
    check(RemoteSettings { client_identity, ..secure() }, "no.pem` contains no certificate in PEM format");
    let token = Some(Token::File("/nonexistent/token".into()));
    check(RemoteSettings { token, ..settings("grpc://127.0.0.1:1") }, "cannot read the token in `/nonexistent/token`");
    check(settings("grpc://127.0.0.1:port"), "cannot use `grpc://127.0.0.1:port`: `port` is not a port");
    // A server without TLS.
    let server = Fake::start(Behaviour::default());
    check(settings(&server.address().replace("grpc://", "grpcs://")), "whether the address must begin with `grpc://`");
}

/// Behaviour 9.
#[test]
fn a_refused_write_is_one_warning_and_reading_goes_on() {
    let server = Fake::start(Behaviour::default());
    Machine::new(&server.address(), WRITES).run("known", b"", &[]);
    let one = Machine::new(&server.address(), WRITES);
    one.run("known", b"", &[]);
    one.finish();
    server.state().behaviour.refuses_writes = Some(Code::PermissionDenied);
    for number in 0..20 {
        one.run(&number.to_string(), &noise(number, 10), &[]);
    }
    one.finish();
    let warnings = one.warnings();
    assert!(warnings.len() == 1 && warnings[0].contains("results of this run are not stored"), "{warnings:?}");
    let two = Machine::new(&server.address(), WRITES);
    two.run("denied", b"", &[]);
    two.finish();
    assert!(two.fetch(&action("known"), Needs::WholeOutput).is_some(), "{:?}", two.warnings());

    let server = Fake::start(Behaviour { announces_updates: false, ..Behaviour::default() });
    let one = Machine::new(&server.address(), WRITES);
    one.run("a", b"", &[]);
    one.finish();
    assert_eq!((one.warnings().len(), server.count("BatchUpdateBlobs")), (1, 0));
}

/// Behaviour 10.
#[test]
fn outputs_are_downloaded_when_they_are_needed_and_once() {
    let server = Fake::start(Behaviour::default());
    let one = Machine::new(&server.address(), WRITES);
    let action = one.run("lazy", b"", &files());
    one.finish();
    server.state().reads.clear();
    let two = Machine::new(&server.address(), READS);
    let outcome = two.fetch(&action, Needs::Outcome).unwrap();
    assert_eq!(server.state().reads.len(), 0, "small parts are in the entry, and no file is needed");
    let complete = || {
        let cache = two.cache.clone();
        two.runtime.spawn(async move { cache.complete([outcome.output]).await })
    };
    let all: Vec<_> = (0..8).map(|_| complete()).collect();
    all.into_iter().for_each(|one| assert!(two.runtime.block_on(one).unwrap()));
    assert!(two.store.is_complete(outcome.output).unwrap());
    let reads = server.state().reads.clone();
    assert_eq!(reads.iter().collect::<BTreeSet<_>>().len(), reads.len(), "{reads:?}");
    // Only the digest of another machine's tree is known: its levels are read, too.
    let eager = Machine::new(&server.address(), CacheOptions { content: ContentBehavior::Fetch, ..READS });
    assert!(eager.fetch(&action, Needs::Outcome).is_some());
    assert!(eager.store.is_complete(outcome.output).unwrap());
}

/// Behaviour 12.
#[test]
fn wrong_bytes_are_never_used() {
    for zstd in [false, true] {
        let server = Fake::start(Behaviour { zstd, ..Behaviour::default() });
        let one = Machine::new(&server.address(), WRITES);
        let action = one.run("corrupt", b"", &files());
        one.finish();
        for size in [50_000, 300_000] {
            server.state().behaviour.corrupts = BTreeSet::from([size]);
            let two = Machine::new(&server.address(), READS);
            assert_eq!(two.fetch(&action, Needs::WholeOutput), None);
            let warnings = two.warnings();
            assert!(warnings.len() == 1 && warnings[0].contains("sent wrong bytes"), "{warnings:?}");
        }
    }
}

#[test]
fn a_result_that_contradicts_itself_is_never_used() {
    let server = Fake::start(Behaviour::default());
    let one = Machine::new(&server.address(), WRITES);
    let honest = one.run("honest", b"honest output", &[("file", b"honest".to_vec())]);
    one.run("other", b"other output", &[("file", b"other".to_vec())]);
    one.finish();
    let results = server.state().results.clone();
    let function = DigestFunction::Sha256;
    let key = function.of(&honest.action).hex();
    let other = results[&function.of(&action("other").action).hex()].clone();
    let check = |change: &dyn Fn(&mut waders::engine::remote::reapi::ActionResult)| {
        let mut changed = results[&key].clone();
        change(&mut changed);
        server.state().results.insert(key.clone(), changed);
        let two = Machine::new(&server.address(), READS);
        assert_eq!(two.fetch(&honest, Needs::WholeOutput), None);
    };
    check(&|result| result.exit_code = 1);
    check(&|result| result.output_directories[0].tree_digest = other.output_directories[0].tree_digest.clone());
    check(&|result| result.stdout_digest = other.stdout_digest.clone());
    check(&|result| result.output_files.retain(|file| file.path != "waders/digests"));
    check(&|result| result.output_files.clear());
    check(&|result| *result = waders::engine::remote::reapi::ActionResult::default());
    check(&|result| {
        let garbage = b"garbage".repeat(3);
        result.output_files[1].digest = Some(function.of(&garbage).to_message());
        result.output_files[1].contents = garbage;
    });
}

#[test]
fn a_result_without_a_trusted_signature_is_a_miss() {
    let server = Fake::start(Behaviour::default());
    let (ci, stranger) = (PrivateKey::generate().unwrap(), PrivateKey::generate().unwrap());
    let trust = |signer: Option<&PrivateKey>| Trust {
        signer: signer.cloned(),
        namespace: "main".to_owned(),
        accepted: [("main".to_owned(), vec![ci.public()])].into(),
        requires_signatures: true,
        isolation: "full",
    };
    let run = |signer: Option<&PrivateKey>, name: &str| {
        let machine = Machine::with(settings(&server.address()), WRITES, Some(trust(signer)));
        machine.run(name, b"", &files());
        machine.cache.publish_tree([7; 32], machine.store.put(name.as_bytes()).unwrap());
        machine.finish();
    };
    let reader = || Machine::with(settings(&server.address()), READS, Some(trust(None)));
    run(Some(&stranger), "by a stranger");
    server.state().reads.clear();
    let two = reader();
    assert_eq!(two.fetch(&action("by a stranger"), Needs::WholeOutput), None);
    assert_eq!(two.runtime.block_on(two.cache.fetch_tree([7; 32])), None);
    assert_eq!(server.state().reads.len(), 0, "nothing of it is downloaded");
    let before = server.state().results.len();
    run(None, "by nobody");
    assert_eq!(server.state().results.len(), before, "what nobody could use is not stored");
    run(Some(&ci), "by CI");
    let two = reader();
    assert!(two.fetch(&action("by CI"), Needs::WholeOutput).is_some());
    assert!(two.runtime.block_on(two.cache.fetch_tree([7; 32])).is_some());
}

#[test]
fn two_machines_that_store_the_same_result_agree() {
    let server = Fake::start(Behaviour::default());
    let machines: Vec<Machine> = (0..2).map(|_| Machine::new(&server.address(), WRITES)).collect();
    for machine in &machines {
        machine.run("same", b"", &files());
    }
    assert!(machines.iter().all(|machine| machine.finish() == 0 && machine.warnings().is_empty()));
    assert!(Machine::new(&server.address(), READS).fetch(&action("same"), Needs::WholeOutput).is_some());
}

#[test]
fn nothing_is_connected_before_a_result_is_asked_for() {
    let server = Fake::start(Behaviour::default());
    let machine = Machine::new(&server.address(), READS);
    assert!(!machine.cache.connection().is_connected());
    assert_eq!(machine.finish(), 0);
    assert_eq!(server.state().calls.len(), 0);
}
