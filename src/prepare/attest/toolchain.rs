//! The packages and archives that system trees and interpreters are unpacked from, as `waders.lock` names them.

use std::collections::BTreeMap;

use crate::attest::{Material, MaterialKind, Role};
use crate::base::Digest;
use crate::prepare::Error;
use crate::session::Session;
use crate::session::toolchains::LOCK;
use crate::toolchain::{self, Lock, LockedFile, Provider, Record};

/// What the trees of toolchains are made of.
pub(super) struct Toolchains {
    by_tree: BTreeMap<Digest, Vec<Material>>,
}

impl Toolchains {
    pub(super) fn new(session: &mut Session) -> Result<Toolchains, Error> {
        let lock = Lock::load(&session.context.tracker, &session.build_root().join(LOCK))?;
        let store = session.services.open_store()?;
        let by_tree = toolchain::records_of_trees(&lock, &store)?.into_iter();
        Ok(Toolchains { by_tree: by_tree.map(|(tree, records)| (tree, materials(&records))).collect() })
    }

    /// `None` if the tree belongs to no toolchain.
    pub(super) fn materials(&self, tree: &Digest) -> Option<&[Material]> {
        self.by_tree.get(tree).map(Vec::as_slice)
    }
}

fn materials(records: &[Record]) -> Vec<Material> {
    let release = records.iter().find(|record| record.name == "system").map_or("", |record| &record.version);
    let material = |record: &Record, file: &LockedFile| {
        let name = file.path.rsplit('/').next().unwrap_or(&file.path);
        let kind = match record.provider {
            Provider::Debian => MaterialKind::DebianPackage {
                name: file.name.clone(),
                version: file.version.clone(),
                architecture: architecture(name).to_owned(),
                release: release.to_owned(),
            },
            Provider::Standalone | Provider::Host => MaterialKind::Interpreter { version: record.version.clone() },
        };
        Material { kind, name: name.to_owned(), hash: file.sha256.clone(), role: Role::Environment }
    };
    let copy = |record: &Record| Material {
        kind: MaterialKind::HostInterpreter { version: record.version.clone() },
        name: format!("cpython-{}", record.version),
        hash: record.tree.hex(),
        role: Role::Environment,
    };
    let of_record = |record: &Record| -> Vec<Material> {
        match record.provider {
            Provider::Host => vec![copy(record)],
            _ => record.files.iter().map(|file| material(record, file)).collect(),
        }
    };
    records.iter().flat_map(of_record).collect()
}

/// The architecture in the file name of a package, `name_version_architecture.deb`.
fn architecture(file_name: &str) -> &str {
    file_name.trim_end_matches(".deb").rsplit('_').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str, provider: Provider, files: Vec<LockedFile>) -> Record {
        let (version, platform) = ("12.11".to_owned(), "linux-x86_64".to_owned());
        Record {
            name: name.to_owned(),
            version,
            platform,
            provider,
            wanted: Vec::new(),
            tree: Digest::of(name.as_bytes()),
            files,
        }
    }

    #[test]
    fn each_provider_has_its_kind_of_material() {
        let file = |path: &str| LockedFile {
            name: "libc6".to_owned(),
            version: "2.36-9".to_owned(),
            path: path.to_owned(),
            sha256: "11".to_owned(),
            size: 1,
        };
        let records = [
            record("system", Provider::Debian, vec![file("pool/main/g/glibc/libc6_2.36-9_amd64.deb")]),
            record("python", Provider::Standalone, vec![file("20241016/cpython.tar.gz")]),
            record("python", Provider::Host, Vec::new()),
        ];
        let kinds: Vec<String> = materials(&records).iter().map(|one| one.purl().unwrap()).collect();
        let debian = "pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12.11";
        assert_eq!(kinds, [debian, "pkg:generic/cpython@12.11", "pkg:generic/cpython@12.11"]);
        assert_eq!(materials(&records)[2].hash, Digest::of(b"python").hex());
    }
}
