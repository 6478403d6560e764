//! Collects the timeline of a run, if the user asks for one, and writes it at the end. Its form is in `report::timeline`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::action::{Event, StepId};
use crate::base::replace_report;
use crate::report::timeline::{Activity, Span, render};
use crate::session::Error;

/// The timeline of a run; nothing is collected without a file.
pub(super) struct Timeline {
    file: Option<PathBuf>,
    started: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    spans: Vec<Span>,
    /// When the last graph of steps ended.
    planned_since: Duration,
}

/// The times of the steps of one graph.
pub(super) struct GraphTimes {
    timeline: Arc<Timeline>,
    started: Duration,
    steps: Mutex<Times>,
}

#[derive(Default)]
struct Times {
    started: BTreeMap<StepId, Duration>,
    ended: BTreeMap<StepId, Duration>,
}

impl Timeline {
    /// The timeline of a run that starts now.
    #[expect(clippy::disallowed_methods, reason = "the timeline of a run is about time")]
    pub(super) fn start(file: Option<PathBuf>) -> Timeline {
        Timeline { file, started: Instant::now(), state: Mutex::default() }
    }

    /// Marks the start of the steps of a graph. What happened since the last graph was planning. `None` without a file.
    pub(super) fn begin_graph(self: &Arc<Self>) -> Option<Arc<GraphTimes>> {
        self.file.as_ref()?;
        let started = self.started.elapsed();
        let mut state = self.state();
        let since = state.planned_since;
        state.spans.push(Span { ready: since, start: since, end: started, what: Activity::Phase("plan".to_owned()) });
        drop(state);
        Some(Arc::new(GraphTimes { timeline: self.clone(), started, steps: Mutex::default() }))
    }

    /// Marks the end of the steps of a graph.
    pub(super) fn end_graph(&self) {
        self.state().planned_since = self.started.elapsed();
    }

    /// Writes the file, if there is one.
    pub(super) fn write(&self) -> Result<(), Error> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut state = self.state();
        let (start, end) = (state.planned_since, self.started.elapsed());
        state.spans.push(Span { ready: start, start, end, what: Activity::Phase("finish".to_owned()) });
        let written = replace_report(file, render(&state.spans).as_bytes());
        written.map_err(|source| Error::Output { path: file.clone(), source })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GraphTimes {
    /// Takes the time of an event.
    pub(super) fn event(&self, event: &Event) {
        let now = self.timeline.started.elapsed();
        let mut times = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Started { id, .. } => drop(times.started.insert(*id, now)),
            Event::Recorded { id, needs, record } => {
                times.ended.insert(*id, now);
                let ready = needs.iter().filter_map(|need| times.ended.get(need)).max();
                let ready = ready.copied().unwrap_or(self.started);
                let start = times.started.get(id).copied().unwrap_or(now);
                drop(times);
                let what = Activity::Step(record.clone());
                self.timeline.state().spans.push(Span { ready, start, end: now, what });
            }
            _ => {}
        }
    }
}
