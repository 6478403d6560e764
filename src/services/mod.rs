//! The services that tests can have, such as databases, described as data: a `.toml` file for each built-in service, in the form of
//! the tables `[services.NAME]` of settings files. Does not run services.

mod all;
mod error;
mod service;

pub use all::{find_all, names};
pub use error::Error;
pub use service::{Place, Service};

/// What a tag of a target begins with if it names a service.
pub const TAG: &str = "service:";
