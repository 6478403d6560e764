//! When results were last used, for the removal of those that were not. A use is recorded at most twice a day, in one transaction at
//! the end of a run: the rows of the index have a time in minutes in the table `used`, and a row that was read while its time is old
//! gets a new one. So a run in which nothing changed writes nothing, and the records do not grow.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use rusqlite::{OptionalExtension, params};

use super::error::Result;
use super::layout::{Store, lock};

/// A recorded use is renewed after this many minutes.
const RESOLUTION_MINUTES: i64 = 12 * 60;

/// The row of the table `counter` with the size of the store.
const SIZE: &str = "size";

/// What one open store used and wrote.
#[derive(Debug, Default)]
pub(super) struct Uses {
    stale: Mutex<Vec<[u8; 32]>>,
    written_bytes: AtomicU64,
}

impl Uses {
    /// A row was read whose last use was recorded at `minute`.
    pub(super) fn read(&self, key: &[u8; 32], minute: Option<i64>) {
        // A time in the future was recorded by a wrong clock.
        if minute.is_none_or(|minute| (now() - minute) >= RESOLUTION_MINUTES || minute > now()) {
            lock(&self.stale).push(*key);
        }
    }

    /// An object was published.
    pub(super) fn wrote(&self, size_bytes: u64) {
        // Most file systems allocate blocks of this size.
        self.written_bytes.fetch_add(size_bytes.next_multiple_of(4096), Ordering::Relaxed);
    }
}

/// The time in minutes since 1970. It only decides what is removed first.
#[expect(clippy::disallowed_methods, reason = "the time of a use changes no result")]
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_secs() / 60).unwrap_or(i64::MAX)
}

impl Store {
    /// Records that something without a row was used, such as the record files of a checkout.
    pub(in crate::store) fn note_use(&self, key: &[u8; 32]) -> Result<()> {
        let query = "SELECT minute FROM used WHERE key = ?1";
        let minute = self.index.with(|connection| {
            connection.prepare_cached(query)?.query_row(params![key], |row| row.get(0)).optional()
        })?;
        self.uses.read(key, minute);
        Ok(())
    }

    /// Records what this process used, at the end of a run. Returns the size of the store in bytes if this process wrote to it.
    /// The size is an estimate: objects that several processes published are counted several times, until `collect` measures it.
    pub fn record_uses(&self) -> Result<Option<u64>> {
        let mut stale = std::mem::take(&mut *lock(&self.uses.stale));
        stale.sort_unstable();
        stale.dedup();
        let written = self.uses.written_bytes.swap(0, Ordering::Relaxed);
        if stale.is_empty() && written == 0 {
            return Ok(None);
        }
        let size = self.index.with(|connection| {
            let transaction = connection.transaction()?;
            {
                let mut insert = transaction.prepare_cached("INSERT OR REPLACE INTO used VALUES (?1, ?2)")?;
                for key in &stale {
                    insert.execute(params![key, now()])?;
                }
            }
            let update = "UPDATE counter SET value = value + ?2 WHERE name = ?1 RETURNING value";
            let written = i64::try_from(written).unwrap_or(i64::MAX);
            let size: Option<i64> =
                transaction.query_row(update, params![SIZE, written], |row| row.get(0)).optional()?;
            transaction.commit()?;
            Ok(size)
        })?;
        match size {
            _ if written == 0 => Ok(None),
            Some(size) => Ok(Some(u64::try_from(size).unwrap_or_default())),
            None => {
                let size = self.measure()?;
                self.set_size(size)?;
                Ok(Some(size))
            }
        }
    }

    /// The size limit unless another one is configured: a part of the file system.
    pub fn default_max_bytes(&self) -> u64 {
        let bytes =
            rustix::fs::statvfs(&self.root).map_or(u64::MAX, |disk| disk.f_blocks.saturating_mul(disk.f_frsize));
        (bytes / 5).clamp(10 << 30, 100 << 30)
    }

    /// Records the size of the store in bytes.
    pub(in crate::store) fn set_size(&self, size_bytes: u64) -> Result<()> {
        let size = i64::try_from(size_bytes).unwrap_or(i64::MAX);
        self.index.with(|connection| {
            connection.execute("INSERT OR REPLACE INTO counter VALUES (?1, ?2)", params![SIZE, size]).map(drop)
        })
    }
}
