//! Collects the steps of a run and stores its record when it ends, for the goals `log` and `why`. What a record contains is in
//! `action::record`, how it is stored in `store::checkout::runs`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::action::record::{self, RECORD_VERSION};
use crate::action::{RunPart, RunRecord, StepCounts, StepId, StepKind, StepOrigin, StepRecord};
use crate::base::Digest;
use crate::store::{self, Store};

/// The steps of the present run.
pub struct RunLog {
    build_root: PathBuf,
    specs: Vec<String>,
    started: (Instant, SystemTime),
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Where the record is stored. Released with the end of the run: others hold the log longer, and an open store has files.
    store: Option<Arc<Store>>,
    goals: Vec<String>,
    parts: Vec<RunPart>,
    /// The steps since the last part ended.
    open: Vec<StepRecord>,
    /// The number of the record, once a step has started.
    number: Option<u64>,
    is_closed: bool,
}

/// A stored list of steps, as a later run reuses it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct StoredSteps {
    /// The digest of the list.
    steps: Digest,
    /// The number of steps that the goal asked for.
    requested: usize,
}

/// One step as the engine reports it.
pub type Reported = (StepId, Vec<StepId>, StepRecord);

impl RunLog {
    /// A run that has just started.
    pub fn start(build_root: PathBuf, specs: Vec<String>) -> RunLog {
        #[expect(clippy::disallowed_methods, reason = "the record of a run says when it was")]
        let started = (Instant::now(), SystemTime::now());
        RunLog { build_root, specs, started, state: Mutex::default() }
    }

    /// The time since the run started.
    pub fn elapsed(&self) -> Duration {
        self.started.0.elapsed()
    }

    /// The goals of the run.
    pub fn set_goals(&self, goals: &[String]) {
        self.lock().goals = goals.to_vec();
    }

    /// The goals of the run as on the command line.
    pub(super) fn goals(&self) -> String {
        self.lock().goals.join(" ")
    }

    /// Where the record is stored. Without a store there were no steps, and nothing is stored.
    pub(super) fn set_store(&self, store: &Arc<Store>) {
        let mut state = self.lock();
        if !state.is_closed {
            state.store.get_or_insert_with(|| store.clone());
        }
    }

    /// Stores an unfinished record when the first step starts, so that a run that is killed is in the log. The record is replaced when
    /// the run ends. A failure is reported then.
    pub(super) fn begin(&self) {
        let mut state = self.lock();
        let Some(store) = state.store.clone().filter(|_| state.number.is_none() && !state.is_closed) else { return };
        let record = RunRecord { unfinished: true, wall_ms: 0, ..self.record(&mut state, 0, false) };
        let bytes = serde_json::to_vec(&record).unwrap_or_default();
        state.number = store.runs(&self.build_root).add_record(&bytes, named_steps).ok();
    }

    /// Adds the steps of one graph.
    pub(super) fn add(&self, mut reported: Vec<Reported>) {
        // In the order of the graph, in which each step follows those that it needs.
        reported.sort_by_key(|(id, ..)| *id);
        let mut state = self.lock();
        let known: BTreeMap<(String, Option<Digest>), usize> =
            state.open.iter().enumerate().map(|(at, step)| ((step.label.clone(), step.output), at)).collect();
        let mut places = BTreeMap::new();
        for (id, needs, mut step) in reported {
            // A step that several graphs need is listed once.
            let is_repeated = !step.requested && step.origin == StepOrigin::Cached;
            if let Some(at) = known.get(&(step.label.clone(), step.output)).filter(|_| is_repeated) {
                places.insert(id, *at);
                continue;
            }
            step.needs = needs.iter().filter_map(|need| places.get(need).copied()).collect();
            step.needs.sort_unstable();
            places.insert(id, state.open.len());
            state.open.push(step);
        }
    }

    /// Ends the steps of a goal. `None` if there are none.
    pub fn end_part(&self, goal: &str) -> store::Result<Option<StoredSteps>> {
        let mut state = self.lock();
        let Some(store) = state.store.clone().filter(|_| !state.open.is_empty()) else { return Ok(None) };
        let open = std::mem::take(&mut state.open);
        let requested = open.iter().filter(|step| step.requested && step.kind == StepKind::Run).count();
        let bytes = serde_json::to_vec(&open).unwrap_or_default();
        let steps = store.runs(&self.build_root).add_steps(&bytes)?;
        let part = RunPart { goal: goal.to_owned(), steps, reused: false, counts: StepCounts::of(&open) };
        state.parts.push(part);
        Ok(Some(StoredSteps { steps, requested }))
    }

    /// Adds the steps of an earlier run since which nothing has changed.
    pub(super) fn reuse(&self, goal: &str, StoredSteps { steps, requested }: StoredSteps) {
        let counts = StepCounts { cached: requested, ..StepCounts::default() };
        self.lock().parts.push(RunPart { goal: goal.to_owned(), steps, reused: true, counts });
    }

    /// Forgets the steps since the last part, if all of them were cached: they belong to a goal that only reads.
    pub fn discard_cached(&self) {
        let mut state = self.lock();
        if state.open.iter().all(|step| matches!(step.origin, StepOrigin::Cached | StepOrigin::Clean)) {
            state.open.clear();
        }
    }

    /// Forgets the steps since the last part: they do not belong to this checkout.
    pub fn discard(&self) {
        self.lock().open.clear();
    }

    /// Stores the record, unless no goal had steps. Returns its number. Only the first call has an effect.
    pub fn close(&self, exit_code: u8, interrupted: bool) -> store::Result<Option<u64>> {
        let goal = self.lock().goals.last().cloned().unwrap_or_default();
        self.end_part(&goal)?;
        let mut state = self.lock();
        let was_closed = std::mem::replace(&mut state.is_closed, true);
        let Some(store) = state.store.take().filter(|_| !was_closed) else { return Ok(None) };
        let runs = store.runs(&self.build_root);
        match (state.number, state.parts.is_empty()) {
            (None, true) => return Ok(None),
            (Some(number), true) => return runs.remove_record(number).map(|()| None),
            (_, false) => {}
        }
        let bytes = serde_json::to_vec(&self.record(&mut state, exit_code, interrupted)).unwrap_or_default();
        match state.number {
            Some(number) => runs.replace_record(number, &bytes).map(|()| Some(number)),
            None => runs.add_record(&bytes, named_steps).map(Some),
        }
    }

    /// The record of the run until now.
    fn record(&self, state: &mut State, exit_code: u8, interrupted: bool) -> RunRecord {
        let since_epoch = self.started.1.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        RunRecord {
            version: RECORD_VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            started_ms: record::milliseconds(since_epoch),
            wall_ms: record::milliseconds(self.elapsed()),
            goals: state.goals.clone(),
            specs: self.specs.clone(),
            exit_code,
            interrupted,
            unfinished: false,
            parts: state.parts.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The lists of steps that a record names; none if it cannot be read.
fn named_steps(record: &[u8]) -> Vec<Digest> {
    let record = serde_json::from_slice::<RunRecord>(record);
    record.map(|record| record.parts.into_iter().map(|part| part.steps).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(label: &str, requested: bool, origin: StepOrigin) -> StepRecord {
        StepRecord { origin, success: true, ..StepRecord::new(label.to_owned(), StepKind::Run, requested) }
    }

    fn log(dir: &std::path::Path) -> (RunLog, Arc<Store>) {
        let store = Arc::new(Store::open(&dir.join("store")).unwrap());
        let log = RunLog::start("/root".into(), vec!["::".to_owned()]);
        log.set_store(&store);
        log.set_goals(&["test".to_owned()]);
        (log, store)
    }

    #[test]
    fn steps_are_listed_once_after_those_that_they_need() {
        let dir = tempfile::tempdir().unwrap();
        let (log, store) = log(dir.path());
        let id = StepId::new;
        log.add(vec![
            (id(1), vec![id(0)], step("test", true, StepOrigin::Executed)),
            (id(0), vec![], step("venv", false, StepOrigin::Executed)),
        ]);
        log.add(vec![
            (id(4), vec![], step("venv", false, StepOrigin::Cached)),
            (id(7), vec![id(4)], step("coverage", true, StepOrigin::Executed)),
        ]);
        let number = log.close(0, false).unwrap().unwrap();
        let runs = store.runs(std::path::Path::new("/root"));
        let record: RunRecord = serde_json::from_slice(&runs.record(number).unwrap().unwrap()).unwrap();
        assert_eq!(record.parts[0].counts, StepCounts { executed: 3, cached: 0, failed: 0 });
        let steps = runs.steps(record.parts[0].steps).unwrap().unwrap();
        let steps: Vec<StepRecord> = serde_json::from_slice(&steps).unwrap();
        let listed: Vec<_> = steps.iter().map(|step| (step.label.as_str(), step.needs.as_slice())).collect();
        assert_eq!(listed, [("venv", &[][..]), ("test", &[0]), ("coverage", &[0])]);
        assert_eq!(log.close(1, true).unwrap(), None, "a run has one record");
    }

    #[test]
    fn a_run_that_started_a_step_is_recorded_as_unfinished_until_it_ends() {
        let dir = tempfile::tempdir().unwrap();
        let (log, store) = log(dir.path());
        let runs = store.runs(std::path::Path::new("/root"));
        let read = || serde_json::from_slice::<RunRecord>(&runs.record(1).unwrap().unwrap()).unwrap();
        log.begin();
        log.begin();
        let unfinished = read();
        assert!(unfinished.unfinished && unfinished.goals == ["test"] && unfinished.parts.is_empty());
        log.add(vec![(StepId::new(0), vec![], step("test", true, StepOrigin::Executed))]);
        assert_eq!(log.close(0, false).unwrap(), Some(1));
        assert!(!read().unfinished && read().parts.len() == 1);
        assert_eq!(runs.numbers().unwrap(), [1]);
    }

    #[test]
    fn a_run_without_steps_leaves_no_record() {
        let dir = tempfile::tempdir().unwrap();
        let (log, store) = log(dir.path());
        log.begin();
        log.add(vec![(StepId::new(0), vec![], step("evaluate BUILD files", true, StepOrigin::Cached))]);
        log.discard_cached();
        assert_eq!(log.close(0, false).unwrap(), None);
        assert_eq!(store.runs(std::path::Path::new("/root")).numbers().unwrap(), Vec::<u64>::new());
    }
}
