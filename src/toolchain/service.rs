//! The packages of services, which are locked like build packages, but independently of interpreters: tests of all interpreters
//! can have the same service.

use super::lock::{Lock, LockedFile, Provider};
use super::provide::{recreate_trees, resolve_packages, system_record};
use super::{Error, ProviderContext, Request};
use crate::base::{Digest, RelPath};
use crate::store;

/// The name of the records of services.
pub const SERVICE: &str = "service";

/// Provides these packages with everything that they depend on and that the system tree does not contain. Returns the tree to add
/// to `/usr`. Unless the lock is frozen, a missing record is added to it; the caller saves it afterwards. With `restore`, everything is
/// downloaded and unpacked again.
pub fn provide_service(
    lock: &mut Lock,
    request: &Request,
    packages: &[String],
    restore: bool,
    context: &ProviderContext<'_>,
) -> Result<Digest, Error> {
    let mut wanted = packages.to_vec();
    wanted.sort();
    wanted.dedup();
    let system = system_record(lock, request, context)?;
    let is_wanted = |record: &&super::Record| {
        record.name == SERVICE && record.platform == request.platform && record.wanted == wanted
    };
    let record = match lock.records().iter().find(is_wanted).cloned() {
        Some(record) => record,
        None if context.frozen => {
            let why = format!("is out of date: it does not contain the packages of services `{}`", wanted.join(" "));
            return Err(Error::Frozen { why });
        }
        None => {
            let present: Vec<LockedFile> =
                system.files.iter().filter(|_| system.provider == Provider::Debian).cloned().collect();
            let record = resolve_packages(SERVICE, &request.platform, wanted, &present, context)?;
            lock.insert(record.clone());
            record
        }
    };
    match context.store.tree(record.tree) {
        Ok(_) if !restore => {}
        Ok(_) | Err(store::Error::Missing(_)) => {
            recreate_trees(std::slice::from_ref(&record), context, !restore)?;
        }
        Err(error) => return Err(error.into()),
    }
    let usr = RelPath::parse("usr").expect("a constant");
    let unpacked = context.store.subtree(record.tree, &usr)?;
    unpacked.ok_or_else(|| Error::UnknownPackage { package: record.wanted.join(" ") })
}
