//! `init`: writes the settings and BUILD files of a repository that has none, so that they can be changed. Until then, the same settings
//! and targets are in effect in memory.

use std::collections::BTreeMap;

use crate::base::RelPath;
use crate::config::implied;
use crate::goals::Error;
use crate::session::rewrite::rewrite;
use crate::session::{Session, Verdict, implied_targets};
use crate::targets::TargetGraph;

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    let settings = RelPath::parse("pants.toml")?;
    if session.context.tracker.is_file(&settings.to_path(session.build_root())) {
        return Err(Error::Configured);
    }
    // As if no BUILD file existed, since the ones in memory are part of the graph.
    let files = session.load_graph()?.files().clone();
    let texts = implied_targets::by_directory(&session.context, &TargetGraph::from_files(files))?;
    let mut written: BTreeMap<RelPath, String> = BTreeMap::new();
    for (dir, text) in texts {
        written.insert(dir.push("BUILD")?, text);
    }
    written.insert(settings, implied::pants_toml(session.build_root()));
    written.insert(RelPath::parse("waders.toml")?, implied::WADERS_TOML.to_owned());
    for (file, text) in written {
        rewrite(session.build_root(), &file, None, text.as_bytes())?;
        session.ui.print(&format!("Created {file}\n"))?;
    }
    session.forget_repository();
    Ok(Verdict::Good)
}
