//! Compression of contents with zstd, for servers that support it.

use std::io::Read;

use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

/// Smaller contents are sent as they are: the work is worth more than the bytes.
pub(super) const MIN_BYTES: u64 = 4 << 10;

/// The compressed bytes; `None` if they are not smaller.
pub(super) fn compress(bytes: &[u8]) -> Option<Vec<u8>> {
    let compressed = compress_to_vec(bytes, CompressionLevel::Fastest);
    (compressed.len() < bytes.len() / 10 * 9).then_some(compressed)
}

/// The bytes that were compressed. `None` if they are malformed, or have another size.
pub(super) fn decompress(bytes: &[u8], size_bytes: u64) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    let decoder = StreamingDecoder::new(bytes).ok()?;
    // One byte more than expected detects contents that are too long without reading all of them.
    decoder.take(size_bytes.saturating_add(1)).read_to_end(&mut plain).ok()?;
    (plain.len() as u64 == size_bytes).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressed_bytes_are_restored() {
        let bytes = b"the same words, again and again. ".repeat(1000);
        let compressed = compress(&bytes).unwrap();
        assert!(compressed.len() < bytes.len() / 10);
        assert_eq!(decompress(&compressed, bytes.len() as u64).unwrap(), bytes);
        assert_eq!(decompress(&compressed, bytes.len() as u64 - 1), None);
        assert_eq!(decompress(b"not compressed", 5), None);
    }
}
