//! From the packages' own trees to one root: merged below `usr/`, without what no step reads, with the few files that
//! maintainer scripts would have made. Every value is a function of the packages' bytes.

use std::collections::BTreeMap;

use super::Error;
use crate::base::RelPath;
use crate::store::{Node, Store, Tree};

/// Top-level directories that are links into `usr/` on every current distribution.
const MERGED: [&str; 5] = ["bin", "sbin", "lib", "lib32", "lib64"];
/// What is read by people, or differs by language.
const DROPPED: [&str; 10] = [
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
/// Everything else of `etc/` is made by the sandbox.
const KEPT: [&str; 2] = ["usr", "etc/ssl"];

/// Links that scripts make (update-alternatives(1)): made where the target is there and the link is not. First one wins.
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
/// Where programs look for trusted certificates.
pub const CA_BUNDLE: &str = "etc/ssl/certs/ca-certificates.crt";
const CERTIFICATE_LINKS: [(&str, &str); 2] = [
    ("usr/lib/ssl/certs", "../../../etc/ssl/certs"),
    ("usr/lib/ssl/cert.pem", "../../../etc/ssl/certs/ca-certificates.crt"),
];

/// Packages by name, each with the tree it was unpacked to.
pub fn compose(store: &Store, packages: Vec<(String, Tree)>) -> Result<Tree, Error> {
    let mut tree = lay(packages)?;
    let mut added = Vec::new();
    for (link, target) in LINKS {
        let there = tree.nodes.contains_key(&clean(&format!("usr/bin/{target}")));
        if there && !tree.nodes.contains_key(&clean(link)) {
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

fn lay(packages: Vec<(String, Tree)>) -> Result<Tree, Error> {
    let mut owners: BTreeMap<RelPath, (String, Node)> = BTreeMap::new();
    for (package, tree) in packages {
        for (path, node) in tree.nodes {
            let Some((path, node)) = place(&path, node) else { continue };
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
    drop_false_empties(&mut tree);
    Ok(tree)
}

/// A directory that is empty in one package may be filled by another.
fn drop_false_empties(tree: &mut Tree) {
    let filled: std::collections::BTreeSet<RelPath> = tree.nodes.keys().flat_map(|path| path.ancestors()).collect();
    tree.nodes.retain(|path, node| *node != Node::EmptyDirectory || !filled.contains(path));
}

/// Where a node of a package lies in the root; `None` where it is left out.
fn place(path: &RelPath, node: Node) -> Option<(RelPath, Node)> {
    let place = merged(path);
    let below = |dirs: &[&str]| dirs.iter().any(|dir| place.starts_with(&clean(dir)));
    if !below(&KEPT) || below(&DROPPED) {
        return None;
    }
    let node = match node {
        Node::Symlink { target } => Node::Symlink { target: moved_target(path, &place, &target)? },
        node => node,
    };
    Some((place, node))
}

fn merged(path: &RelPath) -> RelPath {
    match path.components().next() {
        Some(top) if MERGED.contains(&top) => clean("usr").join(path),
        _ => path.clone(),
    }
}

/// A link's text for its new place; `None` where it led to something that is left out.
fn moved_target(from: &RelPath, to: &RelPath, target: &str) -> Option<String> {
    let root = RelPath::root();
    let base = from.parent().unwrap_or_default();
    let base = if target.starts_with('/') { &root } else { &base };
    let aim = merged(&base.resolve(target.trim_start_matches('/')).ok()?);
    KEPT.iter().any(|dir| aim.starts_with(&clean(dir))).then(|| relative(&to.parent().unwrap_or_default(), &aim))
}

/// The way from a directory to a path, as text of a link.
fn relative(from: &RelPath, to: &RelPath) -> String {
    let (from, to): (Vec<_>, Vec<_>) = (from.components().collect(), to.components().collect());
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let mut parts = vec![".."; from.len() - shared];
    parts.extend(&to[shared..]);
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

/// All certificates that the package carries, concatenated by name, as update-ca-certificates(8) does.
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
    RelPath::parse(path).expect("constants of this file are clean")
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
        let laid = lay(vec![("p".to_owned(), tree(nodes))]).unwrap();
        assert_eq!(laid, tree(expected));
    }

    #[test]
    fn everything_ends_below_usr_and_links_still_lead_there() {
        check(&[("lib/x/libz.so.1", file("z"))], &[("usr/lib/x/libz.so.1", file("z"))]);
        check(&[("usr/lib/x/libz.so", link("../../../lib/x/libz.so.1"))], &[("usr/lib/x/libz.so", link("libz.so.1"))]);
        check(&[("lib64/ld.so", link("/lib/x/ld.so"))], &[("usr/lib64/ld.so", link("../lib/x/ld.so"))]);
        check(
            &[("usr/lib/ssl/certs", link("/etc/ssl/certs"))],
            &[("usr/lib/ssl/certs", link("../../../etc/ssl/certs"))],
        );
    }

    #[test]
    fn what_no_step_reads_is_left_out() {
        check(&[("usr/share/doc/p/copyright", file("c")), ("var/lib/p", file("v")), ("etc/p.conf", file("e"))], &[]);
        check(&[("usr/lib/p.py", link("/etc/p.py")), ("usr/out", link("../../out"))], &[]);
    }

    #[test]
    fn packages_that_disagree_are_named() {
        let (a, b) = (tree(&[("bin/x", file("1"))]), tree(&[("usr/bin/x", file("2"))]));
        let error = lay(vec![("a".to_owned(), a.clone()), ("b".to_owned(), b)]).unwrap_err();
        assert_eq!(error.to_string(), "packages `a` and `b` both have `usr/bin/x`, and they differ");
        assert!(lay(vec![("a".to_owned(), a.clone()), ("b".to_owned(), a)]).is_ok());
    }

    #[test]
    fn an_empty_directory_gives_way_to_what_another_package_puts_there() {
        let (a, b) = (tree(&[("usr/lib/d", Node::EmptyDirectory)]), tree(&[("usr/lib/d/f", file("1"))]));
        let laid = lay(vec![("a".to_owned(), a), ("b".to_owned(), b.clone())]).unwrap();
        assert_eq!(laid, b);
    }
}
