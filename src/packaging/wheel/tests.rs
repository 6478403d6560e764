//! Wheels as they should be and as they should not: each refusal is provoked with bytes made for it.

use std::io::{Cursor, Write};

use ::zip::write::SimpleFileOptions;
use ::zip::{CompressionMethod, ZipWriter};

use super::*;

const NAME: &str = "demo_pkg-1.0-py3-none-any.whl";
const INFO: &str = "demo_pkg-1.0.dist-info";

/// A wheel's members before they are packed. RECORD is made from them, unless a test brings its own.
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
        self.record = Some(change(self.made_record()));
        self
    }

    fn made_record(&self) -> String {
        let rows: String = self.files.iter().map(|(name, content, _)| record::row(name, content)).collect();
        rows + &record::row_without_hash(&format!("{INFO}/RECORD"))
    }

    fn bytes(&self) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let record = self.record.clone().unwrap_or_else(|| self.made_record());
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
    assert!(message.contains(expected), "`{message}` should say `{expected}`");
}

fn refused(draft: Draft, expected: &str) {
    refused_bytes(&draft.bytes(), expected);
}

#[test]
fn every_part_of_a_wheel_finds_its_place() {
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
fn a_record_that_does_not_tell_the_truth_is_refused() {
    refused(
        Draft::new().record(|text| text.replacen("sha256=", "sha256=A", 1)),
        "`demo/__init__.py`: it does not agree with its RECORD: its sha256 is",
    );
    refused(Draft::new().record(|text| text.replacen(",6\n", ",7\n", 1)), "its size is 6, RECORD says `7`");
    refused(
        Draft::new().record(|text| text + "gone.py,sha256=x,1\n"),
        "`gone.py`: it does not agree with its RECORD: RECORD lists it",
    );
    refused(Draft::new().record(|text| text + "../../out.py,sha256=x,1\n"), "`../../out.py`");
    refused(
        Draft::new().record(|text| text.lines().skip(1).collect::<Vec<_>>().join("\n")),
        "it is not listed in RECORD",
    );
    refused(Draft::new().record(|text| text.replacen("sha256=", "md5=", 1)), "`md5`, which proves nothing");
    refused(Draft::new().record(|_| "demo/__init__.py,,\n".to_owned()), "RECORD gives no hash for it");
    refused(Draft::new().record(|text| format!("{text}{text}")), "for the second time");
    refused(Draft::new().record(|_| "demo\n".to_owned()), "line 1 of RECORD has not three values");
}

#[test]
fn a_wheel_must_be_the_one_its_name_says() {
    let bytes = Draft::new().bytes();
    let check = |name: &str, expected: &str| {
        let message = refusal(name, &bytes, &Limits::default());
        assert!(message.contains(expected), "{message}");
    };
    check("other-1.0-py3-none-any.whl", "`demo_pkg-1.0.dist-info` belongs to another package");
    check("demo_pkg-2.0-py3-none-any.whl", "belongs to another package");
    check("demo.tar.gz", "this is not how a wheel is called");
    refused(Draft::new().file("b-1.dist-info/METADATA", ""), "it has 2 `.dist-info` directories");
    refused(Draft::new().without(&format!("{INFO}/WHEEL")), "it has no `demo_pkg-1.0.dist-info/WHEEL`");
    let other = Draft::new().without(&format!("{INFO}/METADATA"));
    refused(other.file(&format!("{INFO}/METADATA"), "Name: x\nVersion: 1.0\n"), "METADATA calls it `x` `1.0`");
    let future = Draft::new().without(&format!("{INFO}/WHEEL"));
    refused(future.file(&format!("{INFO}/WHEEL"), "Wheel-Version: 2.0\n"), "its wheel version is `2.0`");
}

#[test]
fn names_that_leave_their_place_are_refused() {
    for (name, expected) in [
        ("../evil.py", "holds `..`"),
        ("demo/../../evil.py", "holds `..`"),
        ("demo/./a.py", "holds `..`, `.` or nothing"),
        ("demo//a.py", "nothing between two slashes"),
        ("/etc/evil", "is absolute"),
        ("demo\\..\\evil.py", "holds a backslash"),
        ("C:/evil.py", "starts with a drive letter"),
        ("a\nb.py", "holds a control character"),
        ("demo/__init__.py/inner.py", "has a file among its directories"),
    ] {
        // The writer's own cleaning is sidestepped: a name of the same length is replaced in the bytes.
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
fn data_that_leaves_its_place_is_refused() {
    refused(Draft::new().file("demo_pkg-1.0.data/elsewhere/x", ""), "`elsewhere` is no kind of data");
    refused(Draft::new().file("demo_pkg-1.0.data/purelib", ""), "outside the kinds of data");
    refused(
        Draft::new().file("demo_pkg-1.0.data/purelib/demo/__init__.py", "other"),
        "which the wheel installs already",
    );
    refused(Draft::new().file("demo_pkg-1.0.data/purelib/demo", ""), "would be a file and a directory");
    for entry in ["../../x = a:b", "a/b = a:b", "x = os; import evil"] {
        let text = format!("[console_scripts]\n{entry}\n");
        refused(Draft::new().file(&format!("{INFO}/entry_points.txt"), &text), "the entry point `");
    }
}

#[test]
fn links_and_other_kinds_are_refused() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.add_symlink("demo/link", "/etc/passwd", SimpleFileOptions::default()).expect("member");
    refused_bytes(&writer.finish().expect("zip").into_inner(), "`demo/link`: it is a symbolic link");
    let draft = Draft::new().file("zz", "");
    let bytes = patched_directory(&draft.bytes(), b"zz", 38, &(0o060_644_u32 << 16).to_le_bytes());
    refused_bytes(&bytes, "neither a file nor a directory");
}

#[test]
fn a_file_that_two_readers_may_see_differently_is_refused() {
    let draft = Draft::new().file("zz.py", "harmless\n");
    let good = draft.bytes();
    refused_bytes(&[b"MZ\0\0".as_slice(), &good].concat(), "its central directory is not where the end record says");
    refused_bytes(&[good.as_slice(), b"\0"].concat(), "it does not end with a zip file's end record");
    refused_bytes(&[good.as_slice(), &good].concat(), "its central directory is not where the end record says");
    refused_bytes(&good[..good.len() - 30], "it does not end with a zip file's end record");
    refused_bytes(b"", "it is too short");
    refused_bytes(&vec![0; 5000], "it does not end with");

    let names = places(&good, b"zz.py");
    let mut local_name = good.clone();
    local_name[names[0]] = b'y';
    refused_bytes(&local_name, "`zz.py`: two readers may see different files: its local header differs");
    for (offset, what) in [(14, "crc"), (18, "compressed size"), (22, "size"), (8, "method"), (6, "flags")] {
        let mut bytes = good.clone();
        bytes[names[0] - 30 + offset] ^= 2;
        let message = refusal(NAME, &bytes, &Limits::default());
        assert!(message.contains("its local header differs") || message.contains("encrypted"), "{what}: {message}");
    }
    refused_bytes(&replaced(&draft.clone().file("zy.py", "").bytes(), b"zy.py", b"zz.py"), "its name occurs twice");
}

#[test]
fn bytes_that_belong_to_no_member_are_refused() {
    let good = Draft::new().file("zz.py", "harmless\n").bytes();
    let directory_at = u32::from_le_bytes(good[good.len() - 6..good.len() - 2].try_into().expect("4 bytes")) as usize;
    let mut bytes = [&good[..directory_at], b"hidden", &good[directory_at..]].concat();
    let end = bytes.len();
    bytes[end - 6..end - 2].copy_from_slice(&(directory_at as u32 + 6).to_le_bytes());
    refused_bytes(&bytes, "unaccounted data follows it");
    // Two members that share one place.
    let names = places(&good, b"zz.py");
    let mut bytes = good.clone();
    bytes[names[1] - 4..names[1]].copy_from_slice(&0_u32.to_le_bytes());
    refused_bytes(&bytes, "overlaps");
}

#[test]
fn lies_about_sizes_are_refused() {
    let good = Draft::new().file("zz.py", "harmless\n").bytes();
    let lie = |value: u32| {
        let bytes = patched_directory(&good, b"zz.py", 24, &value.to_le_bytes());
        let local = places(&bytes, b"zz.py")[0] - 30;
        [&bytes[..local + 22], &value.to_le_bytes(), &bytes[local + 26..]].concat()
    };
    refused_bytes(&lie(8), "its size is not the declared one");
    refused_bytes(&lie(10), "its size is not the declared one");
    // 0xffffffff promises an extra field with the true size.
    refused_bytes(&lie(0xffff_ffff), "its extra fields contradict its header");
    let crc = patched_directory(&good, b"zz.py", 16, &[1, 2, 3, 4]);
    let local = places(&crc, b"zz.py")[0] - 30;
    refused_bytes(
        &[&crc[..local + 14], &[1, 2, 3, 4], &crc[local + 18..]].concat(),
        "its checksum is not the declared one",
    );
}

#[test]
fn bombs_are_refused_before_they_are_unpacked() {
    let draft = Draft::new().file("zz", &"\0".repeat(1 << 20));
    let bytes = draft.bytes();
    let check = |limits: Limits, expected: &str| {
        let message = refusal(NAME, &bytes, &limits);
        assert!(message.contains("too large to be meant") && message.contains(expected), "{message}");
    };
    check(Limits { members: 2, ..Limits::default() }, "it has 5 members, more than 2");
    check(Limits { member_bytes: 1000, ..Limits::default() }, "`zz`");
    check(Limits { total_bytes: 1 << 19, ..Limits::default() }, "would become");
    check(Limits { ratio: 10, free_bytes: 0, ..Limits::default() }, "would become");
}

#[test]
fn encryption_and_unknown_compression_are_refused() {
    let good = Draft::new().file("zz.py", "harmless\n").bytes();
    refused_bytes(&patched_directory(&good, b"zz.py", 8, &[1, 0]), "it is encrypted");
    refused_bytes(&patched_directory(&good, b"zz.py", 10, &[93, 0]), "neither `stored` nor `deflate`");
}

#[test]
fn a_second_name_in_an_extra_field_is_refused() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let mut options = ::zip::write::FullFileOptions::default();
    options.add_extra_data(0x6666, vec![1, 2, 3, 4, 5], false).expect("extra");
    writer.start_file("zz.py", options).expect("member");
    let bytes = writer.finish().expect("zip").into_inner();
    refused_bytes(&replaced(&bytes, &[0x66, 0x66, 5, 0], &[0x75, 0x70, 5, 0]), "a second name in its extra fields");
}

#[test]
fn no_damage_is_unpacked_and_none_panics() {
    let good = Draft::new().file("zz.py", "harmless\n").bytes();
    let (_dir, store, _) = unpack_bytes(NAME, &good, &Limits::default()).expect("a good wheel");
    // Times, versions and permission bits may differ: what is installed under which name may not.
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
    let record = draft.made_record();
    let files = draft.files.iter().map(|(name, content, _)| (name.clone(), content.clone()));
    for (name, content) in files.chain([(format!("{INFO}/RECORD"), record.into_bytes())]) {
        writer.start_file(name, SimpleFileOptions::default()).expect("member");
        writer.write_all(&content).expect("content");
    }
    let streamed = writer.finish().expect("zip").into_inner();
    unpack_bytes(NAME, &streamed, &Limits::default()).expect("descriptors agree");
    let descriptor = places(&streamed, b"PK\x07\x08")[0];
    let mut lies = streamed.clone();
    lies[descriptor + 4] ^= 1;
    refused_bytes(&lies, "its data descriptor differs");
}

#[test]
fn sizes_that_are_said_a_second_time_must_be_the_same() {
    let sizes = |sizes: [u64; 2]| {
        let draft = Draft::new().file("zz.py", "harmless\n");
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let record = (format!("{INFO}/RECORD"), draft.made_record().into_bytes(), 0);
        for (name, content, _) in draft.files.iter().chain([&record]) {
            let mut options = ::zip::write::FullFileOptions::default().compression_method(CompressionMethod::Stored);
            let said = if name == "zz.py" { sizes } else { [content.len() as u64; 2] };
            options.add_extra_data(0x6666, said.map(u64::to_le_bytes).concat(), false).expect("extra");
            writer.start_file(name.as_str(), options).expect("member");
            writer.write_all(content).expect("content");
        }
        replaced(&writer.finish().expect("zip").into_inner(), &[0x66, 0x66, 16, 0], &[1, 0, 16, 0])
    };
    unpack_bytes(NAME, &sizes([9, 9]), &Limits::default()).expect("the same sizes");
    refused_bytes(&sizes([10, 9]), "`zz.py`: it is damaged: its extra fields contradict its header");
    let mut large = ZipWriter::new(Cursor::new(Vec::new()));
    let draft = Draft::new();
    let record = (format!("{INFO}/RECORD"), draft.made_record().into_bytes(), 0);
    for (name, content, _) in draft.files.iter().chain([&record]) {
        large.start_file(name.as_str(), SimpleFileOptions::default().large_file(true)).expect("member");
        large.write_all(content).expect("content");
    }
    unpack_bytes(NAME, &large.finish().expect("zip").into_inner(), &Limits::default()).expect("sizes of 8 bytes");
}

#[test]
fn what_java_tools_add_is_left_out() {
    let files = unpacked(&Draft::new().file("META-INF/MANIFEST.MF", "").record(|text| {
        text.lines().filter(|line| !line.starts_with("META-INF")).map(|line| format!("{line}\n")).collect()
    }));
    assert!(!files.keys().any(|path| path.contains("META-INF")));
}

/// All places where `needle` stands: for a member's name the local header first, the central directory second.
fn places(bytes: &[u8], needle: &[u8]) -> Vec<usize> {
    (0..bytes.len()).filter(|place| bytes[*place..].starts_with(needle)).collect()
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    for place in places(&bytes.clone(), from) {
        bytes[place..place + to.len()].copy_from_slice(to);
    }
    bytes
}

/// With other bytes at an offset of a member's header in the central directory.
fn patched_directory(bytes: &[u8], name: &[u8], offset: usize, value: &[u8]) -> Vec<u8> {
    let header = places(bytes, name)[1] - 46;
    let mut bytes = bytes.to_vec();
    bytes[header + offset..header + offset + value.len()].copy_from_slice(value);
    bytes
}
