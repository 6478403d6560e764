//! The metadata that Pants writes in the header of a lockfile or in a sidecar file, and the check whether a lockfile is
//! stale. Lockfiles are not regenerated here.

use serde::Deserialize;

use super::{Error, File, Problem};
use crate::packaging::requirement::{self, Requirement, canonical, is_superset, parse_constraint};
use uv_pep440::VersionSpecifiers;

const BEGIN: &str = "--- BEGIN PANTS LOCKFILE METADATA: DO NOT EDIT OR REMOVE ---";
const END: &str = "--- END PANTS LOCKFILE METADATA ---";

/// Pants' lockfile metadata: the inputs that the lockfile was generated from. The fields are named as in the file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// The version of the metadata: 3 for Pants 2.13 to 2.28, up to 8 for 2.32; 1 if absent.
    pub version: Option<u32>,
    /// The interpreter constraints, as alternatives.
    pub valid_for_interpreter_constraints: Vec<String>,
    /// The requirements; absent in the oldest versions.
    pub generated_with_requirements: Option<Vec<String>>,
    /// The manylinux platform.
    pub manylinux: Option<String>,
    /// Constraints on the versions of packages.
    pub requirement_constraints: Vec<String>,
    /// Packages that must be installed from wheels.
    pub only_binary: Vec<String>,
    /// Packages that must be built from source distributions.
    pub no_binary: Vec<String>,
    /// Packages that are excluded from the resolve.
    pub excludes: Vec<String>,
    /// Requirements that replace those of other packages.
    pub overrides: Vec<String>,
    /// Indexes of particular packages.
    pub sources: Vec<String>,
}

/// A reason why a lockfile is stale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Staleness {
    /// The lockfile was generated without this requirement.
    Requirement(String),
    /// The lockfile was generated for other interpreter constraints, which do not include all required versions.
    Constraints {
        /// The constraints of the lockfile.
        locked: Vec<String>,
        /// The required constraints.
        required: Vec<String>,
    },
}

impl std::fmt::Display for Staleness {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Staleness::Requirement(requirement) => {
                write!(out, "the lockfile was generated without the requirement `{requirement}`")
            }
            Staleness::Constraints { locked, required } => write!(
                out,
                "the lockfile was generated for the interpreter constraints `{}`, which do not include `{}`",
                locked.join(" OR "),
                required.join(" OR ")
            ),
        }
    }
}

impl Metadata {
    /// The reasons why the lockfile is stale for the requirements that a step consumes. Other requirements do not matter,
    /// so that adding one does not make the lockfile stale for all steps.
    pub fn staleness(
        &self,
        consumed: &[Requirement],
        constraints: &[String],
    ) -> Result<Vec<Staleness>, requirement::Error> {
        let mut stale = Vec::new();
        if let Some(generated_with) = &self.generated_with_requirements {
            let generated_with: Vec<String> = generated_with
                .iter()
                .map(|text| requirement::parse(text).map_or_else(|_| text.clone(), |parsed| canonical(&parsed)))
                .collect();
            let missing = consumed.iter().map(canonical).filter(|text| !generated_with.contains(text));
            stale.extend(missing.map(Staleness::Requirement));
        }
        let locked = parse_all(&self.valid_for_interpreter_constraints)?;
        if !is_superset(&locked, &parse_all(constraints)?) {
            let locked = self.valid_for_interpreter_constraints.clone();
            stale.push(Staleness::Constraints { locked, required: constraints.to_vec() });
        }
        Ok(stale)
    }
}

fn parse_all(constraints: &[String]) -> Result<Vec<VersionSpecifiers>, requirement::Error> {
    constraints.iter().map(|text| parse_constraint(text)).collect()
}

/// Reads the JSON metadata from the `//` or `#` comments between two fixed lines of the lockfile.
pub(super) fn read_header(file: &File<'_>) -> Result<Option<Metadata>, Error> {
    let Some(begin) = file.text.find(BEGIN) else { return Ok(None) };
    let Some(length) = file.text[begin..].find(END) else {
        return Err(file.error_at(begin, malformed(format!("`{END}` is missing"))));
    };
    let uncommented: Vec<&str> = file.text[begin..begin + length].lines().skip(1).map(uncomment).collect();
    let metadata = serde_json::from_str(&uncommented.join("\n"));
    metadata.map(Some).map_err(|error| file.error_at(begin, malformed(error.to_string())))
}

pub(super) fn read_sidecar(file: &File<'_>) -> Result<Metadata, Error> {
    serde_json::from_str(file.text).map_err(|error| file.error_at(0, malformed(error.to_string())))
}

fn uncomment(line: &str) -> &str {
    let line = line.trim_start();
    line.strip_prefix("//").or_else(|| line.strip_prefix('#')).unwrap_or(line)
}

fn malformed(why: String) -> Problem {
    Problem::Malformed { format: "Pants lockfile metadata", why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(requirements: &str, constraints: &str) -> String {
        format!(
            "// {BEGIN}\n// {{\n//   \"version\": 3,\n//   \"generated_with_requirements\": [{requirements}],\n\
             //   \"valid_for_interpreter_constraints\": [{constraints}]\n// }}\n// {END}\n{{\"locked_resolves\": []}}\n"
        )
    }

    fn check(consumed: &[&str], constraints: &[&str], expected: &[&str]) {
        let text = header("\"Flask<3,>=2\", \"attrs\"", "\"CPython>=3.9,<3.12\"");
        let lock = super::super::parse("a.lock", &text, None).expect("readable");
        let consumed: Vec<Requirement> =
            consumed.iter().map(|text| requirement::parse(text).expect("requirement")).collect();
        let constraints: Vec<String> = constraints.iter().map(ToString::to_string).collect();
        let stale = lock.metadata.expect("header").staleness(&consumed, &constraints).expect("constraints");
        assert_eq!(stale.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_lockfile_is_stale_for_other_requirements_and_constraints() {
        check(&["flask>=2,<3"], &["==3.10.*"], &[]);
        check(
            &["flask>=2,<4"],
            &[],
            &[
                "the lockfile was generated without the requirement `flask<4,>=2`",
                "the lockfile was generated for the interpreter constraints `CPython>=3.9,<3.12`, which do not include ``",
            ],
        );
        check(
            &[],
            &["==3.12.*"],
            &["the lockfile was generated for the interpreter constraints `CPython>=3.9,<3.12`, which do not include \
                 `==3.12.*`"],
        );
    }

    #[test]
    fn a_sidecar_takes_precedence_over_the_header() {
        let sidecar = r#"{"version": 8, "generated_with_requirements": ["six"]}"#;
        let lock = super::super::parse("a.lock", &header("\"attrs\"", ""), Some(sidecar)).expect("readable");
        assert_eq!(lock.metadata.expect("metadata").generated_with_requirements, Some(vec!["six".to_owned()]));
    }

    #[test]
    fn a_malformed_header_is_reported_with_its_location() {
        let text = format!("// made by hand\n// {BEGIN}\n// {{\n{{\"locked_resolves\": []}}");
        let error = super::super::parse("a.lock", &text, None).expect_err("no end");
        assert!(error.to_string().starts_with("a.lock:2:4: invalid Pants lockfile metadata: "), "{error}");
    }
}
