//! The program that workers run: a static `waders-step`. It is part of the key of every remote action.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::base::Digest;
use crate::store::{self, Store};

/// The offset of `e_phoff` in a 64-bit ELF file, and the type `PT_INTERP`: elf(5).
const PROGRAM_HEADERS_AT: usize = 32;
const PT_INTERP: u32 = 3;

/// A program that is in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepProgram(pub(super) Digest);

/// Why a file cannot be the program.
#[derive(Debug, thiserror::Error)]
pub enum UnusableProgram {
    /// It cannot be read.
    #[error("could not read the program for workers, `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// It is not a static program for this kind of machine.
    #[error("`{path}` cannot run on every worker: {why}")]
    NotStatic {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: &'static str,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl StepProgram {
    /// Stores the program in a file.
    pub fn load(store: &Store, path: &Path) -> Result<StepProgram, UnusableProgram> {
        let unreadable = |source| UnusableProgram::Read { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(unreadable)?;
        check_static(&bytes).map_err(|why| UnusableProgram::NotStatic { path: path.to_owned(), why })?;
        let batch = store.batch();
        let digest = batch.put(&bytes, true)?;
        batch.commit()?;
        Ok(StepProgram(digest))
    }
}

/// Refuses a program that needs a dynamic linker, which a worker may not have.
fn check_static(bytes: &[u8]) -> Result<(), &'static str> {
    if !bytes.starts_with(b"\x7fELF\x02\x01") {
        return Err("it is not a 64-bit ELF program");
    }
    let number = |at: usize, size: usize| -> Option<usize> {
        let bytes = bytes.get(at..at.checked_add(size)?)?;
        let number = bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        usize::try_from(number).ok()
    };
    let headers = || Some((number(PROGRAM_HEADERS_AT, 8)?, number(54, 2)?, number(56, 2)?));
    let (start, size, count) = headers().ok_or("it is cut off")?;
    for index in 0..count {
        let kind = size.checked_mul(index).and_then(|offset| number(start.checked_add(offset)?, 4));
        match kind {
            None => return Err("it is cut off"),
            Some(kind) if kind == PT_INTERP as usize => return Err("it is dynamically linked"),
            Some(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program with headers of these types.
    fn program(kinds: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[PROGRAM_HEADERS_AT] = 64;
        bytes[54] = 56;
        bytes[56] = u8::try_from(kinds.len()).unwrap();
        for kind in kinds {
            bytes.extend(kind.to_le_bytes());
            bytes.extend([0; 52]);
        }
        bytes
    }

    #[test]
    fn only_static_programs_are_accepted() {
        assert_eq!(check_static(&program(&[6, 1, 1])), Ok(()));
        assert_eq!(check_static(&program(&[6, 3, 1])), Err("it is dynamically linked"));
        assert_eq!(check_static(b"#!/bin/sh\n"), Err("it is not a 64-bit ELF program"));
        assert_eq!(check_static(&program(&[1])[..64]), Err("it is cut off"));
        assert_eq!(check_static(b"\x7fELF\x02\x01"), Err("it is cut off"));
    }
}
