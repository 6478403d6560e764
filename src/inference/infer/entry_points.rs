//! Infers dependencies from entry points: those of binaries and distributions, and the stevedore extensions that tests
//! use. The syntax of entry points is handled in `entry_point`.

use super::{Collected, Inference};
use crate::base::RelPath;
use crate::inference::entry_point::{self, Entry};
use crate::inference::owners::{Owners, owners};
use crate::targets::{Severity, dependencies};

impl<'a> Inference<'a> {
    /// `field` is the name of the field that holds the entry point.
    pub(super) fn infer_entry_point_field(&self, collected: &mut Collected<'a>, field: &str) {
        let Some(written) = collected.target.text(field) else { return };
        let dir = &collected.target.address.dir;
        let Some(module) = entry_point::parse_module(written, dir, self.roots) else { return };
        let near = self.roots.find_for_dir(dir).filter(|_| self.settings.by_source_root);
        let owners = owners(&self.targets, &self.map, &module.name, Some(collected.resolve), near.as_ref());
        let below = module.is_file.then_some(dir);
        self.infer_entry_point(collected, written, owners, below);
    }

    pub(super) fn infer_distribution(&self, collected: &mut Collected<'a>) {
        let written = entry_point::distribution_entry_points(collected.target);
        for written in written.filter(|written| !entry_point::is_address(written)) {
            let owners = owners(&self.targets, &self.map, entry_point::module_part(written), None, None);
            self.infer_entry_point(collected, written, owners, None);
        }
    }

    /// Adds the modules that distributions register in the stevedore namespaces of a test.
    pub(super) fn infer_extensions(&self, collected: &mut Collected<'a>) {
        let namespaces = collected.target.strings("stevedore_namespaces");
        for written in namespaces.into_iter().filter_map(|namespace| self.extensions.get(namespace)).flatten() {
            let owners = owners(&self.targets, &self.map, entry_point::module_part(written), None, None);
            self.infer_entry_point(collected, written, owners, None);
        }
    }

    /// Adds the modules of the entry points that a test requests with the field `entry_point_dependencies`.
    pub(super) fn infer_requested_entry_points(&self, collected: &mut Collected<'a>) {
        let graph = self.targets.graph;
        for (distribution, requested) in collected.target.entries("entry_point_dependencies") {
            // Planning the test reports an address without a target.
            let named = dependencies::resolve(graph, collected.target, distribution.as_str().unwrap_or_default())
                .unwrap_or_default();
            let distributions = named.iter().filter_map(|address| graph.get(address));
            let entries = distributions.flat_map(|target| entry_point::requested_entries(target, &requested.strings()));
            for Entry { written, .. } in entries.filter(|entry| !entry_point::is_address(&entry.written)) {
                let owners = owners(&self.targets, &self.map, entry_point::module_part(&written), None, None);
                self.infer_entry_point(collected, &written, owners, None);
            }
        }
    }

    /// `below`: if given, the owner must be declared in this directory or an ancestor of it.
    fn infer_entry_point(&self, collected: &mut Collected<'a>, written: &str, owners: Owners, below: Option<&RelPath>) {
        match owners {
            Owners::None => {}
            Owners::Known(owners) => collected.inferred.extend(owners),
            Owners::Ambiguous(candidates)
                if candidates.iter().any(|candidate| collected.includes.contains(candidate)) => {}
            Owners::Ambiguous(mut candidates) => {
                candidates.retain(|candidate| {
                    let dir = &self.targets.get(*candidate).address.dir;
                    !collected.excludes.contains(candidate) && below.is_none_or(|below| below.starts_with(dir))
                });
                match candidates[..] {
                    [owner] => collected.inferred.push(owner),
                    _ => self.report_ambiguous(
                        collected,
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
