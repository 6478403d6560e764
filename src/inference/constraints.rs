//! Interpreter constraints of targets, and what several of them come to together: alternatives within a target, all of
//! them across targets. Which interpreter fits them is the toolchain's.

use std::collections::{BTreeMap, BTreeSet};

use crate::inference::Dependencies;
use crate::targets::requirement_text::canonical;
use crate::targets::{Address, Kind, Target, TargetGraph, Value};

/// Alternatives, sorted: `CPython<4,>=3.9`.
pub type Constraints = BTreeSet<String>;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("no interpreter is of both kinds: {}", .0.join(" and "))]
pub struct Impossible(Vec<String>);

pub struct Interpreters<'a> {
    pub graph: &'a TargetGraph,
    pub dependencies: &'a Dependencies,
    /// Of `[python] interpreter_constraints`.
    pub default: Vec<&'a str>,
}

impl Interpreters<'_> {
    /// None for a target that runs on no interpreter.
    pub fn of(&self, target: &Target) -> Option<Constraints> {
        let kind = Kind::find(&target.kind).filter(|kind| !kind.is_generator())?;
        kind.fields().find(|field| field.name == "interpreter_constraints")?;
        let own = target.fields.get("interpreter_constraints").map(Value::strings).filter(|own| !own.is_empty());
        Some(own.unwrap_or_else(|| self.default.clone()).into_iter().map(with_interpreter).collect())
    }

    /// The targets and what they need, by their constraints.
    pub fn by_constraints(&self, addresses: &[Address]) -> BTreeMap<Constraints, BTreeSet<Address>> {
        let mut found: BTreeMap<Constraints, BTreeSet<Address>> = BTreeMap::new();
        for target in self.closure(addresses).iter().filter_map(|address| self.graph.get(address)) {
            if let Some(constraints) = self.of(target) {
                found.entry(constraints).or_default().insert(target.address.clone());
            }
        }
        found
    }

    /// With the targets themselves; what is only built for them is left out.
    pub fn closure(&self, addresses: &[Address]) -> BTreeSet<Address> {
        let mut closure = self.dependencies.needed(addresses);
        closure.extend(addresses.iter().cloned());
        closure
    }
}

/// Every choice of one alternative each, all of it together.
pub fn merged<'c>(all: impl IntoIterator<Item = &'c Constraints>) -> Result<Constraints, Impossible> {
    let different: BTreeSet<&Constraints> = all.into_iter().filter(|one| !one.is_empty()).collect();
    let mut merged: Option<Constraints> = None;
    for next in &different {
        merged = Some(match merged {
            None => (*next).clone(),
            Some(before) => before.iter().flat_map(|left| next.iter().filter_map(|right| both(left, right))).collect(),
        });
    }
    match merged {
        Some(merged) if merged.is_empty() => Err(Impossible(different.into_iter().map(printed).collect())),
        merged => Ok(merged.unwrap_or_default()),
    }
}

pub fn printed(constraints: &Constraints) -> String {
    constraints.iter().cloned().collect::<Vec<_>>().join(" OR ")
}

fn both(left: &str, right: &str) -> Option<String> {
    let (name, specifiers) = split(left);
    let (other, more) = split(right);
    let comma = if specifiers.is_empty() || more.is_empty() { "" } else { "," };
    (name == other).then(|| canonical(&format!("{name}{specifiers}{comma}{more}")))
}

fn split(constraint: &str) -> (&str, &str) {
    constraint.split_at(constraint.find(['<', '>', '=', '!', '~']).unwrap_or(constraint.len()))
}

/// `>=3.9` is about CPython.
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
        let merged = merged(&all).map_or_else(|error| error.to_string(), |merged| printed(&merged));
        assert_eq!(merged, expected);
    }

    #[test]
    fn alternatives_of_one_target_meet_those_of_another() {
        check(&[&[">=3.9,<4"]], "CPython<4,>=3.9");
        check(&[&["CPython>=3.9"], &["CPython>=3.9"]], "CPython>=3.9");
        check(&[&["CPython>=2.7", "CPython<=3"], &["CPython==3.6.*"]], "CPython<=3,==3.6.* OR CPython==3.6.*,>=2.7");
        check(&[&["PyPy==3.9.*", "CPython==3.9.*"], &[">=3"]], "CPython==3.9.*,>=3");
        check(&[], "");
    }

    #[test]
    fn interpreters_that_nothing_is_both_of_are_named() {
        check(&[&["PyPy"], &["CPython"]], "no interpreter is of both kinds: CPython and PyPy");
    }
}
