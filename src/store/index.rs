//! The SQLite file that remembers what came of what: small values under 32-byte keys. Losing it costs time, never
//! correctness, so whatever is wrong with it ends in a fresh one.

use std::fs;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row, params};

use super::error::{Error, Result};
use super::layout::{Store, lock};

/// Raise it when the tables change: other versions are set aside.
const VERSION: i64 = 2;

/// How long a writer waits for writers of other processes.
const BUSY: Duration = Duration::from_secs(20);

/// A power cut may take the last values with it, but never mixes them up.
const SETTINGS: &str = "PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY;";

const TABLES: &str = "
    CREATE TABLE memory (key BLOB PRIMARY KEY, hash BLOB NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE payload (
        kind TEXT NOT NULL, hash BLOB NOT NULL, check_hash BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY (kind, hash)
    ) WITHOUT ROWID;
";

#[derive(Debug)]
pub struct Index {
    path: PathBuf,
    connection: Mutex<Connection>,
    notices: Arc<Mutex<Vec<String>>>,
}

impl Store {
    /// Keeps a value under a key; a later one replaces it.
    pub fn remember(&self, key: &[u8; 32], value: &[u8]) -> Result<()> {
        let hash = blake3::hash(value);
        self.index.with(|connection| {
            let mut insert = connection.prepare_cached("INSERT OR REPLACE INTO memory VALUES (?1, ?2, ?3)")?;
            insert.execute(params![key, hash.as_bytes(), value]).map(drop)
        })
    }

    /// The value kept under a key. A damaged one is none.
    pub fn recall(&self, key: &[u8; 32]) -> Result<Option<Vec<u8>>> {
        self.index.with(|connection| {
            let mut select = connection.prepare_cached("SELECT hash, value FROM memory WHERE key = ?1")?;
            select.query_row(params![key], sound_value).optional().map(Option::flatten)
        })
    }

    /// Forgets a key, for a value that turned out to be wrong.
    pub fn forget(&self, key: &[u8; 32]) -> Result<()> {
        self.index.with(|connection| connection.execute("DELETE FROM memory WHERE key = ?1", params![key]).map(drop))
    }
}

impl Index {
    pub fn open(root: &Path, notices: Arc<Mutex<Vec<String>>>) -> Result<Index> {
        let path = root.join("index.db");
        let connection = open_or_renew(&path, &notices, Look::AtTheHead)?;
        Ok(Index { path, connection: Mutex::new(connection), notices })
    }

    /// Runs a query; if the file turns out to be damaged, sets it aside and runs the query once more on a fresh one.
    pub fn with<T>(&self, mut query: impl FnMut(&mut Connection) -> rusqlite::Result<T>) -> Result<T> {
        let mut connection = lock(&self.connection);
        match query(&mut connection) {
            Err(error) if is_damage(&error) => {
                *connection = open_or_renew(&self.path, &self.notices, Look::AtEveryPage)?;
                query(&mut connection).map_err(|error| explain(&self.path, error))
            }
            outcome => outcome.map_err(|error| explain(&self.path, error)),
        }
    }
}

/// The value of a row `(hash, value)`; none if it is not what was written.
pub(super) fn sound_value(row: &Row<'_>) -> rusqlite::Result<Option<Vec<u8>>> {
    let (Ok(hash), Ok(value)) = (row.get_ref(0)?.as_blob(), row.get_ref(1)?.as_blob()) else { return Ok(None) };
    Ok((blake3::hash(value).as_bytes() == hash).then(|| value.to_vec()))
}

/// How closely to look at a file before it is trusted: all of it only after damage was met, since that takes long.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    AtTheHead,
    AtEveryPage,
}

/// A file that is in order is opened without waiting for anybody. Else one process at a time decides what to do, so
/// that nobody sets a fresh file aside.
fn open_or_renew(path: &Path, notices: &Mutex<Vec<String>>, look: Look) -> Result<Connection> {
    if let (Look::AtTheHead, Ok(Some(connection))) = (look, attach(path)) {
        return Ok(connection);
    }
    let gate = path.with_extension("lock");
    let gate =
        File::options().create(true).truncate(false).write(true).open(&gate).map_err(Error::io("open", &gate))?;
    gate.lock().map_err(Error::io("lock", path))?;
    match connect(path, look) {
        Ok(connection) => Ok(connection),
        Err(Fault::Unusable(why)) => {
            set_aside(path, &why, notices)?;
            connect(path, Look::AtTheHead).map_err(|fault| match fault {
                Fault::Sql(error) => explain(path, error),
                Fault::Unusable(why) => {
                    Error::Io { tried: "make", path: path.to_owned(), source: std::io::Error::other(why) }
                }
            })
        }
        Err(Fault::Sql(error)) => Err(explain(path, error)),
    }
}

enum Fault {
    Unusable(String),
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Fault {
        if is_damage(&error) { Fault::Unusable(error.to_string()) } else { Fault::Sql(error) }
    }
}

/// A connection to a file that is there and has all it needs; writes nothing.
fn attach(path: &Path) -> rusqlite::Result<Option<Connection>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    connection.execute_batch(SETTINGS)?;
    Ok((mode == "wal" && version == VERSION).then_some(connection))
}

/// As `attach`, but makes what is missing.
fn connect(path: &Path, look: Look) -> std::result::Result<Connection, Fault> {
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
        (other, _) => return Err(Fault::Unusable(format!("it has version {other}, and this program knows {VERSION}"))),
    }
    transaction.commit()?;
    if look == Look::AtEveryPage {
        let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            return Err(Fault::Unusable(verdict));
        }
    }
    Ok(connection)
}

/// Moves the database with its log. What another process still writes into the moved file is lost, which is harmless.
fn set_aside(path: &Path, why: &str, notices: &Mutex<Vec<String>>) -> Result<()> {
    let aside = path.with_file_name("quarantine");
    let unique = tempfile::Builder::new().prefix("index.").tempdir_in(&aside);
    let unique = unique.map_err(Error::io("create a directory in", aside.join("index")))?.keep();
    for suffix in ["", "-wal", "-shm"] {
        let name = format!("index.db{suffix}");
        match fs::rename(path.with_file_name(&name), unique.join(&name)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            moved => moved.map_err(Error::io("set aside", path))?,
        }
    }
    lock(notices).push(format!("index `{}` is set aside in `{}`: {why}", path.display(), unique.display()));
    Ok(())
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

fn explain(path: &Path, error: rusqlite::Error) -> Error {
    if error.sqlite_error_code() == Some(ErrorCode::DiskFull) {
        return Error::io("write", path)(std::io::ErrorKind::StorageFull.into());
    }
    Error::Index { path: path.to_owned(), source: error }
}
