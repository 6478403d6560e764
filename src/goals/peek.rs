//! `peek`: the selected targets with all their fields, as JSON.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rayon::prelude::*;
use serde_json::{Map, Value as Json, json};

use crate::base::RelPath;
use crate::config::typed::PeekSettings;
use crate::goals::Error;
use crate::goals::output;
use crate::inference::Dependencies;
use crate::report;
use crate::session::{Session, Verdict};
use crate::store::{HashedFile, fingerprint};
use crate::targets::kind::{Kind, Sources};
use crate::targets::visibility::Side;
use crate::targets::{Address, EnabledBackends, Target, TargetGraph, field_values};
use crate::tracked::Tracker;

const GOAL: &str = "peek";

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    let selected = session.select()?;
    let (graph, dependencies) = (session.load_graph()?, session.infer_all()?);
    session.report_inference(&dependencies, &selected.iter().cloned().collect())?;
    let targets: Vec<&Target> = selected.iter().filter_map(|address| graph.get(address)).collect();
    let peek = Peek {
        files: hashed(&session.context.tracker, session.build_root(), &targets),
        graph: &graph,
        dependencies: &dependencies,
        enabled: EnabledBackends::from_config(session.config()),
        settings: PeekSettings::parse(session.config()),
    };
    let targets: Vec<Json> = targets.par_iter().map(|target| peek.target(target)).collect();
    output::text(session, GOAL, &(report::pretty(&targets, 2) + "\n"))?;
    Ok(Verdict::Good)
}

struct Peek<'a> {
    files: HashMap<&'a RelPath, HashedFile>,
    graph: &'a TargetGraph,
    dependencies: &'a Dependencies,
    enabled: EnabledBackends,
    settings: PeekSettings,
}

impl Peek<'_> {
    fn target(&self, target: &Target) -> Json {
        let mut fields = field_values(target, &self.enabled, !self.settings.exclude_defaults);
        let dependencies = self.dependencies.in_pants_order(self.graph, &target.address);
        if self.settings.include_dep_rules {
            fields.extend(self.rules(target, &dependencies));
        }
        fields.insert("dependencies".to_owned(), dependencies.into_iter().map(Address::to_string).collect());
        if has_sources(target) {
            let files = self.files(target);
            fields.insert("sources_fingerprint".to_owned(), json!(fingerprint(&files)));
            fields.insert("sources".to_owned(), files.keys().map(RelPath::as_str).collect());
        }
        if self.settings.include_additional_info {
            // Plugins of Pants would add information here.
            fields.insert("additional_info".to_owned(), json!({}));
        }
        let head = [("address", json!(target.address.to_string())), ("target_type", json!(target.kind))];
        let head = head.into_iter().map(|(name, value)| (name.to_owned(), value));
        Json::Object(head.chain(fields).collect::<Map<_, _>>())
    }

    /// The visibility rules for a target, and how they apply to its dependencies.
    fn rules(&self, target: &Target, dependencies: &[&Address]) -> [(String, Json); 3] {
        let visibility = self.graph.visibility();
        let from = visibility.end(self.graph, target);
        let application = |to: &&Address| {
            let end = visibility.end(self.graph, self.graph.get(to)?);
            let application = from.apply_rules(&end);
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
            visibility.is_enabled().then(|| dependencies.iter().filter_map(application).collect::<Vec<_>>());
        [
            ("_applicable_dep_rules".to_owned(), json!(applications)),
            ("_dependencies_rules".to_owned(), json!(from.rules(Side::Dependencies))),
            ("_dependents_rules".to_owned(), json!(from.rules(Side::Dependents))),
        ]
    }

    /// The sources with their hashes; a source that cannot be read is left out.
    fn files(&self, target: &Target) -> BTreeMap<RelPath, HashedFile> {
        let known = target.sources.iter().filter_map(|file| Some((file.clone(), self.files.get(file)?.clone())));
        known.collect()
    }
}

/// Hashes each source once: a generator has the same sources as the targets that it generates.
fn hashed<'a>(tracker: &Tracker, root: &Path, targets: &[&'a Target]) -> HashMap<&'a RelPath, HashedFile> {
    let files: BTreeSet<&RelPath> = targets.iter().flat_map(|target| &target.sources).collect();
    let read = |file: &'a RelPath| {
        let path = file.to_path(root);
        let executable = tracker.metadata(&path).ok()?.permissions().mode() & 0o100 != 0;
        Some((file, HashedFile::from_content(&tracker.read(&path).ok()?, executable)))
    };
    files.into_par_iter().filter_map(read).collect()
}

fn has_sources(target: &Target) -> bool {
    Kind::find(&target.kind).is_some_and(|kind| {
        // Some target types generate their sources.
        kind.sources != Sources::None
            || kind.fields().any(|field| matches!(field.name, "_sources" | "_dummy_source" | "jar"))
    })
}
