//! Records by path, in a file of what is known of a repository (`known`). What they mean is `stat_cache`'s for files,
//! `listings`' for directories.
//!
//! ```text
//! kind 32  count u32                                 what the notes are, hashed; how many records follow
//! record 93 x count                                  stamp 44, hash 32, then start and length of path and note, u32 each,
//!                                                    and whether the content was stored, 0 or 1
//! text                                               paths and notes; starts count from here
//! ```
//!
//! Records are sorted by path.

use super::record_file::{HEAD, Head, Place, number, read};
use crate::store::error::Result;
use crate::store::layout::Store;

const HEAD_OF_PACK: Head = Head { magic: b"waders pack\n", version: 2 };
const RECORDS: usize = HEAD + 36;
const RECORD: usize = 93;

/// A whole file, found sound. Empty where there was none.
#[derive(Debug, Default)]
pub struct Pack {
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'p> {
    pub path: &'p [u8],
    pub stamp: [u8; 44],
    pub hash: [u8; 32],
    /// What somebody noted about the content; may be empty.
    pub note: &'p [u8],
    /// Whether the store got the content, too.
    pub stored: bool,
}

impl Pack {
    pub fn kind(&self) -> Option<[u8; 32]> {
        read(&self.bytes, HEAD)
    }

    pub fn len(&self) -> usize {
        number(&self.bytes, HEAD + 32).unwrap_or_default()
    }

    /// In the order of their paths.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        (0..self.len()).filter_map(|place| self.record(place))
    }

    /// Whether so many new records are worth writing all again.
    pub fn lacks(&self, new: usize) -> bool {
        new * LACKING > self.len()
    }

    pub fn find(&self, path: &[u8]) -> Option<Record<'_>> {
        self.record(self.place(path)?)
    }

    /// Where the record of a path stands among all.
    pub fn place(&self, path: &[u8]) -> Option<usize> {
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

    pub fn record(&self, place: usize) -> Option<Record<'_>> {
        let at = RECORDS + place * RECORD;
        let (stamp, hash) = (read(&self.bytes, at)?, read(&self.bytes, at + 44)?);
        let stored = *self.bytes.get(at + 92)? == 1;
        Some(Record { path: self.text(place, 76)?, stamp, hash, note: self.text(place, 84)?, stored })
    }

    /// `field`: where start and length stand in the record.
    fn text(&self, place: usize, field: usize) -> Option<&[u8]> {
        let at = RECORDS + place * RECORD + field;
        let (start, len) = (number(&self.bytes, at)?, number(&self.bytes, at + 4)?);
        self.bytes.get(RECORDS + self.len() * RECORD..)?.get(start..)?.get(..len)
    }

    /// Nothing if the records are more than a file can hold.
    fn write(kind: &[u8; 32], records: &[Record<'_>]) -> Option<Vec<u8>> {
        let mut bytes = [HEAD_OF_PACK.begin().as_slice(), kind].concat();
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
        Head::seal(&mut bytes);
        Some(bytes)
    }

    /// The pack that these bytes are; empty where they are one of another version. Or why they are none.
    fn parse(bytes: Vec<u8>) -> std::result::Result<Pack, String> {
        Ok(if HEAD_OF_PACK.is_of(&bytes)? { Pack { bytes } } else { Pack::default() })
    }
}

/// A pack is written again when it lacks more than one record in so many: writing all of it takes as long as finding that
/// many anew.
const LACKING: usize = 64;

impl Store {
    /// One that is damaged is set aside, and is as none.
    pub(in crate::store) fn load_pack(&self, place: &Place) -> Result<Pack> {
        self.load_known(place, Pack::parse)
    }

    pub(in crate::store) fn publish_pack(&self, place: &Place, kind: &[u8; 32], records: &[Record<'_>]) -> Result<()> {
        match Pack::write(kind, records) {
            Some(bytes) => self.publish_known(place, &bytes),
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
        Pack::write(&[7; 32], &records()).unwrap()
    }

    #[test]
    fn what_is_written_reads_back() {
        let pack = Pack::parse(bytes()).unwrap();
        assert_eq!(pack.records().collect::<Vec<_>>(), records());
        assert_eq!((pack.kind(), pack.len()), (Some([7; 32]), 3));
        for record in records() {
            assert_eq!(pack.find(record.path), Some(record));
        }
        for missing in ["", "a", "a/b.pyx", "b", "e"] {
            assert_eq!(pack.find(missing.as_bytes()), None, "{missing}");
        }
        assert_eq!(Pack::default().find(b"a"), None);
        assert_eq!(Pack::parse(Pack::write(&[7; 32], &[]).unwrap()).unwrap().len(), 0);
    }

    #[test]
    fn every_flipped_bit_and_every_missing_end_is_noticed() {
        let whole = bytes();
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << bit;
                // A flipped version is another one, of which nothing is taken.
                let is_noticed = Pack::parse(flipped).map_or(true, |pack| pack.len() == 0);
                assert!(is_noticed, "byte {at} bit {bit}");
            }
            assert!(Pack::parse(whole[..at].to_vec()).is_err(), "cut at {at}");
        }
        assert!(Pack::parse([whole.as_slice(), b"x"].concat()).is_err());
    }

    #[test]
    fn a_count_that_lies_makes_nothing_panic() {
        let mut lying = bytes();
        lying[HEAD + 32..HEAD + 36].copy_from_slice(&u32::MAX.to_le_bytes());
        let pack = Pack { bytes: lying };
        assert_eq!(pack.find(b"a/b.py"), None);
    }
}
