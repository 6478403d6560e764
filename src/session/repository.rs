//! What was loaded from the repository: targets, source roots, dependencies, and the errors found on the way. Loading
//! itself is `load`, and inference is done by `Session`.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::build_file::Topic;
use crate::inference::{Dependencies, SourceRoots};
use crate::targets::{Address, LoadError, TargetGraph};

/// The loaded state of a repository; empty until something asks for it.
#[derive(Default)]
pub struct Repository {
    pub(super) graph: Option<Arc<TargetGraph>>,
    pub(super) source_roots: Option<Arc<SourceRoots>>,
    pub(super) dependencies: Option<Arc<Dependencies>>,
    /// The targets whose dependencies were asked for.
    pub(super) inferred: BTreeSet<Address>,
    /// Errors in BUILD files that are not reported yet.
    pub(super) load_errors: Vec<LoadError>,
    /// An error in the repository was reported; the run goes on, but its exit code is not 0.
    pub has_errors: bool,
    /// Whether the goal creates lockfiles, so that missing ones are nothing to report.
    pub creates_lockfiles: bool,
}

impl Repository {
    /// Whether everything loaded without an error.
    pub fn is_sound(&self) -> bool {
        self.load_errors.is_empty() && !self.has_errors
    }

    /// Forgets everything that was loaded: a goal changed files of the repository.
    pub(super) fn forget(&mut self) {
        self.graph = None;
        self.source_roots = None;
        self.dependencies = None;
        self.inferred.clear();
    }

    /// Takes the unreported errors that `matches` selects.
    pub(super) fn take_errors(&mut self, matches: impl Fn(&LoadError) -> bool) -> Vec<LoadError> {
        let (taken, left) = std::mem::take(&mut self.load_errors).into_iter().partition(matches);
        self.load_errors = left;
        taken
    }

    /// Takes the errors about sources that match no file.
    pub(super) fn take_unmatched_sources(&mut self) -> Vec<LoadError> {
        self.take_errors(|error| error.diagnostic.topic == Topic::Unmatched)
    }

    /// Leaves large values to the kernel, which frees the memory of a process at once; freeing a large graph value by
    /// value takes longer.
    pub fn leak(&mut self) {
        std::mem::forget(self.graph.take());
        std::mem::forget(self.dependencies.take());
    }

    /// Errors of the directories of these targets.
    pub(super) fn take_errors_of(&mut self, targets: &BTreeSet<Address>) -> Vec<LoadError> {
        self.take_errors(|error| targets.iter().any(|address| error.affects(&address.dir)))
    }
}
