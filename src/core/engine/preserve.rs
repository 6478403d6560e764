//! Preserves the inputs and outputs of a step in a directory for inspection. The sandbox itself ends with its processes, so
//! files that they wrote elsewhere are not preserved.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::action::{Action, Inputs, Outcome};
use crate::base::{RelPath, sandbox_paths};
use crate::engine::Error;
use crate::net;
use crate::store::{Node, Store, Tree};

/// Which steps are preserved, and where.
#[derive(Clone, Debug, Default)]
pub struct Preserve {
    /// Whether successful steps are preserved.
    pub successful: bool,
    /// Whether failed steps are preserved.
    pub failed: bool,
    /// The parent directory of the directories of the steps.
    pub dir: PathBuf,
}

impl Preserve {
    /// Whether a step with this result is preserved.
    pub fn includes(&self, success: bool) -> bool {
        if success { self.successful } else { self.failed }
    }

    /// Writes a new directory with the source tree (`src`), the output (`out`), the standard streams and a script with the
    /// command. Returns its path.
    pub fn preserve(
        &self,
        store: &Store,
        action: &Action,
        inputs: &Inputs,
        outcome: &Outcome,
    ) -> Result<PathBuf, Error> {
        let dir = self.create_dir(&action.policy.label)?;
        let failed = |source| Error::Prepare { path: dir.clone(), source };
        store.write_lazy_tree(inputs.root)?;
        store.copy_out(inputs.root, &dir.join("src"))?;
        store.copy_out(outcome.output, &dir.join("out"))?;
        // As a tree, because a stream may be too large for memory.
        let streams = [("stdout", outcome.stdout), ("stderr", outcome.stderr)].map(|(name, digest)| {
            (RelPath::parse(name).expect("the name is clean"), Node::File { digest, executable: false })
        });
        store.copy_out(store.put_tree(&Tree { nodes: streams.into() })?, &dir)?;
        let path = dir.join("run.sh");
        fs::write(&path, script(action, inputs, outcome)).map_err(failed)?;
        fs::set_permissions(&path, Permissions::from_mode(0o755)).map_err(failed)?;
        Ok(dir)
    }

    /// A new directory whose name begins with the label.
    fn create_dir(&self, label: &str) -> Result<PathBuf, Error> {
        let failed = |path: &Path, source| Error::Prepare { path: path.to_owned(), source };
        fs::create_dir_all(&self.dir).map_err(|source| failed(&self.dir, source))?;
        let name: String = label.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(60).collect();
        let name = name.trim_matches('-');
        for number in 1.. {
            let path = self.dir.join(format!("{name}-{number}"));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(failed(&path, source)),
            }
        }
        unreachable!("the numbers do not end")
    }
}

/// The command as a shell script, with a comment about the places that only the sandbox has.
fn script(action: &Action, inputs: &Inputs, outcome: &Outcome) -> String {
    let command = &action.command;
    let mut text = format!(
        "#!/bin/sh\n# {}: {}\n# Waders ran this command in a sandbox, with `src` as {} and `out` as {}.\n",
        action.policy.label.replace('\n', " "),
        outcome.exit,
        sandbox_paths::SRC,
        sandbox_paths::OUT
    );
    for (at, image) in &inputs.images {
        text += &format!("# {at} was the read-only tree {image}.\n");
    }
    let cwd = command.cwd.to_path(Path::new(sandbox_paths::SRC));
    text += &format!("cd {} || exit\n", quoted(&cwd.to_string_lossy()));
    text += "exec env -i";
    for (name, value) in &command.env {
        text += &format!(" \\\n  {}", quoted(&format!("{name}={value}")));
    }
    for word in &command.argv {
        let is_url = word.starts_with("http://") || word.starts_with("https://");
        let word = if is_url { net::without_credentials(word) } else { word.clone() };
        text += &format!(" \\\n  {}", quoted(&word));
    }
    text + "\n"
}

/// A word of a shell script.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}
