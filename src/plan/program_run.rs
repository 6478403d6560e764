//! The command lines of programs of the repository, and the actions that give a program or a shell the terminal in a sandbox.
//! What a program needs is planned in `prepare::run`.

use std::collections::BTreeMap;

use crate::action::{Action, CachePolicy, Command, Policy, Source};
use crate::base::{RelPath, sandbox_paths};
use crate::plan::{environment, service_run};

/// Calls the function of an entry point.
const RUN_ENTRY_POINT: &str = include_str!("run_entry_point.py");

/// The shell of every system tree.
const SH: &str = "/bin/sh";

/// Executes a script with bash where it exists, as Pants does, and otherwise with the shell of every system tree.
const RUN_SCRIPT: &str = "command -v bash >/dev/null 2>&1 && exec bash \"$@\"\nexec sh \"$@\"";

/// The prompt of a shell in a sandbox.
const PROMPT: &str = "(sandbox) $ ";

/// The command line of the shell that runs scripts and command lines, with these arguments.
pub fn shell_argv(words: &[&str]) -> Vec<String> {
    [&[SH, "-c", RUN_SCRIPT, "sh"], words].concat().into_iter().map(str::to_owned).collect()
}

/// What a program starts with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A Python source file, relative to the build root, as a script.
    File(RelPath),
    /// A module, as with `python -m`.
    Module(String),
    /// A function, which is called without arguments and returns the exit code.
    Function {
        /// The module that contains the function.
        module: String,
        /// The name of the function in the module, with dots for an attribute.
        function: String,
    },
    /// A script that a requirement installs, by name.
    Script(String),
    /// Python itself.
    Python,
    /// A shell script, relative to the build root.
    ShellFile(RelPath),
    /// A command line of the shell.
    ShellLine {
        /// The command line.
        line: String,
        /// The working directory, relative to the build root.
        workdir: RelPath,
        /// The name of the command in messages of the shell.
        name: String,
    },
}

/// Where a program finds what it starts with.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    /// The interpreter.
    pub python: &'a str,
    /// The options of the interpreter.
    pub options: &'a [&'a str],
    /// The directory of scripts of requirements.
    pub bin: &'a str,
    /// The directory with the sources.
    pub sources: &'a str,
    /// The build root, where the program runs.
    pub build_root: &'a str,
}

impl Entry {
    /// The command line without the arguments of the program. `name` is the name of the program in `sys.argv`, if the entry does
    /// not decide it.
    pub fn argv(&self, places: &Places<'_>, name: &str) -> Vec<String> {
        let below = |dir: &str, path: &RelPath| match path.is_root() {
            true => dir.to_owned(),
            false => format!("{dir}/{path}"),
        };
        let python = |words: &[&str]| {
            let words = [places.python].into_iter().chain(places.options.iter().copied()).chain(words.iter().copied());
            words.map(str::to_owned).collect()
        };
        match self {
            Entry::File(file) => python(&[&below(places.sources, file)]),
            Entry::Module(module) => python(&["-m", module]),
            Entry::Function { module, function } => python(&["-c", RUN_ENTRY_POINT, name, module, function]),
            Entry::Script(script) => vec![format!("{}/{script}", places.bin)],
            Entry::Python => python(&[]),
            Entry::ShellFile(file) => shell_argv(&[&below(places.sources, file)]),
            Entry::ShellLine { line, workdir, name } => {
                let dir = below(places.build_root, workdir);
                let line = line.replace("{chroot}", places.sources);
                shell_argv(&["-c", &format!("cd {} || exit\n{line}", quoted(&dir)), name])
            }
        }
    }
}

/// A program in a sandbox.
#[derive(Clone, Debug)]
pub struct SandboxedProgram {
    /// The name of the program in messages.
    pub label: String,
    /// The command line.
    pub argv: Vec<String>,
    /// Variables of the program, in addition to those of every step.
    pub env: BTreeMap<String, String>,
    /// Its sources.
    pub sources: Source,
    /// Everything else in the sandbox, by mount point.
    pub images: BTreeMap<String, Source>,
    /// Whether it may use the network.
    pub network: bool,
}

/// The places of a sandbox. `options` are those of the interpreter.
pub fn sandbox_places<'a>(options: &'a [&'a str]) -> Places<'a> {
    Places {
        python: sandbox_paths::DEPS_PYTHON,
        options,
        bin: sandbox_paths::DEPS_BIN,
        sources: sandbox_paths::SRC,
        build_root: sandbox_paths::SRC,
    }
}

/// The options of an interpreter of this minor version that imports nothing from the directory of the program. As in Pants, a
/// program on this machine (`on_host`) ignores the variables of Python. In a sandbox nobody but the program sets them.
pub fn python_options(minor: &str, on_host: bool) -> &'static [&'static str] {
    if has_safe_path(minor) && !on_host { &["-P"] } else { &["-I"] }
}

/// Whether an interpreter of this minor version, such as `3.11`, has the option `-P`, which exists since Python 3.11.
pub fn has_safe_path(minor: &str) -> bool {
    minor.split_once('.').and_then(|(_, minor)| minor.parse().ok()).is_some_and(|minor: u32| minor >= 11)
}

/// The action that runs a program with the terminal. `terminal` is the type of the terminal.
pub fn action(program: SandboxedProgram, terminal: Option<&str>) -> Action {
    let label = program.label.clone();
    in_terminal(command(program), label, terminal)
}

/// The command that runs a program.
pub fn command(program: SandboxedProgram) -> Command {
    let mut env = environment::base();
    environment::add_requested(&mut env, &program.env);
    let mut command = Command::new(program.argv, env, program.sources, program.images);
    command.network = program.network;
    command
}

/// The action that opens a shell in the sandbox of another action, or runs a command there.
pub fn shell(action: &Action, command: &[String], terminal: Option<&str>) -> Action {
    let mut shell = action.command.clone();
    // The services of the step are started for the shell, too.
    shell.argv.truncate(service_run::count_added(&shell.argv));
    match command {
        [] => shell.argv.push(SH.to_owned()),
        words => {
            let start = [SH, "-c", "exec \"$@\"", "sh"].map(str::to_owned).into_iter();
            shell.argv.extend(start.chain(words.iter().cloned()));
        }
    }
    shell.env.insert("PS1".to_owned(), PROMPT.to_owned());
    in_terminal(shell, action.policy.label.clone(), terminal)
}

fn in_terminal(mut command: Command, label: String, terminal: Option<&str>) -> Action {
    command.terminal = true;
    if let Some(terminal) = terminal {
        command.env.entry("TERM".to_owned()).or_insert_with(|| terminal.to_owned());
    }
    let mut policy = Policy::new(label);
    policy.cache = CachePolicy { read: false, write: false, success_codes: vec![0] };
    Action { command, policy }
}

/// Words as one command line of a shell.
pub fn command_line(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(entry: Entry, expected: &str) {
        let places =
            Places { python: "/v/bin/python", options: &["-I"], bin: "/v/bin", sources: "/copy", build_root: "/root" };
        assert_eq!(command_line(&entry.argv(&places, "name")), expected);
    }

    fn path(text: &str) -> RelPath {
        RelPath::parse(text).unwrap()
    }

    #[test]
    fn the_command_line_follows_from_the_entry() {
        check(Entry::File(path("src/a-b.py")), "/v/bin/python -I /copy/src/a-b.py");
        check(Entry::Module("a.b".to_owned()), "/v/bin/python -I -m a.b");
        check(Entry::Script("tool".to_owned()), "/v/bin/tool");
        check(Entry::Python, "/v/bin/python -I");
    }

    #[test]
    fn a_shell_line_runs_below_the_build_root() {
        let line = Entry::ShellLine { line: "ls $1".to_owned(), workdir: path("a b"), name: "n".to_owned() };
        let places = Places { python: "", options: &[], bin: "", sources: "/copy", build_root: "/root" };
        assert_eq!(line.argv(&places, "")[4..], ["-c", "cd '/root/a b' || exit\nls $1", "n"]);
    }

    #[test]
    fn old_interpreters_have_no_safe_path() {
        assert_eq!(python_options("3.10", false), ["-I"]);
        assert_eq!(python_options("3.11", false), ["-P"]);
        assert_eq!(python_options("3.11", true), ["-I"]);
    }
}
