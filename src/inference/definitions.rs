//! All interface definitions of a repository by their targets: who owns the file that one imports, and which modules each
//! gives. What a single file says stands in `definition`.

use rustc_hash::FxHashMap;

use crate::base::RelPath;
use crate::inference::definition::{Definition, Grpc, Import, Language};
use crate::inference::numbered::{Number, Numbered};
use crate::inference::settings::Settings;
use crate::inference::source_root::SourceRoots;
use crate::targets::{Target, Value};

/// Empty, and nothing is read for it, in a repository that has none.
#[derive(Debug, Default)]
pub struct Definitions {
    of: FxHashMap<Number, Placed>,
    /// By the path below its source root.
    owners: FxHashMap<(Language, String), Vec<Number>>,
}

#[derive(Debug)]
struct Placed {
    language: Language,
    stripped: String,
    definition: Definition,
}

impl Definitions {
    /// A file that cannot be read, or is below no source root, says nothing.
    pub fn read(
        targets: &Numbered<'_>,
        roots: &SourceRoots,
        texts: &(dyn Fn(&RelPath) -> Option<String> + Sync),
    ) -> Definitions {
        let mut definitions = Definitions::default();
        for (number, target) in targets.iter() {
            let (Some(language), Some(file)) = (Language::of(target), target.sources.first()) else { continue };
            let stripped = roots.of_file(file).and_then(|root| file.strip_prefix(&root));
            let (Some(stripped), Some(text)) = (stripped, texts(file)) else { continue };
            let stripped = stripped.to_string();
            definitions.owners.entry((language, stripped.clone())).or_default().push(number);
            let definition = Definition::parse(language, &text);
            definitions.of.insert(number, Placed { language, stripped, definition });
        }
        definitions
    }

    /// The files that a definition imports, each with all who own it; those that nobody owns are left out.
    pub fn imported(&self, number: Number) -> impl Iterator<Item = (&Import, &[Number])> {
        self.of.get(&number).into_iter().flat_map(|Placed { language, definition, .. }| {
            let owners = |import: &Import| self.owners.get(&(*language, import.path.clone()));
            definition.imports.iter().filter_map(move |import| Some((import, owners(import)?.as_slice())))
        })
    }

    /// The Python modules that are made of a target's definition.
    pub fn modules(&self, number: Number, target: &Target, settings: &Settings) -> Vec<String> {
        let Some(Placed { language, stripped, definition }) = self.of.get(&number) else { return Vec::new() };
        match settings.generated(*language).python {
            true => definition.modules(*language, stripped, services(target, settings)),
            false => Vec::new(),
        }
    }
}

/// The services that a protocol buffer is made into: none unless it says `grpc=True`.
pub fn services<'s>(target: &Target, settings: &'s Settings) -> &'s [Grpc] {
    match target.fields.get("grpc").and_then(Value::as_bool) {
        Some(true) => &settings.grpc,
        _ => &[],
    }
}
