//! The dependencies of packages, transitively. Pure. Maintainer scripts are never run, so packages that only those scripts
//! need are left out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use debversion::Version;

use super::index::{Index, Package, malformed};
use super::relation::{Alternative, Relation, relations};
use crate::toolchain::Error;

/// Dependencies of many packages that only their maintainer scripts use.
const SCRIPT_ONLY: [&str; 10] = [
    "adduser",
    "cdebconf",
    "debconf",
    "debconf-2.0",
    "dpkg",
    "init-system-helpers",
    "install-info",
    "sensible-utils",
    "sysvinit-utils",
    "ucf",
];

/// Single dependencies, from and to, that only maintainer scripts use.
const SCRIPT_EDGES: [(&str, &str); 1] = [("ca-certificates", "openssl")];

/// The packages to add to `present` (versions by name) for the packages in `wanted`, by name. Of several alternatives, a
/// present one is preferred, otherwise the first in the index is added. As for apt-get(8), a name with a final `-` means that the
/// package is left out although others depend on it. It can contain one `*` for any text.
pub(super) fn closure<'i, 't>(
    index: &'i Index<'t>,
    wanted: &[String],
    present: &'i BTreeMap<String, Version>,
) -> Result<BTreeMap<&'t str, &'i Package<'t>>, Error> {
    let left_out = wanted.iter().filter_map(|name| name.strip_suffix('-').map(str::to_owned)).collect();
    let mut closure = Closure { index, present, left_out, added: BTreeMap::new(), queue: VecDeque::new() };
    for name in BTreeSet::from_iter(wanted) {
        if !present.contains_key(name) && !name.ends_with('-') {
            let unknown = || Error::UnknownPackage { package: name.clone() };
            let package = index.package(name).or_else(|| index.package(index.providers(name).first()?.package));
            closure.add(package.ok_or_else(unknown)?);
        }
    }
    while let Some(package) = closure.queue.pop_front() {
        for field in ["Pre-Depends", "Depends"] {
            for relation in relations(package.field(field)).map_err(|_| malformed(package.name, field))? {
                closure.satisfy(package, &relation)?;
            }
        }
    }
    Ok(closure.added)
}

struct Closure<'i, 't> {
    index: &'i Index<'t>,
    present: &'i BTreeMap<String, Version>,
    left_out: Vec<String>,
    added: BTreeMap<&'t str, &'i Package<'t>>,
    queue: VecDeque<&'i Package<'t>>,
}

impl<'i, 't> Closure<'i, 't> {
    fn add(&mut self, package: &'i Package<'t>) {
        if self.added.insert(package.name, package).is_none() {
            self.queue.push_back(package);
        }
    }

    fn satisfy(&mut self, package: &Package<'_>, relation: &Relation<'_>) -> Result<(), Error> {
        let skipped = |alternative: &Alternative<'_>| {
            SCRIPT_ONLY.contains(&alternative.package)
                || SCRIPT_EDGES.contains(&(package.name, alternative.package))
                || self.left_out.iter().any(|pattern| matches(pattern, alternative.package))
        };
        if relation.alternatives.iter().any(skipped) || relation.alternatives.iter().any(|one| self.has(one)) {
            return Ok(());
        }
        match relation.alternatives.iter().find_map(|alternative| self.offer(alternative)) {
            Some(found) => {
                self.add(found);
                Ok(())
            }
            None => Err(Error::Unsatisfied {
                package: package.name.to_owned(),
                dependency: relation.alternatives.iter().map(|one| one.package).collect::<Vec<_>>().join(" | "),
                locked: relation.alternatives.iter().find_map(|one| Some(self.present.get(one.package)?.to_string())),
            }),
        }
    }

    fn has(&self, alternative: &Alternative<'_>) -> bool {
        let is_included = |name: &str| self.present.contains_key(name) || self.added.contains_key(name);
        let present = self.present.get(alternative.package).is_some_and(|version| alternative.allows(version));
        present
            || self.added.get(alternative.package).is_some_and(|package| fits(alternative, package))
            || self.providers(alternative).any(|package| is_included(package.name))
    }

    fn offer(&self, alternative: &Alternative<'_>) -> Option<&'i Package<'t>> {
        // The version of a present package is fixed.
        let is_absent = |package: &&'i Package<'t>| !self.present.contains_key(package.name);
        let real = self.index.package(alternative.package).filter(|package| fits(alternative, package));
        real.filter(is_absent).or_else(|| self.providers(alternative).find(is_absent))
    }

    fn providers(&self, alternative: &Alternative<'_>) -> impl Iterator<Item = &'i Package<'t>> {
        let index = self.index;
        let fits = |version: Option<&str>| match (version, &alternative.version) {
            (_, None) => true,
            (Some(version), Some(_)) => version.parse().is_ok_and(|version| alternative.allows(&version)),
            (None, Some(_)) => false,
        };
        let offered = index.providers(alternative.package).iter().filter(move |provider| fits(provider.version));
        offered.filter_map(|provider| index.package(provider.package))
    }
}

/// Whether a name matches a pattern with at most one `*`.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        Some((start, end)) => name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end),
        None => pattern == name,
    }
}

fn fits(alternative: &Alternative<'_>, package: &Package<'_>) -> bool {
    alternative.version.is_none() || package.version().is_ok_and(|version| alternative.allows(&version))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "\
Package: app\nVersion: 1\nPre-Depends: libc (>= 2)\nDepends: awk, debconf (>= 1) | debconf-2.0, gone | tool:any (>= 1)\n\n\
Package: libc\nVersion: 2.1\nDepends: libgcc\n\n\
Package: libgcc\nVersion: 1\nDepends: libc\n\n\
Package: gawk\nVersion: 5\nProvides: awk\nPriority: optional\n\n\
Package: mawk\nVersion: 1\nProvides: awk (= 1)\nPriority: required\n\n\
Package: tool\nVersion: 1:0\n\n\
Package: tool\nVersion: 0.9\n\n\
Package: broken\nVersion: 1\nDepends: nothing-there (>= 3)\n\n\
Package: strict\nVersion: 1\nDepends: awk (>= 2)\n";

    fn check(wanted: &[&str], present: &[(&str, &str)], expected: &str) {
        let index = Index::parse(INDEX).unwrap();
        let wanted: Vec<String> = wanted.iter().map(|name| name.to_string()).collect();
        let present = present.iter().map(|(name, version)| (name.to_string(), version.parse().unwrap())).collect();
        let found = match closure(&index, &wanted, &present) {
            Ok(packages) => packages.into_keys().collect::<Vec<_>>().join(" "),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{wanted:?} {present:?}");
    }

    #[test]
    fn each_dependency_is_added_once_and_cycles_end() {
        check(&["app"], &[], "app libc libgcc mawk tool");
        check(&["libc", "libgcc"], &[], "libc libgcc");
        check(&["awk"], &[], "mawk");
    }

    #[test]
    fn present_packages_are_not_added() {
        check(&["app", "libc"], &[("libc", "2"), ("gawk", "5")], "app tool");
    }

    #[test]
    fn packages_are_left_out_with_what_only_they_depend_on() {
        check(&["app", "libc-"], &[], "app mawk tool");
        check(&["app", "lib*-", "t*l-"], &[], "app mawk");
        check(&["libgcc", "libgcc*-"], &[], "libc libgcc");
    }

    #[test]
    fn missing_packages_are_named() {
        check(&["nonsense"], &[], "package `nonsense` is not in the package archive");
        check(&["broken"], &[], "package `broken` depends on `nothing-there`, which is not in the package archive");
        check(&["strict"], &[], "package `strict` depends on `awk`, which is not in the package archive");
        check(
            &["app"],
            &[("libc", "1")],
            "package `app` depends on another version of `libc` than the locked version `1`",
        );
    }
}
