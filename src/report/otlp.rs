//! The timeline of a run for OpenTelemetry: one trace with a span for the run and below it one for each phase and step, in the
//! JSON encoding of OTLP (OpenTelemetry Protocol 1, "JSON Protobuf Encoding", and "OTLP File Exporter"). Nothing is sent from here.

use std::time::Duration;

use serde_json::{Value, json};

use crate::base::Digest;
use crate::report::timeline::{Activity, Span};

/// `SPAN_KIND_INTERNAL` and `SPAN_KIND_CLIENT`: a span of this program, and one of which a server does the work.
const INTERNAL: u8 = 1;
const CLIENT: u8 = 3;

/// `STATUS_CODE_OK` and `STATUS_CODE_ERROR`.
const OK: u8 = 1;
const ERROR: u8 = 2;

/// What the spans of a run have in common.
#[derive(Clone, Debug)]
pub struct TracedRun {
    /// The name of the span of the run, such as `waders test`.
    pub name: String,
    /// When the run started, since 1970.
    pub started: Duration,
    /// The value of `TRACEPARENT` (W3C Trace Context, 3.2), if the run is a part of a trace of its caller.
    pub parent: Option<String>,
}

/// Renders the spans of a run as one line of JSON.
pub fn render(run: &TracedRun, spans: &[Span]) -> String {
    let ids = Ids::new(run);
    let end = spans.iter().map(|span| span.end).max().unwrap_or_default();
    let whole = json!({
        "traceId": ids.trace,
        "spanId": ids.span(0),
        "parentSpanId": ids.parent,
        "name": run.name,
        "kind": INTERNAL,
        "startTimeUnixNano": nanoseconds(run.started),
        "endTimeUnixNano": nanoseconds(run.started + end),
    });
    let below = spans.iter().enumerate().map(|(index, span)| rendered(run, &ids, index + 1, span));
    let spans: Vec<Value> = std::iter::once(whole).chain(below).collect();
    let document = json!({ "resourceSpans": [{
        "resource": { "attributes": [attribute("service.name", json!({ "stringValue": "waders" }))] },
        "scopeSpans": [{ "scope": { "name": "waders", "version": env!("CARGO_PKG_VERSION") }, "spans": spans }],
    }] });
    format!("{document}\n")
}

/// The identifiers of a trace, in hexadecimal.
struct Ids {
    trace: String,
    parent: String,
    seed: Digest,
}

impl Ids {
    fn new(run: &TracedRun) -> Ids {
        let seed = Digest::of(format!("{} {:?} {}", run.name, run.started, std::process::id()).as_bytes());
        let of_caller = run.parent.as_deref().and_then(trace_parent);
        let (trace, parent) = of_caller.unwrap_or_else(|| (seed.hex()[..32].to_owned(), String::new()));
        Ids { trace, parent, seed }
    }

    fn span(&self, number: usize) -> String {
        Digest::of(format!("{} {number}", self.seed).as_bytes()).hex()[..16].to_owned()
    }
}

/// The trace and the span of a `TRACEPARENT`: `00-<32 digits>-<16 digits>-<flags>`. What is not one is ignored, as the
/// specification demands.
fn trace_parent(text: &str) -> Option<(String, String)> {
    let mut parts = text.split('-');
    let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    let is_id = |text: &str, digits: usize| {
        let is_hex = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        text.len() == digits && is_hex && text.bytes().any(|byte| byte != b'0')
    };
    let is_valid = version.len() == 2 && version != "ff" && is_id(trace, 32) && is_id(span, 16);
    is_valid.then(|| (trace.to_owned(), span.to_owned()))
}

fn rendered(run: &TracedRun, ids: &Ids, number: usize, span: &Span) -> Value {
    let mut rendered = json!({
        "traceId": ids.trace,
        "spanId": ids.span(number),
        "parentSpanId": ids.span(0),
        "name": "",
        "kind": INTERNAL,
        "startTimeUnixNano": nanoseconds(run.started + span.start),
        "endTimeUnixNano": nanoseconds(run.started + span.end),
    });
    match &span.what {
        Activity::Phase(name) => rendered["name"] = json!(name),
        Activity::Step(step) => {
            let waited = span.start.saturating_sub(span.ready).as_millis().to_string();
            let mut attributes = vec![
                attribute("waders.origin", json!({ "stringValue": json!(step.origin).as_str() })),
                attribute("waders.remote", json!({ "boolValue": step.remote })),
                attribute("waders.waited_ms", json!({ "intValue": waited })),
            ];
            attributes
                .extend(step.cache.key.map(|key| attribute("waders.key", json!({ "stringValue": key.to_string() }))));
            rendered["name"] = json!(step.label);
            rendered["kind"] = json!(if step.remote { CLIENT } else { INTERNAL });
            rendered["attributes"] = json!(attributes);
            rendered["status"] = match &step.error {
                Some(error) => json!({ "code": ERROR, "message": error }),
                None => json!({ "code": if step.success { OK } else { ERROR } }),
            };
        }
    }
    rendered
}

fn attribute(key: &str, value: Value) -> Value {
    json!({ "key": key, "value": value })
}

/// 64-bit integers are strings in the JSON encoding of Protocol Buffers.
fn nanoseconds(time: Duration) -> String {
    time.as_nanos().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{StepKind, StepOrigin, StepRecord};

    fn run(parent: Option<&str>) -> TracedRun {
        let parent = parent.map(str::to_owned);
        TracedRun { name: "waders test".to_owned(), started: Duration::from_secs(1_700_000_000), parent }
    }

    fn spans_of(run: &TracedRun, spans: &[Span]) -> Vec<Value> {
        let document: Value = serde_json::from_str(&render(run, spans)).unwrap();
        document["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone()
    }

    #[test]
    fn steps_are_spans_below_the_span_of_the_run() {
        let record = StepRecord {
            origin: StepOrigin::Executed,
            remote: true,
            success: false,
            ..StepRecord::new("a_test.py".to_owned(), StepKind::Run, true)
        };
        let [ready, start, end] = [1, 3, 9].map(Duration::from_millis);
        let spans = [Span { ready, start, end, what: Activity::Step(Box::new(record)) }];
        let rendered = spans_of(&run(None), &spans);
        let [whole, step] = &rendered[..] else { panic!("{rendered:?}") };
        assert_eq!(step["parentSpanId"], whole["spanId"]);
        assert_eq!((&step["traceId"], &whole["parentSpanId"]), (&whole["traceId"], &json!("")));
        assert_eq!(step["startTimeUnixNano"], "1700000000003000000");
        assert_eq!(whole["endTimeUnixNano"], "1700000000009000000");
        assert_eq!((&step["kind"], &step["status"]["code"]), (&json!(CLIENT), &json!(ERROR)));
        assert_eq!(step["attributes"][2], attribute("waders.waited_ms", json!({ "intValue": "2" })));
    }

    #[test]
    fn a_run_continues_the_trace_of_its_caller() {
        let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
        let whole = &spans_of(&run(Some(&format!("00-{trace}-{span}-01"))), &[])[0];
        assert_eq!((&whole["traceId"], &whole["parentSpanId"]), (&json!(trace), &json!(span)));
        for invalid in ["", "00-1-2-01", &format!("ff-{trace}-{span}-01"), &format!("00-{}-{span}-01", "0".repeat(32))]
        {
            let whole = &spans_of(&run(Some(invalid)), &[])[0];
            assert_eq!(whole["parentSpanId"], "", "{invalid}");
            assert_eq!(whole["traceId"].as_str().map(str::len), Some(32));
        }
    }
}
