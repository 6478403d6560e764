//! The validation of one declaration: unknown fields, values of the wrong type, missing fields, invalid requirements.
//! The types themselves are in `kind` and `field_types`.

use super::Generation;
use crate::base::text::{self, Place};
use crate::build_file::{self, Diagnostic, GROUP_PREFIX, Source, Value};
use crate::targets::defaults::Fields;
use crate::targets::field_types::{self, Mismatch};
use crate::targets::kind::Kind;
use crate::targets::requirements;

impl Generation<'_> {
    /// Reports unknown fields and values of the wrong type. Unknown fields are only a warning, since a newer Pants or a
    /// plugin may define them.
    pub(super) fn check_fields(&mut self, kind: &Kind, fields: &Fields) {
        let unknown = fields.keys().filter(|field| !field.starts_with(GROUP_PREFIX) && !kind.takes(field));
        for field in unknown {
            let name = format!("`{field}` of `{}`", kind.name);
            let warning = Diagnostic::unknown(self.build_file, self.place_of(&[field]), "field", &name);
            self.diagnostics.push(warning.did_you_mean(text::nearest(field, kind.field_names())));
        }
        self.check_requirements(kind, fields);
        let findings = field_types::check_fields(kind, fields);
        self.has_wrong_types = !findings.mismatches.is_empty();
        for Mismatch { message, hint, path } in findings.mismatches {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            let error = Diagnostic::error(self.build_file, self.place_of(&path), message);
            self.diagnostics.push(Diagnostic { hint, ..error });
        }
        let generated = Kind::find(kind.generates).unwrap_or(kind);
        for (key, field) in findings.unknown {
            let name = format!("`{field}` of `{}`, in `overrides` of `{key}`", generated.name);
            let place = self.place_of(&["overrides", &key, &field]);
            let warning = Diagnostic::unknown(self.build_file, place, "field", &name);
            self.diagnostics.push(warning.did_you_mean(text::nearest(&field, generated.field_names())));
        }
    }

    /// Reports invalid requirements.
    fn check_requirements(&mut self, kind: &Kind, fields: &Fields) {
        if !matches!(kind.name, "python_requirement" | "python_requirement_library") {
            return;
        }
        for text in fields.get("requirements").map(Value::strings).unwrap_or_default() {
            if let Err(why) = requirements::requirement(text.trim()) {
                let place = self.place_of(&["requirements", text]);
                self.diagnostics.push(Diagnostic::error(self.build_file, place, why));
            }
        }
    }

    /// Reports required fields that neither the declaration nor `__defaults__` sets.
    pub(super) fn check_required_fields(&mut self, kind: &Kind, fields: &Fields) {
        let source = Some(kind.source_field()).filter(|_| !kind.open_ended && kind.default_sources.is_empty());
        let is_in_group = |name: &str| {
            let groups = fields.iter().filter(|(field, _)| field.starts_with(GROUP_PREFIX));
            groups
                .filter_map(|(_, group)| group.as_object())
                .any(|group| group.named.iter().any(|(set, _)| set == name))
        };
        for required in source.into_iter().filter(|field| !field.is_empty()).chain(kind.required_fields()) {
            if fields.get(required).is_none_or(|set| *set == Value::None) && !is_in_group(required) {
                self.error(format!("a `{}` needs the field `{required}`", kind.name));
            }
        }
    }

    /// The position of a part of the declaration; that of the whole declaration if the file does not contain the part.
    pub(super) fn place_of(&self, path: &[&str]) -> Place {
        let text = self.context.tracker.read(&self.build_file.to_path(self.context.root)).ok();
        let source = text.and_then(|text| Source::parse_bytes(self.build_file, text).ok());
        source.and_then(|source| build_file::locate(&source, self.place, path)).unwrap_or(self.place)
    }
}
