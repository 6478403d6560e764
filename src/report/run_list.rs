//! Renders the records of runs and their steps for people: the tables of the goal `log`.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::action::{Exit, RunRecord, StepKind, StepOrigin, StepRecord};

/// Renders a table of runs, in the order given. `zone` is the time zone of the times.
pub fn runs(runs: &[(u64, RunRecord)], zone: &TimeZone) -> String {
    let mut rows =
        vec![["run", "started", "duration", "executed", "cached", "failed", "exit", "command"].map(str::to_owned)];
    for (number, run) in runs {
        let count = |count: fn(&crate::action::StepCounts) -> usize| {
            run.parts.iter().map(|part| count(&part.counts)).sum::<usize>().to_string()
        };
        rows.push([
            number.to_string(),
            local_time(run.started_ms, zone),
            if run.unfinished { "-".to_owned() } else { duration(run.wall_ms) },
            count(|counts| counts.executed),
            count(|counts| counts.cached),
            count(|counts| counts.failed),
            match (run.unfinished, run.interrupted) {
                (true, _) => "unfinished".to_owned(),
                (false, true) => "interrupted".to_owned(),
                (false, false) => run.exit_code.to_string(),
            },
            [&run.goals[..], &run.specs[..]].concat().join(" "),
        ]);
    }
    table(&rows, &[0, 2, 3, 4, 5, 6])
}

/// Renders the steps of one goal of a run: those that were requested, carried out or failed, and the number of the others.
pub fn steps(goal: &str, reused: bool, steps: &[StepRecord]) -> String {
    let is_listed = |step: &&StepRecord| step.requested || step.origin != StepOrigin::Cached;
    let rows: Vec<[String; 4]> = steps.iter().filter(is_listed).map(|step| row(step, reused)).collect();
    let others = steps.len() - rows.len();
    let mut text =
        format!("{goal}{}\n", if reused { " (nothing had changed, so nothing was planned again)" } else { "" });
    for line in table(&rows, &[2]).lines() {
        text += &format!("  {line}\n");
    }
    if others > 0 {
        text += &format!("  {others} more steps that these need were cached\n");
    }
    text
}

fn row(step: &StepRecord, reused: bool) -> [String; 4] {
    let result = match (&step.error, step.exit) {
        (Some(error), _) => format!("not carried out: {}", error.lines().next().unwrap_or_default()),
        (None, Some(Exit::Code(0))) => "succeeded".to_owned(),
        (None, Some(exit)) => exit.to_string(),
        (None, None) => "done".to_owned(),
    };
    let time = step.wall_ms.map(duration).unwrap_or_default();
    let label = match step.kind {
        StepKind::Fetch => format!("download {}", step.label),
        _ => step.label.clone(),
    };
    let is_remote = step.remote && step.origin == StepOrigin::Executed && !reused;
    let from = if is_remote { "remote" } else { origin(step.origin, reused) };
    [from.to_owned(), result, time, label]
}

/// The word for the origin of a result. `reused`: the step belongs to an earlier run since which nothing had changed.
pub fn origin(origin: StepOrigin, reused: bool) -> &'static str {
    match origin {
        StepOrigin::None => "none",
        _ if reused => "trace",
        StepOrigin::Executed => "executed",
        StepOrigin::Cached => "cached",
        StepOrigin::Clean => "clean",
    }
}

/// A time for people, in their time zone.
pub fn local_time(unix_ms: u64, zone: &TimeZone) -> String {
    match timestamp(unix_ms) {
        Some(time) => time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        None => "unknown".to_owned(),
    }
}

/// A time for programs, in UTC.
pub fn utc_time(unix_ms: u64) -> String {
    timestamp(unix_ms).map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()).unwrap_or_default()
}

fn timestamp(unix_ms: u64) -> Option<Timestamp> {
    Timestamp::from_millisecond(i64::try_from(unix_ms).ok()?).ok()
}

fn duration(ms: u64) -> String {
    format!("{}.{:02} s", ms / 1000, ms % 1000 / 10)
}

/// Aligns columns; those in `right` at the right, all others at the left.
fn table<const N: usize>(rows: &[[String; N]], right: &[usize]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().enumerate().map(|(column, cell)| match right.contains(&column) {
            true => format!("{cell:>0$}", widths[column]),
            false => format!("{cell:<0$}", widths[column]),
        });
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{RunPart, StepCounts};
    use crate::base::Digest;

    #[test]
    fn runs_are_rendered_as_a_table() {
        let counts = StepCounts { executed: 12, cached: 1, failed: 0 };
        let part = RunPart { goal: "test".to_owned(), steps: Digest::of(b""), reused: false, counts };
        let run = RunRecord {
            version: 1,
            program: "0.1.0".to_owned(),
            started_ms: 1_796_000_000_000,
            wall_ms: 1362,
            goals: vec!["test".to_owned()],
            specs: vec!["::".to_owned()],
            exit_code: 0,
            interrupted: false,
            unfinished: false,
            parts: vec![part],
        };
        let expected = "run  started              duration  executed  cached  failed  exit  command\n  7  2026-11-30 00:53:20    1.36 s        12       1       0     0  test ::\n";
        assert_eq!(runs(&[(7, run)], &TimeZone::UTC), expected);
        assert_eq!(utc_time(1_796_000_000_000), "2026-11-30T00:53:20Z");
        assert_eq!(utc_time(u64::MAX), "");
    }

    #[test]
    fn cached_steps_that_only_others_need_are_counted() {
        let step = |label: &str, requested, origin| {
            let mut step = StepRecord::new(label.to_owned(), StepKind::Run, requested);
            (step.origin, step.exit, step.wall_ms) = (origin, Some(Exit::Code(0)), Some(20));
            step
        };
        let list =
            [step("venv image", false, StepOrigin::Cached), step("src/a_test.py:tests", true, StepOrigin::Executed)];
        let expected =
            "test\n  executed  succeeded  0.02 s  src/a_test.py:tests\n  1 more steps that these need were cached\n";
        assert_eq!(steps("test", false, &list), expected);
        assert!(steps("test", true, &list).contains("  trace "));
    }
}
