//! What entry points imply: those of binaries and distributions, and the extensions that a test asks for. How they are
//! written is `entry_point`'s.

use super::{Found, Inference};
use crate::base::RelPath;
use crate::inference::entry_point;
use crate::inference::owners::{Owners, owners};
use crate::targets::{Severity, Value};

impl<'a> Inference<'a> {
    /// `field` says what the target starts.
    pub(super) fn of_start(&self, found: &mut Found<'a>, field: &str) {
        let Some(written) = found.target.fields.get(field).and_then(Value::as_str) else { return };
        let dir = &found.target.address.dir;
        let Some(module) = entry_point::module(written, dir, self.roots) else { return };
        let near = self.roots.of_dir(dir).filter(|_| self.settings.by_source_root);
        let owners = owners(&self.targets, &self.map, &module.name, Some(found.resolve), near.as_ref());
        let below = module.is_file.then_some(dir);
        self.of_entry_point(found, written, owners, below);
    }

    pub(super) fn of_distribution(&self, found: &mut Found<'a>) {
        let written = entry_point::of_distribution(found.target);
        for written in written.into_iter().filter(|written| !entry_point::is_address(written)) {
            let owners = owners(&self.targets, &self.map, entry_point::module_part(&written), None, None);
            self.of_entry_point(found, &written, owners, None);
        }
    }

    /// The modules that any distribution offers in the namespaces that a test asks for.
    pub(super) fn of_extensions(&self, found: &mut Found<'a>) {
        let wanted = found.target.fields.get("stevedore_namespaces").map(Value::strings).unwrap_or_default();
        for written in wanted.into_iter().filter_map(|namespace| self.extensions.get(namespace)).flatten() {
            let owners = owners(&self.targets, &self.map, entry_point::module_part(written), None, None);
            self.of_entry_point(found, written, owners, None);
        }
    }

    /// `below`: the owner is known to be declared in this folder or above it.
    fn of_entry_point(&self, found: &mut Found<'a>, written: &str, owners: Owners, below: Option<&RelPath>) {
        match owners {
            Owners::None => {}
            Owners::Known(owners) => found.inferred.extend(owners),
            Owners::Ambiguous(candidates) if candidates.iter().any(|candidate| found.includes.contains(candidate)) => {}
            Owners::Ambiguous(mut candidates) => {
                candidates.retain(|candidate| {
                    let dir = &self.targets.get(*candidate).address.dir;
                    !found.excludes.contains(candidate) && below.is_none_or(|below| below.starts_with(dir))
                });
                match candidates[..] {
                    [owner] => found.inferred.push(owner),
                    _ => self.tell_ambiguous(
                        found,
                        Severity::Warning,
                        &format!("entry point `{written}`"),
                        &candidates,
                        None,
                    ),
                }
            }
        }
    }
}
