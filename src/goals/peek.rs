//! `peek`: the selected targets with all their fields, as JSON.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rayon::prelude::*;
use serde_json::{Map, Value as Json, json};

use crate::base::RelPath;
use crate::goals::output;
use crate::inference::Dependencies;
use crate::report;
use crate::session::{Error, Session, Verdict};
use crate::store::{Hashed, fingerprint};
use crate::targets::kind::{Kind, Sources};
use crate::targets::visibility::Side;
use crate::targets::{Address, Enabled, Target, TargetGraph, field_values};

const GOAL: &str = "peek";

pub fn run(session: &mut Session) -> Result<Verdict, Error> {
    let selected = session.select()?;
    let (graph, dependencies) = (session.load_graph()?, session.infer_all()?);
    session.report_inference(&dependencies, &selected.iter().cloned().collect())?;
    let targets: Vec<&Target> = selected.iter().filter_map(|address| graph.get(address)).collect();
    let peek = Peek {
        files: hashed(session.build_root(), &targets),
        graph: &graph,
        dependencies: &dependencies,
        enabled: Enabled::of(session.config()),
        all: !session.config().flag(GOAL, "exclude_defaults"),
        additional_info: session.config().flag(GOAL, "include_additional_info"),
        dep_rules: session.config().flag(GOAL, "include_dep_rules"),
    };
    let targets: Vec<Json> = targets.par_iter().map(|target| peek.target(target)).collect();
    output::text(session, GOAL, &(report::pretty(&targets, 2) + "\n"))?;
    Ok(Verdict::Good)
}

struct Peek<'a> {
    files: HashMap<&'a RelPath, Hashed>,
    graph: &'a TargetGraph,
    dependencies: &'a Dependencies,
    enabled: Enabled<'a>,
    all: bool,
    additional_info: bool,
    dep_rules: bool,
}

impl Peek<'_> {
    fn target(&self, target: &Target) -> Json {
        let mut fields = field_values(target, &self.enabled, self.all);
        let dependencies = self.dependencies.in_pants_order(self.graph, &target.address);
        if self.dep_rules {
            fields.extend(self.rules(target, &dependencies));
        }
        fields.insert("dependencies".to_owned(), dependencies.into_iter().map(Address::to_string).collect());
        if has_sources(target) {
            let files = self.files(target);
            fields.insert("sources_fingerprint".to_owned(), json!(fingerprint(&files)));
            fields.insert("sources".to_owned(), files.keys().map(RelPath::as_str).collect());
        }
        if self.additional_info {
            // What plugins of Pants would add.
            fields.insert("additional_info".to_owned(), json!({}));
        }
        let head = [("address", json!(target.address.to_string())), ("target_type", json!(target.kind))];
        let head = head.into_iter().map(|(name, value)| (name.to_owned(), value));
        Json::Object(head.chain(fields).collect::<Map<_, _>>())
    }

    /// The visibility rules about a target, and what they make of its dependencies.
    fn rules(&self, target: &Target, dependencies: &[&Address]) -> [(String, Json); 3] {
        let visibility = self.graph.visibility();
        let from = visibility.end(self.graph, target);
        let application = |to: &&Address| {
            let end = visibility.end(self.graph, self.graph.get(to)?);
            let application = from.application(&end);
            Some(json!({
                "action": application.action,
                "rule_description": application.description,
                "origin_address": target.address.to_string(),
                "origin_type": application.from_kind,
                "dependency_address": to.to_string(),
                "dependency_type": application.to_kind,
            }))
        };
        let applications =
            visibility.is_in_use().then(|| dependencies.iter().filter_map(application).collect::<Vec<_>>());
        [
            ("_applicable_dep_rules".to_owned(), json!(applications)),
            ("_dependencies_rules".to_owned(), json!(from.rules(Side::Dependencies))),
            ("_dependents_rules".to_owned(), json!(from.rules(Side::Dependents))),
        ]
    }

    /// The sources with what is needed to name their tree; one that cannot be read is left out.
    fn files(&self, target: &Target) -> BTreeMap<RelPath, Hashed> {
        let known = target.sources.iter().filter_map(|file| Some((file.clone(), self.files.get(file)?.clone())));
        known.collect()
    }
}

/// Each source once: a generator and what it generates have the same ones.
fn hashed<'a>(root: &Path, targets: &[&'a Target]) -> HashMap<&'a RelPath, Hashed> {
    let files: BTreeSet<&RelPath> = targets.iter().flat_map(|target| &target.sources).collect();
    let read = |file: &'a RelPath| {
        let path = file.to_path(root);
        let executable = std::fs::metadata(&path).ok()?.permissions().mode() & 0o100 != 0;
        Some((file, Hashed::of(&std::fs::read(&path).ok()?, executable)))
    };
    files.into_par_iter().filter_map(read).collect()
}

fn has_sources(target: &Target) -> bool {
    Kind::of(&target.kind).is_some_and(|kind| {
        // Some types make their sources themselves.
        kind.sources != Sources::None
            || kind.fields().any(|field| matches!(field.name, "_sources" | "_dummy_source" | "jar"))
    })
}
