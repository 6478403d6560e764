//! `log`: lists the recorded runs of this checkout, or the steps of one run. Pants does not have this goal. `portable` is the form in
//! which a run can be compared on another machine.

pub(super) mod portable;

use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::json;

use crate::action::{RunRecord, StepRecord};
use crate::config::typed::LogGoalSettings;
use crate::goals::Error;
use crate::report::{self, run_list};
use crate::session::records::{self, Records, StepList};
use crate::session::{Session, Verdict};

/// The number of runs that are listed by default.
const LISTED: usize = 20;

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    let settings = LogGoalSettings::parse(session.config());
    let records = Records::open(session)?;
    match &session.context.specs.clone()[..] {
        [] => list(session, &records, &settings)?,
        words => {
            for word in words {
                show(session, &records, &settings, word)?;
            }
        }
    }
    Ok(Verdict::Good)
}

fn list(session: &Session, records: &Records, settings: &LogGoalSettings) -> Result<(), Error> {
    let mut runs: Vec<(u64, RunRecord)> = Vec::new();
    for number in records.numbers()? {
        if !settings.all && runs.len() == LISTED {
            break;
        }
        match records.record(number) {
            Ok(record) => runs.push((number, record)),
            // The list shows what can be read.
            Err(records::Error::Unreadable(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let text = match settings.json {
        true => {
            let runs: Vec<_> = runs.iter().map(|(number, run)| json!({"run": number, "record": run})).collect();
            report::pretty(&json!({"schema_version": 1, "runs": runs}), 2) + "\n"
        }
        false => run_list::runs(&runs, &TimeZone::system()),
    };
    Ok(session.ui.print(&text)?)
}

fn show(session: &mut Session, records: &Records, settings: &LogGoalSettings, word: &str) -> Result<(), Error> {
    let number = records.find(word)?;
    let record = records.record(number)?;
    if settings.json {
        let store = session.services.open_store()?;
        let portable = portable::portable(&store, records, number, record)?;
        return Ok(session.ui.print(&(report::pretty(&portable, 2) + "\n"))?);
    }
    let mut text = run_list::runs(&[(number, record.clone())], &TimeZone::system());
    for StepList { goal, reused, steps } in records.steps(&record)? {
        text += "\n";
        text += &match steps {
            Some(steps) => run_list::steps(&goal, reused, &listed(steps, settings.all)),
            None => format!("{goal}\n  its steps are no longer recorded\n"),
        };
    }
    Ok(session.ui.print(&text)?)
}

/// With `--all`, cached steps that only others need are listed, too.
fn listed(steps: Arc<Vec<StepRecord>>, all: bool) -> Vec<StepRecord> {
    let mut steps = steps.to_vec();
    if all {
        steps.iter_mut().for_each(|step| step.requested = true);
    }
    steps
}
