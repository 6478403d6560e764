//! Infers the dependencies of interface definitions: the definitions that they import, and the runtime libraries that
//! the generated code imports. Parsing is done in `interface_definition`.

use super::{Collected, Inference};
use crate::inference::definition_index::grpc_plugins;
use crate::inference::interface_definition::Language;
use crate::inference::owners::requirements;
use crate::inference::target_index::TargetId;
use crate::targets::Severity;

impl<'a> Inference<'a> {
    pub(super) fn infer_definition(&self, collected: &mut Collected<'a>, id: TargetId, language: Language) {
        let settings = self.settings;
        let codegen = settings.codegen(language);
        if codegen.infer_imports {
            for (import, owners) in self.definitions.imported(id) {
                let what = format!("imported file `{}`", import.path);
                self.add_unambiguous(collected, owners.to_vec(), &what, Some(import.line));
            }
        }
        if codegen.infer_runtime {
            let plugins = grpc_plugins(collected.target, settings).iter().map(|plugin| plugin.runtime);
            for module in std::iter::once(language.runtime()).chain(plugins) {
                self.infer_runtime(collected, module, language.scope());
            }
        }
    }

    /// Adds the requirement that provides a runtime module. A missing one is an error: the generated code could not be
    /// imported.
    fn infer_runtime(&self, collected: &mut Collected<'a>, module: &str, scope: &str) {
        let near = self.roots.find_for_dir(&collected.target.address.dir).filter(|_| self.settings.by_source_root);
        let candidates = requirements(&self.targets, &self.map, module, collected.resolve, near.as_ref());
        match candidates[..] {
            [owner] => collected.inferred.push(owner),
            [] => {
                let place = match self.settings.enable_resolves {
                    true => format!(" in the resolve `{}`", collected.resolve),
                    false => String::new(),
                };
                let message =
                    format!("no requirement{place} provides the module `{module}` that the generated code imports");
                let hint = format!(
                    "add a requirement that provides it, or set `infer_runtime_dependency = false` in `[{scope}]`"
                );
                collected.report(Severity::Error, None, message, Some(hint));
            }
            _ => self.report_ambiguous(collected, Severity::Error, &format!("module `{module}`"), &candidates, None),
        }
    }
}
