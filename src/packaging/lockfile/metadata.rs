//! The metadata that Pants writes in the header of a lockfile or in a sidecar file, and the check whether a lockfile is
//! stale according to it. Lockfiles are not regenerated here.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Error, File, Problem};
use crate::packaging::requirement::{self, Requirement, canonical, is_superset, parse_constraint};
use uv_pep440::VersionSpecifiers;

pub(super) const BEGIN: &str = "--- BEGIN PANTS LOCKFILE METADATA: DO NOT EDIT OR REMOVE ---";
pub(super) const END: &str = "--- END PANTS LOCKFILE METADATA ---";

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

/// The settings that a lockfile is generated with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// Interpreter constraints, as alternatives.
    pub interpreter_constraints: Vec<String>,
    /// The values of [`Inputs::OPTIONS`], in the same order.
    pub options: [Vec<String>; 5],
}

impl Inputs {
    /// The options of `[python]` that change a lockfile.
    pub const OPTIONS: [&str; 5] = [
        "resolves_to_constraints_file",
        "resolves_to_only_binary",
        "resolves_to_no_binary",
        "resolves_to_excludes",
        "resolves_to_overrides",
    ];
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
    /// The lockfile was generated with another value of this option of `[python]`.
    Option(&'static str),
    /// No locked version satisfies the requirement.
    Unsatisfied {
        /// The requirement.
        requirement: String,
        /// The locked packages of that name.
        locked: Vec<String>,
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
            Staleness::Option(option) => {
                write!(out, "the lockfile was generated with another value of `[python] {option}`")
            }
            Staleness::Unsatisfied { requirement, locked } if locked.is_empty() => {
                write!(out, "the lockfile contains no package for the requirement `{requirement}`")
            }
            Staleness::Unsatisfied { requirement, locked } => {
                write!(out, "the lockfile contains `{}`, but `{requirement}` is required", locked.join("`, `"))
            }
        }
    }
}

impl Metadata {
    /// The reasons why the lockfile is stale for the requirements that a step consumes. Other requirements do not matter,
    /// so that adding one does not make the lockfile stale for all steps.
    pub fn staleness(&self, consumed: &[Requirement], inputs: &Inputs) -> Vec<Staleness> {
        let mut stale = Vec::new();
        if let Some(generated_with) = &self.generated_with_requirements {
            let generated_with = canonical_texts(generated_with);
            let missing = consumed.iter().map(canonical).filter(|text| !generated_with.contains(text));
            stale.extend(missing.map(Staleness::Requirement));
        }
        if !self.supports(&inputs.interpreter_constraints) {
            let (locked, required) =
                (self.valid_for_interpreter_constraints.clone(), inputs.interpreter_constraints.clone());
            stale.push(Staleness::Constraints { locked, required });
        }
        stale.extend(self.changed_options(inputs).map(Staleness::Option));
        stale
    }

    /// Whether the lockfile was generated for all versions that these constraints allow. Constraints that cannot be
    /// compared, such as those of another implementation, count as supported.
    fn supports(&self, constraints: &[String]) -> bool {
        match (parse_all(&self.valid_for_interpreter_constraints), parse_all(constraints)) {
            (Ok(locked), Ok(required)) => is_superset(&locked, &required),
            _ => true,
        }
    }

    fn changed_options(&self, inputs: &Inputs) -> impl Iterator<Item = &'static str> {
        let locked =
            [&self.requirement_constraints, &self.only_binary, &self.no_binary, &self.excludes, &self.overrides];
        // The versions of the metadata that introduced the fields.
        let since = [3, 3, 3, 4, 4];
        let version = self.version.unwrap_or(1);
        let is_changed = move |index: &usize| {
            let (locked, current) = (canonical_texts(locked[*index]), canonical_texts(&inputs.options[*index]));
            version >= since[*index] && locked != current
        };
        (0..since.len()).filter(is_changed).map(|index| Inputs::OPTIONS[index]).collect::<Vec<_>>().into_iter()
    }
}

/// The canonical texts of requirements; other texts, such as `:all:`, are unchanged.
fn canonical_texts(texts: &[String]) -> BTreeSet<String> {
    let canonical = |text: &String| requirement::parse(text).map_or_else(|_| text.clone(), |parsed| canonical(&parsed));
    texts.iter().map(canonical).collect()
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
        let inputs = Inputs { interpreter_constraints: constraints, ..Inputs::default() };
        let stale = lock.metadata.expect("header").staleness(&consumed, &inputs);
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
    fn constraints_that_cannot_be_compared_do_not_make_a_lockfile_stale() {
        check(&[], &["PyPy>=3.9"], &[]);
    }

    #[test]
    fn a_lockfile_is_stale_if_an_option_changed_that_its_metadata_contains() {
        let changed = |version: &str, inputs: [&[&str]; 5]| -> Vec<&str> {
            let text = format!(
                "{{{version}\"requirement_constraints\": [\"six==1.0\"], \"only_binary\": [\"Attrs\"], \"excludes\": [\"tomli\"]}}"
            );
            let metadata: Metadata = serde_json::from_str(&text).expect("metadata");
            let options = inputs.map(|texts| texts.iter().map(ToString::to_string).collect());
            let inputs = Inputs { options, ..Inputs::default() };
            metadata.changed_options(&inputs).collect()
        };
        assert_eq!(changed("\"version\": 4,", [&["six ==1.0"], &["attrs"], &[], &["tomli"], &[]]), [""; 0]);
        assert_eq!(changed("\"version\": 3,", [&["six==1.0"], &["attrs"], &[], &[], &[]]), [""; 0]);
        let options = ["resolves_to_constraints_file", "resolves_to_no_binary", "resolves_to_excludes"];
        assert_eq!(changed("\"version\": 4,", [&["six==2.0"], &["attrs"], &[":all:"], &[], &[]]), options);
        assert_eq!(changed("", [&[], &[], &[":all:"], &[], &[]]), [""; 0]);
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
