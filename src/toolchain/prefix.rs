//! The parts of an interpreter's prefix that steps need, and the mount point of the prefix. Used by the providers that
//! supply a whole prefix, `standalone` and `host`.

use crate::base::{RelPath, sandbox_paths};

/// The mount point of a minor version: `/toolchain/python3.12` for `3.12`.
pub(super) fn mount_point(minor: &str) -> String {
    format!("{}/python{minor}", sandbox_paths::TOOLCHAIN)
}

/// The minor version of a full version: `3.12` for `3.12.1`.
pub fn minor_version(version: &str) -> &str {
    let end = version.match_indices('.').nth(1).map_or(version.len(), |(dot, _)| dot);
    &version[..end]
}

/// True if a toolchain contains this path of a prefix. Excluded are installed packages, which come from lockfiles; bytecode
/// caches, which are compiled by steps; the interpreter's own tests; modules that need a display; and static libraries.
pub(super) fn is_needed(path: &RelPath, minor: &str) -> bool {
    let parts: Vec<&str> = path.components().collect();
    let python = format!("python{minor}");
    if parts.contains(&"__pycache__") || matches!(path.extension(), Some("a" | "pyc" | "pyo" | "exe")) {
        return false;
    }
    match parts.as_slice() {
        ["bin", name] => *name == python,
        // The parent directories of the others.
        ["bin" | "lib" | "include" | "share"] | ["lib", "pkgconfig"] => true,
        ["lib", name] if *name == python => true,
        ["lib", name] => name.starts_with("libpython") && name.contains(".so"),
        ["lib", "pkgconfig", name] => name.contains(minor),
        ["include", name, ..] => name.strip_prefix(python.as_str()).is_some_and(|rest| !rest.contains('.')),
        ["lib", name, rest @ ..] if *name == python => is_needed_in_library(rest),
        // Standalone interpreters contain the data of ncurses.
        ["share", "terminfo", ..] => true,
        _ => false,
    }
}

fn is_needed_in_library(parts: &[&str]) -> bool {
    const EXCLUDED: [&str; 6] = ["test", "idlelib", "turtledemo", "site-packages", "dist-packages", "sitecustomize.py"];
    const EXTENSIONS: [&str; 5] = ["_tkinter", "_test", "_ctypes_test", "_xxtestfuzz", "xxlimited"];
    match parts {
        [name, ..] if EXCLUDED.contains(name) => false,
        // `unittest/test` and `sqlite3/test`, but not a module `test.py`.
        [_, "test" | "tests", ..] => false,
        ["lib-dynload", name] => !EXTENSIONS.iter().any(|prefix| name.starts_with(prefix)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: bool) {
        assert_eq!(is_needed(&RelPath::parse(path).unwrap(), "3.12"), expected, "{path}");
    }

    #[test]
    fn the_interpreter_and_its_library_are_needed_and_installed_packages_are_not() {
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
        assert_eq!(["3.12.1", "3.12", "3.13.0rc1", "3"].map(minor_version), ["3.12", "3.12", "3.13", "3"]);
    }
}
