//! Loads the repository: in Rust, and where that does not do, with real Python. Without Python, what needs it is broken.

use std::collections::BTreeMap;

use crate::base::RelPath;
use crate::build_file::BuildFile;
use crate::goals::{Error, Session, interpret};
use crate::target::{self, Diagnostic, Loaded, Topic, World};

pub fn load(session: &mut Session) -> Result<Loaded, Error> {
    let mut loaded = load_with(session, &BTreeMap::new());
    let Some(question) = loaded.question.take() else { return Ok(loaded) };
    match interpret::ask(session, &question) {
        Ok(answers) => Ok(load_with(session, &answers)),
        Err(Error::Interrupted) => Err(Error::Interrupted),
        Err(error) => {
            let beyond = |found: &&mut Diagnostic| found.topic == Topic::Beyond;
            let found = loaded.broken.iter_mut().map(|broken| &mut broken.diagnostic);
            found.filter(beyond).for_each(|found| explain(found, &error));
            Ok(loaded)
        }
    }
}

fn load_with(session: &Session, answers: &BTreeMap<RelPath, BuildFile>) -> Loaded {
    let vars = &session.environment().vars;
    let world = World { env: &|name| vars.get(name).cloned(), answers };
    target::load(session.build_root(), session.config(), &world)
}

/// Both reasons: why Rust does not evaluate it, and why Python could not.
fn explain(found: &mut Diagnostic, error: &Error) {
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        reason = format!("{reason}: {cause}");
        source = cause.source();
    }
    found.message = format!("{}; and Python could not be asked: {reason}", found.message);
    found.hint = error.hint();
}
