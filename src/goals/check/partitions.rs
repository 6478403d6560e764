//! What is checked together: sources of one resolve that are for the same interpreters.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::RelPath;
use crate::goals::check::checkers::Checker;
use crate::goals::{Error, Session, selected};
use crate::python;
use crate::python::module_map::resolve_of;
use crate::target::{Address, Target};

#[derive(Clone, Debug)]
pub struct Partition {
    pub resolve: String,
    pub constraints: Vec<String>,
    /// By checker: those that it does not leave out.
    pub targets: BTreeMap<String, Vec<Address>>,
}

impl Partition {
    /// What tells it from others: `python-default, CPython>=3.9`.
    pub fn description(&self) -> String {
        format!("{}, {}", self.resolve, self.constraints.join(" or "))
    }
}

/// Of everything that the command line selects.
pub fn partitions(session: &mut Session, checkers: &[Checker]) -> Result<Vec<Partition>, Error> {
    let graph = session.graph()?;
    let settings = python::Settings::of(session.config())?;
    let mut partitions: BTreeMap<(String, Vec<String>), Partition> = BTreeMap::new();
    for address in selected_sources(session)? {
        let Some(target) = graph.get(&address) else { continue };
        let checked_by: Vec<&Checker> = checkers.iter().filter(|checker| checks(checker, target)).collect();
        if checked_by.is_empty() {
            continue;
        }
        let key = (resolve_of(target, &settings).to_owned(), constraints(session, target));
        let partition = partitions.entry(key).or_insert_with_key(|(resolve, constraints)| Partition {
            resolve: resolve.clone(),
            constraints: constraints.clone(),
            targets: BTreeMap::new(),
        });
        for checker in checked_by {
            partition.targets.entry(checker.call.name.clone()).or_default().push(address.clone());
        }
    }
    Ok(partitions.into_values().collect())
}

/// Generators stand for the targets of their files.
fn selected_sources(session: &mut Session) -> Result<BTreeSet<Address>, Error> {
    let graph = session.graph()?;
    let selected = session.selected()?;
    let generated = selected.iter().flat_map(|address| graph.generated_by(address)).cloned().collect();
    let mut sources: BTreeSet<Address> = selected.iter().cloned().collect();
    sources.extend(selected::filter_generated(session, &graph, generated)?);
    Ok(sources)
}

fn checks(checker: &Checker, target: &Target) -> bool {
    let skips = |field: &String| target.fields.get(field).and_then(|value| value.as_bool()).unwrap_or(false);
    checker.call.targets.contains(&target.kind) && !checker.call.skip_fields.iter().any(skips)
}

fn constraints(session: &Session, target: &Target) -> Vec<String> {
    let own = target.fields.get("interpreter_constraints").map(|value| value.strings()).unwrap_or_default();
    let own = if own.is_empty() { session.config().list("python", "interpreter_constraints") } else { own };
    own.into_iter().map(str::to_owned).collect()
}

/// The sources of some targets, sorted. A checker takes a stub for the module beside it, so that is not named.
pub fn files_to_check(sources: impl IntoIterator<Item = RelPath>) -> Vec<RelPath> {
    let files: BTreeSet<RelPath> = sources.into_iter().collect();
    let has_stub = |file: &RelPath| {
        file.extension() == Some("py") && RelPath::parse(&format!("{file}i")).is_ok_and(|stub| files.contains(&stub))
    };
    files.iter().filter(|file| !has_stub(file)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_with_a_stub_is_not_named() {
        let files = ["b.py", "a.py", "a.pyi", "c.pyi"].map(|path| RelPath::parse(path).unwrap());
        let named: Vec<String> = files_to_check(files).iter().map(ToString::to_string).collect();
        assert_eq!(named, ["a.pyi", "b.py", "c.pyi"]);
    }
}
