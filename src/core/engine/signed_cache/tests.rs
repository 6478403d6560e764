//! What an attacker who can write to the wrapped cache may try, and what this cache makes of it.

use super::*;
use crate::engine::local::LocalActionCache;
use crate::store::Store;

struct Fixture {
    _dir: tempfile::TempDir,
    /// The cache that the attacker can write to.
    inner: Arc<LocalActionCache>,
    main: PrivateKey,
    pull_request: PrivateKey,
}

fn action(name: &str) -> EncodedAction {
    EncodedAction { command: name.into(), action: name.into() }
}

impl Fixture {
    fn new() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&dir.path().join("store")).unwrap());
        let key = || PrivateKey::generate().unwrap();
        Fixture { _dir: dir, inner: Arc::new(LocalActionCache::new(store)), main: key(), pull_request: key() }
    }

    fn cache(&self, signer: &PrivateKey, namespace: &str, accepted: &[(&str, &PrivateKey)]) -> SignedActionCache {
        let requires_signatures = !accepted.is_empty();
        let accepted = accepted.iter().map(|(name, key)| ((*name).to_owned(), vec![key.public()])).collect();
        let (signer, namespace) = (Some(signer.clone()), namespace.to_owned());
        let trust = Trust { signer, namespace, accepted, requires_signatures, isolation: "full" };
        SignedActionCache::new(self.inner.clone(), trust)
    }

    /// The cache of a run on the main branch.
    fn on_main(&self) -> SignedActionCache {
        self.cache(&self.main, "main", &[("main", &self.main)])
    }

    /// The cache of a run on a pull request, which uses the results of the main branch.
    fn on_pull_request(&self) -> SignedActionCache {
        let accepted = [("main", &self.main), ("pull-requests", &self.pull_request)];
        self.cache(&self.pull_request, "pull-requests", &accepted)
    }

    fn outcome(&self) -> Outcome {
        self.inner.clean_outcome().unwrap()
    }

    fn put(&self, cache: &dyn ActionCache, name: &str) {
        cache.put(&action(name), &self.outcome()).unwrap();
    }
}

fn get(cache: &SignedActionCache, name: &str) -> Result<Outcome, Untrusted> {
    let found = cache.get(&action(name).key(), Needs::WholeOutput).unwrap();
    found.ok_or_else(|| cache.take_rejected().into_keys().next().expect("a rejected entry has a reason"))
}

#[test]
fn a_signed_entry_is_used() {
    let fixture = Fixture::new();
    fixture.put(&fixture.on_main(), "a");
    assert_eq!(get(&fixture.on_main(), "a"), Ok(fixture.outcome()));
    assert_eq!(fixture.on_main().take_rejected(), BTreeMap::new());
}

#[test]
fn an_unsigned_entry_is_a_miss() {
    let fixture = Fixture::new();
    fixture.put(&*fixture.inner, "a");
    assert_eq!(get(&fixture.on_main(), "a"), Err(Untrusted::Signature(signing::Rejection::Unsigned)));
    fixture.inner.put_signature(&action("a").key(), b"{}").unwrap();
    assert_eq!(get(&fixture.on_main(), "a"), Err(Untrusted::Unreadable));
}

#[test]
fn an_entry_of_an_unknown_or_revoked_key_is_a_miss() {
    let fixture = Fixture::new();
    let former = PrivateKey::generate().unwrap();
    fixture.put(&fixture.cache(&former, "main", &[("main", &former)]), "a");
    let expected = Untrusted::Signature(signing::Rejection::UnknownKey(former.public().id()));
    assert_eq!(get(&fixture.on_main(), "a"), Err(expected));
}

#[test]
fn a_pull_request_uses_entries_of_main_but_does_not_feed_it() {
    let fixture = Fixture::new();
    fixture.put(&fixture.on_main(), "a");
    fixture.put(&fixture.on_pull_request(), "b");
    assert!(get(&fixture.on_pull_request(), "a").is_ok() && get(&fixture.on_pull_request(), "b").is_ok());
    let unknown = signing::Rejection::UnknownKey(fixture.pull_request.public().id());
    assert_eq!(get(&fixture.on_main(), "b"), Err(Untrusted::Signature(unknown)));
}

#[test]
fn a_key_cannot_sign_for_a_namespace_that_it_is_not_trusted_for() {
    let fixture = Fixture::new();
    fixture.put(&fixture.cache(&fixture.pull_request, "main", &[]), "a");
    assert_eq!(get(&fixture.on_pull_request(), "a"), Err(Untrusted::Namespace("main".to_owned())));
    fixture.put(&fixture.cache(&fixture.main, "elsewhere", &[]), "a");
    assert_eq!(get(&fixture.on_main(), "a"), Err(Untrusted::Namespace("elsewhere".to_owned())));
}

#[test]
fn a_run_in_a_namespace_without_keys_uses_nothing() {
    let fixture = Fixture::new();
    fixture.put(&fixture.on_main(), "a");
    let mut cache = fixture.cache(&fixture.main, "nowhere", &[]);
    cache.trust.requires_signatures = true;
    let unknown = signing::Rejection::UnknownKey(fixture.main.public().id());
    assert_eq!(get(&cache, "a"), Err(Untrusted::Signature(unknown)));
}

#[test]
fn a_signature_of_another_entry_is_a_miss() {
    let fixture = Fixture::new();
    fixture.put(&fixture.on_main(), "a");
    let envelope = fixture.inner.signature(&action("a").key()).unwrap().unwrap();
    fixture.put(&*fixture.inner, "b");
    fixture.inner.put_signature(&action("b").key(), &envelope).unwrap();
    assert_eq!(get(&fixture.on_main(), "b"), Err(Untrusted::OtherAction));
}

#[test]
fn another_outcome_under_a_signed_key_is_a_miss() {
    let fixture = Fixture::new();
    fixture.put(&fixture.on_main(), "a");
    let other = Outcome { attempts: 2, ..fixture.outcome() };
    fixture.inner.put(&action("a"), &other).unwrap();
    assert_eq!(get(&fixture.on_main(), "a"), Err(Untrusted::OtherOutcome));
}

#[test]
fn an_outcome_of_a_weaker_isolation_is_a_miss_and_of_a_stronger_one_is_not() {
    let fixture = Fixture::new();
    let with = |isolation| {
        let mut cache = fixture.on_main();
        cache.trust.isolation = isolation;
        cache
    };
    for (obtained, required, is_used) in [
        ("full", "full", true),
        ("full", "no-landlock", true),
        ("no-landlock", "full", false),
        ("none", "no-landlock", false),
        ("unheard-of", "none", false),
    ] {
        fixture.put(&with(obtained), "a");
        let expected =
            if is_used { Ok(fixture.outcome()) } else { Err(Untrusted::WeakerIsolation(obtained.to_owned())) };
        assert_eq!(get(&with(required), "a"), expected, "{obtained} for {required}");
    }
}

#[test]
fn a_damaged_signature_is_a_miss() {
    let fixture = Fixture::new();
    fixture.put(&fixture.on_main(), "a");
    let key = action("a").key();
    let mut envelope = Envelope::from_json(&fixture.inner.signature(&key).unwrap().unwrap()).unwrap();
    envelope.payload.push(b' ');
    fixture.inner.put_signature(&key, envelope.to_json().as_bytes()).unwrap();
    let wrong = signing::Rejection::WrongSignature(fixture.main.public().id());
    assert_eq!(get(&fixture.on_main(), "a"), Err(Untrusted::Signature(wrong)));
}

#[test]
fn an_envelope_with_another_purpose_is_no_entry() {
    let fixture = Fixture::new();
    fixture.put(&fixture.on_main(), "a");
    let key = action("a").key();
    let entry = Envelope::from_json(&fixture.inner.signature(&key).unwrap().unwrap()).unwrap();
    let other = Envelope::sign("application/vnd.in-toto+json", entry.payload, &fixture.main);
    fixture.inner.put_signature(&key, other.to_json().as_bytes()).unwrap();
    assert_eq!(get(&fixture.on_main(), "a"), Err(Untrusted::Unreadable));
}

#[test]
fn a_run_that_cannot_sign_replaces_no_entry_where_signatures_are_required() {
    let fixture = Fixture::new();
    fixture.put(&fixture.on_main(), "a");
    let mut reader = fixture.on_main();
    reader.trust.signer = None;
    reader.put(&action("a"), &Outcome { attempts: 9, ..fixture.outcome() }).unwrap();
    assert_eq!((reader.take_unstored(), reader.take_unstored()), (1, 0));
    assert_eq!(get(&fixture.on_main(), "a"), Ok(fixture.outcome()));
}

#[test]
fn without_trusted_keys_every_entry_is_used_and_new_ones_are_signed() {
    let fixture = Fixture::new();
    fixture.put(&*fixture.inner, "a");
    let writer = fixture.cache(&fixture.main, "main", &[]);
    assert!(get(&writer, "a").is_ok());
    fixture.put(&writer, "b");
    assert!(get(&fixture.on_main(), "b").is_ok());
}
