//! The interpreter and platform that packages are selected for: its environment markers (PEP 508) and wheel tags
//! (PEP 425). They depend only on the Python version and the platform, never on the host.

use std::collections::BTreeSet;

use uv_normalize::PackageName;
use uv_pep440::Version;
use uv_pep508::{MarkerEnvironment, MarkerEnvironmentBuilder};
use uv_platform_tags::{Arch, Os, Platform, Tags, TagsOptions};

/// A CPython interpreter on a platform.
#[derive(Clone, Debug)]
pub struct Environment {
    python: Version,
    minor: (u8, u8),
    markers: MarkerEnvironment,
    tags: Tags,
    from_source: PackageNames,
    from_wheels: PackageNames,
}

/// The packages that `no_binary` or `only_binary` names, as pip reads them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct PackageNames {
    all: bool,
    names: BTreeSet<PackageName>,
}

impl PackageNames {
    /// `:all:` means every package, `:none:` discards the names before it. Invalid names match no package.
    fn parse(words: &[String]) -> PackageNames {
        let mut found = PackageNames::default();
        for word in words.iter().flat_map(|words| words.split(',')).map(str::trim) {
            match word {
                ":all:" => found.all = true,
                ":none:" => found = PackageNames::default(),
                name => found.names.extend(name.parse::<PackageName>().ok()),
            }
        }
        found
    }

    fn contains(&self, name: &PackageName) -> bool {
        self.all || self.names.contains(name)
    }

    fn text(&self) -> String {
        let names = self.names.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        if self.all { format!(":all:,{names}") } else { names }
    }
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
        Environment::linux(python, Arch::X86_64, glibc)
    }

    /// The environment of a full Python version on Linux with this glibc version.
    pub fn linux(python: &str, arch: Arch, glibc: (u16, u16)) -> Result<Environment, Error> {
        let minor = minor_of(python)?;
        let markers = MarkerEnvironment::try_from(MarkerEnvironmentBuilder {
            implementation_name: "cpython",
            implementation_version: python,
            os_name: "posix",
            platform_machine: arch.name(),
            platform_python_implementation: "CPython",
            // The kernel version belongs to the host and must not influence which files are selected.
            platform_release: "",
            platform_system: "Linux",
            platform_version: "",
            python_full_version: python,
            python_version: &format!("{}.{}", minor.0, minor.1),
            sys_platform: "linux",
        })
        .map_err(|_| Error { python: python.to_owned() })?;
        Environment::new(markers, Platform::new(Os::Manylinux { major: glibc.0, minor: glibc.1 }, arch))
    }

    /// The environment of a CPython interpreter with these markers on this platform.
    pub fn new(markers: MarkerEnvironment, platform: Platform) -> Result<Environment, Error> {
        let python = markers.python_full_version().version.clone();
        let refuse = || Error { python: python.to_string() };
        let minor = minor_of(&python.to_string())?;
        let options = TagsOptions { manylinux_compatible: true, ..TagsOptions::default() };
        let tags = Tags::from_env(platform, minor, "cpython", minor, options).map_err(|_| refuse())?;
        let (from_source, from_wheels) = (PackageNames::default(), PackageNames::default());
        Ok(Environment { python, minor, markers, tags, from_source, from_wheels })
    }

    /// The same environment, in which the packages of `no_binary` are built from source, and those of `only_binary` are
    /// installed from wheels only. Each is a list of package names, `:all:` and `:none:`.
    pub fn with_binaries(self, no_binary: &[String], only_binary: &[String]) -> Environment {
        let (from_source, from_wheels) = (PackageNames::parse(no_binary), PackageNames::parse(only_binary));
        Environment { from_source, from_wheels, ..self }
    }

    /// Whether a wheel of this package may be installed.
    pub fn allows_wheel(&self, package: &PackageName) -> bool {
        !self.from_source.contains(package)
    }

    /// Whether this package may be built from source.
    pub fn allows_sdist(&self, package: &PackageName) -> bool {
        !self.from_wheels.contains(package)
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
        let mut text = match self.tags.platform_tag() {
            Some(_) => format!("{} or anything older or more general", self.tag()),
            None => self.tag(),
        };
        for (what, names) in [("from source", &self.from_source), ("from wheels", &self.from_wheels)] {
            if *names != PackageNames::default() {
                text += &format!("; {what}: {}", names.text());
            }
        }
        text
    }
}

/// Major and minor version of a full version.
fn minor_of(python: &str) -> Result<(u8, u8), Error> {
    let refuse = || Error { python: python.to_owned() };
    let version: Version = python.parse().map_err(|_| refuse())?;
    match version.release().as_ref() {
        [major, minor, _] => {
            Ok((u8::try_from(*major).map_err(|_| refuse())?, u8::try_from(*minor).map_err(|_| refuse())?))
        }
        _ => Err(refuse()),
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

    #[test]
    fn packages_are_restricted_by_name_or_as_a_whole() {
        let environment = Environment::linux_x86_64("3.12.1", (2, 36)).expect("version");
        let check = |no_binary: &[&str], only_binary: &[&str], name: &str, wheel: bool, sdist: bool| {
            let [no_binary, only_binary] =
                [no_binary, only_binary].map(|words| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
            let environment = environment.clone().with_binaries(&no_binary, &only_binary);
            let name = name.parse().expect("name");
            assert_eq!((environment.allows_wheel(&name), environment.allows_sdist(&name)), (wheel, sdist), "{name}");
        };
        check(&[], &[], "a", true, true);
        check(&["A_b,c"], &[], "a-b", false, true);
        check(&["c"], &[":all:"], "a", true, false);
        check(&[":all:", ":none:"], &["b"], "a", true, true);
    }
}
