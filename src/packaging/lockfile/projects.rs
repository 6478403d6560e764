//! The projects of the repository in a lockfile: what each requires, with its extras and dependency groups, and which of these exclude each
//! other. Which packages a project sees is decided in `resolve::project`.

use std::collections::{BTreeMap, BTreeSet};

use uv_normalize::{ExtraName, PackageName};

use crate::base::RelPath;
use crate::packaging::requirement::Requirement;

/// The projects that a lockfile was generated for, if its format has them.
#[derive(Clone, Debug, Default)]
pub struct LockedProjects {
    /// In the order of the file.
    pub projects: Vec<LockedProject>,
    /// Sets of which at most one may be active, as [`encode`] writes their members.
    pub conflicts: Vec<BTreeSet<ExtraName>>,
}

/// A project of the repository.
#[derive(Clone, Debug)]
pub struct LockedProject {
    /// The normalized name; `None` for a root without a project, which has only groups.
    pub name: Option<PackageName>,
    /// Its directory.
    pub dir: RelPath,
    /// Its dependencies; those of extras have a marker.
    pub requires: Vec<Requirement>,
    /// The requirements of its dependency groups.
    pub groups: BTreeMap<String, Vec<Requirement>>,
}

/// A part of a project that conflicts can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// An extra.
    Extra(&'a str),
    /// A dependency group.
    Group(&'a str),
    /// The project itself.
    Project,
}

/// How uv writes a part of a project in markers: as an extra that no project has.
pub fn encode(project: &str, part: Part<'_>) -> Option<ExtraName> {
    let length = project.len();
    let text = match part {
        Part::Extra(extra) => format!("extra-{length}-{project}-{extra}"),
        Part::Group(group) => format!("group-{length}-{project}-{group}"),
        Part::Project => format!("project-{length}-{project}"),
    };
    ExtraName::from_owned(text).ok()
}

impl LockedProjects {
    /// The project that a file belongs to: the one in the nearest directory above it.
    pub fn owner(&self, file: &RelPath) -> Option<&LockedProject> {
        file.ancestors().find_map(|dir| self.in_dir(&dir))
    }

    /// The project in a directory.
    pub fn in_dir(&self, dir: &RelPath) -> Option<&LockedProject> {
        self.projects.iter().find(|project| project.dir == *dir)
    }

    /// The project of a name.
    pub fn named(&self, name: &PackageName) -> Option<&LockedProject> {
        self.projects.iter().find(|project| project.name.as_ref() == Some(name))
    }

    /// Whether a part may be active together with others.
    pub fn is_compatible(&self, part: &ExtraName, active: &BTreeSet<ExtraName>) -> bool {
        let excludes = |set: &&BTreeSet<ExtraName>| {
            set.contains(part) && set.iter().any(|other| other != part && active.contains(other))
        };
        !self.conflicts.iter().any(|set| excludes(&set))
    }
}
