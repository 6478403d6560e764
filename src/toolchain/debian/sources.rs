//! apt's own settings: which mirror, suite and keyring this machine uses. Both forms (sources.list(5)); only what is
//! needed to find one archive.

use std::path::{Path, PathBuf};

use super::paragraph::paragraphs;
use crate::tracked::Tracker;

/// An archive of packages: where it is and who signs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The directory that holds `dists/` and `pool/`.
    pub mirror: String,
    pub suite: String,
    pub signed_by: SignedBy,
    /// The setting that names it, for messages.
    pub named_by: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedBy {
    /// Nothing is said: the machine's own archive keyrings are meant.
    Default,
    Files(Vec<PathBuf>),
    /// An armoured key in the settings themselves.
    Inline(String),
}

#[derive(Clone, Debug)]
pub struct SourcesFile {
    pub path: PathBuf,
    pub text: String,
}

/// The files that apt reads below its directory (`/etc/apt`), in its order. Files that cannot be read are left out.
pub fn files(tracker: &Tracker, apt_dir: &Path) -> Vec<SourcesFile> {
    let mut paths = vec![apt_dir.join("sources.list")];
    let parts = tracker.read_dir(&apt_dir.join("sources.list.d")).into_iter().flatten().flatten();
    let mut parts: Vec<PathBuf> = parts.map(|entry| entry.path()).collect();
    parts.sort();
    paths.extend(parts.into_iter().filter(|path| has_extension(path, "list") || has_extension(path, "sources")));
    let read = |path: PathBuf| tracker.read_to_string(&path).ok().map(|text| SourcesFile { path, text });
    paths.into_iter().filter_map(read).collect()
}

/// The archives with a component `main`, overlays (`-updates`, `-security` …) left out. Those of the suite `codename`, the
/// machine's own release, come first, since other vendors' archives may be listed before it.
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

/// A key block has its lines indented, and its empty lines as dots.
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
    fn both_forms_are_read_and_overlays_left_out() {
        let text = "# mine\nTypes: deb deb-src\nURIs: http://m.example.invalid/debian\nSuites: bookworm bookworm-updates\n\
                    # a comment\nComponents: main contrib\n\nTypes: deb-src\nURIs: http://s.example.invalid\nSuites: bookworm\nComponents: main\n";
        check("/a.sources", text, &[("http://m.example.invalid/debian", "bookworm")]);
        let text = "deb [arch=amd64 signed-by=/k.gpg] http://m.example.invalid/debian bookworm main # x\n\
                    deb http://m.example.invalid/debian bookworm-security main\ndeb cdrom:[x]/ bookworm main\n\
                    #deb http://n.example.invalid bookworm main\ndeb http://o.example.invalid ./\ndebian\n";
        check("/sources.list", text, &[("http://m.example.invalid/debian", "bookworm")]);
    }

    #[test]
    fn disabled_archives_and_other_components_do_not_count() {
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
    fn keys_are_files_or_stand_in_the_settings() {
        assert_eq!(signed_by("/a.gpg,/b.gpg"), SignedBy::Files(vec!["/a.gpg".into(), "/b.gpg".into()]));
        assert_eq!(signed_by(""), SignedBy::Default);
        let inline = signed_by("\n -----BEGIN PGP\n .\n abc\n");
        assert_eq!(inline, SignedBy::Inline("-----BEGIN PGP\n\nabc\n".to_owned()));
    }
}
