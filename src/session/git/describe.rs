//! The commit that is checked out, as versions are computed from it: the nearest tag, the distance to it, and local changes. As with
//! setuptools_scm, only tags with a digit count.

use std::path::Path;

use super::{CloneKind, Error, git};
use crate::plan::version_run::Description;
use crate::tracked::Tracker;

/// Describes the commit that is checked out. An error outside of a git repository.
pub(in crate::session) fn describe(tracker: &Tracker, build_root: &Path) -> Result<Description, Error> {
    // No tracked file shows whether tags or commits changed.
    tracker.mark_untraceable();
    let text = |words: &[&str]| Ok::<_, Error>(String::from_utf8_lossy(&git(build_root, words)?).trim().to_owned());
    text(&["rev-parse", "--git-dir"])?;
    let optional = |words: &[&str]| text(words).ok().filter(|text| !text.is_empty());
    let branch = optional(&["rev-parse", "--abbrev-ref", "HEAD"]);
    let node_date = optional(&["log", "-1", "--format=%cs", "HEAD"]);
    let described = optional(&["describe", "--dirty", "--tags", "--long", "--match", "*[0-9]*"]);
    if let Some(found) = described.as_deref().and_then(parse) {
        return Ok(Description { branch, node_date, ..found });
    }
    let Some(node) = optional(&["rev-parse", "--short", "HEAD"]) else {
        return Ok(Description { dirty: true, ..Description::default() });
    };
    let distance = text(&["rev-list", "--count", "HEAD"])?.parse().unwrap_or_default();
    let dirty = !text(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Ok(Description { node: Some(format!("g{node}")), distance, dirty, branch, node_date, ..Description::default() })
}

/// The nearest tag with a digit; `None` without one, and outside of a git repository. Unlike all that `describe` finds, it follows from
/// few files, so that a later run can tell that it is the same.
pub(in crate::session) fn nearest_tag(tracker: &Tracker, build_root: &Path) -> Option<String> {
    let text = |words: &[&str]| Some(String::from_utf8_lossy(&git(build_root, words).ok()?).trim().to_owned());
    // Outside of a repository, its first directory appears with it.
    let _ = tracker.metadata(&build_root.join(".git"));
    let dirs = text(&["rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir"])?;
    let (own, common) = dirs.split_once('\n').map(|(own, common)| (Path::new(own), Path::new(common)))?;
    let head = tracker.read_to_string(&own.join("HEAD")).unwrap_or_default();
    let branch = head.trim().strip_prefix("ref: ").map(|name| common.join(name));
    for file in branch.into_iter().chain(["packed-refs", "shallow"].map(|name| common.join(name))) {
        let _ = tracker.metadata(&file);
    }
    track_tags(tracker, &common.join("refs/tags"));
    if tracker.metadata(&common.join("reftable")).is_ok() {
        tracker.mark_untraceable();
    }
    text(&["describe", "--tags", "--abbrev=0", "--match", "*[0-9]*"]).filter(|tag| !tag.is_empty())
}

/// Records the files of the tags that are not packed, some of which are in directories.
fn track_tags(tracker: &Tracker, path: &Path) {
    let _ = tracker.metadata(path);
    for entry in tracker.read_dir(path).into_iter().flatten().flatten() {
        track_tags(tracker, &entry.path());
    }
}

/// Whether the clone has only a part of the history, so that tags may be missing.
pub(in crate::session) fn is_shallow(build_root: &Path) -> bool {
    super::clone_kind(build_root) == CloneKind::Shallow
}

/// `TAG-DISTANCE-gCOMMIT`, perhaps with `-dirty`.
fn parse(text: &str) -> Option<Description> {
    let (text, dirty) = match text.strip_suffix("-dirty") {
        Some(text) => (text, true),
        None => (text, false),
    };
    let (rest, node) = text.rsplit_once('-')?;
    let (tag, distance) = rest.rsplit_once('-')?;
    let distance = distance.parse().ok()?;
    Some(Description {
        tag: Some(tag.to_owned()),
        distance,
        node: Some(node.to_owned()),
        dirty,
        ..Description::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_may_contain_dashes() {
        let parsed = |text: &str| parse(text).map(|found| (found.tag.unwrap(), found.distance, found.dirty));
        assert_eq!(parsed("app-v1.0-rc1-37-g9bd1298-dirty"), Some(("app-v1.0-rc1".to_owned(), 37, true)));
        assert_eq!(parsed("1.5.0-0-g4060507"), Some(("1.5.0".to_owned(), 0, false)));
        assert_eq!(parsed("1.5.0"), None);
    }
}
