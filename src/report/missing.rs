//! What a process missed in its sandbox, as its output shows. What the user can do about it is decided by the goal.

use std::sync::LazyLock;

use regex::Regex;

use crate::report::escapes::without_escapes;

/// Something that a process did not find.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Missing {
    /// A file, a directory or a program, as the process named it.
    Path(String),
    /// A program, by its file name.
    Program(String),
    /// A shared library, such as `libGL.so.1`.
    Library(String),
    /// A Python module, such as `app.plugins.mail`.
    Module(String),
    /// A host of the network.
    Network,
}

/// The message of one kind of [`Missing`].
struct Pattern {
    kind: fn(&str) -> Missing,
    /// The first group is the name.
    message: Regex,
}

static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let path: fn(&str) -> Missing = |name| Missing::Path(name.to_owned());
    let program: fn(&str) -> Missing = |name| Missing::Program(name.to_owned());
    let library: fn(&str) -> Missing = |name| Missing::Library(name.to_owned());
    let module: fn(&str) -> Missing = |name| Missing::Module(name.to_owned());
    let network: fn(&str) -> Missing = |_| Missing::Network;
    let patterns = [
        // Python's errors, and `python FILE`.
        (path, r"No such file or directory: b?'([^'\n]+)'"),
        (path, r#"No such file or directory: b?"([^"\n]+)""#),
        (path, r"can't open file '([^'\n]+)'"),
        // Programs of coreutils, such as `cat`.
        (path, r"(?m)^(?:E +)?[\w.+-]+: (?:cannot \w+ )?['‘]?([\w./+-]+)['’]?: No such file or directory"),
        // Shells, and `env` in the first line of a script.
        (program, r"(?m)^(?:E +)?(?:/\S*/)?\w*sh: (?:line )?\d+: ([\w.+-]+): (?:command )?not found"),
        (program, r"(?m)^(?:E +)?(?:/usr/bin/)?env: ['‘]?([\w.+-]+)['’]?: No such file or directory"),
        // The Python packages plumbum, which copier uses, and GitPython.
        (program, r"CommandNotFound\(\.\.\.\), '([\w.+-]+)', \["),
        (program, r"Bad (git) executable"),
        // The dynamic loader, and Python's import of an extension module.
        (library, r"([\w.+-]+\.so(?:\.\d+)*): cannot open shared object file"),
        (module, r"ModuleNotFoundError: No module named '([\w.]+)'"),
        // The resolver (gai_strerror(3)), the kernel, curl and git.
        (network, r"(Temporary failure in name resolution|Name or service not known|Network is unreachable)"),
        (network, r"(Could not resolve host)"),
    ];
    let compile = |(kind, message)| Pattern { kind, message: Regex::new(message).expect("tests use every pattern") };
    patterns.map(compile).into()
});

/// What was missing, without repetitions, in the order of the patterns and of the output.
pub fn find(output: &str) -> Vec<Missing> {
    let output = without_escapes(output);
    let mut found = Vec::new();
    for pattern in PATTERNS.iter() {
        for groups in pattern.message.captures_iter(&output) {
            let missing = (pattern.kind)(&groups[1]);
            if !found.contains(&missing) {
                found.push(missing);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(output: &str, expected: &[Missing]) {
        assert_eq!(find(output), expected, "{output}");
    }

    fn path(name: &str) -> Missing {
        Missing::Path(name.to_owned())
    }

    fn program(name: &str) -> Missing {
        Missing::Program(name.to_owned())
    }

    #[test]
    fn missing_files_are_found_once() {
        let line = "E   FileNotFoundError: [Errno 2] No such file or directory: '/src/data/a b.csv'";
        check(&format!("{line}\n\u{1b}[31m{line}\u{1b}[0m\n"), &[path("/src/data/a b.csv")]);
        check("FileNotFoundError: [Errno 2] No such file or directory: b'x'", &[path("x")]);
        check("[Errno 2] No such file or directory: \"it's\"", &[path("it's")]);
        check(
            "/deps/bin/python: can't open file '/src/run.py': [Errno 2] No such file or directory",
            &[path("/src/run.py")],
        );
        check("cat: data/a.csv: No such file or directory\n", &[path("data/a.csv")]);
        check("ls: cannot access 'data': No such file or directory\n", &[path("data")]);
    }

    #[test]
    fn missing_programs_are_found_in_messages_of_shells() {
        check("/bin/sh: 1: git: not found\n", &[program("git")]);
        check("bash: line 3: rsync: command not found\n", &[program("rsync")]);
        check("/usr/bin/env: ‘node’: No such file or directory\n", &[program("node")]);
    }

    #[test]
    fn missing_programs_are_found_in_errors_of_python_packages() {
        let plumbum =
            "E   plumbum.commands.processes.CommandNotFound: (CommandNotFound(...), 'git', [<LocalPath /deps/bin>])";
        check(plumbum, &[program("git")]);
        check("E   ImportError: Bad git executable.\n", &[program("git")]);
    }

    #[test]
    fn missing_libraries_and_modules_have_their_names() {
        let library = Missing::Library("libGL.so.1".to_owned());
        let cause = "libGL.so.1: cannot open shared object file: No such file or directory";
        check(&format!("E   ImportError: {cause}\n"), std::slice::from_ref(&library));
        check(&format!("x: error while loading shared libraries: {cause}\n"), &[library]);
        check("E   ModuleNotFoundError: No module named 'app.mail'\n", &[Missing::Module("app.mail".to_owned())]);
    }

    #[test]
    fn a_missing_network_is_recognized() {
        check("socket.gaierror: [Errno -3] Temporary failure in name resolution", &[Missing::Network]);
        check("OSError: [Errno 101] Network is unreachable", &[Missing::Network]);
        check("curl: (6) Could not resolve host: example.invalid", &[Missing::Network]);
    }

    #[test]
    fn other_output_shows_nothing_missing() {
        check("assert 1 == 2\nNo such file or directory\nhello: not found\n", &[]);
    }
}
