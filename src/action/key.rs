//! The name of what an action would do: equal keys, equal bytes. No cache here, only the computation.
//!
//! The key is the digest of the Remote Execution API's `Action` message, so that a shared cache needs no other format.
//!
//! | in the key | as |
//! |---|---|
//! | `argv`, `env`, `cwd` | `Command.arguments`, `.environment_variables` (sorted), `.working_directory` |
//! | `outputs_at` | `Command.output_paths` |
//! | the input root's tree | `Action.input_root_digest` |
//! | every image by mount point, so the toolchain and all libraries | platform property `image:/usr` … |
//! | isolation level, network kind | platform properties: a weak result never stands in for a strong one |
//! | the format's version | platform property `waders`; raised when the sandbox's made files change |
//!
//! | not in the key | because |
//! |---|---|
//! | `label` | it names the step for people |
//! | `timeout`, `attempts` | they decide whether a result comes to be, not which; only successes are kept |
//! | `slot_variable` | the number differs from run to run; who sets it promises that results do not depend on it |
//! | `share` | as above: it decides how fast a result comes to be |
//! | `cache`, `interactive` | they say what to do with a result |
//! | `each` | it says how `argv` may be shortened, which gives another key |
//! | `warm` | the tool finds the same with and without; the outcome says what it began with |

use std::collections::BTreeMap;

use prost::Message;

use crate::action::step::Action;
use crate::base::Digest;

/// Raised when the same action could give other bytes because this program changed.
const FORMAT: &str = "2";

/// An action's trees, now known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs {
    pub root: Digest,
    pub images: BTreeMap<String, Digest>,
}

/// The name of what all runs of a kind have in common: the key without the input root, which may differ.
pub fn lineage(action: &Action, inputs: &Inputs, isolation: &str) -> Option<Digest> {
    let warm = action.warm.as_ref()?;
    Some(key(action, &Inputs { root: warm.fits, images: inputs.images.clone() }, isolation))
}

pub fn key(action: &Action, inputs: &Inputs, isolation: &str) -> Digest {
    let command = command(action).encode_to_vec();
    let message = wire::Action {
        command_digest: Some(Digest::of(&command).into()),
        input_root_digest: Some(inputs.root.into()),
        do_not_cache: action.interactive,
        platform: Some(platform(action, inputs, isolation)),
    };
    Digest::of(&message.encode_to_vec())
}

fn command(action: &Action) -> wire::Command {
    let variable = |(name, value): (&String, &String)| wire::Property { name: name.clone(), value: value.clone() };
    wire::Command {
        arguments: action.argv.clone(),
        environment_variables: action.env.iter().map(variable).collect(),
        working_directory: action.cwd.as_str().to_owned(),
        output_paths: ["/out"]
            .into_iter()
            .chain(action.outputs_at.keys().map(String::as_str))
            .map(str::to_owned)
            .collect(),
    }
}

/// Properties are sorted by name, as the API demands.
fn platform(action: &Action, inputs: &Inputs, isolation: &str) -> wire::Platform {
    let images = inputs.images.iter().map(|(at, tree)| (format!("image:{at}"), tree.to_string()));
    let mut properties: BTreeMap<String, String> = images.collect();
    properties.insert("isolation".to_owned(), isolation.to_owned());
    properties.insert("network".to_owned(), if action.network { "host" } else { "loopback" }.to_owned());
    properties.insert("waders".to_owned(), FORMAT.to_owned());
    let property = |(name, value)| wire::Property { name, value };
    wire::Platform { properties: properties.into_iter().map(property).collect() }
}

/// The messages of `build.bazel.remote.execution.v2`, as far as a key needs them. Field numbers are the API's.
mod wire {
    pub use crate::base::wire::Digest;

    /// `Command.EnvironmentVariable` and `Platform.Property` have the same shape.
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Property {
        #[prost(string, tag = "1")]
        pub name: String,
        #[prost(string, tag = "2")]
        pub value: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Platform {
        #[prost(message, repeated, tag = "1")]
        pub properties: Vec<Property>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Command {
        #[prost(string, repeated, tag = "1")]
        pub arguments: Vec<String>,
        #[prost(message, repeated, tag = "2")]
        pub environment_variables: Vec<Property>,
        #[prost(string, tag = "6")]
        pub working_directory: String,
        #[prost(string, repeated, tag = "7")]
        pub output_paths: Vec<String>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Action {
        #[prost(message, optional, tag = "1")]
        pub command_digest: Option<Digest>,
        #[prost(message, optional, tag = "2")]
        pub input_root_digest: Option<Digest>,
        #[prost(bool, tag = "7")]
        pub do_not_cache: bool,
        #[prost(message, optional, tag = "10")]
        pub platform: Option<Platform>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::step::{CachePolicy, Each, Share, Source, Warm};
    use crate::base::RelPath;

    fn action() -> Action {
        let empty = Digest::of(b"");
        Action {
            label: "a step".to_owned(),
            argv: vec!["/usr/bin/true".to_owned()],
            env: BTreeMap::from([("LANG".to_owned(), "C.UTF-8".to_owned())]),
            cwd: RelPath::root(),
            input_root: Source::Tree(empty),
            images: BTreeMap::new(),
            outputs_at: BTreeMap::new(),
            network: false,
            timeout: None,
            attempts: 1,
            cache: CachePolicy { read: true, keep: true, good_codes: vec![0] },
            slot_variable: None,
            share: None,
            interactive: false,
            warm: None,
            each: None,
        }
    }

    fn inputs() -> Inputs {
        Inputs { root: Digest::of(b""), images: BTreeMap::from([("/usr".to_owned(), Digest::of(b"usr"))]) }
    }

    /// Whether the key of a changed action differs from the original's.
    fn differs(change: impl FnOnce(&mut Action, &mut Inputs)) -> bool {
        let (mut changed, mut changed_inputs) = (action(), inputs());
        change(&mut changed, &mut changed_inputs);
        key(&changed, &changed_inputs, "full") != key(&action(), &inputs(), "full")
    }

    #[test]
    fn whatever_can_change_the_bytes_changes_the_key() {
        assert!(differs(|action, _| action.argv.push(String::new())));
        assert!(differs(|action, _| drop(action.env.insert("A".to_owned(), "1".to_owned()))));
        assert!(differs(|action, _| action.cwd = RelPath::parse("a").unwrap()));
        assert!(differs(|action, _| action.network = true));
        assert!(differs(|_, inputs| inputs.root = Digest::of(b"other")));
        assert!(differs(|_, inputs| inputs.images.extend([("/usr".to_owned(), Digest::of(b"other"))])));
        assert!(differs(|_, inputs| inputs.images.extend([("/deps".to_owned(), Digest::of(b"usr"))])));
        assert_ne!(key(&action(), &inputs(), "full"), key(&action(), &inputs(), "none"));
    }

    #[test]
    fn what_only_people_see_leaves_the_key_alone() {
        assert!(!differs(|action, _| action.label = "another".to_owned()));
        assert!(!differs(|action, _| action.attempts = 3));
        assert!(!differs(|action, _| action.timeout = Some(std::time::Duration::from_secs(1))));
        assert!(!differs(|action, _| action.slot_variable = Some("SLOT".to_owned())));
        let left_in = RelPath::parse("state").unwrap();
        let warm = Warm { found_at: "/warm".to_owned(), left_in, fits: Digest::of(b""), anew: true };
        assert!(!differs(|action, _| action.warm = Some(warm)));
        let each = Each { files: 0, fits: Digest::of(b""), chatter: None };
        assert!(!differs(|action, _| action.each = Some(each)));
        assert!(!differs(|action, _| action.share = Some(Share { variable: "N".to_owned(), at_most: 3 })));
    }

    #[test]
    fn a_lineage_spans_sources_but_nothing_else() {
        let fits = |text: &[u8]| Warm {
            found_at: "/warm".to_owned(),
            left_in: RelPath::parse("state").unwrap(),
            fits: Digest::of(text),
            anew: false,
        };
        let warm = Action { warm: Some(fits(b"settings")), ..action() };
        let of = |action: &Action, inputs: &Inputs| lineage(action, inputs, "full").unwrap();
        let original = of(&warm, &inputs());
        assert_eq!(of(&warm, &Inputs { root: Digest::of(b"edited"), ..inputs() }), original);
        assert_eq!(of(&Action { label: "another".to_owned(), ..warm.clone() }, &inputs()), original);
        assert_ne!(of(&Action { warm: Some(fits(b"other settings")), ..action() }, &inputs()), original);
        assert_ne!(of(&Action { argv: vec!["/usr/bin/false".to_owned()], ..warm.clone() }, &inputs()), original);
        assert_ne!(of(&warm, &Inputs { images: BTreeMap::new(), ..inputs() }), original);
        assert_ne!(key(&warm, &inputs(), "full"), original);
        assert_eq!(lineage(&action(), &inputs(), "full"), None);
    }

    #[test]
    fn words_do_not_run_together() {
        let of = |argv: &[&str]| {
            let argv = argv.iter().map(|word| word.to_string()).collect();
            key(&Action { argv, ..action() }, &inputs(), "full")
        };
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
    }
}
