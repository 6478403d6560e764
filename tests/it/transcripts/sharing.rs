//! Results that machines share through a real server: another machine is another store, another directory and another home.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::remote::servers::Casd;
use crate::transcripts::workspace::Workspace;

const REPOSITORY: &str = "caching";

/// A mirror that cannot be reached.
const NO_MIRROR: &str = "--system-mirror=http://127.0.0.1:1/";

/// One machine, whose repository is a copy of the fixture.
struct Machine<'w> {
    workspace: &'w Workspace,
    dir: tempfile::TempDir,
    address: String,
}

impl Machine<'_> {
    fn new<'w>(workspace: &'w Workspace, address: &str) -> Machine<'w> {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        copy(&workspace.repository(REPOSITORY), &dir.path().join("repository"));
        Machine { workspace, dir, address: address.to_owned() }
    }

    fn run(&self, args: &[&str]) -> (bool, String) {
        let address = format!("--remote-store-address={}", self.address);
        let args = [&[address.as_str(), "--remote-store-rpc-retries=1"], args].concat();
        let mut command = self.workspace.waders(REPOSITORY, &args);
        command.current_dir(self.dir.path().join("repository"));
        command.env("XDG_CACHE_HOME", self.dir.path().join("cache")).env("HOME", self.dir.path());
        let Output { status, stderr, .. } = command.output().unwrap();
        (status.success(), String::from_utf8_lossy(&stderr).into_owned())
    }

    fn edit(&self, word: &str) {
        fs::write(self.dir.path().join("repository/tests/word.py"), format!("WORD = \"{word}\"\n")).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let to = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to),
            false => assert!(fs::copy(entry.path(), to).is_ok()),
        }
    }
}

#[test]
fn another_machine_uses_results_of_the_first_and_works_without_the_server() {
    let Some(workspace) = Workspace::running() else { return };
    let dir = tempfile::tempdir().unwrap();
    let Some(server) = Casd::start(dir.path()) else { return };
    let one = Machine::new(&workspace, &server.address());
    let (succeeded, output) = one.run(&["--remote-cache-write", "test", "::"]);
    assert!(succeeded && output.contains(" stored, ") && !output.contains("warning"), "{output}");

    let two = Machine::new(&workspace, &server.address());
    // Nothing runs, so that not even the toolchain is downloaded.
    let (succeeded, output) = two.run(&["--remote-cache-read", NO_MIRROR, "test", "::"]);
    assert!(succeeded && output.contains("(cached remotely)") && !output.contains("warning"), "{output}");
    assert!(!output.contains("Completed:"), "nothing ran: {output}");
    let (succeeded, output) = two.run(&["store", "verify"]);
    assert!(succeeded, "what is not downloaded yet is no damage: {output}");

    // The toolchain and the packages of an edited test are known by digest only, and are made now.
    two.edit("edited without a mirror");
    let (succeeded, output) = two.run(&["--remote-cache-read", NO_MIRROR, "test", "::"]);
    assert!(!succeeded && output.contains("could not create the toolchain: cannot download"), "{output}");
    assert!(output.contains("http://127.0.0.1:1/"), "{output}");
    two.edit("edited");
    let (succeeded, output) = two.run(&["--remote-cache-read", "test", "::"]);
    assert!(succeeded && output.contains("Completed:") && !output.contains("warning"), "{output}");

    let port = server.port;
    drop(server);
    two.edit("without a server");
    let (succeeded, output) = two.run(&["--remote-cache-read", "--remote-cache-write", "test", "::"]);
    assert!(succeeded && output.contains("Completed:"), "{output}");
    assert_eq!(output.matches("warning").count(), 1, "{output}");
    assert!(output.contains("the remote cache is not used any more in this run"), "{output}");

    let Some(server) = Casd::start_on(dir.path(), port, &[]) else { return };
    one.edit("without a server");
    let (succeeded, output) = one.run(&["--remote-cache-read", "--remote-cache-write", "test", "::"]);
    assert!(succeeded && output.contains("Completed:") && output.contains(" stored, "), "{output}");
    drop(server);
}
