//! Reads `ToolchainSettings` from the options and from this machine. No other file of the room knows names of options.

use std::path::{Path, PathBuf};

use super::{
    DEFAULT_PACKAGES, DebianSettings, Error, HostSettings, Provider, StandaloneSettings, ToolchainSettings, debian,
};
use crate::config::Config;
use crate::config::typed;
use crate::tracked::Tracker;

/// The parts of this machine that providers may use. All paths are fields, so that tests can use a temporary directory.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The build root, which the paths of settings are relative to.
    pub build_root: PathBuf,
    /// The root directory, for apt's files, keyrings and os-release.
    pub root: PathBuf,
    /// The user's home directory.
    pub home: PathBuf,
    /// The entries of `PATH`.
    pub path: Vec<PathBuf>,
    /// The value of `PYENV_ROOT`, if it is set.
    pub pyenv_root: Option<PathBuf>,
    /// The mirror of standalone interpreters in the settings of uv, if it is set.
    pub python_mirror: Option<String>,
    /// Records the files of the machine that are read.
    pub tracker: Tracker,
}

impl Machine {
    /// Replaces a leading `~/` by the home directory.
    fn expand_home(&self, path: &str) -> PathBuf {
        path.strip_prefix("~/").map_or_else(|| PathBuf::from(path), |rest| self.home.join(rest))
    }
}

impl ToolchainSettings {
    /// Reads the sections `[system]` and `[toolchain]`, with defaults from the machine.
    pub fn from_config(config: &Config, machine: &Machine) -> Result<ToolchainSettings, Error> {
        let (system, toolchain) = (typed::SystemSettings::parse(config), typed::ToolchainSettings::parse(config));
        let root = |path: &str| machine.root.join(path);
        let os_release = machine.tracker.read_to_string(&root("etc/os-release")).unwrap_or_default();
        Ok(ToolchainSettings {
            providers: providers(&toolchain.providers)?,
            debian: DebianSettings {
                mirror: system.mirror,
                snapshot_mirror: system.snapshot_mirror,
                suite: system.suite,
                keyring: system.keyring.map(|path| machine.build_root.join(machine.expand_home(&path))),
                key_fingerprints: system.key_fingerprints,
                apt_sources: debian::sources::files(&machine.tracker, &root("etc/apt")),
                codename: codename(&os_release),
                keyring_dirs: vec![root("usr/share/keyrings"), root("etc/apt/trusted.gpg.d")],
            },
            standalone: StandaloneSettings {
                url_template: toolchain.standalone_url_template,
                versions: toolchain.standalone_versions,
                mirror: machine.python_mirror.clone(),
                list: None,
            },
            host: HostSettings { versions_dirs: vec![versions_dir(machine)], path: machine.path.clone() },
        })
    }
}

/// The option `[system] packages`, or [`DEFAULT_PACKAGES`] if it is empty.
pub fn system_packages(config: &Config) -> Vec<String> {
    let named = typed::SystemSettings::parse(config).packages;
    if named.is_empty() { DEFAULT_PACKAGES.map(str::to_owned).to_vec() } else { named }
}

fn providers(names: &[String]) -> Result<Vec<Provider>, Error> {
    if names.is_empty() {
        return Ok(vec![Provider::Debian, Provider::Standalone, Provider::Host]);
    }
    let provider =
        |name: &String| Provider::parse(name).ok_or_else(|| Error::UnknownProvider { name: name.to_string() });
    names.iter().map(provider).collect()
}

fn codename(os_release: &str) -> Option<String> {
    let value = os_release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="))?;
    Some(value.trim().trim_matches(['"', '\'']).to_owned()).filter(|name| !name.is_empty())
}

fn versions_dir(machine: &Machine) -> PathBuf {
    let root = machine.pyenv_root.as_deref().filter(|root| root.is_absolute()).map(Path::to_owned);
    root.unwrap_or_else(|| machine.home.join(".pyenv")).join("versions")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    fn machine(root: &Path) -> Machine {
        Machine {
            build_root: root.join("repository"),
            root: root.to_owned(),
            home: root.join("home"),
            path: Vec::new(),
            pyenv_root: None,
            python_mirror: None,
            tracker: Tracker::default(),
        }
    }

    #[test]
    fn the_machine_provides_the_defaults() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("etc/apt")).unwrap();
        fs::write(dir.path().join("etc/os-release"), "ID=debian\nVERSION_CODENAME=\"bookworm\"\n").unwrap();
        fs::write(dir.path().join("etc/apt/sources.list"), "deb http://m.example.invalid bookworm main\n").unwrap();
        let settings = ToolchainSettings::from_config(&Config::default(), &machine(dir.path())).unwrap();
        assert_eq!(settings.debian.codename.as_deref(), Some("bookworm"));
        assert_eq!(settings.debian.apt_sources.len(), 1);
        assert_eq!(settings.providers.len(), 3);
        assert_eq!(settings.host.versions_dirs, [dir.path().join("home/.pyenv/versions")]);
        assert!(system_packages(&Config::default()).contains(&"dash".to_owned()));
    }

    #[test]
    fn the_keyring_is_relative_to_the_build_root_or_to_the_home_directory() {
        let dir = tempfile::tempdir().unwrap();
        for (path, expected) in [("keys/a.gpg", "repository/keys/a.gpg"), ("~/a.gpg", "home/a.gpg")] {
            let config = Config::of([("system", "keyring", json!(path))]);
            let settings = ToolchainSettings::from_config(&config, &machine(dir.path())).unwrap();
            assert_eq!(settings.debian.keyring, Some(dir.path().join(expected)), "{path}");
        }
    }

    #[test]
    fn options_override_the_defaults_and_unknown_providers_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let config = |providers| {
            Config::of([
                ("toolchain", "providers", providers),
                ("system", "mirror", json!("http://m.example.invalid")),
                ("system", "packages", json!(["git"])),
            ])
        };
        let settings =
            ToolchainSettings::from_config(&config(json!(["host", "debian"])), &machine(dir.path())).unwrap();
        assert_eq!(settings.providers, [Provider::Host, Provider::Debian]);
        assert_eq!(settings.debian.mirror.as_deref(), Some("http://m.example.invalid"));
        assert_eq!(system_packages(&config(json!([]))), ["git"]);
        let error = ToolchainSettings::from_config(&config(json!(["conda"])), &machine(dir.path())).unwrap_err();
        assert!(error.to_string().contains("`conda`"), "{error}");
    }
}
