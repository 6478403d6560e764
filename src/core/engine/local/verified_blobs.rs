//! The blobs whose content a sandbox of this process has verified while it copied them: one verification in each run is enough,
//! and a run of many tests copies the same sources many times.

use std::sync::{Mutex, PoisonError};

use rustc_hash::FxHashSet;
use waders_sandbox::{Mount, MountKind, TreeEntry};

/// Their hashes in hexadecimal.
#[derive(Default)]
pub(super) struct VerifiedBlobs(Mutex<FxHashSet<String>>);

impl VerifiedBlobs {
    /// The hash that the sandbox must verify; `None` if it already has.
    pub(super) fn to_verify(&self, hash: String) -> Option<String> {
        (!self.lock().contains(&hash)).then_some(hash)
    }

    /// Records that a sandbox copied the trees in `mounts`.
    pub(super) fn add(&self, mounts: &[Mount]) {
        let mut verified = self.lock();
        for mount in mounts {
            let MountKind::Copied { entries, .. } = &mount.kind else { continue };
            for entry in entries.values() {
                if let TreeEntry::File { blake3: Some(hash), .. } = entry
                    && !verified.contains(hash)
                {
                    verified.insert(hash.clone());
                }
            }
        }
    }

    /// A set stays consistent if a thread panics.
    fn lock(&self) -> std::sync::MutexGuard<'_, FxHashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_verified_until_a_sandbox_has_copied_it() {
        let verified = VerifiedBlobs::default();
        let entry = |hash: Option<String>| TreeEntry::File {
            from: "from".to_owned(),
            size_bytes: 1,
            executable: false,
            blake3: hash,
        };
        let entries = [("a".to_owned(), entry(verified.to_verify("1".to_owned()))), ("b".to_owned(), entry(None))];
        let kind = MountKind::Copied {
            source: "/blobs".into(),
            entries: entries.into(),
            reversed: false,
            read_only: false,
            modified: 0,
            more_bytes: 0,
            more_inodes: 0,
        };
        verified.add(&[Mount { at: "/src".into(), kind }]);
        assert_eq!(verified.to_verify("1".to_owned()), None);
        assert_eq!(verified.to_verify("2".to_owned()).as_deref(), Some("2"));
    }
}
