//! Whether a symlink of a tree stays inside it, whatever other links of the tree it passes through. No files here.

use crate::base::RelPath;
use crate::store::tree::{Node, Tree};

/// As many links as Linux follows in one path (path_resolution(7)).
const MAX_FOLLOWED: usize = 40;

/// The first symlink whose target, followed as the kernel would, is absolute or climbs out of the tree. Dangling links
/// and loops stay inside.
pub fn first_that_leaves(tree: &Tree) -> Option<(&RelPath, &str)> {
    tree.nodes.iter().find_map(|(path, node)| match node {
        Node::Symlink { target } if leaves(tree, path, target) => Some((path, target.as_str())),
        _ => None,
    })
}

fn leaves(tree: &Tree, link: &RelPath, target: &str) -> bool {
    if target.starts_with('/') {
        return true;
    }
    let mut at: Vec<String> = link.parent().unwrap_or_default().components().map(str::to_owned).collect();
    // The rest of the way, next component last.
    let mut left: Vec<String> = reversed(target);
    let mut followed = 0;
    while let Some(part) = left.pop() {
        match part.as_str() {
            "" | "." => {}
            ".." if at.pop().is_none() => return true,
            ".." => {}
            _ => {
                at.push(part);
                let Some(next) = link_at(tree, &at) else { continue };
                followed += 1;
                if followed > MAX_FOLLOWED {
                    return false;
                }
                if next.starts_with('/') {
                    return true;
                }
                at.pop();
                left.extend(reversed(next));
            }
        }
    }
    false
}

fn reversed(target: &str) -> Vec<String> {
    target.split('/').rev().map(str::to_owned).collect()
}

fn link_at<'t>(tree: &'t Tree, at: &[String]) -> Option<&'t str> {
    match tree.nodes.get(&RelPath::parse(&at.join("/")).ok()?) {
        Some(Node::Symlink { target }) => Some(target),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(links: &[(&str, &str)], leaving: Option<&str>) {
        let path = |text: &str| RelPath::parse(text).unwrap();
        let node = |target: &str| Node::Symlink { target: target.to_owned() };
        let tree = Tree { nodes: links.iter().map(|(at, target)| (path(at), node(target))).collect() };
        assert_eq!(first_that_leaves(&tree).map(|(path, _)| path.as_str()), leaving, "{links:?}");
    }

    #[test]
    fn links_that_stay_inside_pass() {
        check(&[("a/b", "../c"), ("d", "a/./b"), ("e", "nowhere"), ("f", "f"), ("g/h", "..")], None);
    }

    #[test]
    fn links_that_leave_are_found() {
        check(&[("a", "/etc/passwd")], Some("a"));
        check(&[("a/b", "../../c")], Some("a/b"));
        check(&[("a", "b/../../c")], Some("a"));
    }

    #[test]
    fn a_link_that_leaves_through_another_link_is_found() {
        check(&[("sub/up", ".."), ("sub/out", "up/../x")], Some("sub/out"));
    }
}
