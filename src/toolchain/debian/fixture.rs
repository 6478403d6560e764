//! A small signed package archive for tests.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use pgp::composed::{CleartextSignedMessage, KeyType, SecretKeyParamsBuilder, SignedPublicKey, SignedSecretKey};
use pgp::ser::Serialize as _;
use pgp::types::{Password, Timestamp};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use sha2::{Digest as _, Sha256};

/// A package of the archive.
pub struct Package<'p> {
    /// The field `Package`.
    pub name: &'p str,
    /// The field `Version`.
    pub version: &'p str,
    /// The field `Depends`.
    pub depends: &'p str,
    /// Paths and contents.
    pub files: &'p [(&'p str, &'p str)],
}

/// When the keys were made, in seconds since 1970: their fingerprints contain it.
const KEYS_MADE_AT: u32 = 1_700_000_000;

/// Generates a key. Equal seeds give equal keys.
pub fn key(seed: u64) -> SignedSecretKey {
    let mut params = SecretKeyParamsBuilder::default();
    params
        .key_type(KeyType::Ed25519Legacy)
        .can_certify(true)
        .can_sign(true)
        .created_at(Timestamp::from_secs(KEYS_MADE_AT))
        .primary_user_id("Test <t@example.invalid>".into());
    params.build().unwrap().generate(StdRng::seed_from_u64(seed)).unwrap()
}

/// Writes the public key to a keyring file.
pub fn write_keyring(path: &Path, key: &SignedSecretKey) {
    let mut bytes = Vec::new();
    SignedPublicKey::from(key.clone()).to_writer(&mut bytes).unwrap();
    fs::write(path, bytes).unwrap();
}

/// The public key as text (RFC 4880, section 6.2).
pub fn armored(key: &SignedSecretKey) -> String {
    SignedPublicKey::from(key.clone()).to_armored_string(Default::default()).unwrap()
}

/// Signs a text (RFC 4880, section 7).
pub fn sign(text: &str, key: &SignedSecretKey) -> String {
    let signed =
        CleartextSignedMessage::sign(StdRng::seed_from_u64(7), text, &key.primary_key, &Password::empty()).unwrap();
    signed.to_armored_string(Default::default()).unwrap()
}

/// Writes `dists/test` and `pool`. Existing files with other names remain.
pub fn write_archive(root: &Path, packages: &[Package<'_>], key: &SignedSecretKey) {
    let mut index = String::new();
    for package in packages {
        let bytes = deb(package);
        let path = format!("pool/{}_{}.deb", package.name, package.version);
        write(&root.join(&path), &bytes);
        index += &format!(
            "Package: {}\nVersion: {}\nDepends: {}\nFilename: {path}\nSize: {}\nSHA256: {:x}\n\n",
            package.name,
            package.version,
            package.depends,
            bytes.len(),
            Sha256::digest(&bytes)
        );
    }
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(index.as_bytes()).unwrap();
    let packed = packer.finish().unwrap();
    let release = format!(
        "Codename: test\nVersion: 1.0\nSHA256:\n {:x} {} main/binary-amd64/Packages.gz\n",
        Sha256::digest(&packed),
        packed.len()
    );
    write(&root.join("dists/test/main/binary-amd64/Packages.gz"), &packed);
    write(&root.join("dists/test/InRelease"), sign(&release, key).as_bytes());
}

fn deb(package: &Package<'_>) -> Vec<u8> {
    let mut data = tar::Builder::new(Vec::new());
    for (path, content) in package.files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        header.set_cksum();
        data.append_data(&mut header, path, content.as_bytes()).unwrap();
    }
    let data = data.into_inner().unwrap();
    let mut archive = ar::Builder::new(Vec::new());
    for (name, bytes) in [("debian-binary", b"2.0\n".as_slice()), ("control.tar", b""), ("data.tar", &data)] {
        archive.append(&ar::Header::new(name.into(), bytes.len() as u64), bytes).unwrap();
    }
    archive.into_inner().unwrap()
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}
