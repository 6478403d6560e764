//! The one interpreter and platform that a resolve is cut to: its markers (PEP 508) and its wheel tags (PEP 425).
//! Constant for a version, so that nothing of the machine decides which files are chosen.

use uv_pep440::Version;
use uv_pep508::{MarkerEnvironment, MarkerEnvironmentBuilder};
use uv_platform_tags::{Arch, Os, Platform, Tags, TagsOptions};

/// A CPython on Linux.
#[derive(Clone, Debug)]
pub struct Environment {
    python: Version,
    minor: (u8, u8),
    markers: MarkerEnvironment,
    tags: Tags,
}

#[derive(Debug, thiserror::Error)]
#[error("`{python}` is not a Python version such as `3.12.1`")]
pub struct Error {
    python: String,
}

impl Environment {
    /// x86_64, with the C library of the system tree (`(2, 36)`).
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
            // The kernel is the machine's, and no file may be chosen by it.
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

    /// The full version.
    pub fn python(&self) -> &Version {
        &self.python
    }

    /// `python3.12`, as directories and executables are called.
    pub fn python_name(&self) -> String {
        format!("python{}.{}", self.minor.0, self.minor.1)
    }

    pub fn markers(&self) -> &MarkerEnvironment {
        &self.markers
    }

    pub fn tags(&self) -> &Tags {
        &self.tags
    }

    /// The most exact tag and the newest C library that wheels may want, for messages.
    pub fn wanted(&self) -> String {
        let (Some(python), Some(abi), Some(platform)) =
            (self.tags.python_tag(), self.tags.abi_tag(), self.tags.platform_tag())
        else {
            return self.python_name();
        };
        format!("{python}-{abi}-{platform} or anything older or more general")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_version_is_wanted() {
        for text in ["3.12", "x", "", "3.999.1"] {
            assert!(Environment::linux_x86_64(text, (2, 36)).is_err(), "{text}");
        }
        let environment = Environment::linux_x86_64("3.12.1", (2, 36)).expect("version");
        assert_eq!(environment.python_name(), "python3.12");
        assert_eq!(environment.wanted(), "cp312-cp312-manylinux_2_36_x86_64 or anything older or more general");
    }
}
