//! A second run of this program, which repeats the steps of the first one: starts it in other surroundings and reads the record that
//! it writes. What the surroundings are is decided by the goal `verify`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use waders_sandbox::{REFUSED, Refused};

use crate::engine::{Record, Recording};
use crate::session::foreground::{self, HostProgram};
use crate::session::{Error, Session};

pub use waders_sandbox::{Bind, Surroundings};

/// The environment variable with the path of the [`Plan`]. It makes a process the second run.
const PLAN: &str = "WADERS_REPEAT_PLAN";

/// What the second run does.
#[derive(Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The goals that run.
    pub goals: Vec<String>,
    /// Whether steps that are ready at the same time start in reverse order.
    pub reversed_steps: bool,
    /// Whether directories list their entries in another order.
    pub reversed_entries: bool,
    /// Whether temporary files are on disk rather than in memory.
    pub scratch_on_disk: bool,
    /// The steps of the first run.
    pub reference: Record,
    /// Where the second run writes its [`Repeated`].
    pub answer: PathBuf,
}

/// What the second run reports.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Repeated {
    /// Its steps.
    pub steps: Record,
    /// Its errors, each with its causes.
    pub errors: Vec<String>,
    /// Whether the user stopped it.
    pub was_interrupted: bool,
}

/// How the second run is started.
#[derive(Debug, Default)]
pub struct Start {
    /// What is different around it.
    pub surroundings: Surroundings,
    /// Variables that are different in its environment.
    pub env: BTreeMap<String, String>,
    /// Flags in addition to those of this run.
    pub flags: Vec<String>,
}

/// How the second run ended.
pub enum Ended {
    /// With this report.
    Repeated(Repeated),
    /// Not started, because a change of the surroundings is not possible: its name, and the reason.
    Refused(String, String),
    /// Without a report: its exit code.
    Failed(i32),
}

/// The plan of this process, if it is the second run.
pub fn plan(session: &Session) -> Result<Option<Plan>, Error> {
    let Some(path) = session.environment().var(PLAN).map(PathBuf::from) else { return Ok(None) };
    let bytes = session.context.tracker.read(&path).map_err(|source| Error::ReadFile { path: path.clone(), source })?;
    let plan = serde_json::from_slice(&bytes).map_err(std::io::Error::other);
    plan.map(Some).map_err(|source| Error::ReadFile { path, source })
}

/// Writes the report of the second run.
pub fn answer(plan: &Plan, repeated: &Repeated) -> Result<(), Error> {
    write(&plan.answer, repeated)
}

/// The recording of the second run.
pub fn recording(plan: &mut Plan) -> Recording {
    Recording::repeating(std::mem::take(&mut plan.reference), plan.reversed_steps)
}

/// Starts the second run and waits for its end. `dir` is an empty directory for the files that both runs exchange.
pub fn run(session: &Session, mut start: Start, mut plan: Plan, dir: &Path) -> Result<Ended, Error> {
    plan.answer = dir.join("answer");
    let (path, refusal) = (dir.join("plan"), dir.join("refusal"));
    write(&path, &plan)?;
    start.surroundings.report.clone_from(&refusal);
    start.env.insert(PLAN.to_owned(), path.to_string_lossy().into_owned());
    let argv = with_flags(&session.environment().argv, &start.flags);
    let program = HostProgram {
        argv: ["/proc/self/exe".to_owned()].into_iter().chain(start.surroundings.arguments(&argv)).collect(),
        env: start.env,
        cwd: session.environment().cwd.clone(),
    };
    let code = foreground::run(session, &program)?;
    if let Some(repeated) = read(session, &plan.answer) {
        return Ok(Ended::Repeated(repeated));
    }
    match read::<Refused>(session, &refusal).filter(|_| code == REFUSED) {
        Some(Refused { change, reason }) => Ok(Ended::Refused(change, reason)),
        None => Ok(Ended::Failed(code)),
    }
}

/// The arguments with more flags, which are in front of the words that are passed on to programs.
fn with_flags(argv: &[String], flags: &[String]) -> Vec<String> {
    let end = argv.iter().position(|word| word == "--").unwrap_or(argv.len());
    [&argv[..end], flags, &argv[end..]].concat()
}

fn read<T: serde::de::DeserializeOwned>(session: &Session, path: &Path) -> Option<T> {
    serde_json::from_slice(&session.context.tracker.read(path).ok()?).ok()
}

fn write(path: &Path, value: &impl Serialize) -> Result<(), Error> {
    let bytes = serde_json::to_vec(value).expect("records serialize");
    std::fs::write(path, bytes).map_err(|source| Error::Output { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_inserted_before_the_words_for_programs() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(with_flags(&words("verify test ::"), &words("--a --b")), words("verify test :: --a --b"));
        assert_eq!(with_flags(&words("verify :: -- -k x"), &words("--a")), words("verify :: --a -- -k x"));
    }
}
