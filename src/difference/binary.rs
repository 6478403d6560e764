//! Differences between binary files: the bytes at the first difference in hexadecimal.

use std::fmt::Write;

use crate::difference::{Difference, Kind};

/// The number of bytes in one row.
const ROW_BYTES: usize = 16;

/// The number of rows that a diff shows of each version.
const ROWS: usize = 2;

pub(super) fn compare(first: &[u8], second: &[u8]) -> Difference {
    let at = first.iter().zip(second).take_while(|(one, other)| one == other).count();
    let start = at - at % ROW_BYTES;
    let mut diff = format!("the first difference is at byte {at} of {} and {}\n", first.len(), second.len());
    for (sign, bytes) in [('-', first), ('+', second)] {
        let rows = bytes.get(start..).unwrap_or_default().chunks(ROW_BYTES).take(ROWS);
        for (number, row) in rows.enumerate() {
            writeln!(diff, "{sign}{:08x}: {}", start + number * ROW_BYTES, rendered(row))
                .expect("a String takes all writes");
        }
    }
    let is_permuted = first.len() == second.len() && histogram(first) == histogram(second);
    let kind = if is_permuted { Kind::Order } else { Kind::Unknown };
    Difference { members: Vec::new(), kind, diff: diff.trim_end().to_owned() }
}

fn rendered(row: &[u8]) -> String {
    let hex: String = row.iter().map(|byte| format!("{byte:02x} ")).collect();
    let text: String =
        row.iter().map(|byte| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' }).collect();
    format!("{hex:<48} |{text}|")
}

fn histogram(bytes: &[u8]) -> [usize; 256] {
    let mut counts = [0; 256];
    bytes.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    counts
}
