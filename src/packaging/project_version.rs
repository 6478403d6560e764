//! Where the version of a project comes from: its pyproject.toml, a file that its build backend reads, or the tags of git. Also knows the
//! file into which a build backend writes a version from git. Nothing is built.

use regex::Regex;
use toml::{Table, Value};

/// How many characters of a template or pattern are considered at most; longer ones are no version settings.
const LONGEST: usize = 10_000;

/// The line `__version__ = "1.0"`, as hatchling searches for it.
const ASSIGNED: &str =
    r#"(?im)^(?:__version__|VERSION)(?: ?: ?str)? *= *(?:"v?(?P<version>[^"\n]+)"|'v?(?P<quoted>[^'\n]+)')"#;

/// The text of a module with a version, in the form of setuptools_scm.
const MODULE: &str = "# Generated from the nearest tag of git.\n__all__ = [\"__version__\", \"__version_tuple__\", \"version\", \
                      \"version_tuple\", \"commit_id\", \"__commit_id__\"]\n\n\
                      version = __version__ = \"{version}\"\nversion_tuple = __version_tuple__ = {version_tuple!r}\n\
                      commit_id = __commit_id__ = None\n";

/// The version before the first tag, as setuptools_scm has it.
const FIRST: &str = "0.0";

/// Where a version comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionSource {
    /// pyproject.toml contains it.
    Written(String),
    /// The first of these files that exists contains it; relative to the directory of the project.
    Files {
        /// The paths.
        paths: Vec<String>,
        /// A regular expression whose group `version` or `quoted` is the version; `None` if the file contains nothing else.
        pattern: Option<String>,
    },
    /// The tags of git.
    Tags(VersionFromTags),
    /// The build backend computes it in another way.
    Unknown,
}

/// A version from the tags of git.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionFromTags {
    /// The file that the build backend writes, relative to the directory of the project.
    pub file: Option<String>,
    /// The content of the file, with `{version}` and `{version_tuple}`.
    pub template: String,
}

impl VersionSource {
    /// What the text of a pyproject.toml says.
    pub fn read(pyproject: &Table) -> VersionSource {
        let project = pyproject.get("project").and_then(Value::as_table);
        let poetry = table(pyproject, &["tool", "poetry"]);
        let is_dynamic = table(pyproject, &["tool", "poetry-dynamic-versioning"])
            .is_some_and(|settings| settings.get("enable").and_then(Value::as_bool) == Some(true));
        let written = project.or(poetry).and_then(|table| table.get("version")).and_then(Value::as_str);
        match written.filter(|_| !is_dynamic) {
            Some(version) => VersionSource::Written(version.to_owned()),
            None if is_dynamic => VersionSource::Tags(VersionFromTags::default()),
            None => [from_hatch, from_scm, from_setuptools, from_pdm, from_others]
                .iter()
                .find_map(|read| read(pyproject))
                .unwrap_or(VersionSource::Unknown),
        }
    }

    /// The version. `read` returns the text of a file of the project, and `tag` the nearest tag of git.
    pub fn find(&self, read: &dyn Fn(&str) -> Option<String>, tag: &dyn Fn() -> Option<String>) -> Option<String> {
        match self {
            VersionSource::Written(version) => Some(version.clone()),
            VersionSource::Files { paths, pattern } => {
                let text = paths.iter().find_map(|path| read(path))?;
                let Some(pattern) = pattern else { return Some(text.trim().to_owned()) };
                let found = Regex::new(pattern).ok()?.captures(&text)?;
                let version = found.name("version").or_else(|| found.name("quoted"))?;
                Some(version.as_str().to_owned())
            }
            VersionSource::Tags(_) => {
                Some(tag().and_then(|tag| version_of_tag(&tag)).unwrap_or_else(|| FIRST.to_owned()))
            }
            VersionSource::Unknown => None,
        }
    }
}

/// The version in a tag such as `v1.0` or `package-1.0`, which setuptools_scm finds in the same way.
fn version_of_tag(tag: &str) -> Option<String> {
    let pattern = Regex::new(r"^(?:[\w-]+-)?[vV]?(?P<version>\d+(?:\.\d+){0,2}[^+]*)(?:\+.*)?$").expect("a constant");
    Some(pattern.captures(tag)?["version"].to_owned())
}

fn from_hatch(pyproject: &Table) -> Option<VersionSource> {
    let settings = table(pyproject, &["tool", "hatch", "version"])?;
    if let Some(path) = text(settings, "path") {
        let pattern = match text(settings, "pattern") {
            Some(pattern) if pattern.contains("(?P<version>") => format!("(?m){pattern}"),
            _ => ASSIGNED.to_owned(),
        };
        return Some(VersionSource::Files { paths: vec![path], pattern: Some(pattern) });
    }
    let hooks = [&["tool", "hatch", "build", "hooks"][..], &["tool", "hatch", "build", "targets", "wheel", "hooks"]];
    let hooks = hooks.iter().filter_map(|path| table(pyproject, path));
    let keys = [("vcs", "version-file"), ("version", "path")];
    let hook = |hooks: &Table| {
        keys.iter().find_map(|(hook, key)| {
            let settings = hooks.get(*hook)?.as_table()?;
            Some(from_tags(text(settings, key), text(settings, "template")))
        })
    };
    let is_git = |source: String| matches!(&*source, "vcs" | "uv-dynamic-versioning" | "versioningit");
    let found = text(settings, "source").is_some_and(is_git);
    found.then(|| hooks.into_iter().find_map(hook).unwrap_or(VersionSource::Tags(VersionFromTags::default())))
}

/// setuptools_scm, and its successors.
fn from_scm(pyproject: &Table) -> Option<VersionSource> {
    if let Some(settings) = table(pyproject, &["tool", "versioningit"]) {
        let file = settings.get("write").and_then(Value::as_table).and_then(|write| text(write, "file"));
        let template = file.as_ref().map(|_| "__version__ = \"{version}\"\n".to_owned());
        return Some(from_tags(file, template));
    }
    let requires = pyproject.get("build-system").and_then(|system| system.get("requires")).and_then(Value::as_array);
    let is_scm = |name: &str| name.starts_with("setuptools_scm") || name.starts_with("setuptools-scm");
    let is_required = requires.into_iter().flatten().filter_map(Value::as_str).any(is_scm);
    let settings = ["setuptools_scm", "setuptools-scm"].iter().find_map(|name| table(pyproject, &["tool", name]));
    let Some(settings) = settings else {
        let other = table(pyproject, &["tool", "setuptools", "dynamic"]).is_some_and(|all| all.contains_key("version"));
        return (is_required && !other).then(|| VersionSource::Tags(VersionFromTags::default()));
    };
    let first = |keys: [&str; 2]| keys.iter().find_map(|key| text(settings, key));
    Some(from_tags(first(["version_file", "write_to"]), first(["version_file_template", "write_to_template"])))
}

fn from_setuptools(pyproject: &Table) -> Option<VersionSource> {
    let version = table(pyproject, &["tool", "setuptools", "dynamic", "version"])?;
    if let Some(attribute) = text(version, "attr") {
        let (module, name) = attribute.rsplit_once('.')?;
        let module = module.replace('.', "/");
        let pattern = format!(
            "(?m)^{}(?: *: *[\\w.]+)? *= *(?:\"(?P<version>[^\"\\n]+)\"|'(?P<quoted>[^'\\n]+)')",
            regex::escape(name)
        );
        return Some(VersionSource::Files { paths: module_files(&module), pattern: Some(pattern) });
    }
    let file = version.get("file")?;
    let path = file.as_str().or_else(|| file.as_array()?.first()?.as_str())?;
    Some(VersionSource::Files { paths: vec![path.to_owned()], pattern: None })
}

fn from_pdm(pyproject: &Table) -> Option<VersionSource> {
    let settings = table(pyproject, &["tool", "pdm", "version"])?;
    match text(settings, "source").as_deref() {
        Some("file") => {
            Some(VersionSource::Files { paths: vec![text(settings, "path")?], pattern: Some(ASSIGNED.to_owned()) })
        }
        Some("scm") => {
            let template = text(settings, "write_template").unwrap_or_else(|| "{}\n".to_owned());
            Some(from_tags(text(settings, "write_to"), Some(template.replace("{}", "{version}"))))
        }
        _ => None,
    }
}

/// Build backends that need no settings for it.
fn from_others(pyproject: &Table) -> Option<VersionSource> {
    let backend = table(pyproject, &["build-system"]).and_then(|system| text(system, "build-backend"))?;
    if backend.starts_with("maturin") {
        let pattern = Some(r#"(?m)^version *= *"(?P<version>[^"\n]+)""#.to_owned());
        return Some(VersionSource::Files { paths: vec!["Cargo.toml".to_owned()], pattern });
    }
    if backend.starts_with("flit") {
        let module = table(pyproject, &["tool", "flit", "module"]).and_then(|module| text(module, "name"));
        let project = || Some(text(pyproject.get("project")?.as_table()?, "name")?.replace('-', "_"));
        let module = module.or_else(project)?.replace('.', "/");
        return Some(VersionSource::Files { paths: module_files(&module), pattern: Some(ASSIGNED.to_owned()) });
    }
    None
}

/// The files that may contain a module, `a/b` for `a.b`.
fn module_files(module: &str) -> Vec<String> {
    ["src/", ""].iter().flat_map(|dir| [format!("{dir}{module}/__init__.py"), format!("{dir}{module}.py")]).collect()
}

fn from_tags(file: Option<String>, template: Option<String>) -> VersionSource {
    let is_module = file.as_deref().is_some_and(|file| file.ends_with(".py") || file.ends_with(".pyi"));
    let usual = if is_module { MODULE } else { "{version}\n" };
    VersionSource::Tags(VersionFromTags { file, template: template.unwrap_or_else(|| usual.to_owned()) })
}

fn table<'t>(root: &'t Table, path: &[&str]) -> Option<&'t Table> {
    path.iter().try_fold(root, |table, key| table.get(*key)?.as_table())
}

fn text(table: &Table, key: &str) -> Option<String> {
    table.get(key)?.as_str().filter(|text| text.len() <= LONGEST).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(pyproject: &str, files: &[(&str, &str)], tag: Option<&str>) -> Option<String> {
        let read = |path: &str| files.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned());
        VersionSource::read(&pyproject.parse().unwrap()).find(&read, &|| tag.map(str::to_owned))
    }

    fn check(pyproject: &str, files: &[(&str, &str)], expected: &str) {
        assert_eq!(version(pyproject, files, None).as_deref(), Some(expected), "{pyproject}");
    }

    #[test]
    fn build_backends_read_versions_from_files() {
        check("[project]\nname = 'a'\nversion = '1.5'\n", &[], "1.5");
        check("[tool.poetry]\nname = 'a'\nversion = '1.6'\n", &[], "1.6");
        let hatch = "[project]\nname = 'a'\ndynamic = ['version']\n[tool.hatch.version]\npath = 'a/about.py'\n";
        check(hatch, &[("a/about.py", "# no version = 1\n__version__: str = 'v2.0'\n")], "2.0");
        let pattern = format!("{hatch}pattern = 'release = \\((?P<version>[^)]+)\\)'\n");
        check(&pattern, &[("a/about.py", "release = (3.0)\n")], "3.0");
        let attribute = "[project]\nname = 'a'\n[tool.setuptools.dynamic]\nversion = {attr = 'a.b.VERSION'}\n";
        check(attribute, &[("src/a/b.py", "VERSION = \"4.0\"\n")], "4.0");
        check(attribute, &[("a/b/__init__.py", "OTHER = '1'\nVERSION: str = '4.1'\n")], "4.1");
        check(
            "[project]\nname = 'a'\n[tool.setuptools.dynamic]\nversion = {file = ['VERSION']}\n",
            &[("VERSION", "5.0\n")],
            "5.0",
        );
        let flit =
            "[build-system]\nbuild-backend = 'flit_core.buildapi'\n[project]\nname = 'my-app'\ndynamic = ['version']\n";
        check(flit, &[("my_app.py", "\"\"\"App.\"\"\"\n__version__ = \"6.0\"\n")], "6.0");
        check(
            "[project]\nname = 'a'\n[tool.pdm.version]\nsource = 'file'\npath = 'v.py'\n",
            &[("v.py", "__version__ = '7.0'")],
            "7.0",
        );
        check(
            "[build-system]\nbuild-backend = 'maturin'\n[project]\nname = 'a'\n",
            &[(
                "Cargo.toml",
                "[package]\nname = \"a\"\nversion = \"8.0\"\n\n[dependencies]\nb = { version = \"1\" }\n",
            )],
            "8.0",
        );
        assert_eq!(version(hatch, &[], None), None);
        assert_eq!(version("[project]\nname = 'a'\n", &[], Some("v1")), None);
    }

    #[test]
    fn tags_give_versions_and_files_with_them() {
        let cases = [
            (
                "[tool.hatch.version]\nsource = 'vcs'\n[tool.hatch.build.hooks.vcs]\nversion-file = 'f.py'\n",
                Some("f.py"),
            ),
            ("[tool.hatch]\nversion.source = 'vcs'\nbuild.hooks.vcs.version-file = 'f.py'\n", Some("f.py")),
            ("[tool.hatch.version]\nsource = 'uv-dynamic-versioning'\n", None),
            ("[tool.setuptools_scm]\nwrite_to = 'f.py'\n", Some("f.py")),
            ("[build-system]\nrequires = ['setuptools', 'setuptools_scm[toml]>=6']\n", None),
            ("[tool.pdm.version]\nsource = 'scm'\nwrite_to = 'f.txt'\n", Some("f.txt")),
            ("[tool.versioningit.write]\nfile = 'f.py'\n", Some("f.py")),
            ("[tool.poetry]\nversion = '0.0.0'\n[tool.poetry-dynamic-versioning]\nenable = true\n", None),
        ];
        for (text, file) in cases {
            let source = VersionSource::read(&text.parse().unwrap());
            let VersionSource::Tags(tags) = &source else { panic!("{text}") };
            assert_eq!(tags.file.as_deref(), file, "{text}");
            assert!(file.is_none() || tags.template.contains("{version"), "{}", tags.template);
            for (tag, expected) in [("v1.2.3", "1.2.3"), ("my-app-2.0rc1", "2.0rc1"), ("3.0+local", "3.0")] {
                assert_eq!(version(text, &[], Some(tag)).as_deref(), Some(expected), "{text}");
            }
            assert_eq!(version(text, &[], None).as_deref(), Some("0.0"), "{text}");
        }
    }
}
