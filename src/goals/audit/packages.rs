//! The distributions in a venv image, and which of them a step used. Read from the `RECORD` files of the image (PEP 376).

use std::collections::BTreeMap;

use crate::audit::classify::source_of_bytecode;
use crate::base::Digest;
use crate::goals::Error;
use crate::report::audit::PackageUse;
use crate::store::Store;

/// The distributions of one image.
#[derive(Default)]
pub(super) struct Packages {
    /// Name and version.
    distributions: Vec<(String, String)>,
    /// The index of the distribution that owns a file, by path relative to the image.
    owners: BTreeMap<String, usize>,
}

impl Packages {
    /// Reads the image with this tree.
    pub(super) fn read(store: &Store, image: Digest) -> Result<Packages, Error> {
        let mut packages = Packages::default();
        for (path, node) in store.tree(image)?.nodes {
            let Some((dir, _)) = path.as_str().rsplit_once("/RECORD") else { continue };
            let Some((site, name)) = dir.rsplit_once('/') else { continue };
            let Some(digest) = node.content() else { continue };
            let Some((name, version)) = name.strip_suffix(".dist-info").and_then(|name| name.split_once('-')) else {
                continue;
            };
            packages.add(name, version, site, &String::from_utf8_lossy(&store.get(digest)?));
        }
        Ok(packages)
    }

    fn add(&mut self, name: &str, version: &str, site: &str, record: &str) {
        let index = self.distributions.len();
        self.distributions.push((normalized(name), version.to_owned()));
        for line in record.lines() {
            // A path with a comma is quoted.
            let path = match line.strip_prefix('"') {
                Some(quoted) => quoted.split('"').next(),
                None => line.split(',').next(),
            };
            let path = path.unwrap_or_default();
            self.owners.insert(joined(site, path), index);
        }
    }

    /// How many files of each distribution are among `used`, which are relative to the image.
    pub(super) fn uses<'p>(&self, used: impl Iterator<Item = &'p str>) -> Vec<PackageUse> {
        let mut counts = vec![0; self.distributions.len()];
        for path in used {
            let source = source_of_bytecode(&format!("/{path}"));
            let path = source.as_deref().map_or(path, |source| source.trim_start_matches('/'));
            // What a step reads of the metadata, it reads of every distribution.
            if let Some(index) = self.owners.get(path).filter(|_| !path.contains(".dist-info/")) {
                counts[*index] += 1;
            }
        }
        let packages = self.distributions.iter().zip(counts);
        packages
            .map(|((name, version), files_read)| PackageUse {
                name: name.clone(),
                version: version.clone(),
                files_read,
            })
            .collect()
    }
}

/// A path of a record, which is relative to the directory of packages: `../../../bin/x` is a script.
fn joined(site: &str, path: &str) -> String {
    let mut names: Vec<&str> = site.split('/').collect();
    for name in path.split('/') {
        match name {
            ".." => drop(names.pop()),
            "." | "" => {}
            name => names.push(name),
        }
    }
    names.join("/")
}

/// The normalized name of a distribution (PEP 503).
pub(super) fn normalized(name: &str) -> String {
    let mut out = String::new();
    for part in name.split(['-', '_', '.']).filter(|part| !part.is_empty()) {
        if !out.is_empty() {
            out.push('-');
        }
        out += &part.to_lowercase();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_belong_to_the_distribution_whose_record_lists_them() {
        let site = "lib/python3.11/site-packages";
        let mut packages = Packages::default();
        packages.add("Used_One", "1.0", site, "used/__init__.py,sha256=x,1\nused_one-1.0.dist-info/METADATA,,\n");
        packages.add("scripts", "2", site, "../../../bin/tool,,\n\"a,b.py\",,\n");
        packages.add("unused", "3", site, "unused.py,,\nunused-3.dist-info/METADATA,,\n");
        let used = [
            "lib/python3.11/site-packages/used/__pycache__/__init__.cpython-311.pyc",
            "bin/tool",
            "lib/python3.11/site-packages/a,b.py",
            "lib/python3.11/site-packages/unused-3.dist-info/METADATA",
        ];
        let uses = packages.uses(used.into_iter());
        let counts: Vec<_> = uses.iter().map(|package| (package.name.as_str(), package.files_read)).collect();
        assert_eq!(counts, [("used-one", 1), ("scripts", 2), ("unused", 0)]);
    }
}
