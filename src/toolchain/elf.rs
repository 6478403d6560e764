//! The dynamic section of programs and libraries: what they require from the loader. Files are parsed, never executed.

use std::collections::{BTreeMap, BTreeSet};

use goblin::elf::Elf;

/// The requirements and definitions of an ELF file (ld.so(8)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dynamic {
    /// Names of required libraries.
    pub needed: Vec<String>,
    /// Directories that the loader searches first (RUNPATH, otherwise RPATH); may start with `$ORIGIN`.
    pub search: Vec<String>,
    /// The symbol versions required from each library, such as `GLIBC_2.34` from `libc.so.6`.
    pub versions_needed: BTreeMap<String, BTreeSet<String>>,
    /// The symbol versions that the file itself defines.
    pub versions_defined: BTreeSet<String>,
}

/// True if the file begins with the magic number of ELF.
pub fn is_elf(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x7fELF")
}

/// Parses a file. `None` if it is not a valid ELF file.
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

/// The first name of each definition is its own; the others are its predecessors.
fn versions_defined(elf: &Elf<'_>) -> BTreeSet<String> {
    let entries = elf.verdef.iter().flat_map(|section| section.iter());
    entries.filter_map(|entry| elf.dynstrtab.get_at(entry.iter().next()?.vda_name)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_requirements_of_a_real_program_are_parsed() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let dynamic = dynamic(&bytes).unwrap();
        assert!(dynamic.needed.iter().any(|name| name == "libc.so.6"), "{dynamic:?}");
        assert!(dynamic.versions_needed["libc.so.6"].iter().any(|version| version.starts_with("GLIBC_2.")));
    }

    #[test]
    fn other_files_have_no_dynamic_section() {
        let mut cut = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        cut.truncate(100);
        for bytes in [b"".as_slice(), b"#!/bin/sh\n", b"\x7fELF", &cut] {
            assert_eq!(dynamic(bytes), None);
        }
    }
}
