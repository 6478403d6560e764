//! What a run finds around it: variables, home, current directory. Read once; everybody else gets it as an argument.

use std::path::PathBuf;

use crate::tracked::Variables;

#[derive(Clone, Debug, Default)]
pub struct Environment {
    pub vars: Variables,
    pub home: Option<PathBuf>,
    /// Absolute.
    pub cwd: PathBuf,
    /// The user's name; empty where nobody knows it.
    pub user: String,
}

impl Environment {
    /// That of this process. Variables that are not UTF-8 are left out: no setting can be meant by them.
    pub fn of_process() -> std::io::Result<Environment> {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let vars: Variables = std::env::vars_os().filter_map(text).collect();
        let named =
            ["LOGNAME", "USER"].iter().find_map(|name| vars.unrecorded().get(*name).filter(|value| !value.is_empty()));
        let user = named.cloned().or_else(user_of_process).unwrap_or_default();
        Ok(Environment { vars, home: std::env::home_dir(), cwd: std::env::current_dir()?, user })
    }

    /// An empty variable counts as unset.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether this is a run without a person watching, as CI services say it.
    pub fn is_ci(&self) -> bool {
        self.var("CI").is_some_and(|value| !value.eq_ignore_ascii_case("false") && value != "0")
    }

    /// `~/x` below the home directory; everything else as it is.
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
    fn ci_is_what_services_set() {
        assert!(with("CI", "true").is_ci() && with("CI", "1").is_ci());
        assert!(!with("CI", "false").is_ci() && !with("CI", "").is_ci() && !with("OTHER", "1").is_ci());
    }

    #[test]
    fn home_is_expanded_only_where_it_is_meant() {
        let environment = Environment { home: Some("/home/u".into()), ..Environment::default() };
        assert_eq!(environment.expand_home("~/a"), PathBuf::from("/home/u/a"));
        assert_eq!(environment.expand_home("a/~/b"), PathBuf::from("a/~/b"));
    }
}
