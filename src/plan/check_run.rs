//! The action that runs a type checker on the sources of one partition, with all their dependencies. Which partitions there
//! are is decided in `prepare`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::action::{Action, Command, Incremental, Policy, Source};
use crate::base::{Digest, RelPath, sandbox_paths};
use crate::plan::{environment, program, tool_run};
use crate::tools::{Call, Runner};

/// The file below the input root that lists the files for mypy: they may be too many for arguments.
pub const FILES: &str = "__files.txt";
/// The settings file that pyright is given.
pub const PYRIGHT_SETTINGS: &str = "pyrightconfig.json";

/// The directory below the output root to which mypy writes its new incremental state.
const STATE_OUT: &str = "state";

const MYPY: &str = include_str!("mypy_run.py");

/// One checker and one partition.
#[derive(Clone, Debug)]
pub struct CheckRun<'c> {
    /// The step's name in progress and errors.
    pub label: String,
    /// How the checker is invoked.
    pub call: &'c Call,
    /// The files to check, sorted.
    pub files: Vec<RelPath>,
    /// Relative to the build root.
    pub source_roots: Vec<RelPath>,
    /// The tree of the files and everything that they depend on, with settings and [`FILES`] if the checker needs them.
    pub sources: Source,
    /// The system tree, the interpreter, the image of the tool and that of the requirements, by mount point.
    pub images: BTreeMap<String, Source>,
    /// The arguments that name a settings file.
    pub config: Vec<String>,
    /// Further arguments of the user.
    pub args: Vec<String>,
    /// Whether the checker may write to the reports directory, which is allowed if no source is in it.
    pub has_reports: bool,
    /// Run again without cached results or incremental state.
    pub force: bool,
    /// Ignored unless the checker is mypy.
    pub mypy: Mypy,
}

/// Settings that apply only to mypy.
#[derive(Clone, Debug)]
pub struct Mypy {
    /// The oldest version that the constraints allow, or `None` if the user chose a version.
    pub python_version: Option<String>,
    /// Whether a run may start from the incremental state of an earlier one.
    pub incremental: bool,
    /// The digest of settings and plugins. A state is reused only if it is unchanged.
    pub state_inputs: Digest,
}

/// The action that checks one partition.
pub fn action(run: &CheckRun<'_>) -> Action {
    let is_mypy = run.call.runner == Some(Runner::Mypy);
    let argv = if is_mypy { mypy_argv(run) } else { expand_argv(run) };
    let mut command = Command::new(argv, env(run, is_mypy), run.sources, run.images.clone());
    command.outputs_at = tool_run::outputs_at(run.has_reports);
    let mut policy = Policy::new(run.label.clone());
    policy.remote = true;
    policy.subjects = run.files.iter().map(ToString::to_string).collect();
    policy.cache.read = !run.force;
    policy.cache.success_codes.extend(&run.call.finding_codes);
    policy.incremental = (is_mypy && run.mypy.incremental).then(|| Incremental {
        state_at: sandbox_paths::STATE.to_owned(),
        state_out: rel_path(STATE_OUT),
        state_inputs: run.mypy.state_inputs,
        discard_state: run.force,
    });
    Action { command, policy }
}

fn env(run: &CheckRun<'_>, is_mypy: bool) -> BTreeMap<String, String> {
    let mut env = environment::base();
    environment::add_requested(&mut env, &run.call.env);
    if is_mypy {
        let roots: Vec<&str> = run.source_roots.iter().map(from_build_root).collect();
        env.insert("MYPYPATH".to_owned(), roots.join(":"));
    }
    env
}

fn mypy_argv(run: &CheckRun<'_>) -> Vec<String> {
    let mut words = expand_argv(run);
    words.truncate(words.len() - run.files.len());
    let settings = json!({
        "argv": words,
        "files": FILES,
        "python_version": run.mypy.python_version,
        "incremental": run.mypy.incremental,
        "state_at": sandbox_paths::STATE,
        "state_out": sandbox_paths::in_out(STATE_OUT),
    });
    [program::argv(MYPY), vec![settings.to_string()]].concat()
}

/// The arguments of the call with all placeholders replaced.
fn expand_argv(run: &CheckRun<'_>) -> Vec<String> {
    let python = format!("{}/bin/python", sandbox_paths::REQUIREMENTS);
    let quoted: Vec<String> = run.source_roots.iter().map(|root| format!("\"{}\"", from_build_root(root))).collect();
    let mut words = Vec::new();
    for word in &run.call.argv {
        match word.as_str() {
            "{config}" => words.extend(run.config.iter().cloned()),
            "{args}" => words.extend(run.args.iter().cloned()),
            "{files}" => words.extend(run.files.iter().map(ToString::to_string)),
            word if word.contains("{root}") => {
                words.extend(run.source_roots.iter().map(|root| word.replace("{root}", from_build_root(root))));
            }
            word => words.push(word.replace("{python}", &python).replace("{roots}", &quoted.join(","))),
        }
    }
    words[0] = sandbox_paths::in_deps_bin(&words[0]);
    words
}

/// The path of a source root for a process that runs in the build root. mypy prints paths of files with it.
fn from_build_root(root: &RelPath) -> &str {
    if root.is_root() { "." } else { root.as_str() }
}

/// The user's pyright settings with the source roots added to the import paths. The error explains why the settings are
/// invalid.
pub fn pyright_settings(user: Option<(&str, &str)>, source_roots: &[RelPath]) -> Result<String, String> {
    let mut settings = match user {
        None => Map::new(),
        Some((name, text)) if name.ends_with(".toml") => pyright_section(text)?,
        Some((_, text)) => match serde_json::from_str(text) {
            Ok(Value::Object(settings)) => settings,
            Ok(_) => return Err("invalid JSON object".to_owned()),
            Err(error) => return Err(format!("invalid JSON: {error}")),
        },
    };
    let roots: Vec<Value> = source_roots.iter().map(|root| json!(from_build_root(root))).collect();
    add_paths(&mut settings, &roots);
    for environment in settings.get_mut("executionEnvironments").and_then(Value::as_array_mut).into_iter().flatten() {
        environment.as_object_mut().into_iter().for_each(|environment| add_paths(environment, &roots));
    }
    // A sandbox does not contain the virtual environments of the user.
    settings.remove("venv");
    settings.remove("venvPath");
    Ok(Value::Object(settings).to_string())
}

fn pyright_section(text: &str) -> Result<Map<String, Value>, String> {
    let parsed: toml::Table = text.parse().map_err(|error| format!("invalid TOML: {error}"))?;
    let section = parsed.get("tool").and_then(|tool| tool.get("pyright")).cloned();
    let value = section.map(serde_json::to_value).transpose().map_err(|error| error.to_string())?;
    Ok(value.as_ref().and_then(Value::as_object).cloned().unwrap_or_default())
}

fn add_paths(settings: &mut Map<String, Value>, roots: &[Value]) {
    let own = settings.get("extraPaths").and_then(Value::as_array).cloned().unwrap_or_default();
    settings.insert("extraPaths".to_owned(), Value::Array([own.as_slice(), roots].concat()));
}

fn rel_path(path: &str) -> RelPath {
    RelPath::parse(path).expect("the path is clean")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools;

    fn paths(texts: &[&str]) -> Vec<RelPath> {
        texts.iter().map(|text| RelPath::parse(text).unwrap()).collect()
    }

    fn run<'c>(call: &'c Call, mypy: Mypy) -> CheckRun<'c> {
        CheckRun {
            label: "check".to_owned(),
            call,
            files: paths(&["src/app/a.py", "src/app/b.py"]),
            source_roots: paths(&["", "src"]),
            sources: Source::Tree(Digest::of(b"")),
            images: BTreeMap::new(),
            config: vec!["--config-file=my.ini".to_owned()],
            args: vec!["--strict".to_owned()],
            has_reports: true,
            force: false,
            mypy,
        }
    }

    fn mypy(incremental: bool) -> Mypy {
        Mypy { python_version: Some("3.9".to_owned()), incremental, state_inputs: Digest::of(b"") }
    }

    fn checker_action(name: &str, incremental: bool) -> Action {
        let tool = tools::named(name).unwrap();
        action(&run(&tool.calls[0], mypy(incremental)))
    }

    #[test]
    fn a_checker_receives_its_files_the_requirements_and_the_source_roots() {
        let argv = checker_action("ty", true).command.argv;
        assert_eq!(argv[..2], ["/deps/bin/ty", "check"]);
        for wanted in ["--python=/requirements/bin/python", "--config=environment.root=[\".\",\"src\"]", "--strict"] {
            assert!(argv.iter().any(|word| word == wanted), "{argv:?}");
        }
        assert!(argv.ends_with(&["src/app/a.py", "src/app/b.py"].map(str::to_owned)));
        let argv = checker_action("pyrefly", true).command.argv;
        assert!(argv.contains(&"--search-path=.".to_owned()) && argv.contains(&"--search-path=src".to_owned()));
    }

    #[test]
    fn reports_are_captured_if_the_checker_may_write_to_their_directory() {
        let tool = tools::named("mypy").unwrap();
        let run = run(&tool.calls[0], mypy(true));
        assert!(action(&run).command.outputs_at.contains_key("/src/reports"));
        assert!(action(&CheckRun { has_reports: false, ..run }).command.outputs_at.is_empty());
    }

    #[test]
    fn findings_are_cached() {
        assert_eq!(checker_action("mypy", true).policy.cache.success_codes, [0, 1]);
    }

    #[test]
    fn mypy_receives_the_path_of_its_state_and_a_list_of_files() {
        let Action { command, policy } = checker_action("mypy", true);
        let settings: Value = serde_json::from_str(command.argv.last().unwrap()).unwrap();
        assert_eq!(settings["argv"].as_array().unwrap().last().unwrap(), "--config-file=my.ini");
        assert_eq!(settings["python_version"], "3.9");
        assert_eq!(command.env["MYPYPATH"], ".:src");
        assert_eq!(policy.incremental.unwrap().state_at, settings["state_at"]);
        let has_state = |name, incremental| checker_action(name, incremental).policy.incremental.is_some();
        assert!(!has_state("mypy", false) && !has_state("ty", true));
    }

    #[test]
    fn pyright_receives_the_settings_of_the_user_with_the_source_roots_added() {
        let check = |user, expected: Value| {
            let settings = pyright_settings(user, &paths(&["src"])).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&settings).unwrap(), expected);
        };
        check(None, json!({"extraPaths": ["src"]}));
        check(
            Some((
                "pyrightconfig.json",
                r#"{"extraPaths": ["lib"], "venv": "v", "executionEnvironments": [{"root": "a"}]}"#,
            )),
            json!({"extraPaths": ["lib", "src"], "executionEnvironments": [{"root": "a", "extraPaths": ["src"]}]}),
        );
        check(
            Some(("pyproject.toml", "[tool.pyright]\nstrict = ['a']\n")),
            json!({"strict": ["a"], "extraPaths": ["src"]}),
        );
        assert!(pyright_settings(Some(("pyrightconfig.json", "{")), &[]).unwrap_err().starts_with("invalid JSON"));
    }
}
