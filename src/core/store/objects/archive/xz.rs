//! XZ streams: computes the decompressed size from the chunk headers, and decodes. The decoder holds a whole block in memory, so a
//! decompression bomb must be detected before decoding.

use std::io::{self, Write};

use super::refuse;
use crate::store::error::{Error, Result};

/// Decodes `bytes` into `out`. A stream with a decompressed size above `limit_bytes` is refused.
pub(super) fn decode(bytes: &[u8], limit_bytes: u64, out: &mut impl Write) -> Result<()> {
    match unpacked_bytes(bytes) {
        None => return Err(refuse("the xz stream", "it is truncated or malformed")),
        Some(size) if size > limit_bytes => {
            return Err(refuse("the xz stream", format!("its decompressed size of {size} bytes exceeds the limit")));
        }
        Some(_) => {}
    }
    match lzma_rs::xz_decompress(&mut io::Cursor::new(bytes), out) {
        Ok(()) => Ok(()),
        Err(error) => {
            let source = match error {
                lzma_rs::error::Error::IoError(source) => source,
                other => io::Error::other(other),
            };
            Err(Error::Archive {
                archive: "the xz stream",
                why: "its bytes cannot be decoded".to_owned(),
                source: Some(source),
            })
        }
    }
}

/// The sum of the decompressed sizes in all LZMA2 chunk headers (section 3 of the xz file format; control bytes as in the reference
/// decoder). `None` if a header is malformed. The decoder never produces more bytes for a chunk than its header declares.
fn unpacked_bytes(bytes: &[u8]) -> Option<u64> {
    let check_bytes = match bytes.get(7)? & 0x0f {
        0 => 0,
        1..=3 => 4,
        4..=6 => 8,
        7..=9 => 16,
        10..=12 => 32,
        _ => 64,
    };
    let mut at = 12;
    let mut sum = 0_u64;
    loop {
        let header_size = *bytes.get(at)?;
        if header_size == 0 {
            return Some(sum);
        }
        let start = at + (usize::from(header_size) + 1) * 4;
        let (end, size) = block(bytes, start)?;
        sum = sum.checked_add(size)?;
        at = end + (start.wrapping_sub(end) & 3) + check_bytes;
    }
}

/// The end of the chunks of a block, and their decompressed size.
fn block(bytes: &[u8], start: usize) -> Option<(usize, u64)> {
    let (mut at, mut sum) = (start, 0_u64);
    let word = |at: usize| Some(usize::from(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?])));
    loop {
        let control = *bytes.get(at)?;
        let (unpacked, header, packed) = match control {
            0 => return Some((at + 1, sum)),
            1 | 2 => (word(at + 1)? + 1, 3, word(at + 1)? + 1),
            0x80.. => {
                let header = if control >= 0xc0 { 6 } else { 5 };
                ((usize::from(control & 0x1f) << 16) + word(at + 1)? + 1, header, word(at + 3)? + 1)
            }
            _ => return None,
        };
        sum = sum.checked_add(u64::try_from(unpacked).ok()?)?;
        at = at.checked_add(header + packed)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xz(bytes: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        lzma_rs::xz_compress(&mut io::Cursor::new(bytes), &mut packed).unwrap();
        packed
    }

    #[test]
    fn the_size_is_known_before_decoding() {
        for size in [0, 1, 70_000, 300_001] {
            assert_eq!(unpacked_bytes(&xz(&vec![3; size])), Some(size as u64));
        }
    }

    #[test]
    fn a_stream_above_the_limit_is_not_decoded() {
        let mut out = Vec::new();
        assert!(decode(&xz(&[0; 1000]), 999, &mut out).is_err());
        assert!(out.is_empty());
        decode(&xz(&[0; 1000]), 1000, &mut out).unwrap();
        assert_eq!(out, [0; 1000]);
    }

    #[test]
    fn a_truncated_stream_is_refused() {
        let packed = xz(b"some text that is long enough to be cut anywhere");
        for end in 0..packed.len() {
            assert!(decode(&packed[..end], 1 << 20, &mut Vec::new()).is_err(), "{end}");
        }
    }
}
