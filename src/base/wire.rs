//! The one message that trees and action keys share, from `build.bazel.remote.execution.v2`.

/// The API's `Digest`. Field numbers are the API's.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Digest {
    #[prost(string, tag = "1")]
    pub hash: String,
    #[prost(int64, tag = "2")]
    pub size_bytes: i64,
}

impl From<crate::base::Digest> for Digest {
    fn from(digest: crate::base::Digest) -> Digest {
        // Sizes come from files, which the kernel keeps below 2^63.
        let size_bytes = i64::try_from(digest.size_bytes()).unwrap_or(i64::MAX);
        Digest { hash: digest.hex(), size_bytes }
    }
}
