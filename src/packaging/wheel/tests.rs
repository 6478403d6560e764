//! Tests of unpacking with valid and invalid wheels. Each refusal is provoked with specially made bytes.

use std::io::{Cursor, Write};

use ::zip::write::SimpleFileOptions;
use ::zip::{CompressionMethod, ZipWriter};

use super::*;

const NAME: &str = "demo_pkg-1.0-py3-none-any.whl";
const INFO: &str = "demo_pkg-1.0.dist-info";

/// The members of a wheel before packing. RECORD is generated from them unless a test replaces it.
#[derive(Clone)]
struct Draft {
    files: Vec<(String, Vec<u8>, u32)>,
    record: Option<String>,
}

impl Draft {
    fn new() -> Draft {
        let draft = Draft { files: Vec::new(), record: None };
        draft
            .file("demo/__init__.py", "x = 1\n")
            .file(&format!("{INFO}/WHEEL"), "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
            .file(&format!("{INFO}/METADATA"), "Metadata-Version: 2.1\nName: Demo.Pkg\nVersion: 1.0.0\n\nVersion: 9\n")
    }

    fn file(self, name: &str, content: &str) -> Draft {
        self.mode(name, content, 0o644)
    }

    fn mode(mut self, name: &str, content: &str, mode: u32) -> Draft {
        self.files.push((name.to_owned(), content.as_bytes().to_vec(), mode));
        self
    }

    fn without(mut self, name: &str) -> Draft {
        self.files.retain(|(other, _, _)| other != name);
        self
    }

    fn record(mut self, change: impl Fn(String) -> String) -> Draft {
        self.record = Some(change(self.generated_record()));
        self
    }

    fn generated_record(&self) -> String {
        let rows: String = self
            .files
            .iter()
            .map(|(name, content, _)| record::row(name, &record::sha256(content), content.len()))
            .collect();
        rows + &record::row_without_hash(&format!("{INFO}/RECORD"))
    }

    fn bytes(&self) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let record = self.record.clone().unwrap_or_else(|| self.generated_record());
        let record = [(format!("{INFO}/RECORD"), record.into_bytes(), 0o644)];
        for (name, content, mode) in self.files.iter().chain(&record) {
            let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
            writer.start_file(name.as_str(), options.unix_permissions(*mode)).expect("member");
            writer.write_all(content).expect("content");
        }
        writer.finish().expect("zip").into_inner()
    }
}

fn unpack_bytes(name: &str, bytes: &[u8], limits: &Limits) -> Result<(tempfile::TempDir, Store, Wheel), String> {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("a store");
    let wheel = unpack(&store, name, &mut Cursor::new(bytes), limits).map_err(|error| error.to_string())?;
    Ok((dir, store, wheel))
}

fn unpacked(draft: &Draft) -> BTreeMap<String, (String, bool)> {
    let (_dir, store, wheel) = unpack_bytes(NAME, &draft.bytes(), &Limits::default()).expect("a good wheel");
    let files = store.tree(wheel.tree).expect("tree").nodes.into_iter().map(|(path, node)| match node {
        Node::File { digest, executable } => {
            let content = store.get(digest).expect("blob");
            (path.to_string(), (String::from_utf8_lossy(&content).into_owned(), executable))
        }
        other => panic!("{path}: {other:?}"),
    });
    files.collect()
}

fn refusal(name: &str, bytes: &[u8], limits: &Limits) -> String {
    unpack_bytes(name, bytes, limits).map(|_| "accepted").expect_err("a refusal")
}

fn refused_bytes(bytes: &[u8], expected: &str) {
    let message = refusal(NAME, bytes, &Limits::default());
    assert!(message.starts_with(&format!("{NAME}: ")), "{message}");
    assert!(message.contains(expected), "`{message}` should contain `{expected}`");
}

fn refused(draft: Draft, expected: &str) {
    refused_bytes(&draft.bytes(), expected);
}

#[test]
fn every_part_of_a_wheel_is_installed() {
    let files = unpacked(
        &Draft::new()
            .file("demo/__pycache__/__init__.cpython-312.pyc", "old")
            .file("demo.pth", "import demo\n")
            .mode("demo/tool", "#!/bin/sh\n", 0o755)
            .file("demo_pkg-1.0.data/purelib/more.py", "")
            .file("demo_pkg-1.0.data/scripts/run", "#!pythonw -x\nprint()\n")
            .file("demo_pkg-1.0.data/scripts/shell", "#!/bin/sh\n")
            .file("demo_pkg-1.0.data/data/share/a.txt", "a")
            .file("demo_pkg-1.0.data/headers/a.h", "h")
            .file(&format!("{INFO}/entry_points.txt"), "[console_scripts]\ndemo = demo:main\n"),
    );
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "bin/demo",
            "bin/run",
            "bin/shell",
            "data/share/a.txt",
            "include/demo-pkg/a.h",
            "site-packages/demo.pth",
            "site-packages/demo/__init__.py",
            "site-packages/demo/tool",
            "site-packages/demo_pkg-1.0.dist-info/INSTALLER",
            "site-packages/demo_pkg-1.0.dist-info/METADATA",
            "site-packages/demo_pkg-1.0.dist-info/RECORD",
            "site-packages/demo_pkg-1.0.dist-info/WHEEL",
            "site-packages/demo_pkg-1.0.dist-info/entry_points.txt",
            "site-packages/more.py",
        ]
    );
    assert_eq!(files["bin/run"], ("#!/deps/bin/python\nprint()\n".to_owned(), true));
    assert_eq!(files["bin/shell"], ("#!/bin/sh\n".to_owned(), true));
    assert!(files["site-packages/demo/tool"].1 && !files["site-packages/demo/__init__.py"].1);
    assert!(files["site-packages/demo_pkg-1.0.dist-info/RECORD"].0.starts_with("../../../bin/demo,sha256="));
}

#[test]
fn pth_files_are_listed() {
    let draft = Draft::new().file("a.pth", "import os\n").file("demo/b.pth", "");
    let (_dir, _store, wheel) = unpack_bytes(NAME, &draft.bytes(), &Limits::default()).expect("a good wheel");
    assert_eq!(wheel.pth, [RelPath::parse("site-packages/a.pth").expect("clean")]);
}

#[test]
fn a_record_that_does_not_match_is_rejected() {
    refused(
        Draft::new().record(|text| text.replacen("sha256=", "sha256=A", 1)),
        "`demo/__init__.py`: mismatch with RECORD: the sha256 is",
    );
    refused(Draft::new().record(|text| text.replacen(",6\n", ",7\n", 1)), "the size is 6, but `7` is listed");
    refused(
        Draft::new().record(|text| text + "gone.py,sha256=x,1\n"),
        "`gone.py`: mismatch with RECORD: the file is listed, but missing",
    );
    refused(Draft::new().record(|text| text + "../../out.py,sha256=x,1\n"), "`../../out.py`");
    refused(
        Draft::new().record(|text| text.lines().skip(1).collect::<Vec<_>>().join("\n")),
        "mismatch with RECORD: the file is not listed",
    );
    refused(Draft::new().record(|text| text.replacen("sha256=", "md5=", 1)), "insecure hash algorithm `md5`");
    refused(Draft::new().record(|_| "demo/__init__.py,,\n".to_owned()), "listed without a hash");
    refused(Draft::new().record(|text| format!("{text}{text}")), "for the second time");
    refused(Draft::new().record(|_| "demo\n".to_owned()), "line 1 of RECORD does not have three values");
}

#[test]
fn the_contents_of_a_wheel_must_match_its_file_name() {
    let bytes = Draft::new().bytes();
    let check = |name: &str, expected: &str| {
        let message = refusal(name, &bytes, &Limits::default());
        assert!(message.contains(expected), "{message}");
    };
    check("other-1.0-py3-none-any.whl", "`demo_pkg-1.0.dist-info` does not match the file name");
    check("demo_pkg-2.0-py3-none-any.whl", "does not match the file name");
    check("demo.tar.gz", "invalid wheel file name: ");
    refused(Draft::new().file("b-1.dist-info/METADATA", ""), "expected one `.dist-info` directory, found 2");
    refused(Draft::new().without(&format!("{INFO}/WHEEL")), "`demo_pkg-1.0.dist-info/WHEEL` is missing");
    let other = Draft::new().without(&format!("{INFO}/METADATA"));
    refused(other.file(&format!("{INFO}/METADATA"), "Name: x\nVersion: 1.0\n"), "METADATA names the package `x` `1.0`");
    let future = Draft::new().without(&format!("{INFO}/WHEEL"));
    refused(future.file(&format!("{INFO}/WHEEL"), "Wheel-Version: 2.0\n"), "unsupported wheel version `2.0`");
}

#[test]
fn unsafe_paths_are_rejected() {
    for (name, expected) in [
        ("../evil.py", "contains `..`"),
        ("demo/../../evil.py", "contains `..`"),
        ("demo/./a.py", "contains `..`, `.` or an empty component"),
        ("demo//a.py", "an empty component"),
        ("/etc/evil", "is absolute"),
        ("demo\\..\\evil.py", "contains a backslash"),
        ("C:/evil.py", "starts with a drive letter"),
        ("a\nb.py", "contains a control character"),
        ("demo/__init__.py/inner.py", "has a file as a parent directory"),
    ] {
        // The zip writer normalizes names, so a name of the same length is replaced in the bytes.
        let harmless = "z".repeat(name.len());
        let draft = Draft::new().file(&harmless, "");
        refused_bytes(&replaced(&draft.bytes(), harmless.as_bytes(), name.as_bytes()), expected);
    }
    refused(Draft::new().file(&vec!["d"; 101].join("/"), ""), "is too long or too deep");
    refused(Draft::new().file(&"n".repeat(256), ""), "is too long or too deep");
    refused_bytes(
        &replaced(&Draft::new().file("zz.py", "").bytes(), b"zz.py", b"\xff\xfe.py"),
        "is not declared as UTF-8",
    );
}

#[test]
fn invalid_data_files_are_rejected() {
    refused(Draft::new().file("demo_pkg-1.0.data/elsewhere/x", ""), "unknown scheme `elsewhere`");
    refused(Draft::new().file("demo_pkg-1.0.data/purelib", ""), "not in a scheme directory");
    refused(
        Draft::new().file("demo_pkg-1.0.data/purelib/demo/__init__.py", "other"),
        "would be installed twice with different contents",
    );
    refused(Draft::new().file("demo_pkg-1.0.data/purelib/demo", ""), "is both a file and a directory");
    for entry in ["../../x = a:b", "a/b = a:b", "x = os; import evil"] {
        let text = format!("[console_scripts]\n{entry}\n");
        refused(Draft::new().file(&format!("{INFO}/entry_points.txt"), &text), "invalid entry point `");
    }
}

#[test]
fn links_and_other_file_types_are_rejected() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.add_symlink("demo/link", "/etc/passwd", SimpleFileOptions::default()).expect("member");
    refused_bytes(&writer.finish().expect("zip").into_inner(), "`demo/link`: unsupported member type: symbolic link");
    let draft = Draft::new().file("zz", "");
    let bytes = patched_directory(&draft.bytes(), b"zz", 38, &(0o060_644_u32 << 16).to_le_bytes());
    refused_bytes(&bytes, "neither a file nor a directory");
}

#[test]
fn a_file_that_readers_could_interpret_differently_is_rejected() {
    let draft = Draft::new().file("zz.py", "harmless\n");
    let good = draft.bytes();
    let prefixed = [b"MZ\0\0".as_slice(), &good].concat();
    refused_bytes(&prefixed, "the central directory is not directly before the end record");
    refused_bytes(&[good.as_slice(), b"\0"].concat(), "the file does not end with a zip end record");
    let doubled = [good.as_slice(), &good].concat();
    refused_bytes(&doubled, "the central directory is not directly before the end record");
    refused_bytes(&good[..good.len() - 30], "the file does not end with a zip end record");
    refused_bytes(b"", "the file is too short");
    refused_bytes(&vec![0; 5000], "the file does not end with");

    let names = offsets(&good, b"zz.py");
    let mut local_name = good.clone();
    local_name[names[0]] = b'y';
    refused_bytes(&local_name, "`zz.py`: ambiguous zip structure: the local header differs");
    for (offset, what) in [(14, "crc"), (18, "compressed size"), (22, "size"), (8, "method"), (6, "flags")] {
        let mut bytes = good.clone();
        bytes[names[0] - 30 + offset] ^= 2;
        let message = refusal(NAME, &bytes, &Limits::default());
        assert!(message.contains("the local header differs") || message.contains("encryption"), "{what}: {message}");
    }
    refused_bytes(&replaced(&draft.clone().file("zy.py", "").bytes(), b"zy.py", b"zz.py"), "duplicate member");
}

#[test]
fn bytes_that_belong_to_no_member_are_rejected() {
    let good = Draft::new().file("zz.py", "harmless\n").bytes();
    let directory_at = u32::from_le_bytes(good[good.len() - 6..good.len() - 2].try_into().expect("4 bytes")) as usize;
    let mut bytes = [&good[..directory_at], b"hidden", &good[directory_at..]].concat();
    let end = bytes.len();
    bytes[end - 6..end - 2].copy_from_slice(&(directory_at as u32 + 6).to_le_bytes());
    refused_bytes(&bytes, "unaccounted data follows the member");
    // Two members at the same offset.
    let names = offsets(&good, b"zz.py");
    let mut bytes = good.clone();
    bytes[names[1] - 4..names[1]].copy_from_slice(&0_u32.to_le_bytes());
    refused_bytes(&bytes, "overlaps");
}

#[test]
fn wrong_sizes_are_rejected() {
    let good = Draft::new().file("zz.py", "harmless\n").bytes();
    let with_size = |value: u32| {
        let bytes = patched_directory(&good, b"zz.py", 24, &value.to_le_bytes());
        let local = offsets(&bytes, b"zz.py")[0] - 30;
        [&bytes[..local + 22], &value.to_le_bytes(), &bytes[local + 26..]].concat()
    };
    refused_bytes(&with_size(8), "the size differs from the declared size");
    refused_bytes(&with_size(10), "the size differs from the declared size");
    // 0xffffffff refers to an extra field with the size.
    refused_bytes(&with_size(0xffff_ffff), "the extra fields contradict the header");
    let crc = patched_directory(&good, b"zz.py", 16, &[1, 2, 3, 4]);
    let local = offsets(&crc, b"zz.py")[0] - 30;
    refused_bytes(
        &[&crc[..local + 14], &[1, 2, 3, 4], &crc[local + 18..]].concat(),
        "the checksum differs from the declared checksum",
    );
}

#[test]
fn zip_bombs_are_rejected_before_they_are_unpacked() {
    let draft = Draft::new().file("zz", &"\0".repeat(1 << 20));
    let bytes = draft.bytes();
    let check = |limits: Limits, expected: &str| {
        let message = refusal(NAME, &bytes, &limits);
        assert!(message.contains("exceeds the size limit") && message.contains(expected), "{message}");
    };
    check(Limits { members: 2, ..Limits::default() }, "5 members, the limit is 2");
    check(Limits { member_bytes: 1000, ..Limits::default() }, "`zz`");
    check(Limits { total_bytes: 1 << 19, ..Limits::default() }, "would expand to");
    check(Limits { ratio: 10, free_bytes: 0, ..Limits::default() }, "would expand to");
}

#[test]
fn encryption_and_unknown_compression_are_rejected() {
    let good = Draft::new().file("zz.py", "harmless\n").bytes();
    refused_bytes(&patched_directory(&good, b"zz.py", 8, &[1, 0]), "encryption or several disks");
    refused_bytes(&patched_directory(&good, b"zz.py", 10, &[93, 0]), "other than `stored` and `deflate`");
}

#[test]
fn a_second_name_in_an_extra_field_is_rejected() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let mut options = ::zip::write::FullFileOptions::default();
    options.add_extra_data(0x6666, vec![1, 2, 3, 4, 5], false).expect("extra");
    writer.start_file("zz.py", options).expect("member");
    let bytes = writer.finish().expect("zip").into_inner();
    refused_bytes(&replaced(&bytes, &[0x66, 0x66, 5, 0], &[0x75, 0x70, 5, 0]), "an extra field declares a second name");
}

#[test]
fn damaged_wheels_are_neither_unpacked_nor_cause_a_panic() {
    let good = Draft::new().file("zz.py", "harmless\n").bytes();
    let (_dir, store, _) = unpack_bytes(NAME, &good, &Limits::default()).expect("a good wheel");
    // Damage to times, versions and permission bits is tolerated; paths and contents must be the same.
    let files = |bytes: &[u8]| -> Option<Vec<(RelPath, Digest)>> {
        let expected = NAME.parse().expect("a wheel's name");
        let tree = unpack_as(&expected, &mut Cursor::new(bytes), &Limits::default(), &store.batch()).ok()?;
        let files = tree.nodes.into_iter().filter_map(|(path, node)| match node {
            Node::File { digest, .. } => Some((path, digest)),
            _ => None,
        });
        Some(files.collect())
    };
    let expected = files(&good);
    for place in 0..good.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = good.clone();
            bytes[place] ^= flip;
            let found = files(&bytes);
            assert!(found.is_none() || found == expected, "byte {place} with {flip:#x}");
        }
    }
    for length in 0..good.len() {
        assert_eq!(files(&good[..length]), None, "{length} bytes");
    }
}

#[test]
fn data_descriptors_and_large_file_records_are_read() {
    let draft = Draft::new();
    let mut writer = ZipWriter::new_stream(Vec::new());
    let record = draft.generated_record();
    let files = draft.files.iter().map(|(name, content, _)| (name.clone(), content.clone()));
    for (name, content) in files.chain([(format!("{INFO}/RECORD"), record.into_bytes())]) {
        writer.start_file(name, SimpleFileOptions::default()).expect("member");
        writer.write_all(&content).expect("content");
    }
    let streamed = writer.finish().expect("zip").into_inner();
    unpack_bytes(NAME, &streamed, &Limits::default()).expect("descriptors agree");
    let descriptor = offsets(&streamed, b"PK\x07\x08")[0];
    let mut damaged = streamed.clone();
    damaged[descriptor + 4] ^= 1;
    refused_bytes(&damaged, "the data descriptor differs");
}

#[test]
fn repeated_sizes_must_be_the_same() {
    let sizes = |sizes: [u64; 2]| {
        let draft = Draft::new().file("zz.py", "harmless\n");
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let record = (format!("{INFO}/RECORD"), draft.generated_record().into_bytes(), 0);
        for (name, content, _) in draft.files.iter().chain([&record]) {
            let mut options = ::zip::write::FullFileOptions::default().compression_method(CompressionMethod::Stored);
            let declared = if name == "zz.py" { sizes } else { [content.len() as u64; 2] };
            options.add_extra_data(0x6666, declared.map(u64::to_le_bytes).concat(), false).expect("extra");
            writer.start_file(name.as_str(), options).expect("member");
            writer.write_all(content).expect("content");
        }
        replaced(&writer.finish().expect("zip").into_inner(), &[0x66, 0x66, 16, 0], &[1, 0, 16, 0])
    };
    unpack_bytes(NAME, &sizes([9, 9]), &Limits::default()).expect("the same sizes");
    refused_bytes(&sizes([10, 9]), "`zz.py`: damaged data: the extra fields contradict the header");
    let mut large = ZipWriter::new(Cursor::new(Vec::new()));
    let draft = Draft::new();
    let record = (format!("{INFO}/RECORD"), draft.generated_record().into_bytes(), 0);
    for (name, content, _) in draft.files.iter().chain([&record]) {
        large.start_file(name.as_str(), SimpleFileOptions::default().large_file(true)).expect("member");
        large.write_all(content).expect("content");
    }
    unpack_bytes(NAME, &large.finish().expect("zip").into_inner(), &Limits::default()).expect("sizes of 8 bytes");
}

#[test]
fn files_added_by_java_tools_are_ignored() {
    let files = unpacked(&Draft::new().file("META-INF/MANIFEST.MF", "").record(|text| {
        text.lines().filter(|line| !line.starts_with("META-INF")).map(|line| format!("{line}\n")).collect()
    }));
    assert!(!files.keys().any(|path| path.contains("META-INF")));
}

/// All offsets of `needle`. The name of a member occurs first in the local header, then in the central directory.
fn offsets(bytes: &[u8], needle: &[u8]) -> Vec<usize> {
    (0..bytes.len()).filter(|place| bytes[*place..].starts_with(needle)).collect()
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    for place in offsets(&bytes.clone(), from) {
        bytes[place..place + to.len()].copy_from_slice(to);
    }
    bytes
}

/// Replaces bytes at an offset of a member's header in the central directory.
fn patched_directory(bytes: &[u8], name: &[u8], offset: usize, value: &[u8]) -> Vec<u8> {
    let header = offsets(bytes, name)[1] - 46;
    let mut bytes = bytes.to_vec();
    bytes[header + offset..header + offset + value.len()].copy_from_slice(value);
    bytes
}
