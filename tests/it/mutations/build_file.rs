//! A BUILD file, whatever it holds: it is parsed, evaluated and makes targets with dependencies, or it is refused with a
//! place. Used by the test of mutations and by the fuzzer.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::Path;

use waders::base::RelPath;
use waders::config::Config;
use waders::inference::{Extent, Input, Settings, SourceRoots, infer};
use waders::targets::{self, Diagnostic, LoadContext};

const DIR: &str = "src/app";
const FILES: [&str; 8] =
    ["a.py", "b.py", "a_test.py", "conftest.py", "sub/c.pyi", "a.txt", "requirements.txt", "pyproject.toml"];

pub fn check(text: &[u8]) {
    thread_local!(static GROUND: tempfile::TempDir = ground());
    GROUND.with(|ground| check_in(ground.path(), text));
}

/// A small repository that lacks the BUILD file only.
fn ground() -> tempfile::TempDir {
    let ground = tempfile::tempdir().unwrap();
    let dir = ground.path().join(DIR);
    std::fs::create_dir_all(dir.join("sub")).unwrap();
    for file in FILES {
        let text = if file == "requirements.txt" { "requests[x]>=2 ; sys_platform == 'linux'\nPyYAML\n" } else { "" };
        std::fs::write(dir.join(file), text).unwrap();
    }
    ground
}

fn check_in(root: &Path, text: &[u8]) {
    std::fs::write(root.join(DIR).join("BUILD"), text).unwrap();
    let config = Config::of([]);
    let loaded = targets::load(root, &config, &LoadContext::new(&|_| None));
    let mut diagnostics: Vec<Diagnostic> = loaded.all_diagnostics().cloned().collect();
    let graph = loaded.graph;
    let settings = Settings::of(&config).unwrap();
    let roots = SourceRoots::new(&["src"], &[], graph.files().iter()).unwrap();
    let imports = |_: &[RelPath]| Ok::<_, Infallible>(HashMap::new());
    let input = Input { graph: &graph, roots: &roots, settings: &settings, imports: &imports, texts: &|_| None };
    let Ok(dependencies) = infer(&input, Extent::Everything);
    diagnostics.extend(dependencies.diagnostics.into_iter().map(|(_, diagnostic)| diagnostic));
    let build_file = RelPath::root().join(&RelPath::parse(DIR).unwrap()).push("BUILD").unwrap();
    let lines = text.split(|byte| *byte == b'\n').count();
    for diagnostic in &diagnostics {
        // A file that the BUILD file names, such as requirements, may be what is wrong.
        let line_bound = if diagnostic.file == build_file { lines } else { usize::MAX };
        let has_place = (1..=line_bound).contains(&diagnostic.place.line) && diagnostic.place.column > 0;
        assert!(has_place && !diagnostic.file.is_root(), "{diagnostic}: no place in a file of {lines} lines");
    }
}
