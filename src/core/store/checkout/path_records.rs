//! Records by path in one record file. `stat_cache` and `directory_cache` define their meaning.
//!
//! ```text
//! kind 32  count u32         hash of the kind of the notes; number of records
//! record 93 x count          stamp 44, hash 32, then start and length of path and note, u32 each, and whether the content is
//!                            stored, 0 or 1
//! text                       paths and notes; starts are relative to this position
//! ```
//!
//! Records are sorted by path.

use super::record_file::{HEADER_BYTES, Header, RecordFilePath, read_array, read_u32};
use crate::store::error::Result;
use crate::store::layout::Store;

const HEADER: Header = Header { magic: b"waders pack\n", version: 2 };
const RECORDS_START: usize = HEADER_BYTES + 36;
const RECORD_BYTES: usize = 93;

/// The bytes of a whole, verified file; no bytes if there is no file.
#[derive(Debug, Default)]
pub(crate) struct PathRecords {
    bytes: Vec<u8>,
}

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record<'p> {
    /// The path relative to the checkout.
    pub path: &'p [u8],
    /// The bytes of a `FileStamp`.
    pub stamp: [u8; 44],
    /// The hash of the content.
    pub hash: [u8; 32],
    /// Data about the content; can be empty.
    pub note: &'p [u8],
    /// Whether the content is in the store.
    pub stored: bool,
}

impl PathRecords {
    /// The hash of the kind of the notes; `None` if there is no file.
    pub(crate) fn kind(&self) -> Option<[u8; 32]> {
        read_array(&self.bytes, HEADER_BYTES)
    }

    /// The number of records.
    pub(crate) fn len(&self) -> usize {
        read_u32(&self.bytes, HEADER_BYTES + 32).unwrap_or_default()
    }

    /// All records, sorted by path.
    pub(crate) fn records(&self) -> impl Iterator<Item = Record<'_>> {
        (0..self.len()).filter_map(|position| self.record_at(position))
    }

    /// Whether this number of new records justifies rewriting the file.
    pub(crate) fn should_rewrite(&self, new: usize) -> bool {
        new * REWRITE_FRACTION > self.len()
    }

    /// The record of a path.
    pub(crate) fn find(&self, path: &[u8]) -> Option<Record<'_>> {
        self.record_at(self.position(path)?)
    }

    /// The position of a path's record among all records, by binary search.
    pub(crate) fn position(&self, path: &[u8]) -> Option<usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.text(middle, 76)?.cmp(path) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// The record at a position.
    pub(crate) fn record_at(&self, position: usize) -> Option<Record<'_>> {
        let at = RECORDS_START + position * RECORD_BYTES;
        let (stamp, hash) = (read_array(&self.bytes, at)?, read_array(&self.bytes, at + 44)?);
        let stored = *self.bytes.get(at + 92)? == 1;
        Some(Record { path: self.text(position, 76)?, stamp, hash, note: self.text(position, 84)?, stored })
    }

    /// A text whose start and length are at the offset `field` of the record.
    fn text(&self, position: usize, field: usize) -> Option<&[u8]> {
        let at = RECORDS_START + position * RECORD_BYTES + field;
        let (start, len) = (read_u32(&self.bytes, at)?, read_u32(&self.bytes, at + 4)?);
        self.bytes.get(RECORDS_START + self.len() * RECORD_BYTES..)?.get(start..)?.get(..len)
    }

    /// The bytes of a file; `None` if the records exceed the limits of the format.
    fn encode(kind: &[u8; 32], records: &[Record<'_>]) -> Option<Vec<u8>> {
        let mut bytes = [HEADER.encode_unsealed().as_slice(), kind].concat();
        bytes.extend(u32::try_from(records.len()).ok()?.to_le_bytes());
        let mut start = 0_u32;
        for record in records {
            bytes.extend(record.stamp);
            bytes.extend(record.hash);
            for text in [record.path, record.note] {
                let len = u32::try_from(text.len()).ok()?;
                bytes.extend(start.to_le_bytes());
                bytes.extend(len.to_le_bytes());
                start = start.checked_add(len)?;
            }
            bytes.push(u8::from(record.stored));
        }
        records.iter().flat_map(|record| [record.path, record.note]).for_each(|text| bytes.extend(text));
        Header::seal(&mut bytes);
        Some(bytes)
    }

    /// Verifies the bytes of a file. Bytes of another version yield no records; damaged bytes are an error.
    pub(crate) fn parse(bytes: Vec<u8>) -> std::result::Result<PathRecords, String> {
        Ok(if HEADER.check(&bytes)? { PathRecords { bytes } } else { PathRecords::default() })
    }
}

/// A file is rewritten if the new records are more than one 64th of its records. Measured: writing the whole file takes as long
/// as collecting that many records again.
const REWRITE_FRACTION: usize = 64;

impl Store {
    /// Loads a file. A damaged one is quarantined and yields no records.
    pub(in crate::store) fn load_path_records(&self, file: &RecordFilePath) -> Result<PathRecords> {
        self.load_record_file(file, PathRecords::parse)
    }

    /// Replaces a file. `records` are sorted by path.
    pub(in crate::store) fn publish_path_records(
        &self,
        file: &RecordFilePath,
        kind: &[u8; 32],
        records: &[Record<'_>],
    ) -> Result<()> {
        match PathRecords::encode(kind, records) {
            Some(bytes) => self.publish_record_file(file, &bytes),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records() -> Vec<Record<'static>> {
        let record =
            |path, note| Record { path, stamp: [path[0]; 44], hash: [path[0] + 1; 32], note, stored: note.is_empty() };
        vec![record(b"a/b.py", b"os"), record(b"a/c.py", b""), record(b"d.py", b"sys")]
    }

    fn bytes() -> Vec<u8> {
        PathRecords::encode(&[7; 32], &records()).unwrap()
    }

    #[test]
    fn encoded_records_are_read_back() {
        let records_read = PathRecords::parse(bytes()).unwrap();
        assert_eq!(records_read.records().collect::<Vec<_>>(), records());
        assert_eq!((records_read.kind(), records_read.len()), (Some([7; 32]), 3));
        for record in records() {
            assert_eq!(records_read.find(record.path), Some(record));
        }
        for missing in ["", "a", "a/b.pyx", "b", "e"] {
            assert_eq!(records_read.find(missing.as_bytes()), None, "{missing}");
        }
        assert_eq!(PathRecords::default().find(b"a"), None);
        assert_eq!(PathRecords::parse(PathRecords::encode(&[7; 32], &[]).unwrap()).unwrap().len(), 0);
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_detected() {
        let whole = bytes();
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << bit;
                // A flipped bit in the version makes it another version, which yields no records.
                let is_detected = PathRecords::parse(flipped).map_or(true, |records| records.len() == 0);
                assert!(is_detected, "byte {at} bit {bit}");
            }
            assert!(PathRecords::parse(whole[..at].to_vec()).is_err(), "cut at {at}");
        }
        assert!(PathRecords::parse([whole.as_slice(), b"x"].concat()).is_err());
    }

    #[test]
    fn a_wrong_count_does_not_panic() {
        let mut wrong = bytes();
        wrong[HEADER_BYTES + 32..HEADER_BYTES + 36].copy_from_slice(&u32::MAX.to_le_bytes());
        let records_read = PathRecords { bytes: wrong };
        assert_eq!(records_read.find(b"a/b.py"), None);
    }
}
