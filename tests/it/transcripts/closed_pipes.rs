//! Readers that close a pipe early, as `head` does: the run continues and its exit code is that of its work.

use std::process::Command;

use crate::transcripts::workspace::Workspace;

/// The exit code of a command whose output nobody reads.
fn exit_code(mut command: Command, closes_stderr: bool) -> Option<i32> {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.stdout(writer.try_clone().unwrap());
    if closes_stderr {
        command.stderr(writer);
    }
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    output.status.code()
}

#[test]
fn a_closed_pipe_ends_no_goal_with_an_error() {
    let workspace = Workspace::new("reading");
    for args in [&["help-all"][..], &["help", "goals"], &["completions", "zsh"], &["list", "::"], &["peek", "::"]] {
        for closes_stderr in [false, true] {
            assert_eq!(exit_code(workspace.waders("graph", args), closes_stderr), Some(0), "{args:?}");
        }
    }
    for args in [&["no-such-goal"][..], &["help", "no-such-topic"]] {
        assert_eq!(exit_code(workspace.waders("graph", args), true), Some(1), "{args:?}");
    }
}

#[test]
fn tests_run_to_their_end_if_nobody_reads_their_results() {
    let Some(workspace) = Workspace::running() else { return };
    assert_eq!(exit_code(workspace.waders("daily", &["test", "::"]), true), Some(0));
    assert_eq!(exit_code(workspace.waders("failing", &["test", "tests/wrong_test.py"]), true), Some(1));
    assert_eq!(exit_code(workspace.waders("daily", &["-ldebug", "test", "--force", "::"]), true), Some(0));
}
