//! `why`: explains why steps of earlier runs ran or were cached, and how the keys of two runs or machines differ. Pants does not have
//! this goal. `history` finds the steps, `explain` the reasons, `compare` the differences between keys, `images` those between
//! images, and `owners` the targets of files. How the answers look is in `report::why`.

pub(super) mod compare;
mod explain;
pub(super) mod history;
mod images;
pub(super) mod owners;

use serde_json::json;

use crate::config::typed::WhySettings;
use crate::engine::ActionCache;
use crate::engine::local::LocalActionCache;
use crate::goals::Error;
use crate::goals::log::portable::PortableRun;
use crate::goals::replay::bundle;
use crate::goals::why::explain::Explainer;
use crate::goals::why::history::{History, Occurrence};
use crate::goals::why::owners::Owners;
use crate::report;
use crate::report::why::{self as answers, Explanation};
use crate::session::records::Records;
use crate::session::{self, Session, Verdict};

/// Runs the goal.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    let settings = WhySettings::parse(session.config());
    let words = session.context.specs.clone();
    match (&settings.against, settings.runs) {
        (Some(_), true) => return Err(Error::WhyModes),
        (Some(file), false) => against(session, &settings, file, &words)?,
        (None, true) => between_runs(session, &settings, &words)?,
        (None, false) => recorded(session, &settings, &words)?,
    }
    Ok(Verdict::Good)
}

/// Explains the last occurrence of the steps that the words name, or the steps of the last run.
fn recorded(session: &mut Session, settings: &WhySettings, words: &[String]) -> Result<(), Error> {
    let records = Records::open(session)?;
    let history = History::load(&records)?;
    let mut owners = Owners::default();
    let names = owners.names(session, &history, words)?;
    let steps: Vec<&Occurrence> = match words {
        [] => history.last_run(),
        _ => history.last_of(&names),
    };
    if steps.is_empty() {
        return Err(Error::NoRecordedStep(words.join(" ")));
    }
    if let Some(file) = &settings.input {
        let text = owners::why_needed(session, &mut owners, &steps, file)?;
        return Ok(session.ui.print(&text)?);
    }
    let store = session.services.open_store()?;
    let mut explainer = Explainer::new(session, store, owners, None);
    let mut explanations = Vec::new();
    for step in steps {
        explanations.push(explainer.explain(&history, step)?);
    }
    print(session, settings, &explanations, &[])
}

/// Compares the keys of two runs of this checkout: the first two words.
fn between_runs(session: &mut Session, settings: &WhySettings, words: &[String]) -> Result<(), Error> {
    let [first, second, words @ ..] = words else { return Err(Error::TwoRuns) };
    let records = Records::open(session)?;
    let (first, second) = (records.find(first)?, records.find(second)?);
    let history = History::load(&records)?;
    let mut owners = Owners::default();
    let names = owners.names(session, &history, words)?;
    let steps = |run: u64| history.of_run(run, &names);
    compare_all(session, settings, owners, None, &steps(first), &steps(second))
}

/// Compares the keys of a record of another machine with those of this checkout.
fn against(session: &mut Session, settings: &WhySettings, file: &str, words: &[String]) -> Result<(), Error> {
    let path = session.environment().cwd.join(file);
    let bytes = session.context.tracker.read(&path);
    let bytes = bytes.map_err(|source| Error::ReadRecord { path: path.clone(), source })?;
    if bytes.starts_with(&GZIP) {
        return against_bundle(session, settings, file);
    }
    let foreign: PortableRun = serde_json::from_slice(&bytes)
        .map_err(|error| Error::InvalidRecord { path: path.clone(), why: error.to_string() })?;
    if foreign.schema_version != crate::goals::log::portable::SCHEMA_VERSION {
        let why = format!("its format has the version {}", foreign.schema_version);
        return Err(Error::InvalidRecord { path, why });
    }
    let records = Records::open(session)?;
    let history = History::load(&records)?;
    let mut owners = Owners::default();
    let names = owners.names(session, &history, words)?;
    let others = history::foreign(&foreign, file, &names);
    let own: Vec<&Occurrence> = others.iter().filter_map(|other| history.last_like(other)).collect();
    let others: Vec<&Occurrence> = others.iter().collect();
    compare_all(session, settings, owners, Some(&foreign), &others, &own)
}

/// The first bytes of a bundle (RFC 1952, section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Compares the key of the step in a bundle with that of the last run of the same step here.
fn against_bundle(session: &mut Session, settings: &WhySettings, file: &str) -> Result<(), Error> {
    let bundle = bundle::read(session, file)?;
    let store = session.services.open_store()?;
    // Without an outcome, an action in the cache has no effect but that it can be compared.
    LocalActionCache::new(store).put_action(&bundle.encoded).map_err(session::Error::from)?;
    let other = history::of_bundle(bundle.about.step, bundle.about.goal, file);
    let records = Records::open(session)?;
    let history = History::load(&records)?;
    let own: Vec<&Occurrence> = history.last_like(&other).into_iter().collect();
    compare_all(session, settings, Owners::default(), None, &[&other], &own)
}

/// Compares each step with the one of the same name on the other side.
fn compare_all(
    session: &mut Session,
    settings: &WhySettings,
    owners: Owners,
    foreign: Option<&PortableRun>,
    before: &[&Occurrence],
    after: &[&Occurrence],
) -> Result<(), Error> {
    let store = session.services.open_store()?;
    let mut explainer = Explainer::new(session, store, owners, foreign);
    let (mut explanations, mut notes, mut equal) = (Vec::new(), Vec::new(), 0);
    for step in before {
        match after.iter().find(|other| other.is_like(step)) {
            None => notes.push(format!("only in {}: {}", step.shown_run(), step.step().label)),
            Some(other) if other.step().cache.key == step.step().cache.key => equal += 1,
            Some(other) => explanations.push(explainer.compare(step, other)?),
        }
    }
    for step in after.iter().filter(|step| before.iter().all(|other| !other.is_like(step))) {
        notes.push(format!("only in {}: {}", step.shown_run(), step.step().label));
    }
    notes.push(format!("steps with equal keys: {equal}"));
    print(session, settings, &explanations, &notes)
}

fn print(
    session: &Session,
    settings: &WhySettings,
    explanations: &[Explanation],
    notes: &[String],
) -> Result<(), Error> {
    if settings.json {
        let document = json!({"schema_version": answers::SCHEMA_VERSION, "steps": explanations, "notes": notes});
        return Ok(session.ui.print(&(report::pretty(&document, 2) + "\n"))?);
    }
    let mut text = answers::render(explanations);
    for note in notes {
        text += &format!("{note}\n");
    }
    Ok(session.ui.print(&text)?)
}
