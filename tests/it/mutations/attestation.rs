//! The property of attestations: any bytes are rejected, or they are what the key signed. Used by the mutation tests and by the
//! fuzzer.

use waders::attest::Statement;
use waders::attest::check::{open, sources};
use waders::signing::{PrivateKey, PublicKey};

/// The key that signed the seeds. The private key was not kept.
const KEY: &str = include_str!("../../../fuzz/seeds/attestation/public_key");

/// What it signed.
const STATEMENT: &[u8] = include_bytes!("../../../fuzz/seeds/attestation/statement");

pub fn check(bytes: &[u8]) {
    let key = PublicKey::from_pem(KEY).unwrap();
    if let Ok((statement, _)) = open(bytes, &[key]) {
        assert_eq!(Some(statement), Statement::from_json(STATEMENT));
    }
    if let Some(statement) = Statement::from_json(bytes) {
        assert!(sources(&statement).iter().all(|(path, _)| !path.as_str().split('/').any(|part| part == "..")));
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = (PublicKey::from_pem(text), PrivateKey::from_pem(text));
    }
}
