//! The rules of this repository as tests: the room table in `src/lib.rs`, file sizes and headers, and words that are allowed
//! only in some files. Each rule is a function from text to violations, which is tested with made-up text below. The rules
//! on vocabulary are in `vocabulary`.

mod promises;
mod vocabulary;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const MAX_LINES: usize = 500;

/// The directories of the sources.
const SOURCES: [&str; 4] = ["src", "sandbox", "tests", "fuzz"];

/// The directories of all committed text files.
const COMMITTED: [&str; 5] = ["src", "sandbox", "tests", "fuzz", "docs"];

/// A word that is allowed only in some places.
struct Confined {
    word: String,
    /// Files, directories (with a final slash) and ends of paths (with an initial slash).
    places: &'static [&'static str],
}

/// The words are concatenated, so that this file does not contain them.
fn confined() -> Vec<Confined> {
    let word = |parts: [&str; 2], places| Confined { word: parts.concat(), places };
    vec![
        word(["unsafe", " {"], &["sandbox/src/sys.rs"]),
        word(["unsafe", " fn"], &["sandbox/src/sys.rs"]),
        word(["unsafe", " impl"], &["sandbox/src/sys.rs"]),
        word(["unsafe", " extern"], &["sandbox/src/sys.rs"]),
        word(["process::", "Command"], &["sandbox/", "tests/", "src/session/git.rs", "/tests.rs"]),
        word(["waders_", "core::"], &["src/lib.rs"]),
        // Most of what it offers does nothing here: see `src/config/uv-auth`.
        word(["uv_distribution_", "types"], &["src/config/index.rs"]),
        word(["env::", "var"], &["src/config/environment.rs", "sandbox/tests/", "tests/", "/tests.rs"]),
    ]
}

/// The rooms that are a crate of their own: they know neither Pants nor Python.
const CORE: &str = "src/core";

/// Where files may be read without a tracker: in `waders-core`, which plans nothing; in settings, whose values are part of
/// every key; in the rooms that report or write results; in the goal `replay`, which plans nothing; and in the providers of toolchains, whose results are pinned by
/// `waders.lock`. Elsewhere files must be read through `tracked`, or a later run would not notice that they changed.
const UNTRACKED: [&str; 16] = [
    "src/main.rs",
    "src/core/",
    "src/config/",
    "src/report/",
    "src/cli/",
    "src/goals/package/output.rs",
    "src/goals/replay/",
    "src/goals/verify/against.rs",
    "src/packaging/unpackers.rs",
    "src/prepare/export/copy.rs",
    "src/prepare/export/directory",
    "src/session/image_builder.rs",
    "src/session/rewrite.rs",
    "src/session/reuse.rs",
    "src/toolchain/debian/keyring.rs",
    "src/toolchain/host.rs",
];

/// Reads directories itself and records every directory and link with the tracker.
const WALK: &str = "src/targets/files.rs";

/// The calls that read files without a tracker.
fn untracked_calls() -> Vec<String> {
    let functions =
        ["read(", "read_to_string(", "read_dir(", "metadata(", "symlink_metadata(", "canonicalize(", "exists("];
    let methods = ["is_file()", "is_dir()", "exists()", "try_exists()", "canonicalize()", "read_dir()", "metadata()"];
    let functions = functions.map(|word| format!("fs::{word}"));
    functions.into_iter().chain(methods.map(|word| format!(".{word}"))).chain(["File::open(".to_owned()]).collect()
}

/// Words that are not allowed anywhere: hosts of package registries, marks of unfinished work.
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
fn the_repository_follows_its_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut violations = Vec::new();
    let rooms = room_table(&std::fs::read_to_string(root.join("src/lib.rs")).unwrap());
    violations.extend(cycles(&rooms));
    let directories = [root.join("src"), root.join(CORE)].iter().flat_map(|dir| directories(dir)).collect();
    violations.extend(unlisted_rooms(&rooms, &directories));
    violations.extend(missing_rooms(&rooms, &std::fs::read_to_string(root.join("docs/architecture.md")).unwrap()));
    for (path, text) in files(root, &SOURCES, &["rs"]) {
        violations.extend(header(&path, &text));
        violations.extend(confined_words(&path, &text));
        violations.extend(imports(&rooms, &path, &text));
        violations.extend(untracked_reads(&path, &text));
        violations.extend(untyped_options(&path, &text));
    }
    for (path, text) in files(root, &COMMITTED, &["rs", "md", "toml", "py", "sh"]) {
        violations.extend(forbidden_words(&path, &text));
    }
    for (path, text) in files(root, &SOURCES, &["rs", "py", "sh", "trycmd"]) {
        violations.extend(length(&path, &text));
    }
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

/// The rows `| `room` | lives there | may use |` of the crate's header.
fn room_table(header: &str) -> Rooms {
    let row = |line: &str| {
        let cells: Vec<&str> = line.strip_prefix("//! |")?.split('|').map(str::trim).collect();
        let room = cells.first()?.strip_prefix('`')?.strip_suffix('`')?;
        let may_use = cells.get(2)?.split_whitespace().filter(|word| *word != "-");
        Some((room.to_owned(), may_use.map(str::to_owned).collect()))
    };
    header.lines().filter_map(row).collect()
}

/// Rooms that may use themselves through other rooms.
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
    rooms
        .keys()
        .filter(reaches_itself)
        .map(|room| format!("src/lib.rs: room `{room}` uses itself through other rooms"))
        .collect()
}

/// Differences between the rooms of the table and the directories in `src`.
fn unlisted_rooms(rooms: &Rooms, directories: &BTreeSet<String>) -> Vec<String> {
    let unlisted = directories.iter().filter(|dir| !rooms.contains_key(*dir));
    let missing = rooms.keys().filter(|room| !directories.contains(*room));
    let unlisted = unlisted.map(|dir| format!("src/{dir}: not in the room table of src/lib.rs"));
    unlisted.chain(missing.map(|room| format!("src/lib.rs: room `{room}` has no directory in src"))).collect()
}

/// Rooms that a document does not mention.
fn missing_rooms(rooms: &Rooms, document: &str) -> Vec<String> {
    let missing = rooms.keys().filter(|room| !document.contains(&format!("`{room}`")));
    missing.map(|room| format!("docs/architecture.md: room `{room}` is not mentioned")).collect()
}

/// Uses of a room, as `crate::room`, that the table does not allow.
fn imports(rooms: &Rooms, path: &str, text: &str) -> Vec<String> {
    let Some((room, _)) = path_in_wing(path).and_then(|rest| rest.split_once('/')) else { return Vec::new() };
    let Some(may_use) = rooms.get(room) else {
        return vec![format!("{path}: room `{room}` is not in the table of src/lib.rs")];
    };
    let code: String = code_lines(text).map(|(number, line)| format!("{number:>9}{line}\n")).collect();
    let mut violations = Vec::new();
    for (at, used) in rooms_used(&code).filter(|(_, used)| *used != room && !may_use.contains(*used)) {
        let line_start = code[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let number = code[line_start..line_start + 9].trim();
        violations.push(format!("{path}:{number}: room `{room}` may not use `{used}`"));
    }
    violations
}

/// The path of a source file, relative to the directory that contains its room.
fn path_in_wing(path: &str) -> Option<&str> {
    let path = path.strip_prefix("src/")?;
    Some(path.strip_prefix("core/").unwrap_or(path))
}

/// `crate::a::…` and `crate::{a, b::{…}, c}`, with the offset of each.
fn rooms_used(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.match_indices("crate::").flat_map(|(at, prefix)| {
        let rest = &code[at + prefix.len()..];
        let names = if rest.starts_with('{') { group(rest) } else { vec![word_at(rest)] };
        names.into_iter().filter(|name| !name.is_empty()).map(move |name| (at, name))
    })
}

/// The first names of the parts of `{a, b::{…}, c}`. Each line of the text begins with its number, which is skipped.
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

fn length(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines > MAX_LINES).then(|| format!("{path}: {lines} lines; a file has at most {MAX_LINES}"))
}

fn header(path: &str, text: &str) -> Option<String> {
    (!text.starts_with("//!")).then(|| format!("{path}: no `//!` at the start that says what the file contains"))
}

fn confined_words(path: &str, text: &str) -> Vec<String> {
    let mut violations = Vec::new();
    for rule in confined() {
        let is_place = |place: &&str| {
            path == *place
                || place.ends_with('/') && path.starts_with(*place)
                || place.starts_with('/') && path.ends_with(*place)
        };
        if rule.places.iter().any(is_place) {
            continue;
        }
        let hits = code_lines(text).filter(|(_, line)| line.contains(&rule.word));
        violations.extend(hits.map(|(number, _)| format!("{path}:{number}: `{}` is not allowed here", rule.word)));
    }
    violations
}

/// Reads of files without a tracker. Tests, which come last in a file, are exempt.
fn untracked_reads(path: &str, text: &str) -> Vec<String> {
    let is_exempt = UNTRACKED.iter().any(|place| path.starts_with(place)) || path == WALK;
    if !path.starts_with("src/") || is_exempt || path.ends_with("tests.rs") {
        return Vec::new();
    }
    let calls = untracked_calls();
    let lines = production_lines(text);
    let hits = lines.flat_map(|(number, line)| {
        // These methods of `Metadata` read nothing.
        let line = line.replace("metadata.is_dir()", "").replace("metadata.is_file()", "");
        calls.iter().filter(move |call| line.contains(call.as_str())).map(move |call| (number, call))
    });
    hits.map(|(number, call)| format!("{path}:{number}: `{call}` reads a file without a `Tracker`")).collect()
}

/// Names of options outside `config`. The other rooms use its typed settings, so that the compiler finds misspelt names.
/// Tests, which come last in a file, are exempt.
fn untyped_options(path: &str, text: &str) -> Vec<String> {
    let readers = ["flag", "text", "list", "integer", "value", "dict", "number", "is_default"];
    if !path.starts_with("src/") || path.starts_with("src/config/") || path.ends_with("tests.rs") {
        return Vec::new();
    }
    let lines = production_lines(text);
    let reads = |line: &str, call: String| {
        let mut arguments = line.split(call.as_str()).skip(1).map(|rest| rest.split(')').next().unwrap_or(rest));
        arguments.any(|arguments| arguments.contains('"'))
    };
    let names_option = |line: &str| {
        let calls = readers.iter().flat_map(|reader| [format!("config.{reader}("), format!("config().{reader}(")]);
        calls.into_iter().any(|call| reads(line, call))
    };
    let hits = lines.filter(|(_, line)| names_option(line));
    hits.map(|(number, _)| format!("{path}:{number}: names an option: use a struct of `config::typed`")).collect()
}

fn forbidden_words(path: &str, text: &str) -> Vec<String> {
    let mut violations = Vec::new();
    for word in forbidden() {
        let hits = text.lines().enumerate().filter(|(_, line)| line.contains(&word));
        violations.extend(hits.map(|(number, _)| format!("{path}:{}: `{word}` is not allowed", number + 1)));
    }
    violations
}

/// The lines that are not comments, numbered from 1.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The lines before the test module, which comes last in a file. Test modules in files of their own do not end them.
fn production_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_test_module =
        |tail: &str| tail.lines().nth(1).is_some_and(|line| line.contains("mod ") && line.ends_with('{'));
    let mut starts = text.match_indices("#[cfg(test)]\n").map(|(at, _)| at);
    let end = starts.find(|at| is_test_module(&text[*at..])).unwrap_or(text.len());
    code_lines(&text[..end])
}

/// The files below `dirs` with their text, sorted by path. Paths are relative to the root.
pub(crate) fn files(root: &Path, dirs: &[&str], extensions: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open: Vec<_> = dirs.iter().map(|dir| root.join(dir)).collect();
    while let Some(dir) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&dir) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("");
            if path.is_dir() && !path.is_symlink() {
                open.push(path);
            } else if extensions.contains(&extension) {
                // Fixtures may be binary.
                let Ok(text) = std::fs::read_to_string(&path) else { continue };
                found.push((path.strip_prefix(root).unwrap().display().to_string(), text));
            }
        }
    }
    found.sort();
    found
}

/// The names of the subdirectories of a directory.
fn directories(dir: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let directories = entries.filter(|entry| entry.path().is_dir() && !entry.path().ends_with(CORE));
    directories.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn made_up() -> Rooms {
    room_table(
        "//! | room | lives there | may use |\n//! |---|---|---|\n//! | `base` | x | - |\n//! | `store` | y | base |\n",
    )
}

#[test]
fn uses_that_the_table_does_not_allow_are_found() {
    let check = |path: &str, line: &str, expected: usize| {
        assert_eq!(imports(&made_up(), path, line).len(), expected, "{path}: {line}");
    };
    check("src/core/base/a.rs", "use crate::store::Store;", 1);
    check("src/core/base/a.rs", "    let x = crate::store::open();", 1);
    check("src/core/base/a.rs", "use crate::{base::Digest, store};", 1);
    check("src/core/base/a.rs", "use crate::{\n    base::{Digest, RelPath},\n    store::{self, Blob},\n};", 1);
    check("src/core/base/a.rs", "use crate::base::Digest;", 0);
    check("src/core/store/a.rs", "use crate::base::Digest;", 0);
    check("src/core/base/a.rs", "/// See [`crate::store`].", 0);
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
fn rooms_without_a_row_a_directory_or_a_mention_are_found() {
    let dirs = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(unlisted_rooms(&made_up(), &dirs(&["base", "store"])), Vec::<String>::new());
    assert_eq!(unlisted_rooms(&made_up(), &dirs(&["base", "store", "cellar"])).len(), 1);
    assert_eq!(unlisted_rooms(&made_up(), &dirs(&["base"])).len(), 1);
    assert_eq!(missing_rooms(&made_up(), "`base` and `store`"), Vec::<String>::new());
    assert_eq!(missing_rooms(&made_up(), "`base` and the store").len(), 1);
}

#[test]
fn files_without_a_header_and_long_files_are_found() {
    assert_eq!((header("a.rs", "//! A.\n"), length("a.rs", "//! A.\n")), (None, None));
    assert!(header("a.rs", "fn a() {}\n").is_some());
    assert!(length("a.rs", &"//! A.\n".repeat(MAX_LINES + 1)).is_some());
}

#[test]
fn misplaced_words_are_found() {
    for rule in confined() {
        let text = format!("let x = {} y", rule.word);
        assert_eq!(confined_words("src/core/base/a.rs", &text).len(), 1, "{text}");
        assert_eq!(confined_words("src/core/base/a.rs", &format!("// {text}")).len(), 0, "{text}");
        let place = rule.places[0];
        let path = if place.ends_with('/') { format!("{place}a.rs") } else { place.to_owned() };
        assert_eq!(confined_words(&path, &text).len(), 0, "{text}");
    }
}

#[test]
fn untracked_reads_are_found() {
    for call in untracked_calls() {
        let text = format!("    let x = a{call}b);");
        assert_eq!(untracked_reads("src/plan/a.rs", &text).len(), 1, "{text}");
        assert_eq!(
            untracked_reads("src/prepare/calls/a.rs", &format!("#[cfg(test)]\nmod tests {{\n{text}")).len(),
            0,
            "{text}"
        );
        assert_eq!(untracked_reads("src/plan/a.rs", &format!("#[cfg(test)]\nmod tests;\n{text}")).len(), 1, "{text}");
        assert_eq!(
            untracked_reads("src/core/store/a.rs", &text).len() + untracked_reads(WALK, &text).len(),
            0,
            "{text}"
        );
    }
    for line in
        ["let x = tracker.read(&path);", "let x = tracker.metadata(&path).is_ok_and(|metadata| metadata.is_dir());"]
    {
        assert_eq!(untracked_reads("src/plan/a.rs", line).len(), 0, "{line}");
    }
}

#[test]
fn options_that_are_named_outside_config_are_found() {
    for line in
        [r#"config.flag("test", "force")"#, r#"session.config().text(GOAL, "sep")"#, r#"self.config.list(s, "a")"#]
    {
        assert_eq!(untyped_options("src/goals/a.rs", line).len(), 1, "{line}");
        assert_eq!(
            untyped_options("src/goals/a.rs", &format!("#[cfg(test)]\nmod tests {{\n{line}")).len(),
            0,
            "{line}"
        );
        assert_eq!(untyped_options("src/config/a.rs", line).len(), 0, "{line}");
    }
    assert_eq!(untyped_options("src/tools/a.rs", "config.list(&tool.scope, option)").len(), 0);
    assert_eq!(untyped_options("src/report/a.rs", r#"console.text("a note")"#).len(), 0);
}

#[test]
fn forbidden_words_are_found() {
    for word in forbidden() {
        assert_eq!(forbidden_words("docs/a.md", &format!("see {word} there")).len(), 1, "{word}");
    }
}
