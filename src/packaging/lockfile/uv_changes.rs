//! Which projects two versions of a `uv.lock` differ for: a project depends on its locked packages and on what these depend on. What
//! changed in the projects themselves is not compared.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

/// The name of the lockfile.
pub const FILE_NAME: &str = "uv.lock";

/// A lockfile as two versions of it are compared.
struct Packages {
    /// By name: what decides about the installation of each locked version.
    contents: BTreeMap<String, Vec<Value>>,
    /// By name: the names that the package depends on, with any extra and group.
    edges: BTreeMap<String, BTreeSet<String>>,
    /// The names of the projects of the repository.
    projects: BTreeSet<String>,
    /// The names that the dependency groups of the root have. All projects see them.
    shared: BTreeSet<String>,
    /// The versions of Python that all projects support.
    python: Option<Value>,
}

/// The projects of the new version with a dependency that changed, each with the first such dependency by name; the dependency groups of
/// the root count for all. `None` if all projects are concerned: the supported versions of Python differ, or one of the texts is no
/// lockfile of uv.
pub fn changed_projects(old: &str, new: &str) -> Option<BTreeMap<String, String>> {
    let (old, new) = (Packages::parse(old)?, Packages::parse(new)?);
    if old.python != new.python {
        return None;
    }
    let is_changed =
        |name: &&String| !new.projects.contains(*name) && old.contents.get(*name) != new.contents.get(*name);
    let changed: BTreeSet<&String> = new.contents.keys().filter(is_changed).collect();
    let projects = new.projects.iter().filter_map(|project| {
        let seen = new.reachable(std::iter::once(project).chain(&new.shared));
        let found = seen.into_iter().find(|name| changed.contains(name))?;
        Some((project.clone(), found.clone()))
    });
    Some(projects.collect())
}

impl Packages {
    fn parse(text: &str) -> Option<Packages> {
        let table: Table = text.parse().ok()?;
        let mut packages = Packages {
            contents: BTreeMap::new(),
            edges: BTreeMap::new(),
            projects: BTreeSet::new(),
            shared: groups(table.get("manifest").and_then(|manifest| manifest.get("dependency-groups"))).collect(),
            python: table.get("requires-python").cloned(),
        };
        // A lockfile without packages has no such key.
        table.get("requires-python").or(table.get("package"))?;
        for package in table.get("package").and_then(Value::as_array).into_iter().flatten() {
            let name = package.get("name")?.as_str()?.to_owned();
            let source = package.get("source")?;
            if ["editable", "virtual", "directory"].iter().any(|kind| source.get(*kind).is_some()) {
                packages.projects.insert(name.clone());
                if source.as_table().is_some_and(|table| table.values().any(|dir| dir.as_str() == Some("."))) {
                    packages.shared.extend(groups(package.get("dev-dependencies")));
                }
            }
            packages.edges.entry(name.clone()).or_default().extend(dependencies(package));
            packages.contents.entry(name).or_default().push(content(package));
        }
        Some(packages)
    }

    /// What these projects and packages depend on and these packages, without what other projects depend on.
    fn reachable<'a>(&'a self, names: impl Iterator<Item = &'a String>) -> BTreeSet<&'a String> {
        let mut pending: Vec<&String> = names.collect();
        let mut found: BTreeSet<&String> = pending.iter().copied().collect();
        while let Some(name) = pending.pop() {
            let next = self.edges.get(name).into_iter().flatten().filter(|name| !self.projects.contains(*name));
            pending.extend(next.filter(|name| found.insert(*name)));
        }
        found
    }
}

fn dependencies(package: &Value) -> impl Iterator<Item = String> {
    let named = ["optional-dependencies", "dev-dependencies"].into_iter().flat_map(|key| groups(package.get(key)));
    package.get("dependencies").into_iter().flat_map(names).chain(named)
}

/// The names in a table of lists.
fn groups(table: Option<&Value>) -> impl Iterator<Item = String> {
    table.and_then(Value::as_table).into_iter().flat_map(Table::values).flat_map(names)
}

fn names(list: &Value) -> impl Iterator<Item = String> {
    let entries = list.as_array().into_iter().flatten();
    entries.filter_map(|entry| entry.get("name")?.as_str()).map(str::to_owned)
}

/// Without sizes and times of files: revisions of the format differ in them.
fn content(package: &Value) -> Value {
    let hash = |file: &Value| file.get("hash").cloned();
    let wheels = package.get("wheels").and_then(Value::as_array).into_iter().flatten();
    let files: Vec<Value> = package.get("sdist").into_iter().chain(wheels).filter_map(hash).collect();
    let keys = ["version", "source", "dependencies", "optional-dependencies", "resolution-markers"];
    let fields = keys.into_iter().filter_map(|key| Some((key.to_owned(), package.get(key)?.clone())));
    Value::Table(fields.chain([("files".to_owned(), Value::Array(files))]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(shared: &str, deep: &str) -> String {
        let project = |name: &str, rest: &str| {
            format!("[[package]]\nname = \"{name}\"\nsource = {{ editable = \"{name}\" }}\n{rest}\n")
        };
        let package = |name: &str, version: &str, rest: &str| {
            format!(
                "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = {{ registry = \"r\" }}\n{rest}\n"
            )
        };
        [
            "version = 1\nrequires-python = \">=3.9\"\n".to_owned(),
            project(
                "app",
                "dependencies = [{ name = \"lib\" }]\n[package.dev-dependencies]\ndev = [{ name = \"top\" }]",
            ),
            project("lib", "dependencies = [{ name = \"shared\", extra = [\"x\"] }]"),
            project("other", ""),
            package("deep", deep, &format!("wheels = [{{ hash = \"sha256:{deep}\", upload-time = \"now\" }}]")),
            package("shared", shared, ""),
            package("top", "1", "[package.optional-dependencies]\nx = [{ name = \"deep\" }]"),
        ]
        .concat()
    }

    fn check(old: &str, new: &str, expected: &[(&str, &str)]) {
        let found = changed_projects(old, new).unwrap();
        assert_eq!(found.iter().map(|(one, other)| (&**one, &**other)).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_changed_package_concerns_the_projects_that_depend_on_it() {
        let old = lock("1", "1");
        check(&old, &old.replace("upload-time = \"now\"", "size = 3"), &[]);
        check(&old, &lock("2", "1"), &[("lib", "shared")]);
        check(&old, &lock("1", "2"), &[("app", "deep")]);
        check(&old, &old.replace("sha256:1", "sha256:2"), &[("app", "deep")]);
        check(&lock("1", "1").replace("\"lib\" }]", "\"lib\" }, { name = \"gone\" }]"), &old, &[]);
    }

    #[test]
    fn a_changed_package_in_a_group_of_the_root_concerns_all_projects() {
        let all = [("app", "deep"), ("lib", "deep"), ("other", "deep")];
        let groups = "[manifest.dependency-groups]\ndev = [{ name = \"top\" }]\n";
        check(&(lock("1", "1") + groups), &(lock("1", "2") + groups), &all);
        let root = |text: String| text.replace("editable = \"app\"", "virtual = \".\"");
        check(&root(lock("1", "1")), &root(lock("1", "2")), &all);
        let pytest = "[[package]]\nname = \"pytest\"\nversion = \"9\"\nsource = { registry = \"r\" }\n";
        let added = lock("1", "1") + "[manifest.dependency-groups]\ndev = [{ name = \"pytest\" }]\n" + pytest;
        check(&lock("1", "1"), &added, &[("app", "pytest"), ("lib", "pytest"), ("other", "pytest")]);
    }

    #[test]
    fn other_texts_are_not_compared() {
        let python = |version: &str| lock("1", "1").replace("3.9", version);
        assert_eq!(changed_projects(&python("3.9"), &python("3.10")), None);
        assert_eq!(changed_projects("[[packages]]", &lock("1", "1")), None);
        assert_eq!(changed_projects("<<<<<<< HEAD", &lock("1", "1")), None);
    }
}
