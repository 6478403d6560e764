//! The keys that the settings name: private keys that sign attestations and cache entries, and the public keys that are trusted.
//! A private key is read from a file that only its owner can access, or from a variable; it is neither logged nor stored.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::config::typed::{CacheSettings, SignerSettings};
use crate::engine::Trust;
use crate::session::Context;
use crate::signing::{self, PrivateKey, PublicKey};

/// Why a key cannot be used. No message contains a part of a key.
#[allow(missing_docs, reason = "the messages describe the fields")]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file of a key cannot be read.
    #[error("cannot read the key `{}`", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// The file contains no key.
    #[error("cannot use the key `{}`: {source}", path.display())]
    File { path: PathBuf, source: signing::key::Error },
    /// The variable contains no key.
    #[error("cannot use the key in the variable `{variable}`: {source}")]
    Variable { variable: String, source: signing::key::Error },
    /// Others than the owner can access the file.
    #[error("the private key `{}` is accessible to others than its owner: its mode is {mode:04o}", path.display())]
    Accessible { path: PathBuf, mode: u32 },
    /// The file may become an input of a step.
    #[error("the private key `{}` is inside the repository", path.display())]
    InRepository { path: PathBuf },
}

impl Error {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Error::Accessible { path, .. } => format!("run `chmod 600 {}`", path.display()),
            Error::InRepository { .. } => "move it to a directory that no step and no commit can contain".to_owned(),
            Error::File { .. } | Error::Variable { .. } => "`waders attest keygen FILE` creates a key pair".to_owned(),
            Error::Read { .. } => return None,
        })
    }
}

/// The private key of these settings; `None` if they name none, or only a variable that is not set.
pub fn signer(context: &Context, settings: &SignerSettings) -> Result<Option<PrivateKey>, Error> {
    // Unrecorded: no result depends on the key, and no trace may depend on its value.
    let variables = context.environment.vars.unrecorded();
    if let Some(variable) = &settings.variable
        && let Some(text) = variables.get(variable).filter(|text| !text.trim().is_empty())
    {
        let failed = |source| Error::Variable { variable: variable.clone(), source };
        return PrivateKey::from_pem(text).map(Some).map_err(failed);
    }
    let Some(file) = &settings.file else { return Ok(None) };
    let path = context.build_root.join(context.environment.expand_home(file));
    let metadata = context.tracker.metadata(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
    if is_in_repository(context, &path) {
        return Err(Error::InRepository { path });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(Error::Accessible { path, mode });
    }
    let text = read(context, &path)?;
    PrivateKey::from_pem(&text).map(Some).map_err(|source| Error::File { path, source })
}

/// A public key from a file that is relative to `dir` unless it is absolute.
pub fn public_key(context: &Context, dir: &Path, file: &str) -> Result<PublicKey, Error> {
    let path = dir.join(context.environment.expand_home(file));
    let text = read(context, &path)?;
    PublicKey::from_pem(&text).map_err(|source| Error::File { path, source })
}

/// Which entries of the action cache are trusted; `None` if the settings neither require nor make signatures.
pub fn cache_trust(context: &Context, isolation: &'static str) -> Result<Option<Trust>, Error> {
    let settings = CacheSettings::parse(&context.config);
    let signer = signer(context, &settings.signer)?;
    if signer.is_none() && settings.trusted_keys.is_empty() {
        return Ok(None);
    }
    let requires_signatures = !settings.trusted_keys.is_empty();
    let read = |file: &String| public_key(context, &context.build_root, file);
    let keys = |(name, files): (String, Vec<String>)| Ok((name, files.iter().map(read).collect::<Result<_, Error>>()?));
    let accepted = settings.accepted().into_iter().map(keys).collect::<Result<_, Error>>()?;
    Ok(Some(Trust { signer, namespace: settings.namespace, accepted, requires_signatures, isolation }))
}

fn read(context: &Context, path: &Path) -> Result<String, Error> {
    context.tracker.read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}

/// Whether the file, links followed, lies below the build root.
pub fn is_in_repository(context: &Context, path: &Path) -> bool {
    let real = |path: &Path| context.tracker.real_path(path, Path::new("/")).unwrap_or_else(|_| path.to_owned());
    real(path).starts_with(real(&context.build_root))
}
