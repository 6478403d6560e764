//! What the pipelines of all goals plan with: one graph of actions, and caches of the interpreters, packages and images
//! that its steps share. Which steps there are is decided by the pipelines `calls`, `check` and `test`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::action::{Action, ActionGraph, Source, Step, StepId};
use crate::base::{Digest, RelPath};
use crate::config::Config;
use crate::packaging::lockfile::Lock;
use crate::packaging::resolve::SelectedPackage;
use crate::plan::requirements::Locks;
use crate::plan::venv::HostInterpreter;
use crate::prepare::Error;
use crate::prepare::generate::GeneratedFiles;
use crate::prepare::images::Importable;
use crate::prepare::interpreters::PlannedInterpreter;
use crate::prepare::project_packages::ProjectView;
use crate::prepare::services::KnownServices;
use crate::session::Session;
use crate::session::git_packages::GitArchive;
use crate::store::Tree;
use crate::targets::Address;

/// A result that several steps need. What failed for one step is not tried again for the next.
pub(super) type Shared<T> = Result<T, Arc<Error>>;

/// Plans the actions of one graph. Interpreters are named by lists of interpreter constraints, as targets write them.
pub struct Planner<'s> {
    /// The run that the graph is planned for.
    pub session: &'s mut Session,
    /// The actions planned so far.
    pub actions: ActionGraph,
    pub(super) empty_tree: Digest,
    pub(super) locks: Locks,
    /// The lock of the repository's requirements, by interpreter constraints.
    pub(super) repository_locks: BTreeMap<Vec<String>, Shared<Arc<Lock>>>,
    /// By interpreter constraints.
    pub(super) interpreters: BTreeMap<Vec<String>, Shared<PlannedInterpreter>>,
    /// The interpreters for use outside sandboxes, by interpreter constraints.
    pub(super) host_interpreters: BTreeMap<Vec<String>, HostInterpreter>,
    /// The packages of tools, by interpreter constraints and scope.
    pub(super) tool_packages: BTreeMap<(Vec<String>, String), Shared<Vec<SelectedPackage>>>,
    /// Venv images, by interpreter constraints and contents.
    pub(super) venv_images: BTreeMap<(Vec<String>, Importable), Shared<Source>>,
    /// The archives of packages from version control, by name and commit.
    pub(super) git_archives: BTreeMap<(String, String), Shared<GitArchive>>,
    /// What projects see, by their directories.
    pub(super) project_views: BTreeMap<RelPath, ProjectView>,
    /// The directories of the projects that projects declare, by their directories; `None` for those that the lockfile does not have.
    pub(super) declared_projects: BTreeMap<RelPath, Option<Vec<RelPath>>>,
    /// The images with lists of source roots.
    pub(super) source_root_images: BTreeMap<Vec<RelPath>, Source>,
    pub(super) services: KnownServices,
    /// The files of generating targets; `None` for targets that generate none.
    pub(super) generated: BTreeMap<Address, Shared<Option<GeneratedFiles>>>,
    /// The targets whose files are being planned, to detect cycles.
    pub(super) generating: Vec<Address>,
    /// Warnings that were reported.
    pub(super) warned: BTreeSet<String>,
}

impl<'s> Planner<'s> {
    /// A planner of an empty graph.
    pub fn new(session: &'s mut Session) -> Result<Planner<'s>, Error> {
        let empty_tree = session.services.open_store()?.put_tree_lazily(&Tree::default())?;
        let locks = Locks::new(session.build_root(), session.config(), session.context.tracker.clone());
        Ok(Planner {
            session,
            actions: ActionGraph::default(),
            empty_tree,
            locks,
            repository_locks: BTreeMap::new(),
            interpreters: BTreeMap::new(),
            host_interpreters: BTreeMap::new(),
            tool_packages: BTreeMap::new(),
            venv_images: BTreeMap::new(),
            git_archives: BTreeMap::new(),
            project_views: BTreeMap::new(),
            declared_projects: BTreeMap::new(),
            source_root_images: BTreeMap::new(),
            services: KnownServices::default(),
            generated: BTreeMap::new(),
            generating: Vec::new(),
            warned: BTreeSet::new(),
        })
    }

    /// The settings of the run.
    pub fn config(&self) -> &Config {
        self.session.config()
    }

    /// Adds a process to the graph.
    pub fn add(&mut self, action: Action) -> StepId {
        self.actions.add(Step::Run(Box::new(action)))
    }
}
