//! The top-level modules of the standard libraries of all Python versions since 2.7, which need no owner. The list is
//! in `stdlib.txt`.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Whether the top-level package of `module` is part of the standard library of some Python version.
pub fn is_stdlib(module: &str) -> bool {
    static NAMES: LazyLock<HashSet<&str>> = LazyLock::new(|| include_str!("stdlib.txt").lines().collect());
    NAMES.contains(module.split('.').next().unwrap_or(module))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_new_modules_are_recognised() {
        for module in ["os.path", "urllib2", "tomllib", "__future__.annotations", "xml.etree.ElementTree", "_winreg"] {
            assert!(is_stdlib(module), "{module}");
        }
        for module in ["osx", "yaml", "", ".os", "numpy.os"] {
            assert!(!is_stdlib(module), "{module}");
        }
    }

    #[test]
    fn the_list_is_sorted_and_clean() {
        let lines: Vec<&str> = include_str!("stdlib.txt").lines().collect();
        assert!(lines.is_sorted(), "sorted");
        assert!(lines.iter().all(|line| !line.contains(['.', ' ']) && !line.is_empty()), "one word a line");
    }
}
