//! The manual pages, as groff typesets them.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::transcripts::workspace::Workspace;

/// A page as text, without warnings of groff. `None` if groff is not installed.
fn typeset(page: &Path) -> Option<String> {
    let mut command = Command::new("groff");
    let output = command.args(["-ww", "-man", "-Tutf8", "-P-cbou", "-rLL=100n"]).arg(page).output().ok()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    // Distributions package the macros of manual pages apart.
    if errors.contains("can't find macro file") || errors.contains("can't open") {
        return None;
    }
    assert_eq!((output.status.code(), &*errors), (Some(0), ""), "{}", page.display());
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn every_goal_and_exit_code_is_in_the_manual() {
    let workspace = Workspace::new("reading");
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("share/man/man1");
    let run = |args: &[&str]| workspace.waders("graph", args).output().unwrap();
    let output = run(&["man-pages", pages.to_str().unwrap()]);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let Some(main) = typeset(&pages.join("waders.1")) else { return println!("skipped: groff is not installed") };
    let goals = String::from_utf8(run(&["help", "goals"]).stdout).unwrap();
    for goal in goals.lines().map(|line| line.split_whitespace().next().unwrap()) {
        assert!(main.contains(&format!("waders-{goal}(1)")), "{goal} in {main}");
        let page = typeset(&pages.join(format!("waders-{goal}.1"))).unwrap();
        assert!(page.contains(&format!("waders {goal} [flags]")), "{page}");
        let flags = String::from_utf8(run(&["help", goal]).stdout).unwrap();
        let flags = flags.lines().filter_map(|line| line.trim_start().strip_prefix("--"));
        for flag in flags.map(|line| line.split([' ', '=']).next().unwrap()) {
            assert!(page.contains(&format!("--{flag}")), "--{flag} in {page}");
        }
    }
    let codes = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/exit-codes.md")).unwrap();
    let codes = codes.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse::<u8>().ok());
    let status = &main[main.find("EXIT STATUS").unwrap()..main.find("FILES").unwrap()];
    assert_eq!(codes.clone().count(), 11);
    for code in codes {
        let line = format!("       {code} ");
        assert!(status.lines().any(|found| found.starts_with(&line)), "{code} in {status}");
    }
}

#[test]
fn the_same_version_writes_the_same_pages() {
    let workspace = Workspace::new("reading");
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [first, second] = dirs.each_ref().map(|dir| {
        let status = workspace.waders("graph", &["man-pages", "."]).current_dir(dir.path()).status().unwrap();
        assert!(status.success());
        let entries = fs::read_dir(dir.path()).unwrap().flatten();
        let mut pages: Vec<_> = entries.map(|entry| (entry.file_name(), fs::read(entry.path()).unwrap())).collect();
        pages.sort();
        pages
    });
    assert!(first == second && first.len() > 30);
}
