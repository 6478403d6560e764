//! Recognises from the error output of a failed build which Debian packages were missing.

use std::sync::LazyLock;

use regex::Regex;

/// Patterns of messages and the packages that provide what is missing. The first match counts.
const TOOLS: [(&str, &[&str]); 12] = [
    (r"Python\.h: No such file", &["gcc", "libc6-dev"]),
    (r"(g\+\+(-\d+)?|c\+\+)('|`|\x22)? (failed: No such file|.*not found)|[gc]\+\+: not found", &["g++"]),
    (r"(gcc(-\d+)?|\bcc)('|`|\x22)? (failed: No such file|.*not found)|\b(gcc|cc): not found", &["gcc", "libc6-dev"]),
    (r"unable to execute '[^']*(gcc|cc)'|No CMAKE_C_COMPILER|Unknown compiler\(s\): \[\['cc'", &["gcc", "libc6-dev"]),
    (r"No CMAKE_CXX_COMPILER|unable to execute '[^']*\+\+'", &["g++"]),
    (r"can't find Rust compiler|(cargo|rustc)\b.*(not found|No such file|not installed)", &["cargo"]),
    (r"pg_config\b.*not found", &["gcc", "libc6-dev", "libpq-dev"]),
    (r"pkg-config\b.*(not found|No such file|not installed)", &["pkg-config"]),
    (r"\bcmake\b.*(not found|No such file|not installed)|CMake must be installed", &["cmake"]),
    (r"\bmake: not found|'make'.*No such file", &["make"]),
    (r"\bgfortran\b.*(not found|No such file)", &["gfortran"]),
    (r"\bswig\b.*(not found|No such file)", &["swig"]),
];

/// Header files, by the beginning of their paths, and the packages that contain them.
const HEADERS: [(&str, &str); 16] = [
    ("ffi.h", "libffi-dev"),
    ("jpeglib.h", "libjpeg-dev"),
    ("lber.h", "libldap-dev"),
    ("ldap.h", "libldap-dev"),
    ("libpq-fe.h", "libpq-dev"),
    ("libxml/", "libxml2-dev"),
    ("libxslt/", "libxslt1-dev"),
    ("mysql", "default-libmysqlclient-dev"),
    ("openssl/", "libssl-dev"),
    ("sasl/", "libsasl2-dev"),
    ("snappy", "libsnappy-dev"),
    ("sqlite3.h", "libsqlite3-dev"),
    ("unicode/", "libicu-dev"),
    ("yaml.h", "libyaml-dev"),
    ("zlib.h", "zlib1g-dev"),
    ("zmq.h", "libzmq3-dev"),
];

/// What to do about the failed build of a source distribution; `None` if the output names nothing that is missing.
pub fn hint(file_name: &str, stderr: &str) -> Option<String> {
    static PATTERNS: LazyLock<Vec<(Regex, &[&str])>> = LazyLock::new(|| {
        TOOLS.iter().map(|(pattern, packages)| (Regex::new(pattern).expect("a constant"), *packages)).collect()
    });
    // A dot would separate two keys in TOML.
    let name = file_name.rsplit_once('-').map_or(file_name, |(name, _)| name).replace(['_', '.'], "-");
    let add = |packages: &[&str]| {
        let packages = packages.iter().map(|package| format!("\"{package}\"")).collect::<Vec<_>>().join(", ");
        format!("add `{name} = [{packages}]` to the section `[system.build_packages]` of `waders.toml`")
    };
    if let Some((_, packages)) = PATTERNS.iter().find(|(pattern, _)| pattern.is_match(stderr)) {
        return Some(add(packages));
    }
    let header = missing_header(stderr)?;
    match HEADERS.iter().find(|(start, _)| header.starts_with(start)) {
        Some((_, package)) => Some(add(&["gcc", "libc6-dev", package])),
        None => Some(format!(
            "add the Debian package that contains the header file `{header}` to the packages of `{name}` in the section \
             `[system.build_packages]` of `waders.toml`"
        )),
    }
}

/// The header file that a C or C++ compiler did not find.
fn missing_header(stderr: &str) -> Option<&str> {
    let line =
        stderr.lines().find(|line| line.contains("fatal error: ") && line.ends_with("No such file or directory"))?;
    line.split("fatal error: ").nth(1)?.strip_suffix(": No such file or directory")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stderr: &str, expected: Option<&str>) {
        let expected = expected.map(|line| {
            format!("add `net-faces = [{line}]` to the section `[system.build_packages]` of `waders.toml`")
        });
        assert_eq!(hint("net_faces-0.11.0.tar.gz", &format!("note: building\n{stderr}\n")), expected, "{stderr}");
    }

    #[test]
    fn a_missing_tool_is_recognised() {
        let gcc = Some(r#""gcc", "libc6-dev""#);
        check("error: command 'x86_64-linux-gnu-gcc' failed: No such file or directory", gcc);
        check("error: command 'gcc' failed: No such file or directory", gcc);
        check("/bin/sh: 1: gcc: not found", gcc);
        check("../meson.build:1:0: ERROR: Unknown compiler(s): [['cc'], ['gcc']]", gcc);
        check("error: command 'x86_64-linux-gnu-g++' failed: No such file or directory", Some(r#""g++""#));
        check("error: can't find Rust compiler", Some(r#""cargo""#));
        check("Error: pg_config executable not found.", Some(r#""gcc", "libc6-dev", "libpq-dev""#));
    }

    #[test]
    fn a_missing_header_is_recognised() {
        let fatal = |header: &str| format!("c/_ffi.c:15:10: fatal error: {header}: No such file or directory");
        check(&fatal("ffi.h"), Some(r#""gcc", "libc6-dev", "libffi-dev""#));
        check(&fatal("openssl/ssl.h"), Some(r#""gcc", "libc6-dev", "libssl-dev""#));
        let unknown = hint("a-1.tar.gz", &fatal("rare.h")).unwrap();
        assert!(unknown.contains("the header file `rare.h` to the packages of `a`"), "{unknown}");
    }

    #[test]
    fn other_failures_have_no_hint() {
        check("SyntaxError: invalid syntax", None);
        check("error: command 'x86_64-linux-gnu-gcc' failed with exit code 1", None);
    }
}
