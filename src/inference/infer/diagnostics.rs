//! The diagnostics of inference: ambiguous and unowned imports. Which of them apply is decided in `infer`.

use super::{Collected, Inference};
use crate::base::RelPath;
use crate::base::text::Place;
use crate::inference::explicit::resolve_explicit;
use crate::inference::owners::{Owners, owners};
use crate::inference::settings::UnownedBehavior;
use crate::inference::target_index::TargetId;
use crate::targets::{Diagnostic, Severity};

impl Collected<'_> {
    /// Adds a diagnostic about a line of the target's source, or about the target's declaration if `line` is `None`.
    pub(super) fn report(&mut self, severity: Severity, line: Option<u32>, message: String, hint: Option<String>) {
        let source = self.target.sources.first().zip(line);
        let (file, place) = match source {
            Some((source, line)) => (source, Place { line: line as usize, column: 1 }),
            None => (&self.target.build_file, self.target.place),
        };
        let diagnostic = Diagnostic { severity, hint, ..Diagnostic::error(file, place, message) };
        self.diagnostics.push(diagnostic);
    }
}

impl<'a> Inference<'a> {
    /// Reports that several targets provide `what`, for example "module `a.b`".
    pub(super) fn report_ambiguous(
        &self,
        collected: &mut Collected<'a>,
        severity: Severity,
        what: &str,
        candidates: &[TargetId],
        line: Option<u32>,
    ) {
        let names: Vec<String> = candidates.iter().map(|id| format!("`{}`", self.targets.get(*id).address)).collect();
        let message = format!("{what} is ambiguous: provided by {}; no dependency is inferred", names.join(", "));
        let hint = "add the right one to `dependencies`, or exclude the others with `!`";
        collected.report(severity, line, message, Some(hint.to_owned()));
    }

    /// Reports the files of a `relocated_files` target that are not below its `src`.
    pub(super) fn check_relocated_files(&self, collected: &mut Collected<'a>) {
        let target = collected.target;
        let text = |field: &str| target.text(field).unwrap_or_default();
        let Ok(from) = RelPath::root().resolve(text("src")) else { return };
        let originals = resolve_explicit(&self.targets, target, self.settings).special;
        let files = originals.iter().flat_map(|id| &self.targets.get(*id).sources);
        let outside: Vec<String> =
            files.filter(|file| !file.starts_with(&from)).map(|file| format!("`{file}`")).collect();
        if !outside.is_empty() {
            let message = format!(
                "`{}` moves files below `{from}`; these are not below it and are left out: {}",
                target.address,
                outside.join(", ")
            );
            collected.report(Severity::Warning, None, message, None);
        }
    }

    /// Reports all unowned imports of a target in one message, because one missing requirement often explains many.
    pub(super) fn report_unowned(&self, collected: &mut Collected<'a>, unowned: &[(u32, String)]) {
        let Some(severity) = self.unowned_severity() else { return };
        let (message, line) = match unowned {
            [] => return,
            [(line, module)] => (format!("no target provides the imported module `{module}`"), *line),
            [(line, _), ..] => {
                let modules: Vec<String> =
                    unowned.iter().map(|(line, module)| format!("`{module}` (line {line})")).collect();
                (format!("no target provides the imported modules {}", modules.join(", ")), *line)
            }
        };
        let provides =
            |resolve: &str, module: &str| owners(&self.targets, &self.map, module, Some(resolve), None) != Owners::None;
        let resolves = self.map.resolves().map(|(name, _)| name).filter(|name| *name != collected.resolve);
        let elsewhere: Vec<String> = resolves
            .flat_map(|resolve| unowned.iter().map(move |(_, module)| (resolve, module)))
            .filter(|(resolve, module)| provides(resolve, module))
            .map(|(resolve, module)| format!("`{module}` is in the resolve `{resolve}`"))
            .collect();
        let hint = match elsewhere.is_empty() {
            true => "declare a target or requirement that provides it, or add `# pants: no-infer-dep` to the line"
                .to_owned(),
            false => format!("the target uses the resolve `{}`; {}", collected.resolve, elsewhere.join(", ")),
        };
        collected.report(severity, Some(line), message, Some(hint));
    }

    /// The severity of unowned imports; `None` if they are not reported.
    pub(super) fn unowned_severity(&self) -> Option<Severity> {
        match self.settings.unowned {
            UnownedBehavior::Ignore => None,
            UnownedBehavior::Warn => Some(Severity::Warning),
            UnownedBehavior::Error => Some(Severity::Error),
        }
    }
}
