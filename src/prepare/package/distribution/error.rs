//! Why a distribution cannot be built as it is declared.

use std::path::PathBuf;

use crate::inference::{constraints, ownership};
use crate::targets::Address;

/// Why a distribution cannot be built as it is declared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Code without exactly one owner.
    #[error(transparent)]
    Ownership(#[from] ownership::Error),
    /// Interpreter constraints that no interpreter meets.
    #[error(transparent)]
    Constraints(#[from] constraints::Incompatible),
    /// A required argument of `python_artifact` is missing.
    #[error("{target}: `provides` has no `{key}`")]
    Missing {
        /// The distribution.
        target: Address,
        /// The name of the argument.
        key: String,
    },
    /// An argument of `python_artifact` that is computed from the sources.
    #[error("{target}: `{key}` in `provides` is computed from the sources and cannot be set")]
    Reserved {
        /// The distribution.
        target: Address,
        /// The name of the argument.
        key: String,
    },
    /// A rule of a plugin that is emulated.
    #[error("{target}: {rule}")]
    Plugin {
        /// The distribution.
        target: Address,
        /// The violated rule.
        rule: String,
    },
    /// The name or version is not valid.
    #[error("{target}: invalid {key} in `provides`: `{value}`")]
    Invalid {
        /// The distribution.
        target: Address,
        /// `name` or `version`.
        key: &'static str,
        /// The invalid value.
        value: String,
    },
    /// Several interpreter constraints cannot be written as one `python_requires`.
    #[error(
        "{target}: its interpreter constraints are alternatives, which `python_requires` cannot express: {constraints}"
    )]
    Alternatives {
        /// The distribution.
        target: Address,
        /// The constraints, joined by ` OR `.
        constraints: String,
    },
    /// An entry point that cannot be used.
    #[error("{target}: entry point `{name}` in `{group}`: {why}")]
    EntryPoint {
        /// The distribution.
        target: Address,
        /// The group, such as `console_scripts`.
        group: String,
        /// The name of the entry point.
        name: String,
        /// The problem.
        why: String,
    },
    /// A field that must be a dict of texts.
    #[error("{target}: `entry_points` is not a dict of dicts of strings")]
    EntryPoints {
        /// The distribution.
        target: Address,
    },
    /// The file with the long description cannot be read.
    #[error("{target}: cannot read the long description `{}`", path.display())]
    LongDescription {
        /// The distribution.
        target: Address,
        /// The file, relative to the build root.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// Two places of the long description.
    #[error("{0}: both `long_description_path` and `long_description` in `provides` are set")]
    TwoLongDescriptions(Address),
    /// Neither a wheel nor a source distribution.
    #[error("{0}: both `wheel` and `sdist` are False, so there is nothing to build")]
    Nothing(Address),
    /// A source at the path of a generated file.
    #[error("{target}: `{file}` is one of its sources, and is generated too")]
    GeneratedTwice {
        /// The distribution.
        target: Address,
        /// The file, relative to its source root.
        file: String,
    },
    /// Build files that are not generated do not exist.
    #[error(
        "{target}: neither `setup.py`, `setup.cfg` nor `pyproject.toml` of `{dir}` is among its sources, and `generate_setup` is False"
    )]
    NoBuildFiles {
        /// The distribution.
        target: Address,
        /// The directory of its BUILD file.
        dir: String,
    },
    /// The build settings of the project cannot be read.
    #[error("{target}: cannot read `[build-system]` in `{file}`: {why}")]
    BuildSystem {
        /// The distribution.
        target: Address,
        /// The path of pyproject.toml.
        file: String,
        /// The reason.
        why: String,
    },
    /// A requirement of the build that is not valid.
    #[error("{target}: invalid build requirement `{requirement}` in `{file}`")]
    BuildRequirement {
        /// The distribution.
        target: Address,
        /// The requirement.
        requirement: String,
        /// The path of pyproject.toml.
        file: String,
        /// Why it is invalid.
        source: crate::packaging::requirement::Error,
    },
}

impl Error {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Ownership(error) => error.hint(),
            Error::Missing { key, .. } => return Some(format!("write `provides=python_artifact({key}=…)`")),
            Error::Reserved { .. } => {
                "remove it; the requirements and packages follow from the dependencies of the distribution"
            }
            Error::Alternatives { .. } => "set `python_requires` in `provides`",
            Error::TwoLongDescriptions(_) => "remove one of them",
            Error::Nothing(_) => "remove `wheel=False` or `sdist=False`",
            Error::GeneratedTwice { .. } => "set `generate_setup=False` to use your own file, or rename it",
            Error::NoBuildFiles { .. } => {
                "add the file to the dependencies: `setup.py` as a `python_source`, the others as a `resource`"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
