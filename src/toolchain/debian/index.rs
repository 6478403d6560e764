//! What a suite offers: its `Packages` file as a value. Choosing among it is `closure`.

use std::collections::BTreeMap;

use debversion::Version;

use super::paragraph::{Paragraph, paragraphs};
use crate::toolchain::Error;

/// Packages by name, borrowed from the index's text.
pub struct Index<'t> {
    packages: BTreeMap<&'t str, Package<'t>>,
    /// Virtual name to the packages that provide it, best first.
    providers: BTreeMap<&'t str, Vec<Provider<'t>>>,
}

pub struct Package<'t> {
    pub name: &'t str,
    /// Read when it is compared: see `version`.
    pub version_text: &'t str,
    fields: Paragraph<'t>,
}

pub struct Provider<'t> {
    pub package: &'t str,
    /// Only a provider that says a version satisfies a versioned dependency.
    pub version: Option<&'t str>,
}

impl<'t> Index<'t> {
    pub fn parse(text: &'t str) -> Result<Index<'t>, Error> {
        let mut packages: BTreeMap<&str, Package<'_>> = BTreeMap::new();
        for fields in paragraphs(text) {
            let Some(name) = fields.get("Package") else { continue };
            let version_text = fields.get("Version").ok_or_else(|| malformed(name, "Version"))?;
            let package = Package { name, version_text, fields };
            // The higher version wins where a suite has two.
            match packages.get(name) {
                Some(other) if other.version()? >= package.version()? => {}
                _ => drop(packages.insert(name, package)),
            }
        }
        let providers = providers(&packages)?;
        Ok(Index { packages, providers })
    }

    pub fn package(&self, name: &str) -> Option<&Package<'t>> {
        self.packages.get(name)
    }

    pub fn packages(&self) -> impl Iterator<Item = &Package<'t>> {
        self.packages.values()
    }

    pub fn providers(&self, name: &str) -> &[Provider<'t>] {
        self.providers.get(name).map(Vec::as_slice).unwrap_or_default()
    }
}

impl<'t> Package<'t> {
    pub fn version(&self) -> Result<Version, Error> {
        self.version_text.parse().map_err(|_| malformed(self.name, "Version"))
    }

    /// An empty text where there is no such field.
    pub fn field(&self, name: &str) -> &'t str {
        self.fields.get(name).unwrap_or_default()
    }

    /// As `field`, for what an index must say.
    pub fn require(&self, name: &'static str) -> Result<&'t str, Error> {
        self.fields.get(name).filter(|value| !value.is_empty()).ok_or_else(|| malformed(self.name, name))
    }

    /// From `required`, which every system has, to `optional`.
    fn rank(&self) -> usize {
        const PRIORITIES: [&str; 3] = ["required", "important", "standard"];
        let priority = self.field("Priority");
        PRIORITIES.iter().position(|name| *name == priority).unwrap_or(PRIORITIES.len())
    }
}

pub fn malformed(package: &str, field: &str) -> Error {
    Error::Index { why: format!("package `{package}` has no readable `{field}`") }
}

fn providers<'t>(packages: &BTreeMap<&'t str, Package<'t>>) -> Result<BTreeMap<&'t str, Vec<Provider<'t>>>, Error> {
    let mut providers: BTreeMap<&str, Vec<Provider<'_>>> = BTreeMap::new();
    for package in packages.values() {
        for provided in
            super::relation::relations(package.field("Provides")).map_err(|_| malformed(package.name, "Provides"))?
        {
            for alternative in provided.alternatives {
                let version = alternative.version.map(|(_, version)| version);
                let provider = Provider { package: package.name, version };
                providers.entry(alternative.package).or_default().push(provider);
            }
        }
    }
    for offered in providers.values_mut() {
        offered.sort_by_key(|provider| (packages[provider.package].rank(), provider.package));
    }
    Ok(providers)
}
