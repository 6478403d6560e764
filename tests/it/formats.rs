//! Compatibility of the store's formats, as `docs/formats.md` describes it. `tests/it/formats/` contains a sample of each format
//! as bytes that an earlier program wrote. A sample of the current version is read, a file of another version is replaced
//! without a message, and a damaged file is quarantined with a notice.
//!
//! After a change of a format, raise its version, and write the new samples:
//! `cargo test --test it formats::write_samples -- --ignored`. Samples of old versions stay.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use waders::base::{Digest, RelPath};
use waders::store::{Error, Node, Store, Tree};
use waders::tracked::FileStamp;

/// The checkout of the samples. It does not exist: samples refer to it only by its name.
const CHECKOUT: &str = "/sample/checkout";
const NOTE_KIND: &str = "sample-1";
const CONTENT: &[u8] = b"print('a sample')\n";

const BLOB: &[u8] = include_bytes!("formats/blob");
const TREE: &[u8] = include_bytes!("formats/tree");
const FILES: &[u8] = include_bytes!("formats/files-2");
const DIRECTORIES: &[u8] = include_bytes!("formats/directories-2");
const TRACE: &[u8] = include_bytes!("formats/trace-1");

/// The offset of the version in record files.
const VERSION_OFFSET: usize = 12;

struct Opened {
    dir: tempfile::TempDir,
    store: Store,
}

impl Opened {
    /// An empty store.
    fn new() -> Opened {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        Opened { dir, store }
    }

    /// A store with a record file of the sample checkout.
    fn with_record_file(subject: &str, bytes: &[u8]) -> Opened {
        let opened = Opened::new();
        fs::write(opened.record_file(subject), bytes).unwrap();
        opened
    }

    fn record_file(&self, subject: &str) -> PathBuf {
        let checkout = Digest::of(CHECKOUT.as_bytes()).hex();
        self.dir.path().join("repository").join(format!("{checkout}-{subject}"))
    }

    /// Writes an object with this digest. Its metadata is not that of a published object.
    fn write_object(&self, kind: &str, digest: Digest, bytes: &[u8]) -> PathBuf {
        let dir = self.dir.path().join(kind).join(&digest.hex()[..2]);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(digest.hex()), bytes).unwrap();
        dir.join(digest.hex())
    }

    fn quarantined(&self) -> usize {
        fs::read_dir(self.dir.path().join("quarantine")).unwrap().count()
    }

    fn assert_no_notice(&self) {
        assert_eq!(self.store.take_notices(), Vec::<String>::new());
        assert_eq!(self.quarantined(), 0);
    }

    fn assert_quarantined(&self, what: &str) {
        let notices = self.store.take_notices();
        assert!(matches!(&*notices, [notice] if notice.contains("/quarantine/")), "{what}: {notices:?}");
        assert_eq!(self.quarantined(), 1, "{what}");
    }

    fn file_digest(&self) -> Option<(Digest, bool)> {
        self.store.stat_cache(Path::new(CHECKOUT), NOTE_KIND).unwrap().digest(&path("src/a.py"), &stamp(0))
    }

    fn directory_listing(&self) -> Option<Vec<u8>> {
        let cache = self.store.directory_cache(Path::new(CHECKOUT)).unwrap();
        cache.get(&path("src"), &stamp(2)).map(<[u8]>::to_vec)
    }

    fn trace_result(&self) -> Option<Vec<u8>> {
        let trace = self.store.load_trace(Path::new(CHECKOUT), &trace_key()).unwrap();
        trace.map(|trace| trace.result().to_vec())
    }

    fn add_file(&self) {
        let cache = self.store.stat_cache(Path::new(CHECKOUT), NOTE_KIND).unwrap();
        cache.insert(path("src/a.py"), stamp(0), Digest::of(CONTENT), SystemTime::now(), true);
        cache.annotate(&path("src/a.py"), stamp(0), Digest::of(CONTENT), b"a note".to_vec());
        cache.insert(path("src/b.py"), stamp(1), Digest::of(&[0; 18]), SystemTime::now(), false);
        self.store.save_stat_cache(&cache, |_| true).unwrap();
    }

    fn add_directory(&self) {
        let cache = self.store.directory_cache(Path::new(CHECKOUT)).unwrap();
        cache.insert(path("src"), stamp(2), SystemTime::now(), b"fa.py\0fb.py\0".to_vec());
        self.store.save_directory_cache(&cache).unwrap();
    }

    fn add_trace(&self) {
        let missing = |name: &str| (Path::new(CHECKOUT).join(name), None);
        let observations = [missing("pants.toml"), missing("src/BUILD")];
        self.store.store_trace(Path::new(CHECKOUT), &trace_key(), &observations, b"a result").unwrap();
    }
}

fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

/// Distinct stamps of files with 18 bytes.
fn stamp(number: u8) -> FileStamp {
    let mut bytes = [0; 44];
    bytes[8] = number;
    bytes[16] = 18;
    bytes[28..36].copy_from_slice(&1_600_000_000_000_000_000_i64.to_le_bytes());
    FileStamp::from_bytes(&bytes)
}

fn trace_key() -> Digest {
    Digest::of(b"a key")
}

fn trace_subject() -> String {
    format!("trace-{:02}", trace_key().hash()[0] % 32)
}

fn sample_tree() -> Tree {
    let digest = Digest::of(CONTENT);
    let nodes = [
        (path("a.py"), Node::File { digest, executable: false }),
        (path("link"), Node::Symlink { target: "a.py".to_owned() }),
        (path("run.sh"), Node::File { digest, executable: true }),
    ];
    Tree { nodes: nodes.into() }
}

/// The rows of the table of version constants: the constant, its values, and the files that define them.
fn documented_constants() -> Vec<(String, Vec<String>, Vec<String>)> {
    let document = include_str!("../../docs/formats.md");
    let (_, table) = document.split_once("## Version constants").unwrap();
    let names = |cell: &str| cell.split(',').map(|name| name.trim().trim_matches('`').to_owned()).collect::<Vec<_>>();
    let rows = table.lines().filter(|line| line.contains("`src/"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        (cells[2].trim_matches('`').to_owned(), names(cells[3]), names(cells[4]))
    })
    .collect()
}

#[test]
fn the_documented_version_constants_are_those_of_the_code() {
    let constants = documented_constants();
    assert!(constants.len() >= 15, "{constants:?}");
    for (constant, values, files) in constants {
        let read = |file: &String| {
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file))
                .unwrap_or_else(|error| panic!("{file}: {error}"))
        };
        let code: String = files.iter().map(read).collect();
        for value in values.iter().filter(|value| !value.is_empty()) {
            // A constant without a name of its own is a word of the code, such as `wheel-1`.
            let is_defined = match value.parse::<u32>() {
                Ok(_) if constant.contains(' ') || constant.contains('-') => code.contains(&constant),
                Ok(number) => code.lines().any(|line| {
                    line.contains(&constant)
                        && line.split(|char: char| !char.is_ascii_digit()).any(|word| word == number.to_string())
                }),
                Err(_) => code.contains(value),
            };
            assert!(is_defined, "{constant} = {value} is not in {files:?}");
        }
    }
}

#[test]
#[ignore = "writes the samples of the current versions"]
fn write_samples() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/formats");
    let opened = Opened::new();
    opened.add_file();
    opened.add_directory();
    opened.add_trace();
    for (subject, format) in [("files", "files"), ("directories", "directories"), (&trace_subject(), "trace")] {
        let bytes = fs::read(opened.record_file(subject)).unwrap();
        fs::write(samples.join(format!("{format}-{}", bytes[VERSION_OFFSET])), bytes).unwrap();
    }
    let tree = opened.store.put_tree(&sample_tree()).unwrap();
    let message = opened.dir.path().join("tree").join(&tree.hex()[..2]).join(tree.hex());
    for (name, bytes) in [("tree", fs::read(message).unwrap()), ("blob", CONTENT.to_vec())] {
        fs::write(samples.join(name), bytes).unwrap();
    }
}

#[test]
fn recorded_files_are_read() {
    let opened = Opened::with_record_file("files", FILES);
    let cache = opened.store.stat_cache(Path::new(CHECKOUT), NOTE_KIND).unwrap();
    let digest = Digest::of(CONTENT);
    assert_eq!(cache.digest(&path("src/a.py"), &stamp(0)), Some((digest, true)));
    assert_eq!(cache.digest_and_note(&path("src/a.py"), &stamp(0)), Some((digest, b"a note".as_slice())));
    assert_eq!(cache.digest(&path("src/b.py"), &stamp(1)), Some((Digest::of(&[0; 18]), false)));
    assert_eq!(cache.digest(&path("src/a.py"), &stamp(1)), None, "the stamp differs");
    let other_kind = opened.store.stat_cache(Path::new(CHECKOUT), "sample-2").unwrap();
    assert_eq!(other_kind.digest_and_note(&path("src/a.py"), &stamp(0)), Some((digest, b"".as_slice())));
    opened.assert_no_notice();
}

#[test]
fn recorded_directories_are_read() {
    let opened = Opened::with_record_file("directories", DIRECTORIES);
    assert_eq!(opened.directory_listing().as_deref(), Some(b"fa.py\0fb.py\0".as_slice()));
    opened.assert_no_notice();
}

#[test]
fn traces_are_read() {
    let opened = Opened::with_record_file(&trace_subject(), TRACE);
    let trace = opened.store.load_trace(Path::new(CHECKOUT), &trace_key()).unwrap().unwrap();
    assert_eq!(trace.result(), b"a result");
    assert_eq!(trace.path(0), Some(Path::new("/sample/checkout/pants.toml")));
    assert_eq!(trace.path(1), Some(Path::new("/sample/checkout/src/BUILD")));
    assert_eq!(trace.path(2), None);
    assert!(trace.is_unchanged(), "both files are missing, as they were");
    opened.assert_no_notice();
}

/// For each record file: its subject, its sample, whether its information is found, and the function that adds it again.
type RecordFormat = (String, &'static [u8], fn(&Opened) -> bool, fn(&Opened));

fn record_formats() -> [RecordFormat; 3] {
    [
        ("files".to_owned(), FILES, |opened| opened.file_digest().is_some(), Opened::add_file),
        ("directories".to_owned(), DIRECTORIES, |opened| opened.directory_listing().is_some(), Opened::add_directory),
        (trace_subject(), TRACE, |opened| opened.trace_result().is_some(), Opened::add_trace),
    ]
}

#[test]
fn record_files_of_another_version_are_replaced_without_a_message() {
    for (subject, sample, is_found, add) in record_formats() {
        for version in [0, sample[VERSION_OFFSET] - 1, sample[VERSION_OFFSET] + 1, 255] {
            let mut bytes = sample.to_vec();
            bytes[VERSION_OFFSET] = version;
            let opened = Opened::with_record_file(&subject, &bytes);
            assert!(!is_found(&opened), "{subject} {version}");
            add(&opened);
            assert!(is_found(&opened), "{subject} {version}");
            let replaced = fs::read(opened.record_file(&subject)).unwrap();
            assert_eq!(replaced[VERSION_OFFSET], sample[VERSION_OFFSET], "{subject}");
            opened.assert_no_notice();
        }
    }
}

#[test]
fn damaged_record_files_are_quarantined() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 5] = [
        ("empty", Vec::clear),
        ("truncated", |bytes| bytes.truncate(bytes.len() - 1)),
        ("a flipped bit at the end", |bytes| *bytes.last_mut().unwrap() ^= 1),
        ("a flipped bit in the hash", |bytes| bytes[20] ^= 1),
        ("another magic", |bytes| bytes[0] ^= 1),
    ];
    for (subject, sample, is_found, add) in record_formats() {
        for (what, damage) in damages {
            let mut bytes = sample.to_vec();
            damage(&mut bytes);
            let opened = Opened::with_record_file(&subject, &bytes);
            assert!(!is_found(&opened), "{subject}: {what}");
            opened.assert_quarantined(&format!("{subject}: {what}"));
            add(&opened);
            assert!(is_found(&opened), "{subject}: {what}");
        }
    }
}

#[test]
fn a_blob_is_read_and_its_metadata_is_restored() {
    let opened = Opened::new();
    let file = opened.write_object("blob", Digest::of(CONTENT), BLOB);
    assert_eq!(opened.store.get(Digest::of(CONTENT)).unwrap(), CONTENT);
    let metadata = fs::metadata(file).unwrap();
    assert_eq!((metadata.mode() & 0o7777, metadata.mtime()), (0o444, 315_705_600));
    opened.assert_no_notice();
}

#[test]
fn a_tree_is_read() {
    let opened = Opened::new();
    opened.write_object("tree", Digest::of(TREE), TREE);
    assert_eq!(opened.store.tree(Digest::of(TREE)).unwrap(), sample_tree());
    assert_eq!(opened.store.put_tree(&sample_tree()).unwrap(), Digest::of(TREE), "a tree has one digest");
    opened.assert_no_notice();
}

#[test]
fn damaged_objects_are_quarantined() {
    for (kind, sample) in [("blob", BLOB), ("tree", TREE)] {
        let (opened, digest) = (Opened::new(), Digest::of(sample));
        let mut bytes = sample.to_vec();
        bytes[5] ^= 1;
        opened.write_object(kind, digest, &bytes);
        let read =
            if kind == "blob" { opened.store.get(digest).map(drop) } else { opened.store.tree(digest).map(drop) };
        assert!(matches!(read, Err(Error::Missing(missing)) if missing == digest), "{kind}: {read:?}");
        opened.assert_quarantined(kind);
    }
}

/// The tables of the index as `docs/formats.md` has them.
const TABLES: &str = "
    CREATE TABLE memory (key BLOB PRIMARY KEY, hash BLOB NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE payload (
        kind TEXT NOT NULL, hash BLOB NOT NULL, check_hash BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY (kind, hash)
    ) WITHOUT ROWID;
";

/// A directory with an index of this version, which has one row in each table.
fn write_index(version: i64) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let connection = rusqlite::Connection::open(dir.path().join("index.db")).unwrap();
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
    connection.execute_batch(TABLES).unwrap();
    connection.pragma_update(None, "user_version", version).unwrap();
    let (key, hash, value) = ([7; 32], *Digest::of(b"value").hash(), b"value".as_slice());
    connection.execute("INSERT INTO memory VALUES (?1, ?2, ?3)", (key, hash, value)).unwrap();
    let content = *Digest::of(CONTENT).hash();
    connection.execute("INSERT INTO payload VALUES (?1, ?2, ?3, ?4)", (NOTE_KIND, content, hash, value)).unwrap();
    dir
}

#[test]
fn an_index_of_the_current_version_is_read() {
    let dir = write_index(2);
    let opened = Opened { store: Store::open(dir.path()).unwrap(), dir };
    assert_eq!(opened.store.index_get(&[7; 32]).unwrap().as_deref(), Some(b"value".as_slice()));
    let content = Digest::of(CONTENT);
    let expected = HashMap::from([(content, b"value".to_vec())]);
    assert_eq!(opened.store.notes(NOTE_KIND, &[content]).unwrap(), expected);
    opened.assert_no_notice();
}

#[test]
fn an_index_of_another_version_is_left_to_the_program_with_that_version() {
    for version in [1, 3, 999] {
        let dir = write_index(version);
        let opened = Opened { store: Store::open(dir.path()).unwrap(), dir };
        assert_eq!(opened.store.index_get(&[7; 32]).unwrap(), None);
        opened.store.index_put(&[7; 32], b"new").unwrap();
        assert_eq!(opened.store.index_get(&[7; 32]).unwrap().as_deref(), Some(b"new".as_slice()));
        opened.assert_no_notice();
        let other = rusqlite::Connection::open(opened.dir.path().join("index.db")).unwrap();
        let found: i64 = other.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        let value: Vec<u8> = other.query_row("SELECT value FROM memory", [], |row| row.get(0)).unwrap();
        assert_eq!((found, value.as_slice()), (version, b"value".as_slice()));
    }
}
