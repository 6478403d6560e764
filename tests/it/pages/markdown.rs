//! The parts of Markdown that the tests of pages need: prose without code, links, headings and their anchors, and code blocks. It is
//! no general parser: the pages use neither links by reference nor indented code.

/// A block of code.
pub(super) struct Block {
    /// The line of the opening fence, from 1.
    pub(super) line: usize,
    pub(super) language: String,
    /// The lines between the fences.
    pub(super) text: String,
    /// The line before the opening fence that is not empty.
    pub(super) before: String,
}

/// The blocks of code of a page.
pub(super) fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut is_open, mut before) = (false, "");
    for (index, line) in page.lines().enumerate() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            is_open = !is_open;
            if is_open {
                let (language, before) = (language.to_owned(), before.to_owned());
                blocks.push(Block { line: index + 1, language, text: String::new(), before });
            }
        } else if is_open {
            let block = blocks.last_mut().expect("an open block is the last one");
            block.text.push_str(line);
            block.text.push('\n');
        }
        if !line.trim().is_empty() {
            before = line;
        }
    }
    blocks
}

/// The text with spaces in the place of blocks and spans of code, so that lines and columns stay the same.
pub(super) fn prose(page: &str) -> String {
    let span = regex::Regex::new("`[^`]*`").expect("the pattern is valid");
    let blank = |span: &regex::Captures| span[0].chars().map(|c| if c == '\n' { c } else { ' ' }).collect::<String>();
    span.replace_all(&without_blocks(page), blank).into_owned()
}

/// The text with spaces in the place of blocks of code.
fn without_blocks(page: &str) -> String {
    let (mut is_open, mut prose) = (false, String::new());
    for line in page.split_inclusive('\n') {
        let is_fence = line.trim_start().starts_with("```");
        is_open ^= is_fence;
        let is_code = is_fence || is_open;
        prose.extend(line.chars().map(|c| if is_code && c != '\n' { ' ' } else { c }));
    }
    prose
}

/// The lines at which code is only indented, from 1. It would be neither coloured nor found by the functions here.
pub(super) fn indented_code(page: &str) -> Vec<usize> {
    let prose = without_blocks(page);
    let (mut found, mut was_empty) = (Vec::new(), true);
    for ((index, line), blanked) in page.lines().enumerate().zip(prose.lines()) {
        if was_empty && line.starts_with("    ") && !blanked.trim().is_empty() {
            found.push(index + 1);
        }
        was_empty = line.trim().is_empty();
    }
    found
}

/// The spans of code in prose, each with its line from 1.
pub(super) fn spans(page: &str) -> Vec<(usize, String)> {
    let page = without_blocks(page);
    let span = regex::Regex::new("`([^`]*)`").expect("the pattern is valid");
    let line = |at: usize| page[..at].matches('\n').count() + 1;
    let spans = span.captures_iter(&page);
    spans.map(|span| (line(span.get(0).expect("group 0 exists").start()), span[1].replace('\n', " "))).collect()
}

/// The targets of links and pictures, each with its line from 1.
pub(super) fn links(page: &str) -> Vec<(usize, String)> {
    let prose = prose(page);
    let link = regex::Regex::new(r"\]\(([^)]*)\)").expect("the pattern is valid");
    let line = |at: usize| prose[..at].matches('\n').count() + 1;
    link.captures_iter(&prose)
        .map(|link| (line(link.get(0).expect("group 0 exists").start()), link[1].to_owned()))
        .collect()
}

/// The anchors of a page that are the same on its site and where the repository is read as text: Python-Markdown collapses hyphens and
/// drops other letters than those of ASCII, and GitHub does neither. A heading that a page has twice has two numbering schemes.
pub(super) fn anchors(page: &str) -> Vec<String> {
    let headings = headings(page);
    let anchors = headings.iter().map(|heading| (site_anchor(heading), text_anchor(heading)));
    let all: Vec<(String, String)> = anchors.collect();
    let is_unique = |anchor: &String| all.iter().filter(|(site, _)| site == anchor).count() == 1;
    all.iter().filter(|(site, text)| site == text && is_unique(site)).map(|(site, _)| site.clone()).collect()
}

/// The headings of a page, without marks of code and emphasis.
fn headings(page: &str) -> Vec<String> {
    let mut is_open = false;
    let lines = page.lines().filter(|line| {
        is_open ^= line.trim_start().starts_with("```");
        !is_open
    });
    let titles = lines.filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    titles.map(|title| title.replace(['`', '*'], "")).collect()
}

/// As Python-Markdown makes it.
fn site_anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ' ');
    let kept: String = heading.to_lowercase().chars().filter(kept).collect();
    let words = kept.split([' ', '-']).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

/// As GitHub makes it.
fn text_anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, '_' | '-' | ' ');
    heading.to_lowercase().chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn links_in_prose_are_found_with_their_line() {
    let page = "a [b](c.md) and `[d](e)`\n```sh\n[f](g)\n```\n![h\ni](j.svg) [k](#l)\n";
    let found: Vec<(usize, String)> = links(page);
    assert_eq!(found, [(1, "c.md".to_owned()), (6, "j.svg".to_owned()), (6, "#l".to_owned())]);
}

#[test]
fn anchors_are_those_that_a_heading_has_everywhere() {
    let check = |page: &str, expected: &[&str]| assert_eq!(anchors(page), expected, "{page}");
    check("# One `two`-three\ntext\n## It's 4.5 (six)\n", &["one-two-three", "its-45-six"]);
    check("# Seven & eight\n# Äpfel\n# Nine -- ten\n", &[]);
    check("# Same\n# Other\n# Same\n", &["other"]);
    check("```sh\n# a comment\n```\n# docker_image\n", &["docker_image"]);
}

#[test]
fn indented_code_is_found() {
    assert_eq!(indented_code("a\n\n    b\n\n```sh\n\n    c\n```\n- d\n    e\n\n    f\n"), [3, 12]);
}

#[test]
fn blocks_have_their_language_and_the_line_before_them() {
    let blocks = blocks("text\n<!-- mark -->\n\n```console\n$ a\nb\n```\n```sh\n```\n");
    let found: Vec<_> = blocks.iter().map(|b| (b.line, &b.language[..], &b.text[..], &b.before[..])).collect();
    assert_eq!(found, [(4, "console", "$ a\nb\n", "<!-- mark -->"), (8, "sh", "", "```")]);
}
