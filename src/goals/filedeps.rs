//! `filedeps`: the source and BUILD files of the selected targets.

use std::collections::BTreeSet;

use crate::base::RelPath;
use crate::config::typed::FiledepsSettings;
use crate::goals::Error;
use crate::goals::output;
use crate::session::{Session, Verdict};
use crate::targets::{Address, Target};

const GOAL: &str = "filedeps";

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    let settings = FiledepsSettings::parse(session.config());
    let mut addresses: BTreeSet<Address> = session.select()?.into_iter().collect();
    if settings.transitive {
        let dependencies = session.infer_for(&addresses)?;
        addresses.extend(dependencies.transitive(&addresses));
        session.report_inference(&dependencies, &addresses)?;
    }
    let graph = session.load_graph()?;
    let mut files: BTreeSet<String> = BTreeSet::new();
    for target in addresses.iter().filter_map(|address| graph.get(address)) {
        files.insert(target.build_file.to_string());
        match settings.globs {
            true => files.extend(included(target)),
            false => files.extend(target.sources.iter().map(RelPath::to_string)),
        }
    }
    let printed =
        |file: String| if settings.absolute { session.build_root().join(file).display().to_string() } else { file };
    output::lines(session, GOAL, &files.into_iter().map(printed).collect::<Vec<_>>())?;
    Ok(Verdict::Good)
}

/// The globs of a target that include files, relative to the build root.
fn included(target: &Target) -> Vec<String> {
    let globs = target.globs().into_iter().filter(|glob| !glob.starts_with('!'));
    let dir = &target.address.dir;
    globs.map(|glob| if dir.is_root() { glob.to_owned() } else { format!("{dir}/{glob}") }).collect()
}
