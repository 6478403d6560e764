//! The effects of a plugin of the repository that computes arguments of `setup()`, as `config::plugins` describes them.

use std::collections::BTreeMap;

use super::Error;
use super::metadata::{read, text_argument};
use crate::config::plugins::Artifact;
use crate::session::{Session, toolchains};
use crate::targets::{Target, Value};

type Arguments = BTreeMap<String, Value>;

/// Checks the arguments of `python_artifact` and adds those that the plugin computes.
pub(super) fn apply(
    session: &Session,
    target: &Target,
    artifact: &Artifact,
    arguments: &mut Arguments,
) -> Result<(), Error> {
    let added = added(session, target, artifact)?;
    if let Some(rule) = violated_rule(target, artifact, arguments, &added)? {
        return Err(Error::Plugin { target: target.address.clone(), rule });
    }
    let python = artifact.minor_range.then(|| minor_of(session)).flatten();
    if let Some((major, minor)) = python {
        let range = format!(">={major}.{minor},<{major}.{}", minor + 1);
        arguments.insert("python_requires".to_owned(), Value::Str(range));
    }
    let version = added.get("version").and_then(Value::as_str).unwrap_or_default();
    let classifiers = classifiers(artifact, arguments, version, python);
    if !classifiers.is_empty() {
        arguments.insert("classifiers".to_owned(), Value::List(classifiers.into_iter().map(Value::Str).collect()));
    }
    arguments.extend(added);
    Ok(())
}

/// The rule of the plugin that the arguments violate, if there is one.
fn violated_rule(
    target: &Target,
    artifact: &Artifact,
    arguments: &Arguments,
    added: &Arguments,
) -> Result<Option<String>, Error> {
    let name = text_argument(target, arguments, "name")?;
    if let Some(prefix) = artifact.name_prefix.as_ref().filter(|prefix| !name.starts_with(*prefix)) {
        let rule = format!("the name `{name}` does not start with `{prefix}`, which the repository's plugin requires");
        return Ok(Some(rule));
    }
    if let Some(key) = artifact.required.iter().find(|key| !arguments.contains_key(*key)) {
        return Ok(Some(format!("`provides` has no `{key}`, which the repository's plugin requires")));
    }
    let key = added.keys().find(|key| arguments.contains_key(*key));
    Ok(key.map(|key| format!("`{key}` in `provides` is set by the repository's plugin, and cannot be set")))
}

/// The arguments that the plugin sets.
fn added(session: &Session, target: &Target, artifact: &Artifact) -> Result<Arguments, Error> {
    let mut added = Arguments::new();
    if let Some(file) = &artifact.version_file {
        added.insert("version".to_owned(), Value::Str(read(session, target, file)?.trim().to_owned()));
    }
    let dir = target.address.dir.to_path(session.build_root());
    let exists = |name: &&String| session.context.tracker.is_file(&dir.join(name));
    if let Some(file) = artifact.long_description_files.iter().find(exists) {
        let path = target.address.dir.push(file).map(|path| path.as_str().to_owned()).unwrap_or_default();
        let kind = match file.rsplit_once('.').map(|(_, extension)| extension) {
            Some("md") => "text/markdown",
            Some("rst") => "text/x-rst",
            _ => "text/plain",
        };
        added.insert("long_description".to_owned(), Value::Str(read(session, target, &path)?));
        added.insert("long_description_content_type".to_owned(), Value::Str(kind.to_owned()));
    }
    added.extend(artifact.fixed.iter().map(|(key, value)| (key.clone(), from_toml(value))));
    Ok(added)
}

/// The classifiers of the plugin, followed by those that are set.
fn classifiers(artifact: &Artifact, arguments: &Arguments, version: &str, python: Option<(u32, u32)>) -> Vec<String> {
    let mut classifiers = artifact.classifiers.clone();
    classifiers.extend(artifact.status_classifier(version).map(str::to_owned));
    if let Some((major, minor)) = python.filter(|_| !classifiers.is_empty()) {
        classifiers.push(format!("Programming Language :: Python :: {major}.{minor}"));
    }
    let license = arguments.get("license").and_then(Value::as_str).unwrap_or_default();
    classifiers.extend(artifact.license_classifiers.get(license).cloned());
    let own = arguments.get("classifiers").map(Value::strings).unwrap_or_default();
    if !classifiers.is_empty() {
        classifiers.extend(own.into_iter().map(str::to_owned));
    }
    classifiers
}

/// Major and minor version in the repository's first exact interpreter constraint, such as `CPython==3.11.4`.
fn minor_of(session: &Session) -> Option<(u32, u32)> {
    let constraints = toolchains::default_constraints(session.config());
    let exact = constraints.iter().find_map(|constraint| Some(constraint.split_once("==")?.1.to_owned()))?;
    let mut parts = exact.split('.').map(|part| part.trim().parse().ok());
    Some((parts.next()??, parts.next()??))
}

fn from_toml(value: &toml::Value) -> Value {
    match value {
        toml::Value::Boolean(flag) => Value::Bool(*flag),
        toml::Value::Integer(number) => Value::Int(*number),
        toml::Value::Float(number) => Value::Float(*number),
        toml::Value::Array(items) => Value::List(items.iter().map(from_toml).collect()),
        toml::Value::Table(items) => {
            Value::Dict(items.iter().map(|(key, value)| (Value::Str(key.clone()), from_toml(value))).collect())
        }
        other => Value::Str(other.as_str().map_or_else(|| other.to_string(), str::to_owned)),
    }
}
