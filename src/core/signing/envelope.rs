//! DSSE envelopes: a payload with its type and signatures over both, as JSON. The format and the encoding that is signed are
//! those of <https://github.com/secure-systems-lab/dsse>, version 1.0.

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, Engine as _};
use serde::{Deserialize, Serialize};

use super::key::{PrivateKey, PublicKey};

/// Bytes with a type and signatures. The type is signed, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The media type of the payload.
    pub payload_type: String,
    /// What is signed.
    pub payload: Vec<u8>,
    /// At least one signature if the envelope is to be trusted.
    pub signatures: Vec<Signature>,
}

/// One signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The name of the key. It is a hint, and no evidence of anything.
    pub key_id: String,
    /// The bytes of the signature.
    pub bytes: Vec<u8>,
}

/// Why an envelope is not trusted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Rejection {
    /// It has no signature.
    #[error("it is not signed")]
    Unsigned,
    /// No signature is by a key that is trusted.
    #[error("it is signed with the unknown key `{0}`")]
    UnknownKey(String),
    /// A signature names a trusted key, but it is not a signature of this payload.
    #[error("the signature of the key `{0}` does not match")]
    WrongSignature(String),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EnvelopeJson {
    payload: String,
    payload_type: String,
    signatures: Vec<SignatureJson>,
}

#[derive(Serialize, Deserialize)]
struct SignatureJson {
    #[serde(default)]
    keyid: String,
    sig: String,
}

impl Envelope {
    /// An envelope with one signature.
    pub fn sign(payload_type: &str, payload: Vec<u8>, key: &PrivateKey) -> Envelope {
        let bytes = key.sign(&signed_bytes(payload_type, &payload)).to_vec();
        let signatures = vec![Signature { key_id: key.public().id(), bytes }];
        Envelope { payload_type: payload_type.to_owned(), payload, signatures }
    }

    /// The key, among those that are trusted, that signed the envelope.
    pub fn verify<'k>(
        &self,
        trusted: impl IntoIterator<Item = &'k PublicKey> + Clone,
    ) -> Result<&'k PublicKey, Rejection> {
        let message = signed_bytes(&self.payload_type, &self.payload);
        let signed_by =
            |key: &&PublicKey| self.signatures.iter().any(|signature| key.verifies(&message, &signature.bytes));
        if let Some(key) = trusted.clone().into_iter().find(signed_by) {
            return Ok(key);
        }
        let ids: Vec<String> = trusted.into_iter().map(PublicKey::id).collect();
        let first = self.signatures.first().ok_or(Rejection::Unsigned)?;
        match self.signatures.iter().find(|signature| ids.contains(&signature.key_id)) {
            Some(signature) => Err(Rejection::WrongSignature(signature.key_id.clone())),
            None => Err(Rejection::UnknownKey(first.key_id.clone())),
        }
    }

    /// The envelope as JSON, in one line without a line feed at its end.
    pub fn to_json(&self) -> String {
        let signature = |signature: &Signature| SignatureJson {
            keyid: signature.key_id.clone(),
            sig: BASE64_STANDARD.encode(&signature.bytes),
        };
        let json = EnvelopeJson {
            payload: BASE64_STANDARD.encode(&self.payload),
            payload_type: self.payload_type.clone(),
            signatures: self.signatures.iter().map(signature).collect(),
        };
        serde_json::to_string(&json).expect("strings always serialize")
    }

    /// Reads an envelope. `None` if the bytes are not one.
    pub fn from_json(bytes: &[u8]) -> Option<Envelope> {
        let json: EnvelopeJson = serde_json::from_slice(bytes).ok()?;
        let signature = |json: SignatureJson| Some(Signature { key_id: json.keyid, bytes: decode(&json.sig)? });
        Some(Envelope {
            payload: decode(&json.payload)?,
            payload_type: json.payload_type,
            signatures: json.signatures.into_iter().map(signature).collect::<Option<_>>()?,
        })
    }
}

/// The pre-authentication encoding: the bytes that are signed. Lengths are in bytes.
fn signed_bytes(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// The specification allows both alphabets.
fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text).or_else(|_| BASE64_URL_SAFE.decode(text)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> PrivateKey {
        PrivateKey::generate().unwrap()
    }

    #[test]
    fn the_signed_bytes_are_those_of_the_specification() {
        // The example of the specification, section "Signature definition".
        let bytes = signed_bytes("http://example.com/HelloWorld", b"hello world");
        assert_eq!(bytes, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    #[test]
    fn an_envelope_survives_its_json_form() {
        let envelope = Envelope::sign("text/plain", b"\xff\x00".to_vec(), &key());
        let json = envelope.to_json();
        assert_eq!(Envelope::from_json(json.as_bytes()), Some(envelope));
        assert!(!json.contains('\n'));
    }

    #[test]
    fn the_trusted_key_that_signed_is_found_whatever_the_envelope_calls_it() {
        let (signer, other) = (key(), key());
        let mut envelope = Envelope::sign("text/plain", b"text".to_vec(), &signer);
        let trusted = [other.public(), signer.public()];
        assert_eq!(envelope.verify(&trusted), Ok(&trusted[1]));
        envelope.signatures[0].key_id = other.public().id();
        assert_eq!(envelope.verify(&trusted), Ok(&trusted[1]));
    }

    #[test]
    fn changed_and_foreign_envelopes_are_rejected_for_their_own_reasons() {
        let signer = key();
        let sound = Envelope::sign("text/plain", b"text".to_vec(), &signer);
        let id = signer.public().id();
        let check = |envelope: &Envelope, trusted: &[PublicKey], expected: Rejection| {
            assert_eq!(envelope.verify(trusted), Err(expected));
        };
        let trusted = [signer.public()];
        check(
            &Envelope { payload: b"Text".to_vec(), ..sound.clone() },
            &trusted,
            Rejection::WrongSignature(id.clone()),
        );
        let other_type = Envelope { payload_type: "text/html".to_owned(), ..sound.clone() };
        check(&other_type, &trusted, Rejection::WrongSignature(id.clone()));
        check(&Envelope { signatures: Vec::new(), ..sound.clone() }, &trusted, Rejection::Unsigned);
        check(&sound, &[key().public()], Rejection::UnknownKey(id.clone()));
        check(&sound, &[], Rejection::UnknownKey(id));
    }

    #[test]
    fn other_json_is_no_envelope() {
        let empty = r#"{"payload":"","payloadType":"a","signatures":[]}"#;
        assert!(Envelope::from_json(empty.as_bytes()).is_some());
        for text in ["", "{}", "[]", &empty.replace("\"\",", "\"!\","), &empty.replace("[]", "[{}]")] {
            assert_eq!(Envelope::from_json(text.as_bytes()), None, "{text}");
        }
    }
}
