//! Fields of target types: their value types, defaults and availability, and constructors for the tables of fields. The
//! tables are in the sibling modules, with their target types.

/// The type of a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A string.
    String,
    /// A list of strings.
    StringList,
    /// `True` or `False`.
    Bool,
    /// An integer that is at least 1.
    Number,
    /// An integer that is at least 0.
    Count,
    /// A dict with strings as keys.
    Dict,
    /// A dict with strings as keys and values.
    StringDict,
    /// A dict with strings as keys and lists of strings as values.
    ListDict,
    /// The path of one file, or an object that describes a file, such as `http_source(…)`.
    Source,
    /// A list of addresses of targets, as in `dependencies`.
    AddressList,
    /// The address of one target.
    Address,
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// An object such as `python_artifact(…)`.
    Object,
    /// Any value.
    Any,
}

/// A field of a target type.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The name in BUILD files.
    pub name: &'static str,
    /// The type of its value.
    pub shape: Shape,
    /// The default value as JSON, as `peek` prints it.
    pub default: &'static str,
    /// One sentence for help pages.
    pub help: &'static str,
    /// Whether it must be set.
    pub required: bool,
    /// The field exists if one of these backends is enabled, or always if the list is empty.
    pub backends: &'static [&'static str],
    /// Whether a generator both has the field itself and passes it to the targets that it generates.
    pub copied: bool,
    /// Whether `peek` shows the field as `NAME_raw`, because it shows a resolved value under the plain name.
    pub raw: bool,
    /// The first and last minor version of Pants 2.x that has the field.
    pub versions: (u32, u32),
}

/// Greater than the minor version of any Pants release.
const NEVER: u32 = u32::MAX;

impl Field {
    /// The field exists since Pants 2.`minor`.
    pub const fn since(self, minor: u32) -> Field {
        Field { versions: (minor, self.versions.1), ..self }
    }

    /// The field exists up to Pants 2.`minor`.
    pub const fn until(self, minor: u32) -> Field {
        Field { versions: (self.versions.0, minor), ..self }
    }

    /// A field of a plugin or of a Pants version with unverified defaults: `peek` shows it only if it is set.
    pub const fn hidden(self) -> Field {
        self.since(NEVER)
    }

    /// The field exists only with one of these backends.
    pub const fn with_backends(self, backends: &'static [&'static str]) -> Field {
        Field { backends, ..self }
    }

    /// A generator both has the field and passes it on.
    pub const fn copied(self) -> Field {
        Field { copied: true, ..self }
    }

    /// `peek` shows the field as `NAME_raw`.
    pub const fn raw(self) -> Field {
        Field { raw: true, ..self }
    }

    /// The field must be set.
    pub const fn required(self) -> Field {
        Field { required: true, ..self }
    }

    /// `minor` of the Pants 2.x that the repository is for.
    pub fn exists<B: AsRef<str>>(&self, backends: &[B], minor: u32) -> bool {
        let has_backend =
            self.backends.is_empty() || backends.iter().any(|used| self.backends.contains(&used.as_ref()));
        has_backend && (self.versions.0..=self.versions.1).contains(&minor)
    }
}

/// A field of any shape. `default` is JSON.
pub const fn field(name: &'static str, shape: Shape, default: &'static str, help: &'static str) -> Field {
    let (required, copied, raw, versions) = (false, false, false, (0, NEVER - 1));
    Field { name, shape, default, help, required, backends: &[], copied, raw, versions }
}

/// A string without a default.
pub const fn string(name: &'static str, help: &'static str) -> Field {
    field(name, Shape::String, "null", help)
}

/// A list of strings without a default.
pub const fn string_list(name: &'static str, help: &'static str) -> Field {
    field(name, Shape::StringList, "null", help)
}

/// A list of strings that is empty by default.
pub const fn empty_string_list(name: &'static str, help: &'static str) -> Field {
    field(name, Shape::StringList, "[]", help)
}

/// A boolean that is false by default.
pub const fn flag_off(name: &'static str, help: &'static str) -> Field {
    field(name, Shape::Bool, "false", help)
}

/// A boolean that is true by default.
pub const fn flag_on(name: &'static str, help: &'static str) -> Field {
    field(name, Shape::Bool, "true", help)
}

/// A boolean whose default is an option.
pub const fn optional_flag(name: &'static str, help: &'static str) -> Field {
    field(name, Shape::Bool, "null", help)
}

/// A number without a default.
pub const fn number(name: &'static str, help: &'static str) -> Field {
    field(name, Shape::Number, "null", help)
}

/// A dict without a default.
pub const fn dict(name: &'static str, help: &'static str) -> Field {
    field(name, Shape::Dict, "null", help)
}

/// A dict of strings without a default.
pub const fn string_dict(name: &'static str, help: &'static str) -> Field {
    field(name, Shape::StringDict, "null", help)
}

/// A dict of lists of strings without a default.
pub const fn list_dict(name: &'static str, help: &'static str) -> Field {
    field(name, Shape::ListDict, "null", help)
}

/// A list of addresses without a default.
pub const fn addresses(name: &'static str, help: &'static str) -> Field {
    field(name, Shape::AddressList, "null", help)
}

/// A field that excludes the target from a linter, formatter or checker.
pub const fn skip(name: &'static str, backends: &'static [&'static str]) -> Field {
    flag_off(name, "Excludes the target from this tool.").with_backends(backends).copied()
}
