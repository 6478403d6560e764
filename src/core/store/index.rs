//! The index: an SQLite database with small values under 32-byte keys, such as the action cache. Losing it costs time but never
//! makes a result wrong, so a damaged database is replaced by an empty one.

use std::fs;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row, params};

use super::error::{Error, Result};
use super::layout::{Store, lock};

/// Must be raised when the tables change. Databases of other versions are quarantined.
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

/// An open index.
#[derive(Debug)]
pub(super) struct Index {
    path: PathBuf,
    connection: Mutex<Connection>,
    notices: Arc<Mutex<Vec<String>>>,
}

impl Store {
    /// Stores a value in the index. It replaces an earlier value of the key.
    pub fn index_put(&self, key: &[u8; 32], value: &[u8]) -> Result<()> {
        let hash = blake3::hash(value);
        self.index.with(|connection| {
            let mut insert = connection.prepare_cached("INSERT OR REPLACE INTO memory VALUES (?1, ?2, ?3)")?;
            insert.execute(params![key, hash.as_bytes(), value]).map(drop)
        })
    }

    /// The value of a key in the index. A damaged value is treated as missing.
    pub fn index_get(&self, key: &[u8; 32]) -> Result<Option<Vec<u8>>> {
        self.index.with(|connection| {
            let mut select = connection.prepare_cached("SELECT hash, value FROM memory WHERE key = ?1")?;
            select.query_row(params![key], verified_value).optional().map(Option::flatten)
        })
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
        let connection = open_or_replace(&path, &notices, Check::Header)?;
        Ok(Index { path, connection: Mutex::new(connection), notices })
    }

    /// Runs a query. If the database is damaged, it is replaced by an empty one and the query runs once more.
    pub(super) fn with<T>(&self, mut query: impl FnMut(&mut Connection) -> rusqlite::Result<T>) -> Result<T> {
        let mut connection = lock(&self.connection);
        match query(&mut connection) {
            Err(error) if is_damage(&error) => {
                *connection = open_or_replace(&self.path, &self.notices, Check::EveryPage)?;
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
/// lock, so that none quarantines a database that another has just created.
fn open_or_replace(path: &Path, notices: &Mutex<Vec<String>>, check: Check) -> Result<Connection> {
    if let (Check::Header, Ok(Some(connection))) = (check, open_existing(path)) {
        return Ok(connection);
    }
    let lock_path = path.with_extension("lock");
    let lock_file = File::options().create(true).truncate(false).write(true).open(&lock_path);
    let lock_file = lock_file.map_err(Error::io("open", &lock_path))?;
    lock_file.lock().map_err(Error::io("lock", path))?;
    match open_or_create(path, check) {
        Ok(connection) => Ok(connection),
        Err(OpenFailure::Unusable(why)) => {
            quarantine(path, &why, notices)?;
            open_or_create(path, Check::Header).map_err(|failure| match failure {
                OpenFailure::Sql(error) => index_error(path, error),
                OpenFailure::Unusable(why) => {
                    Error::Io { tried: "create", path: path.to_owned(), source: std::io::Error::other(why) }
                }
            })
        }
        Err(OpenFailure::Sql(error)) => Err(index_error(path, error)),
    }
}

enum OpenFailure {
    /// Damaged, or of another version.
    Unusable(String),
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
    Ok((mode == "wal" && version == VERSION).then_some(connection))
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
        (VERSION, _) => {}
        (0, 0) => {
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        (other, _) => {
            return Err(OpenFailure::Unusable(format!(
                "its version is {other}, and this program uses version {VERSION}"
            )));
        }
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
        match fs::rename(path.with_file_name(&name), unique.join(&name)) {
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
