//! The submodules of a commit: the file `.gitmodules` says where they come from, and the tree of the commit which commits they have
//! (gitmodules(5), gitsubmodules(7)).

use std::collections::BTreeMap;
use std::path::Path;

use crate::base::RelPath;
use crate::session::git::source::{Error, git, output};

/// A repository in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Submodule {
    /// Where its files belong in the repository that contains it.
    pub path: RelPath,
    /// Its repository.
    pub url: String,
    /// The commit that the containing commit names.
    pub commit: String,
}

/// The submodules of a commit in a bare repository that was fetched from `url`. Those that git does not check out by itself
/// (`update = none`) are left out.
pub(super) fn find(repository: &Path, url: &str, commit: &str) -> Result<Vec<Submodule>, Error> {
    if entry(repository, commit, ".gitmodules")?.is_empty() {
        return Ok(Vec::new());
    }
    let blob = format!("{commit}:.gitmodules");
    let words = ["config", "--blob", &blob, "-z", "--get-regexp", r"^submodule\..*\.(path|url|update)$"];
    let settings = output(git(repository, &words), "config")?;
    let mut found = Vec::new();
    for settings in sections(&String::from_utf8_lossy(&settings)).values() {
        let (Some(path), Some(from)) = (settings.get("path"), settings.get("url")) else { continue };
        let Ok(path) = RelPath::parse(path) else { continue };
        let entry = entry(repository, commit, path.as_str())?;
        let locked = entry.strip_prefix("160000 commit ").and_then(|rest| rest.split('\t').next());
        if let Some(commit) = locked.filter(|_| settings.get("update").is_none_or(|update| *update != "none")) {
            found.push(Submodule { path, url: absolute(url, from), commit: commit.to_owned() });
        }
    }
    Ok(found)
}

/// What the tree of a commit has at a path: mode, type, object and path; empty if there is nothing.
fn entry(repository: &Path, commit: &str, path: &str) -> Result<String, Error> {
    let words = ["--literal-pathspecs", "ls-tree", "-z", "--full-tree", commit, "--", path];
    let printed = output(git(repository, &words), "ls-tree")?;
    Ok(String::from_utf8_lossy(&printed).trim_end_matches('\0').to_owned())
}

/// The settings of each submodule by its name, from `submodule.<name>.<key>` and a value in the next line.
fn sections(settings: &str) -> BTreeMap<&str, BTreeMap<&str, &str>> {
    let mut sections: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for (name, value) in settings.split('\0').filter_map(|setting| setting.split_once('\n')) {
        if let Some((name, key)) = name.strip_prefix("submodule.").and_then(|name| name.rsplit_once('.')) {
            sections.entry(name).or_default().insert(key, value);
        }
    }
    sections
}

/// The URL of a submodule, which may be relative to that of the repository: `../other.git`.
fn absolute(url: &str, of_submodule: &str) -> String {
    if !of_submodule.starts_with("./") && !of_submodule.starts_with("../") {
        return of_submodule.to_owned();
    }
    let (mut base, mut separator, mut rest) = (url.trim_end_matches('/'), "/", of_submodule);
    loop {
        if let Some(after) = rest.strip_prefix("./") {
            rest = after;
        } else if let Some((after, at)) = rest.strip_prefix("../").zip(base.rfind(['/', ':'])) {
            (rest, separator, base) = (after, &base[at..=at], &base[..at]);
        } else {
            return format!("{base}{separator}{rest}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_urls_are_those_beside_the_repository() {
        let check = |url: &str, of_submodule: &str, expected: &str| assert_eq!(absolute(url, of_submodule), expected);
        check("https://git.example.invalid/a/b.git", "../c.git", "https://git.example.invalid/a/c.git");
        check("https://git.example.invalid/a/b/", "../../c/d", "https://git.example.invalid/c/d");
        check("git@git.example.invalid:b.git", "../c.git", "git@git.example.invalid:c.git");
        check("/srv/b", "./c", "/srv/b/c");
        check("/srv/b", "https://git.example.invalid/c", "https://git.example.invalid/c");
    }

    #[test]
    fn names_of_submodules_may_have_dots() {
        let found = sections("submodule.a.b.path\nlibs/a\0submodule.a.b.url\n../a\0");
        assert_eq!(found["a.b"], BTreeMap::from([("path", "libs/a"), ("url", "../a")]));
    }
}
