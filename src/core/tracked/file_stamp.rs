//! A file's stat(2) metadata as one comparable value.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

/// A file whose times are younger than this when it is read may change again within one tick of its file system's clock,
/// with the same stamp. Linux ticks every 1 to 10 ms; network file servers are coarser.
const SETTLED: Duration = Duration::from_millis(200);

/// Two stamps of one path differ if the file was written, replaced, or had an old time restored (which changes ctime).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStamp {
    dev: u64,
    ino: u64,
    size: u64,
    mode: u32,
    mtime_ns: i64,
    ctime_ns: i64,
}

impl FileStamp {
    /// The stamp of a file that has this metadata.
    pub fn from_metadata(metadata: &Metadata) -> FileStamp {
        let nanoseconds = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        FileStamp {
            dev: metadata.dev(),
            ino: metadata.ino(),
            size: metadata.len(),
            mode: metadata.mode(),
            mtime_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            ctime_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// The time of the last change (ctime), in nanoseconds since 1970.
    pub fn changed_ns(&self) -> i64 {
        self.ctime_ns
    }

    /// The size of the file in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.size
    }

    /// Whether every write after `hashed_at` changes the stamp.
    pub fn is_settled(&self, hashed_at: SystemTime) -> bool {
        let Ok(now) = hashed_at.duration_since(SystemTime::UNIX_EPOCH) else { return false };
        let latest = now.saturating_sub(SETTLED).as_nanos();
        [self.mtime_ns, self.ctime_ns].iter().all(|time| u128::try_from(*time).is_ok_and(|time| time < latest))
    }

    /// Device, inode, size, mode, mtime and ctime, each little-endian.
    pub fn to_bytes(self) -> [u8; 44] {
        let mut bytes = [0; 44];
        bytes[..8].copy_from_slice(&self.dev.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.ino.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.size.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.mode.to_le_bytes());
        bytes[28..36].copy_from_slice(&self.mtime_ns.to_le_bytes());
        bytes[36..].copy_from_slice(&self.ctime_ns.to_le_bytes());
        bytes
    }

    /// The stamp that `to_bytes` encoded.
    pub fn from_bytes(bytes: &[u8; 44]) -> FileStamp {
        let number = |at: usize| u64::from_le_bytes(*bytes[at..].first_chunk().expect("the offset leaves 8 bytes"));
        FileStamp {
            dev: number(0),
            ino: number(8),
            size: number(16),
            mode: u32::from_le_bytes(*bytes[24..].first_chunk().expect("20 bytes are left")),
            mtime_ns: number(28).cast_signed(),
            ctime_ns: number(36).cast_signed(),
        }
    }
}
