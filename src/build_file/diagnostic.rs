//! What is wrong with a user's file, where, and what to do. How it looks on screen is the reporter's.

use std::fmt;

use crate::base::text::Place;
use crate::base::{RelPath, Severity};

/// What a diagnostic is about, where that decides what becomes of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Topic {
    #[default]
    Mistake,
    /// A name that a plugin or a newer Pants may know: `what` it names, and the name. All of them are told as one.
    Unknown { what: &'static str, name: String },
    /// Sources that are not there: the target is as declared, but has fewer files than it says.
    Unmatched,
    /// Nothing wrong as far as is known: only more Python than is evaluated here.
    Beyond,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub file: RelPath,
    pub place: Place,
    pub severity: Severity,
    pub message: String,
    pub hint: Option<String>,
    pub topic: Topic,
}

impl Diagnostic {
    pub fn error(file: &RelPath, place: Place, message: impl Into<String>) -> Diagnostic {
        let (severity, message) = (Severity::Error, message.into());
        Diagnostic { file: file.clone(), place, severity, message, hint: None, topic: Topic::Mistake }
    }

    pub fn warning(file: &RelPath, place: Place, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(file, place, message) }
    }

    /// A warning of a name that nobody here knows; what is named stays without effect.
    pub fn unknown(file: &RelPath, place: Place, what: &'static str, name: &str) -> Diagnostic {
        let message = format!("unknown {what} {name}: kept, but without effect");
        let topic = Topic::Unknown { what, name: name.to_owned() };
        Diagnostic { topic, ..Diagnostic::warning(file, place, message) }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Diagnostic {
        self.hint = Some(hint.into());
        self
    }

    /// `did you mean …` when there is a word near enough.
    pub fn did_you_mean(self, nearest: Option<&str>) -> Diagnostic {
        match nearest {
            Some(nearest) => self.hint(format!("did you mean `{nearest}`?")),
            None => self,
        }
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// `src/app/BUILD:7:12: unknown target type`, without the hint.
impl fmt::Display for Diagnostic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is wrong with the whole repository has no place.
        if self.file.is_root() {
            return out.write_str(&self.message);
        }
        write!(out, "{}:{}: {}", self.file, self.place, self.message)
    }
}
