//! How the results of `publish` are shown: a line for each artifact, in the words of Pants, and a JSON list.

use anstyle::{AnsiColor, Style};
use serde::Serialize;

/// What became of artifacts that were to be published at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Publication {
    /// The address of the target.
    pub target: String,
    /// The artifacts: file names, or names of an image.
    pub names: Vec<String>,
    /// The program or protocol that publishes.
    pub publisher: &'static str,
    /// Where to, if the names do not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The SHA-256 hash of the manifest of an image, in hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// What happened: in JSON, `status`, and `reason` if they were not published.
    #[serde(flatten)]
    pub status: Status,
    /// Whether `status` is that the artifacts were published.
    pub published: bool,
}

/// What happened to artifacts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "status", content = "reason", rename_all = "lowercase")]
pub enum Status {
    /// They were published.
    Published,
    /// They were left out, for this reason.
    Skipped(String),
    /// They were not published, for this reason.
    Failed(String),
}

impl Publication {
    /// The lines of the artifacts, and below them the reason of a failure.
    pub fn to_text(&self, colour: bool) -> String {
        let (sign, style, words) = match &self.status {
            Status::Published => ("✓", AnsiColor::Green, self.with_repository("published", "to")),
            Status::Skipped(why) => ("-", AnsiColor::Yellow, format!("skipped {why}")),
            Status::Failed(_) => ("✕", AnsiColor::Red, self.with_repository("failed", "for")),
        };
        let style = if colour { Style::new().fg_color(Some(style.into())) } else { Style::new() };
        let hash = self.sha256.as_ref().filter(|_| self.published).map(|hash| format!(" (sha256:{hash})"));
        let line =
            |name: &String| format!("{style}{sign}{style:#} {name} {words}{}.", hash.clone().unwrap_or_default());
        let mut lines: Vec<String> = self.names.iter().map(line).collect();
        if let Status::Failed(why) = &self.status {
            lines.push(why.clone());
        }
        lines.join("\n")
    }

    fn with_repository(&self, status: &str, preposition: &str) -> String {
        match &self.repository {
            Some(repository) => format!("{status} {preposition} {repository}"),
            None => status.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publication(status: Status) -> Publication {
        Publication {
            target: "src/app:dist".to_owned(),
            names: vec!["app-1.0.tar.gz".to_owned()],
            publisher: "twine",
            repository: Some("@internal".to_owned()),
            sha256: None,
            published: status == Status::Published,
            status,
        }
    }

    #[test]
    fn lines_have_the_words_of_pants() {
        let check = |status, expected: &str| assert_eq!(publication(status).to_text(false), expected);
        check(Status::Published, "✓ app-1.0.tar.gz published to @internal.");
        check(Status::Skipped("(no `x`)".to_owned()), "- app-1.0.tar.gz skipped (no `x`).");
        check(Status::Failed("exit code 1".to_owned()), "✕ app-1.0.tar.gz failed for @internal.\nexit code 1");
    }

    #[test]
    fn an_image_has_its_hash() {
        let image = Publication {
            names: vec!["localhost:5000/app:1".to_owned(), "localhost:5000/app:2".to_owned()],
            repository: None,
            sha256: Some("00ff".to_owned()),
            ..publication(Status::Published)
        };
        assert_eq!(
            image.to_text(false),
            "✓ localhost:5000/app:1 published (sha256:00ff).\n✓ localhost:5000/app:2 published (sha256:00ff)."
        );
        let json = serde_json::to_value(publication(Status::Failed("why".to_owned()))).unwrap();
        assert_eq!((&json["status"], &json["reason"]), (&"failed".into(), &"why".into()), "{json}");
    }
}
