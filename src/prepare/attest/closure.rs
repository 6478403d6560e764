//! The closure of a step: everything that it and the steps that it needs were given.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::action::{Action, EncodedAction, Fetch, Inputs, Platform, Source, Step, StepId};
use crate::attest::provenance::StepIdentity;
use crate::attest::{Material, Role};
use crate::base::{Digest, sandbox_paths};
use crate::engine::StepResult;
use crate::prepare::Error;
use crate::prepare::attest::distributions;
use crate::prepare::attest::sources::SourceFiles;
use crate::prepare::attest::toolchain::Toolchains;
use crate::session::{Execution, Session};
use crate::store::Store;

/// The mount points of what is not a part of a result: the system tree, interpreters, tools, and what these import.
const ENVIRONMENT: [&str; 7] = [
    "/usr",
    "/etc",
    sandbox_paths::TOOLCHAIN,
    sandbox_paths::DEPS,
    sandbox_paths::REQUIREMENTS,
    sandbox_paths::SOURCE_ROOTS,
    sandbox_paths::STATE,
];

/// Everything that a step was made of, and the step itself.
pub struct StepClosure {
    /// Sorted, each once.
    pub materials: Vec<Material>,
    /// The step.
    pub identity: StepIdentity,
}

/// Finds the closures of the steps of one graph.
pub struct Closures {
    store: Arc<Store>,
    execution: Execution,
    platform: Platform,
    sources: SourceFiles,
    toolchains: Toolchains,
    settings: Vec<Material>,
    /// The files that were fetched, by step.
    distributions: Mutex<BTreeMap<StepId, Material>>,
}

/// The materials found so far, with the weaker role replaced by the stronger one.
type Found = BTreeMap<Material, Role>;

impl Closures {
    /// For the steps of a graph that was carried out in this run.
    pub fn new(session: &mut Session, execution: Execution) -> Result<Closures, Error> {
        let sources = SourceFiles::new(session)?;
        Ok(Closures {
            store: session.services.open_store()?,
            execution,
            platform: session.services.platform(),
            settings: sources.settings(session)?,
            sources,
            toolchains: Toolchains::new(session)?,
            distributions: Mutex::default(),
        })
    }

    /// The result of a step; `None` if it was not carried out.
    pub fn result(&self, step: StepId) -> Option<&StepResult> {
        self.execution.results.get(&step)?.as_ref().ok()
    }

    /// The SHA-256 hash of a blob of the store, in hexadecimal digits.
    pub fn sha256(&self, blob: Digest) -> Result<String, Error> {
        self.sources.sha256(&self.store, blob)
    }

    /// The closure of a step.
    pub fn find(&self, step: StepId) -> Result<StepClosure, Error> {
        let (mut found, mut visited) = (Found::new(), BTreeMap::new());
        self.visit(step, Role::Content, &mut visited, &mut found)?;
        let settings = self.settings.iter().cloned();
        let mut materials: Vec<Material> =
            found.into_iter().map(|(material, role)| Material { role, ..material }).chain(settings).collect();
        materials.sort();
        Ok(StepClosure { materials, identity: self.identity(step)? })
    }

    fn visit(
        &self,
        step: StepId,
        role: Role,
        visited: &mut BTreeMap<StepId, Role>,
        found: &mut Found,
    ) -> Result<(), Error> {
        if visited.get(&step).is_some_and(|before| *before <= role) {
            return Ok(());
        }
        visited.insert(step, role);
        let mut sources: Vec<(Source, Role)> = Vec::new();
        match self.execution.graph.step(step) {
            Step::Fetch(fetch) => {
                add(found, Material { role, ..self.distribution(step, fetch)? });
            }
            Step::Derive(derive) => sources.extend(derive.parts.iter().map(|part| (*part, role))),
            Step::Run(action) => {
                sources.push((action.command.input_root, role));
                let images = action.command.images.iter();
                sources.extend(
                    images.map(|(at, source)| (*source, if is_environment(at) { Role::Environment } else { role })),
                );
            }
        }
        for (source, role) in sources {
            match source {
                Source::Output(need) => self.visit(need, role, visited, found)?,
                Source::Tree(tree) => self.add_tree(tree, role, found)?,
            }
        }
        Ok(())
    }

    /// The file that a step fetched; its metadata is read once.
    fn distribution(&self, step: StepId, fetch: &Fetch) -> Result<Material, Error> {
        let known = || self.distributions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(material) = known().get(&step) {
            return Ok(material.clone());
        }
        let tree = self.result(step).map(|result| result.tree);
        let material = distributions::material(&self.store, fetch, tree)?;
        known().insert(step, material.clone());
        Ok(material)
    }

    fn add_tree(&self, tree: Digest, role: Role, found: &mut Found) -> Result<(), Error> {
        if let Some(materials) = self.toolchains.materials(&tree) {
            materials.iter().for_each(|material| add(found, material.clone()));
            return Ok(());
        }
        for material in self.sources.materials(&self.store, tree, role)? {
            add(found, material);
        }
        Ok(())
    }

    fn identity(&self, step: StepId) -> Result<StepIdentity, Error> {
        match self.execution.graph.step(step) {
            Step::Run(action) => {
                let outcome = self.result(step).and_then(|result| result.outcome.as_ref());
                Ok(StepIdentity {
                    action_key: self.action_key(action).map(|key| key.to_string()),
                    recipe: None,
                    platform: self.platform.properties(),
                    variables: action.command.env.keys().cloned().collect(),
                    network: action.command.network,
                    started_from: outcome.and_then(|(_, outcome)| Some(outcome.started_from?.to_string())),
                })
            }
            Step::Derive(derive) => {
                Ok(StepIdentity { recipe: Some(derive.recipe.to_owned()), ..StepIdentity::default() })
            }
            Step::Fetch(fetch) => Ok(StepIdentity { recipe: Some(fetch.unpack.to_owned()), ..StepIdentity::default() }),
        }
    }

    /// The key of an action whose needs were carried out.
    fn action_key(&self, action: &Action) -> Option<Digest> {
        let resolve = |source: Source| match source {
            Source::Tree(tree) => Some(tree),
            Source::Output(need) => self.result(need).map(|result| result.tree),
        };
        let images = action.command.images.iter();
        let images = images.map(|(at, source)| Some((at.clone(), resolve(*source)?))).collect::<Option<_>>()?;
        let inputs = Inputs { root: resolve(action.command.input_root)?, images };
        Some(EncodedAction::new(&action.command, &inputs, &self.platform).key())
    }
}

/// Adds a material, or changes the role of one that was found before.
fn add(found: &mut Found, material: Material) {
    let role = material.role;
    let material = Material { role: Role::Content, ..material };
    let known = found.entry(material).or_insert(role);
    *known = role.min(*known);
}

fn is_environment(at: &str) -> bool {
    ENVIRONMENT.iter().any(|place| at.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attest::MaterialKind;

    #[test]
    fn tools_and_interpreters_are_environment_and_all_else_is_content() {
        for at in ["/usr", "/etc/ssl", "/toolchain/python3.12", "/deps", "/requirements"] {
            assert!(is_environment(at), "{at}");
        }
        for at in ["/wheels", "/distributions", "/part", "/usrlocal"] {
            assert!(!is_environment(at), "{at}");
        }
    }

    #[test]
    fn a_material_in_both_roles_is_content_once() {
        let material =
            |role| Material { kind: MaterialKind::Settings, name: "a".to_owned(), hash: "11".to_owned(), role };
        for roles in [[Role::Content, Role::Environment], [Role::Environment, Role::Content]] {
            let mut found = Found::new();
            roles.into_iter().for_each(|role| add(&mut found, material(role)));
            assert_eq!(found.into_iter().collect::<Vec<_>>(), [(material(Role::Content), Role::Content)]);
        }
    }
}
