//! What a project of the repository sees: the packages that it declares itself, that the projects and packages which it depends on
//! require, and the dependency groups of the root.

use std::collections::{BTreeMap, BTreeSet};

use uv_normalize::{ExtraName, PackageName};

use super::{ArtifactChoice, Error, LockTraversal, NoFile, SelectedPackage, choose_files};
use crate::base::RelPath;
use crate::packaging::environment::Environment;
use crate::packaging::lockfile::projects::{LockedProject, Part, encode};
use crate::packaging::lockfile::{Lock, Package};
use crate::packaging::requirement::Requirement;

/// The extras of a project that its own tests have.
const TEST_EXTRAS: [&str; 4] = ["dev", "test", "testing", "tests"];

/// Whether an extra or group of this name is for tests.
pub fn is_for_tests(name: &str) -> bool {
    TEST_EXTRAS.contains(&name) || name.starts_with("test")
}

/// The groups that are chosen first where groups exclude each other.
const FIRST_GROUPS: [&str; 3] = ["dev", "test", "tests"];

/// The requirements of a project's tests, and the parts of projects that are active.
struct Scope {
    roots: Vec<Requirement>,
    active: BTreeSet<ExtraName>,
}

/// The packages of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectPackages {
    /// What is installed.
    pub packages: Vec<SelectedPackage>,
    /// What cannot be installed, and is left out because only groups or extras of the project require it and nothing imports it.
    pub left_out: Vec<NoFile>,
    /// The packages that only groups or extras of the project require, if some come from version control, which may be out of reach.
    pub optional: BTreeSet<PackageName>,
}

/// Selects the packages of the project in `dir`: with its groups and those of the root, and with its extras for tests. Also selects
/// `tool`, and those of the requirements `imported` whose package the project sees.
pub fn resolve_project(
    lock: &Lock,
    dir: &RelPath,
    tool: Option<&Requirement>,
    imported: &[Requirement],
    environment: &Environment,
) -> Result<ProjectPackages, Error> {
    let Some(project) = lock.projects.in_dir(dir) else { return Ok(ProjectPackages::default()) };
    let seen = visible(lock, project);
    let imported: Vec<&Requirement> =
        tool.into_iter().chain(imported.iter().filter(|requirement| seen.contains(&requirement.name))).collect();
    let Scope { roots, active } = scope(lock, project);
    let all = traverse(lock, project, &roots, &imported, &active, environment)?;
    let (packages, missing) = choose_files(&all);
    let is_git = |package: &SelectedPackage| matches!(package.artifact, ArtifactChoice::Git(_));
    if missing.is_empty() && !packages.iter().any(is_git) {
        return Ok(ProjectPackages { packages, ..ProjectPackages::default() });
    }
    let needed = traverse(lock, project, &project.requires, &imported, &active, environment)?;
    let is_needed = |missing: &NoFile| !missing.is_local || needed.selected.contains_key(&missing.name);
    let (missing, left_out): (Vec<NoFile>, Vec<NoFile>) = missing.into_iter().partition(is_needed);
    if !missing.is_empty() {
        return Err(Error::NoFile(missing));
    }
    let optional = packages.iter().filter(|package| !needed.selected.contains_key(&package.name));
    let optional = optional.map(|package| package.name.clone()).collect();
    Ok(ProjectPackages { packages, left_out, optional })
}

/// Follows the requirements of a project and what its code imports.
fn traverse<'a>(
    lock: &'a Lock,
    project: &LockedProject,
    roots: &[Requirement],
    imported: &[&Requirement],
    active: &BTreeSet<ExtraName>,
    environment: &'a Environment,
) -> Result<LockTraversal<'a>, Error> {
    let mut active = active.clone();
    loop {
        let mut traversal = LockTraversal::new(lock, environment)?;
        traversal.active = active.iter().cloned().collect();
        for requirement in roots {
            traversal.require(requirement, &[], project.name.as_ref())?;
        }
        for requirement in imported {
            traversal.require(requirement, &[], None)?;
        }
        traversal.follow_edges()?;
        // Extras of projects become active only when something requires them.
        let found: BTreeSet<ExtraName> = traversal.activated.difference(&active).cloned().collect();
        if lock.projects.conflicts.is_empty() || found.is_empty() {
            return Ok(traversal);
        }
        active.extend(found);
    }
}

/// The names of the packages that a project may import: those that it may have with any of its extras and groups, in any environment, and
/// those that the root requires.
pub fn visible(lock: &Lock, project: &LockedProject) -> BTreeSet<PackageName> {
    // A root that requires members is an environment for all of them.
    let of_root = lock.projects.in_dir(&RelPath::root()).into_iter().flat_map(|root| &root.requires);
    reached(lock, installed(lock, project).chain(of_root))
}

/// The names of the packages that a project may have with any of its extras and groups, in any environment, whether or not its code
/// imports them.
pub fn declared(lock: &Lock, project: &LockedProject) -> BTreeSet<PackageName> {
    reached(lock, installed(lock, project))
}

/// What a project requires itself, and the groups of the root.
fn installed<'a>(lock: &'a Lock, project: &'a LockedProject) -> impl Iterator<Item = &'a Requirement> {
    let root = lock.projects.in_dir(&RelPath::root());
    let groups = std::iter::once(project).chain(root).flat_map(|project| project.groups.values().flatten());
    project.requires.iter().chain(groups)
}

/// The names of the packages that these requirements lead to, in any environment.
fn reached<'a>(lock: &'a Lock, requirements: impl Iterator<Item = &'a Requirement>) -> BTreeSet<PackageName> {
    let mut packages: BTreeMap<&PackageName, Vec<&Package>> = BTreeMap::new();
    for package in &lock.packages {
        packages.entry(&package.name).or_default().push(package);
    }
    let mut pending: Vec<(&PackageName, Option<&ExtraName>)> = requirements.flat_map(nodes).collect();
    let mut seen: BTreeSet<(&PackageName, Option<&ExtraName>)> = BTreeSet::new();
    while let Some((name, extra)) = pending.pop() {
        if !seen.insert((name, extra)) {
            continue;
        }
        let extras: Vec<ExtraName> = extra.into_iter().cloned().collect();
        let entries = packages.get(name).into_iter().flatten().flat_map(|package| &package.requires);
        let of_project = lock.projects.named(name).into_iter().flat_map(|project| &project.requires);
        for requirement in entries.chain(of_project) {
            if !lock.projects.conflicts.is_empty() || requirement.marker.evaluate_optional_environment(None, &extras) {
                pending.extend(nodes(requirement));
            }
        }
    }
    seen.into_iter().map(|(name, _)| name.clone()).collect()
}

/// A package without and with each of the required extras.
fn nodes(requirement: &Requirement) -> impl Iterator<Item = (&PackageName, Option<&ExtraName>)> {
    std::iter::once(None).chain(requirement.extras.iter().map(Some)).map(|extra| (&requirement.name, extra))
}

fn scope(lock: &Lock, project: &LockedProject) -> Scope {
    let name = project.name.as_ref().map_or("", |name| name.as_ref());
    let mut active: BTreeSet<ExtraName> = encode(name, Part::Project).into_iter().collect();
    let mut roots = project.requires.clone();
    let own_extras: Vec<ExtraName> =
        TEST_EXTRAS.iter().filter_map(|extra| ExtraName::from_owned((*extra).to_owned()).ok()).collect();
    let mut enabled = Vec::new();
    for extra in own_extras {
        let is_used = project.requires.iter().any(|required| {
            let has = |extras: &[ExtraName]| required.marker.evaluate_optional_environment(None, extras);
            has(std::slice::from_ref(&extra)) && !has(&[])
        });
        let Some(part) = encode(name, Part::Extra(extra.as_ref())).filter(|_| is_used) else { continue };
        if lock.projects.is_compatible(&part, &active) {
            active.insert(part);
            enabled.push(extra);
        }
    }
    // The markers of enabled extras hold for all that follows: they are removed.
    for requirement in &mut roots {
        requirement.marker = requirement.marker.simplify_extras(&enabled);
    }
    let root = lock.projects.in_dir(&RelPath::root()).filter(|root| root.dir != project.dir);
    for project in std::iter::once(project).chain(root) {
        let name = project.name.as_ref().map_or("", |name| name.as_ref());
        let mut groups: Vec<&String> = project.groups.keys().collect();
        groups.sort_by_key(|group| FIRST_GROUPS.iter().position(|first| first == group).unwrap_or(FIRST_GROUPS.len()));
        for group in groups {
            let Some(part) = encode(name, Part::Group(group)) else { continue };
            if lock.projects.is_compatible(&part, &active) {
                active.insert(part);
                roots.extend(project.groups[group].iter().cloned());
            }
        }
    }
    Scope { roots, active }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packaging::lockfile;
    use crate::packaging::requirement::parse;

    const HASH: &str = "sha256:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";

    fn package(name: &str, version: &str, rest: &str) -> String {
        let file = format!("{}-{version}-py3-none-any.whl", name.replace('-', "_"));
        let wheel = format!("{{ url = \"https://example.invalid/{file}\", hash = \"{HASH}\" }}");
        format!(
            "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = {{ registry = \"r\" }}\nwheels = [{wheel}]\n{rest}\n"
        )
    }

    fn project(name: &str, rest: &str) -> String {
        let dir = if name == "root" { "." } else { name };
        format!("[[package]]\nname = \"{name}\"\nversion = \"1\"\nsource = {{ editable = \"{dir}\" }}\n{rest}\n")
    }

    fn lock(parts: &[String]) -> Lock {
        let text = format!("version = 1\nrequires-python = \">=3.9\"\n{}", parts.concat());
        lockfile::parse("uv.lock", &text, None).expect("lock")
    }

    fn names(lock: &Lock, dir: &str, imported: &[&str]) -> Result<Vec<String>, String> {
        let imported: Vec<Requirement> = imported.iter().map(|text| parse(text).unwrap()).collect();
        let environment = Environment::linux_x86_64("3.12.1", (2, 36)).unwrap();
        let (dir, tool) = (RelPath::root().resolve(dir).unwrap(), parse("pytest").unwrap());
        let found = resolve_project(lock, &dir, Some(&tool), &imported, &environment);
        let found = found.map_err(|error| error.to_string())?;
        Ok(found.packages.iter().map(|package| format!("{} {}", package.name, package.version)).collect())
    }

    fn workspace() -> Lock {
        lock(&[
            project("root", "[package.dev-dependencies]\ndev = [{ name = \"root-tool\" }]"),
            project(
                "app",
                "dependencies = [{ name = \"lib\", extra = [\"fast\"] }]\n[package.optional-dependencies]\ntest = [{ name = \"mock\" }]\nmore = [{ name = \"big\" }]",
            ),
            project(
                "lib",
                "dependencies = [{ name = \"six\" }]\n[package.optional-dependencies]\nfast = [{ name = \"speed\" }]\n[package.dev-dependencies]\ndev = [{ name = \"lib-tool\" }]",
            ),
            project("other", "dependencies = [{ name = \"only-other\" }, { name = \"from-git\" }]"),
            "[[package]]\nname = \"from-git\"\nversion = \"1\"\nsource = { git = \"https://example.invalid/g#0a\" }\n"
                .to_owned(),
            ["big", "lib-tool", "mock", "only-other", "pytest", "root-tool", "six", "speed"]
                .map(|name| package(name, "1", ""))
                .concat(),
        ])
    }

    #[test]
    fn a_project_sees_what_it_and_its_dependencies_declare_and_the_groups_of_the_root() {
        let lock = workspace();
        let of_app = ["mock 1", "pytest 1", "root-tool 1", "six 1", "speed 1"].map(str::to_owned);
        assert_eq!(names(&lock, "app", &["only-other"]), Ok(of_app.to_vec()));
        assert!(names(&lock, "app", &["big"]).unwrap().contains(&"big 1".to_owned()), "an import of its own extra");
        let of_lib = ["lib-tool 1", "pytest 1", "root-tool 1", "six 1"].map(str::to_owned);
        assert_eq!(names(&lock, "lib", &["mock"]), Ok(of_lib.to_vec()));
        assert_eq!(names(&lock, ".", &[]), Ok(vec!["pytest 1".into(), "root-tool 1".into()]));
    }

    #[test]
    fn a_package_without_files_concerns_only_the_projects_that_require_it() {
        let error = names(&workspace(), "other", &[]).unwrap_err();
        assert!(
            error.starts_with("uv.lock:") && error.contains("`from-git` 1 is installed from version control"),
            "{error}"
        );
    }

    #[test]
    fn a_package_without_files_is_left_out_where_only_a_group_requires_it() {
        let from_git =
            "[[package]]\nname = \"g\"\nversion = \"1\"\nsource = { git = \"https://example.invalid/g#0a\" }\n";
        let app = project("app", "[package.dev-dependencies]\ndev = [{ name = \"g\" }]");
        let lock = lock(&[app, from_git.to_owned(), package("pytest", "1", "")]);
        assert_eq!(names(&lock, "app", &[]), Ok(vec!["pytest 1".into()]));
        assert!(names(&lock, "app", &["g"]).is_err(), "an import needs it");
    }

    #[test]
    fn parts_that_exclude_each_other_have_their_own_versions() {
        let edge =
            |version: &str, marker: &str| format!("{{ name = \"x\", version = \"{version}\", marker = \"{marker}\" }}");
        let one = format!("dependencies = [{}]", edge("1", "extra == 'project-3-one'"));
        let two = format!("dependencies = [{}]", edge("2", "extra == 'project-3-two'"));
        let groups = format!(
            "[package.dev-dependencies]\nalpha = [{}]\ndev = [{}]",
            edge("1", "extra == 'group-4-root-alpha'"),
            edge("2", "extra == 'group-4-root-dev'")
        );
        let conflicts = "conflicts = [[{ package = \"one\" }, { package = \"two\" }], [{ package = \"root\", group = \"alpha\" }, { package = \"root\", group = \"dev\" }]]\n";
        let parts = [
            conflicts.to_owned(),
            project("one", &one),
            project("two", &two),
            package("pytest", "1", ""),
            package("x", "1", ""),
            package("x", "2", ""),
        ];
        let with = |text: &str| vec!["pytest 1".to_owned(), text.to_owned()];
        assert_eq!(names(&lock(&parts), "one", &["x"]), Ok(with("x 1")));
        assert_eq!(names(&lock(&parts), "two", &["x"]), Ok(with("x 2")));
        let of_root = [&parts[..], &[project("root", &groups)]].concat();
        assert_eq!(names(&lock(&of_root), ".", &[]), Ok(with("x 2")), "`dev` comes first");
    }

    #[test]
    fn a_root_without_a_project_has_groups() {
        let lock = lock(&[
            "[manifest.dependency-groups]\ndev = [{ name = \"root-tool\", specifier = \">=1\" }]\n".to_owned(),
            project("app", ""),
            package("pytest", "1", ""),
            package("root-tool", "1", ""),
        ]);
        assert_eq!(names(&lock, "app", &[]), Ok(vec!["pytest 1".into(), "root-tool 1".into()]));
        assert_eq!(lock.roots.len(), 1);
    }
}
