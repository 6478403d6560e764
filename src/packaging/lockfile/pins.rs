//! The pins of a lockfile whose text may be damaged: by conflict markers of git, or otherwise. A new resolution prefers them.
//! Reads line by line and skips what it does not understand; `parse` reads sound lockfiles.

use std::collections::{BTreeMap, BTreeSet};

use uv_normalize::PackageName;
use uv_pep440::Version;

use super::{Format, detect_format, is_conflict_marker};

/// The pinned versions of each package. A package has several if the versions are for different environments, or if both
/// sides of a merge conflict pin it.
pub type Pins = BTreeMap<PackageName, BTreeSet<Version>>;

/// Whether the text has conflict markers.
pub fn has_conflict(text: &str) -> bool {
    text.lines().any(|line| line != "=======" && is_conflict_marker(line))
}

/// The two sides of a file with conflict markers. Lines without a conflict are in both.
pub fn sides(text: &str) -> [String; 2] {
    let mut sides = [String::new(), String::new()];
    let (mut ours, mut theirs) = (true, true);
    for line in text.split_inclusive('\n') {
        (ours, theirs) = match line.trim_end() {
            marker if marker.starts_with("<<<<<<< ") => (true, false),
            marker if marker.starts_with("||||||| ") => (false, false),
            "=======" if ours != theirs || !ours => (false, true),
            marker if marker.starts_with(">>>>>>> ") => (true, true),
            _ => {
                [ours, theirs]
                    .iter()
                    .zip(&mut sides)
                    .filter(|(is_on, _)| **is_on)
                    .for_each(|(_, side)| side.push_str(line));
                continue;
            }
        };
    }
    sides
}

/// The pins of a lockfile of any format.
pub fn read(text: &str) -> Pins {
    let mut pins = Pins::new();
    let mut add = |name: &str, version: &str| {
        let parsed = name.parse::<PackageName>().ok().zip(version.parse::<Version>().ok());
        if let Some((name, version)) = parsed {
            pins.entry(name).or_default().insert(version);
        }
    };
    match detect_format(text) {
        Format::Requirements => requirement_lines(text).for_each(|(name, version)| add(name, version)),
        format => {
            let keys =
                if format == Format::Pex { ("\"project_name\": ", "\"version\": ") } else { ("name = ", "version = ") };
            let mut name = None;
            for line in text.lines().filter_map(|line| key_line(line, format)) {
                if line.starts_with('[') {
                    name = None;
                } else if let Some(value) = line.strip_prefix(keys.0) {
                    name = Some(unquote(value));
                } else if let (Some(name), Some(version)) = (name, line.strip_prefix(keys.1)) {
                    add(name, unquote(version));
                }
            }
        }
    }
    // The project that uv locked is not a package, but has the same form.
    pins.retain(|name, _| !text.contains(&format!("name = \"{name}\"\nversion = \"0.0.0\"\nsource = {{ virtual")));
    pins
}

/// A line that may contain a key: in TOML, lines of nested tables are indented.
fn key_line(line: &str, format: Format) -> Option<&str> {
    match format {
        Format::Pex => Some(line.trim()),
        _ => (!line.starts_with(' ')).then_some(line),
    }
}

fn unquote(value: &str) -> &str {
    value.trim_end_matches(',').trim_matches('"')
}

fn requirement_lines(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = text.lines().filter(|line| !line.starts_with([' ', '#', '-']));
    lines.filter_map(|line| {
        let (name, version) = line.split_once("==")?;
        let name = name.split('[').next().unwrap_or_default().trim();
        Some((name, version.split([' ', ';', '\\', '\t']).find(|word| !word.is_empty())?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let pins = read(text);
        let texts =
            pins.iter().flat_map(|(name, versions)| versions.iter().map(move |version| format!("{name} {version}")));
        assert_eq!(texts.collect::<Vec<_>>(), expected, "{text}");
    }

    #[test]
    fn pins_of_all_formats_are_read() {
        check(
            "// head\n{\"locked_resolves\": [{\n  \"project_name\": \"Six\",\n  \"requires_dists\": [],\n  \"version\": \"1.16\"\n}]}",
            &["six 1.16"],
        );
        check(
            "version = 1\n[[package]]\nname = \"root\"\nversion = \"0.0.0\"\nsource = { virtual = \".\" }\ndependencies = [\n    { name = \"six\", version = \"1\" },\n]\n\
             [[package]]\nname = \"six\"\nversion = \"1.16.0\"\n",
            &["six 1.16.0"],
        );
        let text = "lock-version = \"1.0\"\n[[packages]]\nname = \"six\"\nversion = \"2\"\n[tool.waders.metadata]\nversion = 3\n";
        check(text, &["six 2"]);
        check(
            "# x==1\nsix[a]==1.16.0 ; python_version < '3' \\\n    --hash=sha256:00\nb == 2\n",
            &["b 2", "six 1.16.0"],
        );
    }

    #[test]
    fn both_sides_of_a_conflict_are_read() {
        let text = "{\n  \"project_name\": \"a\",\n<<<<<<< HEAD\n  \"version\": \"1\"\n=======\n  \"version\": \"2\"\n>>>>>>> other\n}";
        assert!(has_conflict(text));
        check(text, &["a 1", "a 2"]);
        let side = |version: &str| format!("{{\n  \"project_name\": \"a\",\n  \"version\": \"{version}\"\n}}");
        assert_eq!(sides(text), [side("1"), side("2")]);
        assert_eq!(sides("<<<<<<< a\n1\n||||||| b\n0\n=======\n2\n>>>>>>> c\n3\n"), ["1\n3\n", "2\n3\n"]);
        let text = "<<<<<<< HEAD\na==1 \\\n=======\na==2 \\\n>>>>>>> other\n    --hash=sha256:00\n";
        check(text, &["a 1", "a 2"]);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_reading_panic(text in "[ -~\n\"\\[\\]{}=;#é]{0,200}", format in 0..4_usize) {
            let heads = ["{", "[[package]]\nname = \"", "lock-version = 1\n", "a=="];
            drop(read(&format!("{}{text}", heads[format])));
        }
    }
}
