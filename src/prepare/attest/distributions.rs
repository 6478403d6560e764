//! What steps download: wheels and source distributions, as lockfiles pin them, files of targets, and layers of images of registries.

use uv_distribution_filename::DistFilename;

use crate::action::{Fetch, Location};
use crate::attest::{Licence, Material, MaterialKind, Role};
use crate::base::Digest;
use crate::net;
use crate::packaging::metadata;
use crate::prepare::Error;
use crate::store::Store;

/// The unpacker of files that are stored as they are: wheels for a program, and downloads of targets.
const AS_IT_IS: &str = "file-1";

/// The file that a step fetched, as a part of the environment. `tree` is its output, in which the metadata is looked up.
pub(super) fn material(store: &Store, fetch: &Fetch, tree: Option<Digest>) -> Result<Material, Error> {
    let material = |kind, name: &str| Material {
        kind,
        name: name.to_owned(),
        hash: fetch.sha256.clone(),
        role: Role::Environment,
    };
    match fetch.locations.first() {
        Some(Location::Registry { host, repository, .. }) => {
            let kind = MaterialKind::ImageLayer { repository: format!("{host}/{repository}") };
            return Ok(material(kind, &fetch.label));
        }
        Some(Location::Url(url)) if fetch.unpack == AS_IT_IS && !fetch.file_name.ends_with(".whl") => {
            let kind = MaterialKind::Download { url: net::without_credentials(url) };
            return Ok(material(kind, &fetch.file_name));
        }
        _ => {}
    }
    let metadata = match tree {
        Some(tree) => metadata::read(store, tree)?,
        None => None,
    };
    let (name, version) = name_and_version(&fetch.file_name);
    let licences = metadata.as_deref().map(Licence::parse).unwrap_or_default();
    let kind = MaterialKind::Distribution { name, version, licences };
    Ok(material(kind, &fetch.file_name))
}

fn name_and_version(file_name: &str) -> (String, String) {
    match DistFilename::try_from_normalized_filename(file_name) {
        Some(parsed) => (parsed.name().to_string(), parsed.version().to_string()),
        // The name of an old source distribution: the version follows the last hyphen.
        None => {
            let stem = [".tar.gz", ".zip", ".tar.bz2", ".tgz"].into_iter().find_map(|end| file_name.strip_suffix(end));
            let stem = stem.unwrap_or(file_name);
            let (name, version) = stem.rsplit_once('-').unwrap_or((stem, ""));
            (name.to_ascii_lowercase().replace(['_', '.'], "-"), version.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_downloaded_file_is_no_distribution() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let fetch = |unpack| Fetch {
            label: "a.tar.gz of src:a".to_owned(),
            file_name: "a-1.tar.gz".to_owned(),
            locations: vec![Location::Url("https://user:secret@example.invalid/a-1.tar.gz".to_owned())],
            sha256: "12".to_owned(),
            size_bytes: None,
            unpack,
        };
        let url = "https://example.invalid/a-1.tar.gz".to_owned();
        assert_eq!(material(&store, &fetch("file-1"), None).unwrap().kind, MaterialKind::Download { url });
        let kind = material(&store, &fetch("sdist-1"), None).unwrap().kind;
        assert!(matches!(kind, MaterialKind::Distribution { name, .. } if name == "a"));
    }

    #[test]
    fn names_are_normalized_and_versions_separated() {
        for (file, name, version) in [
            ("Ruamel.yaml_clib-0.2.8-cp311-cp311-manylinux_2_17_x86_64.whl", "ruamel-yaml-clib", "0.2.8"),
            ("a_b-1.0.tar.gz", "a-b", "1.0"),
            ("a-b-c-1.0.post1.tar.gz", "a-b-c", "1.0.post1"),
            ("odd.zip", "odd", ""),
        ] {
            assert_eq!(name_and_version(file), (name.to_owned(), version.to_owned()), "{file}");
        }
    }
}
