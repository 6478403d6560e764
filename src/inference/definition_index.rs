//! All interface definitions of a repository, by target: the owners of imported files, and the modules generated from
//! each definition. Parsing is done in `interface_definition`.

use rustc_hash::FxHashMap;

use crate::base::RelPath;
use crate::inference::interface_definition::{Definition, GrpcPlugin, Import, Language};
use crate::inference::settings::InferenceSettings;
use crate::inference::source_root::SourceRoots;
use crate::inference::target_index::{TargetId, TargetIndex};
use crate::targets::Target;

/// The parsed interface definitions of a repository.
#[derive(Debug, Default)]
pub struct DefinitionIndex {
    by_target: FxHashMap<TargetId, LocatedDefinition>,
    /// By path relative to the source root.
    owners: FxHashMap<(Language, String), Vec<TargetId>>,
}

#[derive(Debug)]
struct LocatedDefinition {
    language: Language,
    /// Relative to the source root.
    path: String,
    definition: Definition,
}

impl DefinitionIndex {
    /// Reads and parses the interface definitions among `targets`. Files that cannot be read or have no source root are
    /// skipped.
    pub fn read(
        targets: &TargetIndex<'_>,
        roots: &SourceRoots,
        texts: &(dyn Fn(&RelPath) -> Option<String> + Sync),
    ) -> DefinitionIndex {
        let mut definitions = DefinitionIndex::default();
        for (id, target) in targets.iter() {
            let (Some(language), Some(file)) = (Language::from_target(target), target.sources.first()) else {
                continue;
            };
            let path = roots.find_for_file(file).and_then(|root| file.strip_prefix(&root));
            let (Some(path), Some(text)) = (path, texts(file)) else { continue };
            let path = path.to_string();
            definitions.owners.entry((language, path.clone())).or_default().push(id);
            let definition = Definition::parse(language, &text);
            definitions.by_target.insert(id, LocatedDefinition { language, path, definition });
        }
        definitions
    }

    /// The imports of a target's definition, each with its owners. Imports without an owner are omitted.
    pub fn imported(&self, id: TargetId) -> impl Iterator<Item = (&Import, &[TargetId])> {
        self.by_target.get(&id).into_iter().flat_map(|LocatedDefinition { language, definition, .. }| {
            let owners = |import: &Import| self.owners.get(&(*language, import.path.clone()));
            definition.imports.iter().filter_map(move |import| Some((import, owners(import)?.as_slice())))
        })
    }

    /// The Python modules generated from a target's definition; none if Python code generation is disabled.
    pub fn modules(&self, id: TargetId, target: &Target, settings: &InferenceSettings) -> Vec<String> {
        let Some(LocatedDefinition { language, path, definition }) = self.by_target.get(&id) else { return Vec::new() };
        match settings.codegen(*language).python {
            true => definition.modules(*language, path, grpc_plugins(target, settings)),
            false => Vec::new(),
        }
    }
}

/// The gRPC plugins that apply to a target: none unless it sets `grpc=True`.
pub(super) fn grpc_plugins<'s>(target: &Target, settings: &'s InferenceSettings) -> &'s [GrpcPlugin] {
    match target.flag("grpc") {
        Some(true) => &settings.grpc,
        _ => &[],
    }
}
