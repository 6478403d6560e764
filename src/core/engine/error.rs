//! Why a step could not be carried out. A process that ran and failed is an outcome, not an error.

use std::path::PathBuf;
use std::sync::Arc;

use crate::action::Exit;
use crate::base::{Digest, ErrorKind};
use crate::engine::MakeFailure;
use crate::{net, store};

const DAMAGED_ARCHIVE_HINT: &str = "the file has the locked hash, so it was already damaged when it was locked: find out why, \
                                    then lock another file or version";

const PROCESS_MEMORY: &str = "`process_memory` instead of `memory` in the section `[sandbox]`";

/// Why a step could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The sandbox could not start a process.
    #[error("the sandbox could not run `{label}`")]
    Sandbox {
        /// The step.
        label: String,
        /// The cause.
        source: waders_sandbox::Error,
    },
    /// Another program disabled the control group of a process with a memory limit.
    #[error("the memory limit of `{label}` was removed while it ran")]
    LimitRemoved {
        /// The step.
        label: String,
    },
    /// The output of a process could not be captured.
    #[error("could not store the output of `{label}`")]
    Capture {
        /// The step.
        label: String,
        /// The cause.
        source: store::Error,
    },
    /// A directory or file for a step could not be created.
    #[error("could not create `{path}`")]
    Prepare {
        /// The path on the host.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The step could not be given a terminal.
    #[error("could not create a terminal for `{label}`")]
    Terminal {
        /// The step.
        label: String,
        /// The cause.
        source: std::io::Error,
    },
    /// A download failed.
    #[error("could not fetch `{label}`")]
    Fetch {
        /// The step.
        label: String,
        /// The cause.
        source: net::Error,
    },
    /// A registry of images does not provide a part of an image.
    #[error("could not pull `{label}`")]
    Pull {
        /// The step.
        label: String,
        /// The host of the registry.
        host: String,
        /// The cause.
        source: net::Error,
    },
    /// An index page does not list a file.
    #[error("`{file_name}` is missing on the index page `{page}`")]
    NotListed {
        /// The name of the file.
        file_name: String,
        /// The URL of the page, without credentials.
        page: String,
    },
    /// None of the locations has the file.
    #[error("no index or mirror provides `{label}`{}", places(.tried))]
    NotProvided {
        /// The step.
        label: String,
        /// The locations that were tried, without credentials.
        tried: Vec<String>,
    },
    /// A download is damaged or has an unsupported format.
    #[error("could not unpack `{label}`")]
    Unpack {
        /// The step.
        label: String,
        /// The error of the unpacker.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A tree could not be computed.
    #[error("could not create the {label}")]
    Derive {
        /// The step.
        label: String,
        /// The error of the recipe.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An input that no step makes could not be made.
    #[error("could not create the {label}: {}", .failure.why)]
    LateInput {
        /// What it is.
        label: String,
        /// Why.
        failure: MakeFailure,
    },
    /// A required step could not be carried out.
    #[error("a required step failed: `{label}`")]
    Needs {
        /// The required step.
        label: String,
        /// Its error.
        cause: Arc<Error>,
    },
    /// The process of a required step failed.
    #[error("required step `{label}` failed: {exit}\n{stderr}")]
    NeedFailed {
        /// The required step.
        label: String,
        /// How the process ended.
        exit: Exit,
        /// Its standard error.
        stderr: String,
    },
    /// A lost tree could not be restored.
    #[error("the store lost an input of `{label}`, and repeating the step that produces it gave different bytes")]
    NotReproduced {
        /// The step that needs the tree.
        label: String,
        /// The error that reported the loss.
        cause: Box<Error>,
    },
    /// The store lost an input that no step makes.
    #[error("the store lost a source file of `{label}`")]
    LostInput {
        /// The step that needs it.
        label: String,
        /// The cause.
        source: store::Error,
    },
    /// A worker could not run the step for its own reasons. The step can run on this machine.
    #[error("no worker could run `{label}`: {why}")]
    Worker {
        /// The step.
        label: String,
        /// What the server or the worker answered.
        why: String,
    },
    /// The user stopped the run.
    #[error("interrupted by user")]
    Interrupted,
    /// A defect of Waders.
    #[error("internal error: {0}")]
    Bug(String),
}

impl Error {
    /// The blob or tree that the store lost, if that is the cause and repeating steps can restore it.
    pub fn missing(&self) -> Option<Digest> {
        match self {
            Error::Store(error) | Error::Capture { source: error, .. } => error.missing(),
            Error::Derive { source, .. } => source.downcast_ref::<store::Error>().and_then(store::Error::missing),
            _ => None,
        }
    }

    /// Whether the store lost a blob or tree, including inputs that the planner stored and no step can restore.
    pub fn is_lost_input(&self) -> bool {
        self.missing().is_some() || matches!(self, Error::LostInput { source, .. } if source.missing().is_some())
    }

    /// The error of the step that failed first, if this error only says that a required step failed.
    pub fn root(&self) -> &Error {
        match self {
            Error::Needs { cause, .. } => cause.root(),
            error => error,
        }
    }

    /// The kind of the error at the root, which decides the exit code.
    pub fn kind(&self) -> ErrorKind {
        let storage_failed = |error| store::Error::storage_failure(error).is_some();
        match self.root() {
            Error::Store(_) | Error::Prepare { .. } => ErrorKind::Store,
            Error::Sandbox { .. } | Error::LimitRemoved { .. } => ErrorKind::Sandbox,
            Error::Fetch { source, .. } | Error::Pull { source, .. } => source.kind(),
            Error::NotListed { .. } | Error::NotProvided { .. } => ErrorKind::Unavailable,
            Error::Capture { source, .. } if storage_failed(source) => ErrorKind::Store,
            Error::Unpack { source, .. } | Error::Derive { source, .. } if storage_failed(&**source) => {
                ErrorKind::Store
            }
            Error::Unpack { .. } => ErrorKind::WrongBytes,
            Error::LateInput { failure, .. } => failure.kind,
            Error::Bug(_) => ErrorKind::Bug,
            _ => ErrorKind::Mistake,
        }
    }

    /// What the user can do about the error at the root.
    pub fn hint(&self) -> Option<String> {
        match self.root() {
            Error::Store(error) | Error::Capture { source: error, .. } => error.hint(),
            Error::Sandbox { source: waders_sandbox::Error::Unsupported(missing), .. }
                if missing.feature == waders_sandbox::MEMORY_LIMIT =>
            {
                Some(format!("{}, or set {PROCESS_MEMORY}", missing.remedy))
            }
            Error::Sandbox { source, .. } => source.hint().map(str::to_owned),
            Error::LimitRemoved { .. } => {
                Some(format!("find out which program changes control groups, or set {PROCESS_MEMORY}"))
            }
            Error::Fetch { source, .. } => source.hint(None),
            Error::Pull { host, source, .. } => source.hint_of_registry(host),
            Error::Prepare { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                Some(store::NO_SPACE_HINT.to_owned())
            }
            Error::NotListed { .. } | Error::NotProvided { .. } => Some(net::INDEX_HINT.to_owned()),
            Error::LateInput { failure, .. } => failure.hint.clone(),
            Error::Unpack { source, .. } => store::Error::storage_failure(&**source)
                .map_or(Some(DAMAGED_ARCHIVE_HINT.to_owned()), store::Error::hint),
            Error::Derive { source, .. } => store::Error::storage_failure(&**source).and_then(store::Error::hint),
            _ => None,
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
