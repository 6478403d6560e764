//! Compares loaded targets with recordings of real Pants (`peek ::`) for public repositories: addresses, types, sources
//! and explicit dependencies. The repositories and recordings are not part of this project: `WADERS_GOLDEN` names a
//! directory with recordings `<owner>__<name>.json`, `WADERS_CHECKOUTS` one with a checkout `<name>` of each repository.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value as Json;
use waders::base::RelPath;
use waders::build_file::Value;
use waders::cli::invocation;
use waders::config::{Config, Environment};
use waders::targets::{self, Address, LoadContext, Target, TargetGraph};

#[test]
fn targets_match_real_pants() {
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
        if !checkout.is_dir() {
            println!("skipped: no checkout for {stem}");
            continue;
        }
        let peek: Vec<Json> = serde_json::from_slice(&std::fs::read(file).expect("recording")).expect("JSON");
        let started = std::time::Instant::now();
        let loaded = targets::load(&checkout, &config_of(&checkout), &LoadContext::new(&|_| None));
        let took = started.elapsed();
        let score = compare(&loaded.graph, &peek, verbose);
        println!("{stem}: {score} in {} ms, {} diagnostics", took.as_millis(), loaded.all_diagnostics().count());
        for diagnostic in loaded.all_diagnostics().filter(|_| verbose) {
            println!("    {:?} {diagnostic} ({})", diagnostic.severity, diagnostic.hint.as_deref().unwrap_or_default());
        }
        total.add(&score);
    }
    println!("total: {total}");
    assert!(total.expected == 0 || total.equal * 100 >= total.expected * 99, "less than 99 % of the targets are equal");
}

#[derive(Default)]
struct Score {
    expected: usize,
    addresses: usize,
    equal: usize,
    surplus: usize,
}

impl Score {
    fn add(&mut self, other: &Score) {
        self.expected += other.expected;
        self.addresses += other.addresses;
        self.equal += other.equal;
        self.surplus += other.surplus;
    }
}

impl std::fmt::Display for Score {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Score { expected, addresses, equal, surplus } = self;
        write!(out, "{addresses} of {expected} addresses found, {equal} targets equal, {surplus} unexpected")
    }
}

fn compare(graph: &TargetGraph, peek: &[Json], verbose: bool) -> Score {
    let ours: BTreeMap<String, &Target> = graph.targets().map(|target| (target.address.to_string(), target)).collect();
    let mut score = Score { expected: peek.len(), ..Score::default() };
    for theirs in peek {
        let address = theirs["address"].as_str().unwrap_or_default();
        let Some(target) = ours.get(address) else {
            if verbose {
                println!("    missing {address}");
            }
            continue;
        };
        score.addresses += 1;
        let differences = differences(graph, target, theirs);
        if differences.is_empty() {
            score.equal += 1;
        } else if verbose {
            println!("    {address}: {}", differences.join("; "));
        }
    }
    let expected: std::collections::BTreeSet<&str> =
        peek.iter().filter_map(|theirs| theirs["address"].as_str()).collect();
    for address in ours.keys().filter(|address| !expected.contains(address.as_str())) {
        score.surplus += 1;
        if verbose {
            println!("    unexpected {address}");
        }
    }
    score
}

fn differences(graph: &TargetGraph, target: &Target, theirs: &Json) -> Vec<String> {
    let mut differences = Vec::new();
    if theirs["target_type"] != target.kind.as_str() {
        differences.push(format!("type: expected {}, found {}", theirs["target_type"], target.kind));
    }
    let list = |json: &Json| {
        let mut list: Vec<String> =
            json.as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect();
        list.sort();
        list
    };
    if theirs.get("sources").is_some() {
        let mut sources: Vec<String> = target.sources.iter().map(|file| file.as_str().to_owned()).collect();
        sources.sort();
        if list(&theirs["sources"]) != sources {
            differences.push(format!("sources: expected {}, found {sources:?}", theirs["sources"]));
        }
    }
    if theirs.get("dependencies_raw").is_some() {
        let written = target.fields.get("dependencies").map(Value::strings).unwrap_or_default();
        let mut written: Vec<String> = written.into_iter().map(str::to_owned).collect();
        written.sort();
        if list(&theirs["dependencies_raw"]) != written {
            differences.push(format!("dependencies: expected {}, found {written:?}", theirs["dependencies_raw"]));
        }
    }
    let explicit = targets::dependencies::explicit(graph, target);
    differences.extend(explicit.errors.iter().map(ToString::to_string));
    let all: Vec<String> = list(&theirs["dependencies"]);
    let absent = explicit.include.iter().map(Address::to_string).filter(|address| !all.contains(address));
    differences.extend(absent.map(|address| format!("`{address}` is not a dependency in Pants")));
    for (field, value) in &target.fields {
        let key = if field == "source" || field == "sources" { format!("{field}_raw") } else { field.clone() };
        let (Some(theirs), Some(ours)) = (theirs.get(&key), json_of(value)) else { continue };
        let normalized = matches!(field.as_str(), "dependencies" | "requirements" | "entry_point" | "overrides")
            || field.ends_with("_mapping");
        if !normalized && theirs != &ours {
            differences.push(format!("{field}: expected {theirs}, found {ours}"));
        }
    }
    differences
}

/// A value as `peek` prints it; `None` for objects.
fn json_of(value: &Value) -> Option<Json> {
    Some(match value {
        Value::None => Json::Null,
        Value::Bool(value) => Json::from(*value),
        Value::Int(value) => Json::from(*value),
        Value::Float(value) => Json::from(*value),
        Value::Str(text) => Json::from(text.as_str()),
        Value::List(items) | Value::Tuple(items) => items.iter().map(json_of).collect::<Option<_>>()?,
        Value::Dict(pairs) => {
            let pair = |(key, value): &(Value, Value)| Some((key.as_str()?.to_owned(), json_of(value)?));
            Json::Object(pairs.iter().map(pair).collect::<Option<_>>()?)
        }
        Value::Object { .. } => return None,
    })
}

/// The configuration of a checkout, with the Pants version of the recordings.
pub fn config_of(checkout: &Path) -> Config {
    let vars = [("PANTS_VERSION".to_owned(), "2.17.1".to_owned())].into_iter().collect();
    let environment = Environment { vars, cwd: checkout.to_owned(), ..Environment::default() };
    invocation::read(&["list".to_owned()], environment).expect("settings").config
}

/// Compares the order of `list ::` with a recording.
#[test]
fn lists_have_the_order_of_real_pants() {
    let (Ok(list), Ok(checkout)) = (std::env::var("WADERS_GOLDEN_LIST"), std::env::var("WADERS_CHECKOUT")) else {
        println!("skipped: WADERS_GOLDEN_LIST and WADERS_CHECKOUT are not set");
        return;
    };
    let checkout = Path::new(&checkout);
    let graph = targets::load(checkout, &config_of(checkout), &LoadContext::new(&|_| None)).graph;
    let selected = targets::select(&graph, &["::"], &RelPath::root(), "").expect("selects");
    let ours: Vec<String> = selected.iter().map(Address::to_string).collect();
    let list = std::fs::read_to_string(list).expect("recording");
    let theirs: Vec<&str> = list.lines().collect();
    let known: std::collections::BTreeSet<&str> = theirs.iter().copied().collect();
    let common: Vec<&str> = ours.iter().map(String::as_str).filter(|address| known.contains(address)).collect();
    let ours: std::collections::BTreeSet<&str> = common.iter().copied().collect();
    let expected: Vec<&str> = theirs.iter().copied().filter(|address| ours.contains(address)).collect();
    println!("{} of {} addresses found", common.len(), theirs.len());
    for address in theirs.iter().filter(|address| !ours.contains(*address)) {
        println!("    missing {address}");
    }
    let differing = common.iter().zip(&expected).find(|(ours, theirs)| ours != theirs);
    assert_eq!(differing, None);
}

#[test]
#[ignore = "measures time and asserts nothing"]
fn loading_time() {
    let checkout = std::env::var("WADERS_CHECKOUT").expect("a checkout");
    let checkout = Path::new(&checkout);
    let config = config_of(checkout);
    for _ in 0..5 {
        let started = std::time::Instant::now();
        let loaded = targets::load(checkout, &config, &LoadContext::new(&|_| None));
        for diagnostic in loaded.all_diagnostics().filter(|_| std::env::var("WADERS_GOLDEN_VERBOSE").is_ok()) {
            println!("    {:?} {diagnostic} ({})", diagnostic.severity, diagnostic.hint.as_deref().unwrap_or_default());
        }
        println!("{} targets in {} ms", loaded.graph.targets().count(), started.elapsed().as_millis());
    }
}
