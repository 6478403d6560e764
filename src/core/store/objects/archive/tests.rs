//! Unpacking of valid, damaged and hostile archives.

use std::fs;
use std::io::Write;

use ::tar::{Builder, EntryType, Header};

use super::*;
use crate::base::{Digest, RelPath};
use crate::store::{CaptureLimits, Error, Node, Result, Store, Tree};

fn open_store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).unwrap();
    (dir, store)
}

/// Appends an entry with an unchecked name, so that hostile names are possible.
fn entry(builder: &mut Builder<Vec<u8>>, kind: EntryType, name: &str, link: &str, content: &[u8]) {
    let mut header = Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_gnu_mut().unwrap().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_mode(if name.ends_with(".sh") { 0o4755 } else { 0o644 });
    header.set_cksum();
    builder.append(&header, content).unwrap();
}

/// A tar of entries `(kind, name, link or content)`.
fn tar(entries: &[(EntryType, &str, &str)]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (kind, name, text) in entries {
        let is_link = matches!(kind, EntryType::Symlink | EntryType::Link);
        let (link, content) = if is_link { (*text, "") } else { ("", *text) };
        entry(&mut builder, *kind, name, link, content.as_bytes());
    }
    builder.into_inner().unwrap()
}

fn unpack(bytes: &[u8], unpacking: &Unpacking) -> Result<Tree> {
    let (_dir, store) = open_store();
    unpack_into(&store, bytes, unpacking)
}

fn unpack_into(store: &Store, bytes: &[u8], unpacking: &Unpacking) -> Result<Tree> {
    let unpacked = store.unpack_tar(bytes, unpacking);
    let Err(error) = unpacked else { return store.tree(unpacked?) };
    let verified = store.verify().unwrap();
    assert_eq!(verified.objects, 0, "an object of a refused archive was published");
    assert_eq!(fs::read_dir(store.tmp.dir()).unwrap().count(), 0, "a file of a refused archive is left in tmp");
    Err(error)
}

fn refused(entries: &[(EntryType, &str, &str)], why: &str) {
    match unpack(&tar(entries), &Unpacking::default()) {
        Err(error) => assert!(error.to_string().contains(why), "{error}"),
        Ok(tree) => panic!("{entries:?} gave {tree:?}"),
    }
}

fn sample() -> Vec<u8> {
    tar(&[
        (EntryType::Directory, "./", ""),
        (EntryType::Directory, "top/empty/", ""),
        (EntryType::Regular, "top/bin/run.sh", "exit"),
        (EntryType::Link, "top/bin/again", "top/bin/run.sh"),
        (EntryType::Symlink, "top/link", "bin/run.sh"),
    ])
}

fn sample_tree() -> Tree {
    let path = |text: &str| RelPath::parse(text).unwrap();
    let run = Node::File { digest: Digest::of(b"exit"), executable: true };
    let nodes = [
        (path("empty"), Node::EmptyDirectory),
        (path("bin/run.sh"), run.clone()),
        (path("bin/again"), run),
        (path("link"), Node::Symlink { target: "bin/run.sh".to_owned() }),
    ];
    Tree { nodes: nodes.into() }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    lzma_rs::xz_compress(&mut io::Cursor::new(bytes), &mut packed).unwrap();
    packed
}

#[test]
fn every_compression_yields_the_same_tree() {
    for packed in [sample(), gzip(&sample()), zstd(&sample()), xz(&sample())] {
        assert_eq!(unpack(&packed, &Unpacking::stripped(1)).unwrap(), sample_tree());
    }
    let two_frames = [zstd(&sample()[..1024]), zstd(&sample()[1024..])].concat();
    assert_eq!(unpack(&two_frames, &Unpacking::stripped(1)).unwrap(), sample_tree());
}

#[test]
fn a_truncated_archive_is_refused() {
    let (_dir, store) = open_store();
    for packed in [sample(), gzip(&sample()), zstd(&sample()), xz(&sample())] {
        for part in 0..10 {
            // An uncompressed archive has two blocks of zeros at its end, and one is sufficient.
            let end = (packed.len() - 1024.min(packed.len() / 10)) * part / 10;
            assert!(unpack_into(&store, &packed[..end], &Unpacking::default()).is_err(), "{end} of {}", packed.len());
        }
    }
}

#[test]
fn a_flipped_byte_of_a_compressed_archive_is_detected() {
    // The encoder of these tests writes xz without a checksum.
    for mut packed in [gzip(&sample()), zstd(&sample())] {
        let middle = packed.len() / 2;
        packed[middle] ^= 0x10;
        assert!(unpack(&packed, &Unpacking::stripped(1)).is_err());
    }
}

#[test]
fn long_names_are_supported() {
    let name = format!("{}/file", ["directory"; 30].join("/"));
    let mut builder = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_size(1);
    header.set_mode(0o644);
    builder.append_data(&mut header, &name, &b"x"[..]).unwrap();
    let tree = unpack(&builder.into_inner().unwrap(), &Unpacking::default()).unwrap();
    assert_eq!(tree.nodes.keys().next().unwrap().as_str(), name);
}

#[test]
fn names_that_leave_the_root_are_refused() {
    refused(&[(EntryType::Regular, "../x", "")], "`..`");
    refused(&[(EntryType::Regular, "a/../../x", "")], "`..`");
    refused(&[(EntryType::Regular, "/etc/passwd", "")], "absolute");
}

#[test]
fn escaping_links_are_refused() {
    refused(&[(EntryType::Symlink, "a", "/etc")], "points outside");
    refused(&[(EntryType::Symlink, "a/b", "../../x")], "points outside");
    refused(&[(EntryType::Symlink, "d/up", ".."), (EntryType::Symlink, "d/x", "up/../y")], "points outside");
    refused(&[(EntryType::Link, "a", "../x")], "`..`");
    refused(&[(EntryType::Link, "a", "nowhere")], "not an earlier file");
}

#[test]
fn a_file_below_a_link_is_refused() {
    refused(&[(EntryType::Symlink, "a", "b"), (EntryType::Regular, "a/x", "")], "other nodes below");
}

#[test]
fn repeated_entries_must_be_equal() {
    refused(&[(EntryType::Regular, "a", "1"), (EntryType::Regular, "a", "2")], "two different entries");
    let twice = tar(&[(EntryType::Regular, "a", "1"), (EntryType::Regular, "./a", "1")]);
    assert_eq!(unpack(&twice, &Unpacking::default()).unwrap().nodes.len(), 1);
}

#[test]
fn special_files_are_refused_or_left_out() {
    for kind in [EntryType::Char, EntryType::Block, EntryType::Fifo] {
        refused(&[(kind, "dev", "")], "`dev` is a");
        let skipping = Unpacking { skip_special: true, ..Unpacking::default() };
        assert_eq!(unpack(&tar(&[(kind, "dev", "")]), &skipping).unwrap(), Tree::default());
    }
}

#[test]
fn absolute_links_of_a_system_tree_become_relative() {
    let links = tar(&[
        (EntryType::Symlink, "usr/lib/x", "/lib/y"),
        (EntryType::Symlink, "root", "/"),
        (EntryType::Symlink, "usr/bin/sh", "dash"),
    ]);
    let targets: Vec<_> = unpack(&links, &Unpacking::system()).unwrap().nodes.into_values().collect();
    let link = |target: &str| Node::Symlink { target: target.to_owned() };
    assert_eq!(targets, [link("."), link("dash"), link("../../lib/y")]);
}

#[test]
fn decompression_bombs_are_refused() {
    let limits = UnpackLimits { entries: 2, bytes: 1 << 20, ratio: 200 };
    let unpacking = Unpacking { limits, ..Unpacking::default() };
    let many = tar(&[(EntryType::Regular, "a", ""), (EntryType::Regular, "b", ""), (EntryType::Regular, "c", "")]);
    assert!(unpack(&many, &unpacking).unwrap_err().to_string().contains("more than 2 entries"));
    let mut builder = Builder::new(Vec::new());
    entry(&mut builder, EntryType::Regular, "zeros", "", &vec![0; 20 << 20]);
    let large = builder.into_inner().unwrap();
    for packed in [gzip(&large), zstd(&large), large.clone()] {
        assert!(unpack(&packed, &unpacking).is_err());
    }
    let error = unpack(&gzip(&large), &Unpacking::default()).unwrap_err();
    let Error::Archive { source: Some(source), .. } = error else { panic!("{error}") };
    assert!(source.to_string().contains("200 times its size"), "{source}");
}

fn deb(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = ar::Builder::new(Vec::new());
    for (name, content) in members {
        builder.append(&ar::Header::new(name.as_bytes().to_vec(), content.len() as u64), *content).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn the_data_member_of_a_package_is_unpacked() {
    let (_dir, store) = open_store();
    let data = xz(&sample());
    let package = deb(&[("debian-binary", b"2.0\n"), ("control.tar.xz", b"unread"), ("data.tar.xz", &data)]);
    let tree = store.unpack_deb(package.as_slice()).unwrap();
    let inner = store.subtree(tree, &RelPath::parse("top").unwrap()).unwrap().unwrap();
    assert_eq!(store.tree(inner).unwrap(), sample_tree());
    let image = store.materialize(tree).unwrap();
    assert_eq!(store.capture(&image, &CaptureLimits::default()).unwrap(), tree);
}

#[test]
fn an_invalid_package_is_refused() {
    let (_dir, store) = open_store();
    let data = sample();
    let cut = deb(&[("debian-binary", b"2.0\n"), ("data.tar", &data)]);
    for bytes in [
        Vec::new(),
        b"<html>not found</html>".to_vec(),
        deb(&[("debian-binary", b"3.0\n"), ("data.tar", &data)]),
        deb(&[("data.tar", &data)]),
        deb(&[("debian-binary", b"2.0\n")]),
        cut[..cut.len() - 2000].to_vec(),
    ] {
        assert!(matches!(store.unpack_deb(bytes.as_slice()), Err(Error::Archive { .. })));
    }
}

/// Real packages: `WADERS_TEST_DEBS=<directory of .deb files> cargo test --lib real_packages -- --ignored`.
#[test]
#[ignore = "needs real packages"]
fn real_packages_unpack() {
    let Ok(dir) = std::env::var("WADERS_TEST_DEBS") else {
        eprintln!("skipped: `WADERS_TEST_DEBS` is not set");
        return;
    };
    let (_dir, store) = open_store();
    let mut parts = Vec::new();
    for file in fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        let start = std::time::Instant::now();
        let tree = store.unpack_deb(fs::File::open(&path).unwrap()).unwrap();
        let nodes = store.tree(tree).unwrap().nodes.len();
        eprintln!("{}: {nodes} nodes, {:?}", path.display(), start.elapsed());
        parts.push((RelPath::root(), tree));
    }
    let merged = store.merge(&parts).unwrap();
    let image = store.materialize(merged).unwrap();
    assert_eq!(store.capture(&image, &CaptureLimits::default()).unwrap(), merged);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]

    /// An archive with a few flipped bytes yields a tree or an error, never a panic or a hang.
    #[test]
    fn corrupted_archives_do_not_panic(
        flips in proptest::collection::vec((0_usize..10_000, 1_u8..=255), 1..6),
        form in 0..4,
    ) {
        thread_local!(static STORE: (tempfile::TempDir, Store) = open_store());
        let pack = [|bytes: &[u8]| bytes.to_vec(), gzip, zstd, xz][form as usize];
        let mut bytes = pack(&sample());
        for (at, flip) in flips {
            let at = at % bytes.len();
            bytes[at] ^= flip;
        }
        STORE.with(|(_dir, store)| {
            let limits = UnpackLimits { entries: 100, bytes: 1 << 22, ratio: 200 };
            let _ = store.unpack_tar(bytes.as_slice(), &Unpacking { limits, ..Unpacking::default() });
        });
    }
}
