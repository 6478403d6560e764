//! Measurements of a remote cache over the loopback interface. They print times and have no limits:
//! `cargo test --test it remote::speed -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use waders::engine::action_cache::Needs;
use waders::engine::remote::{Content, Contents, DigestMap, RemoteSettings};

use super::machines::{Machine, READS, WRITES, noise};
use super::servers::Casd;

fn show(what: &str, time: Duration, per: usize) {
    let millis = time.as_secs_f64() * 1000.0;
    println!("{what:<56} {millis:>9.1} ms {:>9.3} ms each", millis / per as f64);
}

#[test]
#[ignore = "a measurement"]
fn figures() {
    let dir = tempfile::tempdir().unwrap();
    let Some(server) = Casd::start(dir.path()) else { return };
    let one = Machine::with(RemoteSettings::new(&server.address()), WRITES, None);
    let start = Instant::now();
    let actions: Vec<_> = (0..1000)
        .map(|number| {
            let report = noise(number, 1500);
            one.run(&number.to_string(), format!("test {number} passed").as_bytes(), &[("junit.xml", report)])
        })
        .collect();
    show("1,000 results put into the local cache", start.elapsed(), 1000);
    one.finish();
    show("and stored on the server", start.elapsed(), 1000);
    let two = Machine::with(RemoteSettings::new(&server.address()), READS, None);
    let mut times: Vec<Duration> = actions[..100]
        .iter()
        .map(|action| {
            let start = Instant::now();
            assert!(two.fetch(action, Needs::WholeOutput).is_some());
            start.elapsed()
        })
        .collect();
    times.sort();
    show("a hit, median of 100", times[50], 1);
    let three = Machine::with(RemoteSettings::new(&server.address()), READS, None);
    let start = Instant::now();
    let all: Vec<_> = actions
        .iter()
        .map(|action| {
            let (cache, action) = (three.cache.clone(), action.clone());
            three.runtime.spawn(async move { cache.fetch(&action, Needs::WholeOutput).await })
        })
        .collect();
    all.into_iter().for_each(|one| assert!(three.runtime.block_on(one).unwrap()));
    show("1,000 hits at once", start.elapsed(), 1000);
    uploads(&one);
}

/// 10,000 small files and one of 100 MiB.
fn uploads(machine: &Machine) {
    let batch = machine.store.batch();
    let blobs: Vec<_> = (0..10_000).map(|number| batch.put(&noise(number + 50_000, 2000), false).unwrap()).collect();
    batch.commit().unwrap();
    let large = machine.store.put(&vec![7; 100 << 20]).unwrap();
    let (connection, store) = (machine.cache.connection().clone(), machine.store.clone());
    machine.runtime.block_on(async {
        let function = connection.capabilities().await.unwrap().digest_function;
        let map = DigestMap::new(store.clone());
        let contents = |blobs: &[_]| -> Contents {
            let remote = map.of_blobs(function, blobs).unwrap();
            remote.into_iter().map(|(blob, remote)| (remote, Content::Blob(blob))).collect()
        };
        let start = Instant::now();
        let small = contents(&blobs);
        show("10,000 files of 2 kB hashed with SHA-256", start.elapsed(), 10_000);
        let start = Instant::now();
        connection.upload(&store, small.clone()).await.unwrap();
        show("10,000 files of 2 kB uploaded", start.elapsed(), 10_000);
        let start = Instant::now();
        connection.upload(&store, small).await.unwrap();
        show("the same again", start.elapsed(), 10_000);
        let large = contents(&[large]);
        let start = Instant::now();
        connection.upload(&store, large).await.unwrap();
        show("100 MiB uploaded", start.elapsed(), 100);
    });
}
