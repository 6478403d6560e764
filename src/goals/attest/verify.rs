//! `attest verify FILE`: checks an attestation with a public key, and the artifacts and sources that the caller has.

use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::attest::Statement;
use crate::attest::check::{self, Failure, Named};
use crate::base::RelPath;
use crate::config::typed::AttestSettings;
use crate::goals::Error;
use crate::session::{Session, Verdict, keys};

/// Checks the attestation. An error says what does not hold.
pub(super) fn run(session: &mut Session, settings: &AttestSettings) -> Result<Verdict, Error> {
    let [file] = session.context.specs.as_slice() else { return Err(Error::NoFile("verify")) };
    if settings.keys.is_empty() {
        return Err(Error::NoKey);
    }
    let cwd = session.environment().cwd.clone();
    let key = |key: &String| keys::public_key(&session.context, &cwd, key).map_err(crate::session::Error::from);
    let keys = settings.keys.iter().map(key).collect::<Result<Vec<_>, _>>()?;
    let bytes = read(session, &cwd, file)?;
    let refuse = |failure: Failure| Error::Attestation { file: file.clone(), failure };
    let (statement, key) = check::open(&bytes, &keys).map_err(refuse)?;
    let mut artifacts = Vec::new();
    for artifact in &settings.artifacts {
        let sha256 = format!("{:x}", Sha256::digest(read(session, &cwd, artifact)?));
        artifacts.push((artifact.as_str(), check::check_artifact(&statement, artifact, &sha256).map_err(refuse)?));
    }
    let sources = match &settings.sources {
        Some(dir) => Some(check_sources(session, &statement, &cwd.join(dir))?.map_err(refuse)?),
        None => None,
    };
    let checked = Checked { statement, key, artifacts, sources };
    match settings.json {
        true => session.ui.print(&format!("{:#}\n", checked.to_json()))?,
        false => checked.lines().iter().for_each(|line| session.ui.summary(line)),
    }
    Ok(Verdict::Good)
}

fn read(session: &Session, dir: &Path, file: &str) -> Result<Vec<u8>, Error> {
    let path = dir.join(session.environment().expand_home(file));
    let failed = |source| crate::prepare::Error::ReadFile { file: file.to_owned(), source };
    Ok(session.context.tracker.read(&path).map_err(failed)?)
}

fn check_sources(session: &Session, statement: &Statement, dir: &Path) -> Result<Result<usize, Failure>, Error> {
    check::check_sources(statement, |file: &RelPath| match session.context.tracker.read(&file.to_path(dir)) {
        Ok(bytes) => Ok(Some(format!("{:x}", Sha256::digest(bytes)))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::ReadFile { file: file.clone(), source }),
    })
}

/// What was checked. All of it holds.
struct Checked<'a> {
    statement: Statement,
    /// The name of the key that signed it.
    key: String,
    artifacts: Vec<(&'a str, Named)>,
    /// The number of sources, if they were compared.
    sources: Option<usize>,
}

impl Checked<'_> {
    fn to_json(&self) -> Value {
        let artifacts: Vec<&str> = self.artifacts.iter().map(|(artifact, _)| *artifact).collect();
        json!({
            "key": self.key,
            "predicateType": self.statement.predicate_type,
            "subjects": self.statement.subject,
            "artifacts": artifacts,
            "sources": self.sources,
        })
    }

    /// Says also what was not checked.
    fn lines(&self) -> Vec<String> {
        let Checked { statement, key, artifacts, sources } = self;
        let mut lines = vec![format!("The statement `{}` is signed with the key {key}.", statement.predicate_type)];
        lines.extend(statement.subject.iter().map(|subject| {
            format!("It is about `{}` (sha256:{}).", subject.name, subject.digest.sha256.as_deref().unwrap_or("none"))
        }));
        lines.extend(artifacts.iter().map(|(artifact, named)| match named {
            Named::Subject => format!("`{artifact}` is one of these files."),
            Named::Byproduct => format!("`{artifact}` was written with these files."),
        }));
        if artifacts.is_empty() {
            lines.push("No artifact was compared: add `--artifact=FILE`.".to_owned());
        }
        lines.push(match sources {
            Some(count) => format!("All {count} sources and settings files have the stated hashes."),
            None => "No sources were compared: add `--sources=DIR`.".to_owned(),
        });
        lines
    }
}
