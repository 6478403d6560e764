//! The client of the Remote Execution API against a real server.

use std::collections::BTreeMap;
use std::sync::Arc;

use waders::base::Digest;
use waders::engine::remote::{Connection, Content, Contents, DigestMap, RemoteSettings, Wanted, reapi};
use waders::store::Store;

use super::servers::Casd;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Contents that no other test has.
fn contents(count: usize, size: usize) -> Vec<Vec<u8>> {
    (0..count).map(|number| format!("{number:08} {size:08} ").bytes().cycle().take(size).collect()).collect()
}

#[test]
fn blobs_of_every_size_are_uploaded_once_and_downloaded_into_another_store() {
    let dir = tempfile::tempdir().unwrap();
    let Some(server) = Casd::start(dir.path()) else { return };
    let store = Arc::new(Store::open(&dir.path().join("one")).unwrap());
    let mut blobs: Vec<Digest> = Vec::new();
    for bytes in contents(300, 20_000).into_iter().chain(contents(2, 5_000_000)).chain([Vec::new(), vec![1]]) {
        blobs.push(store.put(&bytes).unwrap());
    }
    let connection = Arc::new(Connection::new(RemoteSettings::new(&server.address())));
    runtime().block_on(async {
        let function = connection.capabilities().await.unwrap().digest_function;
        let map = DigestMap::new(store.clone());
        let remote = map.of_blobs(function, &blobs).unwrap();
        assert_eq!(map.known(function, &blobs).unwrap(), remote, "each content is hashed once");
        let all: Contents = remote.iter().map(|(blob, remote)| (*remote, Content::Blob(*blob))).collect();
        let uploaded = connection.upload(&store, all.clone()).await.unwrap();
        // The server has the empty blob from the beginning.
        assert_eq!(uploaded.blobs, blobs.len() - 1);
        assert_eq!(connection.upload(&store, all).await.unwrap().blobs, 0);
        let other = Arc::new(Store::open(&dir.path().join("other")).unwrap());
        let wanted = |(blob, remote): (&Digest, &_)| Wanted { remote: *remote, local: Some(*blob), executable: false };
        let wanted: Vec<Wanted> = remote.iter().map(wanted).collect();
        // Two tasks at once: nothing is downloaded twice.
        let before = connection.traffic.received_bytes.load(std::sync::atomic::Ordering::Relaxed);
        let (one, two) = tokio::join!(connection.download(&other, &wanted), connection.download(&other, &wanted));
        let found: BTreeMap<_, _> = one.unwrap();
        assert_eq!(found, two.unwrap());
        let received = connection.traffic.received_bytes.load(std::sync::atomic::Ordering::Relaxed) - before;
        assert_eq!(received, blobs.iter().map(Digest::size_bytes).sum::<u64>());
        for blob in &blobs {
            assert_eq!(other.get(*blob).unwrap(), store.get(*blob).unwrap());
        }
    });
}

#[test]
fn a_result_is_stored_under_the_digest_of_its_action() {
    let dir = tempfile::tempdir().unwrap();
    let Some(server) = Casd::start(dir.path()) else { return };
    let connection = Arc::new(Connection::new(RemoteSettings::new(&server.address())));
    runtime().block_on(async {
        let function = connection.capabilities().await.unwrap().digest_function;
        let action = function.of(b"an action");
        assert_eq!(connection.action_result(action).await.unwrap(), None);
        let result = reapi::ActionResult { exit_code: 0, stdout_raw: b"text".to_vec(), ..Default::default() };
        connection.update_action_result(action, result).await.unwrap();
        assert_eq!(connection.action_result(action).await.unwrap().unwrap().stdout_raw, b"text");
        assert_eq!(connection.find_missing(&[function.of(b"nothing")]).await.unwrap().len(), 1);
    });
}
