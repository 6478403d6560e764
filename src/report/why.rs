//! The answers of the goal `why` as data, and their text for people. They are found in `goals::why`.

use serde::Serialize;

use crate::base::Digest;

/// The version of the JSON format. New fields keep it, any other change raises it.
pub const SCHEMA_VERSION: u32 = 1;

/// Changed lines that are shown of one file.
const SHOWN_LINES: usize = 30;

/// Files that are shown of one comparison.
const SHOWN_FILES: usize = 20;

/// Why a step ran, or why it did not have to run.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// The name of the step.
    pub step: String,
    /// The goal that it belongs to.
    pub goal: String,
    /// The run.
    pub run: RunName,
    /// `executed`, `cached`, `clean`, `trace` or `none`.
    pub origin: &'static str,
    /// How the process ended.
    pub exit: Option<String>,
    /// The key.
    pub key: Option<Digest>,
    /// The reason.
    pub reason: Reason,
    /// The run with whose key the key was compared.
    pub compared_with: Option<ComparedKey>,
    /// The fields of the key that differ from it.
    pub differences: Vec<Difference>,
    /// Further remarks.
    pub notes: Vec<String>,
}

/// A run, as people and programs name it.
#[derive(Clone, Debug, Serialize)]
pub struct RunName {
    /// Its number in its checkout.
    pub number: u64,
    /// When it started, in UTC.
    pub started: String,
    /// The same for people; another machine is named here.
    #[serde(skip)]
    pub shown: String,
}

/// Why a step ran or did not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// A word for programs, which docs/why.md lists.
    pub code: &'static str,
    /// A sentence.
    pub text: String,
}

/// The key that an explanation compares with.
#[derive(Debug, Serialize)]
pub struct ComparedKey {
    /// The run.
    pub run: RunName,
    /// Its key.
    pub key: Digest,
}

/// A field of a key that differs.
#[derive(Debug, Serialize)]
#[serde(tag = "field", rename_all = "kebab-case")]
pub enum Difference {
    /// Neighbouring arguments.
    Arguments {
        /// 0 is the program.
        position: usize,
        /// The earlier arguments.
        before: Vec<String>,
        /// The later arguments.
        after: Vec<String>,
    },
    /// An environment variable.
    Variable {
        /// Its name.
        name: String,
        /// The earlier value.
        before: Option<String>,
        /// The later value.
        after: Option<String>,
    },
    /// An input file.
    File(FileDifference),
    /// Input files of which only the tree is known.
    UnknownInputs {
        /// The earlier tree.
        before: Digest,
        /// The later tree.
        after: Digest,
    },
    /// A read-only tree, such as the interpreter or the packages.
    Image {
        /// The mount point.
        at: String,
        /// The earlier tree.
        before: Option<String>,
        /// The later tree.
        after: Option<String>,
        /// What differs in it, one sentence each.
        causes: Vec<String>,
    },
    /// A limit, the isolation level, the network, the working directory or the outputs.
    Setting {
        /// The name of the field in the key.
        name: String,
        /// The earlier value.
        before: Option<String>,
        /// The later value.
        after: Option<String>,
    },
}

/// An input file that differs.
#[derive(Debug, Serialize)]
pub struct FileDifference {
    /// The path from the build root.
    pub path: String,
    /// What was there; `None` if there was nothing.
    pub before: Option<String>,
    /// What is there now; `None` if there is nothing.
    pub after: Option<String>,
    /// The offset of the first byte that differs, if both contents are known.
    pub first_differing_byte: Option<usize>,
    /// The changed lines, each with a sign, if both contents are known text.
    pub lines: Vec<String>,
    /// The target that owns the file.
    pub owner: Option<String>,
    /// The shortest chain of dependencies from a target of the step to the owner, both included.
    pub chain: Vec<String>,
}

/// Renders explanations, separated by empty lines.
pub fn render(explanations: &[Explanation]) -> String {
    explanations.iter().map(explanation).collect::<Vec<_>>().join("\n")
}

fn explanation(found: &Explanation) -> String {
    let exit = found.exit.as_ref().map(|exit| format!(", {exit}")).unwrap_or_default();
    let mut text = format!("{} (goal `{}`, {}): {}{exit}\n", found.step, found.goal, found.run.shown, found.origin);
    text += &format!("  {}\n", found.reason.text);
    let is_file = |difference: &&Difference| matches!(difference, Difference::File(_));
    let files = found.differences.iter().filter(is_file).count();
    let mut shown_files = 0;
    for difference in &found.differences {
        if let Difference::File(_) = difference {
            shown_files += 1;
            if shown_files > SHOWN_FILES {
                continue;
            }
        }
        text += &indented(&self::difference(difference));
    }
    if files > SHOWN_FILES {
        text += &format!("  {} more input files differ; `--json` lists all\n", files - SHOWN_FILES);
    }
    for note in &found.notes {
        text += &format!("  {note}\n");
    }
    text
}

/// Indents by two levels; the first line by one.
fn indented(text: &str) -> String {
    let lines = text.lines().enumerate();
    lines.map(|(number, line)| format!("{}{line}\n", if number == 0 { "  - " } else { "      " })).collect()
}

/// Renders a difference: a first line that names the field, and details.
fn difference(difference: &Difference) -> String {
    match difference {
        Difference::Arguments { position, before, after } => arguments(*position, before, after),
        Difference::Variable { name, before, after } => {
            changed(&format!("environment variable `{name}`"), before.as_deref(), after.as_deref())
        }
        Difference::File(file) => file_difference(file),
        Difference::UnknownInputs { before, after } => {
            format!(
                "input files differ; their lists are no longer in the store\n{} -> {}\n",
                short(&before.to_string()),
                short(&after.to_string())
            )
        }
        Difference::Image { at, before, after, causes } => {
            let what = match (before, after) {
                (None, _) => "added",
                (_, None) => "removed",
                _ => "changed",
            };
            let mut text = format!("image `{at}` {what}\n");
            for cause in causes {
                text += &format!("{cause}\n");
            }
            if causes.is_empty() {
                let side = |side: &Option<String>| side.as_deref().map_or("nothing".to_owned(), short);
                text += &format!("{} -> {}\n", side(before), side(after));
            }
            text
        }
        Difference::Setting { name, before, after } => {
            changed(&setting_name(name), before.as_deref(), after.as_deref())
        }
    }
}

fn arguments(position: usize, before: &[String], after: &[String]) -> String {
    let words = |words: &[String]| words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" ");
    match (before, after) {
        ([], after) => format!("argument {position}: added {}\n", words(after)),
        (before, []) => format!("argument {position}: removed {}\n", words(before)),
        (before, after) => format!("argument {position}: {} -> {}\n", words(before), words(after)),
    }
}

fn changed(what: &str, before: Option<&str>, after: Option<&str>) -> String {
    match (before, after) {
        (None, Some(after)) => format!("{what} added: `{after}`\n"),
        (Some(before), None) => format!("{what} removed: it was `{before}`\n"),
        (before, after) => {
            format!("{what} changed: `{}` -> `{}`\n", before.unwrap_or_default(), after.unwrap_or_default())
        }
    }
}

fn setting_name(name: &str) -> String {
    match name.split_once(':') {
        Some(("limit", limit)) => format!("limit `{limit}`"),
        Some(("output", at)) => format!("output directory at `{at}`"),
        _ if name == "waders" => "version of the key's format".to_owned(),
        _ => name.to_owned(),
    }
}

fn file_difference(file: &FileDifference) -> String {
    let FileDifference { path, before, after, first_differing_byte, lines, owner, chain } = file;
    let what = match (before, after) {
        (None, _) => "added",
        (_, None) => "removed",
        _ => "changed",
    };
    let mut text = format!("input file `{path}` {what}");
    match owner {
        Some(owner) => text += &format!(", from the target `{owner}`\n"),
        None => text += ", which belongs to no target: a settings file, or an input of every such step\n",
    }
    if chain.len() > 1 {
        text += &format!("needed through: {}\n", chain.join(" -> "));
    }
    if let (Some(before), Some(after)) = (before, after) {
        text += &format!("{} -> {}", short(before), short(after));
        match first_differing_byte {
            Some(at) => text += &format!(", the first difference is at byte {at}\n"),
            None => text += "; the contents are not in the store\n",
        }
    }
    for line in lines.iter().take(SHOWN_LINES) {
        text += &format!("{line}\n");
    }
    if lines.len() > SHOWN_LINES {
        text += &format!("({} more changed lines)\n", lines.len() - SHOWN_LINES);
    }
    text
}

/// The beginning of the hash in the text of a node or a digest, with what precedes it.
fn short(text: &str) -> String {
    let (kind, digest) = text.rsplit_once(' ').map_or(("", text), |(kind, digest)| (kind, digest));
    let kind = if kind.is_empty() || kind == "file" { String::new() } else { format!("{kind} ") };
    match digest.split_once('/') {
        Some((hex, _)) if hex.len() == 64 && hex.is_ascii() => format!("{kind}{}", &hex[..12]),
        _ => format!("{kind}{digest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: &Difference, expected: &str) {
        assert_eq!(difference(found), expected);
    }

    #[test]
    fn each_field_is_named_in_words() {
        let text = |text: &str| Some(text.to_owned());
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let arguments =
            |before, after| Difference::Arguments { position: 2, before: words(before), after: words(after) };
        check(&arguments(&["-q"], &["-v", "-x"]), "argument 2: `-q` -> `-v` `-x`\n");
        check(&arguments(&[], &["-x"]), "argument 2: added `-x`\n");
        check(&arguments(&["-x"], &[]), "argument 2: removed `-x`\n");
        let variable = |before, after| Difference::Variable { name: "MODE".to_owned(), before, after };
        check(&variable(text("a"), text("b")), "environment variable `MODE` changed: `a` -> `b`\n");
        check(&variable(None, text("b")), "environment variable `MODE` added: `b`\n");
        let limit = Difference::Setting { name: "limit:processes".to_owned(), before: text("1"), after: text("2") };
        check(&limit, "limit `processes` changed: `1` -> `2`\n");
    }

    #[test]
    fn a_changed_file_is_shown_with_its_target_and_lines() {
        let digest = |text: &[u8]| Some(format!("file {}", Digest::of(text)));
        let file = FileDifference {
            path: "src/lib.py".to_owned(),
            before: digest(b"1"),
            after: digest(b"2"),
            first_differing_byte: Some(0),
            lines: vec!["-1".to_owned(), "+2".to_owned()],
            owner: Some("src/lib.py:lib".to_owned()),
            chain: vec!["src/a_test.py:tests".to_owned(), "src/lib.py:lib".to_owned()],
        };
        let [before, after] = [b"1", b"2"].map(|text| Digest::of(text).hex()[..12].to_owned());
        let expected = format!(
            "input file `src/lib.py` changed, from the target `src/lib.py:lib`\n\
             needed through: src/a_test.py:tests -> src/lib.py:lib\n\
             {before} -> {after}, the first difference is at byte 0\n-1\n+2\n"
        );
        check(&Difference::File(file), &expected);
        assert_eq!(short("symlink ../a"), "symlink ../a");
    }
}
