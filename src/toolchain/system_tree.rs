//! Merges the trees of packages into a system tree: everything is moved below `usr/`, documentation is removed, and the few
//! required files that maintainer scripts create are added. The result depends only on the packages' content.

use std::collections::BTreeMap;

use super::Error;
use crate::base::RelPath;
use crate::store::{Node, Store, Tree};

/// Top-level directories that are links into `usr/` on all current distributions ("merged /usr").
const MERGED: [&str; 5] = ["bin", "sbin", "lib", "lib32", "lib64"];
/// Directories that steps do not read: documentation, translations and desktop files.
const EXCLUDED: [&str; 10] = [
    "usr/share/applications",
    "usr/share/bug",
    "usr/share/doc",
    "usr/share/doc-base",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/menu",
    "usr/share/pixmaps",
];
/// Directories of the system tree. The sandbox generates the rest of `etc/`.
const INCLUDED: [&str; 2] = ["usr", "etc/ssl"];

/// Links that maintainer scripts create (update-alternatives(1)). They are added if the target exists and the link does not;
/// the first target wins.
const LINKS: [(&str, &str); 8] = [
    ("usr/bin/sh", "dash"),
    ("usr/bin/sh", "bash"),
    ("usr/bin/awk", "gawk"),
    ("usr/bin/awk", "mawk"),
    ("usr/bin/which", "which.debianutils"),
    ("usr/bin/cc", "gcc"),
    ("usr/bin/c++", "g++"),
    ("usr/bin/pager", "more"),
];

const CERTIFICATES: &str = "usr/share/ca-certificates";
/// The bundle of trusted certificates at the path where programs search for it.
pub(super) const CA_BUNDLE: &str = "etc/ssl/certs/ca-certificates.crt";
const CERTIFICATE_LINKS: [(&str, &str); 2] = [
    ("usr/lib/ssl/certs", "../../../etc/ssl/certs"),
    ("usr/lib/ssl/cert.pem", "../../../etc/ssl/certs/ca-certificates.crt"),
];

/// Composes the system tree from packages: pairs of a name and the unpacked tree. Adds only files to `store`.
pub(super) fn compose(store: &Store, packages: Vec<(String, Tree)>) -> Result<Tree, Error> {
    let mut tree = merge_packages(packages)?;
    let mut added = Vec::new();
    for (link, target) in LINKS {
        let has_target = tree.nodes.contains_key(&clean(&format!("usr/bin/{target}")));
        if has_target && !tree.nodes.contains_key(&clean(link)) {
            tree.nodes.insert(clean(link), Node::Symlink { target: target.to_owned() });
        }
    }
    if let Some(bundle) = ca_bundle(store, &tree)? {
        added.push((clean(CA_BUNDLE), bundle));
        added
            .extend(CERTIFICATE_LINKS.map(|(link, target)| (clean(link), Node::Symlink { target: target.to_owned() })));
    }
    tree.nodes.extend(added);
    Ok(tree)
}

fn merge_packages(packages: Vec<(String, Tree)>) -> Result<Tree, Error> {
    let mut owners: BTreeMap<RelPath, (String, Node)> = BTreeMap::new();
    for (package, tree) in packages {
        for (path, node) in tree.nodes {
            let Some((path, node)) = relocate(&path, node) else { continue };
            match owners.get(&path) {
                Some((_, other)) if *other == node || node == Node::EmptyDirectory => {}
                Some((first, other)) if *other != Node::EmptyDirectory => {
                    let (path, first) = (path.to_string(), first.clone());
                    return Err(Error::PackagesConflict { path, first, second: package });
                }
                _ => drop(owners.insert(path, (package.clone(), node))),
            }
        }
    }
    let mut tree = Tree { nodes: owners.into_iter().map(|(path, (_, node))| (path, node)).collect() };
    remove_filled_directories(&mut tree);
    Ok(tree)
}

/// Removes the marks of directories that are empty in one package and filled by another.
fn remove_filled_directories(tree: &mut Tree) {
    let filled: std::collections::BTreeSet<RelPath> = tree.nodes.keys().flat_map(|path| path.ancestors()).collect();
    tree.nodes.retain(|path, node| *node != Node::EmptyDirectory || !filled.contains(path));
}

/// The path and content of a package's node in the system tree; `None` if it is excluded.
fn relocate(path: &RelPath, node: Node) -> Option<(RelPath, Node)> {
    // Since Debian 13, `base-files` contains the links into `usr/` that the installer created before.
    if MERGED.contains(&path.as_str()) && matches!(node, Node::Symlink { .. }) {
        return None;
    }
    let new_path = merged(path);
    let is_below = |dirs: &[&str]| dirs.iter().any(|dir| new_path.starts_with(&clean(dir)));
    if !is_below(&INCLUDED) || is_below(&EXCLUDED) {
        return None;
    }
    let node = match node {
        Node::Symlink { target } => Node::Symlink { target: relocated_target(path, &new_path, &target)? },
        node => node,
    };
    Some((new_path, node))
}

fn merged(path: &RelPath) -> RelPath {
    match path.components().next() {
        Some(top) if MERGED.contains(&top) => clean("usr").join(path),
        _ => path.clone(),
    }
}

/// The target of a link at its new path; `None` if the target is excluded.
fn relocated_target(from: &RelPath, to: &RelPath, target: &str) -> Option<String> {
    let root = RelPath::root();
    let base = from.parent().unwrap_or_default();
    let base = if target.starts_with('/') { &root } else { &base };
    let target = merged(&base.resolve(target.trim_start_matches('/')).ok()?);
    INCLUDED
        .iter()
        .any(|dir| target.starts_with(&clean(dir)))
        .then(|| relative(&to.parent().unwrap_or_default(), &target))
}

/// The relative path from a directory to a path, as the target of a link.
fn relative(from: &RelPath, to: &RelPath) -> String {
    let (from, to): (Vec<_>, Vec<_>) = (from.components().collect(), to.components().collect());
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let mut parts = vec![".."; from.len() - shared];
    parts.extend(&to[shared..]);
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

/// All certificates of `ca-certificates` in one file, sorted by name, as by update-ca-certificates(8).
fn ca_bundle(store: &Store, tree: &Tree) -> Result<Option<Node>, Error> {
    let dir = clean(CERTIFICATES);
    let mut bundle = Vec::new();
    for (path, node) in tree.nodes.iter().filter(|(path, _)| path.starts_with(&dir)) {
        if let (Some("crt"), Node::File { digest, .. }) = (path.extension(), node) {
            bundle.extend(store.get(*digest)?);
            if bundle.last() != Some(&b'\n') {
                bundle.push(b'\n');
            }
        }
    }
    if bundle.is_empty() {
        return Ok(None);
    }
    Ok(Some(Node::File { digest: store.put(&bundle)?, executable: false }))
}

fn clean(path: &str) -> RelPath {
    RelPath::parse(path).expect("constants are clean")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Digest;

    fn file(content: &str) -> Node {
        Node::File { digest: Digest::of(content.as_bytes()), executable: false }
    }

    fn link(target: &str) -> Node {
        Node::Symlink { target: target.to_owned() }
    }

    fn tree(nodes: &[(&str, Node)]) -> Tree {
        Tree { nodes: nodes.iter().map(|(path, node)| (clean(path), node.clone())).collect() }
    }

    fn check(nodes: &[(&str, Node)], expected: &[(&str, Node)]) {
        let merged = merge_packages(vec![("p".to_owned(), tree(nodes))]).unwrap();
        assert_eq!(merged, tree(expected));
    }

    #[test]
    fn files_move_below_usr_and_links_are_adjusted() {
        check(&[("lib/x/libz.so.1", file("z"))], &[("usr/lib/x/libz.so.1", file("z"))]);
        check(&[("usr/lib/x/libz.so", link("../../../lib/x/libz.so.1"))], &[("usr/lib/x/libz.so", link("libz.so.1"))]);
        check(&[("lib64/ld.so", link("/lib/x/ld.so"))], &[("usr/lib64/ld.so", link("../lib/x/ld.so"))]);
        check(
            &[("usr/lib/ssl/certs", link("/etc/ssl/certs"))],
            &[("usr/lib/ssl/certs", link("../../../etc/ssl/certs"))],
        );
    }

    #[test]
    fn the_links_into_usr_are_not_part_of_it() {
        check(
            &[("bin", link("usr/bin")), ("lib", link("/usr/lib")), ("bin/x", file("x"))],
            &[("usr/bin/x", file("x"))],
        );
    }

    #[test]
    fn documentation_and_configuration_are_excluded() {
        check(&[("usr/share/doc/p/copyright", file("c")), ("var/lib/p", file("v")), ("etc/p.conf", file("e"))], &[]);
        check(&[("usr/lib/p.py", link("/etc/p.py")), ("usr/out", link("../../out"))], &[]);
    }

    #[test]
    fn conflicting_packages_are_named() {
        let (a, b) = (tree(&[("bin/x", file("1"))]), tree(&[("usr/bin/x", file("2"))]));
        let error = merge_packages(vec![("a".to_owned(), a.clone()), ("b".to_owned(), b)]).unwrap_err();
        assert_eq!(error.to_string(), "packages `a` and `b` contain different files `usr/bin/x`");
        assert!(merge_packages(vec![("a".to_owned(), a.clone()), ("b".to_owned(), a)]).is_ok());
    }

    #[test]
    fn an_empty_directory_is_replaced_by_the_files_of_another_package() {
        let (a, b) = (tree(&[("usr/lib/d", Node::EmptyDirectory)]), tree(&[("usr/lib/d/f", file("1"))]));
        let merged = merge_packages(vec![("a".to_owned(), a), ("b".to_owned(), b.clone())]).unwrap();
        assert_eq!(merged, b);
    }
}
