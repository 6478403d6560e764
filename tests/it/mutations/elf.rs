//! The property of ELF files: any bytes are rejected, or name libraries, directories and versions. Used by the mutation tests and by the
//! fuzzer.

use waders::toolchain::elf::{dynamic, is_elf};

pub fn check(bytes: &[u8]) {
    let Some(found) = dynamic(bytes) else { return };
    assert!(is_elf(bytes));
    let names = found.needed.iter().chain(&found.search).chain(found.versions_needed.keys());
    let versions = found.versions_needed.values().flatten().chain(&found.versions_defined);
    let length: usize = names.chain(versions).inspect(|name| assert!(!name.contains('\0'))).map(String::len).sum();
    assert!(length <= 1000 * bytes.len(), "{length} bytes from {}", bytes.len());
}
