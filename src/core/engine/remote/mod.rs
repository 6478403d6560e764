//! Servers of the Remote Execution API, version 2, as a cache of results that several machines share. `connection` is shared by
//! everything that talks to one server; the action cache on top of it is in `cache`. Which settings lead here is decided in
//! `config` and `session`.

mod action_results;
mod byte_stream;
mod cache;
mod capabilities;
mod cas;
mod compression;
mod connection;
mod digest_map;
mod entry;
mod error;
pub mod execution;
mod headers;
mod lazy;
mod publish;
mod remote_digest;
mod renew;
mod settings;
mod socket;
mod transfer;
mod tree_results;
mod trees;
mod warnings;

/// The messages and services of the Remote Execution API.
pub use bazel_remote_apis::build::bazel::remote::execution::v2 as reapi;

pub use cache::{CacheOptions, ContentBehavior, RemoteCache, Summary};
pub use capabilities::Capabilities;
pub use cas::{Content, Contents};
pub use connection::{Connection, Service, Traffic};
pub use digest_map::DigestMap;
pub use error::Error;
pub(in crate::engine) use lazy::PLACES;
pub use remote_digest::{DigestFunction, RemoteDigest};
pub(in crate::engine) use renew::{STORED, Stored};
pub use settings::{RemoteSettings, Secret, Token};
pub use transfer::{Uploaded, Wanted};
