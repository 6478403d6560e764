//! Errors, warnings and notes: how they are rendered, and which have been shown. Results of goals and progress are not
//! diagnostics.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anstyle::{AnsiColor, Style};
use serde::{Deserialize, Serialize};

use crate::base::Severity;

/// One diagnostic, as it is shown and stored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Message {
    /// The label before the text.
    pub severity: Severity,
    /// The message without label and causes.
    pub text: String,
    /// The causes of an error, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// What the user can do about it.
    pub hint: Option<String>,
}

impl Message {
    /// Makes a message without causes.
    pub fn new(severity: Severity, text: &str, hint: Option<&str>) -> Message {
        Message { severity, text: text.to_owned(), causes: Vec::new(), hint: hint.map(str::to_owned) }
    }

    /// Makes a message from an error and the chain of its causes. A cause that the preceding text already ends with is left
    /// out, since a transparent wrapper repeats the error that it wraps.
    pub fn from_error(error: &dyn std::error::Error, hint: Option<&str>) -> Message {
        let mut message = Message::new(Severity::Error, &error.to_string(), hint);
        let mut last = message.text.clone();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            if !last.ends_with(&text) {
                message.causes.push(text.clone());
            }
            last = text;
            source = cause.source();
        }
        message
    }

    /// Renders `error: …`, a line for each cause, and `hint: …`, each with a final newline.
    pub fn render(&self, colour: bool) -> String {
        let label_colour = match self.severity {
            Severity::Error => AnsiColor::Red,
            Severity::Warning => AnsiColor::Yellow,
            Severity::Note => AnsiColor::Cyan,
        };
        let mut out = labelled(&self.severity.to_string(), label_colour, &self.text, colour);
        out.extend(self.causes.iter().map(|cause| labelled("  caused by", label_colour, cause, colour)));
        out.extend(self.hint.iter().map(|hint| labelled("hint", AnsiColor::Cyan, hint, colour)));
        out
    }
}

fn labelled(label: &str, label_colour: AnsiColor, text: &str, colour: bool) -> String {
    let style = if colour { Style::new().bold().fg_color(Some(label_colour.into())) } else { Style::new() };
    format!("{style}{label}:{style:#} {text}\n")
}

/// The diagnostics of one run, in the order in which they were reported.
#[derive(Debug, Default)]
pub struct Diagnostics {
    reported: Mutex<Reported>,
}

#[derive(Debug, Default)]
struct Reported {
    all: Vec<Message>,
    seen: BTreeSet<Message>,
    /// Those that were recorded and not shown.
    unshown: BTreeSet<Message>,
}

impl Diagnostics {
    /// Records a message. False if an equal message was shown before: it must not be shown again.
    pub fn record(&self, message: Message) -> bool {
        let mut reported = self.lock();
        if reported.unshown.remove(&message) {
            return true;
        }
        let is_new = reported.seen.insert(message.clone());
        if is_new {
            reported.all.push(message);
        }
        is_new
    }

    /// Records a message that an earlier run showed. It is shown if it is reported again.
    pub fn record_unshown(&self, message: Message) {
        let mut reported = self.lock();
        if reported.seen.insert(message.clone()) {
            reported.unshown.insert(message.clone());
            reported.all.push(message);
        }
    }

    /// Everything recorded so far, in order.
    pub fn all(&self) -> Vec<Message> {
        self.lock().all.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Reported> {
        self.reported.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read `a`")]
    struct Unreadable(#[source] std::io::Error);

    #[test]
    fn an_error_shows_its_causes_and_the_hint() {
        let error = Unreadable(std::io::Error::other("permission denied"));
        let shown = Message::from_error(&error, Some("check its mode")).render(false);
        assert_eq!(shown, "error: cannot read `a`\n  caused by: permission denied\nhint: check its mode\n");
    }

    #[test]
    fn only_labels_have_colours() {
        let shown = Message::new(Severity::Warning, "text", None).render(true);
        assert!(shown.starts_with("\u{1b}[") && shown.ends_with("\u{1b}[0m text\n"), "{shown:?}");
    }

    #[test]
    fn a_message_is_recorded_once() {
        let diagnostics = Diagnostics::default();
        let message = |text| Message::new(Severity::Note, text, None);
        assert!(diagnostics.record(message("a")) && diagnostics.record(message("b")));
        assert!(!diagnostics.record(message("a")));
        assert_eq!(diagnostics.all(), [message("a"), message("b")]);
    }

    #[test]
    fn a_message_of_an_earlier_run_is_shown_only_if_it_is_reported_again() {
        let diagnostics = Diagnostics::default();
        let message = Message::new(Severity::Warning, "a", None);
        diagnostics.record_unshown(message.clone());
        assert_eq!(diagnostics.all(), std::slice::from_ref(&message));
        assert!(diagnostics.record(message.clone()));
        diagnostics.record_unshown(message.clone());
        assert!(!diagnostics.record(message.clone()));
        assert_eq!(diagnostics.all(), [message]);
    }
}
