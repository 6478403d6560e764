//! One thing that a result was made of: a source, a distribution, a package of the system tree, an interpreter. All of these
//! are the closure of a result.

use serde_json::{Map, Value, json};

use crate::attest::licence::Licence;
use crate::attest::purl;

/// One thing that a result was made of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Material {
    /// What it is.
    pub kind: MaterialKind,
    /// The path of a file from the build root, or the file name of an archive.
    pub name: String,
    /// The SHA-256 hash of the file or archive in hexadecimal digits. For the copy of an interpreter of a machine, the BLAKE3 hash of
    /// its tree.
    pub hash: String,
    /// Whether it is a part of the result or of the environment in which the result was made.
    pub role: Role,
}

/// What a material is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MaterialKind {
    /// A file of the repository.
    Source {
        /// Whether the file is executable.
        executable: bool,
    },
    /// A settings file or lockfile of Waders in the build root.
    Settings,
    /// A file that Waders made for the step, from settings and BUILD files.
    Generated,
    /// A wheel or source distribution.
    Distribution {
        /// The normalized name.
        name: String,
        /// The version.
        version: String,
        /// As the metadata of a wheel names them.
        licences: Vec<Licence>,
    },
    /// A file that a target downloads.
    Download {
        /// Its address, without credentials.
        url: String,
    },
    /// A layer of a container image of a registry.
    ImageLayer {
        /// The host and the path of the image.
        repository: String,
    },
    /// A Debian package.
    DebianPackage {
        /// The name.
        name: String,
        /// The version, with its epoch.
        version: String,
        /// Such as `amd64`.
        architecture: String,
        /// The version of the Debian release, such as `12.11`.
        release: String,
    },
    /// An archive with a relocatable interpreter.
    Interpreter {
        /// The full version.
        version: String,
    },
    /// A copy of an interpreter of a machine, which nobody else can provide.
    HostInterpreter {
        /// The full version.
        version: String,
    },
}

/// Whether a material is a part of the result or of the environment in which it was made. A material that is both is a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// What the step worked on.
    Content,
    /// The system tree, the interpreter, tools, and what these import.
    Environment,
}

impl Material {
    /// The package URL; `None` for files.
    pub fn purl(&self) -> Option<String> {
        match &self.kind {
            MaterialKind::Source { .. } | MaterialKind::Settings | MaterialKind::Generated => None,
            MaterialKind::Distribution { name, version, .. } => Some(purl::python(name, version, &self.name)),
            MaterialKind::Download { url } => Some(purl::download(&self.name, url, &self.hash)),
            MaterialKind::ImageLayer { repository } => Some(purl::oci(repository, &self.hash)),
            MaterialKind::DebianPackage { name, version, architecture, release } => {
                Some(purl::debian(name, version, architecture, release))
            }
            MaterialKind::Interpreter { version } | MaterialKind::HostInterpreter { version } => {
                Some(purl::generic("cpython", version))
            }
        }
    }

    /// Whether this is a file of the repository, so that someone with the sources can check it.
    pub fn is_source(&self) -> bool {
        matches!(self.kind, MaterialKind::Source { .. } | MaterialKind::Settings)
    }

    /// The in-toto resource descriptor.
    pub fn descriptor(&self) -> Value {
        let algorithm = match self.kind {
            MaterialKind::HostInterpreter { .. } => "blake3",
            _ => "sha256",
        };
        let mut descriptor = Map::new();
        descriptor.insert("name".to_owned(), json!(self.name));
        descriptor.extend(self.purl().map(|purl| ("uri".to_owned(), json!(purl))));
        descriptor.insert("digest".to_owned(), json!({ algorithm: self.hash }));
        let role = match self.role {
            Role::Content => "content",
            Role::Environment => "environment",
        };
        let mut annotations = json!({ "kind": self.kind_name(), "role": role });
        if self.kind == (MaterialKind::Source { executable: true }) {
            annotations["executable"] = json!(true);
        }
        descriptor.insert("annotations".to_owned(), annotations);
        Value::Object(descriptor)
    }

    fn kind_name(&self) -> &'static str {
        match self.kind {
            MaterialKind::Source { .. } => SOURCE,
            MaterialKind::Settings => SETTINGS,
            MaterialKind::Generated => "generated",
            MaterialKind::Distribution { .. } => "distribution",
            MaterialKind::Download { .. } => "download",
            MaterialKind::ImageLayer { .. } => "image-layer",
            MaterialKind::DebianPackage { .. } => "debian-package",
            MaterialKind::Interpreter { .. } => "interpreter",
            MaterialKind::HostInterpreter { .. } => "host-interpreter",
        }
    }
}

/// The annotation `kind` of a source.
pub const SOURCE: &str = "source";
/// The annotation `kind` of a settings file.
pub const SETTINGS: &str = "settings";

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A material of this kind, whose hash follows from its name.
    pub(crate) fn material(kind: MaterialKind, name: &str, role: Role) -> Material {
        Material { kind, name: name.to_owned(), hash: crate::base::Digest::of(name.as_bytes()).hex(), role }
    }

    pub(crate) fn wheel(name: &str, version: &str, licences: Vec<Licence>, role: Role) -> Material {
        let kind = MaterialKind::Distribution { name: name.to_owned(), version: version.to_owned(), licences };
        material(kind, &format!("{}-{version}-py3-none-any.whl", name.replace('-', "_")), role)
    }

    #[test]
    fn a_descriptor_names_the_file_and_says_what_it_is() {
        let source = material(MaterialKind::Source { executable: true }, "src/a.py", Role::Content);
        let expected = json!({
            "name": "src/a.py",
            "digest": { "sha256": source.hash },
            "annotations": { "kind": "source", "role": "content", "executable": true },
        });
        assert_eq!(source.descriptor(), expected);
        let wheel = wheel("a-b", "1.0", Vec::new(), Role::Environment);
        assert_eq!(wheel.descriptor()["uri"], json!("pkg:pypi/a-b@1.0?file_name=a_b-1.0-py3-none-any.whl"));
        let copy =
            material(MaterialKind::HostInterpreter { version: "3.11.2".to_owned() }, "cpython", Role::Environment);
        assert_eq!(copy.descriptor()["digest"], json!({ "blake3": copy.hash }));
    }
}
