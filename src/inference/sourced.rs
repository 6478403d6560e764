//! The files that a shell script sources: text in, paths out. Which target owns them is `infer`'s.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use crate::base::RelPath;

/// As shellcheck finds them: paths from the build root that are written out, and those of its directive for others.
pub fn sourced(text: &str) -> BTreeSet<RelPath> {
    static COMMAND: LazyLock<Regex> = LazyLock::new(|| {
        let command = r#"(?:^|[;&|({!]|\b(?:then|do|else))[ \t]*(?:source|\.)[ \t]+(?:"([^"$`]+)"|'([^']+)'|([^\s"'$`;&|()<>]+))"#;
        Regex::new(command).expect("a pattern that tests compile")
    });
    static DIRECTIVE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^\s*#\s*shellcheck\s(?:.*\s)?source=(\S+)").expect("a pattern that tests compile")
    });
    let mut found = BTreeSet::new();
    for line in text.lines() {
        let pattern = if line.trim_start().starts_with('#') { &DIRECTIVE } else { &COMMAND };
        let paths = pattern.captures_iter(line).filter_map(|captures| captures.iter().skip(1).flatten().next());
        found.extend(paths.filter_map(|path| RelPath::parse(path.as_str()).ok()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let found = sourced(text);
        assert_eq!(found.iter().map(RelPath::as_str).collect::<Vec<_>>(), expected, "{text}");
    }

    #[test]
    fn written_out_paths_are_found_wherever_a_command_may_stand() {
        check("source a/x.sh\n. ./b.sh", &["a/x.sh", "b.sh"]);
        check("  if true; then source 'a b.sh'; fi", &["a b.sh"]);
        check("[ -f x.sh ] && . \"x.sh\" arg", &["x.sh"]);
        check("(. x.sh)", &["x.sh"]);
    }

    #[test]
    fn what_only_looks_like_it_is_none() {
        check("echo source a.sh\n# source b.sh\nresource c.sh\nsource $DIR/d.sh\n./run.sh e.sh\nsource ../f.sh", &[]);
    }

    #[test]
    fn a_directive_says_what_a_variable_means() {
        check("# shellcheck source=lib/x.sh\nsource \"$LIB/x.sh\"", &["lib/x.sh"]);
        check("# shellcheck disable=SC1 source=x.sh", &["x.sh"]);
        check("# shellcheck source=/dev/null\n. $X", &[]);
    }
}
