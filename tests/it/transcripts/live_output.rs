//! What steps print, while they run.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::transcripts::workspace::Workspace;

#[test]
fn the_lines_of_a_running_test_are_shown_before_it_ends() {
    let Some(workspace) = Workspace::running() else { return };
    let args = ["--stream-output", "test", "::", "--", "--capture=no"];
    let mut command = workspace.waders("interrupted", &args);
    let mut waders = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(waders.stderr.take().unwrap());
    // The test ends only when it is interrupted.
    let (mut shown, mut line) = (String::new(), String::new());
    while !line.contains("the test waits") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "nothing was shown: {shown}");
        shown.push_str(&line);
    }
    kill(Pid::from_raw(waders.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    stderr.read_to_string(&mut shown).unwrap();
    assert_eq!(waders.wait().unwrap().code(), Some(1), "{shown}");
    assert_eq!(line, "tests/long_test.py | the test waits\n");
    assert_eq!(shown.matches(" | the test waits\n").count(), 1, "{shown}");
}
