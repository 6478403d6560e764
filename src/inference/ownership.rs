//! Which distribution owns which code. As in Pants, the owner of a target is the distribution in the nearest directory at or
//! above it that depends on it. A distribution contains what it owns, and requires the distributions that own the rest.

use std::collections::{BTreeMap, BTreeSet};

use crate::inference::Dependencies;
use crate::inference::generated::{Generated, generated};
use crate::inference::module_map::is_python_source;
use crate::inference::settings::InferenceSettings;
use crate::targets::{Address, Target, TargetGraph, kind};

/// The distributions of a repository with what they depend on.
pub struct Ownership<'g> {
    graph: &'g TargetGraph,
    dependencies: &'g Dependencies,
    settings: &'g InferenceSettings,
    /// The targets that each distribution depends on, directly and indirectly.
    members: BTreeMap<&'g Address, BTreeSet<Address>>,
}

/// What a distribution consists of.
#[derive(Debug, Default)]
pub struct Contents<'g> {
    /// The targets that it owns, sorted by address. The first is the distribution itself only if it sorts first.
    pub owned: Vec<&'g Target>,
    /// The `file` targets that it depends on. They are present while it is built, and are not installed.
    pub files: Vec<&'g Target>,
    /// The other distributions that own something that it depends on.
    pub others: BTreeSet<&'g Address>,
    /// The third-party requirements of what it owns, as they are written.
    pub requirements: BTreeSet<String>,
}

/// Code without exactly one owner.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// No distribution owns a target.
    #[error("{distribution} depends on {target}, which no distribution owns")]
    NoOwner {
        /// The distribution that is packaged.
        distribution: Address,
        /// The target without an owner.
        target: Address,
    },
    /// Two distributions in the same directory could own a target.
    #[error("{first} and {second} could both own {target}")]
    Ambiguous {
        /// One of the distributions.
        first: Address,
        /// The other one.
        second: Address,
        /// The target.
        target: Address,
    },
}

impl Error {
    /// What the user can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Error::NoOwner { .. } => {
                "add a `python_distribution` that depends on it, in its directory or in one above it"
            }
            Error::Ambiguous { .. } => {
                "move one of the distributions to another directory, or remove its dependency on the target"
            }
        }
    }
}

impl<'g> Ownership<'g> {
    /// Finds out what each distribution depends on. The dependencies of all distributions must be inferred.
    pub fn new(
        graph: &'g TargetGraph,
        dependencies: &'g Dependencies,
        settings: &'g InferenceSettings,
    ) -> Ownership<'g> {
        let distributions = graph.targets().filter(|target| target.kind == kind::PYTHON_DISTRIBUTION);
        let members = distributions.map(|target| {
            let address = &target.address;
            (address, dependencies.transitive_without_special(std::slice::from_ref(address)))
        });
        Ownership { graph, dependencies, settings, members: members.collect() }
    }

    /// What a distribution consists of. An error if something that it depends on does not have exactly one owner.
    pub fn contents(&self, distribution: &Target) -> Result<Contents<'g>, Error> {
        let mut contents = Contents::default();
        let Some((address, members)) = self.members.get_key_value(&distribution.address) else { return Ok(contents) };
        for member in members.iter().chain([*address]) {
            let Some(target) = self.graph.get(member) else { continue };
            if target.kind == kind::FILE {
                contents.files.push(target);
            }
            if !self.can_be_owned(target) {
                continue;
            }
            let owner = self
                .owner(target)?
                .ok_or_else(|| Error::NoOwner { distribution: distribution.address.clone(), target: member.clone() })?;
            match owner == &distribution.address {
                true => contents.owned.push(target),
                false => drop(contents.others.insert(owner)),
            }
        }
        contents.owned.sort_by(|left, right| left.address.cmp(&right.address));
        contents.requirements = self.requirements(&contents.owned, members);
        Ok(contents)
    }

    /// Whether a target has an owner among the distributions: code and resources have, also if they are generated.
    fn can_be_owned(&self, target: &Target) -> bool {
        is_python_source(target)
            || matches!(target.kind.as_str(), kind::RESOURCE | kind::PYTHON_DISTRIBUTION)
            || generated(self.graph, target, self.settings).is_some_and(|kind| kind != Generated::File)
    }

    /// The distribution that owns a target, if there is one.
    fn owner(&self, target: &'g Target) -> Result<Option<&'g Address>, Error> {
        if target.kind == kind::PYTHON_DISTRIBUTION {
            return Ok(Some(&target.address));
        }
        let dir = target.address.resident_dir();
        let mut found: Option<&'g Address> = None;
        for (distribution, members) in &self.members {
            if !dir.starts_with(&distribution.dir) || !members.contains(&target.address) {
                continue;
            }
            let depth = |address: &Address| address.dir.components().count();
            match found {
                Some(first) if depth(first) > depth(distribution) => {}
                Some(first) if depth(first) == depth(distribution) => {
                    let (first, second) = (first.clone(), (*distribution).clone());
                    return Err(Error::Ambiguous { first, second, target: target.address.clone() });
                }
                _ => found = Some(distribution),
            }
        }
        Ok(found)
    }

    /// The requirements that these targets name or import, and those that the requirements' own targets name.
    fn requirements(&self, owned: &[&Target], members: &BTreeSet<Address>) -> BTreeSet<String> {
        let is_requirement = |address: &&Address| {
            members.contains(*address)
                && self.graph.get(address).is_some_and(|target| target.kind == kind::PYTHON_REQUIREMENT)
        };
        let direct = |address: &Address| self.dependencies.direct(address).into_iter().filter(is_requirement);
        let mut left: Vec<&Address> = owned.iter().flat_map(|target| direct(&target.address)).collect();
        let mut found: BTreeSet<&Address> = BTreeSet::new();
        while let Some(address) = left.pop() {
            if found.insert(address) {
                left.extend(direct(address));
            }
        }
        let targets = found.into_iter().filter_map(|address| self.graph.get(address));
        let texts = targets.flat_map(|target| target.strings("requirements"));
        texts.map(str::to_owned).collect()
    }
}
