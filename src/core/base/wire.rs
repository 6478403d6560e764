//! The message `Digest` of `build.bazel.remote.execution.v2`, which trees and action keys both contain.

/// The message `Digest`, with the field numbers of the API.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Digest {
    /// The hash in hexadecimal.
    #[prost(string, tag = "1")]
    pub hash: String,
    /// The size of the content.
    #[prost(int64, tag = "2")]
    pub size_bytes: i64,
}

impl From<crate::base::Digest> for Digest {
    fn from(digest: crate::base::Digest) -> Digest {
        // Sizes are those of files, which the kernel limits to less than 2^63.
        let size_bytes = i64::try_from(digest.size_bytes()).unwrap_or(i64::MAX);
        Digest { hash: digest.hex(), size_bytes }
    }
}
