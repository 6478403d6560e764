//! Provides the toolchain of a request from the lock and the store. If everything is locked and stored, which is the usual
//! case, this reads only a few directory messages.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::debian::{self, Archive};
use super::lock::{Lock, LockedFile, Provider, Record};
use super::{
    Constraints, Error, Notice, Offer, ProviderContext, Request, Toolchain, constraints, host, prefix, standalone,
};
use crate::base::{Digest, ErrorKind, RelPath, sandbox_paths};
use crate::store::{self, Entry, Store};

/// The directories of a toolchain's tree that are mounted, besides those in `toolchain/`.
const MOUNTS: [&str; 2] = ["usr", "etc/ssl"];

/// Provides the locked toolchain of a request and makes its trees available in the store. Unless the lock is frozen, missing
/// records are added to it; the caller saves it afterwards.
pub fn provide(lock: &mut Lock, request: &Request, context: &ProviderContext<'_>) -> Result<Toolchain, Error> {
    let records = locked_records(lock, request, context)?;
    provide_locked(&records, context)
}

/// Makes the trees of locked records available in the store, as [`provide`] does.
pub fn provide_locked(records: &[Record], context: &ProviderContext<'_>) -> Result<Toolchain, Error> {
    if let Some(stored) = stored(records, context.store)? {
        return Ok(stored);
    }
    recreate_trees(records, context, true)?;
    compose(records, context.store)
}

/// The records of a request; `None` unless the lock has all of them.
pub fn locked(lock: &Lock, request: &Request, context: &ProviderContext<'_>) -> Option<Vec<Record>> {
    let frozen = ProviderContext::new(context.store, context.net, context.settings, true);
    locked_records(&mut lock.clone(), request, &frozen).ok()
}

/// The toolchain of locked records; `None` if the store does not have their trees.
pub fn stored(records: &[Record], store: &Store) -> Result<Option<Toolchain>, Error> {
    match compose(records, store) {
        Err(Error::Store(store::Error::Missing(_))) => Ok(None),
        composed => composed.map(Some),
    }
}

/// Like [`provide`], but downloads and unpacks everything again: for a store in which files of a tree are missing.
pub fn restore(lock: &mut Lock, request: &Request, context: &ProviderContext<'_>) -> Result<Toolchain, Error> {
    let records = locked_records(lock, request, context)?;
    recreate_trees(&records, context, false)?;
    compose(&records, context.store)
}

/// The records that each tree of a toolchain is composed of, by the tree, for all toolchains of a lock whose trees are in the
/// store. Where several toolchains have the same tree, the one of the fewest records is named.
pub fn records_of_trees(lock: &Lock, store: &Store) -> Result<BTreeMap<Digest, Vec<Record>>, Error> {
    let mut found: BTreeMap<Digest, Vec<Record>> = BTreeMap::new();
    for names in [&["system"][..], &["system", "python"], &["system", "python", "build"]] {
        for records in combinations(lock, names) {
            match compose(&records, store) {
                Ok(toolchain) => {
                    toolchain.mounts.into_values().for_each(|tree| {
                        found.entry(tree).or_insert_with(|| records.clone());
                    });
                }
                // A toolchain that no step of this machine used.
                Err(Error::Store(store::Error::Missing(_))) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(found)
}

/// Every choice of one record for each name, all for the same platform.
fn combinations(lock: &Lock, names: &[&str]) -> Vec<Vec<Record>> {
    let mut chosen: Vec<Vec<Record>> = vec![Vec::new()];
    for name in names {
        let fits = |before: &[Record], record: &&Record| {
            record.name == *name && before.first().is_none_or(|first| first.platform == record.platform)
        };
        let extend = |before: &Vec<Record>| -> Vec<Vec<Record>> {
            let fitting = lock.records().iter().filter(|record| fits(before, record));
            fitting.map(|record| [before.clone(), vec![record.clone()]].concat()).collect()
        };
        chosen = chosen.iter().flat_map(extend).collect();
    }
    chosen
}

/// The name of the record of an interpreter that runs outside sandboxes, without the pinned system tree.
const OUTSIDE: &str = "python-outside-sandboxes";

/// Provides a standalone interpreter of exactly this version, for use outside sandboxes. Returns the tree of its prefix; `None` if no
/// archive has this version. Unless the lock is frozen, a missing record is added to it; the caller saves it afterwards.
pub fn provide_outside(
    lock: &mut Lock,
    version: &str,
    platform: &str,
    context: &ProviderContext<'_>,
) -> Result<Option<Digest>, Error> {
    let ProviderContext { store, net, settings, frozen, .. } = *context;
    let is_wanted =
        |record: &&Record| record.name == OUTSIDE && record.platform == platform && record.version == version;
    let locked = lock.records().iter().find(is_wanted).cloned();
    let is_offered = || Ok::<_, Error>(settings.standalone.offered_versions(platform)?.iter().any(|v| v == version));
    let tree = match &locked {
        Some(record) => match (store.is_complete(record.tree)?, record.files.first()) {
            (false, Some(file)) => standalone::restore(&settings.standalone, net, store, file, platform)?,
            _ => record.tree,
        },
        None if frozen || !is_offered()? => return Ok(None),
        None => {
            let (file, tree) = standalone::lock(&settings.standalone, net, store, version, platform)?;
            let (name, version, platform) = (OUTSIDE.to_owned(), version.to_owned(), platform.to_owned());
            let files = vec![file];
            lock.insert(Record {
                name,
                version,
                platform,
                provider: Provider::Standalone,
                wanted: Vec::new(),
                tree,
                files,
            });
            tree
        }
    };
    if let Some(record) = locked.filter(|record| record.tree != tree) {
        let toolchain = format!("{} {}", record.name, record.version);
        return Err(Error::Differs { toolchain, expected: Box::new(record.tree), got: Box::new(tree) });
    }
    let at = prefix::mount_point(prefix::minor_version(version));
    let at = RelPath::parse(at.trim_start_matches('/')).expect("composed of constants and a number");
    Ok(store.subtree(tree, &at)?)
}

/// The records of the system tree and, as far as the request asks for them, of the interpreter and the packages for builds.
fn locked_records(lock: &mut Lock, request: &Request, context: &ProviderContext<'_>) -> Result<Vec<Record>, Error> {
    let mut records = vec![system_record(lock, request, context)?];
    if let Some(constraints) = &request.python {
        records.push(python_record(lock, request, constraints, &records[0], context)?);
    }
    if !request.build_packages.is_empty() {
        records.push(build_record(lock, request, &records, context)?);
    }
    Ok(records)
}

/// The record of the packages for builds, in addition to those of `records`. For an interpreter of the provider `debian`, the
/// package with its header files is added.
fn build_record(
    lock: &mut Lock,
    request: &Request,
    records: &[Record],
    context: &ProviderContext<'_>,
) -> Result<Record, Error> {
    let is_debian_python = |record: &&Record| record.name == "python" && record.provider == Provider::Debian;
    let headers = records.iter().find(is_debian_python);
    let headers = headers.map(|python| format!("libpython{}-dev", prefix::minor_version(&python.version)));
    let mut packages: Vec<String> = request.build_packages.iter().cloned().chain(headers).collect();
    packages.sort();
    packages.dedup();
    let is_wanted =
        |record: &&Record| record.name == "build" && record.platform == request.platform && record.wanted == packages;
    if let Some(record) = lock.records().iter().find(is_wanted) {
        return Ok(record.clone());
    }
    if context.frozen {
        let why = format!("is out of date: it does not contain the build packages `{}`", packages.join(" "));
        return Err(Error::Frozen { why });
    }
    let present: Vec<_> = records.iter().filter(|record| record.provider == Provider::Debian).collect();
    let present: Vec<_> = present.iter().flat_map(|record| record.files.iter().cloned()).collect();
    let record = resolve_packages("build", &request.platform, packages, &present, context)?;
    lock.insert(record.clone());
    Ok(record)
}

/// The record `name` of these packages and of what they depend on, without the files of `present`.
pub(super) fn resolve_packages(
    name: &str,
    platform: &str,
    packages: Vec<String>,
    present: &[LockedFile],
    context: &ProviderContext<'_>,
) -> Result<Record, Error> {
    let archive = context.archive(platform)?;
    let files = archive.resolve(&packages, present)?;
    let tree = debian::unpack(&context.settings.debian, context.net, context.store, &files, true)?;
    Ok(Record {
        name: name.to_owned(),
        version: archive.version().to_owned(),
        platform: platform.to_owned(),
        provider: Provider::Debian,
        wanted: packages,
        tree: context.store.put_tree(&tree)?,
        files,
    })
}

pub(super) fn system_record(
    lock: &mut Lock,
    request: &Request,
    context: &ProviderContext<'_>,
) -> Result<Record, Error> {
    let mut packages = request.packages.clone();
    packages.sort();
    packages.dedup();
    let is_on_platform = |record: &Record| record.platform == request.platform;
    let locked = lock.records().iter().find(|record| record.name == "system" && is_on_platform(record));
    if let Some(record) = locked.filter(|record| record.wanted == packages) {
        return Ok(record.clone());
    }
    if context.frozen {
        let packages = packages.join(" ");
        let why = match locked {
            Some(record) => {
                let locked = record.wanted.join(" ");
                format!("is out of date: its system tree was locked for `{locked}`, but `{packages}` is configured")
            }
            None if lock.records().is_empty() => "is missing".to_owned(),
            None => format!("is out of date: it has no system tree for `{}`", request.platform),
        };
        return Err(Error::Frozen { why });
    }
    let record = resolve_packages("system", &request.platform, packages, &[], context)?;
    // The interpreters of the other providers were resolved against the old system tree.
    lock.retain(|record| {
        !is_on_platform(record) || (record.name != "system" && record.provider == Provider::Standalone)
    });
    lock.insert(record.clone());
    Ok(record)
}

fn python_record(
    lock: &mut Lock,
    request: &Request,
    constraints: &Constraints,
    system: &Record,
    context: &ProviderContext<'_>,
) -> Result<Record, Error> {
    let key = constraints.key();
    let is_python = |record: &&Record| record.name == "python" && record.platform == request.platform;
    if let Some(record) = lock.records().iter().filter(is_python).find(|record| record.wanted.contains(&key)) {
        return Ok(record.clone());
    }
    if context.frozen {
        return Err(Error::Frozen { why: format!("is out of date: it has no interpreter for `{key}`") });
    }
    let mut record = choose_python(lock, constraints, system, context)?;
    record.wanted.push(key);
    record.wanted.sort();
    lock.insert(record.clone());
    Ok(record)
}

/// The interpreter of the first provider that offers a version for the constraints. Later providers are queried only if the
/// earlier ones offer none, or if an archive cannot be downloaded.
fn choose_python(
    lock: &Lock,
    constraints: &Constraints,
    system: &Record,
    context: &ProviderContext<'_>,
) -> Result<Record, Error> {
    let mut offers = Vec::new();
    let mut unavailable: Option<Error> = None;
    for provider in &context.settings.providers {
        let offer = offer(*provider, &system.platform, context)?;
        if let Some(version) = constraints::select_version(constraints, &offer.versions) {
            let is_selected = |record: &&Record| {
                record.name == "python"
                    && record.platform == system.platform
                    && record.provider == *provider
                    && record.version == *version
            };
            if let Some(record) = lock.records().iter().find(is_selected) {
                return Ok(record.clone());
            }
            match lock_python(*provider, version, system, context) {
                Ok(record) => {
                    context.notices.borrow_mut().extend(unavailable.as_ref().map(unavailable_notice));
                    context.notices.borrow_mut().extend(portability_notice(&record));
                    return Ok(record);
                }
                // Unlike the package archive, which every system tree needs, the server of standalone archives may be blocked.
                Err(error) if *provider == Provider::Standalone && error.kind() == ErrorKind::Unavailable => {
                    unavailable = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        offers.push(offer);
    }
    Err(unavailable.unwrap_or_else(|| constraints::no_interpreter(constraints, &offers)))
}

fn unavailable_notice(error: &Error) -> Notice {
    let causes: Vec<String> = std::iter::successors(std::error::Error::source(error), |cause| cause.source())
        .map(ToString::to_string)
        .collect();
    let message = [vec![format!("another provider is used: {error}")], causes].concat().join(": ");
    Notice { message, hint: "check the network, or set `UV_PYTHON_INSTALL_MIRROR` to a mirror of the archives" }
}

/// A warning about an interpreter that other machines cannot provide.
fn portability_notice(record: &Record) -> Option<Notice> {
    (record.provider == Provider::Host).then(|| Notice {
        message: format!(
            "`waders.lock` contains Python {} as a copy of an interpreter of this machine: on other machines, and for users \
             who cannot read that interpreter, the lock cannot be used",
            record.version
        ),
        hint: "the providers `debian` and `standalone` are portable: see `[toolchain] providers`",
    })
}

fn offer(provider: Provider, platform: &str, context: &ProviderContext<'_>) -> Result<Offer, Error> {
    let settings = context.settings;
    let versions = match provider {
        Provider::Debian => context.archive(platform)?.interpreters()?.into_values().collect(),
        Provider::Standalone => settings.standalone.offered_versions(platform)?,
        Provider::Host => host::find_interpreters(&settings.host).into_iter().map(|found| found.version).collect(),
    };
    Ok(Offer { provider, versions })
}

fn lock_python(
    provider: Provider,
    version: &str,
    system: &Record,
    context: &ProviderContext<'_>,
) -> Result<Record, Error> {
    let ProviderContext { store, net, settings, .. } = *context;
    let (files, tree) = match provider {
        Provider::Debian => {
            let archive = context.archive(&system.platform)?;
            let packages = archive.interpreter_packages(&format!("python{}", prefix::minor_version(version)))?;
            let files = archive.resolve(&packages, &system.files)?;
            let tree = debian::unpack(&settings.debian, net, store, &files, true)?;
            (files, store.put_tree(&tree)?)
        }
        Provider::Standalone => {
            let (file, tree) = standalone::lock(&settings.standalone, net, store, version, &system.platform)?;
            (vec![file], tree)
        }
        Provider::Host => (Vec::new(), copy_host(version, system, context)?),
    };
    let (name, version, platform) = ("python".to_owned(), version.to_owned(), system.platform.clone());
    Ok(Record { name, version, platform, provider, wanted: Vec::new(), tree, files })
}

fn copy_host(version: &str, system: &Record, context: &ProviderContext<'_>) -> Result<Digest, Error> {
    let found = host::find_interpreters(&context.settings.host).into_iter().find(|found| found.version == version);
    let found = found.ok_or_else(|| Error::HostGone { version: version.to_owned() })?;
    host::copy(context.store, &found, system.tree)
}

/// Creates the trees of locked toolchains in the store again and checks that they have the locked digests. With `reuse`,
/// packages that are still unpacked in the store are not downloaded.
pub(super) fn recreate_trees(records: &[Record], context: &ProviderContext<'_>, reuse: bool) -> Result<(), Error> {
    let ProviderContext { store, net, settings, .. } = *context;
    let system = records.iter().find(|record| record.name == "system");
    for record in records {
        let got = match (record.provider, record.files.first(), system) {
            (Provider::Standalone, Some(file), _) => {
                standalone::restore(&settings.standalone, net, store, file, &record.platform)?
            }
            (Provider::Host, _, Some(system)) => copy_host(&record.version, system, context)?,
            _ => store.put_tree(&debian::unpack(&settings.debian, net, store, &record.files, reuse)?)?,
        };
        if got != record.tree {
            let toolchain = format!("{} {}", record.name, record.version);
            return Err(Error::Differs { toolchain, expected: Box::new(record.tree), got: Box::new(got) });
        }
    }
    Ok(())
}

fn compose(records: &[Record], store: &Store) -> Result<Toolchain, Error> {
    let parts: Vec<_> = records.iter().map(|record| (RelPath::root(), record.tree)).collect();
    let digest = store.merge(&parts)?;
    let mut mounts = BTreeMap::new();
    for path in MOUNTS {
        let tree = store.subtree(digest, &RelPath::parse(path).expect("constants are clean"))?;
        mounts.extend(tree.map(|tree| (format!("/{path}"), tree)));
    }
    if let Some(Entry::Directory(dir)) =
        store.lookup(digest, &RelPath::parse("toolchain").expect("constants are clean"))?
    {
        for (name, entry) in store.directory(dir)?.entries {
            if let Entry::Directory(tree) = entry {
                mounts.insert(format!("{}/{name}", sandbox_paths::TOOLCHAIN), tree);
            }
        }
    }
    Ok(toolchain(records, mounts, digest))
}

/// The toolchain of locked records whose trees are known.
pub fn toolchain(records: &[Record], mounts: BTreeMap<String, Digest>, digest: Digest) -> Toolchain {
    let python = records.iter().find(|record| record.name == "python");
    Toolchain {
        mounts,
        python: python.map(interpreter_path),
        python_version: python.map(|record| record.version.clone()),
        provider: python.map(|record| record.provider),
        digest,
        portable: records.iter().all(|record| record.provider != Provider::Host),
    }
}

fn interpreter_path(record: &Record) -> PathBuf {
    let minor = prefix::minor_version(&record.version);
    match record.provider {
        Provider::Debian => PathBuf::from(format!("/usr/bin/python{minor}")),
        Provider::Standalone | Provider::Host => {
            PathBuf::from(format!("{}/bin/python{minor}", prefix::mount_point(minor)))
        }
    }
}

impl ProviderContext<'_> {
    /// The archive is opened once, since its index is large.
    fn archive(&self, platform: &str) -> Result<&Archive, Error> {
        if let Some(archive) = self.archive.get() {
            return Ok(archive);
        }
        let archive = Archive::open(&self.settings.debian, self.net, self.store, platform)?;
        Ok(self.archive.get_or_init(|| archive))
    }
}
