//! The sections of `docs/troubleshooting.md`, which `help` shows by exit code or by name: they belong to the version of the program and
//! need no network. Of Markdown, only headings, links, paragraphs, lists and comments are interpreted.

use std::sync::LazyLock;

use regex::Regex;

use crate::report::exit_code;

/// The page of the documentation.
const PAGE: &str = include_str!("../../docs/troubleshooting.md");

/// The topic that lists the sections.
pub const TOPIC: &str = "troubleshooting";

/// The width of paragraphs in columns.
const WIDTH: usize = 100;

/// One section of the page.
struct Section {
    title: &'static str,
    text: &'static str,
}

/// The list of sections, one of them by its name, or what an exit code means with the sections about it. `None` if the topic is nothing
/// of these.
pub fn page(topic: &str) -> Option<String> {
    if topic == TOPIC {
        return Some(list());
    }
    if let Ok(number) = topic.parse::<u8>() {
        let (_, when) = exit_code::rows().find(|(code, _)| *code == number)?;
        let head = wrapped(&format!("Exit code {number}: {when}"));
        let about = sections().into_iter().filter(|section| section.is_about(number));
        return Some(about.fold(format!("{head}\n"), |text, section| format!("{text}\n{}", section.render())));
    }
    sections().into_iter().find(|section| section.name() == topic).map(|section| section.render())
}

/// The names of all sections.
pub fn names() -> Vec<String> {
    sections().iter().map(Section::name).collect()
}

/// Whether the page says something about this exit code.
pub fn is_explained(code: u8) -> bool {
    sections().iter().any(|section| section.is_about(code))
}

fn list() -> String {
    let rows = sections().into_iter().map(|section| format!("  {:<52}{}\n", section.name(), section.title));
    format!(
        "`waders help NAME` shows a section, and `waders help 71` those about an exit code.\n\n{}",
        rows.collect::<String>()
    )
}

fn sections() -> Vec<Section> {
    let sections = PAGE.split("\n### ").skip(1);
    let sections = sections.map(|section| {
        let (title, text) = section.split_once('\n').unwrap_or((section, ""));
        // The next heading of a higher level ends it.
        Section { title, text: text.split("\n## ").next().unwrap_or(text) }
    });
    sections.collect()
}

impl Section {
    /// The anchor of its heading.
    fn name(&self) -> String {
        let kept = |c: &char| c.is_ascii_alphanumeric() || *c == ' ' || *c == '-';
        self.title.to_lowercase().chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
    }

    fn is_about(&self, code: u8) -> bool {
        let phrase = format!("xit code {code}");
        let is_whole = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_digit());
        self.text.split(&phrase).skip(1).any(is_whole)
    }

    fn render(&self) -> String {
        let paragraphs = self.text.split("\n\n").map(str::trim).filter(|text| !text.is_empty());
        let paragraphs = paragraphs.filter(|text| !text.starts_with("<!--"));
        paragraphs.fold(format!("{}\n", self.title), |text, paragraph| text + "\n" + &plain(paragraph) + "\n")
    }
}

/// A paragraph or a list for the terminal.
fn plain(paragraph: &str) -> String {
    static LINK: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\[([^\]]+)\]\(([a-z-]+\.md)[^)]*\)").expect("a constant"));
    let text = LINK.replace_all(paragraph, "$1 (docs/$2)");
    let items = text.split("\n- ").map(wrapped);
    items.collect::<Vec<_>>().join("\n- ")
}

/// The words of a text in lines of at most [`WIDTH`] columns, longer words excepted.
fn wrapped(text: &str) -> String {
    let (mut out, mut column) = (String::new(), 0);
    let indent = if text.starts_with("- ") { "  " } else { "" };
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if column > 0 && column + 1 + width > WIDTH {
            out = out + "\n" + indent;
            column = indent.len();
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_code_of_an_error_has_a_section() {
        let missing: Vec<u8> =
            exit_code::rows().map(|(code, _)| code).filter(|code| *code > 2 && !is_explained(*code)).collect();
        assert!(missing.is_empty(), "docs/troubleshooting.md has no section with `exit code N` for {missing:?}");
    }

    #[test]
    fn sections_are_shown_by_code_and_by_name() {
        let shown = page("71").unwrap();
        assert!(shown.starts_with("Exit code 71: This machine cannot provide"), "{shown}");
        assert!(shown.contains("\n\nNamespaces are not available\n\n`this machine cannot isolate steps`"), "{shown}");
        assert!(shown.contains("\n- Containers: see continuous integration (docs/ci.md).\n"), "{shown}");
        assert!(!shown.contains("The disk is full"), "{shown}");
        assert!(page("the-disk-is-full").unwrap().starts_with("The disk is full\n\n`No space left on device`"));
        assert_eq!((page("7"), page("170"), page("the-disk")), (None, None, None));
        for name in names() {
            let text = page(&name).unwrap_or_else(|| panic!("{name}"));
            assert!(!text.contains("<!--") && !text.contains("]("), "{text}");
            assert!(page(TOPIC).unwrap().contains(&format!("  {name} ")), "{name}");
        }
    }

    #[test]
    fn lines_are_wrapped_at_words() {
        let text = wrapped(&format!("- {}", "word ".repeat(30)));
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert_eq!(text.lines().nth(1).unwrap().split_once("word").unwrap().0, "  ");
        assert_eq!(wrapped("a\nb  c"), "a b c");
    }
}
