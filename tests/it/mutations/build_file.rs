//! The property of BUILD files: any text is evaluated to targets with dependencies, or rejected with a location. Used by
//! the mutation tests and by the fuzzer.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::Path;

use waders::base::RelPath;
use waders::config::Config;
use waders::inference::{Extent, InferenceInput, InferenceSettings, SourceRoots, infer};
use waders::targets::{self, Diagnostic, LoadContext};

const DIR: &str = "src/app";
const FILES: [&str; 8] =
    ["a.py", "b.py", "a_test.py", "conftest.py", "sub/c.pyi", "a.txt", "requirements.txt", "pyproject.toml"];

pub fn check(text: &[u8]) {
    thread_local!(static REPOSITORY: tempfile::TempDir = repository());
    REPOSITORY.with(|repository| check_in(repository.path(), text));
}

/// A small repository in which only the BUILD file is missing.
fn repository() -> tempfile::TempDir {
    let repository = tempfile::tempdir().unwrap();
    let dir = repository.path().join(DIR);
    std::fs::create_dir_all(dir.join("sub")).unwrap();
    for file in FILES {
        let text = if file == "requirements.txt" { "requests[x]>=2 ; sys_platform == 'linux'\nPyYAML\n" } else { "" };
        std::fs::write(dir.join(file), text).unwrap();
    }
    repository
}

fn check_in(root: &Path, text: &[u8]) {
    std::fs::write(root.join(DIR).join("BUILD"), text).unwrap();
    let config = Config::of([]);
    let loaded = targets::load(root, &config, &LoadContext::new(&|_| None));
    let mut diagnostics: Vec<Diagnostic> = loaded.all_diagnostics().cloned().collect();
    let graph = loaded.graph;
    let settings = InferenceSettings::from_config(&config).unwrap();
    let roots = SourceRoots::new(&["src"], &[], graph.files().iter()).unwrap();
    let imports = |_: &[RelPath]| Ok::<_, Infallible>(HashMap::new());
    let input =
        InferenceInput { graph: &graph, roots: &roots, settings: &settings, imports: &imports, texts: &|_| None };
    let Ok(dependencies) = infer(&input, Extent::Everything);
    diagnostics.extend(dependencies.diagnostics.into_iter().map(|(_, diagnostic)| diagnostic));
    let build_file = RelPath::root().join(&RelPath::parse(DIR).unwrap()).push("BUILD").unwrap();
    let lines = text.split(|byte| *byte == b'\n').count();
    for diagnostic in &diagnostics {
        // The error may be in a file that the BUILD file names, such as a requirements file.
        let line_bound = if diagnostic.file == build_file { lines } else { usize::MAX };
        let has_location = (1..=line_bound).contains(&diagnostic.place.line) && diagnostic.place.column > 0;
        assert!(has_location && !diagnostic.file.is_root(), "{diagnostic}: no location in a file of {lines} lines");
    }
}
