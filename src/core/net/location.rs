//! URLs: which can be fetched, and how they are displayed. No function of this file returns credentials as readable text.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use percent_encoding::percent_decode_str;
use url::Url;

use super::Error;

/// Parses an absolute `http:`, `https:` or `file:` URL.
pub fn parse(text: &str) -> Result<Url, Error> {
    let refuse = |why: String| Error::BadUrl { url: redacted(text), why };
    let url = Url::parse(text).map_err(|error| refuse(error.to_string()))?;
    match url.scheme() {
        "http" | "https" | "file" => Ok(url),
        scheme => Err(refuse(format!("unsupported scheme `{scheme}:`; supported are `https:`, `http:` and `file:`"))),
    }
}

/// The URL without user and password.
pub fn bare(url: &Url) -> Url {
    let mut url = url.clone();
    // These calls fail only for URLs that cannot have credentials, so the errors can be ignored.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

/// The URL for messages: without user, password, query and fragment.
pub fn for_display(url: &Url) -> String {
    let mut url = bare(url);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

/// The text of a URL for messages, without credentials. Text that is not a URL is returned without the part before an `@`.
pub fn without_credentials(text: &str) -> String {
    parse(text).map_or_else(|_| redacted(text), |url| for_display(&url))
}

/// Whether the URL contains a user name or a password.
pub(super) fn has_credentials(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// The URL without credentials and fragment, and the value of the `Authorization` header (RFC 7617).
pub(super) fn split_credentials(url: &Url) -> (Url, Option<String>) {
    let mut bare = bare(url);
    bare.set_fragment(None);
    if !has_credentials(url) {
        return (bare, None);
    }
    let user: Vec<u8> = percent_decode_str(url.username()).collect();
    let password: Vec<u8> = percent_decode_str(url.password().unwrap_or_default()).collect();
    (bare, Some(format!("Basic {}", BASE64_STANDARD.encode([user, password].join(&b':')))))
}

/// The last component of the path, decoded; `None` if that is not a plain file name.
pub fn file_name(url: &Url) -> Option<String> {
    let last = url.path_segments()?.next_back()?;
    let name = percent_decode_str(last).decode_utf8().ok()?.into_owned();
    let plain = !matches!(name.as_str(), "" | "." | "..") && !name.contains(['/', '\\', '\0']);
    plain.then_some(name)
}

/// Text that is not a URL can still contain a password before an `@`.
fn redacted(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((before, after)) => {
            let scheme = before.split_once("://").map(|(scheme, _)| format!("{scheme}://")).unwrap_or_default();
            format!("{scheme}{after}")
        }
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_removed_from_text() {
        let check = |text: &str, expected: &str| assert_eq!(without_credentials(text), expected, "{text}");
        check("https://me:secret@example.invalid/simple", "https://example.invalid/simple");
        check("https://example.invalid/a.whl?token=secret#sha256=0", "https://example.invalid/a.whl");
        check("me:secret@example.invalid", "example.invalid");
        check("file:///opt/wheels", "file:///opt/wheels");
    }

    #[test]
    fn credentials_are_never_displayed() {
        let url = parse("https://joe:secret@files.example.invalid/a/b.whl?token=1#sha256=ab").unwrap();
        assert_eq!(for_display(&url), "https://files.example.invalid/a/b.whl");
        let message = parse("htps://joe:secret@example.invalid/").unwrap_err().to_string();
        assert!(!message.contains("secret"), "{message}");
        let message = parse("joe:secret@example.invalid").unwrap_err().to_string();
        assert!(!message.contains("secret"), "{message}");
    }

    #[test]
    fn other_schemes_are_refused() {
        for text in ["ftp://example.invalid/a", "data:,x", "/etc/passwd", "", "javascript:1"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_file_name_is_decoded_and_contains_no_separator() {
        let name = |text: &str| file_name(&parse(text).unwrap());
        assert_eq!(name("http://127.0.0.1/a/b-1.0%2Bcpu.whl#x").as_deref(), Some("b-1.0+cpu.whl"));
        assert_eq!(name("http://127.0.0.1/a/"), None);
        assert_eq!(name("http://127.0.0.1/a/..%2Fb"), None);
    }
}
