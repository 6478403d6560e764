//! `attest keygen FILE`: a new key pair. The private key is written to the file, which only its owner can access, and the public key
//! beside it, with the suffix `.pub`.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::goals::Error;
use crate::session::{Session, Verdict, keys};
use crate::signing::PrivateKey;

/// Creates the files. None of them may exist.
pub(super) fn run(session: &mut Session) -> Result<Verdict, Error> {
    let [file] = session.context.specs.as_slice() else { return Err(Error::NoFile("keygen")) };
    let private = session.environment().cwd.join(session.environment().expand_home(file));
    let public = PathBuf::from(format!("{}.pub", private.display()));
    let key = PrivateKey::generate()?;
    write_new(&private, &key.to_pem(), 0o600)?;
    if let Err(error) = write_new(&public, &key.public().to_pem(), 0o644) {
        // A private key without its public key is of no use.
        let _ = std::fs::remove_file(&private);
        return Err(error);
    }
    let shown = |path: &Path| session.context.display_path(path);
    session.ui.summary(&format!("Wrote the private key to {}", shown(&private)));
    session.ui.summary(&format!("Wrote the public key {} to {}", key.public().id(), shown(&public)));
    if keys::is_in_repository(&session.context, &private) {
        session.ui.warn_with_hint(
            &format!("the private key `{}` is inside the repository", shown(&private)),
            "move it to a directory that no step and no commit can contain; keys in a repository are not used",
        );
    }
    Ok(Verdict::Good)
}

fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), Error> {
    let failed = |source: std::io::Error| match source.kind() {
        ErrorKind::AlreadyExists => Error::KeyExists(path.to_owned()),
        _ => Error::Output { path: path.to_owned(), source },
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}
