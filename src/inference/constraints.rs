//! Interpreter constraints of targets and their combination: the constraints of one target are alternatives, those of
//! different targets must all hold. The interpreter itself is selected in `toolchain`.

use std::collections::{BTreeMap, BTreeSet};

use crate::inference::Dependencies;
use crate::targets::requirement_text::canonical;
use crate::targets::{Address, Kind, Target, TargetGraph};

/// Alternative constraints, such as `CPython<4,>=3.9`.
pub type Constraints = BTreeSet<String>;

/// The constraints of several targets that no interpreter can satisfy.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("incompatible interpreter constraints: {}", .0.join(" and "))]
pub struct Incompatible(Vec<String>);

/// Looks up the interpreter constraints of targets.
pub struct InterpreterConstraints<'a> {
    /// All targets.
    pub graph: &'a TargetGraph,
    /// The dependencies of all targets that are queried.
    pub dependencies: &'a Dependencies,
    /// `[python] interpreter_constraints`.
    pub default: Vec<&'a str>,
}

impl InterpreterConstraints<'_> {
    /// The constraints of a target; `None` for target types without an interpreter.
    pub fn for_target(&self, target: &Target) -> Option<Constraints> {
        let kind = Kind::find(&target.kind).filter(|kind| !kind.is_generator())?;
        kind.fields().find(|field| field.name == "interpreter_constraints")?;
        let own = Some(target.strings("interpreter_constraints")).filter(|own| !own.is_empty());
        Some(own.unwrap_or_else(|| self.default.clone()).into_iter().map(with_interpreter).collect())
    }

    /// Groups the targets and their dependencies by constraints.
    pub fn group_closure(&self, addresses: &[Address]) -> BTreeMap<Constraints, BTreeSet<Address>> {
        let mut found: BTreeMap<Constraints, BTreeSet<Address>> = BTreeMap::new();
        for target in self.closure(addresses).iter().filter_map(|address| self.graph.get(address)) {
            if let Some(constraints) = self.for_target(target) {
                found.entry(constraints).or_default().insert(target.address.clone());
            }
        }
        found
    }

    /// The targets and their transitive dependencies, without special-cased ones.
    pub fn closure(&self, addresses: &[Address]) -> BTreeSet<Address> {
        let mut closure = self.dependencies.transitive_without_special(addresses);
        closure.extend(addresses.iter().cloned());
        closure
    }
}

/// The conjunction of several constraints: every combination of one alternative from each.
pub fn merge<'c>(all: impl IntoIterator<Item = &'c Constraints>) -> Result<Constraints, Incompatible> {
    let different: BTreeSet<&Constraints> = all.into_iter().filter(|one| !one.is_empty()).collect();
    let mut merged: Option<Constraints> = None;
    for next in &different {
        merged = Some(match merged {
            None => (*next).clone(),
            Some(before) => {
                before.iter().flat_map(|left| next.iter().filter_map(|right| intersect(left, right))).collect()
            }
        });
    }
    match merged {
        Some(merged) if merged.is_empty() => Err(Incompatible(different.into_iter().map(to_text).collect())),
        merged => Ok(merged.unwrap_or_default()),
    }
}

/// The alternatives as Pants prints them: joined by ` OR `.
pub fn to_text(constraints: &Constraints) -> String {
    constraints.iter().cloned().collect::<Vec<_>>().join(" OR ")
}

/// The constraint that holds where both hold; `None` if they name different implementations.
fn intersect(left: &str, right: &str) -> Option<String> {
    let (name, specifiers) = split(left);
    let (other, more) = split(right);
    let comma = if specifiers.is_empty() || more.is_empty() { "" } else { "," };
    (name == other).then(|| canonical(&format!("{name}{specifiers}{comma}{more}")))
}

fn split(constraint: &str) -> (&str, &str) {
    constraint.split_at(constraint.find(['<', '>', '=', '!', '~']).unwrap_or(constraint.len()))
}

/// A constraint without an implementation, such as `>=3.9`, is one for CPython.
fn with_interpreter(constraint: &str) -> String {
    let constraint = constraint.trim();
    match constraint.starts_with(|first: char| first.is_alphabetic()) {
        true => canonical(constraint),
        false => canonical(&format!("CPython{constraint}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(constraints: &[&str]) -> Constraints {
        constraints.iter().map(|constraint| with_interpreter(constraint)).collect()
    }

    fn check(all: &[&[&str]], expected: &str) {
        let all: Vec<Constraints> = all.iter().map(|constraints| set(constraints)).collect();
        let merged = merge(&all).map_or_else(|error| error.to_string(), |merged| to_text(&merged));
        assert_eq!(merged, expected);
    }

    #[test]
    fn alternatives_of_targets_are_combined() {
        check(&[&[">=3.9,<4"]], "CPython<4,>=3.9");
        check(&[&["CPython>=3.9"], &["CPython>=3.9"]], "CPython>=3.9");
        check(&[&["CPython>=2.7", "CPython<=3"], &["CPython==3.6.*"]], "CPython<=3,==3.6.* OR CPython==3.6.*,>=2.7");
        check(&[&["PyPy==3.9.*", "CPython==3.9.*"], &[">=3"]], "CPython==3.9.*,>=3");
        check(&[], "");
    }

    #[test]
    fn different_implementations_are_incompatible() {
        check(&[&["PyPy"], &["CPython"]], "incompatible interpreter constraints: CPython and PyPy");
    }
}
