//! The members of a repository: its projects, which files belong to each, and which other members each requires. Imports between
//! members are in `inference`.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use crate::base::RelPath;
use crate::base::glob::Globs;
use crate::targets::Files;
use crate::targets::requirements::{at, leading_name, normalized};

/// The files that make a directory a project.
const PROJECT_FILES: [&str; 2] = ["pyproject.toml", "setup.py"];

/// The usual names of directories with tests and their data.
const DATA_DIRS: [&str; 4] = ["fixtures", "test", "testdata", "tests"];

/// A member of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The directory of the project.
    pub dir: RelPath,
    /// The name of the project as it is written; without one, its directory.
    pub name: String,
    /// The normalized names of the distributions that it requires to run, to be built, in its extras and in its groups.
    pub requires: BTreeSet<String>,
}

impl Member {
    /// The name as lockfiles write it.
    pub fn normalized_name(&self) -> String {
        normalized(&self.name)
    }
}

/// All members of a repository.
#[derive(Clone, Debug, Default)]
pub struct Workspace {
    /// Sorted by directory.
    members: Vec<Member>,
}

impl Workspace {
    /// Finds the members: those of the uv workspace that the root declares, or else all projects. `read` returns the text of a file.
    pub fn find(files: &Files, read: &dyn Fn(&RelPath) -> Option<String>) -> Workspace {
        let mut workspace = Workspace::all_projects(files, read);
        if let Some(globs) = declared_members(read) {
            workspace.members.retain(|member| member.dir.is_root() || globs.matches(member.dir.as_str()));
        }
        workspace
    }

    /// Finds every project: a directory with a `setup.py`, or with a `pyproject.toml` that names a project or a build backend. Others
    /// contain only settings of tools. A project within a directory of tests is data, unless the uv workspace of the root contains it.
    /// `read` returns the text of a file.
    pub fn all_projects(files: &Files, read: &dyn Fn(&RelPath) -> Option<String>) -> Workspace {
        let marked = files.iter().filter(|file| file.file_name().is_some_and(|name| PROJECT_FILES.contains(&name)));
        let declared = declared_members(read);
        let is_declared = |dir: &RelPath| declared.as_ref().is_some_and(|globs| globs.matches(dir.as_str()));
        let dirs = marked.filter_map(RelPath::parent).filter(|dir| !is_below_tests(dir) || is_declared(dir));
        let dirs: BTreeSet<RelPath> = dirs.collect();
        let pyproject = |dir: &RelPath| -> Table {
            let text = dir.push(PROJECT_FILES[0]).ok().and_then(|file| read(&file)).unwrap_or_default();
            // Tools report the errors of a file that cannot be parsed.
            text.parse().unwrap_or_default()
        };
        let members = dirs.iter().filter_map(|dir| {
            let table = pyproject(dir);
            let is_built = || {
                table.contains_key("build-system") || dir.push(PROJECT_FILES[1]).is_ok_and(|file| files.contains(&file))
            };
            let name = match project_names(&table).next() {
                Some(name) => name.to_owned(),
                None if is_built() => path_of(dir).to_owned(),
                None => return None,
            };
            Some(Member { dir: dir.clone(), name, requires: requires(&table) })
        });
        Workspace { members: members.collect() }
    }

    /// All members, sorted by directory.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The index of the member that a file belongs to: the one in the nearest directory above it.
    pub fn owner(&self, file: &RelPath) -> Option<usize> {
        file.ancestors().find_map(|dir| self.in_dir(&dir))
    }

    /// The index of the member in a directory.
    pub fn in_dir(&self, dir: &RelPath) -> Option<usize> {
        self.members.binary_search_by(|member| member.dir.cmp(dir)).ok()
    }

    /// What each member requires, directly and through others, by index.
    pub fn required(&self) -> Vec<BTreeSet<usize>> {
        let edges = self.edges();
        let required = |member: usize| {
            let (mut found, mut pending) = (BTreeSet::new(), vec![member]);
            while let Some(next) = pending.pop() {
                pending.extend(edges[next].iter().copied().filter(|required| found.insert(*required)));
            }
            found.remove(&member);
            found
        };
        (0..edges.len()).map(required).collect()
    }

    /// The members that each member requires itself, by index.
    pub fn edges(&self) -> Vec<BTreeSet<usize>> {
        let by_name: BTreeMap<String, usize> =
            self.members.iter().enumerate().map(|(index, member)| (member.normalized_name(), index)).collect();
        let required = |(index, member): (usize, &Member)| -> BTreeSet<usize> {
            let found = member.requires.iter().filter_map(|name| by_name.get(name).copied());
            found.filter(|found| *found != index).collect()
        };
        self.members.iter().enumerate().map(required).collect()
    }
}

/// Whether a path is within a directory that usually contains tests and their data.
pub fn is_below_tests(path: &RelPath) -> bool {
    path.ancestors().any(|above| above.file_name().is_some_and(|name| DATA_DIRS.contains(&name)))
}

/// How the directory of a member is written: `.` for the root.
pub fn path_of(dir: &RelPath) -> &str {
    if dir.is_root() { "." } else { dir.as_str() }
}

/// The directories of the members of the uv workspace that the root declares, as globs; `None` if it declares none.
fn declared_members(read: &dyn Fn(&RelPath) -> Option<String>) -> Option<Globs> {
    let table: Table = read(&RelPath::parse(PROJECT_FILES[0]).ok()?)?.parse().ok()?;
    let workspace = at(&table, &["tool", "uv", "workspace"])?;
    let texts =
        |key: &str| workspace.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let clean = |glob: &str| glob.trim_start_matches("./").trim_end_matches('/').to_owned();
    let excluded = texts("exclude").map(|glob| format!("!{}", clean(glob)));
    let globs: Vec<String> = texts("members").map(clean).chain(excluded).collect();
    Globs::compile(globs.iter().map(String::as_str)).ok()
}

/// The names that a `pyproject.toml` gives its project, as they are written.
pub(super) fn project_names(table: &Table) -> impl Iterator<Item = &str> {
    [&["project", "name"][..], &["tool", "poetry", "name"]].into_iter().filter_map(|path| at(table, path)?.as_str())
}

/// Where lists of requirements are.
const LISTS: [&[&str]; 3] =
    [&["project", "dependencies"], &["build-system", "requires"], &["tool", "uv", "dev-dependencies"]];

/// Where tables of lists of requirements are.
const TABLES: [&[&str]; 2] = [&["project", "optional-dependencies"], &["dependency-groups"]];

fn requires(table: &Table) -> BTreeSet<String> {
    let tables = TABLES.iter().filter_map(|path| at(table, path)?.as_table()).flat_map(Table::values);
    let lists = LISTS.iter().filter_map(|path| at(table, path)).chain(tables);
    let texts = lists.filter_map(Value::as_array).flatten().filter_map(Value::as_str);
    let mut names: BTreeSet<String> =
        texts.filter_map(|text| leading_name(text.trim_start())).map(normalized).collect();
    let poetry = |path: &[&str]| at(table, path).and_then(Value::as_table);
    let groups = poetry(&["tool", "poetry", "group"]).into_iter().flat_map(Table::values);
    let groups = groups.filter_map(|group| group.get("dependencies")?.as_table());
    let own = ["dependencies", "dev-dependencies"].into_iter().filter_map(|key| poetry(&["tool", "poetry", key]));
    names.extend(own.chain(groups).flat_map(Table::keys).map(|name| normalized(name)));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(files: &[(&str, &str)]) -> Workspace {
        let path = |text: &str| RelPath::parse(text).unwrap();
        let all = Files::from_paths(files.iter().map(|(name, _)| path(name)).collect());
        Workspace::find(&all, &|file| {
            files.iter().find(|(name, _)| *name == file.as_str()).map(|(_, text)| (*text).to_owned())
        })
    }

    fn check(files: &[(&str, &str)], expected: &[(&str, &str)]) {
        let found = find(files);
        let members: Vec<_> = found.members().iter().map(|member| (path_of(&member.dir), &*member.name)).collect();
        assert_eq!(members, expected);
    }

    #[test]
    fn members_are_those_of_the_uv_workspace_or_all_projects() {
        let files = [("a/pyproject.toml", "[project]\nname = 'A.A'"), ("b/setup.py", ""), ("c/x.py", "")];
        check(&files, &[("a", "A.A"), ("b", "b")]);
        let root = "[tool.uv.workspace]\nmembers = ['./libs/*/']\nexclude = ['libs/old']\n";
        let files = [
            ("pyproject.toml", root),
            ("libs/a/pyproject.toml", "[tool.poetry]\nname = 'a'"),
            ("libs/old/pyproject.toml", ""),
            ("tests/data/pyproject.toml", ""),
        ];
        check(&files, &[("libs/a", "a")]);
        check(&[("pyproject.toml", "[tool.ruff]"), ("tests/pyproject.toml", "[tool.pytest.ini_options]")], &[]);
        let named = format!("[project]\nname = 'root'\n{root}");
        check(&[("pyproject.toml", &named), files[1]], &[(".", "root"), ("libs/a", "a")]);
    }

    #[test]
    fn a_project_within_a_directory_of_tests_is_data_unless_it_is_declared() {
        let named = |name: &str| format!("[project]\nname = '{name}'\n");
        let (root, data, own) = (named("root"), named("data"), named("own"));
        let files =
            [("pyproject.toml", &*root), ("tests/pyproject.toml", &*own), ("tests/data/pyproject.toml", &*data)];
        check(&files, &[(".", "root"), ("tests", "own")]);
        let declared = format!("{root}[tool.uv.workspace]\nmembers = ['tests/data']\n");
        check(&[("pyproject.toml", &*declared), files[1], files[2]], &[(".", "root"), ("tests/data", "data")]);
    }

    #[test]
    fn a_file_belongs_to_the_nearest_member() {
        let found = find(&[("setup.py", ""), ("a/pyproject.toml", "[build-system]"), ("a/b/setup.py", "")]);
        let owner = |file: &str| found.owner(&RelPath::parse(file).unwrap()).map(|index| &*found.members()[index].name);
        assert_eq!(["x/y.py", "a/y.py", "a/b/c/y.py"].map(owner), [Some("."), Some("a"), Some("a/b")]);
        assert_eq!(find(&[("a/setup.py", "")]).owner(&RelPath::parse("b/c.py").unwrap()), None);
    }

    #[test]
    fn requirements_of_every_kind_name_other_members() {
        let app = "[build-system]\nrequires = ['Back_End>=1']\n[project]\nname = 'app'\ndependencies = ['lib.a[x]; python_version > \"3\"', 'app[x]']\n\
                   [project.optional-dependencies]\nx = ['lib-b ~= 1']\n[dependency-groups]\ndev = ['lib-c', {include-group = 'y'}]\n\
                   [tool.poetry.group.docs.dependencies]\nlib_d = '*'\n";
        let names = ["back-end", "lib-a", "lib-b", "lib-c", "lib-d", "lib-e"];
        let others = names.map(|name| (format!("{name}/pyproject.toml"), format!("[project]\nname = '{name}'")));
        let mut files = vec![("app/pyproject.toml", app)];
        files.extend(others.iter().map(|(file, text)| (&**file, &**text)));
        assert_eq!(find(&files).edges()[0], BTreeSet::from([1, 2, 3, 4, 5]));
    }
}
