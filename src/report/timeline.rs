//! The timeline of a run in the trace event format of Chrome, which `chrome://tracing`, Perfetto and speedscope show: what was
//! planned, which steps waited, ran here or on a worker, and which results were cached. Collecting it is up to `session`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::action::{StepKind, StepOrigin, StepRecord};

/// Something that took time. Times are since the start of the run.
#[derive(Clone, Debug)]
pub struct Span {
    /// When it was possible to start: all inputs were there.
    pub ready: Duration,
    /// When it started.
    pub start: Duration,
    /// When it ended.
    pub end: Duration,
    /// What it was.
    pub what: Activity,
}

/// What took time.
#[derive(Clone, Debug)]
pub enum Activity {
    /// A part of the run outside of steps, such as planning.
    Phase(String),
    /// A step that has ended in any way.
    Step(Box<StepRecord>),
}

/// The groups of rows of the timeline, from top to bottom. Each has as many rows as it has spans at the same time.
const GROUPS: [&str; 6] = ["run", "steps here", "steps on workers", "downloads", "derived trees", "cached"];

/// Renders a timeline as JSON.
pub fn render(spans: &[Span]) -> String {
    let mut sorted: Vec<&Span> = spans.iter().collect();
    sorted.sort_by_key(|span| (span.start, span.end));
    // The ends of the last spans in the rows of each group.
    let mut rows: BTreeMap<usize, Vec<Duration>> = BTreeMap::new();
    let mut events = Vec::new();
    for span in sorted {
        let group = group(&span.what);
        let rows = rows.entry(group).or_default();
        let row = rows.iter().position(|end| *end <= span.start).unwrap_or_else(|| {
            rows.push(Duration::ZERO);
            rows.len() - 1
        });
        rows[row] = span.end;
        events.push(event(span, group, row));
    }
    let names = rows.iter().flat_map(|(group, rows)| (0..rows.len()).map(|row| row_name(*group, row)));
    let events: Vec<Value> = names.chain(events).collect();
    format!("{}\n", json!({ "displayTimeUnit": "ms", "traceEvents": events }))
}

fn group(what: &Activity) -> usize {
    match what {
        Activity::Phase(_) => 0,
        Activity::Step(step) => match (step.origin, step.kind) {
            (StepOrigin::Cached | StepOrigin::Clean, _) => 5,
            (_, StepKind::Fetch) => 3,
            (_, StepKind::Derive) => 4,
            (_, StepKind::Run) if step.remote => 2,
            (_, StepKind::Run) => 1,
        },
    }
}

/// The number of a row, which viewers call a thread.
fn thread(group: usize, row: usize) -> usize {
    1000 * (group + 1) + row
}

fn row_name(group: usize, row: usize) -> Value {
    let name = if row == 0 { GROUPS[group].to_owned() } else { format!("{} {}", GROUPS[group], row + 1) };
    json!({ "ph": "M", "name": "thread_name", "pid": 1, "tid": thread(group, row), "args": { "name": name } })
}

fn event(span: &Span, group: usize, row: usize) -> Value {
    let (name, category, args) = match &span.what {
        Activity::Phase(name) => (name.clone(), "phase", json!({})),
        Activity::Step(step) => (step.label.clone(), "step", arguments(span, step)),
    };
    json!({
        "ph": "X",
        "name": name,
        "cat": category,
        "pid": 1,
        "tid": thread(group, row),
        "ts": microseconds(span.start),
        "dur": microseconds(span.end.saturating_sub(span.start)),
        "args": args,
    })
}

fn arguments(span: &Span, step: &StepRecord) -> Value {
    let mut args = json!({
        "origin": step.origin,
        "remote": step.remote,
        "requested": step.requested,
        "success": step.success,
        "waited_ms": microseconds(span.start.saturating_sub(span.ready)) / 1000,
    });
    if let Some(key) = step.cache.key {
        args["key"] = json!(key.to_string());
    }
    if let Some(wall) = step.wall_ms {
        args["process_ms"] = json!(wall);
    }
    if let Some(error) = &step.error {
        args["error"] = json!(error);
    }
    args
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(label: &str, [ready, start, end]: [u64; 3], remote: bool) -> Span {
        let record = StepRecord {
            origin: StepOrigin::Executed,
            remote,
            success: true,
            ..StepRecord::new(label.to_owned(), StepKind::Run, true)
        };
        let [ready, start, end] = [ready, start, end].map(Duration::from_millis);
        Span { ready, start, end, what: Activity::Step(Box::new(record)) }
    }

    #[test]
    fn spans_at_the_same_time_are_in_different_rows() {
        let plan = Span {
            ready: Duration::ZERO,
            start: Duration::ZERO,
            end: Duration::from_millis(5),
            what: Activity::Phase("plan".to_owned()),
        };
        let spans = [
            plan,
            step("b", [5, 7, 9], false),
            step("a", [5, 5, 8], false),
            step("c", [5, 8, 9], false),
            step("d", [5, 5, 9], true),
        ];
        let rendered: Value = serde_json::from_str(&render(&spans)).unwrap();
        let events = rendered["traceEvents"].as_array().unwrap();
        let row = |name: &str| {
            let event = events.iter().find(|event| event["name"] == name).unwrap();
            (event["tid"].as_u64().unwrap(), event["args"]["waited_ms"].as_u64())
        };
        assert_eq!(row("plan"), (1000, None));
        assert_eq!((row("a"), row("b"), row("c")), ((2000, Some(0)), (2001, Some(2)), (2000, Some(3))));
        assert_eq!(row("d"), (3000, Some(0)));
        let names: Vec<_> = events.iter().filter_map(|event| event["args"]["name"].as_str()).collect();
        assert_eq!(names, ["run", "steps here", "steps here 2", "steps on workers"]);
    }
}
