//! The key of an action: actions with equal keys have equal results. The key is the digest of the Remote Execution API's
//! `Action` message, so that a shared cache needs no other format. It covers everything in `Command`, `Inputs` and `Platform`,
//! and nothing else. The cache itself is in `engine`.

use std::collections::BTreeMap;

use prost::Message;

use crate::action::command::Command;
use crate::action::platform::Platform;
use crate::action::step::Action;
use crate::base::{Digest, sandbox_paths};

/// Raised when a change of this program can change the result of an action with the same key.
const FORMAT: &str = "4";

/// The input trees of an action, all computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs {
    /// The input root.
    pub root: Digest,
    /// Images by mount point.
    pub images: BTreeMap<String, Digest>,
}

/// An action as the Remote Execution API encodes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedAction {
    /// The `Command` message.
    pub command: Vec<u8>,
    /// The `Action` message, which names the command by digest.
    pub action: Vec<u8>,
}

impl EncodedAction {
    /// Encodes a command with its inputs and platform.
    pub fn new(command: &Command, inputs: &Inputs, platform: &Platform) -> EncodedAction {
        let message = command_message(command).encode_to_vec();
        let action = wire::Action {
            command_digest: Some(Digest::of(&message).into()),
            input_root_digest: Some(inputs.root.into()),
            platform: Some(platform_message(command, inputs, platform)),
        };
        EncodedAction { command: message, action: action.encode_to_vec() }
    }

    /// The digest that the action cache uses.
    pub fn key(&self) -> Digest {
        Digest::of(&self.action)
    }
}

/// The key of a command with these inputs on this platform.
pub fn key(command: &Command, inputs: &Inputs, platform: &Platform) -> Digest {
    EncodedAction::new(command, inputs, platform).key()
}

/// The key of an action's incremental state. Actions with the same state key may start from each other's state. It is the key
/// of the action with the input root replaced by the inputs that the state depends on. `None` for an action without state.
pub fn state_key(action: &Action, inputs: &Inputs, platform: &Platform) -> Option<Digest> {
    let incremental = action.policy.incremental.as_ref()?;
    let inputs = Inputs { root: incremental.state_inputs, images: inputs.images.clone() };
    Some(key(&action.command, &inputs, platform))
}

fn command_message(command: &Command) -> wire::Command {
    // Destructured, so that a new field cannot be left out of the key.
    let Command { argv, env, cwd, input_root: _, images: _, outputs_at, network: _, terminal: _ } = command;
    let variable = |(name, value): (&String, &String)| wire::Property { name: name.clone(), value: value.clone() };
    wire::Command {
        arguments: argv.clone(),
        environment_variables: env.iter().map(variable).collect(),
        working_directory: cwd.as_str().to_owned(),
        output_paths: [sandbox_paths::OUT]
            .into_iter()
            .chain(outputs_at.keys().map(String::as_str))
            .map(str::to_owned)
            .collect(),
    }
}

/// Properties are sorted by name, as the API requires.
fn platform_message(command: &Command, inputs: &Inputs, platform: &Platform) -> wire::Platform {
    let mut properties = platform.properties();
    properties.extend(inputs.images.iter().map(|(at, tree)| (format!("image:{at}"), tree.to_string())));
    properties.extend(command.outputs_at.iter().map(|(at, dir)| (format!("output:{at}"), dir.to_string())));
    properties.insert("network".to_owned(), if command.network { "host" } else { "loopback" }.to_owned());
    properties.insert("terminal".to_owned(), command.terminal.to_string());
    properties.insert("waders".to_owned(), FORMAT.to_owned());
    let property = |(name, value)| wire::Property { name, value };
    wire::Platform { properties: properties.into_iter().map(property).collect() }
}

/// The messages of `build.bazel.remote.execution.v2` that a key needs, with the field numbers of that API.
pub(in crate::action) mod wire {
    pub(in crate::action) use crate::base::wire::Digest;

    /// `Command.EnvironmentVariable` and `Platform.Property` have the same shape.
    #[derive(Clone, PartialEq, prost::Message)]
    pub(in crate::action) struct Property {
        #[prost(string, tag = "1")]
        pub name: String,
        #[prost(string, tag = "2")]
        pub value: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(in crate::action) struct Platform {
        #[prost(message, repeated, tag = "1")]
        pub properties: Vec<Property>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(in crate::action) struct Command {
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
    pub(in crate::action) struct Action {
        #[prost(message, optional, tag = "1")]
        pub command_digest: Option<Digest>,
        #[prost(message, optional, tag = "2")]
        pub input_root_digest: Option<Digest>,
        #[prost(message, optional, tag = "10")]
        pub platform: Option<Platform>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::platform::Limits;
    use crate::action::policy::{Incremental, Policy};
    use crate::action::step::Source;
    use crate::base::RelPath;

    fn action() -> Action {
        let env = BTreeMap::from([("LANG".to_owned(), "C.UTF-8".to_owned())]);
        let argv = vec!["/usr/bin/true".to_owned()];
        let command = Command::new(argv, env, Source::Tree(Digest::of(b"")), BTreeMap::new());
        Action { command, policy: Policy::new("a step".to_owned()) }
    }

    fn inputs() -> Inputs {
        Inputs { root: Digest::of(b""), images: BTreeMap::from([("/usr".to_owned(), Digest::of(b"usr"))]) }
    }

    /// Whether the key of a changed action differs from that of the original.
    fn differs(change: impl FnOnce(&mut Command, &mut Inputs, &mut Platform)) -> bool {
        let (mut changed, mut changed_inputs, mut changed_platform) = (action().command, inputs(), Platform::sample());
        change(&mut changed, &mut changed_inputs, &mut changed_platform);
        key(&changed, &changed_inputs, &changed_platform) != key(&action().command, &inputs(), &Platform::sample())
    }

    #[test]
    fn everything_that_can_change_the_result_changes_the_key() {
        assert!(differs(|command, _, _| command.argv.push(String::new())));
        assert!(differs(|command, _, _| drop(command.env.insert("A".to_owned(), "1".to_owned()))));
        assert!(differs(|command, _, _| command.cwd = RelPath::parse("a").unwrap()));
        assert!(differs(|command, _, _| command.network = true));
        assert!(differs(|command, _, _| command.terminal = true));
        let reports = || ("/src/reports".to_owned(), RelPath::parse("reports").unwrap());
        assert!(differs(|command, _, _| command.outputs_at.extend([reports()])));
        assert!(differs(|_, inputs, _| inputs.root = Digest::of(b"other")));
        assert!(differs(|_, inputs, _| inputs.images.extend([("/usr".to_owned(), Digest::of(b"other"))])));
        assert!(differs(|_, inputs, _| inputs.images.extend([("/deps".to_owned(), Digest::of(b"usr"))])));
        assert!(differs(|_, _, platform| platform.isolation = "none"));
        let limits: [fn(&mut Limits); 6] = [
            |limits| limits.scratch_bytes += 10,
            |limits| limits.scratch_inodes += 10,
            |limits| limits.processes += 10,
            |limits| limits.open_files += 10,
            |limits| limits.file_bytes += 10,
            |limits| limits.memory_bytes = Some(1),
        ];
        for (number, change) in limits.into_iter().enumerate() {
            assert!(differs(|_, _, platform| change(&mut platform.limits)), "limit {number}");
        }
    }

    #[test]
    fn the_directory_of_an_output_changes_the_key() {
        let key_for = |dir: &str| {
            let mut command = action().command;
            command.outputs_at.insert("/src/reports".to_owned(), RelPath::parse(dir).unwrap());
            key(&command, &inputs(), &Platform::sample())
        };
        assert_ne!(key_for("reports"), key_for("other"));
    }

    #[test]
    fn a_state_key_depends_on_everything_except_the_sources() {
        let incremental = |text: &[u8]| Incremental {
            state_at: "/state".to_owned(),
            state_out: RelPath::parse("state").unwrap(),
            state_inputs: Digest::of(text),
            discard_state: false,
        };
        let with = |text: &[u8]| {
            let mut action = action();
            action.policy.incremental = Some(incremental(text));
            action
        };
        let key_of = |action: &Action, inputs: &Inputs| state_key(action, inputs, &Platform::sample()).unwrap();
        let original = key_of(&with(b"settings"), &inputs());
        assert_eq!(key_of(&with(b"settings"), &Inputs { root: Digest::of(b"edited"), ..inputs() }), original);
        assert_ne!(key_of(&with(b"other settings"), &inputs()), original);
        assert_ne!(key_of(&with(b"settings"), &Inputs { images: BTreeMap::new(), ..inputs() }), original);
        let mut other = with(b"settings");
        other.command.argv = vec!["/usr/bin/false".to_owned()];
        assert_ne!(key_of(&other, &inputs()), original);
        assert_ne!(key(&action().command, &inputs(), &Platform::sample()), original);
        assert_eq!(state_key(&action(), &inputs(), &Platform::sample()), None);
    }

    #[test]
    fn the_boundaries_between_arguments_change_the_key() {
        let key_of = |argv: &[&str]| {
            let argv = argv.iter().map(|word| word.to_string()).collect();
            key(&Command { argv, ..action().command }, &inputs(), &Platform::sample())
        };
        assert_ne!(key_of(&["ab", "c"]), key_of(&["a", "bc"]));
    }
}
