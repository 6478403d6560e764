//! An action cache whose entries are signed: it wraps any other action cache, so that someone who can write to that one cannot
//! make this machine use a result. An entry is used if a trusted key signed that this outcome belongs to this action, in a
//! namespace that this run accepts, under an isolation that is not weaker than the one required. Everything else is a miss.
//! Keys and envelopes are in `signing`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::action::{Action, EncodedAction, Inputs, Outcome, Platform};
use crate::base::Digest;
use crate::engine::action_cache::{Needs, Remaining};
use crate::engine::{ActionCache, Error};
use crate::signing::{self, Envelope, PrivateKey, PublicKey};

/// The payload type of the envelopes.
const PAYLOAD_TYPE: &str = "application/vnd.waders.cache-entry+json";

/// Isolation levels, the weakest first.
const ISOLATION: [&str; 3] = ["none", "no-landlock", "full"];

/// Whose entries are used, and how entries are signed.
#[derive(Clone, Debug)]
pub struct Trust {
    /// Signs what this run stores. Without it, and if signatures are required, this run stores nothing.
    pub signer: Option<PrivateKey>,
    /// The namespace of what this run stores.
    pub namespace: String,
    /// The trusted keys, by the namespaces that this run accepts.
    pub accepted: BTreeMap<String, Vec<PublicKey>>,
    /// Whether entries without a trusted signature are misses.
    pub requires_signatures: bool,
    /// The isolation level of this run.
    pub isolation: &'static str,
}

/// An action cache with signed entries.
pub struct SignedActionCache {
    inner: Arc<dyn ActionCache>,
    trust: Trust,
    rejected: Mutex<BTreeMap<Untrusted, usize>>,
    unstored: AtomicUsize,
}

/// Why an entry is not used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Untrusted {
    /// The signature is missing, or by an unknown key, or wrong.
    Signature(signing::Rejection),
    /// What is signed is not a statement on an entry.
    Unreadable,
    /// The namespace is not one that this run accepts, or the key is not trusted for it.
    Namespace(String),
    /// The statement is on another action.
    OtherAction,
    /// The statement is on another outcome.
    OtherOutcome,
    /// The isolation level under which the outcome was obtained.
    WeakerIsolation(String),
}

/// What is signed about an entry.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    namespace: String,
    action: Digest,
    isolation: String,
    outcome: Digest,
}

impl SignedActionCache {
    /// Signs and checks the entries of `inner`.
    pub fn new(inner: Arc<dyn ActionCache>, trust: Trust) -> SignedActionCache {
        SignedActionCache { inner, trust, rejected: Mutex::default(), unstored: AtomicUsize::new(0) }
    }

    /// The number of entries that were not used since this was last asked, by reason.
    pub fn take_rejected(&self) -> BTreeMap<Untrusted, usize> {
        std::mem::take(&mut *self.rejected.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The number of outcomes that were not stored for lack of a private key, since this was last asked.
    pub fn take_unstored(&self) -> usize {
        self.unstored.swap(0, Ordering::Relaxed)
    }

    /// Whether entries without a trusted signature are misses.
    pub fn requires_signatures(&self) -> bool {
        self.trust.requires_signatures
    }

    /// Whether an entry of another machine may be used. One that may not is counted.
    pub fn accepts(&self, key: &Digest, outcome: &Outcome, envelope: Option<&[u8]>) -> bool {
        self.accepts_content(key, digest(outcome), envelope)
    }

    /// Whether the tree of a step on another machine may be used. `key` is that of the step in the index.
    pub fn accepts_tree(&self, key: [u8; 32], tree: Digest, envelope: Option<&[u8]>) -> bool {
        self.accepts_content(&Digest::new(key, 0), tree, envelope)
    }

    /// A signature that the tree belongs to the step with this key in the index; `None` without a private key.
    pub fn sign_tree(&self, key: [u8; 32], tree: Digest) -> Option<String> {
        self.sign_content(Digest::new(key, 0), tree).map(|envelope| envelope.to_json())
    }

    fn accepts_content(&self, key: &Digest, content: Digest, envelope: Option<&[u8]>) -> bool {
        if !self.trust.requires_signatures {
            return true;
        }
        match self.check(key, content, envelope) {
            Ok(()) => true,
            Err(why) => {
                self.reject(key, why);
                false
            }
        }
    }

    fn reject(&self, key: &Digest, why: Untrusted) {
        tracing::warn!(%key, "cached result not used: {why}");
        let mut rejected = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        *rejected.entry(why).or_default() += 1;
    }

    fn sign(&self, key: Digest, outcome: &Outcome) -> Option<Envelope> {
        self.sign_content(key, digest(outcome))
    }

    fn sign_content(&self, key: Digest, content: Digest) -> Option<Envelope> {
        let Trust { signer, namespace, isolation, .. } = &self.trust;
        let statement = Statement {
            namespace: namespace.clone(),
            action: key,
            isolation: (*isolation).to_owned(),
            outcome: content,
        };
        let payload = serde_json::to_vec(&statement).expect("strings and digests always serialize");
        Some(Envelope::sign(PAYLOAD_TYPE, payload, signer.as_ref()?))
    }

    /// An error if the entry must not be used.
    fn check(&self, key: &Digest, content: Digest, envelope: Option<&[u8]>) -> Result<(), Untrusted> {
        match envelope.map(Envelope::from_json) {
            None => Err(Untrusted::Signature(signing::Rejection::Unsigned)),
            Some(None) => Err(Untrusted::Unreadable),
            Some(Some(envelope)) => self.check_envelope(&envelope, key, content),
        }
    }

    fn check_envelope(&self, envelope: &Envelope, key: &Digest, content: Digest) -> Result<(), Untrusted> {
        // Nothing of the payload is read before the signature of a trusted key was checked.
        envelope.verify(self.trust.accepted.values().flatten()).map_err(Untrusted::Signature)?;
        let is_typed = envelope.payload_type == PAYLOAD_TYPE;
        let statement = serde_json::from_slice::<Statement>(&envelope.payload).ok().filter(|_| is_typed);
        let Statement { namespace, action, isolation, outcome: signed } = statement.ok_or(Untrusted::Unreadable)?;
        let keys = self.trust.accepted.get(&namespace);
        if keys.is_none_or(|keys| envelope.verify(keys).is_err()) {
            return Err(Untrusted::Namespace(namespace));
        }
        if action != *key {
            return Err(Untrusted::OtherAction);
        }
        if signed != content {
            return Err(Untrusted::OtherOutcome);
        }
        if rank(&isolation) < rank(self.trust.isolation) {
            return Err(Untrusted::WeakerIsolation(isolation));
        }
        Ok(())
    }
}

/// The action that an envelope is about, whether it can be trusted or not.
pub(super) fn signed_action(envelope: &[u8]) -> Option<Digest> {
    let envelope = Envelope::from_json(envelope)?;
    Some(serde_json::from_slice::<Statement>(&envelope.payload).ok()?.action)
}

/// An unknown level is weaker than every other.
fn rank(isolation: &str) -> Option<usize> {
    ISOLATION.iter().position(|level| *level == isolation)
}

fn digest(outcome: &Outcome) -> Digest {
    Digest::of(&serde_json::to_vec(outcome).expect("outcomes always serialize"))
}

impl ActionCache for SignedActionCache {
    fn get(&self, key: &Digest, needs: Needs) -> Result<Option<Outcome>, Error> {
        let Some(outcome) = self.inner.get(key, needs)? else { return Ok(None) };
        if !self.trust.requires_signatures {
            return Ok(Some(outcome));
        }
        let envelope = self.inner.signature(key)?;
        Ok(self.accepts(key, &outcome, envelope.as_deref()).then_some(outcome))
    }

    fn put(&self, action: &EncodedAction, outcome: &Outcome) -> Result<(), Error> {
        let key = action.key();
        match self.sign(key, outcome) {
            // The old outcome does not match the new signature: a crash in between leaves an entry that is not used.
            Some(envelope) => self.inner.put_signature(&key, envelope.to_json().as_bytes())?,
            // It could never be used, and would replace an entry that could.
            None if self.trust.requires_signatures => {
                self.unstored.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            None => {}
        }
        self.inner.put(action, outcome)
    }

    fn signature(&self, key: &Digest) -> Result<Option<Vec<u8>>, Error> {
        self.inner.signature(key)
    }

    fn put_signature(&self, key: &Digest, envelope: &[u8]) -> Result<(), Error> {
        self.inner.put_signature(key, envelope)
    }

    fn put_action(&self, action: &EncodedAction) -> Result<(), Error> {
        self.inner.put_action(action)
    }

    fn action(&self, key: &Digest) -> Result<Option<EncodedAction>, Error> {
        self.inner.action(key)
    }

    fn remaining(
        &self,
        action: &Action,
        inputs: &Inputs,
        platform: &Platform,
        key: &Digest,
    ) -> Result<Remaining, Error> {
        self.inner.remaining(action, inputs, platform, key)
    }

    fn record_clean(
        &self,
        whole: &Action,
        action: &Action,
        inputs: &Inputs,
        platform: &Platform,
        outcome: &Outcome,
    ) -> Result<(), Error> {
        self.inner.record_clean(whole, action, inputs, platform, outcome)
    }

    fn clean_outcome(&self) -> Result<Outcome, Error> {
        self.inner.clean_outcome()
    }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Untrusted::Signature(signing::Rejection::Unsigned) => out.write_str("not signed"),
            Untrusted::Signature(signing::Rejection::UnknownKey(id)) => {
                write!(out, "signed with the unknown key `{id}`")
            }
            Untrusted::Signature(signing::Rejection::WrongSignature(id)) => {
                write!(out, "with a wrong signature of the key `{id}`")
            }
            Untrusted::Unreadable => out.write_str("with an unreadable signature"),
            Untrusted::Namespace(name) => write!(out, "of the namespace `{name}`, which is not accepted with that key"),
            Untrusted::OtherAction => out.write_str("signed for another action"),
            Untrusted::OtherOutcome => out.write_str("signed for another outcome"),
            Untrusted::WeakerIsolation(level) => write!(out, "obtained under the weaker isolation `{level}`"),
        }
    }
}

#[cfg(test)]
mod tests;
