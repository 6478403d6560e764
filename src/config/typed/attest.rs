//! `[attest]` and `[cache]`: how results are attested, and which entries of the action cache are trusted.

use std::collections::BTreeMap;

use super::section::Section;
use crate::config::table::{Kind, Row};
use crate::config::{Config, Table};

/// Where a private key is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignerSettings {
    /// The file with the key; it may begin with `~`, and is relative to the build root unless it is absolute.
    pub file: Option<String>,
    /// The environment variable with the key, which is used if it is set.
    pub variable: Option<String>,
}

/// What `attest` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttestOperation {
    /// Attests the results of goals.
    Attest,
    /// Creates a key pair.
    Keygen,
    /// Checks an attestation.
    Verify,
}

/// The section `[attest]`.
#[derive(Clone, Debug)]
pub struct AttestSettings {
    /// What to do.
    pub operation: AttestOperation,
    /// The goals whose results are attested; empty for those that the selected targets have.
    pub goals: Vec<String>,
    /// The directory for attestations.
    pub output_dir: String,
    /// The key that signs.
    pub signer: SignerSettings,
    /// Whether signatures are wrapped in Sigstore bundles.
    pub sigstore: bool,
    /// The URI of the system that is responsible for the build.
    pub builder_id: String,
    /// The URI of the repository.
    pub repository: Option<String>,
    /// The files of the public keys that may have signed an attestation.
    pub keys: Vec<String>,
    /// The files that an attestation must be about.
    pub artifacts: Vec<String>,
    /// The directory with the sources that an attestation must be about.
    pub sources: Option<String>,
    /// Whether the result is printed as JSON.
    pub json: bool,
}

impl AttestSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> AttestSettings {
        let section = Section::new(config, "attest");
        AttestSettings {
            operation: match section.word("operation") {
                Some("keygen") => AttestOperation::Keygen,
                Some("verify") => AttestOperation::Verify,
                _ => AttestOperation::Attest,
            },
            goals: section.texts("goals"),
            output_dir: section.text_or("output_dir", "dist/attestations"),
            signer: signer(&section),
            sigstore: section.word("format") == Some("sigstore"),
            builder_id: section.text_or("builder_id", ""),
            repository: section.filled("repository"),
            keys: section.texts("key"),
            artifacts: section.texts("artifact"),
            sources: section.filled("sources"),
            json: section.flag("json"),
        }
    }
}

/// The section `[cache]`.
#[derive(Clone, Debug)]
pub struct CacheSettings {
    /// The namespace of the entries that this run stores.
    pub namespace: String,
    /// The key that signs the entries that this run stores.
    pub signer: SignerSettings,
    /// Public keys, or files with one, by the namespace that they are trusted for.
    pub trusted_keys: BTreeMap<String, Vec<String>>,
    /// The namespaces that may use the entries of a namespace, besides itself.
    pub feeds: BTreeMap<String, Vec<String>>,
}

impl CacheSettings {
    /// Parses the section.
    pub fn parse(config: &Config) -> CacheSettings {
        let section = Section::new(config, "cache");
        CacheSettings {
            namespace: section.text_or("namespace", "main"),
            signer: signer(&section),
            trusted_keys: lists(&section, "trusted_keys"),
            feeds: lists(&section, "feeds"),
        }
    }

    /// The keys that this run accepts, by namespace: its own namespace, and those that feed it.
    pub fn accepted(&self) -> BTreeMap<String, Vec<String>> {
        let feeds_this = |name: &String| self.feeds.get(name).is_some_and(|fed| fed.contains(&self.namespace));
        let is_accepted = |name: &String| *name == self.namespace || feeds_this(name);
        self.trusted_keys
            .iter()
            .filter(|(name, _)| is_accepted(name))
            .map(|(name, keys)| (name.clone(), keys.clone()))
            .collect()
    }
}

/// The options of these sections that are not set to their defaults and that cannot contain a secret: numbers, switches and
/// choices. Text is left out, because it may contain a password.
pub fn plain_settings(config: &Config, sections: &[&str]) -> BTreeMap<String, BTreeMap<String, serde_json::Value>> {
    let mut found: BTreeMap<String, BTreeMap<String, serde_json::Value>> = BTreeMap::new();
    for section in sections.iter().filter_map(|name| Table::get().section(name)) {
        let is_plain = |row: &Row| match row.entry.kind {
            Kind::Bool | Kind::Integer | Kind::Float | Kind::Size | Kind::Choice(_) => !row.entry.inert,
            Kind::Text | Kind::Texts | Kind::Integers | Kind::ShellWords | Kind::Dict => false,
        };
        for row in section.rows.values().filter(|row| is_plain(row)) {
            let option = row.entry.name;
            if !config.is_default(section.name, option) {
                let value = config.value(section.name, option).clone();
                found.entry(section.name.to_owned()).or_default().insert(option.to_owned(), value);
            }
        }
    }
    found
}

fn signer(section: &Section<'_>) -> SignerSettings {
    SignerSettings { file: section.filled("sign_with"), variable: section.filled("sign_with_env") }
}

/// A mapping to lists of strings; one string stands for a list of one.
fn lists(section: &Section<'_>, option: &str) -> BTreeMap<String, Vec<String>> {
    let texts = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => vec![text.clone()],
        value => value.as_array().into_iter().flatten().filter_map(|text| text.as_str()).map(str::to_owned).collect(),
    };
    section.dict(option).iter().map(|(name, value)| (name.clone(), texts(value))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_settings_contain_no_text() {
        let config = Config::of([
            ("pytest", "args", json!(["--password=secret"])),
            ("python", "enable_resolves", json!(true)),
            ("python", "invalid_lockfile_behavior", json!("ignore")),
            ("python", "default_resolve", json!("secret")),
        ]);
        let expected = json!({ "python": { "enable_resolves": true, "invalid_lockfile_behavior": "ignore" } });
        let mut config_of_python = plain_settings(&config, &["python", "pytest", "no-such-section"]);
        let kept = ["enable_resolves", "invalid_lockfile_behavior"];
        config_of_python.values_mut().for_each(|options| options.retain(|option, _| kept.contains(&option.as_str())));
        config_of_python.retain(|_, options| !options.is_empty());
        assert_eq!(json!(config_of_python), expected);
        assert!(!json!(plain_settings(&config, &["python", "pytest"])).to_string().contains("secret"));
    }

    #[test]
    fn a_namespace_accepts_itself_and_those_that_feed_it() {
        let check = |namespace: &str, expected: &[&str]| {
            let config = Config::of([
                ("cache", "namespace", json!(namespace)),
                ("cache", "trusted_keys", json!({"main": "a.pub", "pull-requests": ["b.pub"], "release": ["c.pub"]})),
                ("cache", "feeds", json!({"main": ["pull-requests"]})),
            ]);
            let accepted = CacheSettings::parse(&config).accepted();
            assert_eq!(accepted.keys().map(String::as_str).collect::<Vec<_>>(), expected, "{namespace}");
        };
        check("main", &["main"]);
        check("pull-requests", &["main", "pull-requests"]);
        check("release", &["release"]);
        check("unknown", &[]);
    }
}
