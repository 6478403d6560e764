//! URLs as steps use them, without encryption and credentials, and the URLs in lockfiles.

use regex::{Captures, Regex};

use crate::net;

/// The URL as the step uses it: with `http:` instead of `https:`, and without credentials.
pub(in crate::prepare::locks) fn in_the_clear(url: &str) -> Result<String, net::Error> {
    if let Some(rest) = url.strip_prefix("https://")
        && !rest.split('/').next().unwrap_or_default().contains([':', '@'])
    {
        // Index pages list thousands of such URLs, which need not be parsed again.
        return Ok(format!("http://{rest}"));
    }
    let bare = net::bare(&net::parse(url)?);
    // Parsed again, because a port that `http:` has by default is left out.
    Ok(net::parse(&bare.as_str().replacen("https:", "http:", 1))?.into())
}

/// The URL without credentials. One without an `@` is returned as it is written.
pub(super) fn without_credentials(url: &str) -> String {
    if !url.contains('@') {
        return url.to_owned();
    }
    net::parse(url).map_or_else(|_| net::without_credentials(url), |url| net::bare(&url).into())
}

/// Replaces the URLs for which there is a replacement. In quotes, as in lockfiles, a URL ends with the quote; elsewhere, as in
/// messages, it also ends where a bracket or a backquote closes.
pub(super) fn replace_urls(text: &str, replacement: impl Fn(&str) -> Option<String>) -> String {
    let urls = Regex::new(r#"(")(https?://[^"\s]+)|(https?://[^\s"`'()\[\]{}<>]+)"#).expect("the pattern is valid");
    let replaced = urls.replace_all(text, |found: &Captures<'_>| {
        let quote = found.get(1).map_or("", |quote| quote.as_str());
        let url = &found[0][quote.len()..];
        replacement(url).map_or_else(|| found[0].to_owned(), |url| format!("{quote}{url}"))
    });
    replaced.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lose_their_encryption_and_credentials() {
        let check = |url: &str, expected: &str| assert_eq!(in_the_clear(url).unwrap(), expected);
        check("https://a.example.invalid/x@1.whl", "http://a.example.invalid/x@1.whl");
        check("https://me:word@a.example.invalid/simple/", "http://a.example.invalid/simple/");
        check("https://a.example.invalid:8443/?x=1", "http://a.example.invalid:8443/?x=1");
        check("http://me@127.0.0.1:80/a", "http://127.0.0.1/a");
        assert!(in_the_clear("ftp://a.example.invalid").is_err());
    }

    #[test]
    fn urls_are_found_in_lockfiles_and_messages() {
        let upper = |text: &str| replace_urls(text, |url| (!url.contains("keep")).then(|| url.to_uppercase()));
        assert_eq!(
            upper(r#"{ url = "http://a/b(1).whl", x = "https://keep" }"#),
            r#"{ url = "HTTP://A/B(1).WHL", x = "https://keep" }"#
        );
        assert_eq!(
            upper("for url (http://a/b) or `https://c`\nhttp://d"),
            "for url (HTTP://A/B) or `HTTPS://C`\nHTTP://D"
        );
    }
}
