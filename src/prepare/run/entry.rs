//! What a target starts with when it runs: a file, a module, a function, a script or a command line. Which of several
//! targets runs is decided in `goals::run`.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::RelPath;
use crate::inference::entry_point;
use crate::inference::module_map::module_name;
use crate::inference::{SourceRoots, third_party};
use crate::plan::program_run::Entry;
use crate::prepare::Error;
use crate::targets::kind;
use crate::targets::{CommandOutputs, OutputError, Target};

/// The target types that Pants runs, too.
pub const RUNNABLE_IN_PANTS: [&str; 6] = [
    kind::PEX_BINARY,
    kind::PYTHON_REQUIREMENT,
    "python_source",
    kind::PYTHON_TEST,
    "run_shell_command",
    "experimental_run_shell_command",
];

/// The target types of programs that commands can start.
pub const RUNNABLE_IN_SANDBOX: [&str; 6] = [
    kind::PEX_BINARY,
    kind::PYTHON_DISTRIBUTION,
    kind::PYTHON_REQUIREMENT,
    "python_source",
    kind::PYTHON_TEST,
    "shell_source",
];

/// The target types that only Waders runs.
pub const RUNNABLE: [&str; 5] =
    ["adhoc_tool", "experimental_shell_command", kind::PYTHON_DISTRIBUTION, "shell_command", "shell_source"];

/// How a target is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub entry: Entry,
    /// The name of the program in `sys.argv`, if the entry does not decide it.
    pub name: String,
    /// The arguments that the target gives to the program.
    pub args: Vec<String>,
    /// The variables that the target sets.
    pub env: BTreeMap<String, String>,
}

/// How the target is started. `chosen` is the name of the entry point that the user chose. An `adhoc_tool` starts another
/// target.
pub(super) fn start(target: &Target, roots: &SourceRoots, chosen: Option<&str>) -> Result<Start, Error> {
    let mut name = target.address.name.clone();
    let entry = match target.kind.as_str() {
        kind::PEX_BINARY => pex_entry(target, roots)?,
        kind::PYTHON_REQUIREMENT => requirement_entry(target)?,
        kind::PYTHON_DISTRIBUTION => {
            let (script, entry) = distribution_entry(target, chosen)?;
            name = script;
            entry
        }
        "run_shell_command" | "experimental_run_shell_command" | "shell_command" | "experimental_shell_command" => {
            shell_line(target)?
        }
        "shell_source" => Entry::ShellFile(source(target)?),
        _ => source_entry(source(target)?, roots),
    };
    let env = target.string_pairs("env").map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let args = target.strings("args").into_iter().map(str::to_owned).collect();
    Ok(Start { entry, name, args, env })
}

fn source(target: &Target) -> Result<RelPath, Error> {
    target.sources.first().cloned().ok_or_else(|| Error::NoSource(target.address.clone()))
}

/// As in Pants, a source runs as a module, so that relative imports work, unless its path is no module name.
fn source_entry(file: RelPath, roots: &SourceRoots) -> Entry {
    let stripped = roots.find_for_file(&file).and_then(|root| file.strip_prefix(&root));
    let is_word =
        |word: &str| !word.starts_with(|first: char| first.is_ascii_digit()) && word.chars().all(is_word_char);
    let module = stripped.filter(|path| path.file_name() != Some("__init__.py") && path.extension() == Some("py"));
    match module.map(|path| module_name(path.as_str())).filter(|module| module.split('.').all(is_word)) {
        Some(module) => Entry::Module(module),
        None => Entry::File(file),
    }
}

fn is_word_char(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn invalid(target: &Target, written: &str, why: &'static str) -> Error {
    Error::EntryPoint { target: target.address.clone(), written: written.to_owned(), why }
}

fn pex_entry(target: &Target, roots: &SourceRoots) -> Result<Entry, Error> {
    if let Some(script) = target.text("script") {
        return Ok(Entry::Script(script.to_owned()));
    }
    if let Some(file) = target.text("executable") {
        let outside = || invalid(target, file, "it is outside the repository");
        return Ok(Entry::File(target.address.dir.resolve(file).map_err(|_| outside())?));
    }
    let Some(written) = target.text("entry_point") else { return Ok(Entry::Python) };
    let module = entry_point::parse_module(written, &target.address.dir, roots);
    let module = module.ok_or_else(|| invalid(target, written, "the file is not below a source root"))?;
    Ok(module_or_function(&module.name, written))
}

/// `written` may name a function after a colon.
fn module_or_function(module: &str, written: &str) -> Entry {
    let module = module.to_owned();
    match written.split_once(':').map(|(_, function)| function.split('[').next().unwrap_or_default().trim()) {
        Some(function) if !function.is_empty() => Entry::Function { module, function: function.to_owned() },
        _ => Entry::Module(module),
    }
}

/// As in Pants: the field `entry_point`, or the only module that the target provides, or the module that is named like the
/// project.
fn requirement_entry(target: &Target) -> Result<Entry, Error> {
    if let Some(written) = target.text("entry_point") {
        return Ok(module_or_function(entry_point::module_part(written), written));
    }
    let modules = target.strings("modules");
    if let [module] = modules[..] {
        return Ok(Entry::Module(module.to_owned()));
    }
    let requirements = target.strings("requirements");
    let [requirement] = requirements[..] else {
        return Err(Error::NoModule(target.address.clone()));
    };
    match &third_party::modules_of(requirement).1[..] {
        [module] => Ok(Entry::Module(module.clone())),
        _ => Ok(Entry::Module(third_party::normalize(third_party::project_name(requirement)).replace('-', "_"))),
    }
}

/// The name of a console script, and what it runs.
fn distribution_entry(target: &Target, chosen: Option<&str>) -> Result<(String, Entry), Error> {
    let scripts = entry_point::console_scripts(target);
    let names = || scripts.iter().map(|(name, _)| (*name).to_owned()).collect::<BTreeSet<_>>().into_iter().collect();
    let found = match chosen {
        Some(chosen) => scripts.iter().find(|(name, _)| *name == chosen),
        None => scripts.first().filter(|_| scripts.len() == 1),
    };
    let missing =
        || Error::ConsoleScript { target: target.address.clone(), chosen: chosen.map(str::to_owned), names: names() };
    let (name, written) = found.ok_or_else(missing)?;
    if entry_point::is_address(written) {
        return Err(invalid(target, written, "it names another target; run that target"));
    }
    Ok(((*name).to_owned(), module_or_function(entry_point::module_part(written), written)))
}

fn shell_line(target: &Target) -> Result<Entry, Error> {
    let line = target.text("command").unwrap_or_default().to_owned();
    let outside = |error: OutputError| invalid(target, &error.written, "`workdir` is outside the repository");
    let workdir = CommandOutputs::workdir(target).map_err(outside)?;
    Ok(Entry::ShellLine { line, workdir, name: target.address.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::text::Place;
    use crate::targets::{Address, Value};

    fn check(kind: &str, fields: &[(&str, Value)], expected: &str) {
        let dir = RelPath::parse("src/app").unwrap();
        let target = Target {
            address: Address::new(&dir, "it"),
            kind: kind.to_owned(),
            fields: fields.iter().map(|(name, value)| (name.to_string(), value.clone())).collect(),
            sources: vec![dir.push("main-file.py").unwrap()],
            generator: None,
            build_file: RelPath::parse("src/app/BUILD").unwrap(),
            place: Place::default(),
        };
        let roots = SourceRoots::new(&["src"], &[], &[]).unwrap();
        let found = match start(&target, &roots, None) {
            Ok(start) => format!("{:?}", start.entry),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected);
    }

    fn str(text: &str) -> Value {
        Value::Str(text.to_owned())
    }

    fn list(texts: &[&str]) -> Value {
        Value::List(texts.iter().map(|text| str(text)).collect())
    }

    #[test]
    fn a_source_runs_as_a_module_or_as_a_script_if_its_path_is_no_module_name() {
        check("python_source", &[], "File(`src/app/main-file.py`)");
        let roots = SourceRoots::new(&["src"], &[], &[]).unwrap();
        let entry = |file: &str| source_entry(RelPath::parse(file).unwrap(), &roots);
        assert_eq!(entry("src/app/__main__.py"), Entry::Module("app.__main__".to_owned()));
        assert_eq!(entry("src/app/v2/run.py"), Entry::Module("app.v2.run".to_owned()));
        for file in ["src/app/2to3.py", "src/app/__init__.py", "src/my-app/run.py", "elsewhere/run.py", "src/app/tool"]
        {
            assert_eq!(entry(file), Entry::File(RelPath::parse(file).unwrap()));
        }
    }

    #[test]
    fn a_pex_binary_runs_its_entry_point_its_script_or_python() {
        check("pex_binary", &[("entry_point", str("main.py"))], r#"Module("app.main")"#);
        check(
            "pex_binary",
            &[("entry_point", str("main.py:run.it"))],
            r#"Function { module: "app.main", function: "run.it" }"#,
        );
        check("pex_binary", &[("script", str("tool"))], r#"Script("tool")"#);
        check("pex_binary", &[], "Python");
        check(
            "pex_binary",
            &[("entry_point", str("../../../x.py"))],
            "src/app:it: invalid entry point `../../../x.py`: the file is not below a source root",
        );
    }

    #[test]
    fn a_requirement_runs_its_module() {
        check("python_requirement", &[("requirements", list(&["PyYAML>=5"]))], r#"Module("yaml")"#);
        check("python_requirement", &[("requirements", list(&["attrs"]))], r#"Module("attrs")"#);
        check("python_requirement", &[("modules", list(&["m"]))], r#"Module("m")"#);
        check("python_requirement", &[("entry_point", str("a.b:c"))], r#"Function { module: "a.b", function: "c" }"#);
    }

    #[test]
    fn a_distribution_runs_its_only_script() {
        let scripts = |names: &[&str]| {
            let entries = names.iter().map(|name| (str(name), str("app.main:run"))).collect();
            ("entry_points", Value::Dict(vec![(str("console_scripts"), Value::Dict(entries))]))
        };
        check("python_distribution", &[scripts(&["a"])], r#"Function { module: "app.main", function: "run" }"#);
        check("python_distribution", &[scripts(&["a", "b"])], "src/app:it has several console scripts: `a`, `b`");
        check("python_distribution", &[], "src/app:it has no console script");
    }

    #[test]
    fn a_working_directory_is_relative_to_the_build_file_or_the_build_root() {
        let workdir = |written: &str, expected: &str| {
            let line = format!(r#"ShellLine {{ line: "ls", workdir: `{expected}`, name: "src/app:it" }}"#);
            check("run_shell_command", &[("command", str("ls")), ("workdir", str(written))], &line);
        };
        workdir(".", "src/app");
        workdir("./sub", "src/app/sub");
        workdir("/dist", "dist");
        workdir("/", ".");
    }
}
