//! All rows of the index. What they mean is up to those who wrote them; this room only needs to know what they refer to.

use rusqlite::{Row as SqlRow, params};

use crate::base::Digest;
use crate::store::error::Result;
use crate::store::layout::Store;

/// The table of a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Values by key.
    Memory,
    /// Values by kind and hash; the kind.
    Payload(String),
}

/// The table and the key of a row.
pub(in crate::store) type RowId = (Table, [u8; 32]);

/// One row of the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its table.
    pub table: Table,
    /// Its key in the table.
    pub key: [u8; 32],
    /// Its value.
    pub value: Vec<u8>,
    /// Whether the value matches its hash.
    pub is_intact: bool,
}

/// What a row of the index means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowMeaning {
    /// The kind of row, in the plural, such as `outcomes`.
    pub part: &'static str,
    /// Blobs and trees without which the row is useless. Trees include everything below.
    pub required: Vec<Digest>,
    /// Trees that it names, each with the kind of tree in the plural.
    pub trees: Vec<(Digest, &'static str)>,
    /// The row of the table `memory` that this row belongs to: it is useless without that one.
    pub owner: Option<[u8; 32]>,
    /// The key of the row is the hash of a tree that may be incomplete, because its contents can be had elsewhere.
    pub is_of_partial_tree: bool,
}

/// Interprets rows: a function of the room that writes them.
pub type Interpret<'i> = &'i (dyn Fn(&Row) -> RowMeaning + Sync);

impl Store {
    /// Passes every row of the index to `each`.
    pub(in crate::store) fn each_row(&self, mut each: impl FnMut(Row)) -> Result<()> {
        self.index.with(|connection| {
            let mut memory = connection.prepare("SELECT key, hash, value FROM memory")?;
            let mut rows = memory.query([])?;
            while let Some(row) = rows.next()? {
                each(read(row, Table::Memory, 0));
            }
            let mut payload = connection.prepare("SELECT kind, hash, check_hash, value FROM payload")?;
            let mut rows = payload.query([])?;
            while let Some(row) = rows.next()? {
                let kind = row.get_ref(0)?.as_str().unwrap_or_default().to_owned();
                each(read(row, Table::Payload(kind), 1));
            }
            Ok(())
        })
    }

    /// Removes rows of the index.
    pub(in crate::store) fn remove_rows(&self, rows: &[RowId]) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        self.index.with(|connection| {
            let transaction = connection.transaction()?;
            for (table, key) in rows {
                match table {
                    Table::Memory => transaction.execute("DELETE FROM memory WHERE key = ?1", params![key])?,
                    Table::Payload(kind) => {
                        transaction.execute("DELETE FROM payload WHERE kind = ?1 AND hash = ?2", params![kind, key])?
                    }
                };
            }
            transaction.commit()
        })
    }
}

/// A row whose key, hash and value are in the columns from `first` on. Values of other types are damage.
fn read(row: &SqlRow<'_>, table: Table, first: usize) -> Row {
    let blob = |column: usize| row.get_ref(first + column).ok().and_then(|value| value.as_blob().ok());
    let key = blob(0).and_then(|key| key.try_into().ok());
    let value = blob(2).unwrap_or_default().to_vec();
    let is_intact = key.is_some() && blob(1) == Some(blake3::hash(&value).as_bytes());
    Row { table, key: key.unwrap_or_default(), value, is_intact }
}
