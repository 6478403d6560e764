//! Platforms that packages are built for without an interpreter of that platform: the fields `complete_platforms` and
//! `platforms`, and the runtimes of cloud functions. Pex gets each as a file with environment markers and wheel tags, as
//! `pex3 interpreter inspect --markers --tags` writes it.

use serde_json::{Map, Value, json};
use uv_pep508::{MarkerEnvironment, MarkerEnvironmentBuilder};
use uv_platform_tags::{Arch, Os, Platform};

use crate::packaging::environment::{self, Environment};

/// The glibc version of an abbreviated platform, that of the tag `manylinux2014`, as Pants assumes.
const ABBREVIATED_GLIBC: (u16, u16) = (2, 17);

/// A platform that packages are selected for.
#[derive(Clone, Debug)]
pub struct TargetPlatform {
    /// Which locked files fit.
    pub environment: Environment,
    /// The platform as Pex reads it: a JSON object.
    pub text: String,
}

/// Why a description of a platform cannot be used. Completes a sentence that begins with the name of the description.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is not a JSON object with the expected entries.
    #[error("is not a JSON object with `marker_environment` and `compatible_tags`")]
    NotJson,
    /// A marker is missing or has an invalid value.
    #[error("has no valid value for `{0}` in `marker_environment`")]
    Marker(&'static str),
    /// No wheel tag names a known operating system and architecture.
    #[error("has no tag of a known platform in `compatible_tags`")]
    UnknownTags,
    /// The Python version.
    #[error(transparent)]
    Python(#[from] environment::Error),
    /// Not of the form `linux_x86_64-cp-311-cp311`, or another operating system or implementation.
    #[error("is not of the form `linux_x86_64-cp-311-cp311`, with `linux_x86_64` or `linux_aarch64` and CPython")]
    Abbreviation,
}

impl TargetPlatform {
    /// Parses the file of a complete platform.
    pub fn parse(text: &str) -> Result<TargetPlatform, Error> {
        let object: Map<String, Value> = serde_json::from_str(text).map_err(|_| Error::NotJson)?;
        let markers = object.get("marker_environment").and_then(Value::as_object).ok_or(Error::NotJson)?;
        let tags = object.get("compatible_tags").and_then(Value::as_array).ok_or(Error::NotJson)?;
        let platform = tags.iter().filter_map(Value::as_str).find_map(platform_of).ok_or(Error::UnknownTags)?;
        let environment = Environment::new(parse_markers(markers)?, platform)?;
        Ok(TargetPlatform { environment, text: text.to_owned() })
    }

    /// A platform as the field `platforms` abbreviates it: `linux_x86_64-cp-311-cp311`.
    pub fn parse_abbreviated(text: &str) -> Result<TargetPlatform, Error> {
        let words: Vec<&str> = text.rsplitn(4, '-').collect();
        let [_abi, version, "cp", platform] = words[..] else { return Err(Error::Abbreviation) };
        let arch = platform.strip_prefix("linux").map(|rest| &rest[rest.len().min(1)..]);
        let arch: Arch = arch.and_then(|arch| arch.parse().ok()).ok_or(Error::Abbreviation)?;
        if !matches!(arch, Arch::X86_64 | Arch::Aarch64) {
            return Err(Error::Abbreviation);
        }
        let version = version.strip_prefix('3').filter(|minor| minor.chars().all(|digit| digit.is_ascii_digit()));
        let minor: u8 = version.and_then(|minor| minor.parse().ok()).ok_or(Error::Abbreviation)?;
        TargetPlatform::linux(minor, arch, ABBREVIATED_GLIBC)
    }

    /// Python 3 with this minor version on Linux.
    pub fn linux(minor: u8, arch: Arch, glibc: (u16, u16)) -> Result<TargetPlatform, Error> {
        let environment = Environment::linux(&format!("3.{minor}.0"), arch, glibc)?;
        let tags: Vec<String> = environment.tags().to_string().lines().map(str::to_owned).collect();
        let text = json!({ "marker_environment": environment.markers(), "compatible_tags": tags }).to_string();
        Ok(TargetPlatform { environment, text })
    }
}

fn parse_markers(markers: &Map<String, Value>) -> Result<MarkerEnvironment, Error> {
    let optional = |name: &str| markers.get(name).and_then(Value::as_str).unwrap_or_default();
    let required = |name| match optional(name) {
        "" => Err(Error::Marker(name)),
        text => Ok(text),
    };
    MarkerEnvironment::try_from(MarkerEnvironmentBuilder {
        implementation_name: required("implementation_name")?,
        implementation_version: required("implementation_version")?,
        os_name: required("os_name")?,
        platform_machine: required("platform_machine")?,
        platform_python_implementation: required("platform_python_implementation")?,
        platform_release: optional("platform_release"),
        platform_system: required("platform_system")?,
        platform_version: optional("platform_version"),
        python_full_version: required("python_full_version")?,
        python_version: required("python_version")?,
        sys_platform: required("sys_platform")?,
    })
    .map_err(|_| Error::Marker("python_full_version"))
}

/// The platform of a wheel tag such as `cp311-cp311-manylinux_2_28_x86_64`; `None` if it names none.
fn platform_of(tag: &str) -> Option<Platform> {
    let platform = tag.rsplit('-').next()?;
    let versioned = |prefix: &str| {
        let mut parts = platform.strip_prefix(prefix)?.splitn(3, '_');
        let (major, minor) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some((major, minor, parts.next()?))
    };
    let (os, arch) = if let Some((major, minor, arch)) = versioned("manylinux_") {
        (Os::Manylinux { major, minor }, arch)
    } else if let Some((major, minor, arch)) = versioned("musllinux_") {
        (Os::Musllinux { major, minor }, arch)
    } else if let Some((major, minor, arch)) = versioned("macosx_") {
        (Os::Macos { major, minor }, arch)
    } else if let Some(arch) = platform.strip_prefix("manylinux2014_") {
        (Os::Manylinux { major: 2, minor: 17 }, arch)
    } else {
        return (platform == "win_amd64").then(|| Platform::new(Os::Windows, Arch::X86_64));
    };
    let arch = if arch == "arm64" { "aarch64" } else { arch };
    Some(Platform::new(os, arch.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abbreviated_platforms_are_parsed() {
        let tag = |text: &str| {
            TargetPlatform::parse_abbreviated(text).map(|platform| platform.environment.tag()).unwrap_or_default()
        };
        assert_eq!(tag("linux_x86_64-cp-311-cp311"), "cp311-cp311-manylinux_2_17_x86_64");
        assert_eq!(tag("linux-aarch64-cp-39-cp39"), "cp39-cp39-manylinux_2_17_aarch64");
        for text in
            ["bogus", "", "linux_riscv64-cp-311-cp311", "macosx_13_0_arm64-cp-311-cp311", "linux_x86_64-pp-39-x"]
        {
            assert_eq!(tag(text), "", "{text}");
        }
    }

    #[test]
    fn a_written_platform_is_read_again() {
        let written = TargetPlatform::linux(12, Arch::Aarch64, (2, 34)).unwrap();
        let read = TargetPlatform::parse(&written.text).unwrap();
        assert_eq!(read.environment.tag(), "cp312-cp312-manylinux_2_34_aarch64");
        assert_eq!(read.environment.markers().platform_machine(), "aarch64");
        assert_eq!(read.environment.key_text(), written.environment.key_text());
    }

    #[test]
    fn platforms_of_other_systems_are_read() {
        let mut file: Value =
            serde_json::from_str(&TargetPlatform::linux(11, Arch::Aarch64, (2, 17)).unwrap().text).unwrap();
        file["compatible_tags"] = json!(["cp311-cp311-macosx_13_0_arm64", "cp311-none-any"]);
        file["marker_environment"]["sys_platform"] = json!("darwin");
        file["marker_environment"]["platform_release"] = Value::Null;
        let read = TargetPlatform::parse(&file.to_string()).unwrap();
        assert_eq!(read.environment.tag(), "cp311-cp311-macosx_13_0_arm64");
        assert_eq!(read.environment.markers().sys_platform(), "darwin");
    }

    #[test]
    fn an_incomplete_file_is_refused() {
        let check = |text: &str, expected: &str| {
            assert_eq!(TargetPlatform::parse(text).unwrap_err().to_string(), expected, "{text}");
        };
        let not_json = "is not a JSON object with `marker_environment` and `compatible_tags`";
        check("", not_json);
        check("[]", not_json);
        check("{\"marker_environment\": {}}", not_json);
        let no_tag = "has no tag of a known platform in `compatible_tags`";
        check("{\"marker_environment\": {}, \"compatible_tags\": [\"py3-none-any\"]}", no_tag);
        let no_marker = "has no valid value for `implementation_name` in `marker_environment`";
        check("{\"marker_environment\": {}, \"compatible_tags\": [\"cp311-cp311-manylinux_2_17_x86_64\"]}", no_marker);
    }
}
