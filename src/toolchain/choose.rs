//! Which interpreter: the lowest minor version that satisfies the constraints and that somebody offers. Pure.

use std::cmp::Reverse;
use std::str::FromStr;

use uv_pep440::{Version, VersionSpecifiers};

use super::Error;
use super::lock::Provider;

/// Alternatives, as a list of interpreter constraints means: any one will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraints {
    /// Sorted, as the user wrote them.
    texts: Vec<String>,
    alternatives: Vec<VersionSpecifiers>,
}

/// What one provider could give, in the user's order of providers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub provider: Provider,
    /// Full versions, `3.11.2`.
    pub versions: Vec<String>,
}

impl Constraints {
    /// `CPython>=3.9,<4` or `==3.11.*`. PyPy is understood, but nobody offers it.
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

    /// The one name of these constraints, whatever order they were written in.
    pub fn key(&self) -> String {
        self.texts.join(" || ")
    }

    pub fn allow(&self, version: &str) -> bool {
        Version::from_str(version)
            .is_ok_and(|version| self.alternatives.iter().any(|specifiers| specifiers.contains(&version)))
    }
}

/// The provider and the version to take: lowest minor first, then the order of providers, then the highest patch.
pub fn choose(constraints: &Constraints, offers: &[Offer]) -> Result<(Provider, String), Error> {
    let candidates = offers.iter().enumerate().flat_map(|(rank, offer)| {
        let allowed = offer.versions.iter().filter(|version| constraints.allow(version));
        allowed.filter_map(move |text| Some((Version::from_str(text).ok()?, rank, offer.provider, text)))
    });
    let best = candidates.min_by_key(|(version, rank, _, _)| (minor(version), *rank, Reverse(version.clone())));
    match best {
        Some((_, _, provider, version)) => Ok((provider, version.clone())),
        None => Err(Error::NoInterpreter { constraints: constraints.key(), offered: told(offers) }),
    }
}

fn minor(version: &Version) -> (u64, u64) {
    let release = version.release();
    (release.first().copied().unwrap_or_default(), release.get(1).copied().unwrap_or_default())
}

fn told(offers: &[Offer]) -> String {
    let told = offers.iter().map(|offer| {
        let versions = if offer.versions.is_empty() { "nothing".to_owned() } else { offer.versions.join(", ") };
        format!("`{}` offers {versions}", offer.provider.name())
    });
    told.collect::<Vec<_>>().join("; ")
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
        let chosen = Constraints::parse(&texts).and_then(|constraints| choose(&constraints, &offers()));
        let chosen = chosen
            .map_or_else(|error| error.to_string(), |(provider, version)| format!("{} {version}", provider.name()));
        assert_eq!(chosen, expected, "{constraints:?}");
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
    fn an_exact_pin_is_taken_from_whoever_has_exactly_it() {
        check(&["==3.11.7"], "host 3.11.7");
        check(&["==3.12.1"], "host 3.12.1");
    }

    #[test]
    fn what_nobody_offers_says_what_is_on_offer() {
        let offered = "`debian` offers 3.11.2; `standalone` offers nothing; `host` offers 3.10.13, 3.11.7, 3.12.1, 3.12.4, 2.7.18";
        check(&["==3.11.9"], &format!("no interpreter satisfies `==3.11.9`: {offered}"));
        check(&["PyPy"], &format!("no interpreter satisfies `PyPy`: {offered}"));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["CPython 3.9", "Jython>=2", ">=x"] {
            check(&[text], &format!("`{text}` is not an interpreter constraint"));
        }
    }

    #[test]
    fn order_does_not_change_the_key() {
        let key = |texts: &[&str]| {
            Constraints::parse(&texts.iter().map(|text| text.to_string()).collect::<Vec<_>>()).unwrap().key()
        };
        assert_eq!(key(&["b"; 0]), "");
        assert_eq!(key(&[">=3.9", "==3.8.*", ">=3.9"]), key(&["==3.8.*", ">=3.9"]));
    }
}
