//! Errors that stop a run before any goal starts, and whether output is coloured.

use crate::cli::{alias, args};
use crate::config;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error(transparent)]
    Args(#[from] args::Error),
    #[error(transparent)]
    Alias(#[from] alias::Error),
}

impl Error {
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Config(error) => error.hint(),
            Error::Args(error) => error.hint(),
            Error::Alias(_) => None,
        }
    }
}

/// Whether to write colours: on a terminal that shows them, unless the user said otherwise. `setting` is the option
/// `colors`.
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
    fn colours_are_shown_where_they_are_wanted() {
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
