//! The process environment: variables, home directory, current directory and user. It is read once and passed as an argument.

use std::path::PathBuf;

use crate::tracked::Variables;

/// The environment of a process.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// The environment variables.
    pub vars: Variables,
    /// The home directory, if there is one.
    pub home: Option<PathBuf>,
    /// The current directory as an absolute path.
    pub cwd: PathBuf,
    /// The name of the user; empty if it is unknown.
    pub user: String,
    /// The arguments of the process, without its name.
    pub argv: Vec<String>,
}

impl Environment {
    /// The environment of this process. Variables that are not UTF-8 are left out, since no setting can use them.
    #[expect(clippy::disallowed_methods, reason = "the only place that reads the environment")]
    pub fn from_process() -> std::io::Result<Environment> {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let vars: Variables = std::env::vars_os().filter_map(text).collect();
        let named =
            ["LOGNAME", "USER"].iter().find_map(|name| vars.unrecorded().get(*name).filter(|value| !value.is_empty()));
        let user = named.cloned().or_else(user_of_process).unwrap_or_default();
        Ok(Environment { vars, home: std::env::home_dir(), cwd: std::env::current_dir()?, user, argv: Vec::new() })
    }

    /// The value of a variable; `None` if it is unset or empty.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether this is a run of a CI service: `CI` is set, and is neither `false` nor `0`.
    pub fn is_ci(&self) -> bool {
        self.var("CI").is_some_and(|value| !value.eq_ignore_ascii_case("false") && value != "0")
    }

    /// Replaces a leading `~/` by the home directory.
    pub fn expand_home(&self, path: &str) -> PathBuf {
        match (path.strip_prefix("~/"), &self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(path),
        }
    }
}

fn user_of_process() -> Option<String> {
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok()??;
    Some(user.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Environment {
        Environment { vars: [(name.to_owned(), value.to_owned())].into_iter().collect(), ..Environment::default() }
    }

    #[test]
    fn ci_is_detected_by_its_variable() {
        assert!(with("CI", "true").is_ci() && with("CI", "1").is_ci());
        assert!(!with("CI", "false").is_ci() && !with("CI", "").is_ci() && !with("OTHER", "1").is_ci());
    }

    #[test]
    fn only_a_leading_tilde_is_expanded() {
        let environment = Environment { home: Some("/home/u".into()), ..Environment::default() };
        assert_eq!(environment.expand_home("~/a"), PathBuf::from("/home/u/a"));
        assert_eq!(environment.expand_home("a/~/b"), PathBuf::from("a/~/b"));
    }
}
