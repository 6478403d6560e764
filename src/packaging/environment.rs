//! The interpreter and platform that packages are selected for: its environment markers (PEP 508) and wheel tags
//! (PEP 425). They depend only on the Python version, never on the host.

use uv_pep440::Version;
use uv_pep508::{MarkerEnvironment, MarkerEnvironmentBuilder};
use uv_platform_tags::{Arch, Os, Platform, Tags, TagsOptions};

/// A CPython interpreter on Linux.
#[derive(Clone, Debug)]
pub struct Environment {
    python: Version,
    minor: (u8, u8),
    markers: MarkerEnvironment,
    tags: Tags,
}

/// An invalid Python version.
#[derive(Debug, thiserror::Error)]
#[error("invalid Python version `{python}`: expected a full version such as `3.12.1`")]
pub struct Error {
    python: String,
}

impl Environment {
    /// The environment of a full Python version on x86_64, with the glibc version of the system tree, such as `(2, 36)`.
    pub fn linux_x86_64(python: &str, glibc: (u16, u16)) -> Result<Environment, Error> {
        let refuse = || Error { python: python.to_owned() };
        let version: Version = python.parse().map_err(|_| refuse())?;
        let minor = match version.release().as_ref() {
            [major, minor, _] => {
                (u8::try_from(*major).map_err(|_| refuse())?, u8::try_from(*minor).map_err(|_| refuse())?)
            }
            _ => return Err(refuse()),
        };
        let markers = MarkerEnvironment::try_from(MarkerEnvironmentBuilder {
            implementation_name: "cpython",
            implementation_version: python,
            os_name: "posix",
            platform_machine: "x86_64",
            platform_python_implementation: "CPython",
            // The kernel version belongs to the host and must not influence which files are selected.
            platform_release: "",
            platform_system: "Linux",
            platform_version: "",
            python_full_version: python,
            python_version: &format!("{}.{}", minor.0, minor.1),
            sys_platform: "linux",
        })
        .map_err(|_| refuse())?;
        let platform = Platform::new(Os::Manylinux { major: glibc.0, minor: glibc.1 }, Arch::X86_64);
        let options = TagsOptions { manylinux_compatible: true, ..TagsOptions::default() };
        let tags = Tags::from_env(platform, minor, "cpython", minor, options).map_err(|_| refuse())?;
        Ok(Environment { python: version, minor, markers, tags })
    }

    /// The full Python version.
    pub fn python(&self) -> &Version {
        &self.python
    }

    /// The name of the interpreter's executable and library directory, such as `python3.12`.
    pub fn python_name(&self) -> String {
        format!("python{}.{}", self.minor.0, self.minor.1)
    }

    /// The environment markers.
    pub fn markers(&self) -> &MarkerEnvironment {
        &self.markers
    }

    /// The wheel tags of compatible wheels.
    pub fn tags(&self) -> &Tags {
        &self.tags
    }

    /// The most specific wheel tag, such as `cp312-cp312-manylinux_2_36_x86_64`; for messages.
    pub fn tag(&self) -> String {
        match (self.tags.python_tag(), self.tags.abi_tag(), self.tags.platform_tag()) {
            (Some(python), Some(abi), Some(platform)) => format!("{python}-{abi}-{platform}"),
            _ => self.python_name(),
        }
    }

    /// Identifies the environment in the keys of persisted selections. The text is part of these keys: a change of its
    /// wording would invalidate them.
    pub fn key_text(&self) -> String {
        match self.tags.platform_tag() {
            Some(_) => format!("{} or anything older or more general", self.tag()),
            None => self.tag(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_version_is_required() {
        for text in ["3.12", "x", "", "3.999.1"] {
            assert!(Environment::linux_x86_64(text, (2, 36)).is_err(), "{text}");
        }
        let environment = Environment::linux_x86_64("3.12.1", (2, 36)).expect("version");
        assert_eq!(environment.python_name(), "python3.12");
        assert_eq!(environment.tag(), "cp312-cp312-manylinux_2_36_x86_64");
        assert_eq!(environment.key_text(), "cp312-cp312-manylinux_2_36_x86_64 or anything older or more general");
    }
}
