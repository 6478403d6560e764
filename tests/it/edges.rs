//! Compares dependencies with recordings of real Pants (`peek ::`) for public repositories. `golden` describes where the
//! recordings are, and compares the targets themselves.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, RwLock};
use std::time::Instant;

use rayon::prelude::*;
use serde_json::Value as Json;
use waders::base::RelPath;
use waders::inference::{
    Closures, Dependencies, Extent, Follow, Imports, InferenceInput, InferenceSettings, SourceRoots, infer,
    parse_imports,
};
use waders::targets::{self, LoadContext, TargetGraph};

use super::golden::config_of;

#[test]
fn dependencies_match_real_pants() {
    let (Ok(golden), Ok(checkouts)) = (std::env::var("WADERS_GOLDEN"), std::env::var("WADERS_CHECKOUTS")) else {
        println!("skipped: WADERS_GOLDEN and WADERS_CHECKOUTS are not set");
        return;
    };
    let verbose = std::env::var("WADERS_GOLDEN_VERBOSE").is_ok();
    let mut files: Vec<_> =
        std::fs::read_dir(golden).expect("recordings").flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut total = Score::default();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "json")) {
        let stem = file.file_stem().and_then(|stem| stem.to_str()).expect("a name");
        let checkout = Path::new(&checkouts).join(stem.split_once("__").map_or(stem, |(_, name)| name));
        if !checkout.join("pants.toml").is_file() {
            println!("skipped: no checkout for {stem}");
            continue;
        }
        let peek: Vec<Json> = serde_json::from_slice(&std::fs::read(file).expect("recording")).expect("JSON");
        let (dependencies, timings) = infer_all(&checkout);
        let (score, differences) = compare(&dependencies, &peek);
        println!("{stem}: {score}, {timings}, {} diagnostics", dependencies.diagnostics.len());
        for (_, diagnostic) in dependencies.diagnostics.iter().filter(|_| verbose) {
            println!("    {:?} {diagnostic} ({})", diagnostic.severity, diagnostic.hint.as_deref().unwrap_or_default());
        }
        for (class, cases) in differences {
            println!("    {class}: {}", cases.len());
            cases.iter().take(5).for_each(|case| println!("        {case}"));
        }
        total.add(&score);
    }
    println!("total: {total}");
    assert!(total.edges == 0 || total.equal_edges * 100 >= total.edges * 99, "less than 99 % of the edges are equal");
}

/// The dependencies of all targets of a checkout, and how long each phase took.
fn infer_all(checkout: &Path) -> (Dependencies, String) {
    let config = config_of(checkout);
    let start = Instant::now();
    let graph = targets::load(checkout, &config, &LoadContext::new(&|_| None)).graph;
    let loaded = start.elapsed();
    // Inference for shell scripts was disabled when the recordings were made.
    let mut settings = InferenceSettings::from_config(&config).expect("settings");
    settings.shell = false;
    let cache: RwLock<HashMap<RelPath, Arc<Imports>>> = RwLock::default();
    let read = |path: &RelPath| {
        if let Some(imports) = cache.read().expect("no panic").get(path) {
            return Some(imports.clone());
        }
        let content = std::fs::read(path.to_path(checkout)).ok()?;
        let imports = Arc::new(parse_imports(&content, settings.needs_strings()));
        cache.write().expect("no panic").insert(path.clone(), imports.clone());
        Some(imports)
    };
    let read_all = |paths: &[RelPath]| {
        let read = paths.par_iter().filter_map(|path| Some((path.clone(), read(path)?)));
        Ok::<_, Infallible>(read.collect())
    };
    let roots = roots(&config, &graph);
    let start = Instant::now();
    let texts = |path: &RelPath| std::fs::read_to_string(path.to_path(checkout)).ok();
    let input = InferenceInput { graph: &graph, roots: &roots, settings: &settings, imports: &read_all, texts: &texts };
    let Ok(_) = infer(&input, Extent::Everything);
    let inferred = start.elapsed();
    let start = Instant::now();
    let Ok(dependencies) = infer(&input, Extent::Everything);
    let inferred_again = start.elapsed();
    let start = Instant::now();
    let closures = Closures::new(&graph, &dependencies, &settings, &roots);
    let tests: Vec<_> = graph.targets().filter(|target| target.kind == "python_test").collect();
    let files: usize = tests.iter().map(|test| closures.compute([&test.address], Follow::All).files.len()).sum();
    let timings = format!(
        "loaded in {} ms, inferred in {} ms, again with cached imports in {} ms, {} closures ({files} files) in {} ms",
        loaded.as_millis(),
        inferred.as_millis(),
        inferred_again.as_millis(),
        tests.len(),
        start.elapsed().as_millis()
    );
    (dependencies, timings)
}

fn roots(config: &waders::config::Config, graph: &TargetGraph) -> SourceRoots {
    let default = ["/", "src", "src/python", "src/py", "src/thrift", "src/protobuf", "src/protos"];
    let patterns = match config.value("source", "root_patterns") {
        Json::Null => default.to_vec(),
        _ => config.list("source", "root_patterns"),
    };
    let markers = config.list("source", "marker_filenames");
    SourceRoots::new(&patterns, &markers, graph.files().iter()).expect("patterns")
}

#[derive(Default)]
struct Score {
    edges: usize,
    equal_edges: usize,
    targets: usize,
    equal_targets: usize,
}

impl Score {
    fn add(&mut self, other: &Score) {
        self.edges += other.edges;
        self.equal_edges += other.equal_edges;
        self.targets += other.targets;
        self.equal_targets += other.equal_targets;
    }
}

impl std::fmt::Display for Score {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Score { edges, equal_edges, targets, equal_targets } = self;
        write!(out, "{equal_edges} of {edges} edges equal, {equal_targets} of {targets} targets equal")
    }
}

type Differences = BTreeMap<String, Vec<String>>;

/// Counts the edges of either side and the targets of both, and lists the differences by kind.
fn compare(dependencies: &Dependencies, peek: &[Json]) -> (Score, Differences) {
    let known: BTreeMap<String, &targets::Address> =
        dependencies.addresses().iter().map(|address| (address.to_string(), address)).collect();
    let mut score = Score::default();
    let mut differences = Differences::new();
    for theirs in peek {
        let name = theirs["address"].as_str().unwrap_or_default();
        let kind = theirs["target_type"].as_str().unwrap_or_default();
        let Some(address) = known.get(name) else {
            differences.entry(format!("missing targets of type {kind}")).or_default().push(name.to_owned());
            continue;
        };
        let expected: BTreeSet<String> = theirs["dependencies"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
            .map(str::to_owned)
            .collect();
        let found: BTreeSet<String> = dependencies.direct(address).into_iter().map(ToString::to_string).collect();
        score.targets += 1;
        score.equal_targets += usize::from(expected == found);
        score.edges += expected.union(&found).count();
        score.equal_edges += expected.intersection(&found).count();
        for missing in expected.difference(&found) {
            differences
                .entry(format!("missing dependencies of {kind}"))
                .or_default()
                .push(format!("{name} -> {missing}"));
        }
        for unexpected in found.difference(&expected) {
            differences
                .entry(format!("unexpected dependencies of {kind}"))
                .or_default()
                .push(format!("{name} -> {unexpected}"));
        }
    }
    (score, differences)
}

/// Compares with recorded output of `dependencies` and `dependents`. `<repository>/INDEX.tsv` contains a line with the
/// name and the command of each recording `<name>.out`.
#[test]
fn recorded_answers_match_real_pants() {
    let (Ok(transcripts), Ok(checkouts)) = (std::env::var("WADERS_TRANSCRIPTS"), std::env::var("WADERS_CHECKOUTS"))
    else {
        println!("skipped: WADERS_TRANSCRIPTS and WADERS_CHECKOUTS are not set");
        return;
    };
    let (mut equal, mut all) = (0, 0);
    for repository in std::fs::read_dir(transcripts).expect("transcripts").flatten() {
        let (dependencies, _) = infer_all(&Path::new(&checkouts).join(repository.file_name()));
        let index = std::fs::read_to_string(repository.path().join("INDEX.tsv")).expect("an index");
        for (name, command) in index.lines().filter_map(|line| line.split_once('\t')) {
            let Ok(recorded) = std::fs::read_to_string(repository.path().join(format!("{name}.out"))) else { continue };
            let Some(found) = answer(&dependencies, command) else { continue };
            let recorded: BTreeSet<&str> = recorded.lines().collect();
            let found: BTreeSet<&str> = found.iter().map(String::as_str).collect();
            all += 1;
            equal += usize::from(found == recorded);
            if found != recorded {
                let unexpected: Vec<_> = found.difference(&recorded).take(3).collect();
                let missing: Vec<_> = recorded.difference(&found).take(3).collect();
                let (count, expected) = (found.len(), recorded.len());
                println!(
                    "{command}: {count} lines, expected {expected}; unexpected {unexpected:?}, missing {missing:?}"
                );
            }
        }
    }
    println!("{equal} of {all} answers equal");
}

/// The output of a command; `None` if the command is not supported here.
fn answer(dependencies: &Dependencies, command: &str) -> Option<Vec<String>> {
    let words: Vec<&str> = command.split(' ').collect();
    let ["pants", goal, options @ .., spec] = &words[..] else { return None };
    let transitive = match options {
        [] => false,
        ["--transitive"] => true,
        _ => return None,
    };
    let roots: Vec<&targets::Address> =
        dependencies.addresses().iter().filter(|address| *spec == "::" || address.to_string() == *spec).collect();
    if roots.is_empty() {
        return None;
    }
    let found: BTreeSet<targets::Address> = match (*goal, transitive) {
        ("dependencies", true) => dependencies.transitive(roots),
        ("dependencies", false) => roots.into_iter().flat_map(|root| dependencies.direct(root)).cloned().collect(),
        ("dependents", true) => dependencies.transitive_dependents(roots).into_iter().cloned().collect(),
        ("dependents", false) => dependencies.dependents_of_all(roots).into_iter().cloned().collect(),
        _ => return None,
    };
    Some(found.iter().map(ToString::to_string).collect())
}
