//! Sources to one process of a type checker: those of one partition at once, with all that they depend on in sight.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::action::{Action, CachePolicy, Source, Warm};
use crate::base::{Digest, RelPath};
use crate::packaging::venv;
use crate::plan::{environment, program, tool_run};
use crate::tools::{Call, Runner};

/// Where the image of the sources' own requirements is mounted: apart from the tool's, which may need other versions.
pub const REQUIREMENTS: &str = "/requirements";
/// The file below the input root that lists mypy's files: they may be too many for arguments.
pub const FILES: &str = "__files.txt";
/// The settings file that pyright is given.
pub const PYRIGHT_SETTINGS: &str = "pyrightconfig.json";

/// Where mypy's state is, and where it leaves a new one.
const FOUND_AT: &str = "/warm";
const LEFT_IN: &str = "state";

const MYPY: &str = include_str!("mypy_run.py");

/// One checker and one partition.
#[derive(Clone, Debug)]
pub struct CheckRun<'c> {
    pub label: String,
    pub call: &'c Call,
    /// What is to be checked, sorted.
    pub files: Vec<RelPath>,
    pub source_roots: Vec<RelPath>,
    /// The tree of the closure, with settings and `FILES` where they are needed.
    pub sources: Source,
    /// System tree, interpreter, the tool's image, and that of the requirements at `REQUIREMENTS`.
    pub images: BTreeMap<String, Source>,
    /// The words that name a settings file.
    pub config: Vec<String>,
    pub args: Vec<String>,
    /// What lies in the directory for reports is the checker's, and no source.
    pub has_reports: bool,
    /// Earlier results and states do not count.
    pub force: bool,
    pub mypy: Mypy,
}

/// What only mypy is told.
#[derive(Clone, Debug)]
pub struct Mypy {
    /// The oldest version that the constraints allow, where nothing else says which.
    pub python_version: Option<String>,
    /// The source roots of plugins of this repository.
    pub plugin_roots: Vec<RelPath>,
    /// Whether an earlier run's state may be begun with.
    pub remembers: bool,
    /// Of settings and plugins: a state fits only where they are the same.
    pub fits: Digest,
}

pub fn action(run: &CheckRun<'_>) -> Action {
    let is_mypy = run.call.runner == Some(Runner::Mypy);
    let mut good_codes = vec![0];
    good_codes.extend(&run.call.finding_codes);
    Action {
        label: run.label.clone(),
        argv: if is_mypy { mypy_argv(run) } else { words(run) },
        env: env(run, is_mypy),
        cwd: RelPath::root(),
        input_root: run.sources,
        images: run.images.clone(),
        outputs_at: tool_run::outputs_at(run.has_reports),
        network: false,
        timeout: None,
        attempts: 1,
        cache: CachePolicy { read: !run.force, keep: true, good_codes },
        slot_variable: None,
        share: None,
        interactive: false,
        each: None,
        warm: (is_mypy && run.mypy.remembers).then(|| Warm {
            found_at: FOUND_AT.to_owned(),
            left_in: clean(LEFT_IN),
            fits: run.mypy.fits,
            anew: run.force,
        }),
    }
}

fn env(run: &CheckRun<'_>, is_mypy: bool) -> BTreeMap<String, String> {
    let mut env = environment::base();
    env.extend(run.call.env.clone());
    if is_mypy {
        let roots: Vec<&str> = run.source_roots.iter().map(shown).collect();
        env.insert("MYPYPATH".to_owned(), roots.join(":"));
        if !run.mypy.plugin_roots.is_empty() {
            let roots: Vec<String> =
                run.mypy.plugin_roots.iter().map(|root| format!("/src/{}", root.as_str())).collect();
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
        "remembers": run.mypy.remembers,
        "found_at": FOUND_AT,
        "left_in": format!("/out/{LEFT_IN}"),
    });
    [program::argv(MYPY), vec![settings.to_string()]].concat()
}

/// The call's words with what they stand for.
fn words(run: &CheckRun<'_>) -> Vec<String> {
    let python = format!("{REQUIREMENTS}/bin/python");
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
    words[0] = format!("{}/bin/{}", venv::ROOT, words[0]);
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
            Ok(_) => return Err("it is no JSON object".to_owned()),
            Err(error) => return Err(format!("it is no JSON: {error}")),
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

    fn mypy(remembers: bool) -> Mypy {
        Mypy { python_version: Some("3.9".to_owned()), plugin_roots: Vec::new(), remembers, fits: Digest::of(b"") }
    }

    fn action_of(name: &str, remembers: bool) -> Action {
        let tool = tools::named(name).unwrap();
        action(&run(&tool.calls[0], mypy(remembers)))
    }

    #[test]
    fn a_checker_gets_its_files_the_requirements_and_the_source_roots() {
        let argv = action_of("ty", true).argv;
        assert_eq!(argv[..2], ["/deps/bin/ty", "check"]);
        for wanted in ["--python=/requirements/bin/python", "--config=environment.root=[\".\",\"src\"]", "--strict"] {
            assert!(argv.iter().any(|word| word == wanted), "{argv:?}");
        }
        assert!(argv.ends_with(&["src/app/a.py", "src/app/b.py"].map(str::to_owned)));
        let argv = action_of("pyrefly", true).argv;
        assert!(argv.contains(&"--search-path=.".to_owned()) && argv.contains(&"--search-path=src".to_owned()));
    }

    #[test]
    fn reports_are_kept_where_the_directory_is_for_them() {
        let tool = tools::named("mypy").unwrap();
        let run = run(&tool.calls[0], mypy(true));
        assert!(action(&run).outputs_at.contains_key("/src/reports"));
        assert!(action(&CheckRun { has_reports: false, ..run }).outputs_at.is_empty());
    }

    #[test]
    fn findings_are_results() {
        assert_eq!(action_of("mypy", true).cache.good_codes, [0, 1]);
    }

    #[test]
    fn mypy_is_told_where_its_state_is_and_reads_its_files_from_a_list() {
        let action = action_of("mypy", true);
        let settings: Value = serde_json::from_str(action.argv.last().unwrap()).unwrap();
        assert_eq!(settings["argv"].as_array().unwrap().last().unwrap(), "--config-file=my.ini");
        assert_eq!(settings["python_version"], "3.9");
        assert_eq!(action.env["MYPYPATH"], ".:src");
        assert_eq!(action.warm.unwrap().found_at, settings["found_at"]);
        assert!(action_of("mypy", false).warm.is_none() && action_of("ty", true).warm.is_none());
    }

    #[test]
    fn pyright_keeps_the_users_settings_and_learns_the_source_roots() {
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
        assert!(pyright_settings(Some(("pyrightconfig.json", "{")), &[]).unwrap_err().starts_with("it is no JSON"));
    }
}
