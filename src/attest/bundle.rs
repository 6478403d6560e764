//! Sigstore bundles: an envelope with a hint to the key that verifies it, in the format
//! <https://docs.sigstore.dev/about/bundle/>, version 0.3. No transparency log is involved, and nothing is sent anywhere.

use serde_json::{Value, json};

use crate::signing::Envelope;

/// The media type of a bundle.
const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// The bundle of an envelope, as JSON in one line.
pub fn render(envelope: &Envelope) -> String {
    let mut envelope_json: Value = serde_json::from_str(&envelope.to_json()).expect("an envelope is JSON");
    let hint = envelope.signatures.first().map(|signature| signature.key_id.clone()).unwrap_or_default();
    // In version 0.3, the key is named once, outside of the envelope.
    for signature in envelope_json["signatures"].as_array_mut().into_iter().flatten() {
        signature.as_object_mut().map(|signature| signature.remove("keyid"));
    }
    let bundle = json!({
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": { "publicKey": { "hint": hint }, "tlogEntries": [] },
        "dsseEnvelope": envelope_json,
    });
    bundle.to_string()
}

/// The envelope in a bundle; `None` if the bytes are not a bundle of version 0.3 with an envelope.
pub fn parse(bytes: &[u8]) -> Option<Envelope> {
    let bundle: Value = serde_json::from_slice(bytes).ok()?;
    if bundle.get("mediaType")?.as_str()? != MEDIA_TYPE {
        return None;
    }
    let mut envelope = Envelope::from_json(bundle.get("dsseEnvelope")?.to_string().as_bytes())?;
    let hint = bundle.pointer("/verificationMaterial/publicKey/hint").and_then(Value::as_str).unwrap_or_default();
    for signature in envelope.signatures.iter_mut().filter(|signature| signature.key_id.is_empty()) {
        hint.clone_into(&mut signature.key_id);
    }
    Some(envelope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::PrivateKey;

    #[test]
    fn a_bundle_contains_its_envelope() {
        let key = PrivateKey::generate().unwrap();
        let envelope = Envelope::sign("text/plain", b"text".to_vec(), &key);
        assert_eq!(parse(render(&envelope).as_bytes()), Some(envelope.clone()));
        assert_eq!(parse(envelope.to_json().as_bytes()), None);
        assert_eq!(parse(render(&envelope).replace("v0.3", "v0.9").as_bytes()), None);
    }
}
