//! Compares two action keys field by field. Which files of the inputs differ is decided by the caller, who has the trees.

use std::collections::{BTreeMap, BTreeSet};

use crate::action::decoded::DecodedAction;
use crate::base::Digest;

/// A field of the key that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyDifference {
    /// Neighbouring arguments.
    Arguments {
        /// The position of the first one; 0 is the program.
        position: usize,
        /// The earlier arguments at this position.
        before: Vec<String>,
        /// The later arguments in their place.
        after: Vec<String>,
    },
    /// An environment variable; `None` where it is not set.
    Variable {
        /// The name of the variable.
        name: String,
        /// The earlier value.
        before: Option<String>,
        /// The later value.
        after: Option<String>,
    },
    /// The tree of the input files.
    Inputs {
        /// The earlier tree.
        before: Digest,
        /// The later tree.
        after: Digest,
    },
    /// An image; `None` where none is mounted. The values are digests in valid keys.
    Image {
        /// The mount point.
        at: String,
        /// The earlier tree.
        before: Option<String>,
        /// The later tree.
        after: Option<String>,
    },
    /// Anything else: a limit, the isolation level, the network, the working directory, the outputs.
    Setting {
        /// The name of the field.
        name: String,
        /// The earlier value.
        before: Option<String>,
        /// The later value.
        after: Option<String>,
    },
}

/// The fields in which two keys differ: arguments, variables, inputs, images, settings. Empty if they are equal.
pub fn differences(before: &DecodedAction, after: &DecodedAction) -> Vec<KeyDifference> {
    let mut found: Vec<KeyDifference> = arguments(&before.argv, &after.argv).into_iter().collect();
    found.extend(by_name(&before.env, &after.env).into_iter().map(|(name, before, after)| KeyDifference::Variable {
        name: name.clone(),
        before: before.cloned(),
        after: after.cloned(),
    }));
    if before.input_root != after.input_root {
        found.push(KeyDifference::Inputs { before: before.input_root, after: after.input_root });
    }
    let text = |value: Option<&&str>| value.map(|value| (*value).to_owned());
    found.extend(by_name(&before.images(), &after.images()).into_iter().map(|(at, before, after)| {
        KeyDifference::Image { at: (*at).to_owned(), before: text(before), after: text(after) }
    }));
    found.extend(by_name(&before.settings(), &after.settings()).into_iter().map(|(name, before, after)| {
        KeyDifference::Setting { name: (*name).to_owned(), before: text(before), after: text(after) }
    }));
    let outputs = |action: &DecodedAction| Some(action.outputs.join(" "));
    let named = [
        ("working directory", Some(before.cwd.clone()), Some(after.cwd.clone())),
        ("outputs", outputs(before), outputs(after)),
    ];
    let named = named.into_iter().filter(|(_, before, after)| before != after);
    found.extend(named.map(|(name, before, after)| KeyDifference::Setting { name: name.to_owned(), before, after }));
    found
}

/// The arguments between the longest common beginning and the longest common end.
fn arguments(before: &[String], after: &[String]) -> Option<KeyDifference> {
    if before == after {
        return None;
    }
    let position = before.iter().zip(after).take_while(|(one, other)| one == other).count();
    let (before, after) = (&before[position..], &after[position..]);
    let same = before.iter().rev().zip(after.iter().rev()).take_while(|(one, other)| one == other).count();
    let middle = |words: &[String]| words[..words.len() - same].to_vec();
    Some(KeyDifference::Arguments { position, before: middle(before), after: middle(after) })
}

type Named<'a, K, V> = (&'a K, Option<&'a V>, Option<&'a V>);

fn by_name<'a, K: Ord, V: PartialEq>(before: &'a BTreeMap<K, V>, after: &'a BTreeMap<K, V>) -> Vec<Named<'a, K, V>> {
    let names: BTreeSet<&K> = before.keys().chain(after.keys()).collect();
    let sides = names.into_iter().map(|name| (name, before.get(name), after.get(name)));
    sides.filter(|(_, before, after)| before != after).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{Command, EncodedAction, Inputs, Platform, Source};

    fn decoded(change: impl FnOnce(&mut Command, &mut Inputs, &mut Platform)) -> DecodedAction {
        let mut inputs = Inputs { root: Digest::of(b"root"), images: BTreeMap::new() };
        inputs.images.insert("/usr".to_owned(), Digest::of(b"usr"));
        let env = BTreeMap::from([("LANG".to_owned(), "C".to_owned())]);
        let argv = ["pytest", "-q", "a_test.py"].map(str::to_owned).to_vec();
        let mut command = Command::new(argv, env, Source::Tree(inputs.root), BTreeMap::new());
        let mut platform = Platform::sample();
        change(&mut command, &mut inputs, &mut platform);
        EncodedAction::new(&command, &inputs, &platform).decode().unwrap()
    }

    fn check(change: impl FnOnce(&mut Command, &mut Inputs, &mut Platform), expected: &KeyDifference) {
        let found = differences(&decoded(|_, _, _| {}), &decoded(change));
        assert_eq!(found, std::slice::from_ref(expected));
    }

    #[test]
    fn exactly_the_changed_field_is_named() {
        let text = |text: &str| Some(text.to_owned());
        let argument = |position, before: &[&str], after: &[&str]| {
            let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
            KeyDifference::Arguments { position, before: owned(before), after: owned(after) }
        };
        check(|command, _, _| command.argv[1] = "-v".to_owned(), &argument(1, &["-q"], &["-v"]));
        check(|command, _, _| command.argv.insert(2, "-x".to_owned()), &argument(2, &[], &["-x"]));
        check(|command, _, _| drop(command.argv.pop()), &argument(2, &["a_test.py"], &[]));
        let variable = |name: &str, before, after| KeyDifference::Variable { name: name.to_owned(), before, after };
        check(
            |command, _, _| drop(command.env.insert("A".to_owned(), "1".to_owned())),
            &variable("A", None, text("1")),
        );
        check(|command, _, _| command.env.clear(), &variable("LANG", text("C"), None));
        let root = Digest::of(b"other");
        check(|_, inputs, _| inputs.root = root, &KeyDifference::Inputs { before: Digest::of(b"root"), after: root });
        let image = |at: &str, before, after| KeyDifference::Image { at: at.to_owned(), before, after };
        let digest = |bytes: &[u8]| Some(Digest::of(bytes).to_string());
        check(
            |_, inputs, _| inputs.images.extend([("/usr".to_owned(), root)]),
            &image("/usr", digest(b"usr"), digest(b"other")),
        );
        check(
            |_, inputs, _| inputs.images.extend([("/deps".to_owned(), root)]),
            &image("/deps", None, digest(b"other")),
        );
        let setting = |name: &str, before, after| KeyDifference::Setting { name: name.to_owned(), before, after };
        check(|_, _, platform| platform.limits.processes = 9, &setting("limit:processes", text("3"), text("9")));
        check(|command, _, _| command.network = true, &setting("network", text("loopback"), text("host")));
        check(
            |command, _, _| command.cwd = crate::base::RelPath::parse("src").unwrap(),
            &setting("working directory", text(""), text("src")),
        );
    }

    #[test]
    fn equal_keys_do_not_differ() {
        assert_eq!(differences(&decoded(|_, _, _| {}), &decoded(|_, _, _| {})), []);
    }
}
