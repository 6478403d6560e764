//! The sources of apt (sources.list(5)), in both formats: the mirror, suite and keyring that this machine uses. Only the
//! options that are needed to find one archive are supported.

use std::path::{Path, PathBuf};

use super::paragraph::paragraphs;
use crate::tracked::Tracker;

/// A package archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The address of the directory with `dists/` and `pool/`.
    pub mirror: String,
    /// Such as `bookworm`.
    pub suite: String,
    /// The keys that it is signed with.
    pub signed_by: SignedBy,
    /// The setting that names the archive, for messages.
    pub named_by: String,
}

/// The keys of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedBy {
    /// The machine's archive keyrings, since the option is not set.
    Default,
    /// Keyring files.
    Files(Vec<PathBuf>),
    /// An armoured key in the option itself.
    Inline(String),
}

/// A file of apt's sources.
#[derive(Clone, Debug)]
pub struct SourcesFile {
    /// Where it was found.
    pub path: PathBuf,
    /// Its content.
    pub text: String,
}

/// Reads the sources below apt's directory (`/etc/apt`), in apt's order. Unreadable files are ignored.
pub fn files(tracker: &Tracker, apt_dir: &Path) -> Vec<SourcesFile> {
    let mut paths = vec![apt_dir.join("sources.list")];
    let parts = tracker.read_dir(&apt_dir.join("sources.list.d")).into_iter().flatten().flatten();
    let mut parts: Vec<PathBuf> = parts.map(|entry| entry.path()).collect();
    parts.sort();
    paths.extend(parts.into_iter().filter(|path| has_extension(path, "list") || has_extension(path, "sources")));
    let read = |path: PathBuf| tracker.read_to_string(&path).ok().map(|text| SourcesFile { path, text });
    paths.into_iter().filter_map(read).collect()
}

/// The archives with the component `main`, without overlays such as `-updates` and `-security`. Those of the suite
/// `codename`, the machine's own release, come first, since apt may list other vendors' archives before them.
pub fn sources(files: &[SourcesFile], codename: Option<&str>) -> Vec<Source> {
    let mut sources: Vec<Source> = files
        .iter()
        .flat_map(|file| if has_extension(&file.path, "sources") { deb822(file) } else { one_line(file) })
        .filter(|source| !source.suite.contains(['-', '/']))
        .collect();
    sources.sort_by_key(|source| Some(source.suite.as_str()) != codename);
    sources
}

fn deb822(file: &SourcesFile) -> Vec<Source> {
    let mut sources = Vec::new();
    for fields in paragraphs(&file.text) {
        let field = |name: &str| fields.get_any_case(name).unwrap_or_default();
        let words = |name: &str| field(name).split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let enabled = !matches!(field("Enabled").trim(), "no" | "false" | "0");
        let useful =
            words("Types").iter().any(|kind| kind == "deb") && words("Components").iter().any(|name| name == "main");
        if !enabled || !useful {
            continue;
        }
        let signed_by = signed_by(field("Signed-By"));
        for mirror in words("URIs").into_iter().filter(|uri| uri.contains("://") || uri.starts_with("file:")) {
            for suite in words("Suites") {
                let named_by = format!("`{}`", file.path.display());
                sources.push(Source { mirror: mirror.clone(), suite, signed_by: signed_by.clone(), named_by });
            }
        }
    }
    sources
}

/// In an inline key, the lines are indented and empty lines are written as dots.
fn signed_by(value: &str) -> SignedBy {
    if value.contains("-----BEGIN") {
        let lines = value.lines().map(|line| line.trim()).map(|line| if line == "." { "" } else { line });
        return SignedBy::Inline(lines.skip_while(|line| line.is_empty()).map(|line| format!("{line}\n")).collect());
    }
    let files: Vec<PathBuf> =
        value.split([' ', ',', '\n']).filter(|path| path.starts_with('/')).map(PathBuf::from).collect();
    if files.is_empty() { SignedBy::Default } else { SignedBy::Files(files) }
}

fn one_line(file: &SourcesFile) -> Vec<Source> {
    let mut sources = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let Some(rest) = line.strip_prefix("deb").filter(|rest| rest.starts_with([' ', '\t', '['])) else { continue };
        let rest = rest.trim_start();
        let (options, rest) = match rest.strip_prefix('[') {
            Some(rest) => rest.split_once(']').unwrap_or((rest, "")),
            None => ("", rest),
        };
        let mut words = rest.split_whitespace();
        let (Some(mirror), Some(suite)) = (words.next(), words.next()) else { continue };
        if !words.any(|component| component == "main") || !(mirror.contains("://") || mirror.starts_with("file:")) {
            continue;
        }
        let key = options.split_whitespace().find_map(|option| option.strip_prefix("signed-by="));
        sources.push(Source {
            mirror: mirror.to_owned(),
            suite: suite.to_owned(),
            signed_by: signed_by(key.unwrap_or_default()),
            named_by: format!("`{}:{}`", file.path.display(), at + 1),
        });
    }
    sources
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str, expected: &[(&str, &str)]) {
        let file = SourcesFile { path: path.into(), text: text.to_owned() };
        let found = sources(&[file], Some("bookworm"));
        let found: Vec<_> = found.iter().map(|source| (source.mirror.as_str(), source.suite.as_str())).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn both_formats_are_read_and_overlays_ignored() {
        let text = "# mine\nTypes: deb deb-src\nURIs: http://m.example.invalid/debian\nSuites: bookworm bookworm-updates\n\
                    # a comment\nComponents: main contrib\n\nTypes: deb-src\nURIs: http://s.example.invalid\nSuites: bookworm\nComponents: main\n";
        check("/a.sources", text, &[("http://m.example.invalid/debian", "bookworm")]);
        let text = "deb [arch=amd64 signed-by=/k.gpg] http://m.example.invalid/debian bookworm main # x\n\
                    deb http://m.example.invalid/debian bookworm-security main\ndeb cdrom:[x]/ bookworm main\n\
                    #deb http://n.example.invalid bookworm main\ndeb http://o.example.invalid ./\ndebian\n";
        check("/sources.list", text, &[("http://m.example.invalid/debian", "bookworm")]);
    }

    #[test]
    fn disabled_archives_and_other_components_are_ignored() {
        let text = "Enabled: no\nTypes: deb\nURIs: http://m.example.invalid\nSuites: bookworm\nComponents: main\n";
        check("/a.sources", text, &[]);
        check("/a.list", "deb http://m.example.invalid bookworm stable\n", &[]);
    }

    #[test]
    fn the_machines_own_release_comes_first() {
        let text = "deb http://v.example.invalid tool main\ndeb http://m.example.invalid/debian bookworm main\n";
        let expected = [("http://m.example.invalid/debian", "bookworm"), ("http://v.example.invalid", "tool")];
        check("/a.list", text, &expected);
    }

    #[test]
    fn keys_are_files_or_inline() {
        assert_eq!(signed_by("/a.gpg,/b.gpg"), SignedBy::Files(vec!["/a.gpg".into(), "/b.gpg".into()]));
        assert_eq!(signed_by(""), SignedBy::Default);
        let inline = signed_by("\n -----BEGIN PGP\n .\n abc\n");
        assert_eq!(inline, SignedBy::Inline("-----BEGIN PGP\n\nabc\n".to_owned()));
    }
}
