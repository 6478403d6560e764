//! The targets behind steps and input files, and the dependencies that connect them. They are those of the present repository: a
//! record does not contain the target graph.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::base::RelPath;
use crate::engine::ActionCache;
use crate::engine::local::LocalActionCache;
use crate::goals::Error;
use crate::goals::why::history::{History, Occurrence};
use crate::inference::Dependencies;
use crate::report::why::FileDifference;
use crate::session::{self, Session};
use crate::targets::{self, Address, TargetGraph};

/// What was found so far.
#[derive(Default)]
pub(in crate::goals) struct Owners {
    /// Addresses by their text, once they were needed.
    by_text: Option<BTreeMap<String, Address>>,
}

impl Owners {
    /// The names that the words of the command line stand for: labels of steps as they are; for specs, the addresses that they
    /// select and the files of these targets.
    pub(in crate::goals) fn names(
        &mut self,
        session: &mut Session,
        history: &History,
        words: &[String],
    ) -> Result<BTreeSet<String>, Error> {
        let (labels, specs): (Vec<&String>, Vec<&String>) = words.iter().partition(|word| history.has_label(word));
        let mut names: BTreeSet<String> = labels.into_iter().cloned().collect();
        if specs.is_empty() {
            return Ok(names);
        }
        let graph = session.load_graph()?;
        let root = session.build_root().to_string_lossy().into_owned();
        let mut selected = targets::select(&graph, &specs, &session.context.cwd()?, &root)?;
        let generated: Vec<Address> =
            selected.iter().flat_map(|address| graph.generated_by(address)).cloned().collect();
        selected.extend(generated);
        for target in selected.iter().filter_map(|address| graph.get(address)) {
            names.insert(target.address.to_string());
            names.extend(target.sources.iter().map(ToString::to_string));
        }
        Ok(names)
    }

    /// Adds to a differing input file the target that it belongs to and how the step depends on it.
    pub(in crate::goals) fn add(
        &mut self,
        session: &mut Session,
        step: &Occurrence,
        file: &mut FileDifference,
    ) -> Result<(), Error> {
        let Ok(path) = RelPath::parse(&file.path) else { return Ok(()) };
        (file.owner, file.chain) = self.find(session, step, &path)?;
        Ok(())
    }

    /// The owner of a file and the chain of dependencies to it; empty without one.
    fn find(
        &mut self,
        session: &mut Session,
        step: &Occurrence,
        path: &RelPath,
    ) -> Result<(Option<String>, Vec<String>), Error> {
        let graph = session.load_graph()?;
        let owners: BTreeSet<Address> = targets::select::owners(&graph, path).into_iter().collect();
        let Some(first) = owners.first() else { return Ok((None, Vec::new())) };
        let from = self.subjects(&graph, step);
        let dependencies = session.infer_for(&from)?;
        let chain = chain(&dependencies, &from, &owners);
        let owner = chain.last().unwrap_or(first).to_string();
        Ok((Some(owner), chain.iter().map(ToString::to_string).collect()))
    }

    /// The targets that a step works on.
    fn subjects(&mut self, graph: &TargetGraph, step: &Occurrence) -> BTreeSet<Address> {
        let by_text = self.by_text.get_or_insert_with(|| {
            graph.targets().map(|target| (target.address.to_string(), target.address.clone())).collect()
        });
        let record = step.step();
        let label = record.label.strip_prefix("package ").unwrap_or(&record.label);
        let mut found = BTreeSet::new();
        for name in record.subjects.iter().map(String::as_str).chain([label]) {
            match by_text.get(name) {
                Some(address) => drop(found.insert(address.clone())),
                None => found.extend(RelPath::parse(name).iter().flat_map(|file| graph.owners(file)).cloned()),
            }
        }
        found
    }
}

/// The shortest chain of dependencies from one of the first targets to one of the second, both included. Empty if there is none.
fn chain(dependencies: &Dependencies, from: &BTreeSet<Address>, to: &BTreeSet<Address>) -> Vec<Address> {
    let mut previous: BTreeMap<Address, Option<Address>> = from.iter().map(|start| (start.clone(), None)).collect();
    let mut left: VecDeque<Address> = from.iter().cloned().collect();
    while let Some(target) = left.pop_front() {
        if to.contains(&target) {
            let mut chain = vec![target];
            while let Some(Some(before)) = previous.get(&chain[chain.len() - 1]) {
                chain.push(before.clone());
            }
            chain.reverse();
            return chain;
        }
        for next in dependencies.direct(&target) {
            if !previous.contains_key(next) {
                previous.insert(next.clone(), Some(target.clone()));
                left.push_back(next.clone());
            }
        }
    }
    Vec::new()
}

/// The text of `--input`: whether each step gets a file, and through which dependencies.
pub(in crate::goals) fn why_needed(
    session: &mut Session,
    owners: &mut Owners,
    steps: &[&Occurrence],
    file: &str,
) -> Result<String, Error> {
    let path = session.context.cwd()?.join(&RelPath::parse(file)?);
    let store = session.services.open_store()?;
    let cache = LocalActionCache::new(store.clone());
    let mut text = String::new();
    for step in steps {
        let Some(key) = step.key() else { continue };
        text += &format!("{} (goal `{}`, {})\n", step.step().label, step.goal, step.shown_run());
        let action = cache.action(&key).map_err(session::Error::from)?.and_then(|action| action.decode().ok());
        let node = match action {
            None => Err("  the fields of its key are no longer in the store\n".to_owned()),
            Some(action) => store
                .lookup(action.input_root, &path)
                .map_err(|_| "  its input tree is no longer in the store\n".to_owned()),
        };
        match node {
            Err(lost) => text += &lost,
            Ok(None) => text += &format!("  does not get `{path}`\n"),
            Ok(Some(_)) => {
                text += &format!("  gets `{path}`\n");
                match owners.find(session, step, &path)? {
                    (None, _) => text += "  it belongs to no target: a settings file, or an input of every such step\n",
                    (Some(owner), chain) if chain.is_empty() => {
                        text += &format!("  it belongs to the target `{owner}`, on which no dependency leads now\n");
                    }
                    (Some(_), chain) => text += &format!("  needed through: {}\n", chain.join(" -> ")),
                }
            }
        }
    }
    Ok(text)
}
