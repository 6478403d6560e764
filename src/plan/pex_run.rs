//! The action that builds a PEX file, or the archive of a cloud function, with the pinned Pex. Its inputs are the sources and
//! the wheel files; nothing is downloaded. What belongs to a program is decided in `prepare::package`.

use serde_json::json;

use crate::action::{Action, Source};
use crate::base::{RelPath, sandbox_paths};
use crate::packaging::venv;
use crate::plan::interpreter::Interpreter;

/// The mount point of the wheel files.
const WHEELS: &str = "/wheels";
/// The mount point of the wheel files of distributions of the repository.
const DISTRIBUTIONS: &str = "/distributions";
/// The mount point of the descriptions of target platforms.
const PLATFORMS: &str = "/platforms";

/// The name of a temporary directory in the output.
const SCRATCH: &str = ".scratch";

const BUILD: &str = include_str!("pex_build.py");

/// What a program consists of.
#[derive(Clone, Debug)]
pub struct Program {
    /// First-party sources and resources, at their paths below their source roots.
    pub sources: Source,
    /// The wheel files of requirements, all in one directory.
    pub wheels: Source,
    /// The wheel files of distributions of the repository, all in one directory.
    pub distributions: Source,
    /// A venv image that contains Pex.
    pub pex: Source,
    /// A tree with the description of each target platform, and the number of descriptions. `None` for the platform of the
    /// interpreter.
    pub platforms: Option<(Source, usize)>,
    /// Interpreter constraints of the program, as alternatives. Ignored if there are target platforms.
    pub constraints: Vec<String>,
    /// Requirements to be satisfied by the wheels. `None` if the program contains no requirements.
    pub requirements: Option<Vec<String>>,
}

/// How a program is packaged.
#[derive(Clone, Debug)]
pub struct PexBuild {
    /// The name of the step.
    pub label: String,
    /// The contents.
    pub program: Program,
    /// The entry point `module` or `module:function`, if the program has one. Its existence is checked.
    pub entry_point: Option<String>,
    /// The script of a package, if the program is one. Its existence is checked.
    pub script: Option<String>,
    /// Further arguments of Pex.
    pub args: Vec<String>,
    /// Arguments of `pex3 venv create` for an archive without Pex, and otherwise `None`.
    pub flatten: Option<Vec<String>>,
    /// The path of the result in the output tree.
    pub output: RelPath,
}

/// The path of a description of a target platform in its tree.
pub fn platform_file(number: usize) -> String {
    format!("{number}.json")
}

/// The action that builds it.
pub fn action(interpreter: &Interpreter, build: PexBuild) -> Action {
    let spec = json!({
        "python": interpreter.python,
        "pex": pex_args(interpreter, &build),
        "output": sandbox_paths::in_out(build.output.as_str()),
        "scratch": sandbox_paths::in_out(SCRATCH),
        "entry_point": build.entry_point,
        "script": build.script,
        "sources": sandbox_paths::SRC,
        "wheels": WHEELS,
        "distributions": DISTRIBUTIONS,
        "intransitive": build.program.requirements.is_none(),
        "flatten": build.flatten.as_ref().map(|args| flatten_args(&build, args)),
    });
    // The current directory contains the sources, which must not shadow modules of the program.
    let program = format!("import sys; del sys.path[0]\n{BUILD}");
    let argv = [venv::PYTHON, "-s", "-B", "-c", &program, &spec.to_string()].map(str::to_owned).to_vec();
    let mut action = interpreter.action(build.label, argv, build.program.sources);
    action.command.images.insert(venv::ROOT.to_owned(), build.program.pex);
    action.command.images.insert(WHEELS.to_owned(), build.program.wheels);
    action.command.images.insert(DISTRIBUTIONS.to_owned(), build.program.distributions);
    if let Some((tree, _)) = build.program.platforms {
        action.command.images.insert(PLATFORMS.to_owned(), tree);
    }
    action.command.env.insert("PEX_IGNORE_RCFILES".to_owned(), "true".to_owned());
    action.policy.remote = true;
    action
}

fn pex_args(interpreter: &Interpreter, build: &PexBuild) -> Vec<String> {
    let mut args: Vec<String> = Vec::new();
    // One job starts no pool of processes.
    args.extend(["--jobs", "1", "--no-pypi", "--sources-directory", sandbox_paths::SRC].map(str::to_owned));
    args.extend([WHEELS, DISTRIBUTIONS].map(|directory| format!("--pre-resolved-dists={directory}")));
    match build.program.platforms {
        Some((_, count)) => args.extend(platform_args(count)),
        None => {
            args.extend(["--python-path".to_owned(), interpreter.python.clone()]);
            args.extend(
                build.program.constraints.iter().flat_map(|one| ["--interpreter-constraint".to_owned(), one.clone()]),
            );
        }
    }
    args.extend(build.entry_point.iter().map(|entry_point| format!("--entry-point={entry_point}")));
    args.extend(build.script.iter().map(|script| format!("--console-script={script}")));
    args.extend(build.args.iter().cloned());
    args.extend(build.program.requirements.iter().flatten().cloned());
    args
}

fn flatten_args(build: &PexBuild, args: &[String]) -> Vec<String> {
    let platforms = build.program.platforms.iter().flat_map(|(_, count)| platform_args(*count));
    platforms.chain(args.iter().cloned()).collect()
}

fn platform_args(count: usize) -> Vec<String> {
    let file = |number| format!("{PLATFORMS}/{}", platform_file(number));
    (0..count).flat_map(|number| ["--complete-platform".to_owned(), file(number)]).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::base::Digest;

    fn build() -> PexBuild {
        let tree = Source::Tree(Digest::of(b""));
        let program = Program {
            sources: tree,
            wheels: tree,
            distributions: tree,
            pex: tree,
            platforms: None,
            constraints: vec!["CPython==3.11.*".to_owned()],
            requirements: Some(vec!["six".to_owned()]),
        };
        PexBuild {
            label: "package src/app:bin".to_owned(),
            program,
            entry_point: Some("app.main:run".to_owned()),
            script: None,
            args: vec!["--layout".to_owned(), "packed".to_owned()],
            flatten: None,
            output: RelPath::parse("src.app/bin.pex").unwrap(),
        }
    }

    fn spec(build: PexBuild) -> (serde_json::Value, Action) {
        let interpreter = Interpreter {
            python: "/usr/bin/python3.11".to_owned(),
            version: "3.11.2".to_owned(),
            minor: "3.11".to_owned(),
            images: BTreeMap::new(),
        };
        let action = action(&interpreter, build);
        (serde_json::from_str(action.command.argv.last().unwrap()).unwrap(), action)
    }

    #[test]
    fn a_program_is_built_for_the_interpreter_without_network() {
        let (spec, action) = spec(build());
        assert!(!action.command.network);
        assert_eq!(action.command.images.keys().collect::<Vec<_>>(), ["/deps", "/distributions", "/wheels"]);
        assert_eq!(spec["output"], "/out/src.app/bin.pex");
        let args: Vec<&str> = spec["pex"].as_array().unwrap().iter().filter_map(|word| word.as_str()).collect();
        let text = args.join(" ");
        assert!(text.contains("--python-path /usr/bin/python3.11 --interpreter-constraint CPython==3.11.*"), "{text}");
        assert!(text.ends_with("--entry-point=app.main:run --layout packed six"), "{text}");
    }

    #[test]
    fn target_platforms_replace_the_interpreter() {
        let mut build = PexBuild { flatten: Some(vec!["--prefix".to_owned()]), ..build() };
        build.program.platforms = Some((Source::Tree(Digest::of(b"")), 2));
        let (spec, action) = spec(build);
        assert!(action.command.images.contains_key("/platforms"));
        let text = spec["pex"].to_string();
        assert!(text.contains("/platforms/1.json") && !text.contains("--interpreter-constraint"), "{text}");
        assert_eq!(spec["flatten"][4], "--prefix");
    }
}
