//! Remote caches: the client against a real server of the Remote Execution API (`buildbox-casd`), and against a fake one for
//! what no real server does.

mod behaviours;
mod client;
mod cluster;
mod execution;
mod fake;
mod link;
mod links;
mod log_streams;
mod machines;
mod renewal;
pub(crate) mod servers;
mod speed;
mod tls;
