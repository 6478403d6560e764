//! The second run of `verify`: runs the goals with recorded steps, shows progress only, and writes its record. The process was
//! started in other surroundings; the settings of sandboxes are changed here.

use std::sync::Arc;

use crate::base::{Severity, error_chain};
use crate::engine::local::SandboxVariation;
use crate::goals::{self, Error};
use crate::session::repeat::{self, Plan, Repeated};
use crate::session::{Session, Verdict};

/// Runs the goals of the plan.
pub(super) fn run(session: &mut Session, mut plan: Plan) -> Result<Verdict, Error> {
    session.ui.silence();
    let recording = Arc::new(repeat::recording(&mut plan));
    let variation = SandboxVariation { reversed_entries: plan.reversed_entries, scratch_on_disk: plan.scratch_on_disk };
    session.services.record_for_comparison(recording.clone(), variation);
    let mut errors = Vec::new();
    for name in &plan.goals {
        recording.start_goal(name);
        let goal = goals::named(name).ok_or_else(|| Error::NotVerifiable(name.clone()))?;
        match goal(session) {
            Ok(_) => {}
            Err(error) => errors.push(error_chain(&error)),
        }
        if session.services.was_interrupted() {
            repeat::answer(&plan, &Repeated { was_interrupted: true, ..Repeated::default() })?;
            return Ok(Verdict::Interrupted);
        }
    }
    let steps = recording.steps();
    let store = session.services.open_store()?;
    super::store_trees(&store, &steps)?;
    let reported = session.ui.reported();
    errors
        .extend(reported.into_iter().filter(|message| message.severity == Severity::Error).map(|message| message.text));
    repeat::answer(&plan, &Repeated { steps, errors, was_interrupted: false })?;
    Ok(Verdict::Good)
}
