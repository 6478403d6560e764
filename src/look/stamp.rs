//! What stat(2) says of a file or directory, as one value that is another when the file is.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

/// A file whose times are not older than this when it is hashed may change once more within the same tick of its file
/// system's clock: its stamp proves nothing. Linux ticks every 1 to 10 ms; network servers are coarser.
const SETTLED: Duration = Duration::from_millis(200);

/// Everything that changes when somebody writes a file, replaces it or restores an old time (which moves ctime).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    dev: u64,
    ino: u64,
    size: u64,
    mode: u32,
    mtime_ns: i64,
    ctime_ns: i64,
}

impl Stamp {
    pub fn of(metadata: &Metadata) -> Stamp {
        let nanoseconds = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Stamp {
            dev: metadata.dev(),
            ino: metadata.ino(),
            size: metadata.len(),
            mode: metadata.mode(),
            mtime_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            ctime_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// When it became what it is, in nanoseconds since 1970.
    pub fn changed_ns(&self) -> i64 {
        self.ctime_ns
    }

    pub fn size_bytes(&self) -> u64 {
        self.size
    }

    /// Whether whatever is written from that time on gives another stamp.
    pub fn is_settled(&self, hashed_at: SystemTime) -> bool {
        let Ok(now) = hashed_at.duration_since(SystemTime::UNIX_EPOCH) else { return false };
        let latest = now.saturating_sub(SETTLED).as_nanos();
        [self.mtime_ns, self.ctime_ns].iter().all(|time| u128::try_from(*time).is_ok_and(|time| time < latest))
    }

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
}
