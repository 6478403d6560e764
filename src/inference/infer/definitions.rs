//! What interface definitions imply: the definitions that they import, and what the code needs that is made of them.

use super::{Found, Inference};
use crate::inference::definition::{Grpc, Language};
use crate::inference::definitions::services;
use crate::inference::numbered::Number;
use crate::inference::owners::requirements;
use crate::targets::Severity;

impl<'a> Inference<'a> {
    pub(super) fn of_definition(&self, found: &mut Found<'a>, number: Number, language: Language) {
        let settings = self.settings;
        let generated = settings.generated(language);
        if generated.imports {
            for (import, owners) in self.definitions.imported(number) {
                let what = format!("imported file `{}`", import.path);
                self.take_one(found, owners.to_vec(), &what, Some(import.line));
            }
        }
        if generated.runtime {
            let services = services(found.target, settings).iter().map(|Grpc { runtime, .. }| *runtime);
            for module in std::iter::once(language.runtime()).chain(services) {
                self.of_runtime(found, module, language.scope());
            }
        }
    }

    /// The requirement that has the module. Without one the code that is made could not be imported.
    fn of_runtime(&self, found: &mut Found<'a>, module: &str, scope: &str) {
        let near = self.roots.of_dir(&found.target.address.dir).filter(|_| self.settings.by_source_root);
        let candidates = requirements(&self.targets, &self.map, module, found.resolve, near.as_ref());
        match candidates[..] {
            [owner] => found.inferred.push(owner),
            [] => {
                let place = match self.settings.enable_resolves {
                    true => format!(" in the resolve `{}`", found.resolve),
                    false => String::new(),
                };
                let message =
                    format!("no requirement{place} has the module `{module}`, which the generated code needs");
                let hint = format!("require it, or set `infer_runtime_dependency = false` in the section `[{scope}]`");
                found.tell(Severity::Error, None, message, Some(hint));
            }
            _ => self.tell_ambiguous(found, Severity::Error, &format!("module `{module}`"), &candidates, None),
        }
    }
}
