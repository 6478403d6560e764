//! Container images in the format of the Open Container Initiative. `layer` packs trees of the store into layers, and `layout`
//! describes an image of layers as a directory that other tools read. `copies` does what `COPY` instructions say, on what an image has
//! according to `existing`. Images of registries are named in `reference`, described in `base`, and their layers are read in `pulled`.
//! Which layers an image has is planned in `prepare::package`.

pub mod base;
pub mod copies;
pub mod existing;
pub mod layer;
pub mod layout;
pub mod pulled;
pub mod reference;

/// The user that runs the program of an image, unless its target names another one: its number, and that of its group.
pub const USER_ID: u64 = 1000;
/// The name of that user.
pub const USER_NAME: &str = "app";
/// The home directory of that user.
pub const HOME: &str = "/home/app";

/// Why a layer or an image cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The contents cannot be read, or the result cannot be stored.
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    /// The archive of a layer cannot be written.
    #[error("cannot write the archive of a layer")]
    Write(#[from] std::io::Error),
    /// The crate that knows the format rejects a value.
    #[error("the image cannot be described")]
    Describe(#[from] oci_spec::OciSpecError),
    /// A file that describes a layer or an image is not what this program writes.
    #[error("cannot read `{name}` of an image")]
    Read {
        /// The name of the file.
        name: String,
        /// The reason.
        source: serde_json::Error,
    },
    /// A `COPY` instruction names what does not exist.
    #[error("line {line}: the context has nothing at `{source_path}`")]
    NothingToCopy {
        /// The line of the Dockerfile, from 1.
        line: usize,
        /// What is to be copied.
        source_path: String,
    },
    /// The archive of a pulled layer is not the one that the image describes.
    #[error(
        "the unpacked layer has the SHA-256 hash {got} instead of {expected}, which the configuration of the image names"
    )]
    WrongContent {
        /// The hash of its bytes.
        got: String,
        /// The hash in the configuration.
        expected: String,
    },
    /// A file is missing in the tree of a layer or an image.
    #[error("`{name}` is missing in an image")]
    Missing {
        /// The name of the file.
        name: String,
    },
}
