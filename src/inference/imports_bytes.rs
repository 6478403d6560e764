//! Encodes `Imports` as bytes for an index keyed by content. The index must verify the integrity of the bytes: damaged
//! bytes decode to `None` or to wrong imports, but never panic.
//!
//! ```text
//! flags (1 byte: blank, unread)   line of the syntax error, 0 if none   count
//! count times: line   kind and weak flag (1 byte)   length and text of the module
//! ```
//!
//! Numbers are varints: 7 bits per byte, low bits first.

use crate::inference::imports::{Import, ImportKind, Imports};

const BLANK: u8 = 1;
const UNREAD: u8 = 2;
const WEAK: u8 = 4;

/// Encodes imports.
pub fn to_bytes(imports: &Imports) -> Vec<u8> {
    let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
    let mut bytes = vec![flag(imports.blank, BLANK) | flag(imports.unread, UNREAD)];
    put(&mut bytes, u64::from(imports.syntax_error.unwrap_or_default()));
    put(&mut bytes, imports.found.len() as u64);
    for import in &imports.found {
        let kind = match import.kind {
            ImportKind::Import => 0,
            ImportKind::String => 1,
            ImportKind::Asset => 2,
        };
        put(&mut bytes, u64::from(import.line));
        bytes.push(kind | flag(import.weak, WEAK));
        put(&mut bytes, import.module.len() as u64);
        bytes.extend(import.module.as_bytes());
    }
    bytes
}

/// Decodes imports; `None` if the bytes are not an encoding of imports.
pub fn from_bytes(bytes: &[u8]) -> Option<Imports> {
    let mut rest = Remaining(bytes);
    let flags = rest.byte()?;
    let syntax_error = u32::try_from(rest.number()?).ok().filter(|line| *line > 0);
    let count = rest.number()?;
    // Each import takes at least three bytes, which bounds the allocation for a wrong count.
    let mut found = Vec::with_capacity(usize::try_from(count).ok()?.min(bytes.len() / 3));
    for _ in 0..count {
        let line = u32::try_from(rest.number()?).ok()?;
        let kind = rest.byte()?;
        let len = usize::try_from(rest.number()?).ok()?;
        let module = std::str::from_utf8(rest.take(len)?).ok()?.to_owned();
        let weak = kind & WEAK != 0;
        let kind = match kind & !WEAK {
            0 => ImportKind::Import,
            1 => ImportKind::String,
            2 => ImportKind::Asset,
            _ => return None,
        };
        found.push(Import { module, line, weak, kind });
    }
    let imports = Imports { found, blank: flags & BLANK != 0, syntax_error, unread: flags & UNREAD != 0 };
    rest.0.is_empty().then_some(imports)
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

/// The bytes that are not decoded yet.
struct Remaining<'b>(&'b [u8]);

impl<'b> Remaining<'b> {
    fn take(&mut self, len: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::imports::parse_imports;

    fn sample() -> Imports {
        let text =
            "import os\nfrom . import x\ntry:\n  import y\nexcept ImportError: pass\nA = 'a.b.c', 'a/b.txt'\nif\n";
        parse_imports(text.as_bytes(), true)
    }

    #[test]
    fn encoded_imports_decode_to_the_same() {
        let long = Import { module: "m".repeat(1_000), line: 70_000, weak: true, kind: ImportKind::Asset };
        let unread = Imports { unread: true, ..sample() };
        for imports in [sample(), Imports::default(), parse_imports(b" ", false), unread] {
            assert_eq!(from_bytes(&to_bytes(&imports)).as_ref(), Some(&imports));
        }
        let imports = Imports { found: vec![long], ..Imports::default() };
        assert_eq!(from_bytes(&to_bytes(&imports)), Some(imports));
    }

    #[test]
    fn damaged_bytes_never_panic_and_truncated_ones_are_rejected() {
        let bytes = to_bytes(&sample());
        for at in 0..bytes.len() {
            assert_eq!(from_bytes(&bytes[..at]), None, "cut at {at}");
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut other = bytes.clone();
                other[at] = value;
                from_bytes(&other);
            }
        }
        assert_eq!(from_bytes(&[0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]), None);
    }
}
