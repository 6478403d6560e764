//! The property of stored trees: any bytes are rejected, or they are the only encoding of what they say. Used by the mutation tests
//! and by the fuzzer.

use waders::store::Directory;

pub fn check(bytes: &[u8]) {
    if let Ok(directory) = Directory::decode(bytes) {
        assert_eq!(directory.encode(), bytes);
    }
}
