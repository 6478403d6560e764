//! The shape of a field of a target type, and short words to write fields with. The fields themselves stand with their
//! types, beside this file.

/// What a BUILD file may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Text,
    Texts,
    Bool,
    Number,
    Dict,
    /// Of targets, as in `dependencies`.
    Addresses,
    Address,
    OneOf(&'static [&'static str]),
    /// `python_artifact(…)` and its like.
    Object,
    Any,
}

#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub name: &'static str,
    pub shape: Shape,
    /// As JSON, as `peek` prints it.
    pub default: &'static str,
    pub help: &'static str,
    pub required: bool,
    /// The field exists where one of these backends is enabled; always, if there are none.
    pub backends: &'static [&'static str],
    /// A generator keeps it and hands it on too.
    pub copied: bool,
    /// `peek` shows it as `NAME_raw`: what becomes of it stands under another name.
    pub raw: bool,
    /// The Pants versions that have it, as the minor number of 2.x, from and up to.
    pub versions: (u32, u32),
}

/// No version of Pants is as new.
const NEVER: u32 = u32::MAX;

impl Field {
    pub const fn since(self, minor: u32) -> Field {
        Field { versions: (minor, self.versions.1), ..self }
    }

    pub const fn until(self, minor: u32) -> Field {
        Field { versions: (self.versions.0, minor), ..self }
    }

    /// Of a plugin or of a version not looked at: `peek` shows it where it is set.
    pub const fn rare(self) -> Field {
        self.since(NEVER)
    }

    pub const fn with(self, backends: &'static [&'static str]) -> Field {
        Field { backends, ..self }
    }

    pub const fn copied(self) -> Field {
        Field { copied: true, ..self }
    }

    pub const fn raw(self) -> Field {
        Field { raw: true, ..self }
    }

    pub const fn needed(self) -> Field {
        Field { required: true, ..self }
    }

    /// `minor` of the Pants 2.x that the repository is for.
    pub fn exists<B: AsRef<str>>(&self, backends: &[B], minor: u32) -> bool {
        let has_backend =
            self.backends.is_empty() || backends.iter().any(|used| self.backends.contains(&used.as_ref()));
        has_backend && (self.versions.0..=self.versions.1).contains(&minor)
    }
}

pub const fn field(name: &'static str, shape: Shape, default: &'static str, help: &'static str) -> Field {
    let (required, copied, raw, versions) = (false, false, false, (0, NEVER - 1));
    Field { name, shape, default, help, required, backends: &[], copied, raw, versions }
}

pub const fn text(name: &'static str, help: &'static str) -> Field {
    field(name, Shape::Text, "null", help)
}

pub const fn texts(name: &'static str, help: &'static str) -> Field {
    field(name, Shape::Texts, "null", help)
}

pub const fn no_texts(name: &'static str, help: &'static str) -> Field {
    field(name, Shape::Texts, "[]", help)
}

pub const fn off(name: &'static str, help: &'static str) -> Field {
    field(name, Shape::Bool, "false", help)
}

pub const fn on(name: &'static str, help: &'static str) -> Field {
    field(name, Shape::Bool, "true", help)
}

/// True, false, or left to a setting.
pub const fn either(name: &'static str, help: &'static str) -> Field {
    field(name, Shape::Bool, "null", help)
}

pub const fn number(name: &'static str, help: &'static str) -> Field {
    field(name, Shape::Number, "null", help)
}

pub const fn dict(name: &'static str, help: &'static str) -> Field {
    field(name, Shape::Dict, "null", help)
}

pub const fn addresses(name: &'static str, help: &'static str) -> Field {
    field(name, Shape::Addresses, "null", help)
}

/// A linter, formatter or checker may be told to leave a target alone.
pub const fn skip(name: &'static str, backends: &'static [&'static str]) -> Field {
    off(name, "This tool leaves the target alone.").with(backends).copied()
}
