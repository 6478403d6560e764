//! The core metadata of a distribution in the store: the file `METADATA` of a wheel, or `PKG-INFO` of a source distribution.

use std::io::Read;

use crate::base::{Digest, RelPath};
use crate::store::{Result, Store};

/// More than any description in the public index. A longer file is cut: the fields come first.
const MOST_BYTES: u64 = 4 << 20;

/// The metadata in the output of a `Fetch` step: an unpacked wheel or source distribution, or a wheel file. `None` if there is
/// none, or it cannot be read.
pub fn read(store: &Store, tree: Digest) -> Result<Option<String>> {
    let nodes = store.tree(tree)?.nodes;
    let (mut found, mut wheel) = (None, None);
    for (path, node) in &nodes {
        match path.components().collect::<Vec<_>>()[..] {
            ["site-packages", dir, "METADATA"] if dir.ends_with(".dist-info") => found = node.content(),
            ["PKG-INFO"] if found.is_none() => found = node.content(),
            [name] if name.ends_with(".whl") => wheel = node.content(),
            _ => {}
        }
    }
    if let Some(digest) = found {
        return Ok(Some(String::from_utf8_lossy(&store.get(digest)?).into_owned()));
    }
    Ok(match wheel {
        Some(digest) => in_wheel(store, digest)?,
        None => None,
    })
}

/// The metadata in a wheel file. Its hash is that of the lockfile, and the step that installs it verifies its structure.
fn in_wheel(store: &Store, wheel: Digest) -> Result<Option<String>> {
    let Ok(mut archive) = zip::ZipArchive::new(store.open_blob(wheel)?) else { return Ok(None) };
    let is_metadata = |name: &&str| {
        let path = RelPath::parse(name).ok();
        path.is_some_and(|path| matches!(path.components().collect::<Vec<_>>()[..], [dir, "METADATA"] if dir.ends_with(".dist-info")))
    };
    let Some(name) = archive.file_names().find(is_metadata).map(str::to_owned) else { return Ok(None) };
    let Ok(member) = archive.by_name(&name) else { return Ok(None) };
    let mut bytes = Vec::new();
    let read = member.take(MOST_BYTES).read_to_end(&mut bytes);
    Ok(read.ok().map(|_| String::from_utf8_lossy(&bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Write;

    use super::*;
    use crate::store::{Node, Tree};

    fn check(files: &[(&str, &[u8])], expected: Option<&str>) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let node = |bytes: &[u8]| Node::File { digest: store.put(bytes).unwrap(), executable: false };
        let nodes: BTreeMap<RelPath, Node> =
            files.iter().map(|(path, bytes)| (RelPath::parse(path).unwrap(), node(bytes))).collect();
        let tree = store.put_tree(&Tree { nodes }).unwrap();
        assert_eq!(read(&store, tree).unwrap().as_deref(), expected, "{:?}", files.first().map(|(path, _)| path));
    }

    #[test]
    fn metadata_is_found_in_unpacked_and_packed_distributions() {
        check(&[("site-packages/a-1.dist-info/METADATA", b"a"), ("site-packages/b/METADATA", b"b")], Some("a"));
        check(&[("PKG-INFO", b"a"), ("src/a.egg-info/PKG-INFO", b"b")], Some("a"));
        let mut wheel = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        wheel.start_file("a-1.dist-info/METADATA", zip::write::SimpleFileOptions::default()).unwrap();
        wheel.write_all(b"a").unwrap();
        check(&[("a-1-py3-none-any.whl", &wheel.finish().unwrap().into_inner())], Some("a"));
    }

    #[test]
    fn a_distribution_without_readable_metadata_has_none() {
        check(&[("a.py", b"a")], None);
        check(&[("a-1-py3-none-any.whl", b"no zip file")], None);
    }
}
