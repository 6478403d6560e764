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
    #[error("could not keep what `{label}` left in its output directory")]
    Capture { label: String, source: store::Error },
    #[error("could not make `{path}`")]
    Prepare { path: PathBuf, source: std::io::Error },
    #[error("could not fetch `{label}`")]
    Fetch { label: String, source: net::Error },
    #[error("`{file_name}` is not on the page that should list it, `{page}`")]
    NotListed { file_name: String, page: String },
    #[error("`{label}` is nowhere to be had{}", looked_at(.tried))]
    Nowhere { label: String, tried: Vec<String> },
    #[error("could not unpack `{label}`")]
    Unpack { label: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("could not make the {label}")]
    Derive { label: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("`{label}` is needed first")]
    Needs { label: String, cause: Arc<Error> },
    #[error("`{label}` is needed first and failed ({exit})\n{stderr}")]
    NeedFailed { label: String, exit: Exit, stderr: String },
    #[error("the store lost something that `{label}` needs, and making it again gave other bytes")]
    NotReproduced { label: String, cause: Box<Error> },
    #[error("the store lost something of the files that `{label}` is to see")]
    LostInput { label: String, source: store::Error },
    #[error("interrupted by user")]
    Interrupted,
    #[error("a bug in waders: {0}")]
    Bug(String),
}

impl Error {
    /// What the store lost, if that is the reason and steps can make it again.
    pub fn missing(&self) -> Option<Digest> {
        match self {
            Error::Store(error) | Error::Capture { source: error, .. } => error.missing(),
            Error::Derive { source, .. } => source.downcast_ref::<store::Error>().and_then(store::Error::missing),
            _ => None,
        }
    }

    /// Whether the store lost something: perhaps what no step makes, but whoever planned the steps.
    pub fn is_lost_input(&self) -> bool {
        self.missing().is_some() || matches!(self, Error::LostInput { source, .. } if source.missing().is_some())
    }

    /// The error that started it, where this one only says that another step was needed.
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
            // Some say their cause themselves.
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

fn looked_at(places: &[String]) -> String {
    match places {
        [] => ": no index is known".to_owned(),
        places => format!(": looked at `{}`", places.join("`, `")),
    }
}
