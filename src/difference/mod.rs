//! Two versions of one file: where they differ first, what kind of bytes differ, and a diff that people can read. Archives are
//! compared member by member, bytecode by its constants. Pure: where the versions come from is decided by the callers.

mod archive;
mod binary;
mod bytecode;
mod text;

use std::fmt;

/// Nested archives are opened to this depth, so that an archive that contains itself ends.
const MAX_DEPTH: usize = 4;

/// What kind of bytes differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A date, a time of day, a duration or a time stamp of an archive.
    Time,
    /// An absolute path.
    Path,
    /// The same parts in another order.
    Order,
    /// Compiled Python: its header, or a field of a code object.
    Bytecode,
    /// The address of an object in memory, as in `<object at 0x7f45…>`.
    Address,
    /// A number or a name that looks like a random one.
    Random,
    /// The mode of a file, or the file itself, which is missing on one side.
    File,
    /// How a process ended.
    Exit,
    /// Anything else.
    Unknown,
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Kind::Time => "time",
            Kind::Path => "path",
            Kind::Order => "order",
            Kind::Bytecode => "bytecode",
            Kind::Address => "address",
            Kind::Random => "random",
            Kind::File => "file",
            Kind::Exit => "exit code",
            Kind::Unknown => "unknown",
        })
    }
}

/// How two versions of a file differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The members of archives from the outside to the inside; empty if the file itself differs.
    pub members: Vec<String>,
    /// What kind of bytes differ.
    pub kind: Kind,
    /// Lines that begin with `-` for the first version and with `+` for the second one.
    pub diff: String,
}

/// Compares two versions of a file that are not equal. The name decides nothing but whether it is bytecode.
pub fn between(name: &str, first: &[u8], second: &[u8]) -> Difference {
    at_depth(name, first, second, 0)
}

fn at_depth(name: &str, first: &[u8], second: &[u8], depth: usize) -> Difference {
    if name.ends_with(".pyc")
        && let Some(difference) = bytecode::compare(first, second)
    {
        return difference;
    }
    if depth < MAX_DEPTH
        && let Some(difference) = archive::compare(first, second, depth)
    {
        return difference;
    }
    match (text::readable(first), text::readable(second)) {
        (Some(first), Some(second)) => {
            Difference { members: Vec::new(), kind: text::kind(first, second), diff: text::diff(first, second) }
        }
        _ => binary::compare(first, second),
    }
}

impl Difference {
    fn inside(mut self, member: &str) -> Difference {
        self.members.insert(0, member.to_owned());
        self
    }
}

/// A line diff of two texts, shortened for people.
pub fn diff_lines(first: &str, second: &str) -> String {
    text::diff(first, second)
}

#[cfg(test)]
pub(crate) mod tests;
