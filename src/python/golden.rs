//! Inference beside what real Pants printed. Takes `peek` outputs and checkouts from outside the repository; without
//! them it is skipped. Targets come from the `peek` output itself, so that only inference is compared.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value as Json;

use super::*;
use crate::base::RelPath;
use crate::build_file::Value;
use crate::config::Config;
use crate::target::{Address, Target, TargetGraph};

#[test]
fn edges_equal_those_of_pants() {
    let place = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let (Some(peeks), Some(checkouts)) = (place("WADERS_PEEKS"), place("WADERS_CHECKOUTS")) else {
        println!("skipped: `WADERS_PEEKS` and `WADERS_CHECKOUTS` name no folders");
        return;
    };
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&peeks).expect("peeks").map(|file| file.expect("file").path()).collect();
    files.sort();
    let (mut equal, mut all, mut targets_equal, mut targets_all) = (0, 0, 0, 0);
    for file in files {
        let name = file.file_name().and_then(|name| name.to_str()).expect("name").to_owned();
        let repository = name.trim_end_matches(".peek.json").rsplit("__").next().expect("one").to_owned();
        let root = checkouts.join(&repository);
        if !root.is_dir() {
            println!("skipped: no checkout of {repository}");
            continue;
        }
        let peek: Vec<Json> = serde_json::from_slice(&std::fs::read(&file).expect("read")).expect("json");
        let score = compare(&repository, &root, &peek);
        equal += score.0;
        all += score.1;
        targets_equal += score.2;
        targets_all += score.3;
    }
    println!("edges {equal} of {all}, targets {targets_equal} of {targets_all}");
}

fn compare(repository: &str, root: &Path, peek: &[Json]) -> (usize, usize, usize, usize) {
    let addresses: HashMap<String, Address> =
        peek.iter().map(|target| (text(target, "address").to_owned(), address(target))).collect();
    let shown: HashMap<&Address, &str> = addresses.iter().map(|(shown, address)| (address, shown.as_str())).collect();
    let mut graph = TargetGraph::default();
    for json in peek {
        graph.insert(target(json));
    }
    let settings_file = std::fs::read_to_string(root.join("pants.toml")).unwrap_or_default();
    let (config, patterns, markers) = config(&settings_file);
    let mut settings = Settings::of(&config).expect("settings");
    settings.unowned = settings::Unowned::Warn;
    let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
    let markers: Vec<&str> = markers.iter().map(String::as_str).collect();
    let sources: Vec<RelPath> = graph.targets().flat_map(|target| target.sources.clone()).collect();
    let mut all_files = sources.clone();
    all_files.extend(markers_of(root, &markers));
    let roots = SourceRoots::new(&patterns, &markers, &all_files).expect("patterns");
    let explicit = |target: &Target| explicit(target, &addresses);
    let read = |path: &RelPath| {
        let content = std::fs::read(path.to_path(root)).ok()?;
        Some(Arc::new(imports(&content, settings.wants_strings())))
    };
    let start = Instant::now();
    let kept: HashMap<RelPath, Arc<Imports>> = {
        use rayon::prelude::*;
        let python = sources.iter().filter(|path| matches!(path.extension(), Some("py" | "pyi")));
        let python: BTreeSet<&RelPath> = python.collect();
        python.into_par_iter().filter_map(|path| Some((path.clone(), read(path)?))).collect()
    };
    let read_time = start.elapsed();
    let from_index = |path: &RelPath| kept.get(path).cloned().or_else(|| read(path));
    let exists = |path: &RelPath| path.to_path(root).exists();
    let start = Instant::now();
    let input = Input {
        graph: &graph,
        roots: &roots,
        settings: &settings,
        imports: &from_index,
        explicit: &explicit,
        exists: &exists,
    };
    let dependencies = infer(&input);
    let infer_time = start.elapsed();
    let (mut equal, mut all, mut targets_equal) = (0, 0, 0);
    let mut differences: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for json in peek {
        let name = text(json, "address");
        let expected: BTreeSet<&str> = strings(json, "dependencies").into_iter().collect();
        let ours: BTreeSet<&str> =
            dependencies.direct(&addresses[name]).into_iter().map(|address| shown[address]).collect();
        equal += expected.intersection(&ours).count();
        all += expected.union(&ours).count();
        targets_equal += usize::from(expected == ours);
        let kind = text(json, "target_type");
        for missing in expected.difference(&ours) {
            differences.entry(format!("{kind} misses")).or_default().push(format!("{name} -> {missing}"));
        }
        for extra in ours.difference(&expected) {
            differences.entry(format!("{kind} has more")).or_default().push(format!("{name} -> {extra}"));
        }
    }
    println!(
        "{repository}: edges {equal} of {all}, targets {targets_equal} of {}, read {read_time:?}, infer {infer_time:?}, {} diagnostics",
        peek.len(),
        dependencies.diagnostics.len()
    );
    for (class, cases) in &differences {
        println!("   {class}: {}", cases.len());
        cases.iter().take(6).for_each(|case| println!("      {case}"));
    }
    let errors = dependencies.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    errors.take(4).for_each(|error| println!("   error: {}", error.message));
    (equal, all, targets_equal, peek.len())
}

fn text<'a>(json: &'a Json, field: &str) -> &'a str {
    json[field].as_str().unwrap_or_default()
}

fn strings<'a>(json: &'a Json, field: &str) -> Vec<&'a str> {
    json[field].as_array().into_iter().flatten().filter_map(Json::as_str).collect()
}

fn path(text: &str) -> RelPath {
    RelPath::parse(text).expect("clean")
}

/// As shown: `dir:name`, `dir/file.py:name`, `dir/sub/file.py:../name`, `dir/file.py`, `dir:name#generated`, `@k=v`.
fn address(json: &Json) -> Address {
    let shown = text(json, "address").trim_start_matches("//");
    let file = strings(json, "sources").into_iter().find(|source| shown.starts_with(source)).unwrap_or_default();
    let at = shown[file.len()..].find('@').map_or(shown.len(), |at| file.len() + at);
    let (shown, parameters) = (&shown[..at], shown[at..].trim_start_matches('@'));
    let parameters = parameters.split(',').filter_map(|pair| pair.split_once('='));
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let (shown, generated) = shown.split_once('#').map_or((shown, None), |(shown, key)| (shown, Some(key.to_owned())));
    let (place, name) = shown.split_once(':').unwrap_or((shown, ""));
    let place = path(place);
    if !strings(json, "sources").contains(&place.as_str()) {
        let name = if name.is_empty() { place.file_name().unwrap_or_default() } else { name };
        let name = name.to_owned();
        return Address { dir: place, file: None, name, generated, parameters };
    }
    let mut dir = place.parent().expect("a file");
    for _ in 0..name.matches("../").count() {
        dir = dir.parent().expect("not above the root");
    }
    let name = name.trim_start_matches("../");
    let name = if name.is_empty() { dir.file_name().unwrap_or_default() } else { name };
    let file = place.strip_prefix(&dir);
    Address { name: name.to_owned(), dir, file, generated, parameters }
}

fn target(json: &Json) -> Target {
    let address = address(json);
    let is_generated = address.file.is_some() || address.generated.is_some();
    let generator = is_generated.then(|| Address { file: None, generated: None, ..address.clone() });
    let fields =
        json.as_object().expect("object").iter().filter(|(name, value)| !value.is_null() && *name != "dependencies");
    let mut fields: BTreeMap<String, Value> = fields.map(|(name, json)| (name.clone(), value(json))).collect();
    if let Some(module) = json["entry_point"]["module"].as_str() {
        fields.insert("entry_point".to_owned(), Value::Str(module.to_owned()));
    }
    if let Json::Object(provides) = &json["provides"] {
        let arguments = provides.get("kwargs").and_then(Json::as_object).unwrap_or(provides);
        let named = arguments.iter().map(|(name, json)| (name.clone(), value(json))).collect();
        let provides = Value::Object { kind: "python_artifact".to_owned(), positional: Vec::new(), named };
        fields.insert("provides".to_owned(), provides);
    }
    let mut sources: Vec<RelPath> = strings(json, "sources").into_iter().map(path).collect();
    sources.sort();
    Target {
        build_file: address.dir.push("BUILD").expect("clean"),
        kind: text(json, "target_type").to_owned(),
        place: crate::base::text::Place::default(),
        address,
        fields,
        sources,
        generator,
    }
}

fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::None,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => number.as_i64().map_or(Value::None, Value::Int),
        Json::String(text) => Value::Str(text.clone()),
        Json::Array(items) => Value::List(items.iter().map(value).collect()),
        Json::Object(entries) => {
            Value::Dict(entries.iter().map(|(key, json)| (Value::Str(key.clone()), value(json))).collect())
        }
    }
}

fn explicit(target: &Target, addresses: &HashMap<String, Address>) -> Explicit {
    let mut explicit = Explicit::default();
    let find = |written: &str| {
        let (place, rest) = match written.find([':', '#', '@']) {
            Some(at) => written.split_at(at),
            None => (written, ""),
        };
        let place = match place.strip_prefix("./") {
            _ if place.is_empty() && !rest.is_empty() => target.address.dir.clone(),
            Some(file) => target.address.dir.resolve(file).expect("inside"),
            None => path(place.trim_start_matches('/')),
        };
        let base = if place.is_root() { "//" } else { place.as_str() };
        let default = place.file_name().unwrap_or_default();
        let tries = [format!("{base}{rest}"), format!("//{base}{rest}"), format!("{base}:{default}{rest}")];
        tries.iter().find_map(|shown| addresses.get(shown)).cloned().or_else(|| {
            // Parametrized: no target is shown by this name.
            let name = rest.strip_prefix(':')?.to_owned();
            Some(Address { dir: place, file: None, name, generated: None, parameters: BTreeMap::new() })
        })
    };
    let fields = ["dependencies_raw", "output_dependencies"].into_iter().filter_map(|field| target.fields.get(field));
    for written in fields.flat_map(Value::strings) {
        let bare = written.trim_start_matches('!');
        let Some(address) = find(bare) else {
            println!("   unknown {written} in {:?}", target.address);
            continue;
        };
        match written.len() - bare.len() {
            0 => explicit.includes.push(address),
            1 => explicit.excludes.push(address),
            _ => {
                explicit.excludes.push(address.clone());
                explicit.transitive_excludes.push(address);
            }
        }
    }
    for field in infer::SPECIAL_FIELDS {
        let written = target.fields.get(field).map(Value::strings).unwrap_or_default();
        explicit.special.extend(written.into_iter().filter_map(find));
    }
    let entry_points = entry_point::of_distribution(target);
    explicit.includes.extend(
        entry_points.iter().filter(|written| entry_point::is_address(written)).filter_map(|written| find(written)),
    );
    explicit
}

/// The options, the root patterns and the marker files of a `pants.toml`.
fn config(text: &str) -> (Config, Vec<String>, Vec<String>) {
    let table: toml::Table = toml::from_str(text).unwrap_or_default();
    let option = |scope: &str, name: &str| table.get(scope).and_then(|scope| scope.get(name)).cloned();
    let json = |value: toml::Value| serde_json::to_value(value).expect("toml is json");
    let known = [
        ("python", "enable_resolves"),
        ("python", "default_resolve"),
        ("python-infer", "imports"),
        ("python-infer", "string_imports"),
        ("python-infer", "string_imports_min_dots"),
        ("python-infer", "assets"),
        ("python-infer", "assets_min_slashes"),
        ("python-infer", "init_files"),
        ("python-infer", "conftests"),
        ("python-infer", "entry_points"),
        ("python-infer", "ambiguity_resolution"),
    ];
    let set = known.into_iter().filter_map(|(scope, name)| Some((scope, name, json(option(scope, name)?))));
    let list = |name: &str| -> Option<Vec<String>> {
        let items = option("source", name)?.as_array()?.clone();
        Some(items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect())
    };
    let default = ["/", "src", "src/python", "src/py", "src/thrift", "src/protobuf"].map(str::to_owned).to_vec();
    (Config::of(set), list("root_patterns").unwrap_or(default), list("marker_filenames").unwrap_or_default())
}

fn markers_of(root: &Path, markers: &[&str]) -> Vec<RelPath> {
    if markers.is_empty() {
        return Vec::new();
    }
    let files = ignore::WalkBuilder::new(root).build().filter_map(Result::ok);
    let files = files.filter(|file| file.file_name().to_str().is_some_and(|name| markers.contains(&name)));
    files.map(|file| path(file.path().strip_prefix(root).expect("below").to_str().expect("utf-8"))).collect()
}
