//! Unpacks Debian packages into the store: only the data member; maintainer scripts are not run. The caller verifies signatures and
//! hashes.

use std::io::Read;

use super::{Unpacking, refuse, unreadable};
use crate::base::Digest;
use crate::store::error::Result;
use crate::store::layout::Store;

impl Store {
    /// The tree of a `.deb` file's data member (deb(5)). Absolute links become relative ones.
    pub fn unpack_deb(&self, reader: impl Read) -> Result<Digest> {
        let mut archive = ar::Archive::new(reader);
        let mut is_first = true;
        while let Some(member) = archive.next_entry() {
            let mut member = member.map_err(unreadable("the Debian package", "a member"))?;
            let name = String::from_utf8_lossy(member.header().identifier()).into_owned();
            if is_first {
                check_version(&name, &mut member)?;
                is_first = false;
            } else if name == "data.tar" || name.starts_with("data.tar.") {
                return self.unpack_tar(member, &Unpacking::system());
            }
        }
        Err(refuse("the Debian package", "it has no member `data.tar`"))
    }
}

fn check_version(name: &str, member: &mut impl Read) -> Result<()> {
    let mut version = String::new();
    if name == "debian-binary" {
        let read = member.take(16).read_to_string(&mut version);
        read.map_err(unreadable("the Debian package", "its format version"))?;
    }
    if version.starts_with("2.") {
        return Ok(());
    }
    Err(refuse(
        "the Debian package",
        "it is not a Debian package: it does not begin with the member `debian-binary` with version 2",
    ))
}
