//! Interpreter constraints, and the selection of a version among those that a provider offers. Pure.

use std::cmp::Reverse;
use std::collections::BTreeSet;
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

/// Selects one of the offered versions: the lowest minor version that satisfies the constraints, and its highest patch
/// version. `None` if no version satisfies them.
pub(super) fn select_version<'v>(constraints: &Constraints, versions: &'v [String]) -> Option<&'v String> {
    let allowed = versions.iter().filter(|version| constraints.allows(version));
    let parsed = allowed.filter_map(|text| Some((Version::from_str(text).ok()?, text)));
    parsed.min_by_key(|(version, _)| (minor(version), Reverse(version.clone()))).map(|(_, text)| text)
}

/// The error if no offer satisfies the constraints.
pub(super) fn no_interpreter(constraints: &Constraints, offers: &[Offer]) -> Error {
    Error::NoInterpreter { constraints: constraints.key(), offered: describe(offers) }
}

fn minor(version: &Version) -> (u64, u64) {
    let release = version.release();
    (release.first().copied().unwrap_or_default(), release.get(1).copied().unwrap_or_default())
}

fn describe(offers: &[Offer]) -> String {
    let descriptions = offers.iter().map(|offer| {
        let versions =
            if offer.versions.is_empty() { "nothing".to_owned() } else { describe_versions(&offer.versions) };
        format!("`{}` offers {versions}", offer.provider.name())
    });
    descriptions.collect::<Vec<_>>().join("; ")
}

/// All versions, or only the minor versions if there are many.
fn describe_versions(versions: &[String]) -> String {
    const LIMIT: usize = 12;
    if versions.len() <= LIMIT {
        return versions.join(", ");
    }
    let minors: BTreeSet<_> = versions.iter().filter_map(|text| Some(minor(&Version::from_str(text).ok()?))).collect();
    minors.iter().map(|(major, minor)| format!("{major}.{minor}.*")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSIONS: [&str; 5] = ["3.10.13", "3.11.7", "3.12.1", "3.12.4", "2.7.18"];

    fn check(constraints: &[&str], expected: Option<&str>) {
        let texts: Vec<String> = constraints.iter().map(|text| text.to_string()).collect();
        let versions = VERSIONS.map(str::to_owned);
        let constraints = Constraints::parse(&texts).unwrap();
        assert_eq!(select_version(&constraints, &versions).map(String::as_str), expected, "{texts:?}");
    }

    #[test]
    fn the_lowest_minor_wins_then_the_highest_patch() {
        check(&["CPython>=3.11,<4"], Some("3.11.7"));
        check(&[">=3.9"], Some("3.10.13"));
        check(&["==3.12.*"], Some("3.12.4"));
        check(&["CPython==3.12.*", "CPython==3.11.*"], Some("3.11.7"));
        check(&["CPython==2.7.*"], Some("2.7.18"));
        check(&["PyPy", "CPython >=3.12"], Some("3.12.4"));
        check(&["==3.12.1"], Some("3.12.1"));
        check(&["==3.11.9"], None);
        check(&["PyPy"], None);
    }

    #[test]
    fn an_unsatisfied_constraint_is_reported_with_the_offers() {
        let offer = |provider, versions: &[String]| Offer { provider, versions: versions.to_vec() };
        let many: Vec<String> = (0..9).flat_map(|patch| [format!("3.9.{patch}"), format!("3.12.{patch}")]).collect();
        let offers = [
            offer(Provider::Debian, &["3.11.2".to_owned()]),
            offer(Provider::Standalone, &many),
            offer(Provider::Host, &[]),
        ];
        let error = no_interpreter(&Constraints::parse(&["==3.8.*".to_owned()]).unwrap(), &offers);
        let offered = "`debian` offers 3.11.2; `standalone` offers 3.9.*, 3.12.*; `host` offers nothing";
        assert_eq!(error.to_string(), format!("no interpreter satisfies `==3.8.*`: {offered}"));
    }

    #[test]
    fn invalid_constraints_are_refused() {
        for text in ["CPython 3.9", "Jython>=2", ">=x"] {
            let error = Constraints::parse(&[text.to_owned()]).unwrap_err();
            assert_eq!(error.to_string(), format!("invalid interpreter constraint `{text}`"));
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
