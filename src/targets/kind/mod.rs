//! All target types that Waders knows, as data: what holds their sources, what they generate, which fields they take. The
//! rows stand beside this file, one file a group; a type that is in none of them loads as inert.

use std::collections::BTreeMap;
use std::sync::OnceLock;

mod adhoc;
mod core;
mod definition;
mod docker;
mod faas;
pub mod field;
mod foreign;
mod names;
pub mod page;
mod pex;
mod plugin;
mod python;
mod python_lint;
mod shell;

pub use field::{Field, Shape};
pub use names::*;

/// Where a target's source files come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sources {
    None,
    /// The field `source`: one file.
    One,
    /// The field `sources`: globs.
    Many,
}

/// What a generator makes one target of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Each {
    /// Nothing: this type is no generator.
    Nothing,
    File,
    /// A project in a file of requirements.
    Requirement,
    /// An item of the field `entry_points`.
    EntryPoint,
    /// Pants itself and its test utilities.
    Pants,
}

#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub name: &'static str,
    pub help: &'static str,
    /// Of Pants, that has the type; empty for those that are always there.
    pub backend: &'static str,
    pub sources: Sources,
    /// What `source` or `sources` is when it is not set.
    pub default_sources: &'static [&'static str],
    pub each: Each,
    /// The type of what is generated; empty for no generator.
    pub generates: &'static str,
    /// Beyond `COMMON`, by group; a generator also takes those of what it generates.
    pub fields: &'static [&'static [Field]],
    /// Whether `dependencies` is the target's own field; a generator hands it on.
    pub depends: bool,
    /// Whether other fields may be set: true for types whose fields are not all listed.
    pub open: bool,
    /// Whether it depends on what each directory in its own declares by default.
    pub gathers: bool,
}

impl Kind {
    pub fn of(name: &str) -> Option<&'static Kind> {
        table().get(name).copied()
    }

    pub fn is_generator(&self) -> bool {
        self.each != Each::Nothing
    }

    /// Those of the type itself, beyond `COMMON`.
    pub fn fields(&self) -> impl Iterator<Item = &'static Field> {
        self.fields.iter().copied().flatten()
    }

    /// Those of what a generator generates.
    pub fn generated_fields(&self) -> impl Iterator<Item = &'static Field> {
        Kind::of(self.generates).into_iter().flat_map(Kind::fields)
    }

    /// Whether this generator keeps a field for itself rather than handing it on.
    pub fn keeps(&self, field: &str) -> bool {
        self.is_generator()
            && (field == "overrides" || field == self.source_field() || self.fields().any(|own| own.name == field))
    }

    /// Whether this generator keeps a field and hands it on too.
    pub fn copies(&self, field: &str) -> bool {
        matches!(field, "tags" | "description")
            || is_skip(field)
            || self.generated_fields().any(|generated| generated.copied && generated.name == field)
    }

    pub fn takes(&self, field: &str) -> bool {
        self.open || is_skip(field) || self.field_names().any(|known| known == field)
    }

    /// Every field that this type takes, in no order, `skip_…` apart.
    pub fn field_names(&self) -> impl Iterator<Item = &'static str> {
        let overrides = self.is_generator().then_some("overrides");
        let source = Some(self.source_field()).filter(|field| !field.is_empty());
        let own = self.fields().chain(self.generated_fields()).map(|field| field.name);
        COMMON.iter().copied().chain(own).chain(overrides).chain(source)
    }

    /// Empty where there are no sources.
    pub fn source_field(&self) -> &'static str {
        match self.sources {
            Sources::None => "",
            Sources::One => "source",
            Sources::Many => "sources",
        }
    }

    /// A type of a backend whose fields are not all listed.
    const fn open(self) -> Kind {
        Kind { open: true, ..self }
    }

    const fn gathers(self) -> Kind {
        Kind { gathers: true, ..self }
    }

    /// A type without the field `dependencies`.
    const fn alone(self) -> Kind {
        Kind { depends: false, ..self }
    }

    const fn of_backend(self, backend: &'static str) -> Kind {
        Kind { backend, ..self }
    }
}

/// Whether a type is one of Python's own: their names begin with `python_`.
pub fn is_python(kind: &str) -> bool {
    kind.starts_with("python_")
}

/// Sorted by name.
pub fn kinds() -> impl Iterator<Item = &'static Kind> {
    table().values().copied()
}

/// The known type nearest to a misspelt one.
pub fn nearest(name: &str) -> Option<&'static str> {
    crate::base::text::nearest(name, kinds().map(|kind| kind.name))
}

const GROUPS: [&[Kind]; 10] = [
    adhoc::KINDS,
    core::KINDS,
    definition::KINDS,
    docker::KINDS,
    faas::KINDS,
    foreign::KINDS,
    pex::KINDS,
    plugin::KINDS,
    python::KINDS,
    shell::KINDS,
];

fn table() -> &'static BTreeMap<&'static str, &'static Kind> {
    static TABLE: OnceLock<BTreeMap<&'static str, &'static Kind>> = OnceLock::new();
    TABLE.get_or_init(|| GROUPS.into_iter().flatten().map(|kind| (kind.name, kind)).collect())
}

/// Linters, formatters and checkers each add a field of this form, those of plugins too.
fn is_skip(field: &str) -> bool {
    field.starts_with("skip_")
}

pub const COMMON: &[&str] = &["dependencies", "description", "name", "tags"];

type Groups = &'static [&'static [Field]];

const fn plain(name: &'static str, help: &'static str, fields: Groups) -> Kind {
    let (backend, sources, each, generates) = ("", Sources::None, Each::Nothing, "");
    let (default_sources, depends, open, gathers) = (&[], true, false, false);
    Kind { name, help, backend, sources, default_sources, each, generates, fields, depends, open, gathers }
}

const fn one(name: &'static str, help: &'static str, fields: Groups) -> Kind {
    Kind { sources: Sources::One, ..plain(name, help, fields) }
}

/// A generator of a target for each file.
const fn many(
    name: &'static str,
    generates: &'static str,
    help: &'static str,
    default_sources: &'static [&'static str],
) -> Kind {
    let depends = false;
    Kind { sources: Sources::Many, default_sources, each: Each::File, generates, depends, ..plain(name, help, &[]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_what_is_generated_is_known() {
        assert_eq!(GROUPS.into_iter().flatten().count(), kinds().count());
        for kind in kinds().filter(|kind| kind.is_generator()) {
            let generated = Kind::of(kind.generates).expect(kind.name);
            assert!(!generated.is_generator(), "{}", kind.name);
        }
    }

    #[test]
    fn every_default_is_json_and_no_field_stands_twice() {
        for kind in kinds() {
            let mut names: Vec<&str> = kind.fields().map(|field| field.name).chain(COMMON.iter().copied()).collect();
            names.sort_unstable();
            assert!(names.is_sorted_by(|left, right| left < right), "{}: {names:?}", kind.name);
            for field in kind.fields() {
                let default: Result<serde_json::Value, _> = serde_json::from_str(field.default);
                assert!(default.is_ok(), "{} {}", kind.name, field.name);
                assert!(kind.open || !field.help.is_empty(), "{} {}", kind.name, field.name);
            }
        }
    }

    #[test]
    fn a_generator_takes_the_fields_of_what_it_generates() {
        let tests = Kind::of("python_tests").expect("known");
        assert!(tests.takes("timeout") && tests.takes("overrides") && tests.takes("skip_anything"));
        assert!(!tests.takes("source") && !tests.takes("tiemout"));
        assert!(tests.keeps("sources") && !tests.keeps("timeout") && !tests.keeps("skip_black"));
        assert!(tests.copies("skip_black") && tests.copies("tags") && !tests.copies("timeout"));
    }

    #[test]
    fn fields_exist_with_their_backend_and_version() {
        let python = Kind::of("python_source").expect("known");
        let black = python.fields().find(|field| field.name == "skip_black").expect("known");
        assert!(black.exists(&["pants.backend.python.lint.black"], 17) && !black.exists(&["pants.backend.python"], 17));
        let pex = Kind::of("pex_binary").expect("known");
        let exists =
            |name, minor| pex.fields().find(|field| field.name == name).expect("known").exists::<&str>(&[], minor);
        assert!(!exists("sh_boot", 17) && exists("sh_boot", 20) && exists("platforms", 17) && !exists("platforms", 30));
    }
}
