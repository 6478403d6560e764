//! Targets of files without an owner, in memory: those that `tailor` would add. They are the text of BUILD files that do not exist, so that
//! they are loaded like any others. The settings of a repository without `pants.toml` are in `config::implied`.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::RelPath;
use crate::base::glob::Globs;
use crate::config::implied::TargetRules;
use crate::packaging::project_version::{VersionFromTags, VersionSource};
use crate::session::{Context, Error};
use crate::targets::TargetGraph;
use crate::targets::kind;
use crate::targets::missing::{self, FieldValue, MissingTarget, SearchInput, append_targets};

/// The target types whose files differ by their names.
const PYTHON: [&str; 3] = ["python_sources", kind::PYTHON_TESTS, "python_test_utils"];

/// The name of the BUILD files, which `[GLOBAL] build_patterns` need not match.
const NAME: &str = "BUILD.implied";

/// The texts of the BUILD files that the repository would need, by path. `graph` has the targets of those that exist.
pub(super) fn texts(context: &Context, graph: &TargetGraph) -> Result<BTreeMap<RelPath, String>, Error> {
    let texts = by_directory(context, graph)?.into_iter();
    texts.map(|(dir, text)| Ok((dir.push(NAME)?, text))).collect()
}

/// A target for each file that a build backend would write with the version from git. Only the nearest tag decides about it, since results
/// that depended on every commit would hardly be found again.
fn version_files(context: &Context, graph: &TargetGraph) -> Vec<MissingTarget> {
    let globs = Globs::compile(["**/pyproject.toml"]).expect("a constant");
    let target = |pyproject: RelPath| {
        let text = context.tracker.read_to_string(&pyproject.to_path(&context.build_root)).ok()?;
        let VersionSource::Tags(VersionFromTags { file: Some(file), template }) =
            VersionSource::read(&text.parse().ok()?)
        else {
            return None;
        };
        let dir = pyproject.parent()?;
        let file = dir.resolve(&file).ok().filter(|file| !graph.files().contains(file))?;
        let texts = [
            ("generate_to", file.to_string()),
            ("template", template),
            ("version_scheme", "only-version".to_owned()),
            ("local_scheme", "no-local-version".to_owned()),
        ];
        Some(MissingTarget {
            dir,
            name: "version".to_owned(),
            kind: kind::VCS_VERSION.to_owned(),
            files: Vec::new(),
            globs: Vec::new(),
            fields: texts.map(|(field, text)| (field, FieldValue::Text(text))).to_vec(),
            comments: Vec::new(),
        })
    };
    graph.files().matching(&RelPath::root(), &globs).into_iter().filter_map(target).collect()
}

/// The same texts, by directory.
pub fn by_directory(context: &Context, graph: &TargetGraph) -> Result<BTreeMap<RelPath, String>, Error> {
    let dirs: BTreeSet<RelPath> = graph.files().iter().filter_map(RelPath::parent).collect();
    let (root, tracker) = (context.build_root.clone(), context.tracker.clone());
    let read = |file: &RelPath| tracker.read(&file.to_path(&root)).ok();
    let input = SearchInput { graph, config: &context.config, dirs: &dirs, read: &read };
    let mut found = missing::find_missing(&input)?.missing;
    let rules = TargetRules::read(&root);
    found.retain(|missing| {
        missing.kind != "python_requirements" || missing.files.iter().all(|file| rules.counts_requirements(file))
    });
    for missing in &mut found {
        // Names that pytest does not look for by default, and the other way round.
        let globs = Globs::compile(missing.globs.iter().map(String::as_str))?;
        if PYTHON.contains(&missing.kind.as_str()) && !missing.files.iter().all(|file| globs.matches(file)) {
            missing.fields.push(("sources", FieldValue::Texts(missing.files.clone())));
        }
        if missing.kind == kind::PYTHON_TESTS && !rules.runs_tests(missing.dir.as_str(), &missing.files) {
            missing.fields.push(("skip_tests", FieldValue::Flag(true)));
        }
    }
    found.extend(version_files(context, graph));
    let found = missing::resolve_conflicts(found, graph, &context.config)?;
    let mut by_dir: BTreeMap<&RelPath, Vec<&MissingTarget>> = BTreeMap::new();
    for missing in &found {
        by_dir.entry(&missing.dir).or_default().push(missing);
    }
    Ok(by_dir.into_iter().map(|(dir, missing)| (dir.clone(), append_targets("", "    ", missing))).collect())
}
