//! Differences between compiled Python files: the header (PEP 552) and the fields of code objects in the format of Python's module
//! `marshal`. Versions 3.7 to 3.14 are read. Nothing is executed.

use crate::difference::{Difference, Kind, binary, text};

/// The number of objects inside each other.
const MAX_DEPTH: usize = 100;

/// The magic numbers of the first versions with positional-only arguments (3.8) and with tables for exceptions (3.11):
/// `Lib/importlib/_bootstrap_external.py` of CPython.
const POSITIONAL_ONLY: u16 = 3410;
const EXCEPTION_TABLE: u16 = 3450;

/// `None` if the files are not bytecode that can be read.
pub(super) fn compare(first: &[u8], second: &[u8]) -> Option<Difference> {
    let [one, other] = [listing(first)?, listing(second)?];
    let diff = match one == other {
        false => text::diff(&one, &other),
        true => {
            let bytes = binary::compare(first, second).diff;
            format!("the code objects are equal, but refer to each other differently\n{bytes}")
        }
    };
    Some(Difference { members: Vec::new(), kind: Kind::Bytecode, diff })
}

/// One line for each field.
fn listing(bytes: &[u8]) -> Option<String> {
    let (header, code) = bytes.split_at_checked(16)?;
    let word = |at: usize| Some(u32::from_le_bytes(*header.get(at..at + 4)?.first_chunk()?));
    let (magic, flags) = (word(0)? as u16, word(4)?);
    let mut lines = vec![format!("header: magic {magic}"), format!("header: flags {flags}")];
    match flags & 1 {
        0 => lines
            .extend([format!("header: source modified {}", word(8)?), format!("header: source size {}", word(12)?)]),
        _ => lines.push(format!("header: source hash {:08x}{:08x}", word(12)?, word(8)?)),
    }
    let mut reader = Reader { bytes: code, magic, lines, refs: Vec::new() };
    reader.object("module", 0)?;
    Some(reader.lines.join("\n") + "\n")
}

struct Reader<'b> {
    bytes: &'b [u8],
    magic: u16,
    lines: Vec<String>,
    /// Objects that later ones refer to, as text.
    refs: Vec<String>,
}

impl<'b> Reader<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn int(&mut self) -> Option<i32> {
        self.take(4).and_then(|bytes| Some(i32::from_le_bytes(*bytes.first_chunk()?)))
    }

    fn size(&mut self) -> Option<usize> {
        usize::try_from(self.int()?).ok()
    }

    /// The next object as text. The fields of code objects become lines, which begin with `place`.
    fn object(&mut self, place: &str, depth: usize) -> Option<String> {
        if depth > MAX_DEPTH {
            return None;
        }
        let tag = self.byte()?;
        let slot = (tag & 0x80 != 0).then(|| {
            self.refs.push(String::new());
            self.refs.len() - 1
        });
        let value = self.value(tag & 0x7f, place, depth)?;
        if let Some(slot) = slot {
            self.refs[slot].clone_from(&value);
        }
        Some(value)
    }

    fn value(&mut self, kind: u8, place: &str, depth: usize) -> Option<String> {
        Some(match kind {
            b'0' => "null".to_owned(),
            b'N' => "None".to_owned(),
            b'T' => "True".to_owned(),
            b'F' => "False".to_owned(),
            b'S' => "StopIteration".to_owned(),
            b'.' => "Ellipsis".to_owned(),
            b'i' => self.int()?.to_string(),
            b'g' => f64::from_le_bytes(*self.take(8)?.first_chunk()?).to_string(),
            b'y' => format!("complex {}", hex(self.take(16)?)),
            b'l' => {
                let digits = self.int()?.unsigned_abs() as usize;
                format!("integer {}", hex(self.take(digits.checked_mul(2)?)?))
            }
            b's' => {
                let size = self.size()?;
                format!("bytes {}", hex(self.take(size)?))
            }
            b't' | b'u' | b'a' | b'A' => {
                let size = self.size()?;
                format!("{:?}", String::from_utf8_lossy(self.take(size)?))
            }
            b'z' | b'Z' => {
                let size = usize::from(self.byte()?);
                format!("{:?}", String::from_utf8_lossy(self.take(size)?))
            }
            b'r' => {
                let index = self.size()?;
                self.refs.get(index)?.clone()
            }
            b')' => {
                let count = usize::from(self.byte()?);
                self.items(count, place, depth)?
            }
            b'(' | b'[' | b'<' | b'>' => {
                let count = self.size()?;
                self.items(count, place, depth)?
            }
            b':' => self.items(3, place, depth)?,
            b'c' => self.code(place, depth)?,
            _ => return None,
        })
    }

    fn items(&mut self, count: usize, place: &str, depth: usize) -> Option<String> {
        let mut items = Vec::new();
        for index in 0..count {
            items.push(self.object(&format!("{place}[{index}]"), depth + 1)?);
        }
        Some(format!("({})", items.join(", ")))
    }

    /// The fields of a code object in the order in which `marshal.c` of CPython writes them.
    fn code(&mut self, place: &str, depth: usize) -> Option<String> {
        let has_tables = self.magic >= EXCEPTION_TABLE;
        let numbers = match self.magic {
            ..POSITIONAL_ONLY => 5,
            POSITIONAL_ONLY..EXCEPTION_TABLE => 6,
            EXCEPTION_TABLE.. => 5,
        };
        let counts: Option<Vec<String>> = (0..numbers).map(|_| Some(self.int()?.to_string())).collect();
        self.lines.push(format!("{place}: counts and flags {}", counts?.join(" ")));
        let before: &[&str] = match has_tables {
            true => &["code", "consts", "names", "localsplusnames", "localspluskinds", "filename", "name", "qualname"],
            false => &["code", "consts", "names", "varnames", "freevars", "cellvars", "filename", "name"],
        };
        for field in before {
            self.field(place, field, depth)?;
        }
        let line = self.int()?;
        self.lines.push(format!("{place}: co_firstlineno {line}"));
        let after: &[&str] = if has_tables { &["linetable", "exceptiontable"] } else { &["lnotab"] };
        for field in after {
            self.field(place, field, depth)?;
        }
        Some(format!("code {place}"))
    }

    fn field(&mut self, place: &str, field: &str, depth: usize) -> Option<()> {
        let inner = if field == "consts" { place.to_owned() } else { format!("{place}.co_{field}") };
        let value = self.object(&inner, depth + 1)?;
        self.lines.push(format!("{place}: co_{field} {value}"));
        Some(())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
