//! Collects the timeline of a run, if the user asks for one, and writes it at the end. Its forms are in `report::timeline` and
//! `report::otlp`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::action::{Event, StepId};
use crate::base::replace_report;
use crate::report::otlp::{self, TracedRun};
use crate::report::timeline::{Activity, Span, render};
use crate::session::Error;

/// Where a timeline is written, and how.
pub(super) struct TimelineSettings {
    /// Absolute.
    pub(super) file: Option<PathBuf>,
    /// Whether it is one of OpenTelemetry.
    pub(super) is_otlp: bool,
    /// The variable `TRACEPARENT`.
    pub(super) parent: Option<String>,
}

/// The timeline of a run; nothing is collected without a file.
pub(super) struct Timeline {
    settings: TimelineSettings,
    started: Instant,
    /// Since 1970.
    started_at: Duration,
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
    pub(super) fn start(settings: TimelineSettings) -> Timeline {
        let started_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timeline { settings, started: Instant::now(), started_at, state: Mutex::default() }
    }

    /// Marks the start of the steps of a graph. What happened since the last graph was planning. `None` without a file.
    pub(super) fn begin_graph(self: &Arc<Self>) -> Option<Arc<GraphTimes>> {
        self.settings.file.as_ref()?;
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

    /// Writes the file, if there is one, of a run of these goals.
    pub(super) fn write(&self, goals: &str) -> Result<(), Error> {
        let TimelineSettings { file: Some(file), is_otlp, parent } = &self.settings else { return Ok(()) };
        let mut state = self.state();
        let (start, end) = (state.planned_since, self.started.elapsed());
        state.spans.push(Span { ready: start, start, end, what: Activity::Phase("finish".to_owned()) });
        let text = if *is_otlp {
            let (name, parent) = (format!("waders {goals}"), parent.clone());
            otlp::render(&TracedRun { name, started: self.started_at, parent }, &state.spans)
        } else {
            render(&state.spans)
        };
        let written = replace_report(file, text.as_bytes());
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
