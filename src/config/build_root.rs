//! Finds the build root.

use std::path::PathBuf;

use crate::config::{Environment, Error, implied};

/// Names of files that mark the build root.
const SENTINELS: [&str; 5] = ["pants.toml", "waders.toml", "pants", "BUILDROOT", "BUILD_ROOT"];

/// The nearest of the current directory and its parents that contains a sentinel file, or else the root of the project that contains the
/// current directory. `PANTS_BUILDROOT_OVERRIDE` has precedence.
pub fn find(environment: &Environment) -> Result<PathBuf, Error> {
    if let Some(path) = environment.var("PANTS_BUILDROOT_OVERRIDE") {
        return Ok(environment.cwd.join(path));
    }
    let is_root = |dir: &&std::path::Path| SENTINELS.iter().any(|name| dir.join(name).is_file());
    let found = environment.cwd.ancestors().find(is_root);
    let found = found.map(PathBuf::from).or_else(|| implied::find_root(&environment.cwd));
    found.ok_or_else(|| Error::NoBuildRoot { cwd: environment.cwd.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(cwd: PathBuf) -> Environment {
        Environment { cwd, ..Environment::default() }
    }

    #[test]
    fn the_nearest_sentinel_file_marks_the_build_root() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b");
        std::fs::create_dir_all(deep.join("pants")).unwrap();
        std::fs::write(dir.path().join("BUILD_ROOT"), "").unwrap();
        assert_eq!(find(&at(deep.clone())).unwrap(), dir.path());
        std::fs::write(dir.path().join("a/pants.toml"), "").unwrap();
        assert_eq!(find(&at(deep)).unwrap(), dir.path().join("a"));
    }

    #[test]
    fn the_override_has_precedence() {
        let mut environment = at("/somewhere".into());
        environment.vars = [("PANTS_BUILDROOT_OVERRIDE".into(), "/elsewhere".into())].into_iter().collect();
        assert_eq!(find(&environment).unwrap(), PathBuf::from("/elsewhere"));
    }

    #[test]
    fn without_a_sentinel_the_error_has_a_hint() {
        let dir = tempfile::tempdir().unwrap();
        if let Err(error) = find(&at(dir.path().to_owned())) {
            assert!(error.hint().unwrap().contains("pyproject.toml"));
        }
    }
}
