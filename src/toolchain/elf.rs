//! What a program or library asks of the loader, read from its bytes: nothing is run to find out.

use std::collections::{BTreeMap, BTreeSet};

use goblin::elf::Elf;

/// The dynamic part of an ELF file (ld.so(8)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dynamic {
    /// Names of libraries, as the loader searches them.
    pub needed: Vec<String>,
    /// Directories that are searched first; may start with `$ORIGIN`.
    pub search: Vec<String>,
    /// Library to the symbol versions needed of it, `libc.so.6` to `GLIBC_2.34`.
    pub versions_needed: BTreeMap<String, BTreeSet<String>>,
    pub versions_defined: BTreeSet<String>,
}

pub fn is_elf(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x7fELF")
}

/// `None` for what is no ELF file, or one that cannot be read.
pub fn dynamic(bytes: &[u8]) -> Option<Dynamic> {
    let elf = Elf::parse(bytes).ok().filter(|_| is_elf(bytes))?;
    let owned = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
    let search = if elf.runpaths.is_empty() { &elf.rpaths } else { &elf.runpaths };
    Some(Dynamic {
        needed: owned(&elf.libraries),
        search: search.iter().flat_map(|dirs| dirs.split(':')).map(str::to_owned).collect(),
        versions_needed: versions_needed(&elf),
        versions_defined: versions_defined(&elf),
    })
}

fn versions_needed(elf: &Elf<'_>) -> BTreeMap<String, BTreeSet<String>> {
    let mut needed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in elf.verneed.iter().flat_map(|section| section.iter()) {
        let Some(library) = elf.dynstrtab.get_at(entry.vn_file) else { continue };
        let versions = entry.iter().filter_map(|version| elf.dynstrtab.get_at(version.vna_name));
        needed.entry(library.to_owned()).or_default().extend(versions.map(str::to_owned));
    }
    needed
}

/// The first name of each definition is its own; the others are those it builds on.
fn versions_defined(elf: &Elf<'_>) -> BTreeSet<String> {
    let entries = elf.verdef.iter().flat_map(|section| section.iter());
    entries.filter_map(|entry| elf.dynstrtab.get_at(entry.iter().next()?.vda_name)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_program_tells_what_it_needs() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let dynamic = dynamic(&bytes).unwrap();
        assert!(dynamic.needed.iter().any(|name| name == "libc.so.6"), "{dynamic:?}");
        assert!(dynamic.versions_needed["libc.so.6"].iter().any(|version| version.starts_with("GLIBC_2.")));
    }

    #[test]
    fn what_is_no_program_is_nothing() {
        let mut cut = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        cut.truncate(100);
        for bytes in [b"".as_slice(), b"#!/bin/sh\n", b"\x7fELF", &cut] {
            assert_eq!(dynamic(bytes), None);
        }
    }
}
