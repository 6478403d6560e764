//! What stops a run before any goal starts, and how every error looks on screen.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

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

/// `error: …`, a line for each cause, `hint: …`. For standard error.
pub fn render(error: &dyn std::error::Error, hint: Option<&str>, colour: bool) -> String {
    let mut out = labelled("error", AnsiColor::Red, &error.to_string(), colour);
    let mut cause = error.source();
    let mut said = error.to_string();
    while let Some(error) = cause {
        let text = error.to_string();
        // A transparent wrapper repeats what it wraps.
        if text != said {
            out += &labelled("  caused by", AnsiColor::Red, &text, colour);
        }
        said = text;
        cause = error.source();
    }
    if let Some(hint) = hint {
        out += &labelled("hint", AnsiColor::Cyan, hint, colour);
    }
    out
}

pub fn render_warning(warning: &config::Warning, colour: bool) -> String {
    let mut out = labelled("warning", AnsiColor::Yellow, &warning.message, colour);
    if let Some(hint) = &warning.hint {
        out += &labelled("hint", AnsiColor::Cyan, hint, colour);
    }
    out
}

fn labelled(label: &str, label_colour: AnsiColor, text: &str, colour: bool) -> String {
    let style = if colour { Style::new().bold().fg_color(Some(label_colour.into())) } else { Style::new() };
    let mut out = String::new();
    writeln!(out, "{style}{label}:{style:#} {text}").expect("a String takes all writes");
    out
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
    fn an_error_shows_its_causes_and_the_hint() {
        let source = std::io::Error::other("permission denied");
        let error = Error::Config(config::Error::Unreadable { path: "/r/pants.toml".into(), source });
        let shown = render(&error, Some("look at its mode"), false);
        assert_eq!(
            shown,
            "error: reading the settings file `/r/pants.toml`\n  caused by: permission denied\nhint: look at its mode\n"
        );
    }

    #[test]
    fn colours_are_only_for_labels() {
        let shown = render(&alias::Error::Cycle("a".into()), None, true);
        assert!(shown.starts_with("\u{1b}[") && shown.contains("\u{1b}[0m alias `a`"), "{shown:?}");
    }

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
