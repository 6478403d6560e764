//! The parts of an interpreter's prefix that steps need, and where it is mounted. The same for every provider that brings
//! a whole prefix.

use crate::base::{RelPath, sandbox_paths};

/// `/toolchain/python3.12`
pub fn mount_point(minor: &str) -> String {
    format!("{}/python{minor}", sandbox_paths::TOOLCHAIN)
}

/// `3.12.1` to `3.12`
pub fn minor(version: &str) -> String {
    version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".")
}

/// Whether a path of a prefix is taken. Not: installed packages, which come from a lock; caches, which are made anew;
/// the interpreter's own tests; what needs a display; archives for static linking.
pub fn is_kept(path: &RelPath, minor: &str) -> bool {
    let parts: Vec<&str> = path.components().collect();
    let python = format!("python{minor}");
    if parts.contains(&"__pycache__") || matches!(path.extension(), Some("a" | "pyc" | "pyo" | "exe")) {
        return false;
    }
    match parts.as_slice() {
        ["bin", name] => *name == python,
        // Directories on the way to the others.
        ["bin" | "lib" | "include" | "share"] | ["lib", "pkgconfig"] => true,
        ["lib", name] if *name == python => true,
        ["lib", name] => name.starts_with("libpython") && name.contains(".so"),
        ["lib", "pkgconfig", name] => name.contains(minor),
        ["include", name, ..] => name.strip_prefix(python.as_str()).is_some_and(|rest| !rest.contains('.')),
        ["lib", name, rest @ ..] if *name == python => is_kept_of_library(rest),
        // Data that interpreters that run anywhere bring along.
        ["share", "terminfo", ..] => true,
        _ => false,
    }
}

fn is_kept_of_library(parts: &[&str]) -> bool {
    const DROPPED: [&str; 6] = ["test", "idlelib", "turtledemo", "site-packages", "dist-packages", "sitecustomize.py"];
    const EXTENSIONS: [&str; 5] = ["_tkinter", "_test", "_ctypes_test", "_xxtestfuzz", "xxlimited"];
    match parts {
        [name, ..] if DROPPED.contains(name) => false,
        // `unittest/test`, `sqlite3/test` …; not `ctypes/macholib` nor a module `test.py`.
        [_, "test" | "tests", ..] => false,
        ["lib-dynload", name] => !EXTENSIONS.iter().any(|prefix| name.starts_with(prefix)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: bool) {
        assert_eq!(is_kept(&RelPath::parse(path).unwrap(), "3.12"), expected, "{path}");
    }

    #[test]
    fn the_interpreter_and_its_library_are_taken_and_nothing_installed() {
        for path in [
            "bin/python3.12",
            "lib/libpython3.12.so.1.0",
            "lib/python3.12/os.py",
            "lib/python3.12/lib-dynload/_ssl.cpython-312-x86_64-linux-gnu.so",
            "lib/python3.12/ensurepip/_bundled/pip-1-py3-none-any.whl",
            "include/python3.12/Python.h",
            "lib/pkgconfig/python-3.12.pc",
        ] {
            check(path, true);
        }
        for path in [
            "bin/pip",
            "bin/python3.12-config",
            "lib/python3.12/site-packages/pip/__init__.py",
            "lib/python3.12/__pycache__/os.cpython-312.pyc",
            "lib/python3.12/test/test_os.py",
            "lib/python3.12/unittest/test/support.py",
            "lib/python3.12/config-3.12-x86_64-linux-gnu/libpython3.12.a",
            "lib/python3.11/os.py",
            "include/python3.1/Python.h",
            "share/man/man1/python3.1",
        ] {
            check(path, false);
        }
    }

    #[test]
    fn a_minor_version_is_two_numbers() {
        assert_eq!((minor("3.12.1"), minor("3.12")), ("3.12".to_owned(), "3.12".to_owned()));
    }
}
