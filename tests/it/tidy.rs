//! House rules as a test: the room table in `src/lib.rs`, file sizes and headers, and what is allowed only in some places.
//! Reads this repository's own sources; each rule is a function from text to complaints, tried on made-up text below.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const MAX_LINES: usize = 500;

/// Below the root: sources that the rules are for.
const SOURCES: [&str; 4] = ["src", "sandbox", "tests", "fuzz"];

/// Everything that is committed and read as text.
const COMMITTED: [&str; 5] = ["src", "sandbox", "tests", "fuzz", "docs"];

/// A word, and the only places (a file, or a directory with a slash) that may hold it.
struct Confined {
    word: String,
    places: &'static [&'static str],
}

/// The words are put together here, so that this file does not hold them.
fn confined() -> Vec<Confined> {
    let word = |parts: [&str; 2], places| Confined { word: parts.concat(), places };
    vec![
        word(["unsafe", " {"], &["sandbox/src/sys.rs"]),
        word(["unsafe", " fn"], &["sandbox/src/sys.rs"]),
        word(["unsafe", " impl"], &["sandbox/src/sys.rs"]),
        word(["unsafe", " extern"], &["sandbox/src/sys.rs"]),
        word(["process::", "Command"], &["sandbox/", "tests/", "src/session/git.rs", "/tests.rs"]),
        word(["env::", "var"], &["src/config/environment.rs", "sandbox/tests/", "tests/", "/tests.rs"]),
    ]
}

/// The right wing, which plans nothing; settings, whose values are part of every key; and what shows or writes results.
/// Everywhere else a file that is read must be read through `tracked`, or a later run would not see that it changed.
const UNTRACKED: [&str; 13] = [
    "src/main.rs",
    "src/base/",
    "src/tracked/",
    "src/store/",
    "src/net/",
    "src/action/",
    "src/engine/",
    "src/config/",
    "src/report/",
    "src/cli/",
    "src/packaging/unpackers.rs",
    "src/session/rewrite.rs",
    "src/session/reuse.rs",
];

/// Has the kinds of names that it listed, and notes every directory and link itself.
const WALK: &str = "src/targets/files.rs";

/// The words for a look past that room.
fn looks() -> Vec<String> {
    let of_files =
        ["read(", "read_to_string(", "read_dir(", "metadata(", "symlink_metadata(", "canonicalize(", "exists("];
    let of_paths = ["is_file()", "is_dir()", "exists()", "try_exists()", "canonicalize()", "read_dir()", "metadata()"];
    let of_files = of_files.map(|word| format!("fs::{word}"));
    of_files.into_iter().chain(of_paths.map(|word| format!(".{word}"))).chain(["File::open(".to_owned()]).collect()
}

/// Never, anywhere: hosts of package registries, unfinished work.
fn forbidden() -> Vec<String> {
    let word = |parts: [&str; 2]| parts.concat();
    vec![
        word(["pypi", ".org"]),
        word(["python", "hosted.org"]),
        word(["deb.debian", ".org"]),
        word(["snapshot.debian", ".org"]),
        word(["security.debian", ".org"]),
        word(["archive.", "ubuntu.com"]),
        word(["npmjs", ".org"]),
        word(["crates", ".io"]),
        word(["TO", "DO"]),
        word(["FIX", "ME"]),
        word(["todo", "!("]),
        word(["unimplemented", "!("]),
    ]
}

type Rooms = BTreeMap<String, BTreeSet<String>>;

#[test]
fn the_house_keeps_its_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut complaints = Vec::new();
    let rooms = room_table(&std::fs::read_to_string(root.join("src/lib.rs")).unwrap());
    complaints.extend(cycles(&rooms));
    for (path, text) in files(root, &SOURCES, &["rs"]) {
        complaints.extend(shape(&path, &text));
        complaints.extend(confinement(&path, &text));
        complaints.extend(imports(&rooms, &path, &text));
        complaints.extend(unnoted(&path, &text));
        complaints.extend(untyped_options(&path, &text));
    }
    for (path, text) in files(root, &COMMITTED, &["rs", "md", "toml", "py", "sh"]) {
        complaints.extend(bans(&path, &text));
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

/// The rows `| `room` | what | may use |` of the crate's header.
fn room_table(header: &str) -> Rooms {
    let row = |line: &str| {
        let cells: Vec<&str> = line.strip_prefix("//! |")?.split('|').map(str::trim).collect();
        let room = cells.first()?.strip_prefix('`')?.strip_suffix('`')?;
        let may_use = cells.get(2)?.split_whitespace().filter(|word| *word != "-");
        Some((room.to_owned(), may_use.map(str::to_owned).collect()))
    };
    header.lines().filter_map(row).collect()
}

/// Rooms that may use each other, however indirectly.
fn cycles(rooms: &Rooms) -> Vec<String> {
    let reaches_itself = |room: &&String| {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut open: Vec<&str> = vec![room];
        while let Some(next) = open.pop() {
            let used = rooms.get(next).into_iter().flatten();
            open.extend(used.map(String::as_str).filter(|used| seen.insert(used)));
        }
        seen.contains(room.as_str())
    };
    rooms.keys().filter(reaches_itself).map(|room| format!("src/lib.rs: room `{room}` comes to use itself")).collect()
}

/// Uses of a room that the table does not allow, wherever `crate::room` stands.
fn imports(rooms: &Rooms, path: &str, text: &str) -> Vec<String> {
    let Some(inside) = path.strip_prefix("src/").and_then(|rest| rest.split_once('/')) else { return Vec::new() };
    let (room, _) = inside;
    let Some(may_use) = rooms.get(room) else {
        return vec![format!("{path}: room `{room}` is not in the table of src/lib.rs")];
    };
    let code: String = code_lines(text).map(|(number, line)| format!("{number:>9}{line}\n")).collect();
    let mut complaints = Vec::new();
    for (at, used) in rooms_used(&code).filter(|(_, used)| *used != room && !may_use.contains(*used)) {
        let line_start = code[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let number = code[line_start..line_start + 9].trim();
        complaints.push(format!("{path}:{number}: room `{room}` may not use `{used}`"));
    }
    complaints
}

/// `crate::a::…` and `crate::{a, b::{…}, c}`, with the offset of each.
fn rooms_used(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.match_indices("crate::").flat_map(|(at, prefix)| {
        let rest = &code[at + prefix.len()..];
        let names = if rest.starts_with('{') { group(rest) } else { vec![word_at(rest)] };
        names.into_iter().filter(|name| !name.is_empty()).map(move |name| (at, name))
    })
}

/// The first words of the parts of `{a, b::{…}, c}`; rows of the text begin with a number that is no word.
fn group(text: &str) -> Vec<&str> {
    let mut depth = 0;
    let mut names = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if depth == 1 && (c == '{' || c == ',') {
            let rest = text[at + 1..].trim_start_matches(|c: char| c.is_whitespace() || c.is_ascii_digit());
            names.push(word_at(rest));
        }
    }
    names
}

fn word_at(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')).unwrap_or(text.len());
    &text[..end]
}

fn shape(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    let mut complaints = Vec::new();
    if lines > MAX_LINES {
        complaints.push(format!("{path}: {lines} lines; a file holds one noun and at most {MAX_LINES}"));
    }
    if !text.starts_with("//!") {
        complaints.push(format!("{path}: no `//!` at its head that says what lives here"));
    }
    complaints
}

fn confinement(path: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for rule in confined() {
        let is_place = |place: &&str| {
            path == *place
                || place.ends_with('/') && path.starts_with(*place)
                || place.starts_with('/') && path.ends_with(*place)
        };
        if rule.places.iter().any(is_place) {
            continue;
        }
        let guilty = code_lines(text).filter(|(_, line)| line.contains(&rule.word));
        complaints.extend(guilty.map(|(number, _)| format!("{path}:{number}: `{}` is not for this place", rule.word)));
    }
    complaints
}

/// Looks at files that no trace would hold; tests, which come last, may do what they like.
fn unnoted(path: &str, text: &str) -> Vec<String> {
    let is_exempt = UNTRACKED.iter().any(|place| path.starts_with(place)) || path == WALK;
    if !path.starts_with("src/") || is_exempt || path.ends_with("tests.rs") {
        return Vec::new();
    }
    let words = looks();
    let lines = code_lines(text).take_while(|(_, line)| !line.starts_with("#[cfg(test)]"));
    let guilty = lines.flat_map(|(number, line)| {
        words.iter().filter(move |word| line.contains(word.as_str())).map(move |word| (number, word))
    });
    guilty.map(|(number, word)| format!("{path}:{number}: `{word}` reads a file untracked: use a `Tracker`")).collect()
}

/// Names of options outside `config`: everyone else uses its typed settings, so that a misspelt name is found by the compiler.
/// Tests, which come last, may name options.
fn untyped_options(path: &str, text: &str) -> Vec<String> {
    let readers = ["flag", "text", "list", "integer", "value", "dict", "number", "is_default"];
    if !path.starts_with("src/") || path.starts_with("src/config/") || path.ends_with("tests.rs") {
        return Vec::new();
    }
    let lines = code_lines(text).take_while(|(_, line)| !line.starts_with("#[cfg(test)]"));
    let reads = |line: &str, call: String| {
        let mut arguments = line.split(call.as_str()).skip(1).map(|rest| rest.split(')').next().unwrap_or(rest));
        arguments.any(|arguments| arguments.contains('"'))
    };
    let names_option = |line: &str| {
        let calls = readers.iter().flat_map(|reader| [format!("config.{reader}("), format!("config().{reader}(")]);
        calls.into_iter().any(|call| reads(line, call))
    };
    let guilty = lines.filter(|(_, line)| names_option(line));
    guilty.map(|(number, _)| format!("{path}:{number}: names an option: use a struct of `config::typed`")).collect()
}

fn bans(path: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for word in forbidden() {
        let guilty = text.lines().enumerate().filter(|(_, line)| line.contains(&word));
        complaints.extend(guilty.map(|(number, _)| format!("{path}:{}: `{word}` is for no place", number + 1)));
    }
    complaints
}

/// Lines that are no comment, numbered from 1.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Paths from the root with their text, in order.
fn files(root: &Path, dirs: &[&str], extensions: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open: Vec<_> = dirs.iter().map(|dir| root.join(dir)).collect();
    while let Some(dir) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&dir) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("");
            if path.is_dir() && !path.is_symlink() {
                open.push(path);
            } else if extensions.contains(&extension) {
                // Fixtures may be anything; what is no text holds no word.
                let Ok(text) = std::fs::read_to_string(&path) else { continue };
                found.push((path.strip_prefix(root).unwrap().display().to_string(), text));
            }
        }
    }
    found.sort();
    found
}

fn made_up() -> Rooms {
    room_table(
        "//! | room | lives there | may use |\n//! |---|---|---|\n//! | `base` | x | - |\n//! | `store` | y | base |\n",
    )
}

#[test]
fn a_use_that_the_table_does_not_allow_is_found() {
    let check = |path: &str, line: &str, expected: usize| {
        assert_eq!(imports(&made_up(), path, line).len(), expected, "{path}: {line}");
    };
    check("src/base/a.rs", "use crate::store::Store;", 1);
    check("src/base/a.rs", "    let x = crate::store::open();", 1);
    check("src/base/a.rs", "use crate::{base::Digest, store};", 1);
    check("src/base/a.rs", "use crate::{\n    base::{Digest, RelPath},\n    store::{self, Blob},\n};", 1);
    check("src/base/a.rs", "use crate::base::Digest;", 0);
    check("src/store/a.rs", "use crate::base::Digest;", 0);
    check("src/base/a.rs", "/// See [`crate::store`].", 0);
    check("src/cellar/a.rs", "", 1);
    check("src/lib.rs", "use crate::store;", 0);
}

#[test]
fn rooms_that_use_each_other_are_found() {
    assert_eq!(cycles(&made_up()), Vec::<String>::new());
    let circle = room_table("//! | `a` | x | b |\n//! | `b` | x | c |\n//! | `c` | x | a |\n//! | `d` | x | a |\n");
    assert_eq!(cycles(&circle).len(), 3);
}

#[test]
fn a_file_without_a_head_or_an_end_is_found() {
    assert_eq!(shape("a.rs", "//! A.\n"), Vec::<String>::new());
    assert_eq!(shape("a.rs", "fn a() {}\n").len(), 1);
    assert_eq!(shape("a.rs", &"//! A.\n".repeat(MAX_LINES + 1)).len(), 1);
}

#[test]
fn words_out_of_place_are_found() {
    for rule in confined() {
        let text = format!("let x = {} y", rule.word);
        assert_eq!(confinement("src/base/a.rs", &text).len(), 1, "{text}");
        assert_eq!(confinement("src/base/a.rs", &format!("// {text}")).len(), 0, "{text}");
        let place = rule.places[0];
        let path = if place.ends_with('/') { format!("{place}a.rs") } else { place.to_owned() };
        assert_eq!(confinement(&path, &text).len(), 0, "{text}");
    }
}

#[test]
fn looks_that_are_not_noted_are_found() {
    for word in looks() {
        let text = format!("    let x = a{word}b);");
        assert_eq!(unnoted("src/plan/a.rs", &text).len(), 1, "{text}");
        assert_eq!(unnoted("src/prepare/calls/a.rs", &format!("#[cfg(test)]\n{text}")).len(), 0, "{text}");
        assert_eq!(unnoted("src/store/a.rs", &text).len() + unnoted(WALK, &text).len(), 0, "{text}");
    }
    assert_eq!(unnoted("src/plan/a.rs", "let x = tracker.read(&path);").len(), 0);
}

#[test]
fn options_that_are_named_outside_config_are_found() {
    for line in
        [r#"config.flag("test", "force")"#, r#"session.config().text(GOAL, "sep")"#, r#"self.config.list(s, "a")"#]
    {
        assert_eq!(untyped_options("src/goals/a.rs", line).len(), 1, "{line}");
        assert_eq!(untyped_options("src/goals/a.rs", &format!("#[cfg(test)]\n{line}")).len(), 0, "{line}");
        assert_eq!(untyped_options("src/config/a.rs", line).len(), 0, "{line}");
    }
    assert_eq!(untyped_options("src/tools/a.rs", "config.list(&tool.scope, option)").len(), 0);
    assert_eq!(untyped_options("src/report/a.rs", r#"console.text("a note")"#).len(), 0);
}

#[test]
fn words_for_no_place_are_found() {
    for word in forbidden() {
        assert_eq!(bans("docs/a.md", &format!("see {word} there")).len(), 1, "{word}");
    }
}
