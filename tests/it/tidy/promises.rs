//! The tests that `docs/security.md` and `docs/reproducibility.md` name in their tables exist, so that no promise outlives its test.

use std::path::Path;

use super::files;

/// The names in the last column of the tables of a page.
fn named_tests(page: &str) -> Vec<String> {
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise"));
    let last = rows.filter_map(|row| row.trim_end_matches(" |").rsplit(" | ").next());
    last.flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// Whether a test has this name: a function, a test of the sandbox's suite, a program or a transcript.
fn exists(name: &str, sources: &[(String, String)]) -> bool {
    let (function, of_suite) = (format!("fn {name}()"), format!("\"{name}\","));
    sources.iter().any(|(path, text)| {
        let file_name = path.rsplit('/').next().unwrap_or_default();
        text.contains(&function)
            || text.contains(&of_suite)
            || file_name == name
            || file_name.strip_suffix(".py") == Some(name)
    })
}

#[test]
fn the_tests_that_the_page_on_security_names_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = files(root, &["src", "sandbox", "tests"], &["rs", "py", "trycmd"]);
    let named = named_tests(&std::fs::read_to_string(root.join("docs/security.md")).unwrap());
    assert!(named.len() > 50, "the tables of the page could not be read");
    let missing: Vec<&String> = named.iter().filter(|name| !exists(name, &sources)).collect();
    assert!(missing.is_empty(), "docs/security.md names tests that do not exist: {missing:#?}");
}

#[test]
fn the_tests_that_the_page_on_reproducibility_names_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = files(root, &["src", "sandbox", "tests"], &["rs", "py", "trycmd"]);
    let page = std::fs::read_to_string(root.join("docs/reproducibility.md")).unwrap();
    let named = named_tests(page.split("## Conditions").next().unwrap());
    assert!(named.len() > 5, "the table of the page could not be read");
    let missing: Vec<&String> = named.iter().filter(|name| !exists(name, &sources)).collect();
    assert!(missing.is_empty(), "docs/reproducibility.md names tests that do not exist: {missing:#?}");
}

#[test]
fn a_name_without_a_test_is_found() {
    let sources = [("a/b.rs".to_owned(), "fn one_is_kept() {\n suite.test(\"two are kept\", x)".to_owned())];
    for (name, expected) in [
        ("one_is_kept", true),
        ("two are kept", true),
        ("two are", false),
        ("one_is", false),
        ("b.rs", true),
        ("b", false),
    ] {
        assert_eq!(exists(name, &sources), expected, "{name}");
    }
    assert_eq!(named_tests("| promise | tests |\n|---|---|\n| `x` is kept | `one`, `two are` |\n"), ["one", "two are"]);
}

#[test]
fn the_tests_of_all_cases_exist_and_the_table_has_a_row_for_each_case() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = files(root, &["src", "sandbox", "tests"], &["rs", "py", "trycmd"]);
    let text = std::fs::read_to_string(root.join("tests/matrix/cases.toml")).unwrap();
    let cases: toml::Table = toml::from_str(&text).unwrap();
    let page = std::fs::read_to_string(root.join("docs/security.md")).unwrap();
    for (name, case) in &cases {
        let tests = case["tests"].as_array().unwrap().iter().map(|test| test.as_str().unwrap());
        let missing: Vec<&str> = tests.filter(|test| !exists(test, &sources)).collect();
        assert!(missing.is_empty(), "{name} names tests that do not exist: {missing:?}");
        let row = format!("| {name} | {} |", case["what"].as_str().unwrap());
        assert!(page.contains(&row), "docs/security.md has no row for {name}; `tests/matrix/run.py` writes it");
    }
    assert!(cases.len() > 40, "all groups are listed");
}
