//! The action that runs a type checker on the sources of one partition, with everything that they depend on.

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

/// The directory below the output root where mypy leaves its incremental state.
const STATE_OUT: &str = "state";

const MYPY: &str = include_str!("mypy_run.py");

/// One checker and one partition.
#[derive(Clone, Debug)]
pub struct CheckRun<'c> {
    pub label: String,
    pub call: &'c Call,
    /// The files to check, sorted.
    pub files: Vec<RelPath>,
    pub source_roots: Vec<RelPath>,
    /// The tree of the files and everything that they depend on, with settings and [`FILES`] where needed.
    pub sources: Source,
    /// The system tree, the interpreter, the image of the tool and that of the requirements, by mount point.
    pub images: BTreeMap<String, Source>,
    /// The arguments that name a settings file.
    pub config: Vec<String>,
    pub args: Vec<String>,
    /// Whether the directory for reports is the checker's own: no source lies in it.
    pub has_reports: bool,
    /// Check again from nothing, whatever is cached.
    pub force: bool,
    pub mypy: Mypy,
}

/// The settings that only mypy needs.
#[derive(Clone, Debug)]
pub struct Mypy {
    /// The oldest version that the constraints allow, unless the user chose one.
    pub python_version: Option<String>,
    /// The source roots of plugins that are part of the repository.
    pub plugin_roots: Vec<RelPath>,
    /// Whether a run may start from the incremental state of an earlier one.
    pub incremental: bool,
    /// A digest of settings and plugins: a state is used only where they are the same.
    pub state_inputs: Digest,
}

pub fn action(run: &CheckRun<'_>) -> Action {
    let is_mypy = run.call.runner == Some(Runner::Mypy);
    let argv = if is_mypy { mypy_argv(run) } else { words(run) };
    let mut command = Command::new(argv, env(run, is_mypy), run.sources, run.images.clone());
    command.outputs_at = tool_run::outputs_at(run.has_reports);
    let mut policy = Policy::new(run.label.clone());
    policy.cache.read = !run.force;
    policy.cache.success_codes.extend(&run.call.finding_codes);
    policy.incremental = (is_mypy && run.mypy.incremental).then(|| Incremental {
        state_at: sandbox_paths::STATE.to_owned(),
        state_out: clean(STATE_OUT),
        state_inputs: run.mypy.state_inputs,
        discard_state: run.force,
    });
    Action { command, policy }
}

fn env(run: &CheckRun<'_>, is_mypy: bool) -> BTreeMap<String, String> {
    let mut env = environment::base();
    env.extend(run.call.env.clone());
    if is_mypy {
        let roots: Vec<&str> = run.source_roots.iter().map(shown).collect();
        env.insert("MYPYPATH".to_owned(), roots.join(":"));
        if !run.mypy.plugin_roots.is_empty() {
            let roots: Vec<String> =
                run.mypy.plugin_roots.iter().map(|root| sandbox_paths::in_src(root.as_str())).collect();
            env.insert("WADERS_SOURCE_ROOTS".to_owned(), roots.join(":"));
        }
    }
    env
}

fn mypy_argv(run: &CheckRun<'_>) -> Vec<String> {
    let mut words = words(run);
    words.truncate(words.len() - run.files.len());
    let settings = json!({
        "argv": words,
        "files": FILES,
        "python_version": run.mypy.python_version,
        "remembers": run.mypy.incremental,
        "found_at": sandbox_paths::STATE,
        "left_in": sandbox_paths::in_out(STATE_OUT),
    });
    [program::argv(MYPY), vec![settings.to_string()]].concat()
}

/// The arguments of the call with its placeholders replaced.
fn words(run: &CheckRun<'_>) -> Vec<String> {
    let python = format!("{}/bin/python", sandbox_paths::REQUIREMENTS);
    let quoted: Vec<String> = run.source_roots.iter().map(|root| format!("\"{}\"", shown(root))).collect();
    let mut words = Vec::new();
    for word in &run.call.argv {
        match word.as_str() {
            "{config}" => words.extend(run.config.iter().cloned()),
            "{args}" => words.extend(run.args.iter().cloned()),
            "{files}" => words.extend(run.files.iter().map(ToString::to_string)),
            word if word.contains("{root}") => {
                words.extend(run.source_roots.iter().map(|root| word.replace("{root}", shown(root))));
            }
            word => words.push(word.replace("{python}", &python).replace("{roots}", &quoted.join(","))),
        }
    }
    words[0] = sandbox_paths::in_deps_bin(&words[0]);
    words
}

/// Relative to the build root, as mypy shows the files that it finds there.
fn shown(root: &RelPath) -> &str {
    if root.is_root() { "." } else { root.as_str() }
}

/// The user's settings of pyright with the source roots among its import paths. An error says what is wrong with them.
pub fn pyright_settings(user: Option<(&str, &str)>, source_roots: &[RelPath]) -> Result<String, String> {
    let mut settings = match user {
        None => Map::new(),
        Some((name, text)) if name.ends_with(".toml") => section_of_pyright(text)?,
        Some((_, text)) => match serde_json::from_str(text) {
            Ok(Value::Object(settings)) => settings,
            Ok(_) => return Err("invalid JSON object".to_owned()),
            Err(error) => return Err(format!("invalid JSON: {error}")),
        },
    };
    let roots: Vec<Value> = source_roots.iter().map(|root| json!(shown(root))).collect();
    add_paths(&mut settings, &roots);
    for environment in settings.get_mut("executionEnvironments").and_then(Value::as_array_mut).into_iter().flatten() {
        environment.as_object_mut().into_iter().for_each(|environment| add_paths(environment, &roots));
    }
    // These lie on the user's machine.
    settings.remove("venv");
    settings.remove("venvPath");
    Ok(Value::Object(settings).to_string())
}

fn section_of_pyright(text: &str) -> Result<Map<String, Value>, String> {
    let parsed: toml::Table = text.parse().map_err(|error| format!("it is no TOML: {error}"))?;
    let section = parsed.get("tool").and_then(|tool| tool.get("pyright")).cloned();
    let value = section.map(serde_json::to_value).transpose().map_err(|error| error.to_string())?;
    Ok(value.as_ref().and_then(Value::as_object).cloned().unwrap_or_default())
}

fn add_paths(settings: &mut Map<String, Value>, roots: &[Value]) {
    let own = settings.get("extraPaths").and_then(Value::as_array).cloned().unwrap_or_default();
    settings.insert("extraPaths".to_owned(), Value::Array([own.as_slice(), roots].concat()));
}

fn clean(path: &str) -> RelPath {
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
        Mypy {
            python_version: Some("3.9".to_owned()),
            plugin_roots: Vec::new(),
            incremental,
            state_inputs: Digest::of(b""),
        }
    }

    fn action_of(name: &str, incremental: bool) -> Action {
        let tool = tools::named(name).unwrap();
        action(&run(&tool.calls[0], mypy(incremental)))
    }

    #[test]
    fn a_checker_gets_its_files_the_requirements_and_the_source_roots() {
        let argv = action_of("ty", true).command.argv;
        assert_eq!(argv[..2], ["/deps/bin/ty", "check"]);
        for wanted in ["--python=/requirements/bin/python", "--config=environment.root=[\".\",\"src\"]", "--strict"] {
            assert!(argv.iter().any(|word| word == wanted), "{argv:?}");
        }
        assert!(argv.ends_with(&["src/app/a.py", "src/app/b.py"].map(str::to_owned)));
        let argv = action_of("pyrefly", true).command.argv;
        assert!(argv.contains(&"--search-path=.".to_owned()) && argv.contains(&"--search-path=src".to_owned()));
    }

    #[test]
    fn reports_are_captured_where_the_directory_is_the_checkers_own() {
        let tool = tools::named("mypy").unwrap();
        let run = run(&tool.calls[0], mypy(true));
        assert!(action(&run).command.outputs_at.contains_key("/src/reports"));
        assert!(action(&CheckRun { has_reports: false, ..run }).command.outputs_at.is_empty());
    }

    #[test]
    fn findings_are_cached() {
        assert_eq!(action_of("mypy", true).policy.cache.success_codes, [0, 1]);
    }

    #[test]
    fn mypy_gets_the_place_of_its_state_and_a_list_of_files() {
        let Action { command, policy } = action_of("mypy", true);
        let settings: Value = serde_json::from_str(command.argv.last().unwrap()).unwrap();
        assert_eq!(settings["argv"].as_array().unwrap().last().unwrap(), "--config-file=my.ini");
        assert_eq!(settings["python_version"], "3.9");
        assert_eq!(command.env["MYPYPATH"], ".:src");
        assert_eq!(policy.incremental.unwrap().state_at, settings["found_at"]);
        let has_state = |name, incremental| action_of(name, incremental).policy.incremental.is_some();
        assert!(!has_state("mypy", false) && !has_state("ty", true));
    }

    #[test]
    fn pyright_keeps_the_settings_of_the_user_and_gets_the_source_roots() {
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
