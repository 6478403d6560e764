//! The property of the signed heads of Debian archives and of keyrings: any bytes are rejected, or they say what the key signed. Used
//! by the mutation tests and by the fuzzer.

use std::sync::LazyLock;

use waders::toolchain::debian::signed_files;

const HEAD: &[u8] = include_bytes!("../../../fuzz/seeds/debian_head/in_release");
const KEYRING: &[u8] = include_bytes!("../../../fuzz/seeds/debian_head/keyring");

type Files = std::collections::BTreeMap<String, (String, u64)>;

static SIGNED: LazyLock<Files> = LazyLock::new(|| signed_files(HEAD, KEYRING).expect("the seed is signed"));

pub fn check(bytes: &[u8]) {
    for result in [signed_files(bytes, KEYRING), signed_files(HEAD, bytes)] {
        assert!(result.is_err() || result.is_ok_and(|files| files == *SIGNED));
    }
}
