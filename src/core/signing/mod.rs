//! Ed25519 keys and DSSE envelopes: bytes that are signed, and whose signature is checked. What is signed, and who is trusted,
//! is decided by the callers. Files are neither read nor written here.

pub mod envelope;
pub mod key;

pub use envelope::{Envelope, Rejection, Signature};
pub use key::{PrivateKey, PublicKey};
