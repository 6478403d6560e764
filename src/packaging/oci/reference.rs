//! The name of an image of a registry, with the digest that makes it one image for all time. A tag alone is refused: it can be moved.

use super::layout;

/// An image of a registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The host of the registry, perhaps with a port.
    pub host: String,
    /// The path of the image there.
    pub repository: String,
    /// The SHA-256 hash of its manifest, or of a list of manifests for several platforms, in lower-case hexadecimal digits.
    pub sha256: String,
}

/// Why a text is no reference to one image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages describe the fields")]
pub enum Error {
    #[error("`{written}` has no digest, and its tag can be moved to another image")]
    NoDigest { written: String },
    #[error("`{written}` does not end in a digest of the form `sha256:` and 64 hexadecimal digits")]
    Digest { written: String },
    #[error("`{written}` does not name the registry")]
    NoRegistry { written: String },
    #[error("`{written}` is not a valid name of an image")]
    Name { written: String },
}

impl Error {
    /// What the user can do about it.
    pub fn hint(&self) -> String {
        match self {
            Error::NoDigest { written } => format!(
                "find the digest with `skopeo inspect --format '{{{{.Digest}}}}' docker://{written}`, and write \
                 `{}@sha256:…`",
                layout::split_name(written).0
            ),
            Error::Digest { .. } => {
                "copy the whole digest: `skopeo inspect --format '{{.Digest}}' docker://NAME:TAG` prints it".to_owned()
            }
            Error::NoRegistry { .. } => {
                "write the host of the registry before the name, as in `registry.example/library/python@sha256:…`"
                    .to_owned()
            }
            Error::Name { .. } => "a name has a host and lower-case letters, digits and `._-/`".to_owned(),
        }
    }
}

impl Reference {
    /// Parses `host/path@sha256:…`. A tag before the digest is allowed and has no meaning.
    pub fn parse(written: &str) -> Result<Reference, Error> {
        let text = || written.to_owned();
        let (name, digest) = written.split_once('@').map_or((written, None), |(name, digest)| (name, Some(digest)));
        let (name, _) = layout::split_name(name);
        let (host, repository) = layout::split_host(name).ok_or_else(|| Error::NoRegistry { written: text() })?;
        let digest = digest.ok_or_else(|| Error::NoDigest { written: text() })?;
        let sha256 = digest.strip_prefix("sha256:").filter(|hash| is_sha256(hash));
        let sha256 = sha256.ok_or_else(|| Error::Digest { written: text() })?.to_owned();
        match layout::is_host(host) && layout::is_path(repository) {
            true => Ok(Reference { host: host.to_owned(), repository: repository.to_owned(), sha256 }),
            false => Err(Error::Name { written: text() }),
        }
    }

    /// Whether a text is meant as a reference or the name of an image, as opposed to a constraint on interpreters or a word.
    pub fn is_meant(text: &str) -> bool {
        text.contains(['@', '/', ':'])
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}/{}@sha256:{}", self.host, self.repository, self.sha256)
    }
}

/// Whether a text is a SHA-256 hash in lower-case hexadecimal digits.
pub(super) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_has_a_host_a_path_and_a_digest() {
        let hash = "0".repeat(64);
        let check = |text: &str, expected: &str| match Reference::parse(text) {
            Ok(found) => assert_eq!(format!("{} {}", found.host, found.repository), expected, "{text}"),
            Err(error) => assert_eq!(error.to_string(), expected, "{text}"),
        };
        check(&format!("registry.example/library/python@sha256:{hash}"), "registry.example library/python");
        check(&format!("localhost:5000/a:1.0@sha256:{hash}"), "localhost:5000 a");
        check(
            "registry.example/python:3.12",
            "`registry.example/python:3.12` has no digest, and its tag can be moved to another image",
        );
        let text = format!("python@sha256:{hash}");
        check(&text, &format!("`{text}` does not name the registry"));
        check("alpine:3.20", "`alpine:3.20` does not name the registry");
        let text = format!("registry.example/Python@sha256:{hash}");
        check(&text, &format!("`{text}` is not a valid name of an image"));
        for digest in ["sha256:12", "sha512:00", &format!("sha256:{}", "A".repeat(64))] {
            let text = format!("registry.example/python@{digest}");
            check(&text, &format!("`{text}` does not end in a digest of the form `sha256:` and 64 hexadecimal digits"));
        }
        let error = Reference::parse("registry.example:5000/python:3.12").unwrap_err();
        assert!(error.hint().ends_with("write `registry.example:5000/python@sha256:…`"), "{}", error.hint());
    }
}
