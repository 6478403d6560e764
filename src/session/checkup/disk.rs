//! The store: its place, the space there, and what its file system supports.

use std::path::Path;

use rustix::fs::{StatFs, StatVfsMountFlags, statfs, statvfs};

use super::Check;
use crate::base::ErrorKind;
use crate::config::typed::StoreSettings;
use crate::report::size;
use crate::session::Session;

/// Less than this is not enough for the packages of a repository.
const LITTLE_BYTES: u64 = 4 << 30;

/// Less than this is not enough for one toolchain.
const TOO_LITTLE_BYTES: u64 = 512 << 20;

/// Fewer free inodes than this are not enough for the packages of a repository.
const FEW_INODES: u64 = 100_000;

/// File systems of other machines, by the numbers in statfs(2): the locks of SQLite's write-ahead log do not work there.
const NETWORK: [(u32, &str); 6] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x0102_1997, "9p"),
    (0x00c3_6400, "Ceph"),
];

const ADVICE: &str =
    "set `dir` in the section `[store]` of `waders.toml`, or `XDG_CACHE_HOME`, to a directory on a local disk";

pub(super) fn check(session: &mut Session) -> Vec<Check> {
    let store = match session.services.open_store() {
        Ok(store) => store,
        Err(error) => return vec![Check::from_error("store", error.kind(), &error, error.hint())],
    };
    let settings = StoreSettings::parse(session.config());
    let limit = settings.max_bytes.unwrap_or_else(|| store.default_max_bytes());
    let mut checks = vec![Check::fine("store", format!("`{}`, at most {}", store.root().display(), size(limit)))];
    checks.extend(space(store.root()));
    checks.extend(file_system(store.root()));
    checks
}

/// The free space and the free inodes.
fn space(dir: &Path) -> Vec<Check> {
    let Ok(disk) = statvfs(dir) else { return Vec::new() };
    let inodes = (disk.f_files > 0).then_some(disk.f_favail);
    vec![free_bytes(disk.f_bavail.saturating_mul(disk.f_frsize))]
        .into_iter()
        .chain(inodes.and_then(free_inodes))
        .collect()
}

fn free_bytes(bytes: u64) -> Check {
    let (name, detail) = ("free disk", size(bytes));
    let advice = || crate::store::NO_SPACE_HINT.to_owned();
    match bytes {
        0..TOO_LITTLE_BYTES => Check::failed(name, ErrorKind::Store, detail, Some(advice())),
        TOO_LITTLE_BYTES..LITTLE_BYTES => Check::warning(name, detail, advice()),
        _ => Check::fine(name, detail),
    }
}

/// `None` if there are enough: nobody needs their number.
fn free_inodes(inodes: u64) -> Option<Check> {
    let detail = format!("{inodes}: the file system has room for few further files");
    (inodes < FEW_INODES).then(|| Check::warning("free inodes", detail, crate::store::NO_SPACE_HINT))
}

/// Whether the file system can hold a store.
fn file_system(dir: &Path) -> Option<Check> {
    let kind = statfs(dir).ok().and_then(network_name);
    let is_noexec = statvfs(dir).is_ok_and(|disk| disk.f_flag.contains(StatVfsMountFlags::NOEXEC));
    let name = "file system of the store";
    if is_noexec {
        let detail = "it is mounted with `noexec`, so that steps cannot execute the interpreters in it";
        return Some(Check::failed(name, ErrorKind::Store, detail, Some(ADVICE.to_owned())));
    }
    let detail = format!("it is {}, where the locks of the index are not reliable", kind?);
    Some(Check::warning(name, detail, ADVICE))
}

fn network_name(found: StatFs) -> Option<&'static str> {
    // The type is a number of 32 bits in a field that is wider on some machines.
    NETWORK.iter().find(|(number, _)| *number == found.f_type as u32).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::super::CheckState;
    use super::*;

    #[test]
    fn little_space_is_a_warning_and_none_a_failure() {
        assert_eq!(free_bytes(100 << 30).state, CheckState::Fine);
        assert_eq!(free_bytes(1 << 30).state, CheckState::Warning);
        assert_eq!(free_bytes(0).state, CheckState::Failed(ErrorKind::Store));
        assert!(free_inodes(10).is_some() && free_inodes(10_000_000).is_none());
    }
}
