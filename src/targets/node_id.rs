//! Names of single tests as pytest writes them: `a/b_test.py::TestC::test_d[1]`. The file selects targets like any other spec; which
//! tests of it run is decided by pytest.

/// A spec that names tests of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeId<'t> {
    /// The spec of the file.
    pub file: &'t str,
    /// What follows the file: classes, the function, parameters in brackets.
    pub names: &'t str,
}

impl<'t> NodeId<'t> {
    /// Parses a spec. `None` if it is one of another form: `a_test.py::` and `dir::` are recursive specs.
    pub fn parse(spec: &'t str) -> Option<NodeId<'t>> {
        let (file, names) = spec.split_once("::")?;
        let names = Some(names).filter(|names| !names.trim_matches(':').is_empty())?;
        file.ends_with(".py").then_some(NodeId { file, names })
    }

    /// Whether one process can be narrowed by it: a glob selects several files, and an exclusion selects the others.
    pub fn is_selection(&self) -> bool {
        !self.file.contains(['*', '?']) && !self.file.starts_with(['-', '!'])
    }
}

/// The spec, or that of the file if it names tests of a file.
pub fn without_names(spec: &str) -> &str {
    NodeId::parse(spec).map_or(spec, |node| node.file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(spec: &str, expected: Option<(&str, &str)>) {
        let found = NodeId::parse(spec).filter(NodeId::is_selection);
        assert_eq!(found.map(|node| (node.file, node.names)), expected, "{spec}");
    }

    #[test]
    fn names_of_tests_follow_the_file() {
        check("a/b_test.py::test_c", Some(("a/b_test.py", "test_c")));
        check("b_test.py::TestC::test_d[x::y/z-1]", Some(("b_test.py", "TestC::test_d[x::y/z-1]")));
        check("//a/b_test.py::TestC", Some(("//a/b_test.py", "TestC")));
    }

    #[test]
    fn other_specs_have_no_names_of_tests() {
        for spec in ["a::", "b_test.py::", "b_test.py", "b_test.py:tests", "a::b", "b_test.py::::", "::", ""] {
            check(spec, None);
            assert_eq!(without_names(spec), spec);
        }
        for spec in ["*_test.py::test_a", "-a_test.py::test_b", "!a_test.py::test_b"] {
            check(spec, None);
        }
    }
}
