//! Transfers of any number of blobs between the store and a server: small ones in batches, large ones as streams, each only once.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::base::Digest;
use crate::engine::remote::cas::ENTRY_BYTES;
use crate::engine::remote::digest_map::Hashing;
use crate::engine::remote::{Connection, Content, Contents, DigestFunction, Error, RemoteDigest};
use crate::store::{self, Store};

/// What was uploaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uploaded {
    /// The number of blobs that the server did not have.
    pub blobs: usize,
    /// Their size.
    pub bytes: u64,
}

/// The blobs that are being downloaded.
#[derive(Default)]
pub(super) struct InFlight {
    digests: Mutex<HashSet<RemoteDigest>>,
    ended: Notify,
}

/// Blobs that one task downloads. Dropping it lets others download what is missing then.
struct Claim<'c> {
    in_flight: &'c InFlight,
    digests: Vec<RemoteDigest>,
}

impl InFlight {
    /// Claims the blobs that no other task downloads.
    fn claim(&self, wanted: impl Iterator<Item = RemoteDigest>) -> Claim<'_> {
        let mut digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        Claim { in_flight: self, digests: wanted.filter(|digest| digests.insert(*digest)).collect() }
    }

    /// Waits until none of these blobs is being downloaded.
    async fn wait(&self, wanted: &BTreeSet<RemoteDigest>) {
        loop {
            let ended = self.ended.notified();
            let is_busy = {
                let digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
                wanted.iter().any(|digest| digests.contains(digest))
            };
            if !is_busy {
                return;
            }
            ended.await;
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut digests = self.in_flight.digests.lock().unwrap_or_else(PoisonError::into_inner);
        for digest in &self.digests {
            digests.remove(digest);
        }
        drop(digests);
        self.in_flight.ended.notify_waiters();
    }
}

/// A blob to download.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    /// Its digest on the server.
    pub remote: RemoteDigest,
    /// Its digest in the store, if it is known. Other bytes are refused.
    pub local: Option<Digest>,
    /// Whether it is stored as an executable file.
    pub executable: bool,
}

impl Connection {
    /// Uploads the contents that the server does not have.
    pub async fn upload(self: &Arc<Self>, store: &Arc<Store>, contents: Contents) -> Result<Uploaded, Error> {
        // Also the empty blob, which some servers expect like any other.
        let digests: Vec<RemoteDigest> = contents.keys().copied().collect();
        let missing = self.find_missing(&digests).await?;
        self.upload_all(store, contents.into_iter().filter(|(digest, _)| missing.contains(digest)).collect()).await
    }

    /// Uploads contents without asking which ones the server has.
    pub async fn upload_all(self: &Arc<Self>, store: &Arc<Store>, contents: Contents) -> Result<Uploaded, Error> {
        let capabilities = self.capabilities().await?;
        let most = capabilities.max_blob_bytes.unwrap_or(u64::MAX);
        if let Some(digest) = contents.keys().find(|digest| digest.size_bytes > most) {
            return Err(Error::TooLarge { address: self.address(), digest: *digest, limit_bytes: most });
        }
        let uploaded = Uploaded { blobs: contents.len(), bytes: contents.keys().map(|digest| digest.size_bytes).sum() };
        let (small, large): (Vec<_>, Vec<_>) =
            contents.into_iter().partition(|(digest, _)| self.fits_batch(digest, capabilities.batch_bytes));
        let mut tasks = JoinSet::new();
        for batch in batches(small, capabilities.batch_bytes, |(digest, _)| digest.size_bytes) {
            let (connection, store) = (self.clone(), store.clone());
            tasks.spawn(async move {
                let _permit = connection.transfers.acquire().await.expect("the semaphore is never closed");
                let load =
                    move || batch.into_iter().map(|(digest, content)| Ok((digest, load(&store, content)?))).collect();
                let blobs = blocking(load).await?;
                connection.batch_update(blobs).await
            });
        }
        for (digest, content) in large {
            let (connection, store) = (self.clone(), store.clone());
            tasks.spawn(async move {
                let _permit = connection.transfers.acquire().await.expect("the semaphore is never closed");
                connection.write_stream(&store, digest, &content).await
            });
        }
        all(tasks).await?;
        Ok(uploaded)
    }

    /// Reads blobs into memory, verified. Blobs that the server does not have are left out.
    pub async fn read(
        self: &Arc<Self>,
        digests: impl IntoIterator<Item = RemoteDigest>,
    ) -> Result<BTreeMap<RemoteDigest, Vec<u8>>, Error> {
        let capabilities = self.capabilities().await?;
        let (function, batch_bytes) = (capabilities.digest_function, capabilities.batch_bytes);
        let digests: BTreeSet<RemoteDigest> = digests.into_iter().collect();
        let empty = function.of(b"");
        let mut found = BTreeMap::new();
        if digests.contains(&empty) {
            found.insert(empty, Vec::new());
        }
        let rest = digests.into_iter().filter(|digest| *digest != empty);
        let (small, large): (Vec<_>, Vec<_>) = rest.partition(|digest| self.fits_batch(digest, batch_bytes));
        let mut tasks = JoinSet::new();
        for batch in batches(small, batch_bytes, |digest| digest.size_bytes) {
            let connection = self.clone();
            tasks.spawn(async move {
                let _permit = connection.transfers.acquire().await.expect("the semaphore is never closed");
                connection.batch_read(&batch).await
            });
        }
        for digest in large {
            let connection = self.clone();
            tasks.spawn(async move {
                let _permit = connection.transfers.acquire().await.expect("the semaphore is never closed");
                let collect = |reader: &mut dyn Read| {
                    let mut bytes = Vec::new();
                    reader.read_to_end(&mut bytes).map(|_| bytes)
                };
                let bytes = connection.read_stream(digest, collect).await?.and_then(Result::ok);
                let Some(bytes) = bytes else { return Ok(Vec::new()) };
                if function.of(&bytes) != digest {
                    return Err(Error::WrongBytes { address: connection.address(), digest });
                }
                Ok(vec![(digest, bytes)])
            });
        }
        found.extend(all(tasks).await?.into_iter().flatten());
        Ok(found)
    }

    /// Downloads blobs into the store, verified, and returns their digests there. Blobs that another task downloads at the same
    /// time are not downloaded twice. `Error::Missing` if the server does not have a blob.
    pub async fn download(
        self: &Arc<Self>,
        store: &Arc<Store>,
        wanted: &[Wanted],
    ) -> Result<BTreeMap<RemoteDigest, Digest>, Error> {
        let mut found = BTreeMap::new();
        let mut left: BTreeMap<RemoteDigest, Wanted> = wanted.iter().map(|wanted| (wanted.remote, *wanted)).collect();
        loop {
            for wanted in left.values() {
                if let Some(local) = wanted.local
                    && store.contains(local)?
                {
                    found.insert(wanted.remote, local);
                }
            }
            left.retain(|remote, _| !found.contains_key(remote));
            if left.is_empty() {
                return Ok(found);
            }
            let claim = self.in_flight.claim(left.keys().copied());
            let mine: Vec<Wanted> = claim.digests.iter().filter_map(|digest| left.remove(digest)).collect();
            found.extend(self.download_now(store, mine).await?);
            drop(claim);
            self.in_flight.wait(&left.keys().copied().collect()).await;
        }
    }

    async fn download_now(
        self: &Arc<Self>,
        store: &Arc<Store>,
        wanted: Vec<Wanted>,
    ) -> Result<Vec<(RemoteDigest, Digest)>, Error> {
        let batch_bytes = self.capabilities().await?.batch_bytes;
        let (small, large): (Vec<_>, Vec<_>) =
            wanted.into_iter().partition(|wanted| self.fits_batch(&wanted.remote, batch_bytes));
        let mut tasks = JoinSet::new();
        for batch in batches(small, batch_bytes, |wanted| wanted.remote.size_bytes) {
            let (connection, store) = (self.clone(), store.clone());
            tasks.spawn(async move {
                let _permit = connection.transfers.acquire().await.expect("the semaphore is never closed");
                connection.download_batch(store, batch).await
            });
        }
        for wanted in large {
            let (connection, store) = (self.clone(), store.clone());
            tasks.spawn(async move {
                let _permit = connection.transfers.acquire().await.expect("the semaphore is never closed");
                connection.download_stream(store, wanted).await.map(|pair| vec![pair])
            });
        }
        Ok(all(tasks).await?.into_iter().flatten().collect())
    }

    async fn download_batch(
        self: &Arc<Self>,
        store: Arc<Store>,
        wanted: Vec<Wanted>,
    ) -> Result<Vec<(RemoteDigest, Digest)>, Error> {
        let remote: Vec<RemoteDigest> = wanted.iter().map(|wanted| wanted.remote).collect();
        let bytes: BTreeMap<RemoteDigest, Vec<u8>> = self.read_batch(&remote).await?;
        let address = self.address();
        blocking(move || {
            let mut batch = store.late_batch();
            let mut found = Vec::new();
            for Wanted { remote, local, executable } in wanted {
                let bytes =
                    bytes.get(&remote).ok_or_else(|| Error::Missing { address: address.clone(), digest: remote })?;
                // Known bytes are verified by both hashes: the other program may have stated a wrong pair.
                let digest = batch.put(bytes, executable)?;
                if local.is_some_and(|local| local != digest) {
                    return Err(Error::WrongBytes { address: address.clone(), digest: remote });
                }
                found.push((remote, digest));
            }
            batch.commit()?;
            Ok(found)
        })
        .await
    }

    /// A batch, in which the empty blob needs no call.
    async fn read_batch(self: &Arc<Self>, digests: &[RemoteDigest]) -> Result<BTreeMap<RemoteDigest, Vec<u8>>, Error> {
        let empty = self.capabilities().await?.digest_function.of(b"");
        let rest: Vec<RemoteDigest> = digests.iter().copied().filter(|digest| *digest != empty).collect();
        let mut found: BTreeMap<RemoteDigest, Vec<u8>> = BTreeMap::from([(empty, Vec::new())]);
        if !rest.is_empty() {
            found.extend(self.batch_read(&rest).await?);
        }
        Ok(found)
    }

    async fn download_stream(
        self: &Arc<Self>,
        store: Arc<Store>,
        wanted: Wanted,
    ) -> Result<(RemoteDigest, Digest), Error> {
        let function = self.capabilities().await?.digest_function;
        let Wanted { remote, local, executable } = wanted;
        let consume = move |reader: &mut dyn Read| {
            let mut hashing = Hashing::new(reader);
            let batch = store.batch();
            let digest = batch.put_reader(&mut hashing, Path::new("download"), executable);
            let digest = digest.map_err(std::io::Error::other)?;
            let size_bytes = hashing.size_bytes;
            let hash = match function {
                DigestFunction::Blake3 => *digest.hash(),
                DigestFunction::Sha256 => hashing.sha256(),
            };
            let is_right = RemoteDigest { hash, size_bytes } == remote && local.is_none_or(|local| local == digest);
            if is_right {
                batch.commit().map_err(std::io::Error::other)?;
            }
            Ok(is_right.then_some(digest))
        };
        match self.read_stream(remote, consume).await? {
            None => Err(Error::Missing { address: self.address(), digest: remote }),
            Some(Ok(Some(digest))) => Ok((remote, digest)),
            Some(Ok(None)) => Err(Error::WrongBytes { address: self.address(), digest: remote }),
            Some(Err(error)) => Err(Error::Content { digest: remote, why: error.to_string() }),
        }
    }

    fn fits_batch(&self, digest: &RemoteDigest, batch_bytes: u64) -> bool {
        digest.size_bytes + ENTRY_BYTES <= batch_bytes.min(self.settings().batch_bytes)
    }
}

/// Groups that are together not larger than a batch.
fn batches<T>(items: Vec<T>, batch_bytes: u64, size: impl Fn(&T) -> u64) -> Vec<Vec<T>> {
    let mut batches: Vec<Vec<T>> = Vec::new();
    let mut room = 0;
    for item in items {
        let needed = size(&item) + ENTRY_BYTES;
        match batches.last_mut().filter(|_| needed <= room) {
            Some(batch) => batch.push(item),
            None => {
                room = batch_bytes;
                batches.push(vec![item]);
            }
        }
        room = room.saturating_sub(needed);
    }
    batches
}

fn load(store: &Store, content: Content) -> Result<Vec<u8>, store::Error> {
    match content {
        Content::Bytes(bytes) => Ok(bytes),
        Content::Blob(blob) => store.get(blob),
    }
}

/// Waits for all tasks. The first error ends the others.
async fn all<T: 'static>(mut tasks: JoinSet<Result<T, Error>>) -> Result<Vec<T>, Error> {
    let mut results = Vec::new();
    while let Some(result) = tasks.join_next().await {
        match result {
            Ok(result) => results.push(result?),
            Err(panic) if panic.is_panic() => std::panic::resume_unwind(panic.into_panic()),
            Err(_) => {}
        }
    }
    Ok(results)
}

/// Runs blocking work on a thread where it does not delay other tasks.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_filled_up_to_their_size() {
        let sizes =
            |items: Vec<u64>| -> Vec<usize> { batches(items, 1000, |size| *size).iter().map(Vec::len).collect() };
        assert_eq!(sizes(vec![]), Vec::<usize>::new());
        assert_eq!(sizes(vec![372, 372]), [2]);
        assert_eq!(sizes(vec![372, 373]), [1, 1]);
        assert_eq!(sizes(vec![2000, 1, 1]), [1, 2]);
    }
}
