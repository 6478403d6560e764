//! From the lock and the store to what a step is given. In the usual case, everything is locked and stored, this reads a
//! few directory messages and nothing else.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::debian::{self, Archive};
use super::lock::{Lock, Provider, Record};
use super::{Constraints, Context, Error, Offer, Toolchain, Wanted, choose, host, prefix, standalone};
use crate::base::{Digest, RelPath, sandbox_paths};
use crate::store::{self, Entry};

/// Below the root, what is mounted as a whole.
const MOUNTS: [&str; 2] = ["usr", "etc/ssl"];

/// What the lock says, made present in the store. What the lock lacks is locked now, unless it is frozen; the caller
/// saves the lock when it changed.
pub fn ensure(lock: &mut Lock, wanted: &Wanted, context: &Context<'_>) -> Result<Toolchain, Error> {
    let records = locked(lock, wanted, context)?;
    match compose(&records, context) {
        Err(Error::Store(store::Error::Missing(_))) => {
            make(&records, context, true)?;
            compose(&records, context)
        }
        composed => composed,
    }
}

/// As `ensure`, with everything fetched and unpacked again: for a store that turned out to miss some file of a tree.
pub fn restore(lock: &mut Lock, wanted: &Wanted, context: &Context<'_>) -> Result<Toolchain, Error> {
    let records = locked(lock, wanted, context)?;
    make(&records, context, false)?;
    compose(&records, context)
}

/// The system's record, and the interpreter's if one is wanted.
fn locked(lock: &mut Lock, wanted: &Wanted, context: &Context<'_>) -> Result<Vec<Record>, Error> {
    let system = system(lock, wanted, context)?;
    let python = wanted.python.as_ref().map(|constraints| python(lock, wanted, constraints, &system, context));
    [Some(Ok(system)), python].into_iter().flatten().collect()
}

fn system(lock: &mut Lock, wanted: &Wanted, context: &Context<'_>) -> Result<Record, Error> {
    let mut packages = wanted.packages.clone();
    packages.sort();
    packages.dedup();
    let here = |record: &Record| record.platform == wanted.platform;
    let known = lock.records().iter().find(|record| record.name == "system" && here(record));
    if let Some(record) = known.filter(|record| record.wanted == packages) {
        return Ok(record.clone());
    }
    if context.frozen {
        let packages = packages.join(" ");
        let why = match known {
            Some(record) => {
                let locked = record.wanted.join(" ");
                format!("is out of date: its system tree was locked for `{locked}`, but `{packages}` is wanted")
            }
            None if lock.records().is_empty() => "is missing".to_owned(),
            None => format!("is out of date: it has no system tree for `{}`", wanted.platform),
        };
        return Err(Error::Frozen { why });
    }
    let archive = context.archive(&wanted.platform)?;
    let files = archive.resolve(&packages, &[])?;
    let tree = debian::unpack(&context.settings.debian, context.net, context.store, &files, true)?;
    let record = Record {
        name: "system".to_owned(),
        version: archive.version().to_owned(),
        platform: wanted.platform.clone(),
        provider: Provider::Debian,
        wanted: packages,
        tree: context.store.put_tree(&tree)?,
        files,
    };
    // Whatever stands on the old system tree was made to fit that one.
    lock.retain(|record| !here(record) || (record.name != "system" && record.provider == Provider::Standalone));
    lock.insert(record.clone());
    Ok(record)
}

fn python(
    lock: &mut Lock,
    wanted: &Wanted,
    constraints: &Constraints,
    system: &Record,
    context: &Context<'_>,
) -> Result<Record, Error> {
    let key = constraints.key();
    let here = |record: &&Record| record.name == "python" && record.platform == wanted.platform;
    if let Some(record) = lock.records().iter().filter(here).find(|record| record.wanted.contains(&key)) {
        return Ok(record.clone());
    }
    if context.frozen {
        return Err(Error::Frozen { why: format!("is out of date: it has no interpreter for `{key}`") });
    }
    let offers = offers(&wanted.platform, context)?;
    let (provider, version) = choose(constraints, &offers)?;
    let same = |record: &&Record| record.provider == provider && record.version == version;
    let known = lock.records().iter().filter(here).find(same).cloned();
    let mut record = match known {
        Some(record) => record,
        None => new_python(provider, &version, system, context)?,
    };
    record.wanted.push(key);
    record.wanted.sort();
    lock.insert(record.clone());
    Ok(record)
}

fn offers(platform: &str, context: &Context<'_>) -> Result<Vec<Offer>, Error> {
    let settings = context.settings;
    let offer = |provider: &Provider| {
        let versions = match provider {
            Provider::Debian => context.archive(platform)?.interpreters()?.into_values().collect(),
            Provider::Standalone => settings.standalone.offered(),
            Provider::Host => host::interpreters(&settings.host).into_iter().map(|found| found.version).collect(),
        };
        Ok(Offer { provider: *provider, versions })
    };
    settings.providers.iter().map(offer).collect()
}

fn new_python(provider: Provider, version: &str, system: &Record, context: &Context<'_>) -> Result<Record, Error> {
    let Context { store, net, settings, .. } = *context;
    let (files, tree) = match provider {
        Provider::Debian => {
            let archive = context.archive(&system.platform)?;
            let packages = archive.interpreter_packages(&format!("python{}", prefix::minor(version)))?;
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

fn copy_host(version: &str, system: &Record, context: &Context<'_>) -> Result<Digest, Error> {
    let found = host::interpreters(&context.settings.host).into_iter().find(|found| found.version == version);
    let found = found.ok_or_else(|| Error::HostGone { version: version.to_owned() })?;
    host::copy(context.store, &found, system.tree)
}

/// Puts the trees of locked toolchains into the store again. What comes out must be what was locked.
fn make(records: &[Record], context: &Context<'_>, reuse: bool) -> Result<(), Error> {
    let Context { store, net, settings, .. } = *context;
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

fn compose(records: &[Record], context: &Context<'_>) -> Result<Toolchain, Error> {
    let store = context.store;
    let parts: Vec<_> = records.iter().map(|record| (RelPath::root(), record.tree)).collect();
    let digest = store.merge(&parts)?;
    let mut mounts = BTreeMap::new();
    for path in MOUNTS {
        let tree = store.subtree(digest, &RelPath::parse(path).expect("constants are clean"))?;
        mounts.extend(tree.map(|tree| (format!("/{path}"), tree)));
    }
    if let Some(Entry::Directory(dir)) = store.lookup(digest, &RelPath::parse("toolchain").expect("clean"))? {
        for (name, entry) in store.directory(dir)?.entries {
            if let Entry::Directory(tree) = entry {
                mounts.insert(format!("{}/{name}", sandbox_paths::TOOLCHAIN), tree);
            }
        }
    }
    let python = records.iter().find(|record| record.name == "python");
    Ok(Toolchain {
        mounts,
        python: python.map(interpreter_path),
        python_version: python.map(|record| record.version.clone()),
        digest,
        portable: records.iter().all(|record| record.provider != Provider::Host),
    })
}

fn interpreter_path(record: &Record) -> PathBuf {
    let minor = prefix::minor(&record.version);
    match record.provider {
        Provider::Debian => PathBuf::from(format!("/usr/bin/python{minor}")),
        Provider::Standalone | Provider::Host => {
            PathBuf::from(format!("{}/bin/python{minor}", prefix::mount_point(&minor)))
        }
    }
}

impl Context<'_> {
    /// Opened once: an index is large.
    fn archive(&self, platform: &str) -> Result<&Archive, Error> {
        if let Some(archive) = self.archive.get() {
            return Ok(archive);
        }
        let archive = Archive::open(&self.settings.debian, self.net, platform)?;
        Ok(self.archive.get_or_init(|| archive))
    }
}
