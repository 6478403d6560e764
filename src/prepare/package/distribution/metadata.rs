//! The arguments of a generated `setup.py`: those of `python_artifact`, and those that follow from the sources.

use std::collections::{BTreeMap, BTreeSet};

use super::Error;
use super::{entry_points, plugin};
use crate::base::RelPath;
use crate::config::plugins;
use crate::config::typed::{SetupPySettings, VersionScheme};
use crate::inference::closure::Follow;
use crate::inference::constraints::{self, Constraints};
use crate::inference::module_map::module_name;
use crate::inference::ownership::Contents;
use crate::plan::generated_setup::{dotted, source_arguments};
use crate::prepare::package::PackagePlanner;
use crate::session::Session;
use crate::targets::{Target, Value};

/// Arguments of `setup()` that are computed. `install_requires` and so on would contradict the dependencies.
const RESERVED: [&str; 6] =
    ["data_files", "install_requires", "namespace_packages", "package_data", "package_dir", "packages"];

impl PackagePlanner<'_> {
    /// The arguments of `setup()` for a distribution with these sources, relative to their source roots.
    pub(super) fn setup_arguments(
        &self,
        session: &Session,
        target: &Target,
        contents: &Contents<'_>,
        (files, namespaces): (&[RelPath], &BTreeSet<String>),
        constraints: &Constraints,
    ) -> Result<BTreeMap<String, Value>, Error> {
        let mut arguments = self.artifact_arguments(session, target)?;
        let [name, version] = ["name", "version"].map(|key| text_argument(target, &arguments, key));
        check_identity(target, &name?, &version?)?;
        for (name, value) in source_arguments(files, namespaces) {
            arguments.insert(name.to_owned(), value);
        }
        if !arguments.contains_key("python_requires") {
            arguments.insert("python_requires".to_owned(), Value::Str(python_requires(target, constraints)?));
        }
        let knows = |module: &str| self.may_have_module(target, contents, module);
        let entry_points = entry_points::merged(target, &arguments, (self.graph, self.roots), &knows)?;
        if !entry_points.is_empty() {
            arguments.insert("entry_points".to_owned(), entry_points::to_value(&entry_points));
        }
        let requires = self.install_requires(session, contents)?;
        arguments.insert("install_requires".to_owned(), Value::List(requires.into_iter().map(Value::Str).collect()));
        if let Some(path) = target.text("long_description_path") {
            if arguments.contains_key("long_description") {
                return Err(Error::TwoLongDescriptions(target.address.clone()));
            }
            let text = read(session, target, path)?;
            arguments.insert("long_description".to_owned(), Value::Str(text));
        }
        Ok(arguments)
    }

    /// Whether a distribution, or something that it depends on, may have a module. What third-party packages contain is not
    /// known: they may have every module outside the packages of this repository.
    fn may_have_module(&self, target: &Target, contents: &Contents<'_>, module: &str) -> bool {
        let closure = self.closures.compute([&target.address], Follow::All);
        let stripped = |file: &&RelPath| file.strip_prefix(&self.roots.find_for_file(file)?);
        let modules: BTreeSet<String> = closure
            .files
            .iter()
            .filter(|file| matches!(file.extension(), Some("py" | "pyi")))
            .filter_map(|file| Some(module_name(stripped(file)?.as_str())))
            .collect();
        let top = |module: &str| module.split('.').next().unwrap_or_default().to_owned();
        let is_package = |known: &String| known.strip_prefix(module).is_some_and(|rest| rest.starts_with('.'));
        let is_ours = || modules.iter().any(|known| top(known) == top(module));
        modules.contains(module) || modules.iter().any(is_package) || !contents.requirements.is_empty() && !is_ours()
    }

    /// The requirements of what a distribution owns, and the other distributions that it needs, in the chosen form.
    fn install_requires(&self, session: &Session, contents: &Contents<'_>) -> Result<BTreeSet<String>, Error> {
        let mut requires: BTreeSet<String> = contents.requirements.iter().map(|text| text.trim().to_owned()).collect();
        let scheme = SetupPySettings::parse(session.config()).version_scheme;
        for other in &contents.others {
            let Some(target) = self.graph.get(other) else { continue };
            let arguments = self.artifact_arguments(session, target)?;
            let name = text_argument(target, &arguments, "name")?;
            requires.insert(match scheme {
                VersionScheme::Any => name,
                VersionScheme::Exact => format!("{name}=={}", text_argument(target, &arguments, "version")?),
                VersionScheme::Compatible => format!("{name}~={}", text_argument(target, &arguments, "version")?),
            });
        }
        Ok(requires)
    }

    /// The arguments of `python_artifact`, and those that a plugin adds.
    fn artifact_arguments(&self, session: &Session, target: &Target) -> Result<BTreeMap<String, Value>, Error> {
        let artifact = target.object("provides");
        let named = artifact.into_iter().flat_map(|artifact| &artifact.named);
        let mut arguments: BTreeMap<String, Value> = named.map(|(key, value)| (key.clone(), value.clone())).collect();
        if let Some(key) = RESERVED.iter().find(|key| arguments.contains_key(**key)) {
            return Err(Error::Reserved { target: target.address.clone(), key: (*key).to_owned() });
        }
        for artifact in plugins::in_use(session.config()).filter_map(|plugin| plugin.artifact.as_ref()) {
            plugin::apply(session, target, artifact, &mut arguments)?;
        }
        Ok(arguments)
    }
}

/// The text of a file of the repository, given relative to the build root.
pub(super) fn read(session: &Session, target: &Target, file: &str) -> Result<String, Error> {
    let fail = |source| Error::LongDescription { target: target.address.clone(), path: file.into(), source };
    let path = RelPath::parse(file).map_err(|error| fail(std::io::Error::other(error)))?;
    session.context.tracker.read_to_string(&path.to_path(session.build_root())).map_err(fail)
}

/// A text among the arguments. An error if it is missing.
pub(super) fn text_argument(target: &Target, arguments: &BTreeMap<String, Value>, key: &str) -> Result<String, Error> {
    let missing = || Error::Missing { target: target.address.clone(), key: key.to_owned() };
    match arguments.get(key) {
        Some(Value::Str(text)) => Ok(text.clone()),
        Some(Value::Int(number)) => Ok(number.to_string()),
        Some(Value::Float(number)) => Ok(number.to_string()),
        _ => Err(missing()),
    }
}

/// An error unless the name and version are those of a distribution (PEP 508, PEP 440).
fn check_identity(target: &Target, name: &str, version: &str) -> Result<(), Error> {
    let invalid =
        |key, value: &str| Err(Error::Invalid { target: target.address.clone(), key, value: value.to_owned() });
    if name.parse::<uv_normalize::PackageName>().is_err() {
        return invalid("name", name);
    }
    match version.parse::<uv_pep440::Version>() {
        Ok(_) => Ok(()),
        Err(_) => invalid("version", version),
    }
}

/// The interpreter constraints as `python_requires`.
fn python_requires(target: &Target, found: &Constraints) -> Result<String, Error> {
    let mut all = found.iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(String::new()),
        (Some(one), None) => {
            let specifiers = one.find(['<', '>', '=', '!', '~']).map_or("", |start| &one[start..]);
            Ok(specifiers.to_owned())
        }
        _ => Err(Error::Alternatives { target: target.address.clone(), constraints: constraints::to_text(found) }),
    }
}

/// The packages among the sources that declare themselves to be namespaces in the old way, through `pkg_resources`.
/// `text` reads a file, given by its path in the repository.
pub(super) fn namespaces<'f>(
    files: impl IntoIterator<Item = (&'f RelPath, &'f RelPath)>,
    text: &dyn Fn(&RelPath) -> Option<String>,
) -> BTreeSet<String> {
    let inits = files.into_iter().filter(|(installed, _)| installed.file_name() == Some("__init__.py"));
    let declares = |file: &RelPath| text(file).is_some_and(|text| text.contains("declare_namespace(__name__)"));
    inits.filter(|(_, file)| declares(file)).filter_map(|(installed, _)| Some(dotted(&installed.parent()?))).collect()
}
