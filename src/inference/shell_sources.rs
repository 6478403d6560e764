//! Finds the files that a shell script sources. Works on text alone; `infer` finds the targets that own the files.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use crate::base::RelPath;

/// The files that `text` sources, relative to the build root. Follows shellcheck: literal paths are recognised, and a
/// `# shellcheck source=` directive names the file for a path with variables.
pub(super) fn find_sourced_files(text: &str) -> BTreeSet<RelPath> {
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
        let found = find_sourced_files(text);
        assert_eq!(found.iter().map(RelPath::as_str).collect::<Vec<_>>(), expected, "{text}");
    }

    #[test]
    fn literal_paths_are_found_in_every_command_position() {
        check("source a/x.sh\n. ./b.sh", &["a/x.sh", "b.sh"]);
        check("  if true; then source 'a b.sh'; fi", &["a b.sh"]);
        check("[ -f x.sh ] && . \"x.sh\" arg", &["x.sh"]);
        check("(. x.sh)", &["x.sh"]);
    }

    #[test]
    fn similar_text_is_not_a_source_command() {
        check("echo source a.sh\n# source b.sh\nresource c.sh\nsource $DIR/d.sh\n./run.sh e.sh\nsource ../f.sh", &[]);
    }

    #[test]
    fn a_directive_names_the_file_for_a_path_with_variables() {
        check("# shellcheck source=lib/x.sh\nsource \"$LIB/x.sh\"", &["lib/x.sh"]);
        check("# shellcheck disable=SC1 source=x.sh", &["x.sh"]);
        check("# shellcheck source=/dev/null\n. $X", &[]);
    }
}
