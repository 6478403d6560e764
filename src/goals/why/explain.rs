//! Why a step ran, or did not have to run.

use std::sync::Arc;

use crate::action::{Exit, StepOrigin};
use crate::engine::local::LocalActionCache;
use crate::goals::Error;
use crate::goals::log::portable::PortableRun;
use crate::goals::why::compare::Keys;
use crate::goals::why::history::{History, Occurrence};
use crate::goals::why::owners::Owners;
use crate::report::run_list;
use crate::report::why::{ComparedKey, Difference, Explanation, Reason};
use crate::session::Session;
use crate::store::Store;

/// Explains steps.
pub(super) struct Explainer<'s> {
    session: &'s mut Session,
    keys: Keys<'s>,
    owners: Owners,
}

impl<'s> Explainer<'s> {
    /// `foreign` is a record of another machine, whose keys are compared, too.
    pub(super) fn new(
        session: &'s mut Session,
        store: Arc<Store>,
        owners: Owners,
        foreign: Option<&'s PortableRun>,
    ) -> Explainer<'s> {
        let cache = LocalActionCache::new(store.clone());
        Explainer { session, keys: Keys { store, cache, foreign }, owners }
    }

    /// Explains a step of a recorded run.
    pub(super) fn explain(&mut self, history: &History, step: &Occurrence) -> Result<Explanation, Error> {
        let earlier = history.earlier(step);
        let mut found = explanation(step, reason(step, &earlier));
        let changed = match found.reason.code {
            "key-changed" | "cache-not-used" => earlier.first().filter(|before| before.key() != step.key()),
            _ => None,
        };
        if let Some(before) = changed {
            self.add_differences(&mut found, before, step)?;
        }
        if step.step().origin == StepOrigin::Executed && !step.step().cache.written && step.key().is_some() {
            found.notes.push(not_stored(step));
        }
        Ok(found)
    }

    /// Explains how the keys of two occurrences of a step differ.
    pub(super) fn compare(&mut self, before: &Occurrence, after: &Occurrence) -> Result<Explanation, Error> {
        let text = format!("its key differs from that of {}:", before.shown_run());
        let mut found = explanation(after, Reason { code: "key-changed", text: capitalized(&text) });
        self.add_differences(&mut found, before, after)?;
        Ok(found)
    }

    fn add_differences(
        &mut self,
        found: &mut Explanation,
        before: &Occurrence,
        after: &Occurrence,
    ) -> Result<(), Error> {
        let (Some(old), Some(new)) = (before.key(), after.key()) else { return Ok(()) };
        found.compared_with = Some(ComparedKey { run: before.run.clone(), key: old });
        match (self.keys.action(old)?, self.keys.action(new)?) {
            (Some(old), Some(new)) => {
                found.differences = self.keys.differences((before, &old), (after, &new));
            }
            _ => found.notes.push("The fields of one of the keys are no longer in the store.".to_owned()),
        }
        for difference in &mut found.differences {
            if let Difference::File(file) = difference {
                self.owners.add(self.session, after, file)?;
            }
        }
        Ok(())
    }
}

fn explanation(step: &Occurrence, reason: Reason) -> Explanation {
    let record = step.step();
    Explanation {
        step: record.label.clone(),
        goal: step.goal.clone(),
        run: step.run.clone(),
        origin: run_list::origin(record.origin, step.reused),
        exit: record.exit.map(|exit| exit.to_string()),
        key: step.key(),
        reason,
        compared_with: None,
        differences: Vec::new(),
        notes: Vec::new(),
    }
}

/// The reason why a step ran or did not run. `earlier` are its occurrences in earlier runs, the nearest first.
fn reason(step: &Occurrence, earlier: &[&Occurrence]) -> Reason {
    let record = step.step();
    let reason = |code, text: String| Reason { code, text: capitalized(&text) };
    if let Some(error) = &record.error {
        return reason("no-result", format!("it has no result: {}", error.lines().next().unwrap_or_default()));
    }
    match record.origin {
        StepOrigin::None => return reason("no-result", "it has no result".to_owned()),
        StepOrigin::Clean => {
            return reason("clean", "no process had to run: each file is known to have no findings".to_owned());
        }
        _ if step.reused => {
            return reason(
                "trace",
                format!("nothing had changed, so nothing was planned again; {}", since(step, earlier)),
            );
        }
        StepOrigin::Cached => {
            return reason("cached", format!("its result was in the cache; {}", since(step, earlier)));
        }
        StepOrigin::Executed => {}
    }
    if step.key().is_none() {
        return reason("first", "its result was not in the store".to_owned());
    }
    let equal = earlier.iter().find(|before| before.key() == step.key());
    match (earlier.first(), equal) {
        _ if !record.cache.read => reason("cache-not-used", cache_not_used(step, earlier)),
        (None, _) => reason("first", "no earlier run of this step is recorded".to_owned()),
        (Some(_), Some(before)) => reason_despite_equal_key(before),
        (Some(before), None) => {
            reason("key-changed", format!("it ran because its key differs from that of {}:", before.shown_run()))
        }
    }
}

fn cache_not_used(step: &Occurrence, earlier: &[&Occurrence]) -> String {
    let text =
        "it ran because its goal was asked not to use the cache (`--force`, `--no-pants-local-cache` or `--debug`)";
    match earlier.first() {
        Some(before) if before.key() != step.key() => {
            format!("{text}; its key also differs from that of {}:", before.shown_run())
        }
        Some(before) => format!("{text}; its key is that of {}", before.shown_run()),
        None => text.to_owned(),
    }
}

/// Why a step ran again although an earlier run had the same key.
fn reason_despite_equal_key(before: &Occurrence) -> Reason {
    let (run, record) = (before.shown_run(), before.step());
    let exit = record.exit.map(|exit| format!(" ({exit})")).unwrap_or_default();
    let (code, text) = match (record.success, record.cache.written, record.origin) {
        (false, ..) => {
            ("failed-before", format!("It ran again because it failed in {run}{exit}: failed results are never cached"))
        }
        (true, false, StepOrigin::Executed) => (
            "not-stored",
            format!("It ran again because its result was not stored in {run}, which did not use the cache"),
        ),
        _ => (
            "lost",
            format!("It ran again because its result of {run} is no longer complete in the store: removed, or damaged"),
        ),
    };
    Reason { code, text }
}

/// Since when the result of a step is known.
fn since(step: &Occurrence, earlier: &[&Occurrence]) -> String {
    let is_source = |other: &&&Occurrence| {
        other.key() == step.key() && other.step().origin == StepOrigin::Executed && !other.reused
    };
    match earlier.iter().find(is_source) {
        Some(source) => format!("it is the result of {}", source.shown_run()),
        None => "it is the result of a run that is no longer recorded, or of another checkout".to_owned(),
    }
}

/// Why a new result was not stored.
fn not_stored(step: &Occurrence) -> String {
    let record = step.step();
    match record.exit {
        Some(Exit::Interrupted) => "Its result is not cached, because it was interrupted.".to_owned(),
        _ if !record.success => {
            "Its result is not cached: failed results are never cached, so that the step runs again each time."
                .to_owned()
        }
        _ => {
            "Its result is not cached: the run did not use the cache, the step has the terminal or the network, or the \
              target has the tag `no-cache`."
                .to_owned()
        }
    }
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
