//! Writes `pylock.toml` (PEP 751). The table `tool.waders` of the file has the metadata, the table `tool.waders` of a package
//! its dependencies, so that a step can use a part of the lockfile. The optional URLs of indexes are left out.

use serde_json::Value;
use uv_pep508::VersionOrUrl;

use super::{NewLock, pex};
use crate::packaging::lockfile::{Artifact, Format, Package};
use crate::packaging::requirement::{Requirement, canonical};

pub(super) fn text(new: &NewLock<'_>) -> String {
    let mut text = format!(
        "# Written by Waders. To lock again, run: {}\nlock-version = \"1.0\"\ncreated-by = \"waders\"\n",
        new.generated.command
    );
    let requires_python = new.resolution.uv_lock.lines().find(|line| line.starts_with("requires-python = "));
    text.extend(requires_python.map(|line| format!("{line}\n")));
    for (pin, package) in new.resolution.packages() {
        text += &entry(new, pin, package);
    }
    text += "\n[tool.waders.metadata]\n";
    for (name, value) in new.generated.to_json(Format::Pylock).iter().filter(|(_, value)| !value.is_null()) {
        text += &format!("{name} = {}\n", toml_value(value));
    }
    text
}

fn entry(new: &NewLock<'_>, pin: &Requirement, package: &Package) -> String {
    let mut text = format!("\n[[packages]]\nname = \"{}\"\nversion = \"{}\"\n", package.name, package.version);
    text.extend(pin.marker.contents().map(|marker| format!("marker = {}\n", quote(&marker.to_string()))));
    let published = new.resolution.metadata.get(&(package.name.clone(), package.version.clone()));
    let python = published.and_then(|published| published.requires_python.as_deref());
    text.extend(python.map(|python| format!("requires-python = {}\n", quote(python))));
    if matches!(pin.version_or_url, Some(VersionOrUrl::Url(_))) {
        text.extend(package.artifacts.first().map(|artifact| format!("archive = {}\n", file(new, artifact))));
    } else {
        let is_wheel = |artifact: &&Artifact| artifact.file_name.as_deref().is_some_and(|name| name.ends_with(".whl"));
        let (wheels, sdists): (Vec<&Artifact>, Vec<&Artifact>) = package.artifacts.iter().partition(is_wheel);
        text.extend(sdists.first().map(|artifact| format!("sdist = {}\n", file(new, artifact))));
        let wheels: String = wheels.iter().map(|artifact| format!("    {},\n", file(new, artifact))).collect();
        if !wheels.is_empty() {
            text += &format!("wheels = [\n{wheels}]\n");
        }
    }
    let requires: Vec<Value> = package.requires.iter().map(|required| canonical(required).into()).collect();
    text + &format!("\n[packages.tool.waders]\nrequires = {}\n", toml_value(&requires.into()))
}

fn file(new: &NewLock<'_>, artifact: &Artifact) -> String {
    let mut fields = Vec::new();
    fields.extend(artifact.file_name.as_ref().map(|name| format!("name = {}", quote(name))));
    fields.extend(pex::url(new, artifact).map(|url| format!("url = {}", quote(&url))));
    fields.extend(artifact.size_bytes.map(|size| format!("size = {size}")));
    fields.push(format!("hashes = {{ sha256 = \"{}\" }}", artifact.sha256));
    format!("{{ {} }}", fields.join(", "))
}

/// A string of JSON is also one of TOML.
fn quote(text: &str) -> String {
    Value::from(text).to_string()
}

/// A list with one entry on each line, or another value.
fn toml_value(value: &Value) -> String {
    match value.as_array() {
        Some(values) if !values.is_empty() => {
            let lines: String = values.iter().map(|value| format!("    {value},\n")).collect();
            format!("[\n{lines}]")
        }
        _ => value.to_string(),
    }
}
