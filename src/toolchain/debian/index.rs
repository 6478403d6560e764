//! The packages of a suite: a parsed `Packages` file. Dependencies are resolved in `closure`.

use std::collections::BTreeMap;

use debversion::Version;

use super::paragraph::{Paragraph, paragraphs};
use crate::toolchain::Error;

/// The packages of a suite, borrowed from the text of the file.
pub(super) struct Index<'t> {
    packages: BTreeMap<&'t str, Package<'t>>,
    /// The packages that provide a virtual package, by its name and in order of preference.
    providers: BTreeMap<&'t str, Vec<Provider<'t>>>,
}

/// A package of the index.
pub(super) struct Package<'t> {
    /// The field `Package`.
    pub name: &'t str,
    /// The field `Version`, which is parsed only for comparisons: see [`Package::version`].
    pub version_text: &'t str,
    fields: Paragraph<'t>,
}

/// A package that provides a virtual package.
pub(super) struct Provider<'t> {
    /// Its name.
    pub package: &'t str,
    /// The provided version. Without one, the package does not satisfy versioned dependencies (deb-control(5)).
    pub version: Option<&'t str>,
}

impl<'t> Index<'t> {
    /// Parses a `Packages` file.
    pub(super) fn parse(text: &'t str) -> Result<Index<'t>, Error> {
        let mut packages: BTreeMap<&str, Package<'_>> = BTreeMap::new();
        for fields in paragraphs(text) {
            let Some(name) = fields.get("Package") else { continue };
            let version_text = fields.get("Version").ok_or_else(|| malformed(name, "Version"))?;
            let package = Package { name, version_text, fields };
            // A suite may have several versions of a package; the highest is used.
            match packages.get(name) {
                Some(other) if other.version()? >= package.version()? => {}
                _ => drop(packages.insert(name, package)),
            }
        }
        let providers = providers(&packages)?;
        Ok(Index { packages, providers })
    }

    /// The package of this name.
    pub(super) fn package(&self, name: &str) -> Option<&Package<'t>> {
        self.packages.get(name)
    }

    /// All packages, sorted by name.
    pub(super) fn packages(&self) -> impl Iterator<Item = &Package<'t>> {
        self.packages.values()
    }

    /// The providers of a virtual package, in order of preference.
    pub(super) fn providers(&self, name: &str) -> &[Provider<'t>] {
        self.providers.get(name).map(Vec::as_slice).unwrap_or_default()
    }
}

impl<'t> Package<'t> {
    /// The parsed version.
    pub(super) fn version(&self) -> Result<Version, Error> {
        self.version_text.parse().map_err(|_| malformed(self.name, "Version"))
    }

    /// The value of a field; empty if it is missing.
    pub(super) fn field(&self, name: &str) -> &'t str {
        self.fields.get(name).unwrap_or_default()
    }

    /// The value of a mandatory field; an error if it is missing or empty.
    pub(super) fn require(&self, name: &'static str) -> Result<&'t str, Error> {
        self.fields.get(name).filter(|value| !value.is_empty()).ok_or_else(|| malformed(self.name, name))
    }

    /// The position of the field `Priority`, from `required` to `optional`.
    fn rank(&self) -> usize {
        const PRIORITIES: [&str; 3] = ["required", "important", "standard"];
        let priority = self.field("Priority");
        PRIORITIES.iter().position(|name| *name == priority).unwrap_or(PRIORITIES.len())
    }
}

/// The error about a field that is missing or invalid.
pub(super) fn malformed(package: &str, field: &str) -> Error {
    Error::Index { why: format!("missing or invalid field `{field}` of package `{package}`") }
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
