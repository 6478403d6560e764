//! The targets whose files do not exist in the repository: outputs of commands, code from interface definitions, downloads and moved
//! files. What their files are for other targets, and where Python imports them from. How they are made is planned in
//! `prepare::generate`.

use std::collections::BTreeSet;

use crate::base::RelPath;
use crate::base::glob::{self, Globs};
use crate::inference::definition_index::grpc_plugins;
use crate::inference::interface_definition::{Definition, Language};
use crate::inference::module_map::is_python_source;
use crate::inference::settings::InferenceSettings;
use crate::inference::source_root::SourceRoots;
use crate::targets::dependencies::explicit_in_field;
use crate::targets::kind;
use crate::targets::{CommandOutputs, Target, TargetGraph};

/// What the files of a generating target are for the targets that depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generated {
    /// Python modules and their stubs.
    Python,
    /// Files below a source root, which packages contain.
    Resource,
    /// Files that keep their paths and belong to no package.
    File,
}

/// Limit on targets that pass on each other's files; a cycle ends there.
const MAX_DEPTH: usize = 16;

/// What the files of a target are; `None` if it generates no files that Python targets can use.
pub fn generated(graph: &TargetGraph, target: &Target, settings: &InferenceSettings) -> Option<Generated> {
    generated_at(graph, target, settings, 0)
}

fn generated_at(graph: &TargetGraph, target: &Target, settings: &InferenceSettings, depth: usize) -> Option<Generated> {
    let is_download = || target.object("source").is_some();
    match target.kind.as_str() {
        "adhoc_tool" | "shell_command" | "experimental_shell_command" => Some(Generated::File),
        "experimental_wrap_as_python_sources" => Some(Generated::Python),
        "experimental_wrap_as_resources" => Some(Generated::Resource),
        "relocated_files" if depth < MAX_DEPTH => {
            let mut originals = originals(graph, target, "files_targets").into_iter();
            let is_generated = |original: &Target| generated_at(graph, original, settings, depth + 1).is_some();
            originals.any(is_generated).then_some(Generated::File)
        }
        kind::VCS_VERSION => Some(Generated::Python),
        "file" => is_download().then_some(Generated::File),
        "resource" => is_download().then_some(Generated::Resource),
        _ if is_python_source(target) => is_download().then_some(Generated::Python),
        _ => {
            let language = Language::from_target(target)?;
            settings.codegen(language).python.then_some(Generated::Python)
        }
    }
}

/// The targets that a field names, with generators replaced by the targets that they generate. Errors in the field are reported by
/// inference.
pub fn originals<'g>(graph: &'g TargetGraph, target: &Target, field: &str) -> Vec<&'g Target> {
    explicit_in_field(graph, target, field).include.iter().filter_map(|address| graph.get(address)).collect()
}

/// The source roots that the generated files of a target are imported from.
pub fn import_roots(graph: &TargetGraph, target: &Target, roots: &SourceRoots) -> BTreeSet<RelPath> {
    let root_of_file = |file: &RelPath| roots.find_for_file(file);
    match target.kind.as_str() {
        kind::VCS_VERSION => {
            let file = target.text("generate_to").and_then(|path| RelPath::parse(path).ok());
            file.as_ref().and_then(root_of_file).into_iter().collect()
        }
        kind::PROTOBUF_SOURCE if target.is_set("python_source_root") => {
            target.text("python_source_root").and_then(|root| RelPath::parse(root).ok()).into_iter().collect()
        }
        "experimental_wrap_as_python_sources" | "experimental_wrap_as_resources" => {
            let inputs = originals(graph, target, "inputs");
            inputs
                .iter()
                .flat_map(|input| declared_paths(graph, input, 0))
                .filter_map(|path| root_of_file(&path))
                .collect()
        }
        _ => match target.sources.first() {
            Some(source) => root_of_file(source).into_iter().collect(),
            None => roots.find_for_dir(&target.address.dir).into_iter().collect(),
        },
    }
}

/// The files that a target will generate, relative to the build root, as far as packages need to know them: all modules of Python and
/// all resources, but not the stubs and services that lie beside them. `None` if they are not known before they are generated. `text`
/// reads an interface definition.
pub fn predicted_files(
    graph: &TargetGraph,
    target: &Target,
    roots: &SourceRoots,
    settings: &InferenceSettings,
    text: &dyn Fn(&RelPath) -> Option<String>,
) -> Option<Vec<RelPath>> {
    if let Some(language) = Language::from_target(target) {
        let file = target.sources.first()?;
        let own_root = roots.find_for_file(file)?;
        let below = file.strip_prefix(&own_root)?;
        let modules =
            Definition::parse(language, &text(file)?).modules(language, below.as_str(), grpc_plugins(target, settings));
        let root = import_roots(graph, target, roots).pop_first()?;
        let path = |module: &String| root.push(&format!("{}.py", module.replace('.', "/").replace('-', "_"))).ok();
        return modules.iter().map(path).collect();
    }
    match target.kind.as_str() {
        kind::VCS_VERSION => Some(vec![RelPath::parse(target.text("generate_to")?).ok()?]),
        kind if kind.starts_with("experimental_wrap_as_") => {
            let inputs = originals(graph, target, "inputs");
            let files: Vec<RelPath> = inputs.iter().flat_map(|input| declared_paths(graph, input, 0)).collect();
            let is_unknown = |file: &RelPath| file.file_name() == Some(UNKNOWN);
            let outputs = target.strings("outputs");
            if !outputs.is_empty() && outputs.iter().all(|output| glob::is_literal(output)) {
                return outputs.iter().map(|output| RelPath::parse(output).ok()).collect();
            }
            let globs = Globs::compile(outputs.iter().copied()).ok()?;
            let is_python = |file: &RelPath| matches!(file.extension(), Some("py" | "pyi"));
            let is_selected = |file: &RelPath| match outputs.is_empty() {
                true => kind != "experimental_wrap_as_python_sources" || is_python(file),
                false => globs.matches(file.as_str()),
            };
            (!files.iter().any(is_unknown)).then(|| files.into_iter().filter(is_selected).collect())
        }
        _ => None,
    }
}

/// Stands for the unknown files of a directory.
const UNKNOWN: &str = "<unknown>";

/// The files of a target, as far as they are known without generating them: a file below each directory of outputs stands for its
/// contents.
fn declared_paths(graph: &TargetGraph, target: &Target, depth: usize) -> Vec<RelPath> {
    let below = |dir: RelPath| dir.push(UNKNOWN).ok();
    match target.kind.as_str() {
        "adhoc_tool" | "shell_command" | "experimental_shell_command" => {
            let outputs = CommandOutputs::parse(target);
            let Ok(CommandOutputs { outputs, .. }) = outputs else { return Vec::new() };
            outputs
                .into_iter()
                .filter_map(|output| if output.is_directory { below(output.to) } else { Some(output.to) })
                .collect()
        }
        "relocated_files" => {
            let to = RelPath::root().resolve(target.text("dest").unwrap_or_default());
            to.ok().and_then(below).into_iter().collect()
        }
        kind if kind.starts_with("experimental_wrap_as_") && depth < MAX_DEPTH => {
            let inputs = originals(graph, target, "inputs");
            inputs.iter().flat_map(|input| declared_paths(graph, input, depth + 1)).collect()
        }
        _ if target.object("source").is_some() => below(target.address.dir.clone()).into_iter().collect(),
        _ => target.sources.clone(),
    }
}
