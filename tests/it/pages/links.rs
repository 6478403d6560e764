//! Every link leads somewhere: relative ones to a file and, where they name one, a heading; those to elsewhere have a valid form. Nothing
//! is fetched. Every page of the site is in its navigation, and every page that the program names exists.

use std::collections::{BTreeMap, BTreeSet};

use super::{markdown, pages, read, root};

/// The pages by path, and the files that links may lead to besides.
struct Site<'a> {
    pages: BTreeMap<&'a str, &'a str>,
    exists: &'a dyn Fn(&str) -> bool,
}

#[test]
fn every_link_of_the_documentation_leads_somewhere() {
    let pages = pages();
    let exists = |path: &str| root().join(path).exists();
    let site = Site { pages: borrowed(&pages), exists: &exists };
    let mut violations = Vec::new();
    for (path, text) in &pages {
        let links = markdown::links(text);
        let broken = links.iter().filter_map(|(line, link)| Some((line, link, problem(&site, path, link)?)));
        violations.extend(broken.map(|(line, link, problem)| format!("{path}:{line}: link to `{link}`: {problem}")));
        violations.extend(bare_addresses(path, text));
    }
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
    let count = pages.iter().map(|(_, text)| markdown::links(text).len()).sum::<usize>();
    assert!(count > 150, "links are not found any more: {count}");
}

#[test]
fn every_page_is_in_the_navigation_once() {
    let entry = regex::Regex::new(r"(?m)^ *- [^:\n]+: ([a-z-]+\.md)$").unwrap();
    let settings = read("mkdocs.yml");
    let mut listed: Vec<&str> = entry.captures_iter(&settings).map(|entry| entry.get(1).unwrap().as_str()).collect();
    let pages = pages();
    let of_site: BTreeSet<&str> = pages.iter().filter_map(|(path, _)| path.strip_prefix("docs/")).collect();
    listed.sort_unstable();
    assert_eq!(listed, of_site.into_iter().collect::<Vec<_>>());
}

#[test]
fn pages_that_the_program_names_exist() {
    let pages = pages();
    let site = Site { pages: borrowed(&pages), exists: &|_| false };
    let name = regex::Regex::new(r"docs/[a-z-]+\.md(#[a-z0-9_-]+)?").unwrap();
    let mut named = 0;
    for (path, text) in crate::tidy::files(&root(), &["src", "sandbox/src"], &["rs", "toml"]) {
        // Tests have pages of made-up repositories.
        if !path.ends_with("tests.rs") && path != "src/tools/pyright.toml" {
            for link in name.find_iter(&text) {
                assert_eq!(problem(&site, "README.md", link.as_str()), None, "{path}: {}", link.as_str());
                named += 1;
            }
        }
    }
    assert!(named > 10, "{named}");
}

fn borrowed(pages: &[(String, String)]) -> BTreeMap<&str, &str> {
    pages.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect()
}

/// What is wrong with a link of a page, if anything.
fn problem(site: &Site, page: &str, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return external_problem(link);
    }
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let dir = page.rsplit_once('/').map_or("", |(dir, _)| dir);
    if file.starts_with('/') || file.split('/').any(|part| part == "..") && !dir.is_empty() {
        // The site contains only its own directory.
        return Some("leads out of the directory".to_owned());
    }
    let target = match (file.is_empty(), dir.is_empty()) {
        (true, _) => page.to_owned(),
        (false, true) => file.to_owned(),
        (false, false) => format!("{dir}/{file}"),
    };
    match (site.pages.get(target.as_str()), anchor) {
        (Some(text), Some(anchor)) => {
            let is_known = markdown::anchors(text).iter().any(|known| known == anchor);
            (!is_known).then(|| format!("`{target}` has no such heading, or its anchor depends on the reader"))
        }
        (Some(_), None) => None,
        (None, Some(_)) => Some(format!("`{target}` is no page")),
        (None, None) => (!(site.exists)(&target)).then(|| format!("`{target}` does not exist")),
    }
}

/// What is wrong with an address, if anything.
fn external_problem(link: &str) -> Option<String> {
    let form = r"^https://([a-z0-9-]+\.)+[a-z]{2,}(/[A-Za-z0-9._~/%+@-]*)?(\?[^\s#]*)?(#[^\s#]+)?$";
    let is_valid = regex::Regex::new(form).expect("the pattern is valid").is_match(link);
    (!is_valid).then(|| "no valid `https:` address".to_owned())
}

/// Addresses in prose that are not links: the site would show them as text.
fn bare_addresses(path: &str, text: &str) -> Vec<String> {
    let prose = markdown::prose(text);
    let lines = prose.lines().enumerate();
    let bare = |line: &str| line.match_indices("://").any(|(at, _)| !line[..at].ends_with("](https"));
    lines
        .filter(|(_, line)| bare(line))
        .map(|(index, _)| format!("{path}:{}: an address that is no link", index + 1))
        .collect()
}

#[test]
fn links_that_lead_nowhere_are_found() {
    let page = "# One\n## Two words\n";
    let pages = BTreeMap::from([("README.md", page), ("docs/a.md", page), ("docs/b.md", page)]);
    let site = Site { pages, exists: &|path| path == "docs/c.svg" };
    let check = |page: &str, link: &str, is_valid: bool| {
        assert_eq!(problem(&site, page, link).is_none(), is_valid, "{page}: {link}");
    };
    for (link, is_valid) in [
        ("b.md", true),
        ("b.md#two-words", true),
        ("#one", true),
        ("c.svg", true),
        ("https://example.invalid/a/b#c", true),
        ("b.md#two", false),
        ("#Two-words", false),
        ("c.md", false),
        ("c.svg#one", false),
        ("docs/b.md", false),
        ("../README.md", false),
        ("/docs/b.md", false),
        ("http://example.invalid/", false),
        ("https://example", false),
        ("https://example.invalid/a b", false),
    ] {
        check("docs/a.md", link, is_valid);
    }
    check("README.md", "docs/a.md#one", true);
    check("README.md", "a.md", false);
    assert_eq!(
        bare_addresses("a.md", "See https://example.invalid\n[a](https://example.invalid) `https://b`\n").len(),
        1
    );
}
