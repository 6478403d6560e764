//! Errors that stop a run before a goal starts, and the decision whether output is coloured.

use crate::cli::{alias, args};
use crate::config;

/// Why a run stops before a goal starts.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Invalid settings.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// An invalid command line.
    #[error(transparent)]
    Args(#[from] args::Error),
    /// An invalid alias.
    #[error(transparent)]
    Alias(#[from] alias::Error),
}

impl Error {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Config(error) => error.hint(),
            Error::Args(error) => error.hint(),
            Error::Alias(_) => None,
        }
    }
}

/// Whether to print colours: by default on a terminal that supports them. `setting` is the option `[GLOBAL] colors`, which
/// overrides the environment variables `NO_COLOR`, `TERM`, `FORCE_COLOR`, `CLICOLOR_FORCE` and `CLICOLOR`.
pub fn shows_colour(setting: Option<bool>, is_terminal: bool, environment: &config::Environment) -> bool {
    let is_on = |name| environment.var(name).is_some_and(|value| value != "0");
    setting.unwrap_or_else(|| {
        let refused = environment.var("NO_COLOR").is_some() || environment.var("TERM") == Some("dumb");
        let forced = is_on("FORCE_COLOR") || is_on("CLICOLOR_FORCE");
        !refused && (forced || is_terminal && environment.var("CLICOLOR") != Some("0"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_depend_on_the_terminal_and_the_environment() {
        let check = |vars: &[(&str, &str)], terminal, expected| {
            let vars = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let environment = config::Environment { vars, ..Default::default() };
            assert_eq!(shows_colour(None, terminal, &environment), expected, "{environment:?}");
        };
        check(&[], true, true);
        check(&[], false, false);
        check(&[("NO_COLOR", "1"), ("FORCE_COLOR", "1")], true, false);
        check(&[("TERM", "dumb")], true, false);
        check(&[("FORCE_COLOR", "1")], false, true);
        check(&[("CLICOLOR", "0")], true, false);
        check(&[("NO_COLOR", "")], true, true);
    }
}
