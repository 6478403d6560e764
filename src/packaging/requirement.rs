//! Requirements and interpreter constraints as people write them. What a lock offers for them is `resolve`'s.

use std::str::FromStr;

use uv_pep440::{Version, VersionSpecifiers};
use uv_pep508::{VerbatimUrl, VersionOrUrl};

pub type Requirement = uv_pep508::Requirement<VerbatimUrl>;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    #[error("`{text}` is not a requirement: {why}")]
    Requirement { text: String, why: String },
    #[error("`{text}` is not an interpreter constraint: {why}")]
    Constraint { text: String, why: String },
}

/// PEP 508: `name[extra]>=1; marker` or `name @ url`.
pub fn parse(text: &str) -> Result<Requirement, Error> {
    Requirement::from_str(text)
        .map_err(|error| Error::Requirement { text: text.to_owned(), why: first_line(&error.message) })
}

/// As `parse`, for what published packages say of themselves: version specifiers that no longer parse (`>=2.*`,
/// `>dev`) are dropped, since the lock has settled the version; the name, the extras and the marker must parse.
pub fn parse_published(text: &str) -> Result<Requirement, Error> {
    parse(text).or_else(|error| {
        let (specifier, marker) = text.split_once(';').map_or((text, ""), |(before, after)| (before, after));
        let end = specifier.find(['<', '>', '=', '!', '~', '(']).unwrap_or(specifier.len());
        let marker = if marker.is_empty() { String::new() } else { format!(" ; {marker}") };
        parse(&format!("{}{marker}", &specifier[..end])).map_err(|_| error)
    })
}

/// One text for all spellings of a requirement: extras and specifiers sorted, names normalized.
pub fn canonical(requirement: &Requirement) -> String {
    let mut extras: Vec<String> = requirement.extras.iter().map(ToString::to_string).collect();
    extras.sort();
    extras.dedup();
    let mut text = requirement.name.to_string();
    if !extras.is_empty() {
        text += &format!("[{}]", extras.join(","));
    }
    match &requirement.version_or_url {
        None => {}
        Some(VersionOrUrl::Url(url)) => text += &format!(" @ {url}"),
        Some(VersionOrUrl::VersionSpecifier(specifiers)) => {
            let mut specifiers: Vec<String> = specifiers.iter().map(ToString::to_string).collect();
            specifiers.sort();
            text += &specifiers.join(",");
        }
    }
    match requirement.marker.contents() {
        Some(marker) => format!("{text} ; {marker}"),
        None => text,
    }
}

/// Whether a version may stand for a requirement. A url names no version: the lock's is taken.
pub fn admits(requirement: &Requirement, version: &Version) -> bool {
    match &requirement.version_or_url {
        Some(VersionOrUrl::VersionSpecifier(specifiers)) => specifiers.contains(version),
        Some(VersionOrUrl::Url(_)) | None => true,
    }
}

/// `CPython>=3.9,<3.11`, `CPython==3.12.*` or, without the implementation's name, `>=3.9`.
pub fn parse_constraint(text: &str) -> Result<VersionSpecifiers, Error> {
    let refuse = |why: String| Error::Constraint { text: text.to_owned(), why };
    let text = text.trim();
    let start = text.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(text.len());
    let (implementation, specifiers) = text.split_at(start);
    if !implementation.is_empty() && !implementation.eq_ignore_ascii_case("cpython") {
        return Err(refuse(format!("the implementation `{implementation}` is not `CPython`")));
    }
    VersionSpecifiers::from_str(specifiers.trim()).map_err(|error| refuse(first_line(&error)))
}

/// Whether every Python that one of `inner` admits is admitted by one of `outer`; an empty list admits all.
pub fn covers(outer: &[VersionSpecifiers], inner: &[VersionSpecifiers]) -> bool {
    let admits = |constraints: &[VersionSpecifiers], version: &Version| {
        constraints.is_empty() || constraints.iter().any(|constraint| constraint.contains(version))
    };
    let minors = [(2, 7)].into_iter().chain((0..=30).map(|minor| (3, minor)));
    let mut versions = minors.flat_map(|(major, minor)| (0..=40).map(move |patch| Version::new([major, minor, patch])));
    versions.all(|version| !admits(inner, &version) || admits(outer, &version))
}

/// The message of a parser that underlines the place below it.
fn first_line(error: &impl ToString) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default().trim_end_matches('.');
    let mut letters = line.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(canonical(&parse(text).expect(text)), expected, "{text}");
    }

    #[test]
    fn spellings_of_one_requirement_have_one_text() {
        check("Foo.Bar", "foo-bar");
        check("foo[B,a] (>=1,<2)", "foo[a,b]<2,>=1");
        check("foo<2,>=1", "foo<2,>=1");
        check("foo; python_version < '3.9'", "foo ; python_full_version < '3.9'");
        check("foo @ https://example.invalid/foo.whl", "foo @ https://example.invalid/foo.whl");
    }

    #[test]
    fn what_is_no_requirement_says_why_in_one_line() {
        let message = parse("foo>=").expect_err("no version").to_string();
        assert!(message.starts_with("`foo>=` is not a requirement: "), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }

    #[test]
    fn a_published_requirement_with_an_old_specifier_keeps_its_name_and_marker() {
        let requirement = parse_published("pytz>dev; extra == 'x'").expect("lenient");
        assert_eq!(canonical(&requirement), "pytz ; extra == 'x'");
        assert!(parse_published("!!").is_err());
    }

    #[test]
    fn constraints_cover_what_they_admit() {
        let parse = |texts: &[&str]| -> Vec<_> {
            texts.iter().map(|text| parse_constraint(text).expect("constraint")).collect()
        };
        assert!(covers(&parse(&["CPython<4,>=3.7"]), &parse(&["CPython==3.12.*"])));
        assert!(covers(&parse(&["==3.9.*", "==3.10.*"]), &parse(&["CPython>=3.9,<3.11"])));
        assert!(!covers(&parse(&["CPython==3.12.*"]), &parse(&[">=3.12"])));
        assert!(covers(&[], &parse(&[">=3.12"])));
    }

    #[test]
    fn another_implementation_is_refused() {
        let message = parse_constraint("PyPy>=3.9").expect_err("pypy").to_string();
        assert_eq!(message, "`PyPy>=3.9` is not an interpreter constraint: the implementation `PyPy` is not `CPython`");
    }
}
