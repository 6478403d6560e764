//! Why a step could not be carried out. A process that ran and failed is an outcome, not an error.

use std::path::PathBuf;
use std::sync::Arc;

use crate::action::Exit;
use crate::base::Digest;
use crate::{net, store};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("the sandbox could not run `{label}`")]
    Sandbox { label: String, source: waders_sandbox::Error },
    #[error("could not store the output of `{label}`")]
    Capture { label: String, source: store::Error },
    #[error("could not create `{path}`")]
    Prepare { path: PathBuf, source: std::io::Error },
    #[error("could not fetch `{label}`")]
    Fetch { label: String, source: net::Error },
    #[error("`{file_name}` is missing on the index page `{page}`")]
    NotListed { file_name: String, page: String },
    #[error("no index or mirror provides `{label}`{}", places(.tried))]
    Nowhere { label: String, tried: Vec<String> },
    #[error("could not unpack `{label}`")]
    Unpack { label: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("could not create the {label}")]
    Derive { label: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("a required step failed: `{label}`")]
    Needs { label: String, cause: Arc<Error> },
    #[error("required step `{label}` failed: {exit}\n{stderr}")]
    NeedFailed { label: String, exit: Exit, stderr: String },
    #[error("the store lost an input of `{label}`, and repeating the step that makes it gave other bytes")]
    NotReproduced { label: String, cause: Box<Error> },
    #[error("the store lost a source file of `{label}`")]
    LostInput { label: String, source: store::Error },
    #[error("interrupted by user")]
    Interrupted,
    #[error("internal error: {0}")]
    Bug(String),
}

impl Error {
    /// What the store lost, if that is the reason and repeating steps can restore it.
    pub fn missing(&self) -> Option<Digest> {
        match self {
            Error::Store(error) | Error::Capture { source: error, .. } => error.missing(),
            Error::Derive { source, .. } => source.downcast_ref::<store::Error>().and_then(store::Error::missing),
            _ => None,
        }
    }

    /// Whether the store lost something, including what no step makes but the planner stored.
    pub fn is_lost_input(&self) -> bool {
        self.missing().is_some() || matches!(self, Error::LostInput { source, .. } if source.missing().is_some())
    }

    /// The error at the root, where this one only says that a required step failed.
    pub fn root(&self) -> &Error {
        match self {
            Error::Needs { cause, .. } => cause.root(),
            error => error,
        }
    }

    /// The message and its causes, outermost first.
    pub fn whole(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            // Some errors include their cause.
            if !text.ends_with(&cause_text) {
                text.push_str(&format!(": {cause_text}"));
            }
            source = cause.source();
        }
        if let Error::Needs { cause, .. } = self {
            text.push_str(&format!(": {}", cause.whole()));
        }
        text
    }
}

fn places(tried: &[String]) -> String {
    match tried {
        [] => ": no index is configured".to_owned(),
        tried => format!(" (tried `{}`)", tried.join("`, `")),
    }
}
