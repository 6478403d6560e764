//! Finds executable modules without a `pex_binary`, for the goal `tailor`. Other missing targets are found in `targets`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::base::RelPath;
use crate::config::typed::PythonSettings;
use crate::inference::SourceRoots;
use crate::inference::entry_point;
use crate::inference::module_map::module_name;
use crate::targets::TargetGraph;
use crate::targets::kind;
use crate::targets::missing::{FieldValue, MissingTarget, PYTHON, SearchInput, is_backend_enabled};

/// Returns a `pex_binary` for each `__main__.py`, and for each file with the guard `if __name__ == "__main__":`, that is
/// not the entry point of one already.
pub fn find(input: &SearchInput, roots: &SourceRoots) -> Vec<MissingTarget> {
    if !PythonSettings::parse(input.config).tailor_pex_binary_targets || !is_backend_enabled(input.config, PYTHON) {
        return Vec::new();
    }
    let module = |file: &RelPath| Some(module_name(file.strip_prefix(&roots.find_for_file(file)?)?.as_str()));
    let python = |file: &&RelPath| matches!(file.extension(), Some("py" | "pyi"));
    let files = input.dirs.iter().flat_map(|dir| input.graph.files().in_dir(dir)).filter(python);
    let runnable = files.filter(|file| is_runnable(input, file));
    let runnable: BTreeMap<String, &RelPath> = runnable.filter_map(|file| Some((module(file)?, file))).collect();
    let covered = entry_point_modules(input.graph, roots, runnable.values().copied());
    runnable.iter().filter(|(module, _)| !covered.contains(*module)).filter_map(|(_, file)| missing(file)).collect()
}

fn is_runnable(input: &SearchInput, file: &RelPath) -> bool {
    static GUARD: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?m)^if __name__ +== +['"]__main__['"]: *(#.*)?\r?$"#).expect("a pattern that a test compiles")
    });
    file.file_name() == Some("__main__.py") || (input.read)(file).is_some_and(|content| GUARD.is_match(&content))
}

/// The entry point modules of the binaries that are declared in the directories of `files` or above them.
fn entry_point_modules<'f>(
    graph: &TargetGraph,
    roots: &SourceRoots,
    files: impl Iterator<Item = &'f RelPath>,
) -> BTreeSet<String> {
    let dirs: BTreeSet<RelPath> = files.flat_map(RelPath::ancestors).collect();
    let binaries =
        graph.targets().filter(|target| target.kind == kind::PEX_BINARY && dirs.contains(&target.address.dir));
    let written = binaries
        .filter_map(|target| entry_point::parse_module(target.text("entry_point")?, &target.address.dir, roots));
    written.map(|module| module.name).collect()
}

fn missing(file: &RelPath) -> Option<MissingTarget> {
    let name = file.file_name()?;
    Some(MissingTarget {
        dir: file.parent()?,
        name: name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned(),
        kind: kind::PEX_BINARY.to_owned(),
        files: Vec::new(),
        globs: Vec::new(),
        fields: vec![("entry_point", FieldValue::Text(name.to_owned()))],
        comments: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Config;
    use crate::targets::{Address, Files, Target};

    fn path(text: &str) -> RelPath {
        RelPath::parse(text).unwrap()
    }

    /// `files` are paths with contents, `entry_points` those of existing binaries in `src/app`.
    fn check(files: &[(&str, &str)], entry_points: &[&str], expected: &[&str]) {
        let mut graph = TargetGraph::from_files(Files::from_paths(files.iter().map(|(file, _)| path(file)).collect()));
        for entry_point in entry_points {
            graph.insert(Target {
                address: Address::new(&path("src/app"), entry_point),
                kind: "pex_binary".to_owned(),
                fields: [("entry_point".to_owned(), crate::targets::Value::Str((*entry_point).to_owned()))].into(),
                sources: Vec::new(),
                generator: None,
                build_file: path("src/app/BUILD"),
                place: Default::default(),
            });
        }
        let config = Config::of([("python", "tailor_pex_binary_targets", json!(true))]);
        let dirs: BTreeSet<RelPath> = files.iter().filter_map(|(file, _)| path(file).parent()).collect();
        let read = |file: &RelPath| {
            let found = files.iter().find(|(name, _)| path(name) == *file)?;
            Some(found.1.as_bytes().to_vec())
        };
        let input = SearchInput { graph: &graph, config: &config, dirs: &dirs, read: &read };
        let roots = SourceRoots::new(&["src"], &[], []).unwrap();
        let found: Vec<String> = find(&input, &roots).iter().map(MissingTarget::address).collect();
        assert_eq!(found, expected);
    }

    const GUARDED: &str = "x = 1\nif __name__ == '__main__':  # run\n    main()\n";

    #[test]
    fn executable_modules_get_a_binary() {
        let files = [("src/app/__main__.py", ""), ("src/app/cli.py", GUARDED), ("src/app/lib.py", "print(1)")];
        check(&files, &[], &["src/app:__main__", "src/app:cli"]);
        check(&[("src/app/cli.py", "  if __name__ == '__main__':\n")], &[], &[]);
    }

    #[test]
    fn an_entry_point_of_a_binary_needs_no_second_binary() {
        for entry_point in ["cli.py", "app.cli", "app.cli:main", "cli.py:main"] {
            check(&[("src/app/cli.py", GUARDED)], &[entry_point], &[]);
        }
        check(&[("src/app/cli.py", GUARDED)], &["app.other"], &["src/app:cli"]);
    }

    #[test]
    fn a_file_without_a_source_root_gets_no_binary() {
        check(&[("scripts/cli.py", GUARDED)], &[], &[]);
    }
}
