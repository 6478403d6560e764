//! The screens that the documentation shows: a run while it works, and when a test has failed. They are taken in tmux from runs in a
//! repository of the transcripts and compared with the pictures in `docs`, except for durations. `WADERS_SCREENS=overwrite cargo test
//! --test it screens` writes the pictures.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::{read, root, svg};
use crate::transcripts::workspace::{Workspace, now_nanos};

const REPOSITORY: &str = "shop";

const COLUMNS: usize = 80;

/// A run in a terminal of its own.
struct Terminal {
    socket_dir: tempfile::TempDir,
}

impl Terminal {
    fn start(workspace: &Workspace, args: &[&str]) -> Terminal {
        let terminal = Terminal { socket_dir: tempfile::tempdir().unwrap() };
        let waders = workspace.waders(REPOSITORY, args);
        let prompt = "printf '\\033[1m$\\033[0m '";
        let line = format!("{prompt}; echo waders {0}; waders {0}; {prompt}; sleep 1000", args.join(" "));
        let columns = COLUMNS.to_string();
        let mut tmux = terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", &columns, "-y", "40", &line]);
        // The server that this starts has the environment of the run.
        tmux.current_dir(waders.get_current_dir().unwrap());
        tmux.envs(waders.get_envs().filter_map(|(name, value)| Some((name, value?))));
        tmux.env("WADERS_PROCESS_EXECUTION_LOCAL_PARALLELISM", "2")
            .env("LC_ALL", "C.UTF-8")
            .env("FORCE_HYPERLINK", "0")
            .env_remove("NO_COLOR");
        let output = tmux.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        terminal
    }

    fn tmux(&self, args: &[&str]) -> Command {
        let mut tmux = Command::new("tmux");
        tmux.arg("-S").arg(self.socket_dir.path().join("socket")).args(args).env_remove("TMUX");
        tmux
    }

    /// What the terminal shows as soon as this is true for it without its escape sequences.
    fn screen_when(&self, is_wanted: &dyn Fn(&str) -> bool) -> String {
        let (begin, escape) = (Instant::now(), regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap());
        loop {
            let text = |args: &[&str]| String::from_utf8(self.tmux(args).output().unwrap().stdout).unwrap();
            let screen = text(&["capture-pane", "-e", "-p"]);
            let plain = escape.replace_all(&screen, "").into_owned();
            if is_wanted(&plain) {
                return screen;
            }
            assert!(begin.elapsed() < Duration::from_secs(120), "{plain}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]).output();
    }
}

/// Makes a test fail and another one slow, so that these two are not cached.
fn edit(root: &Path) {
    let change = |name: &str, from: &str, to: &str| {
        let path = root.join("tests").join(name);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(path, format!("{}\n# {}\n", text.replace(from, to), now_nanos())).unwrap();
    };
    change("test_prices.py", "with_tax(99) == 117", "with_tax(99) == 118");
    change("test_orders.py", "sleep(0.1)", "sleep(6)");
}

/// Compares a screen with the picture in the documentation, or writes the picture.
fn check(name: &str, title: &str, screen: &str) {
    let (path, picture) = (format!("docs/{name}.svg"), svg::picture(screen, COLUMNS, title));
    if std::env::var("WADERS_SCREENS").is_ok_and(|mode| mode == "overwrite") {
        return fs::write(root().join(path), picture).unwrap();
    }
    let (shown, found) = (svg::content(&read(&path)), svg::content(&picture));
    assert!(shown == found, "{path} shows something else; `WADERS_SCREENS=overwrite` writes it:\n{found}");
}

#[test]
fn the_screens_in_the_documentation_are_those_of_a_run() {
    let Some(workspace) = Workspace::running() else { return };
    if !Command::new("tmux").arg("-V").output().is_ok_and(|output| output.status.success()) {
        return println!("skipped: the program `tmux` is missing");
    }
    let output = workspace.waders(REPOSITORY, &["test", "::"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    edit(&workspace.repository(REPOSITORY));
    let terminal = Terminal::start(&workspace, &["test", "::"]);
    let screen = terminal.screen_when(&|text| text.contains("4/5 steps") && text.contains("tests/test_orders.py"));
    check("screen-progress", "A run that works: three tests are cached, one has failed, one still runs", &screen);
    let screen = terminal.screen_when(&|text| text.trim_end().ends_with("\n$"));
    check("screen-failure", "The end of a run with a failed test: its output and the summary", &screen);
}
