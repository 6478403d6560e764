//! Container images in the format of the Open Container Initiative. `layer` packs trees of the store into layers, and `layout`
//! describes an image of layers as a directory that other tools read. `copies` does what `COPY` instructions say. Which layers an image has is planned in `prepare::package`.

pub mod copies;
pub mod layer;
pub mod layout;

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
    /// A file is missing in the tree of a layer or an image.
    #[error("`{name}` is missing in an image")]
    Missing {
        /// The name of the file.
        name: String,
    },
}
