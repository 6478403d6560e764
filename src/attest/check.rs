//! Checks an attestation for someone who has only its file, public keys, and perhaps the artifacts and the sources: who signed it,
//! what it is about, and whether files are the ones that it names. Files are read by the caller.

use serde_json::Value;

use crate::attest::bundle;
use crate::attest::material::{SETTINGS, SOURCE};
use crate::attest::statement::{PAYLOAD_TYPE, Statement};
use crate::base::{ErrorKind, RelPath};
use crate::signing::{Envelope, PublicKey, Rejection};

/// Why an attestation does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The file is something else.
    #[error("it is neither a DSSE envelope nor a Sigstore bundle with an in-toto statement")]
    NotAnAttestation,
    /// A statement without a signature.
    #[error("it is not signed")]
    Unsigned,
    /// No signature is by a given key.
    #[error("it is signed with the key `{signed_with}`, which is none of the given ones")]
    WrongKey {
        /// What the envelope calls its key.
        signed_with: String,
    },
    /// The payload, or the signature, is not what was signed.
    #[error("the signature of the key `{key}` does not match: the statement was changed after it was signed")]
    Tampered {
        /// The key that the envelope names.
        key: String,
    },
    /// An artifact that the statement is not about.
    #[error("`{file}` has the SHA-256 hash {sha256}, and the statement is about {}", subjects(.names))]
    OtherArtifact {
        /// The artifact.
        file: String,
        /// Its hash.
        sha256: String,
        /// The names of the subjects.
        names: Vec<String>,
    },
    /// A source that is missing.
    #[error("the source `{path}` is missing")]
    NoSource {
        /// From the build root.
        path: String,
    },
    /// A source with another content.
    #[error("the source `{path}` has the SHA-256 hash {found}, and the statement names {stated}")]
    OtherSource {
        /// From the build root.
        path: String,
        /// The hash of the file.
        found: String,
        /// The hash in the statement.
        stated: String,
    },
    /// A statement that names no sources, such as one without provenance.
    #[error("the statement names no sources: its predicate is `{0}`")]
    NoSources(String),
}

impl Failure {
    /// The kind of error, which decides the exit code.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Failure::NotAnAttestation => ErrorKind::Mistake,
            Failure::Unsigned | Failure::WrongKey { .. } | Failure::Tampered { .. } => ErrorKind::Untrusted,
            Failure::NoSources(_) => ErrorKind::Mistake,
            Failure::OtherArtifact { .. } | Failure::NoSource { .. } | Failure::OtherSource { .. } => {
                ErrorKind::WrongBytes
            }
        }
    }
}

fn subjects(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The statement in a file that one of these keys signed, and the name of that key.
pub fn open(bytes: &[u8], keys: &[PublicKey]) -> Result<(Statement, String), Failure> {
    let Some(envelope) = Envelope::from_json(bytes).or_else(|| bundle::parse(bytes)) else {
        return Err(match Statement::from_json(bytes) {
            Some(_) => Failure::Unsigned,
            None => Failure::NotAnAttestation,
        });
    };
    let key = envelope.verify(keys).map_err(|rejection| match rejection {
        Rejection::Unsigned => Failure::Unsigned,
        Rejection::UnknownKey(signed_with) => Failure::WrongKey { signed_with },
        Rejection::WrongSignature(key) => Failure::Tampered { key },
    })?;
    let statement = Statement::from_json(&envelope.payload).filter(|_| envelope.payload_type == PAYLOAD_TYPE);
    Ok((statement.ok_or(Failure::NotAnAttestation)?, key.id()))
}

/// How a statement names a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// The statement is about it.
    Subject,
    /// It was written with what the statement is about, as a bill of materials is.
    Byproduct,
}

/// How the statement names a file with this hash. An error if it does not.
pub fn check_artifact(statement: &Statement, file: &str, sha256: &str) -> Result<Named, Failure> {
    if statement.subject.iter().any(|subject| subject.digest.sha256.as_deref() == Some(sha256)) {
        return Ok(Named::Subject);
    }
    let byproducts = statement.predicate.pointer("/runDetails/byproducts").and_then(Value::as_array);
    let hash = |one: &Value| one.pointer("/digest/sha256").and_then(Value::as_str) == Some(sha256);
    if byproducts.into_iter().flatten().any(hash) {
        return Ok(Named::Byproduct);
    }
    Err(Failure::OtherArtifact {
        file: file.to_owned(),
        sha256: sha256.to_owned(),
        names: statement.subject.iter().map(|subject| subject.name.clone()).collect(),
    })
}

/// The sources and settings files that the statement names, with their SHA-256 hashes, in its order. A path that leaves the
/// repository is left out: Waders writes none, and no file may be read for it.
pub fn sources(statement: &Statement) -> Vec<(RelPath, String)> {
    let dependencies = statement.predicate.pointer("/buildDefinition/resolvedDependencies").and_then(Value::as_array);
    let source = |one: &Value| {
        let kind = one.pointer("/annotations/kind").and_then(Value::as_str)?;
        let path = RelPath::parse(one.get("name")?.as_str()?).ok()?;
        let hash = one.pointer("/digest/sha256")?.as_str()?;
        [SOURCE, SETTINGS].contains(&kind).then(|| (path, hash.to_owned()))
    };
    dependencies.into_iter().flatten().filter_map(source).collect()
}

/// Checks every source that the statement names; `hash` is the SHA-256 hash of a file, or `None` where there is none. Returns the
/// number of sources, or the first one that differs.
pub fn check_sources<E>(
    statement: &Statement,
    hash: impl Fn(&RelPath) -> Result<Option<String>, E>,
) -> Result<Result<usize, Failure>, E> {
    let sources = sources(statement);
    if sources.is_empty() {
        return Ok(Err(Failure::NoSources(statement.predicate_type.clone())));
    }
    for (path, stated) in &sources {
        let failure = match hash(path)? {
            Some(found) if found == *stated => continue,
            Some(found) => Failure::OtherSource { path: path.to_string(), found, stated: stated.clone() },
            None => Failure::NoSource { path: path.to_string() },
        };
        return Ok(Err(failure));
    }
    Ok(Ok(sources.len()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    use super::*;
    use crate::attest::material::tests::material;
    use crate::attest::provenance::{self, Build};
    use crate::attest::{MaterialKind, Role, Subject};
    use crate::signing::PrivateKey;

    fn statement() -> Statement {
        let source = |name| material(MaterialKind::Source { executable: false }, name, Role::Content);
        let byproducts = vec![Subject::new("bin.cdx.json", "99")];
        let build = Build { materials: vec![source("a.py"), source("b.py")], byproducts, ..Build::default() };
        provenance::statement(vec![Subject::new("bin.pex", "11")], &build)
    }

    fn signed(key: &PrivateKey) -> Envelope {
        Envelope::sign(PAYLOAD_TYPE, statement().to_json(), key)
    }

    #[test]
    fn a_signed_statement_is_opened_in_both_forms() {
        let key = PrivateKey::generate().unwrap();
        let expected = Ok((statement(), key.public().id()));
        let envelope = signed(&key);
        assert_eq!(open(envelope.to_json().as_bytes(), &[key.public()]), expected);
        assert_eq!(open(bundle::render(&envelope).as_bytes(), &[key.public()]), expected);
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        let (key, other) = (PrivateKey::generate().unwrap(), PrivateKey::generate().unwrap());
        let id = key.public().id();
        let check = |bytes: &[u8], trusted: &PrivateKey, expected: Failure| {
            assert_eq!(open(bytes, &[trusted.public()]), Err(expected));
        };
        let envelope = signed(&key);
        check(&statement().to_json(), &key, Failure::Unsigned);
        check(envelope.to_json().as_bytes(), &other, Failure::WrongKey { signed_with: id.clone() });
        check(bundle::render(&envelope).as_bytes(), &other, Failure::WrongKey { signed_with: id.clone() });
        let payload = String::from_utf8(envelope.payload.clone()).unwrap().replace("a.py", "c.py").into_bytes();
        let tampered = Envelope { payload, ..envelope.clone() };
        check(tampered.to_json().as_bytes(), &key, Failure::Tampered { key: id.clone() });
        check(bundle::render(&tampered).as_bytes(), &key, Failure::Tampered { key: id });
        let unsigned = Envelope { signatures: Vec::new(), ..envelope };
        check(unsigned.to_json().as_bytes(), &key, Failure::Unsigned);
        check(b"{}", &key, Failure::NotAnAttestation);
        let other_type = Envelope::sign("text/plain", statement().to_json(), &key);
        check(other_type.to_json().as_bytes(), &key, Failure::NotAnAttestation);
    }

    #[test]
    fn a_changed_byte_never_changes_what_is_stated() {
        let key = PrivateKey::generate().unwrap();
        let envelope = signed(&key);
        for sound in [envelope.to_json(), bundle::render(&envelope)] {
            for (at, change) in (0..sound.len()).step_by(11).flat_map(|at| [(at, 0x01), (at, 0x20)]) {
                let mut changed = sound.clone().into_bytes();
                changed[at] ^= change;
                if let Ok((stated, _)) = open(&changed, &[key.public()]) {
                    assert_eq!(stated, statement(), "byte {at}");
                }
            }
        }
    }

    #[test]
    fn a_statement_names_its_own_artifacts_only() {
        assert_eq!(check_artifact(&statement(), "dist/renamed.pex", "11"), Ok(Named::Subject));
        assert_eq!(check_artifact(&statement(), "bin.cdx.json", "99"), Ok(Named::Byproduct));
        let failure = check_artifact(&statement(), "dist/other.pex", "22").unwrap_err();
        assert_eq!(
            failure.to_string(),
            "`dist/other.pex` has the SHA-256 hash 22, and the statement is about `bin.pex`"
        );
    }

    #[test]
    fn the_first_source_that_differs_is_named() {
        let hash_of = |name: &str| material(MaterialKind::Settings, name, Role::Content).hash;
        let sound = BTreeMap::from([("a.py", hash_of("a.py")), ("b.py", hash_of("b.py"))]);
        let check = |files: &BTreeMap<&str, String>| {
            check_sources(&statement(), |path| Ok::<_, Infallible>(files.get(path.as_str()).cloned())).unwrap()
        };
        assert_eq!(check(&sound), Ok(2));
        let mut edited = sound.clone();
        edited.insert("b.py", "33".to_owned());
        let expected =
            Failure::OtherSource { path: "b.py".to_owned(), found: "33".to_owned(), stated: hash_of("b.py") };
        assert_eq!(check(&edited), Err(expected));
        edited.remove("a.py");
        assert_eq!(check(&edited), Err(Failure::NoSource { path: "a.py".to_owned() }));
    }

    #[test]
    fn no_file_outside_of_the_sources_is_ever_asked_for() {
        let climbing = material(MaterialKind::Settings, "../secret", Role::Content);
        let build = Build { materials: vec![climbing], ..Build::default() };
        let statement = provenance::statement(Vec::new(), &build);
        assert_eq!(sources(&statement), []);
    }
}
