//! The index: an SQLite database with small values under 32-byte keys, such as the action cache. Losing it costs time but never
//! makes a result wrong, so a damaged database is replaced by an empty one.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row, Transaction, params};

use super::error::{Error, Result};
use super::files;
use super::layout::{Store, lock};
use super::uses;
use crate::base::Digest;

/// Must be raised when the tables change. A database of another version is left to the program that wrote it, and this one uses
/// `index-<version>.db`.
const VERSION: i64 = 2;

/// The time limit for waiting for writers of other processes.
const BUSY: Duration = Duration::from_secs(20);

/// With `synchronous = NORMAL` in WAL mode, a power failure can lose the last transactions but cannot damage the database
/// (<https://www.sqlite.org/pragma.html#pragma_synchronous>).
const SETTINGS: &str = "PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY;";

const TABLES: &str = "
    CREATE TABLE memory (key BLOB PRIMARY KEY, hash BLOB NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE payload (
        kind TEXT NOT NULL, hash BLOB NOT NULL, check_hash BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY (kind, hash)
    ) WITHOUT ROWID;
";

/// Tables that databases of earlier programs do not have, and that these programs ignore.
const LATER_TABLES: &str = "
    CREATE TABLE IF NOT EXISTS used (key BLOB PRIMARY KEY, minute INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
";

/// An open index.
#[derive(Debug)]
pub(super) struct Index {
    path: PathBuf,
    connection: Mutex<Connection>,
    notices: Arc<Mutex<Vec<String>>>,
}

fn insert_value(transaction: &Transaction<'_>, key: &[u8; 32], value: &[u8]) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached("INSERT OR REPLACE INTO memory VALUES (?1, ?2, ?3)")?;
    insert.execute(params![key, blake3::hash(value).as_bytes(), value])?;
    insert_use(transaction, key)
}

/// Inserts a note: its kind, the digest that it is about, and its value.
pub(super) fn insert_note(
    transaction: &Transaction<'_>,
    (kind, digest, value): (&str, Digest, &[u8]),
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached("INSERT OR REPLACE INTO payload VALUES (?1, ?2, ?3, ?4)")?;
    insert.execute(params![kind, digest.hash(), blake3::hash(value).as_bytes(), value])?;
    insert_use(transaction, digest.hash())
}

fn insert_use(transaction: &Transaction<'_>, key: &[u8; 32]) -> rusqlite::Result<()> {
    transaction.prepare_cached("INSERT OR REPLACE INTO used VALUES (?1, ?2)")?.execute(params![key, uses::now()])?;
    Ok(())
}

impl Store {
    /// Stores a value in the index. It replaces an earlier value of the key.
    pub fn index_put(&self, key: &[u8; 32], value: &[u8]) -> Result<()> {
        self.index.with(|connection| {
            let transaction = connection.transaction()?;
            insert_value(&transaction, key, value)?;
            transaction.commit()
        })
    }

    /// Stores a value and a note, which can then not be lost one without the other. `note` is its kind, the digest that it is
    /// about, and its value.
    pub fn index_put_with_note(&self, key: &[u8; 32], value: &[u8], note: (&str, Digest, &[u8])) -> Result<()> {
        self.index.with(|connection| {
            let transaction = connection.transaction()?;
            insert_note(&transaction, note)?;
            insert_value(&transaction, key, value)?;
            transaction.commit()
        })
    }

    /// The value of a key in the index. A damaged value is treated as missing.
    pub fn index_get(&self, key: &[u8; 32]) -> Result<Option<Vec<u8>>> {
        let found = self.index.with(|connection| {
            let query =
                "SELECT hash, value, (SELECT minute FROM used WHERE used.key = memory.key) FROM memory WHERE key = ?1";
            let mut select = connection.prepare_cached(query)?;
            // A damaged time is that of no use.
            let with_minute = |row: &Row<'_>| Ok((verified_value(row)?, row.get(2).unwrap_or(None)));
            select.query_row(params![key], with_minute).optional()
        })?;
        let Some((Some(value), minute)) = found else { return Ok(None) };
        self.uses.read(key, minute);
        Ok(Some(value))
    }

    /// Removes a key from the index.
    pub fn index_remove(&self, key: &[u8; 32]) -> Result<()> {
        self.index.with(|connection| connection.execute("DELETE FROM memory WHERE key = ?1", params![key]).map(drop))
    }
}

impl Index {
    /// Opens the index of the store at `root`, or creates it.
    pub(super) fn open(root: &Path, notices: Arc<Mutex<Vec<String>>>) -> Result<Index> {
        let path = root.join("index.db");
        let opened = open_or_replace(&path, &notices, Check::Header)?;
        let (path, connection) = match opened {
            Some(connection) => (path, connection),
            None => {
                let path = root.join(format!("index-{VERSION}.db"));
                let connection = open_or_replace(&path, &notices, Check::Header)?;
                (path.clone(), connection.ok_or_else(|| foreign_version(&path))?)
            }
        };
        Ok(Index { path, connection: Mutex::new(connection), notices })
    }

    /// Runs a query. If the database is damaged, it is replaced by an empty one and the query runs once more.
    pub(super) fn with<T>(&self, mut query: impl FnMut(&mut Connection) -> rusqlite::Result<T>) -> Result<T> {
        let mut connection = lock(&self.connection);
        match query(&mut connection) {
            Err(error) if is_damage(&error) => {
                let opened = open_or_replace(&self.path, &self.notices, Check::EveryPage)?;
                *connection = opened.ok_or_else(|| foreign_version(&self.path))?;
                query(&mut connection).map_err(|error| index_error(&self.path, error))
            }
            outcome => outcome.map_err(|error| index_error(&self.path, error)),
        }
    }
}

/// The value of a row `(hash, value)`; `None` if it does not match its hash.
pub(super) fn verified_value(row: &Row<'_>) -> rusqlite::Result<Option<Vec<u8>>> {
    let (Ok(hash), Ok(value)) = (row.get_ref(0)?.as_blob(), row.get_ref(1)?.as_blob()) else { return Ok(None) };
    Ok((blake3::hash(value).as_bytes() == hash).then(|| value.to_vec()))
}

/// How a database is checked when it is opened. All pages are checked only after damage was detected, since that is slow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Check {
    Header,
    EveryPage,
}

/// Opens a usable database without waiting for other processes. Otherwise one process at a time creates or replaces it under a
/// lock, so that none quarantines a database that another has just created. `None` for a database of a program with another
/// version, which that program may be using.
fn open_or_replace(path: &Path, notices: &Mutex<Vec<String>>, check: Check) -> Result<Option<Connection>> {
    if let (Check::Header, Ok(Some(connection))) = (check, open_existing(path)) {
        return Ok(Some(connection));
    }
    let lock_path = path.with_extension("lock");
    let lock_file = File::options().create(true).truncate(false).write(true).open(&lock_path);
    let lock_file = lock_file.map_err(Error::io("open", &lock_path))?;
    lock_file.lock().map_err(Error::io("lock", path))?;
    match open_or_create(path, check) {
        Ok(connection) => Ok(Some(connection)),
        Err(OpenFailure::Unusable(why)) => {
            quarantine(path, &why, notices)?;
            open_or_create(path, Check::Header).map(Some).map_err(|failure| match failure {
                OpenFailure::Sql(error) => index_error(path, error),
                OpenFailure::Unusable(why) => {
                    Error::Io { tried: "create", path: path.to_owned(), source: std::io::Error::other(why) }
                }
                OpenFailure::OtherVersion => foreign_version(path),
            })
        }
        Err(OpenFailure::OtherVersion) => Ok(None),
        Err(OpenFailure::Sql(error)) => Err(index_error(path, error)),
    }
}

/// The error for a database that has a name of this version and is of another one.
fn foreign_version(path: &Path) -> Error {
    let why = format!("it is not of version {VERSION}");
    Error::Io { tried: "use the index", path: path.to_owned(), source: std::io::Error::other(why) }
}

enum OpenFailure {
    /// Damaged.
    Unusable(String),
    /// Of a program with another version.
    OtherVersion,
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for OpenFailure {
    fn from(error: rusqlite::Error) -> OpenFailure {
        if is_damage(&error) { OpenFailure::Unusable(error.to_string()) } else { OpenFailure::Sql(error) }
    }
}

/// A connection to an existing database in WAL mode and of this version. Writes nothing.
fn open_existing(path: &Path) -> rusqlite::Result<Option<Connection>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    connection.execute_batch(SETTINGS)?;
    let count = "SELECT count(*) FROM sqlite_schema WHERE name IN ('used', 'counter')";
    let is_current = mode == "wal" && version == VERSION && connection.query_row(count, [], |row| row.get(0)) == Ok(2);
    Ok(is_current.then_some(connection))
}

/// Like `open_existing`, but creates the file and the tables if they are missing.
fn open_or_create(path: &Path, check: Check) -> std::result::Result<Connection, OpenFailure> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    connection.execute_batch(SETTINGS)?;
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (version, tables) {
        (VERSION, _) => transaction.execute_batch(LATER_TABLES)?,
        (0, 0) => {
            transaction.execute_batch(TABLES)?;
            transaction.execute_batch(LATER_TABLES)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        _ => return Err(OpenFailure::OtherVersion),
    }
    transaction.commit()?;
    if check == Check::EveryPage {
        let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            return Err(OpenFailure::Unusable(verdict));
        }
    }
    Ok(connection)
}

/// Moves the database and its log to `quarantine/`. Values that another process still writes to the moved file are lost, which is
/// harmless.
fn quarantine(path: &Path, why: &str, notices: &Mutex<Vec<String>>) -> Result<()> {
    let quarantine = path.with_file_name("quarantine");
    let unique = tempfile::Builder::new().prefix("index.").tempdir_in(&quarantine);
    let unique = unique.map_err(Error::io("create a directory in", quarantine.join("index")))?.keep();
    for suffix in ["", "-wal", "-shm"] {
        let name = format!("index.db{suffix}");
        match files::rename(&path.with_file_name(&name), &unique.join(&name)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            moved => moved.map_err(Error::io("quarantine", path))?,
        }
    }
    lock(notices).push(format!(
        "the index `{}` was moved to `{}` and replaced: {why}",
        path.display(),
        unique.display()
    ));
    Ok(())
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

fn index_error(path: &Path, error: rusqlite::Error) -> Error {
    if error.sqlite_error_code() == Some(ErrorCode::DiskFull) {
        return Error::io("write", path)(std::io::ErrorKind::StorageFull.into());
    }
    Error::Index { path: path.to_owned(), source: error }
}
