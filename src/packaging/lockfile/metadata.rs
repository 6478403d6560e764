//! What Pants wrote about a lockfile, in its header or beside it, and whether the lock still stands for what is asked.

use serde::Deserialize;

use super::{Error, File, Problem};
use crate::packaging::requirement::{self, Requirement, canonical, covers, parse_constraint};
use uv_pep440::VersionSpecifiers;

const BEGIN: &str = "--- BEGIN PANTS LOCKFILE METADATA: DO NOT EDIT OR REMOVE ---";
const END: &str = "--- END PANTS LOCKFILE METADATA ---";

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// 3 for Pants 2.13 to 2.28, up to 8 for 2.32; 1 where it is missing.
    pub version: Option<u32>,
    pub valid_for_interpreter_constraints: Vec<String>,
    /// Absent in the oldest versions.
    pub generated_with_requirements: Option<Vec<String>>,
    pub manylinux: Option<String>,
    pub requirement_constraints: Vec<String>,
    pub only_binary: Vec<String>,
    pub no_binary: Vec<String>,
    pub excludes: Vec<String>,
    pub overrides: Vec<String>,
    pub sources: Vec<String>,
}

/// A reason why a lock no longer stands for what is asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Staleness {
    /// The lock was not made with this requirement.
    Requirement(String),
    /// The lock was made for these constraints, which do not admit all that is asked.
    Constraints { locked: Vec<String>, asked: Vec<String> },
}

impl std::fmt::Display for Staleness {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Staleness::Requirement(requirement) => write!(out, "it was made without the requirement `{requirement}`"),
            Staleness::Constraints { locked, asked } => write!(
                out,
                "it was made for the interpreter constraints `{}`, which do not cover `{}`",
                locked.join(" OR "),
                asked.join(" OR ")
            ),
        }
    }
}

impl Metadata {
    /// Compares sets of requirements rather than the whole list: a change of what is not consumed changes nothing.
    pub fn staleness(
        &self,
        consumed: &[Requirement],
        constraints: &[String],
    ) -> Result<Vec<Staleness>, requirement::Error> {
        let mut stale = Vec::new();
        if let Some(made_with) = &self.generated_with_requirements {
            let made_with: Vec<String> = made_with
                .iter()
                .map(|text| requirement::parse(text).map_or_else(|_| text.clone(), |parsed| canonical(&parsed)))
                .collect();
            let missing = consumed.iter().map(canonical).filter(|text| !made_with.contains(text));
            stale.extend(missing.map(Staleness::Requirement));
        }
        let locked = parse_all(&self.valid_for_interpreter_constraints)?;
        if !covers(&locked, &parse_all(constraints)?) {
            let locked = self.valid_for_interpreter_constraints.clone();
            stale.push(Staleness::Constraints { locked, asked: constraints.to_vec() });
        }
        Ok(stale)
    }
}

fn parse_all(constraints: &[String]) -> Result<Vec<VersionSpecifiers>, requirement::Error> {
    constraints.iter().map(|text| parse_constraint(text)).collect()
}

/// The header's JSON stands in `//` or `#` comments between two fixed lines.
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
    Problem::Malformed { format: "Pants' lockfile metadata", why }
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
    fn a_lock_stands_for_what_it_was_made_with() {
        check(&["flask>=2,<3"], &["==3.10.*"], &[]);
        check(
            &["flask>=2,<4"],
            &[],
            &[
                "it was made without the requirement `flask<4,>=2`",
                "it was made for the interpreter constraints `CPython>=3.9,<3.12`, which do not cover ``",
            ],
        );
        check(
            &[],
            &["==3.12.*"],
            &["it was made for the interpreter constraints `CPython>=3.9,<3.12`, which do not cover `==3.12.*`"],
        );
    }

    #[test]
    fn a_sidecar_wins_over_the_header() {
        let sidecar = r#"{"version": 8, "generated_with_requirements": ["six"]}"#;
        let lock = super::super::parse("a.lock", &header("\"attrs\"", ""), Some(sidecar)).expect("readable");
        assert_eq!(lock.metadata.expect("metadata").generated_with_requirements, Some(vec!["six".to_owned()]));
    }

    #[test]
    fn a_broken_header_is_refused_with_its_place() {
        let text = format!("// made by hand\n// {BEGIN}\n// {{\n{{\"locked_resolves\": []}}");
        let error = super::super::parse("a.lock", &text, None).expect_err("no end");
        assert!(
            error
                .to_string()
                .starts_with("a.lock:2:4: this is not a lockfile in the format of Pants' lockfile metadata")
        );
    }
}
