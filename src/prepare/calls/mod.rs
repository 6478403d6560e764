//! Calls of tools: what `lint`, `check`, `fmt` and `fix` have in common. Which tools are on is `enabled`, which files each
//! works on is `work`, what each process gets is `prepare` and, beside its files, `surroundings`, what became of it is
//! `results`, and how that is kept for a run in which nothing changed `recalled`. What a checker's process gets is in `check`.

pub mod enabled;
pub mod prepare;
mod recalled;
mod surroundings;
pub mod work;

use rayon::prelude::*;

use crate::action::StepId;
use crate::base::RelPath;
use crate::engine::executor::Results;
use crate::session::{Error, Session, execute, sources};
use prepare::{Contents, Prepared, PreparedBatch, PreparedCall};
use work::Selected;

pub use enabled::Enabled;
pub use work::Work;

/// What became of all calls of a goal.
#[derive(Default)]
pub struct Done {
    pub calls: Vec<PreparedCall>,
    pub outcomes: Results,
    /// What fixers and formatters were given.
    pub contents: Contents,
    /// Some file could not be read, which was told.
    pub unreadable: bool,
}

impl Done {
    /// More calls, which are of another graph.
    pub fn add(&mut self, calls: Vec<PreparedCall>, outcomes: Results) {
        let taken = self.outcomes.last_key_value().map_or(0, |(last, _)| last.index() + 1);
        let moved = |step: StepId| StepId::new(taken + step.index());
        let outcomes = outcomes.into_iter().map(|(step, result)| (moved(step), result));
        let batch = |batch: PreparedBatch| PreparedBatch { step: batch.step.map(moved), ..batch };
        let call = |call: PreparedCall| PreparedCall { batches: call.batches.into_iter().map(batch).collect(), ..call };
        self.calls.extend(calls.into_iter().map(call));
        self.outcomes.extend(outcomes);
    }
}

/// Each call with the selected files that it works on; those that have none are left out.
pub fn works(session: &mut Session, enabled: &[Enabled]) -> Result<Vec<(Enabled, Work)>, Error> {
    let selected = Selected::of(session, enabled)?;
    let (graph, sources) = (session.load_graph()?, session.services.open_sources()?);
    let config = session.config();
    let work = |enabled: &Enabled| {
        let work = Work::of(config, &graph, &selected, enabled)?;
        Ok((!work.parts.is_empty()).then(|| (enabled.clone(), work)))
    };
    // Meanwhile the sources are looked at, whose bytes are asked for next. What cannot be read is told then.
    let ahead = || sources.nodes(selected.sources(&graph, enabled));
    let works = || enabled.par_iter().map(work).collect::<Vec<Result<_, Error>>>();
    let (_, works) = rayon::join(ahead, works);
    works.into_iter().filter_map(Result::transpose).collect()
}

/// The bytes of all files that are worked on. What cannot be read is told and left out; true where there was such a file.
pub fn contents(session: &mut Session, works: &[(Enabled, Work)]) -> Result<(Contents, bool), Error> {
    let mut files: Vec<&RelPath> = works.iter().flat_map(|(_, work)| work.files()).collect();
    // Stable, since that is quick where several sorted lists follow each other.
    files.sort();
    files.dedup();
    let sources = session.services.open_sources()?;
    let mut contents = Vec::new();
    let mut unreadable = false;
    for (file, node) in sources.nodes(files)? {
        match node {
            Ok(node) => contents.push((file.clone(), node)),
            Err(error @ sources::Error::Store(_)) => return Err(error.into()),
            Err(sources::Error::Read { source, .. }) => {
                unreadable = true;
                session.ui.error(&format!("cannot read `{file}`, so no tool sees it: {source}"), None);
            }
        }
    }
    sources.save()?;
    Ok((contents.into_iter().collect(), unreadable))
}

/// Prepares calls on contents and carries them out.
pub fn execute(
    session: &mut Session,
    goal: &str,
    works: &[(Enabled, Work)],
    contents: &Contents,
) -> Result<(Vec<PreparedCall>, Results), Error> {
    carry_out(session, works, |session| prepare::prepare(session, goal, works, contents))
}

/// Carries out what is prepared of some work; once more where something was lost that a new preparation brings back.
pub fn carry_out(
    session: &mut Session,
    works: &[(Enabled, Work)],
    prepare: impl Fn(&mut Session) -> Result<Prepared, Error>,
) -> Result<(Vec<PreparedCall>, Results), Error> {
    if works.is_empty() {
        return Ok((Vec::new(), Results::new()));
    }
    let once = |session: &mut Session| {
        let Prepared { graph, calls } = prepare(session)?;
        let batches = calls.iter().flat_map(|call| &call.batches);
        let steps: Vec<StepId> = batches.filter_map(|batch| batch.step.as_ref().ok().copied()).collect();
        let outcomes = execute::execute(session, graph, &steps, false)?;
        Ok((calls, outcomes))
    };
    execute::with_repair(session, once)
}
