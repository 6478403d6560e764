//! Measurements of a remote cache over the loopback interface. They print times and have no limits:
//! `cargo test --release --test it remote::speed -- --ignored --nocapture`. The lines `plain` are those of a client that only sends and
//! receives the same messages, and neither verifies nor stores anything: what the server and the connection take by themselves.

use std::time::{Duration, Instant};

use bazel_remote_apis::build::bazel::remote::execution::v2 as reapi;
use reapi::action_cache_client::ActionCacheClient;
use reapi::content_addressable_storage_client::ContentAddressableStorageClient;
use tonic::transport::Channel;

use waders::engine::action_cache::Needs;
use waders::engine::remote::{Content, Contents, DigestFunction, DigestMap, RemoteSettings};

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
    three.runtime.block_on(three.cache.settle());
    show("and until they are on the disk", start.elapsed(), 1000);
    let keys: Vec<_> = actions.iter().map(|action| DigestFunction::Sha256.of(&action.action).to_message()).collect();
    show("plain: the same 1,000 results", one.runtime.block_on(plain_results(server.port, keys)), 1000);
    uploads(&one, server.port);
}

fn channel(port: u16) -> Channel {
    Channel::from_shared(format!("http://127.0.0.1:{port}")).unwrap().tcp_nodelay(true).connect_lazy()
}

/// How long a client takes for results alone, 128 at a time.
async fn plain_results(port: u16, keys: Vec<reapi::Digest>) -> Duration {
    let channel = channel(port);
    let start = Instant::now();
    for part in keys.chunks(128) {
        let mut tasks = tokio::task::JoinSet::new();
        for key in part {
            let request = reapi::GetActionResultRequest { action_digest: Some(key.clone()), ..Default::default() };
            let mut client = ActionCacheClient::new(channel.clone());
            tasks.spawn(async move { drop(client.get_action_result(request).await.unwrap()) });
        }
        tasks.join_all().await;
    }
    start.elapsed()
}

/// How long a client takes to send contents of 2 kB, 2,000 in a batch and 16 batches at a time, after the question which are missing.
async fn plain_upload(port: u16, contents: Vec<Vec<u8>>) -> Duration {
    let channel = channel(port);
    let function = DigestFunction::Sha256;
    let contents: Vec<_> = contents.into_iter().map(|data| (function.of(&data).to_message(), data)).collect();
    let start = Instant::now();
    let blob_digests = contents.iter().map(|(digest, _)| digest.clone()).collect();
    let request = reapi::FindMissingBlobsRequest { blob_digests, ..Default::default() };
    let missing = ContentAddressableStorageClient::new(channel.clone()).find_missing_blobs(request).await.unwrap();
    assert_eq!(missing.into_inner().missing_blob_digests.len(), contents.len());
    let mut tasks = tokio::task::JoinSet::new();
    for batch in contents.chunks(2000) {
        let request = |(digest, data): &(reapi::Digest, Vec<u8>)| reapi::batch_update_blobs_request::Request {
            digest: Some(digest.clone()),
            data: data.clone(),
            compressor: 0,
        };
        let requests = batch.iter().map(request).collect();
        let request = reapi::BatchUpdateBlobsRequest { requests, ..Default::default() };
        let mut client = ContentAddressableStorageClient::new(channel.clone());
        tasks.spawn(async move { drop(client.batch_update_blobs(request).await.unwrap()) });
    }
    tasks.join_all().await;
    start.elapsed()
}

/// 10,000 small files and one of 100 MiB.
fn uploads(machine: &Machine, port: u16) {
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
        let others = (0..10_000).map(|number| noise(number + 70_000, 2000)).collect();
        show("plain: 10,000 others of 2 kB", plain_upload(port, others).await, 10_000);
        let large = contents(&[large]);
        let start = Instant::now();
        connection.upload(&store, large).await.unwrap();
        show("100 MiB uploaded", start.elapsed(), 100);
    });
}
