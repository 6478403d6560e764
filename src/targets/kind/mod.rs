//! All known target types, as data: their source fields, the targets they generate, and their fields. The tables are in
//! the submodules, one for each group of types. Targets of other types load without effect.

use std::collections::BTreeMap;
use std::sync::OnceLock;

mod adhoc;
mod core;
mod definition;
mod documentation;
mod faas;
pub mod field;
mod foreign;
mod images;
mod names;
pub mod page;
mod pex;
mod plugin;
mod python;
mod python_lint;
mod shell;

pub use field::{Field, Shape};
pub use names::*;

/// The field that holds the source files of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sources {
    /// No sources.
    None,
    /// The field `source`, which is one file.
    One,
    /// The field `sources`, which is a list of globs.
    Many,
}

/// The items for each of which a generator generates one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GenerateFrom {
    /// The type is not a generator.
    Nothing,
    /// Source files.
    File,
    /// Projects in a file of requirements.
    Requirement,
    /// Items of the field `entry_points`.
    EntryPoint,
    /// Pants itself and its test utilities.
    Pants,
}

/// A target type.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// The name in BUILD files.
    pub name: &'static str,
    /// One sentence for help pages.
    pub help: &'static str,
    /// The backend of Pants that defines the type. Empty if the type needs no backend.
    pub backend: &'static str,
    /// The field that holds its source files.
    pub sources: Sources,
    /// The default of `source` or `sources`.
    pub default_sources: &'static [&'static str],
    /// The items for which a generator generates targets.
    pub generates_from: GenerateFrom,
    /// The type of the generated targets. Empty if the type is not a generator.
    pub generates: &'static str,
    /// The fields of the type in addition to `COMMON`, in groups. A generator also accepts the fields of the type that
    /// it generates.
    pub fields: &'static [&'static [Field]],
    /// Whether `dependencies` is a field of the target itself. Generators pass it on instead.
    pub has_dependencies: bool,
    /// Whether other fields are accepted, for types whose fields are not all listed.
    pub open_ended: bool,
    /// Whether it depends on the default target of each directory directly below its own.
    pub includes_subdirectories: bool,
}

impl Kind {
    /// The target type with this name.
    pub fn find(name: &str) -> Option<&'static Kind> {
        table().get(name).copied()
    }

    /// Whether targets of this type generate other targets.
    pub fn is_generator(&self) -> bool {
        self.generates_from != GenerateFrom::Nothing
    }

    /// The fields of the type itself, in addition to `COMMON`.
    pub fn fields(&self) -> impl Iterator<Item = &'static Field> {
        self.fields.iter().copied().flatten()
    }

    /// The fields of the type that a generator generates.
    pub fn generated_fields(&self) -> impl Iterator<Item = &'static Field> {
        Kind::find(self.generates).into_iter().flat_map(Kind::fields)
    }

    /// Whether this generator uses a field itself and does not pass it on.
    pub fn keeps(&self, field: &str) -> bool {
        self.is_generator()
            && (field == "overrides" || field == self.source_field() || self.fields().any(|own| own.name == field))
    }

    /// Whether this generator both has a field itself and passes it on.
    pub fn copies(&self, field: &str) -> bool {
        matches!(field, "tags" | "description")
            || is_skip(field)
            || self.generated_fields().any(|generated| generated.copied && generated.name == field)
    }

    /// Whether targets of this type accept a field.
    pub fn takes(&self, field: &str) -> bool {
        self.open_ended || is_skip(field) || self.field_names().any(|known| known == field)
    }

    /// All fields that this type accepts, except `skip_…`, in no particular order.
    pub fn field_names(&self) -> impl Iterator<Item = &'static str> {
        let overrides = self.is_generator().then_some("overrides");
        let source = Some(self.source_field()).filter(|field| !field.is_empty());
        let own = self.fields().chain(self.generated_fields()).map(|field| field.name);
        COMMON.iter().copied().chain(own).chain(overrides).chain(source)
    }

    /// The type of a field's value. `None` if this type does not list the field.
    pub fn shape_of(&self, field: &str) -> Option<Shape> {
        match field {
            "description" => Some(Shape::String),
            "tags" => Some(Shape::StringList),
            "dependencies" => Some(Shape::AddressList),
            "source" if self.sources == Sources::One => Some(Shape::Source),
            "sources" if self.sources == Sources::Many => Some(Shape::StringList),
            _ => {
                let listed = self.fields().chain(self.generated_fields()).find(|known| known.name == field);
                listed.map(|field| field.shape).or_else(|| is_skip(field).then_some(Shape::Bool))
            }
        }
    }

    /// The fields of the type itself that must be set, except the source field.
    pub fn required_fields(&self) -> impl Iterator<Item = &'static str> {
        self.fields().filter(|field| field.required).map(|field| field.name)
    }

    /// The name of the field that holds the sources. Empty if there is none.
    pub fn source_field(&self) -> &'static str {
        match self.sources {
            Sources::None => "",
            Sources::One => "source",
            Sources::Many => "sources",
        }
    }

    /// A type that accepts fields which are not listed.
    const fn open_ended(self) -> Kind {
        Kind { open_ended: true, ..self }
    }

    /// A type that depends on the default target of each directory directly below its own.
    const fn includes_subdirectories(self) -> Kind {
        Kind { includes_subdirectories: true, ..self }
    }

    /// A type without the field `dependencies`.
    const fn without_dependencies(self) -> Kind {
        Kind { has_dependencies: false, ..self }
    }

    const fn in_backend(self, backend: &'static str) -> Kind {
        Kind { backend, ..self }
    }
}

/// Whether a target type is one of the Python backend: their names begin with `python_`.
pub fn is_python(kind: &str) -> bool {
    kind.starts_with("python_")
}

/// All target types, sorted by name.
pub fn kinds() -> impl Iterator<Item = &'static Kind> {
    table().values().copied()
}

/// The known target type with the most similar name.
pub fn nearest(name: &str) -> Option<&'static str> {
    crate::base::text::nearest(name, kinds().map(|kind| kind.name))
}

const GROUPS: [&[Kind]; 11] = [
    adhoc::KINDS,
    core::KINDS,
    definition::KINDS,
    documentation::KINDS,
    images::KINDS,
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

/// Whether a field has the form that linters, formatters and checkers use, including those of plugins.
fn is_skip(field: &str) -> bool {
    field.starts_with("skip_")
}

/// Fields of all target types.
pub const COMMON: &[&str] = &["dependencies", "description", "name", "tags"];

type FieldGroups = &'static [&'static [Field]];

const fn plain(name: &'static str, help: &'static str, fields: FieldGroups) -> Kind {
    let (backend, sources, generates_from, generates) = ("", Sources::None, GenerateFrom::Nothing, "");
    let (default_sources, has_dependencies, open_ended, includes_subdirectories) = (&[], true, false, false);
    Kind {
        name,
        help,
        backend,
        sources,
        default_sources,
        generates_from,
        generates,
        fields,
        has_dependencies,
        open_ended,
        includes_subdirectories,
    }
}

const fn single_source(name: &'static str, help: &'static str, fields: FieldGroups) -> Kind {
    Kind { sources: Sources::One, ..plain(name, help, fields) }
}

/// A generator of one target for each file.
const fn file_generator(
    name: &'static str,
    generates: &'static str,
    help: &'static str,
    default_sources: &'static [&'static str],
) -> Kind {
    let has_dependencies = false;
    Kind {
        sources: Sources::Many,
        default_sources,
        generates_from: GenerateFrom::File,
        generates,
        has_dependencies,
        ..plain(name, help, &[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_generated_types_are_known() {
        assert_eq!(GROUPS.into_iter().flatten().count(), kinds().count());
        for kind in kinds().filter(|kind| kind.is_generator()) {
            let generated = Kind::find(kind.generates).expect(kind.name);
            assert!(!generated.is_generator(), "{}", kind.name);
        }
    }

    #[test]
    fn every_default_is_valid_json_and_field_names_are_unique() {
        for kind in kinds() {
            let mut names: Vec<&str> = kind.fields().map(|field| field.name).chain(COMMON.iter().copied()).collect();
            names.sort_unstable();
            assert!(names.is_sorted_by(|left, right| left < right), "{}: {names:?}", kind.name);
            for field in kind.fields() {
                let default: Result<serde_json::Value, _> = serde_json::from_str(field.default);
                assert!(default.is_ok(), "{} {}", kind.name, field.name);
                assert!(kind.open_ended || !field.help.is_empty(), "{} {}", kind.name, field.name);
            }
        }
    }

    #[test]
    fn a_generator_accepts_the_fields_of_the_type_it_generates() {
        let tests = Kind::find("python_tests").expect("known");
        assert!(tests.takes("timeout") && tests.takes("overrides") && tests.takes("skip_anything"));
        assert!(!tests.takes("source") && !tests.takes("tiemout"));
        assert!(tests.keeps("sources") && !tests.keeps("timeout") && !tests.keeps("skip_black"));
        assert!(tests.copies("skip_black") && tests.copies("tags") && !tests.copies("timeout"));
    }

    #[test]
    fn fields_depend_on_backend_and_version() {
        let python = Kind::find("python_source").expect("known");
        let black = python.fields().find(|field| field.name == "skip_black").expect("known");
        assert!(black.exists(&["pants.backend.python.lint.black"], 17) && !black.exists(&["pants.backend.python"], 17));
        let pex = Kind::find("pex_binary").expect("known");
        let exists =
            |name, minor| pex.fields().find(|field| field.name == name).expect("known").exists::<&str>(&[], minor);
        assert!(!exists("sh_boot", 17) && exists("sh_boot", 20) && exists("platforms", 17) && !exists("platforms", 30));
    }
}
