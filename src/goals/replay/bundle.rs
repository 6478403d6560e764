//! The contents of a bundle besides objects, and how they are read. Nothing in a bundle is trusted: digests, keys, paths and versions are
//! verified, and its result is only compared with, never put in the cache.

use std::fs::File;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::action::{Action, EncodedAction, Inputs, Platform, StepRecord};
use crate::base::Digest;
use crate::goals::Error;
use crate::goals::replay::{ReplayError, action};
use crate::session::Session;
use crate::store::Store;

/// The version of bundles. Raised when their form or meaning changes.
pub(in crate::goals) const VERSION: u64 = 1;

/// The name of the format in [`About`].
pub(in crate::goals) const FORMAT: &str = "waders bundle";

/// The members of a bundle: [`About`] as JSON, and the encoded command and action.
pub(in crate::goals) const MEMBERS: [&str; 3] = ["bundle.json", "command", "action"];

/// What a bundle says about its step.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::goals) struct About {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u64,
    /// The version of the program that wrote it.
    pub program: String,
    /// The goal of the step.
    pub goal: String,
    /// The key of the step.
    pub key: Digest,
    /// The step and its result.
    pub step: StepRecord,
}

/// A verified bundle, whose objects are in the store.
#[derive(Debug)]
pub(in crate::goals) struct Bundle {
    pub about: About,
    pub encoded: EncodedAction,
    pub action: Action,
    pub inputs: Inputs,
    pub platform: Platform,
}

/// The version alone, which every version of the format has.
#[derive(Deserialize)]
struct Versioned {
    format: String,
    version: u64,
}

/// Reads a bundle and stores its objects.
pub(in crate::goals) fn read(session: &mut Session, file: &str) -> Result<Bundle, Error> {
    let path = session.environment().cwd.join(file);
    let opened = File::open(&path).map_err(|source| ReplayError::Read { path: path.clone(), source })?;
    let store = session.services.open_store()?;
    let phase = session.ui.console.phase(&format!("reading `{file}`"));
    let members = store.read_bundle(std::io::BufReader::new(opened), &MEMBERS);
    drop(phase);
    let mut members = members.map_err(|source| ReplayError::Damaged { path: path.clone(), source })?;
    let mut member = |name: &str| members.remove(name).unwrap_or_default();
    let about = member("bundle.json");
    let encoded = EncodedAction { command: member("command"), action: member("action") };
    verified(&store, path, &about, encoded)
}

/// Verifies what a bundle says against its objects.
fn verified(store: &Store, path: PathBuf, about: &[u8], encoded: EncodedAction) -> Result<Bundle, Error> {
    let invalid = |why: String| ReplayError::Invalid { path: path.clone(), why };
    let versioned: Versioned = serde_json::from_slice(about).map_err(|error| invalid(error.to_string()))?;
    if versioned.format != FORMAT {
        return Err(invalid("its format is unknown".to_owned()).into());
    }
    if versioned.version != VERSION {
        let error = ReplayError::Version { path: path.clone(), found: versioned.version, expected: VERSION };
        return Err(error.into());
    }
    let about: About = serde_json::from_slice(about).map_err(|error| invalid(error.to_string()))?;
    if encoded.key() != about.key {
        return Err(invalid("its action does not have the recorded key".to_owned()).into());
    }
    let (command, inputs, platform) = encoded.to_parts().map_err(&invalid)?;
    if command.terminal {
        return Err(invalid("its step has the terminal".to_owned()).into());
    }
    let trees = [inputs.root].into_iter().chain(inputs.images.values().copied()).chain(about.step.output);
    for tree in trees {
        if !store.is_complete(tree)? {
            return Err(invalid(format!("the tree {tree} is incomplete")).into());
        }
    }
    for blob in about.step.streams.into_iter().flatten() {
        if !store.contains(blob)? {
            return Err(invalid(format!("the blob {blob} is missing")).into());
        }
    }
    let action = action(command, &about.step.label);
    Ok(Bundle { about, encoded, action, inputs, platform })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::action::{Command, Source, StepKind};
    use crate::store::Tree;

    fn encoded(root: Digest, terminal: bool) -> EncodedAction {
        let argv = vec!["/usr/bin/true".to_owned()];
        let mut command = Command::new(argv, BTreeMap::new(), Source::Tree(root), BTreeMap::new());
        command.terminal = terminal;
        EncodedAction::new(&command, &Inputs { root, images: BTreeMap::new() }, &Platform::sample())
    }

    fn about(encoded: &EncodedAction, version: u64) -> About {
        About {
            format: FORMAT.to_owned(),
            version,
            program: "0.1.0".to_owned(),
            goal: "test".to_owned(),
            key: encoded.key(),
            step: StepRecord::new("step".to_owned(), StepKind::Run, true),
        }
    }

    /// The error of a bundle in a store with an empty tree only.
    fn refused(change: impl FnOnce(&mut About, &mut EncodedAction)) -> String {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let root = store.put_tree(&Tree::default()).unwrap();
        let mut encoded = encoded(root, false);
        let mut about = about(&encoded, VERSION);
        let text = |about: &About| serde_json::to_vec(about).unwrap();
        assert!(verified(&store, "one.bundle".into(), &text(&about), encoded.clone()).is_ok());
        change(&mut about, &mut encoded);
        verified(&store, "one.bundle".into(), &text(&about), encoded).unwrap_err().to_string()
    }

    #[test]
    fn contradictions_are_refused() {
        let check = |change: fn(&mut About, &mut EncodedAction), expected: &str| {
            let message = refused(change);
            assert!(message.starts_with("`one.bundle` is ") && message.contains(expected), "{message}");
        };
        check(|about, _| about.format = "other".to_owned(), "its format is unknown");
        check(|about, _| about.version = 2, "a bundle of version 2, and this program reads version 1");
        check(|about, _| about.key = Digest::of(b"other"), "does not have the recorded key");
        check(|_, encoded| encoded.command.push(0), "");
        check(|about, _| about.step.output = Some(Digest::of(b"missing")), "is incomplete");
        check(|about, _| about.step.streams = Some([Digest::of(b"missing"); 2]), "is missing");
        check(
            |about, encoded| {
                *encoded = super::tests::encoded(Digest::of(b"missing"), false);
                about.key = encoded.key();
            },
            "is incomplete",
        );
        check(
            |about, encoded| {
                *encoded = super::tests::encoded(Digest::of(b"missing"), true);
                about.key = encoded.key();
            },
            "has the terminal",
        );
        check(
            |about, encoded| {
                encoded.action.extend([0x7a, 0]);
                about.key = encoded.key();
            },
            "",
        );
    }

    #[test]
    fn text_that_is_not_json_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let encoded = encoded(Digest::of(b""), false);
        for text in ["", "{", "{}", "[]", "{\"format\": 1}"] {
            assert!(verified(&store, "one.bundle".into(), text.as_bytes(), encoded.clone()).is_err(), "{text}");
        }
    }
}
