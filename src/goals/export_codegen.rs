//! `export-codegen`: writes the files that the selected targets generate to the directory `codegen` of the directory for results, for
//! editors. They are generated in `prepare::generate`.

use crate::base::{Digest, ErrorKind, RelPath};
use crate::goals::{Error, package};
use crate::prepare::generate::{self, GeneratedTarget};
use crate::report::packages;
use crate::session::failure::{self, Failure};
use crate::session::{Session, Verdict, execute, selection};
use crate::targets::Address;

/// The directory below the directory for results.
const DIRECTORY: &str = "codegen";

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    let selected = selection::with_generated(session)?;
    let once = |session: &mut Session| {
        let planned = generate::plan(session, &selected)?;
        let results = execute::execute(session, planned.graph, &planned.steps, false)?;
        Ok::<_, Error>((planned.targets, results))
    };
    let (targets, results) = execute::with_repair(session, once)?;
    if session.services.was_interrupted() {
        return Ok(Verdict::Interrupted);
    }
    if targets.is_empty() {
        selection::warn_if_nothing_exists(session, "export-codegen")?;
        session.ui.warn("the command line selects no targets that generate files");
        return Ok(Verdict::Good);
    }
    let mut trees: Vec<(Address, Digest)> = Vec::new();
    let mut failed: Vec<(Address, Failure)> = Vec::new();
    for GeneratedTarget { address, tree } in targets {
        match tree.and_then(|tree| generate::tree_of(tree, &results)) {
            Ok(tree) => trees.push((address, tree)),
            Err(failure) => failed.push((address, failure)),
        }
    }
    write(session, &trees)?;
    for (address, Failure { message, .. }) in &failed {
        session.ui.summary(&packages::failed_block(
            &address.to_string(),
            "generated",
            message,
            session.ui.terminal.colour,
        ));
    }
    Ok(match failure::common_kind(failed.iter().map(|(_, failure)| failure)) {
        None if failed.is_empty() => Verdict::Good,
        kind => Verdict::Prevented(kind.unwrap_or(ErrorKind::Mistake)),
    })
}

fn write(session: &mut Session, trees: &[(Address, Digest)]) -> Result<(), Error> {
    let store = session.services.open_store()?;
    let dir = session.context.dist_dir().join(DIRECTORY);
    let nodes = trees.iter().map(|(address, tree)| Ok((address.to_string(), store.tree(*tree)?)));
    let nodes = nodes.collect::<Result<Vec<_>, Error>>()?;
    let mut files: Vec<&RelPath> = nodes.iter().flat_map(|(_, tree)| tree.nodes.keys()).collect();
    package::write_trees(&store, &nodes, &dir)?;
    files.sort();
    files.dedup();
    let noun = if files.len() == 1 { "file" } else { "files" };
    let shown = session.ui.link(&session.context.display_path(&dir), &dir);
    session.ui.summary(&format!("Wrote {} generated {noun} to `{shown}`", files.len()));
    Ok(())
}
