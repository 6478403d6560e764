//! Parses requirements and interpreter constraints. Packages that satisfy them are selected in `resolve`.

use std::str::FromStr;

use uv_pep440::{Version, VersionSpecifiers};
use uv_pep508::{VerbatimUrl, VersionOrUrl};

/// A requirement (PEP 508).
pub type Requirement = uv_pep508::Requirement<VerbatimUrl>;

/// A text that cannot be parsed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// An invalid requirement.
    #[error("invalid requirement `{text}`: {why}")]
    Requirement {
        /// The text.
        text: String,
        /// The message of the parser.
        why: String,
    },
    /// An invalid or unsupported interpreter constraint.
    #[error("invalid interpreter constraint `{text}`: {why}")]
    Constraint {
        /// The text.
        text: String,
        /// The message of the parser.
        why: String,
    },
}

/// Parses a requirement (PEP 508): `name[extra]>=1; marker` or `name @ url`.
pub fn parse(text: &str) -> Result<Requirement, Error> {
    Requirement::from_str(text)
        .map_err(|error| Error::Requirement { text: text.to_owned(), why: first_line(&error.message) })
}

/// Parses a requirement from the metadata of a published package. Unlike `parse`, it drops obsolete version specifiers
/// (`>=2.*`, `>dev`), because the lockfile pins the version. The name, the extras and the marker must be valid.
pub fn parse_published(text: &str) -> Result<Requirement, Error> {
    parse(text).or_else(|error| {
        let (specifier, marker) = text.split_once(';').map_or((text, ""), |(before, after)| (before, after));
        let end = specifier.find(['<', '>', '=', '!', '~', '(']).unwrap_or(specifier.len());
        let marker = if marker.is_empty() { String::new() } else { format!(" ; {marker}") };
        parse(&format!("{}{marker}", &specifier[..end])).map_err(|_| error)
    })
}

/// The canonical text of a requirement: extras and specifiers sorted, names normalized.
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

/// Whether a version satisfies a requirement. Every version satisfies a URL requirement, which does not name one.
pub fn allows_version(requirement: &Requirement, version: &Version) -> bool {
    match &requirement.version_or_url {
        Some(VersionOrUrl::VersionSpecifier(specifiers)) => specifiers.contains(version),
        Some(VersionOrUrl::Url(_)) | None => true,
    }
}

/// Parses an interpreter constraint: `CPython>=3.9,<3.11`, `CPython==3.12.*` or, without an implementation, `>=3.9`.
pub fn parse_constraint(text: &str) -> Result<VersionSpecifiers, Error> {
    let refuse = |why: String| Error::Constraint { text: text.to_owned(), why };
    let text = text.trim();
    let start = text.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(text.len());
    let (implementation, specifiers) = text.split_at(start);
    if !implementation.is_empty() && !implementation.eq_ignore_ascii_case("cpython") {
        return Err(refuse(format!("unsupported implementation `{implementation}`")));
    }
    VersionSpecifiers::from_str(specifiers.trim()).map_err(|error| refuse(first_line(&error)))
}

/// Whether `outer` allows every Python version that `inner` allows. The constraints of a list are alternatives; an empty
/// list allows all versions. Compares the releases 2.7 and 3.0 to 3.30 with patch versions up to 40.
pub fn is_superset(outer: &[VersionSpecifiers], inner: &[VersionSpecifiers]) -> bool {
    let allows = |constraints: &[VersionSpecifiers], version: &Version| {
        constraints.is_empty() || constraints.iter().any(|constraint| constraint.contains(version))
    };
    let minors = [(2, 7)].into_iter().chain((0..=30).map(|minor| (3, minor)));
    let mut versions = minors.flat_map(|(major, minor)| (0..=40).map(move |patch| Version::new([major, minor, patch])));
    versions.all(|version| !allows(inner, &version) || allows(outer, &version))
}

/// The first line of a parser's message, without the source excerpt below it.
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
    fn equivalent_requirements_have_the_same_canonical_text() {
        check("Foo.Bar", "foo-bar");
        check("foo[B,a] (>=1,<2)", "foo[a,b]<2,>=1");
        check("foo<2,>=1", "foo<2,>=1");
        check("foo; python_version < '3.9'", "foo ; python_full_version < '3.9'");
        check("foo @ https://example.invalid/foo.whl", "foo @ https://example.invalid/foo.whl");
    }

    #[test]
    fn an_invalid_requirement_is_reported_in_one_line() {
        let message = parse("foo>=").expect_err("no version").to_string();
        assert!(message.starts_with("invalid requirement `foo>=`: "), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }

    #[test]
    fn an_obsolete_specifier_of_a_published_requirement_is_dropped() {
        let requirement = parse_published("pytz>dev; extra == 'x'").expect("lenient");
        assert_eq!(canonical(&requirement), "pytz ; extra == 'x'");
        assert!(parse_published("!!").is_err());
    }

    #[test]
    fn a_constraint_is_a_superset_of_narrower_ones() {
        let parse = |texts: &[&str]| -> Vec<_> {
            texts.iter().map(|text| parse_constraint(text).expect("constraint")).collect()
        };
        assert!(is_superset(&parse(&["CPython<4,>=3.7"]), &parse(&["CPython==3.12.*"])));
        assert!(is_superset(&parse(&["==3.9.*", "==3.10.*"]), &parse(&["CPython>=3.9,<3.11"])));
        assert!(!is_superset(&parse(&["CPython==3.12.*"]), &parse(&[">=3.12"])));
        assert!(is_superset(&[], &parse(&[">=3.12"])));
    }

    #[test]
    fn another_implementation_is_refused() {
        let message = parse_constraint("PyPy>=3.9").expect_err("pypy").to_string();
        assert_eq!(message, "invalid interpreter constraint `PyPy>=3.9`: unsupported implementation `PyPy`");
    }
}
