//! Diagnostics about a user's files: severity, position, message and hint. The module `report` renders them.

use std::fmt;

use crate::base::text::Place;
use crate::base::{RelPath, Severity};

/// The subject of a diagnostic, where later processing depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Topic {
    /// An ordinary mistake.
    #[default]
    Mistake,
    /// A name that a plugin or a newer Pants may define. Such diagnostics are merged into one for each `what`.
    Unknown {
        /// The kind of thing that is named: `target type`, `field`.
        what: &'static str,
        /// The unknown name, quoted for display.
        name: String,
    },
    /// Sources that match no file: the target is otherwise as declared.
    Unmatched,
    /// Code that the built-in evaluator does not support; real Python may evaluate it without error.
    NeedsPython,
    /// A resolve whose lockfile does not exist.
    NoLockfile,
}

/// An error, warning or note about a position in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file, or the root path if the diagnostic is about the whole repository.
    pub file: RelPath,
    /// Line and column, both from 1.
    pub place: Place,
    /// How serious it is.
    pub severity: Severity,
    /// One sentence without a full stop.
    pub message: String,
    /// Advice for the user.
    pub hint: Option<String>,
    /// The subject, where later processing depends on it.
    pub topic: Topic,
}

impl Diagnostic {
    /// An error without a hint.
    pub fn error(file: &RelPath, place: Place, message: impl Into<String>) -> Diagnostic {
        let (severity, message) = (Severity::Error, message.into());
        Diagnostic { file: file.clone(), place, severity, message, hint: None, topic: Topic::Mistake }
    }

    /// A warning without a hint.
    pub fn warning(file: &RelPath, place: Place, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(file, place, message) }
    }

    /// A warning about an unknown target type or field, which is loaded but has no effect.
    pub fn unknown(file: &RelPath, place: Place, what: &'static str, name: &str) -> Diagnostic {
        let message = format!("unknown {what} {name}: it has no effect");
        let topic = Topic::Unknown { what, name: name.to_owned() };
        Diagnostic { topic, ..Diagnostic::warning(file, place, message) }
    }

    /// The same diagnostic with this hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Diagnostic {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the position inside a macro to the message, if a macro caused the diagnostic.
    pub fn in_macro(mut self, inside: Option<&(RelPath, Place)>) -> Diagnostic {
        if let Some((file, place)) = inside {
            self.message.push_str(&format!(" (in a macro, at {file}:{place})"));
        }
        self
    }

    /// Adds the hint `did you mean …` if there is a similar known name.
    pub fn did_you_mean(self, nearest: Option<&str>) -> Diagnostic {
        match nearest {
            Some(nearest) => self.hint(format!("did you mean `{nearest}`?")),
            None => self,
        }
    }

    /// Whether the severity is `Error`.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// `src/app/BUILD:7:12: unknown target type`, without the hint.
impl fmt::Display for Diagnostic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A diagnostic about the whole repository has no position.
        if self.file.is_root() {
            return out.write_str(&self.message);
        }
        write!(out, "{}:{}: {}", self.file, self.place, self.message)
    }
}
