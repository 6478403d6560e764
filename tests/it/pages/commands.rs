//! The commands of the pages. Those with output run as transcripts, like those in `tests/cli`, or say in a comment before the block why
//! not: `<!-- not run: REASON -->`. Lists of commands in blocks of `sh` run too, on the pages that are read first. Every other
//! command of Waders, in a block or in prose, must at least be one: its goals and flags exist.

use std::process::Stdio;

use waders::cli::alias::Aliases;
use waders::cli::args;
use waders::config::Table;

use super::markdown::{self, Block};
use super::{pages, read};
use crate::transcripts::workspace::{PAGES, Workspace};

/// Pages whose lists of commands run in a project of uv.
const LISTS: [&str; 2] = ["README.md", "docs/index.md"];

/// The repository of the transcripts where they run.
const PROJECT: &str = "uv_project";

/// Languages of blocks with commands.
const SHELLS: [&str; 3] = ["sh", "console", "yaml"];

/// Pages with words in code after the name of the program that are no goals: magic words of file formats.
const FORMATS: &str = "docs/formats.md";

#[test]
fn every_command_with_output_is_run_or_has_a_reason() {
    let mut violations = Vec::new();
    let mut reasons = 0;
    for (path, text) in pages() {
        let is_run = PAGES.iter().any(|page| page.path == path);
        for block in markdown::blocks(&text) {
            let problem = not_run(&block, is_run);
            reasons += usize::from(has_reason(&block));
            violations.extend(problem.map(|problem| format!("{path}:{}: {problem}", block.line)));
        }
        let indented = markdown::indented_code(&text);
        violations.extend(indented.iter().map(|line| format!("{path}:{line}: indented code: write it between fences")));
    }
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
    assert!(reasons < 15, "most commands should run: {reasons} do not");
    for page in PAGES {
        let is_transcript = markdown::blocks(&read(page.path)).iter().any(|block| block.language == "console");
        assert!(is_transcript, "{}: nothing is run", page.path);
    }
}

/// What is wrong with a block that contains commands with output; `is_run` if the blocks of its page in `console` are run.
fn not_run(block: &Block, is_run: bool) -> Option<&'static str> {
    let shows_commands = block.text.lines().any(|line| line.starts_with("$ "));
    match (&block.language[..], has_reason(block)) {
        ("console", true) if is_run => Some("this block is run, and the comment says that it is not"),
        ("console", false) if !is_run => Some("no transcript runs this page, and no comment says why not"),
        ("console", _) if !shows_commands => Some("a block of `console` without a command"),
        ("console", _) => None,
        (_, false) if shows_commands => {
            Some("commands with output: write `console`, or a comment that says why they are not run")
        }
        _ => None,
    }
}

fn has_reason(block: &Block) -> bool {
    let reason = block.before.strip_prefix("<!-- not run: ").and_then(|rest| rest.strip_suffix(" -->"));
    reason.is_some_and(|reason| reason.len() > 10)
}

#[test]
fn every_command_of_waders_has_goals_and_flags_that_exist() {
    let mut count = 0;
    let mut violations = Vec::new();
    for (path, text) in pages().into_iter().filter(|(path, _)| path != FORMATS) {
        for (line, command) in commands(&text) {
            let Some(words) = shlex::split(&command) else {
                violations.push(format!("{path}:{line}: `{command}` has an open quote"));
                continue;
            };
            count += 1;
            violations.extend(invalid(&words).map(|error| format!("{path}:{line}: `{command}`: {error}")));
        }
    }
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
    assert!(count > 150, "{count}");
}

/// The command lines after the word `waders`, each with its line from 1: those in blocks of a shell, and spans of code in prose.
fn commands(page: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for block in markdown::blocks(page).into_iter().filter(|block| SHELLS.contains(&&block.language[..])) {
        let lines = block.text.lines().enumerate().map(|(index, line)| (block.line + 1 + index, line.trim_start()));
        let lines = lines.map(|(number, line)| (number, line.strip_prefix("$ ").unwrap_or(line)));
        let commands = lines.filter_map(|(number, line)| Some((number, line.strip_prefix("waders ")?)));
        found.extend(commands.map(|(number, command)| (number, command.to_owned())));
    }
    found.extend(
        markdown::spans(page)
            .into_iter()
            .filter_map(|(line, span)| Some((line, span.strip_prefix("waders ")?.to_owned()))),
    );
    found
}

/// Why a command line cannot be run. Words in capitals stand for something that the reader knows.
fn invalid(words: &[String]) -> Option<String> {
    let ends = |word: &&String| ["|", ">", "&&", ";", "#"].iter().any(|mark| word.starts_with(mark));
    let is_example = |word: &str| word.chars().all(|c| c.is_ascii_uppercase() || c == '…');
    let words = words.iter().take_while(|word| !ends(word)).filter(|word| !word.contains("...") && !is_example(word));
    let words: Vec<String> = words.map(|word| word.replace('…', "")).collect();
    let is_path = |word: &str| word.contains(['/', '.', ':']);
    args::parse(&words, Table::get(), &Aliases::default(), &is_path).err().map(|error| error.to_string())
}

#[test]
fn lists_of_commands_on_the_first_pages_run() {
    let Some(workspace) = Workspace::running() else { return };
    for page in LISTS {
        let blocks = markdown::blocks(&read(page)).into_iter().filter(|block| block.language == "sh");
        let lines: Vec<String> =
            blocks.flat_map(|block| block.text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
        let commands: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("waders ")).collect();
        assert!(!commands.is_empty(), "{page}");
        for command in commands {
            let words = shlex::split(command).unwrap();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let output = workspace.waders(PROJECT, &words).stdin(Stdio::null()).output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && !stderr.contains("warning: "), "{page}: {command}: {stderr}");
        }
    }
}

#[test]
fn blocks_that_are_not_run_are_found() {
    let check = |page: &str, is_run: bool, is_valid: bool| {
        let found = markdown::blocks(page).iter().any(|block| not_run(block, is_run).is_some());
        assert_eq!(found, !is_valid, "{page}");
    };
    let reason = "<!-- not run: it needs a server -->\n";
    check("```console\n$ a\n```\n", true, true);
    check("```console\n$ a\n```\n", false, false);
    check("```console\na\n```\n", true, false);
    check("```text\n$ a\n```\n", true, false);
    check("```text\na\n```\n", false, true);
    check("<!-- not run: -->\n```text\n$ a\n```\n", true, false);
    check(&format!("{reason}```text\n$ a\n```\n"), true, true);
    check(&format!("{reason}```console\n$ a\n```\n"), false, true);
    check(&format!("{reason}```console\n$ a\n```\n"), true, false);
}

#[test]
fn commands_that_do_not_exist_are_found() {
    let page = "Run `waders test ::` or\n`waders tset ::`.\n```sh\nwaders list ::   # all\ncd a\n```\n```yaml\n- waders x\n```\n";
    let found: Vec<_> = commands(page);
    let expected = [(4, "list ::   # all"), (1, "test ::"), (2, "tset ::")];
    assert_eq!(found, expected.map(|(line, text)| (line, text.to_owned())));
    let words = |text: &str| shlex::split(text).unwrap();
    for valid in ["test :: -- -k login", "list :: | head -1", "help GOAL", "attest GOAL… SPECS", "--profile=ci test ::"]
    {
        assert_eq!(invalid(&words(valid)), None, "{valid}");
    }
    for text in ["tset ::", "test --no-such-flag ::", "list --fail-fast ::"] {
        assert!(invalid(&words(text)).is_some(), "{text}");
    }
}
