//! Detects symbolic links that leave their tree, directly or through other links of the tree. Works on trees as values, not on files.

use crate::base::RelPath;
use crate::store::tree::{Node, Tree};

/// The number of links that Linux follows in one path (path_resolution(7)).
const MAX_FOLLOWED: usize = 40;

/// The first symbolic link whose target is absolute or outside the tree when it is resolved as the kernel does, with the target.
/// Dangling links and loops are allowed.
pub fn first_escaping(tree: &Tree) -> Option<(&RelPath, &str)> {
    tree.nodes.iter().find_map(|(path, node)| match node {
        Node::Symlink { target } if escapes(tree, path, target) => Some((path, target.as_str())),
        _ => None,
    })
}

fn escapes(tree: &Tree, link: &RelPath, target: &str) -> bool {
    if target.starts_with('/') {
        return true;
    }
    let mut at: Vec<String> = link.parent().unwrap_or_default().components().map(str::to_owned).collect();
    // The remaining components, the next one last.
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

    fn check(links: &[(&str, &str)], escaping: Option<&str>) {
        let path = |text: &str| RelPath::parse(text).unwrap();
        let node = |target: &str| Node::Symlink { target: target.to_owned() };
        let tree = Tree { nodes: links.iter().map(|(at, target)| (path(at), node(target))).collect() };
        assert_eq!(first_escaping(&tree).map(|(path, _)| path.as_str()), escaping, "{links:?}");
    }

    #[test]
    fn links_inside_the_tree_are_allowed() {
        check(&[("a/b", "../c"), ("d", "a/./b"), ("e", "nowhere"), ("f", "f"), ("g/h", "..")], None);
    }

    #[test]
    fn escaping_links_are_detected() {
        check(&[("a", "/etc/passwd")], Some("a"));
        check(&[("a/b", "../../c")], Some("a/b"));
        check(&[("a", "b/../../c")], Some("a"));
    }

    #[test]
    fn a_link_that_escapes_through_another_link_is_detected() {
        check(&[("sub/up", ".."), ("sub/out", "up/../x")], Some("sub/out"));
    }
}
