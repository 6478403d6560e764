//! The dependencies of a package (deb-control(5), "Depends"): alternatives with versions.

use debversion::Version;

/// A dependency such as `a (>= 1) | b`, which any of its alternatives satisfies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Relation<'t> {
    /// In order of preference.
    pub alternatives: Vec<Alternative<'t>>,
}

/// A package, optionally with a condition on its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Alternative<'t> {
    /// The name of a package or virtual package.
    pub package: &'t str,
    /// Parsed only for comparisons, since an index has about 100,000 of them and few are compared.
    pub version: Option<(Operator, &'t str)>,
}

/// A comparison of versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    /// `<<`
    Before,
    /// `<=`
    AtMost,
    /// `=`
    Exactly,
    /// `>=`
    AtLeast,
    /// `>>`
    After,
}

impl Alternative<'_> {
    /// True if this version satisfies the condition.
    pub(super) fn allows(&self, version: &Version) -> bool {
        let Some((operator, wanted)) = self.version else { return true };
        let Ok(wanted) = wanted.parse::<Version>() else { return false };
        match operator {
            Operator::Before => *version < wanted,
            Operator::AtMost => *version <= wanted,
            Operator::Exactly => *version == wanted,
            Operator::AtLeast => *version >= wanted,
            Operator::After => *version > wanted,
        }
    }
}

/// Parses a whole field; the error is the invalid part.
pub(super) fn relations(field: &str) -> Result<Vec<Relation<'_>>, String> {
    let parts = field.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let alternatives = part.split('|').map(|text| alternative(text).ok_or_else(|| text.trim().to_owned()));
            Ok(Relation { alternatives: alternatives.collect::<Result<_, _>>()? })
        })
        .collect()
}

/// Parses `name:any (>= 1.0) [amd64]`. Architectures are ignored, since an index is for one architecture.
fn alternative(text: &str) -> Option<Alternative<'_>> {
    let text = text.split('[').next().unwrap_or_default().trim();
    let (name, version) = match text.split_once('(') {
        Some((name, version)) => (name, Some(constraint(version.strip_suffix(')')?)?)),
        None => (text, None),
    };
    let package = name.split(':').next().unwrap_or_default().trim();
    let valid =
        !package.is_empty() && package.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte));
    valid.then_some(Alternative { package, version })
}

fn constraint(text: &str) -> Option<(Operator, &str)> {
    const OPERATORS: [(&str, Operator); 7] = [
        ("<<", Operator::Before),
        ("<=", Operator::AtMost),
        (">=", Operator::AtLeast),
        (">>", Operator::After),
        ("=", Operator::Exactly),
        // Obsolete spellings of `<=` and `>=`.
        ("<", Operator::AtMost),
        (">", Operator::AtLeast),
    ];
    let text = text.trim();
    let (sign, operator) = OPERATORS.into_iter().find(|(sign, _)| text.starts_with(sign))?;
    let version = text[sign.len()..].trim();
    let valid = version.starts_with(|c: char| c.is_ascii_alphanumeric()) && !version.contains(char::is_whitespace);
    valid.then_some((operator, version))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(field: &str, package: &str, version: &str, expected: bool) {
        let relations = relations(field).unwrap();
        let version = version.parse().unwrap();
        let allowed = relations
            .iter()
            .flat_map(|relation| &relation.alternatives)
            .any(|alternative| alternative.package == package && alternative.allows(&version));
        assert_eq!(allowed, expected, "{field} {package} {version}");
    }

    #[test]
    fn versions_compare_as_debian_does() {
        check("libc6 (>= 2.35), zlib1g", "libc6", "2.36-9+deb12u14", true);
        check("libc6 (>= 2.35~rc1)", "libc6", "2.35~beta", false);
        check("a | b:any (<< 1:2) [amd64]", "b", "3", true);
        check("a (= 1.0-1)", "a", "1.0-1+b1", false);
        check("zlib1g", "zlib1g", "1", true);
    }

    #[test]
    fn invalid_fields_are_refused() {
        for field in ["a (>= 1", "a (~ 1)", "a (>=)", "a b", "| a"] {
            assert!(relations(field).is_err(), "{field}");
        }
    }
}
