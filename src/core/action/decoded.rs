//! Decodes the messages that an action key is the digest of. Foreign messages are accepted only if this program would encode the
//! same action to the same bytes.

use std::collections::BTreeMap;

use prost::Message;

use crate::action::command::Command;
use crate::action::key::{EncodedAction, Inputs, wire};
use crate::action::platform::{Limits, Platform};
use crate::action::step::Source;
use crate::base::{Digest, RelPath};

/// The fields of an action key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodedAction {
    /// The arguments.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: BTreeMap<String, String>,
    /// The working directory, relative to the input root.
    pub cwd: String,
    /// The absolute paths that are captured.
    pub outputs: Vec<String>,
    /// The tree of the inputs.
    pub input_root: Digest,
    /// Everything else by name: images, limits, isolation, network.
    pub properties: BTreeMap<String, String>,
}

/// The beginning of the names of properties with images; the mount point follows.
const IMAGE: &str = "image:";

impl EncodedAction {
    /// Decodes the messages. The error says what is malformed.
    pub fn decode(&self) -> Result<DecodedAction, String> {
        let unreadable = |what: &'static str| move |error: prost::DecodeError| format!("{what} is malformed: {error}");
        let command = wire::Command::decode(&self.command[..]).map_err(unreadable("the command"))?;
        let action = wire::Action::decode(&self.action[..]).map_err(unreadable("the action"))?;
        let digest = |digest: Option<wire::Digest>, what: &str| {
            let digest = digest.ok_or_else(|| format!("the action has no digest of {what}"))?;
            format!("{}/{}", digest.hash, digest.size_bytes).parse::<Digest>().map_err(|error| error.to_string())
        };
        if digest(action.command_digest, "its command")? != Digest::of(&self.command) {
            return Err("the action belongs to another command".to_owned());
        }
        Ok(DecodedAction {
            argv: command.arguments,
            env: by_name(command.environment_variables, "environment variable")?,
            cwd: command.working_directory,
            outputs: command.output_paths,
            input_root: digest(action.input_root_digest, "its inputs")?,
            properties: by_name(action.platform.unwrap_or_default().properties, "property")?,
        })
    }

    /// The action that has this encoding. An error if this program encodes it differently, because it was encoded by another
    /// version or is malformed.
    pub fn to_parts(&self) -> Result<(Command, Inputs, Platform), String> {
        let decoded = self.decode()?;
        let (inputs, platform) = (decoded.inputs()?, decoded.platform()?);
        let command = decoded.command(&inputs)?;
        if EncodedAction::new(&command, &inputs, &platform) != *self {
            return Err("it was encoded by another version of the program, or is not in canonical form".to_owned());
        }
        Ok((command, inputs, platform))
    }
}

impl DecodedAction {
    /// The images by mount point.
    pub fn images(&self) -> BTreeMap<&str, &str> {
        self.properties.iter().filter_map(|(name, tree)| Some((name.strip_prefix(IMAGE)?, tree.as_str()))).collect()
    }

    /// The properties that are not images.
    pub fn settings(&self) -> BTreeMap<&str, &str> {
        let settings = self.properties.iter().filter(|(name, _)| !name.starts_with(IMAGE));
        settings.map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    fn inputs(&self) -> Result<Inputs, String> {
        let image = |(at, tree): (&str, &str)| {
            let tree = tree.parse().map_err(|_| format!("the image `{at}` has no digest"))?;
            if !at.starts_with('/') || RelPath::parse(at.trim_start_matches('/')).is_err() {
                return Err(format!("the image has the invalid mount point `{}`", at.escape_debug()));
            }
            Ok((at.to_owned(), tree))
        };
        let images = self.images().into_iter().map(image).collect::<Result<_, String>>()?;
        Ok(Inputs { root: self.input_root, images })
    }

    fn command(&self, inputs: &Inputs) -> Result<Command, String> {
        let path = |text: &str| RelPath::parse(text).map_err(|error| error.to_string());
        let output = |(name, dir): (&String, &String)| {
            let at = name.strip_prefix("output:")?;
            Some(path(dir).map(|dir| (at.to_owned(), dir)))
        };
        let images = inputs.images.iter().map(|(at, tree)| (at.clone(), Source::Tree(*tree))).collect();
        let mut command = Command::new(self.argv.clone(), self.env.clone(), Source::Tree(inputs.root), images);
        command.cwd = path(&self.cwd)?;
        command.outputs_at = self.properties.iter().filter_map(output).collect::<Result<_, _>>()?;
        command.network = self.property("network")? == "host";
        command.terminal = self.property("terminal")? == "true";
        Ok(command)
    }

    fn platform(&self) -> Result<Platform, String> {
        let isolation = match self.property("isolation")? {
            "full" => "full",
            "no-landlock" => "no-landlock",
            other => return Err(format!("unknown isolation level `{}`", other.escape_debug())),
        };
        let limits = Limits {
            scratch_bytes: self.number("limit:scratch-bytes")?,
            scratch_inodes: self.number("limit:scratch-inodes")?,
            processes: self.number("limit:processes")?,
            open_files: self.number("limit:open-files")?,
            file_bytes: self.number("limit:file-bytes")?,
            memory_bytes: self.optional_number("limit:memory-bytes")?,
            process_memory_bytes: self.optional_number("limit:process-memory-bytes")?,
        };
        Ok(Platform { isolation, limits, cache_namespace: self.properties.get("cache-namespace").cloned() })
    }

    fn property(&self, name: &str) -> Result<&str, String> {
        self.properties.get(name).map(String::as_str).ok_or_else(|| format!("the property `{name}` is missing"))
    }

    fn number(&self, name: &str) -> Result<u64, String> {
        self.property(name)?.parse().map_err(|_| format!("the property `{name}` is not a number"))
    }

    fn optional_number(&self, name: &str) -> Result<Option<u64>, String> {
        self.properties.contains_key(name).then(|| self.number(name)).transpose()
    }
}

fn by_name(properties: Vec<wire::Property>, what: &str) -> Result<BTreeMap<String, String>, String> {
    let mut by_name = BTreeMap::new();
    for wire::Property { name, value } in properties {
        if by_name.insert(name.clone(), value).is_some() {
            return Err(format!("the {what} `{}` occurs twice", name.escape_debug()));
        }
    }
    Ok(by_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded() -> EncodedAction {
        let env = BTreeMap::from([("LANG".to_owned(), "C.UTF-8".to_owned())]);
        let inputs =
            Inputs { root: Digest::of(b"root"), images: BTreeMap::from([("/usr".to_owned(), Digest::of(b"usr"))]) };
        let mut command =
            Command::new(vec!["/usr/bin/true".to_owned()], env, Source::Tree(inputs.root), BTreeMap::new());
        command.outputs_at.insert("/src/reports".to_owned(), RelPath::parse("reports").unwrap());
        EncodedAction::new(&command, &inputs, &Platform::sample())
    }

    #[test]
    fn an_action_is_decoded_to_what_was_encoded() {
        let encoded = encoded();
        let decoded = encoded.decode().unwrap();
        assert_eq!(decoded.argv, ["/usr/bin/true"]);
        assert_eq!(decoded.images(), BTreeMap::from([("/usr", Digest::of(b"usr").to_string().as_str())]));
        assert!(decoded.settings().contains_key("limit:processes") && !decoded.settings().contains_key("image:/usr"));
        let (command, inputs, platform) = encoded.to_parts().unwrap();
        assert_eq!(EncodedAction::new(&command, &inputs, &platform).key(), encoded.key());
        assert_eq!(inputs.root, Digest::of(b"root"));
    }

    #[test]
    fn every_changed_byte_is_refused() {
        let whole = encoded();
        for at in 0..whole.command.len() {
            let mut changed = whole.clone();
            changed.command[at] ^= 1;
            assert!(changed.to_parts().is_err(), "byte {at} of the command");
        }
        for at in 0..whole.action.len() {
            let mut changed = whole.clone();
            changed.action[at] ^= 1;
            // A changed value, such as another limit, is another valid action with another key.
            assert!(changed.to_parts().is_err() || changed.key() != whole.key(), "byte {at} of the action");
            changed.action.truncate(at);
            assert!(changed.to_parts().is_err(), "cut at {at}");
        }
    }
}
