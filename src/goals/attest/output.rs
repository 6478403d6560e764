//! Signs statements and writes documents. Each file is replaced in one step.

use std::path::PathBuf;

use crate::attest::bundle;
use crate::attest::statement::PAYLOAD_TYPE;
use crate::base::replace_file;
use crate::config::typed::AttestSettings;
use crate::goals::Error;
use crate::goals::attest::documents::Documents;
use crate::session::{Session, keys};
use crate::signing::{Envelope, PrivateKey};

/// Where documents are written, and how statements are signed.
pub(super) struct Output {
    dir: PathBuf,
    key: Option<PrivateKey>,
    sigstore: bool,
}

impl Output {
    /// An error if the key cannot be used, before anything is built.
    pub(super) fn new(session: &Session, settings: &AttestSettings) -> Result<Output, Error> {
        let key = keys::signer(&session.context, &settings.signer).map_err(crate::session::Error::from)?;
        Ok(Output { dir: session.context.output_path(&settings.output_dir), key, sigstore: settings.sigstore })
    }

    /// Whether statements are signed.
    pub(super) fn signs(&self) -> bool {
        self.key.is_some()
    }

    /// Writes the documents of a step of a goal, and reports each file. Returns the number of statements.
    pub(super) fn write(&self, session: &Session, goal: &str, documents: Documents) -> Result<usize, Error> {
        let Documents { name, statements, files } = documents;
        let count = statements.len();
        let form = if self.sigstore && self.signs() { "sigstore.json" } else { "json" };
        let statements = statements
            .into_iter()
            .map(|(kind, statement)| (format!("{name}.{kind}.{form}"), self.sign(statement.to_json())));
        let files = files.into_iter().map(|(suffix, bytes)| (format!("{name}.{suffix}"), bytes));
        for (file, bytes) in statements.chain(files) {
            let path = self.dir.join(goal).join(file);
            let written = path.parent().map_or(Ok(()), std::fs::create_dir_all);
            let written = written.and_then(|()| replace_file(&path, &bytes));
            written.map_err(|source| Error::Output { path: path.clone(), source })?;
            let shown = session.ui.link(&session.context.display_path(&path), &path);
            session.ui.summary(&format!("Wrote {shown}"));
        }
        Ok(count)
    }

    /// The statement in the configured form; as it is, without a key.
    fn sign(&self, statement: Vec<u8>) -> Vec<u8> {
        let Some(key) = &self.key else { return [statement, b"\n".to_vec()].concat() };
        let envelope = Envelope::sign(PAYLOAD_TYPE, statement, key);
        let text = if self.sigstore { bundle::render(&envelope) } else { envelope.to_json() };
        format!("{text}\n").into_bytes()
    }
}
