//! In-toto statements: a predicate about subjects, which digests identify. The format is
//! <https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The media type of a statement in an envelope.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The type of every statement.
pub const TYPE: &str = "https://in-toto.io/Statement/v1";

/// A predicate about subjects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    /// Always [`TYPE`].
    #[serde(rename = "_type")]
    pub kind: String,
    /// What the statement is about.
    pub subject: Vec<Subject>,
    /// What kind of predicate it is.
    pub predicate_type: String,
    /// What is stated.
    pub predicate: Value,
}

/// One file that a statement is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Subject {
    /// The path of the file below the directory for results.
    #[serde(default)]
    pub name: String,
    /// Its hashes.
    pub digest: Hashes,
}

/// The hashes of a file. Others than SHA-256 are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Hashes {
    /// In lower-case hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl Subject {
    /// A file with this hash.
    pub fn new(name: &str, sha256: &str) -> Subject {
        Subject { name: name.to_owned(), digest: Hashes { sha256: Some(sha256.to_owned()) } }
    }
}

impl Statement {
    /// A statement about subjects, which are sorted.
    pub fn new(mut subject: Vec<Subject>, predicate_type: &str, predicate: Value) -> Statement {
        subject.sort();
        Statement { kind: TYPE.to_owned(), subject, predicate_type: predicate_type.to_owned(), predicate }
    }

    /// The statement as JSON in one line. The same statement gives the same bytes.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("JSON values always serialize")
    }

    /// Reads a statement; `None` if the bytes are not one.
    pub fn from_json(bytes: &[u8]) -> Option<Statement> {
        serde_json::from_slice::<Statement>(bytes).ok().filter(|statement| statement.kind == TYPE)
    }
}
