//! The environment variables of steps. They are constants, so that a step does not see the caller's environment and behaves
//! the same everywhere; only variables that the user requests by name are added.

use std::collections::BTreeMap;

use crate::base::{RelPath, sandbox_paths};
use crate::tracked::Variables;

/// 1980-01-03T00:00:00Z, the modification time of every input: zip files can represent it in every time zone.
const SOURCE_DATE_EPOCH: &str = "315705600";

/// The variables of every step. Variables that the user requests are added to them and take precedence.
pub fn base() -> BTreeMap<String, String> {
    let path = format!("{}/bin:/usr/bin:/bin", sandbox_paths::DEPS);
    let constants = [
        ("HOME", sandbox_paths::HOME),
        ("LANG", "C.UTF-8"),
        ("LC_ALL", "C.UTF-8"),
        ("LOGNAME", "waders"),
        ("PATH", &path),
        ("PYTHONHASHSEED", "0"),
        ("SOURCE_DATE_EPOCH", SOURCE_DATE_EPOCH),
        ("TMPDIR", sandbox_paths::TMP),
        ("TZ", "UTC"),
        ("USER", "waders"),
    ];
    constants.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The variables of a container. Unlike steps, containers have random hashes and the real time. `program` and `own` are the variables
/// of the program and of the image, which take precedence in this order.
pub fn of_image(
    home: &str,
    program: BTreeMap<String, String>,
    own: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut env = base();
    env.retain(|name, _| ["LANG", "LC_ALL", "PATH", "TZ"].contains(&name.as_str()));
    env.insert("HOME".to_owned(), home.to_owned());
    env.extend(program);
    env.extend(own);
    env
}

/// The search path for programs of a base image that has none, that of Docker.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Like [`of_image`], for an image on a base image with the variables `base`. Programs in `bin` are found before those of the base image.
pub fn of_image_on(
    base: BTreeMap<String, String>,
    bin: Option<&str>,
    program: BTreeMap<String, String>,
    own: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut env = base;
    if let Some(bin) = bin {
        let path = env.get("PATH").map_or(DEFAULT_PATH, String::as_str);
        env.insert("PATH".to_owned(), format!("{bin}:{path}"));
    }
    env.extend(program);
    env.extend(own);
    env
}

/// The value of `WADERS_SOURCE_ROOTS`, for a tool that finds the roots of files with it. Interpreters have a file instead
/// (`prepare::source_roots`).
pub fn source_roots(roots: &[RelPath]) -> String {
    roots.iter().map(|root| sandbox_paths::in_src(root.as_str())).collect::<Vec<_>>().join(":")
}

/// Adds requested variables. A requested `PATH` is appended to the directory with the scripts of requirements, so that they
/// are found first, as without a request.
pub fn add_requested(env: &mut BTreeMap<String, String>, requested: &BTreeMap<String, String>) {
    env.extend(requested.clone());
    if let Some(path) = requested.get("PATH") {
        let scripts = sandbox_paths::in_deps_bin("");
        let scripts = scripts.trim_end_matches('/');
        let others = path.split(':').filter(|dir| *dir != scripts);
        env.insert("PATH".to_owned(), std::iter::once(scripts).chain(others).collect::<Vec<_>>().join(":"));
    }
}

/// The variables that `entries` request: `NAME=value` sets a value, `NAME` takes the caller's value if there is one, and
/// `PREFIX_*` takes all of the caller's variables that match.
pub fn requested(entries: &[impl AsRef<str>], caller: &Variables) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for entry in entries {
        match entry.as_ref().split_once('=') {
            Some((name, value)) => drop(variables.insert(name.to_owned(), value.to_owned())),
            None => {
                let matching = caller.matching(entry.as_ref()).into_iter();
                variables.extend(matching.map(|(name, value)| (name.clone(), value.clone())));
            }
        }
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(entries: &[&str], expected: &[(&str, &str)]) {
        let caller = [("HOME", "/home/me"), ("APP_A", "1"), ("APP_B", "2")];
        let caller = caller.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
        let expected = expected.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        assert_eq!(requested(entries, &caller), expected, "{entries:?}");
    }

    #[test]
    fn only_requested_variables_are_taken_from_the_caller() {
        check(&[], &[]);
        check(&["HOME"], &[("HOME", "/home/me")]);
        check(&["UNSET"], &[]);
        check(&["HOME=/elsewhere"], &[("HOME", "/elsewhere")]);
        check(&["APP_*"], &[("APP_A", "1"), ("APP_B", "2")]);
    }

    #[test]
    fn a_value_may_contain_commas() {
        check(&["A=1,B=2"], &[("A", "1,B=2")]);
    }
}
