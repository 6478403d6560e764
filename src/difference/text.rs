//! Differences between texts: what kind of words differ, and a line diff.

use std::sync::LazyLock;

use regex::Regex;
use similar::{ChangeTag, TextDiff};

use crate::difference::Kind;

/// The number of changed lines that a diff shows.
const SHOWN_LINES: usize = 20;

/// The number of characters of a line that a diff shows.
const SHOWN_CHARS: usize = 200;

/// Dates, times of day, seconds since 1970 with or without a fraction, and durations.
static TIME: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r"(?x)
        \b\d{4}-\d\d-\d\d([T\ ]\d\d:\d\d(:\d\d)?([.,]\d+)?(Z|[+-]\d\d:?\d\d)?)?
        | \b\d{4}/\d\d?/\d\d?\b | \b\d{8}T\d{6}Z?
        | \b\d{1,2}:\d\d(:\d\d)?([.,]\d+)?
        | \b(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*\b
        | \b(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\b(\ +\d{1,2})?
        | \b1[0-9]\d{8}(\d{3}|\d{6}|\d{9})?(\.\d+)?\b
        | \b\d+(\.\d+)?\ ?(s|ms|us|µs|ns|sec|secs|seconds|minutes)\b",
    )
});

static PATH: LazyLock<Regex> = LazyLock::new(|| compiled(r#"/[^\s:"'`,;()<>\[\]{}|]+"#));

/// Addresses of objects, as Python's default `repr` and C's `%p` write them.
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| compiled(r"\b0x[0-9a-fA-F]{6,16}\b"));

/// Hexadecimal numbers, fractions with many digits, and names with digits as temporary files have them.
static RANDOM: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r"(?x)
        \b(0x)?[0-9a-fA-F]{7,}\b | \b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b
        | \b\d+\.\d{5,}(e-?\d+)?\b | \b\d{5,}\b | \b[A-Za-z0-9_+=]{12,}\b | \btmp\w+\b",
    )
});

fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is constant and tested")
}

/// The text, unless the bytes are binary.
pub(super) fn readable(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

/// What kind of words differ: those that make the texts equal when they are masked.
pub(super) fn kind(first: &str, second: &str) -> Kind {
    if sorted(first.lines()) == sorted(second.lines()) || sorted(words(first)) == sorted(words(second)) {
        return Kind::Order;
    }
    let equal_without = |masks: &[&Regex]| masked(first, masks) == masked(second, masks);
    for (masks, kind) in [
        (&[&*TIME][..], Kind::Time),
        (&[&*PATH], Kind::Path),
        (&[&*TIME, &*PATH], Kind::Time),
        (&[&*ADDRESS], Kind::Address),
        (&[&*RANDOM], Kind::Random),
        (&[&*TIME, &*PATH, &*RANDOM], Kind::Random),
    ] {
        if equal_without(masks) {
            return kind;
        }
    }
    Kind::Unknown
}

fn masked(text: &str, masks: &[&Regex]) -> String {
    masks.iter().fold(text.to_owned(), |text, mask| mask.replace_all(&text, "\u{fffd}").into_owned())
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

fn sorted<'t>(parts: impl Iterator<Item = &'t str>) -> Vec<&'t str> {
    let mut parts: Vec<&str> = parts.collect();
    parts.sort_unstable();
    parts
}

/// The lines that only one version has, in their order: `-` for the first and `+` for the second version.
pub(super) fn diff(first: &str, second: &str) -> String {
    let diff = TextDiff::from_lines(first, second);
    let changed = diff.iter_all_changes().filter_map(|change| match change.tag() {
        ChangeTag::Equal => None,
        ChangeTag::Delete => Some(('-', change.value())),
        ChangeTag::Insert => Some(('+', change.value())),
    });
    let lines: Vec<(char, &str)> = changed.collect();
    let shown = lines.iter().enumerate().take(SHOWN_LINES).map(|(at, (sign, line))| {
        let other = match sign {
            '-' => lines.get(at + 1).filter(|(sign, _)| *sign == '+'),
            _ => at.checked_sub(1).map(|before| &lines[before]).filter(|(sign, _)| *sign == '-'),
        };
        format!("{sign}{}", shortened(line, other.map_or("", |(_, line)| line)))
    });
    let mut text = shown.collect::<Vec<_>>().join("\n");
    if lines.len() > SHOWN_LINES {
        text += &format!("\n… and {} more lines", lines.len() - SHOWN_LINES);
    }
    text
}

/// A line without its end, with visible escape sequences, and not too long: a long line begins shortly before the place where it
/// differs from `other`.
fn shortened(line: &str, other: &str) -> String {
    let line = line.strip_suffix('\n').unwrap_or(line);
    let skipped = match line.chars().count() > SHOWN_CHARS {
        true => line.chars().zip(other.chars()).take_while(|(one, other)| one == other).count(),
        false => 0,
    };
    let skipped = skipped.saturating_sub(SHOWN_CHARS / 4);
    let visible = |c: char| if c.is_control() && c != '\t' { '·' } else { c };
    let shown: String = line.chars().skip(skipped).take(SHOWN_CHARS).map(visible).collect();
    let begins = if skipped > 0 { "…" } else { "" };
    let ends = if line.chars().count() > skipped + SHOWN_CHARS { "…" } else { "" };
    format!("{begins}{shown}{ends}")
}
