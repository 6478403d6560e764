//! The property of wheels, tar archives and Debian packages: any bytes are rejected, or unpacked into the same tree each time. No
//! link leaves the tree, and a wheel has no file outside its four directories. Used by the mutation tests and by the fuzzer.

use std::error::Error;
use std::io::Cursor;
use std::sync::OnceLock;

use waders::base::{Digest, RelPath};
use waders::packaging::wheel::{Limits, unpack};
use waders::store::{Node, Store, Unpacking};

const WHEEL: &str = "sample-1.0-py3-none-any.whl";

/// The directories of an unpacked wheel.
const DIRECTORIES: [&str; 4] = ["bin", "data", "include", "site-packages"];

pub fn check(bytes: &[u8]) {
    let is_wheel = bytes.starts_with(b"PK");
    let Ok(digest) = unpacked(bytes, is_wheel) else { return };
    for (path, node) in store().tree(digest).unwrap().nodes {
        assert!(!is_wheel || DIRECTORIES.iter().any(|name| path.as_str().starts_with(&format!("{name}/"))), "{path}");
        if let Node::Symlink { target } = node {
            assert!(!is_wheel && stays_inside(&path, &target), "`{path}` -> `{target}`");
        }
    }
    assert_eq!(unpacked(bytes, is_wheel).unwrap(), digest);
}

fn unpacked(bytes: &[u8], is_wheel: bool) -> Result<Digest, Box<dyn Error>> {
    if is_wheel {
        return Ok(unpack(store(), WHEEL, &mut Cursor::new(bytes), &Limits::default())?.tree);
    }
    match bytes.starts_with(b"!<arch>") {
        true => Ok(store().unpack_deb(bytes)?),
        false => Ok(store().unpack_tar(bytes, &Unpacking::default())?),
    }
}

/// Whether no prefix of a link's target is outside the tree.
fn stays_inside(link: &RelPath, target: &str) -> bool {
    let mut depth = link.components().count() - 1;
    !target.starts_with('/')
        && target.split('/').all(|component| match component {
            "" | "." => true,
            ".." => depth.checked_sub(1).inspect(|above| depth = *above).is_some(),
            _ => {
                depth += 1;
                true
            }
        })
}

/// One store for all inputs; no result depends on what is in it.
fn store() -> &'static Store {
    static STORE: OnceLock<(tempfile::TempDir, Store)> = OnceLock::new();
    let open = || {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        (dir, store)
    };
    &STORE.get_or_init(open).1
}
