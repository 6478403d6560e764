//! Interpreter constraints, and the selection of an interpreter: the lowest minor version that satisfies the constraints
//! and that a provider offers. Pure.

use std::cmp::Reverse;
use std::str::FromStr;

use uv_pep440::{Version, VersionSpecifiers};

use super::Error;
use super::lock::Provider;

/// A list of interpreter constraints. They are alternatives: a version has to satisfy one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraints {
    /// As the user wrote them, sorted.
    texts: Vec<String>,
    alternatives: Vec<VersionSpecifiers>,
}

/// The interpreters that a provider offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The provider.
    pub provider: Provider,
    /// Full versions, such as `3.11.2`.
    pub versions: Vec<String>,
}

impl Constraints {
    /// Parses constraints such as `CPython>=3.9,<4` or `==3.11.*`. Constraints on PyPy are accepted, but no version satisfies
    /// them, since no provider offers PyPy.
    pub fn parse(texts: &[String]) -> Result<Constraints, Error> {
        let mut sorted = texts.to_vec();
        sorted.sort();
        sorted.dedup();
        let mut alternatives = Vec::new();
        for text in &sorted {
            let refuse = || Error::Constraint { constraint: text.clone() };
            let name_end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
            let (implementation, specifiers) = text.split_at(name_end);
            let specifiers = VersionSpecifiers::from_str(specifiers.trim()).map_err(|_| refuse())?;
            match implementation.to_ascii_lowercase().as_str() {
                "" | "cpython" => alternatives.push(specifiers),
                "pypy" => {}
                _ => return Err(refuse()),
            }
        }
        Ok(Constraints { texts: sorted, alternatives })
    }

    /// A text that identifies these constraints regardless of their order.
    pub fn key(&self) -> String {
        self.texts.join(" || ")
    }

    /// True if a version such as `3.11.2` satisfies one of the constraints.
    pub fn allows(&self, version: &str) -> bool {
        Version::from_str(version)
            .is_ok_and(|version| self.alternatives.iter().any(|specifiers| specifiers.contains(&version)))
    }
}

/// Selects a provider and a version: the lowest minor version, then the first provider in `offers`, then the highest patch
/// version.
pub fn select_interpreter(constraints: &Constraints, offers: &[Offer]) -> Result<(Provider, String), Error> {
    let candidates = offers.iter().enumerate().flat_map(|(rank, offer)| {
        let allowed = offer.versions.iter().filter(|version| constraints.allows(version));
        allowed.filter_map(move |text| Some((Version::from_str(text).ok()?, rank, offer.provider, text)))
    });
    let best = candidates.min_by_key(|(version, rank, _, _)| (minor(version), *rank, Reverse(version.clone())));
    match best {
        Some((_, _, provider, version)) => Ok((provider, version.clone())),
        None => Err(Error::NoInterpreter { constraints: constraints.key(), offered: describe(offers) }),
    }
}

fn minor(version: &Version) -> (u64, u64) {
    let release = version.release();
    (release.first().copied().unwrap_or_default(), release.get(1).copied().unwrap_or_default())
}

fn describe(offers: &[Offer]) -> String {
    let descriptions = offers.iter().map(|offer| {
        let versions = if offer.versions.is_empty() { "nothing".to_owned() } else { offer.versions.join(", ") };
        format!("`{}` offers {versions}", offer.provider.name())
    });
    descriptions.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offers() -> Vec<Offer> {
        let offer = |provider, versions: &[&str]| Offer {
            provider,
            versions: versions.iter().map(|v| v.to_string()).collect(),
        };
        vec![
            offer(Provider::Debian, &["3.11.2"]),
            offer(Provider::Standalone, &[]),
            offer(Provider::Host, &["3.10.13", "3.11.7", "3.12.1", "3.12.4", "2.7.18"]),
        ]
    }

    fn check(constraints: &[&str], expected: &str) {
        let texts: Vec<String> = constraints.iter().map(|text| text.to_string()).collect();
        let selected = Constraints::parse(&texts).and_then(|constraints| select_interpreter(&constraints, &offers()));
        let selected = selected
            .map_or_else(|error| error.to_string(), |(provider, version)| format!("{} {version}", provider.name()));
        assert_eq!(selected, expected, "{constraints:?}");
    }

    #[test]
    fn the_lowest_minor_wins_then_the_order_of_providers_then_the_highest_patch() {
        check(&["CPython>=3.11,<4"], "debian 3.11.2");
        check(&[">=3.9"], "host 3.10.13");
        check(&["==3.12.*"], "host 3.12.4");
        check(&["CPython==3.12.*", "CPython==3.11.*"], "debian 3.11.2");
        check(&["CPython==2.7.*"], "host 2.7.18");
        check(&["PyPy", "CPython >=3.11"], "debian 3.11.2");
    }

    #[test]
    fn an_exact_version_comes_from_the_provider_that_offers_it() {
        check(&["==3.11.7"], "host 3.11.7");
        check(&["==3.12.1"], "host 3.12.1");
    }

    #[test]
    fn an_unsatisfied_constraint_is_reported_with_the_offers() {
        let offered = "`debian` offers 3.11.2; `standalone` offers nothing; `host` offers 3.10.13, 3.11.7, 3.12.1, 3.12.4, 2.7.18";
        check(&["==3.11.9"], &format!("no interpreter satisfies `==3.11.9`: {offered}"));
        check(&["PyPy"], &format!("no interpreter satisfies `PyPy`: {offered}"));
    }

    #[test]
    fn invalid_constraints_are_refused() {
        for text in ["CPython 3.9", "Jython>=2", ">=x"] {
            check(&[text], &format!("invalid interpreter constraint `{text}`"));
        }
    }

    #[test]
    fn the_order_does_not_change_the_key() {
        let key = |texts: &[&str]| {
            Constraints::parse(&texts.iter().map(|text| text.to_string()).collect::<Vec<_>>()).unwrap().key()
        };
        assert_eq!(key(&["b"; 0]), "");
        assert_eq!(key(&[">=3.9", "==3.8.*", ">=3.9"]), key(&["==3.8.*", ">=3.9"]));
    }
}
