//! The source files of one declaration: resolves its globs and reports those that match no file.

use super::Generation;
use crate::base::RelPath;
use crate::base::glob;
use crate::build_file::{Diagnostic, Topic, Value};
use crate::targets::defaults::Fields;
use crate::targets::kind::{GenerateFrom, Kind, Sources};

const OUTSIDE: &str = "links out of the repository are not followed";
const IGNORED: &str = "`.gitignore` or `[GLOBAL].pants_ignore` excludes it";

impl Generation<'_> {
    pub(super) fn sources(&mut self, kind: &Kind, fields: &Fields, dir: &RelPath) -> Vec<RelPath> {
        match (kind.sources, fields.get("source"), fields.get("sources")) {
            (Sources::None, ..) => Vec::new(),
            (Sources::One, Some(Value::Str(source)), _) => self.one_source(source, dir),
            // The field `instructions` replaces the Dockerfile.
            (Sources::One, Some(Value::None), _) if kind.name == "docker_image" => Vec::new(),
            (Sources::One, None | Some(Value::None), _) => {
                let default = kind.default_sources.first().and_then(|name| dir.push(name).ok());
                let required = kind.generates_from == GenerateFrom::Requirement;
                match default {
                    Some(file) if self.context.files.contains(&file) => vec![file],
                    Some(file) if required => {
                        self.error(format!("there is no file `{file}`"));
                        Vec::new()
                    }
                    _ => Vec::new(),
                }
            }
            // `http_source(…)` and other objects are files outside this repository.
            (Sources::One, Some(_), _) => Vec::new(),
            (Sources::Many, _, Some(sources @ (Value::List(_) | Value::Tuple(_)))) => {
                let globs = sources.strings();
                self.check_source_globs(&globs);
                let found = self.glob(&globs, dir);
                self.report_outside_links(&globs, dir);
                self.report_unmatched_sources(&globs, &found, dir);
                found
            }
            (Sources::Many, _, None | Some(Value::None)) => self.glob(kind.default_sources, dir),
            // A value of the wrong type, which is reported: the default would own files that nobody meant.
            (Sources::Many, _, Some(_)) => Vec::new(),
        }
    }

    pub(super) fn resolve_unknown_sources(&mut self, fields: &Fields, dir: &RelPath) -> Vec<RelPath> {
        match (fields.get("source"), fields.get("sources")) {
            (Some(Value::Str(source)), _) => {
                dir.resolve(source).into_iter().filter(|file| self.context.files.contains(file)).collect()
            }
            (_, Some(sources)) => self.glob(&sources.strings(), dir),
            _ => Vec::new(),
        }
    }

    fn one_source(&mut self, source: &str, dir: &RelPath) -> Vec<RelPath> {
        match dir.push(source) {
            Ok(file) if self.context.files.contains(&file) => return vec![file],
            Ok(file) if self.context.files.outside_links.contains(&file) => {
                self.report_unmatched_glob(format!("`{file}`: {OUTSIDE}"));
            }
            Ok(file) if self.is_ignored(&file) => self.report_unmatched_glob(format!("`{file}`: {IGNORED}")),
            Ok(file) => self.report_unmatched_glob(format!("there is no file `{file}`")),
            Err(error) => self.error(error.to_string()),
        }
        Vec::new()
    }

    /// Refuses globs that cannot match below the directory of the BUILD file.
    fn check_source_globs(&mut self, globs: &[&str]) {
        for glob in globs.iter().filter(|glob| !glob.starts_with('!')) {
            let leaves = glob.starts_with('/') || glob.split('/').any(|part| part == "..");
            if leaves || glob.is_empty() {
                let message = format!("`sources` has the invalid glob `{glob}`: it must be relative and without `..`");
                let place = self.place_of(&["sources", glob]);
                self.diagnostics.push(Diagnostic::error(self.build_file, place, message));
            }
        }
    }

    fn glob(&mut self, globs: &[&str], dir: &RelPath) -> Vec<RelPath> {
        match self.context.globs.get(globs, dir.is_root()) {
            Ok(compiled) => self.context.files.matching(dir, &compiled),
            Err(error) => {
                self.error(error.to_string());
                Vec::new()
            }
        }
    }

    /// Whether a file that is not in the list exists on disk, which means that it is ignored.
    fn is_ignored(&self, file: &RelPath) -> bool {
        self.context.tracker.is_file(&file.to_path(self.context.root))
    }

    /// Reports links out of the repository that globs match. They are not sources: only files of the repository are inputs.
    fn report_outside_links(&mut self, globs: &[&str], dir: &RelPath) {
        let Ok(compiled) = self.context.globs.get(globs, dir.is_root()) else { return };
        let is_matched =
            |link: &RelPath| link.strip_prefix(dir).is_some_and(|inside| compiled.matches(inside.as_str()));
        // A link that a name matches is reported with the other names that match no file.
        let is_named = |link: &RelPath| globs.iter().any(|glob| dir.push(glob).is_ok_and(|file| file == *link));
        let links = self.context.files.outside_links.iter();
        let matched: Vec<String> =
            links.filter(|link| is_matched(link) && !is_named(link)).map(|link| format!("`{link}`")).collect();
        if !matched.is_empty() {
            let message = format!("`sources` matches {}, but {OUTSIDE}", matched.join(", "));
            let warning = Diagnostic::warning(self.build_file, self.place, message);
            self.diagnostics.push(warning.hint("replace the link by the file, or exclude it with `!`"));
        }
    }

    /// Reports files in `sources` that do not exist, and globs if no file matches any of them.
    fn report_unmatched_sources(&mut self, globs: &[&str], found: &[RelPath], dir: &RelPath) {
        let literals = globs.iter().filter(|glob| glob::is_literal(glob) && !glob.starts_with('!'));
        let missing: Vec<&str> = literals
            .filter(|name| dir.push(name).is_ok_and(|file| !self.context.files.contains(&file)))
            .copied()
            .collect();
        for name in missing {
            let why = match dir.push(name) {
                Ok(file) if self.context.files.outside_links.contains(&file) => OUTSIDE,
                Ok(file) if self.is_ignored(&file) => IGNORED,
                _ => "there is no such file",
            };
            self.report_unmatched_glob(format!("`sources` names `{name}`, but {why} in `{dir}`"));
        }
        if found.is_empty() && globs.iter().any(|glob| !glob::is_literal(glob)) {
            self.report_unmatched_glob(format!("`sources` matches no file in `{dir}`: {}", globs.join(", ")));
        }
    }

    /// Reports unmatched sources with the severity of `[GLOBAL] unmatched_build_file_globs`.
    pub(super) fn report_unmatched_glob(&mut self, message: String) {
        if let Some(severity) = self.context.settings.unmatched_glob_severity {
            let found = Diagnostic::error(self.build_file, self.place, message);
            self.diagnostics.push(Diagnostic { severity, topic: Topic::Unmatched, ..found });
        }
    }
}
