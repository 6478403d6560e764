//! Expands one declaration to its targets: parametrizations, and the targets that generators generate. The only files
//! read here are files of requirements. Source globs are in `sources`, the validation of fields is in `checks`.

mod checks;
mod sources;
mod variant;

use std::collections::BTreeMap;
use std::path::Path;

use self::variant::Variant;
use crate::base::RelPath;
use crate::base::glob::Glob;
use crate::base::text::Place;
use crate::build_file::{Diagnostic, TargetDecl, Topic, Value};
use crate::targets::defaults::{Defaults, Fields};
use crate::targets::first_party::Surroundings;
use crate::targets::globs::GlobCache;
use crate::targets::kind::{GenerateFrom, Kind};
use crate::targets::parametrize::{self, Parameters};
use crate::targets::requirements::{self, Requirement, normalized};
use crate::targets::settings::LoadSettings;
use crate::targets::{Address, Files, Target};
use crate::tracked::Tracker;

/// Inputs that are the same for all declarations.
pub(super) struct GenerateContext<'a> {
    pub root: &'a Path,
    pub tracker: &'a Tracker,
    pub files: &'a Files,
    pub settings: &'a LoadSettings,
    pub globs: &'a GlobCache,
}

/// The expansion of one declaration: its targets and diagnostics.
pub(super) struct Generation<'a> {
    context: &'a GenerateContext<'a>,
    /// The defaults that were set before the declaration.
    defaults: &'a Defaults,
    /// The final defaults of the directory, which apply to generated targets.
    all_defaults: &'a Defaults,
    build_file: &'a RelPath,
    place: Place,
    /// A field has a value of the wrong type.
    has_wrong_types: bool,
    pub targets: Vec<Target>,
    pub diagnostics: Vec<Diagnostic>,
}

impl<'a> Generation<'a> {
    /// Expands a declaration.
    pub(super) fn run(
        context: &'a GenerateContext<'a>,
        [defaults, all_defaults]: [&'a Defaults; 2],
        build_file: &'a RelPath,
        decl: &TargetDecl,
        address: &Address,
    ) -> Generation<'a> {
        let (targets, diagnostics) = (Vec::new(), Vec::new());
        let mut generation = Generation {
            context,
            defaults,
            all_defaults,
            build_file,
            place: decl.place,
            has_wrong_types: false,
            targets,
            diagnostics,
        };
        generation.declare(decl, address);
        if generation.has_wrong_types {
            // Sources that match nothing may be a consequence.
            generation.diagnostics.retain(|found| found.topic != Topic::Unmatched);
        }
        if let Some(inside) = &decl.macro_place {
            let diagnostics = std::mem::take(&mut generation.diagnostics).into_iter();
            generation.diagnostics = diagnostics
                .map(|found| if found.file == *build_file { found.in_macro(Some(inside)) } else { found })
                .collect();
        }
        generation
    }

    fn declare(&mut self, decl: &TargetDecl, address: &Address) {
        let kind = Kind::find(&decl.kind);
        if let Some(kind) = kind {
            self.check_fields(kind, &decl.fields);
        }
        let fields = self.defaults.apply_to(&decl.kind, decl.fields.clone());
        if let Some(kind) = kind {
            self.check_required_fields(kind, &fields);
        }
        match kind.filter(|kind| kind.is_generator()) {
            Some(kind) => self.generator(kind, fields, address),
            None => {
                for (parameters, fields) in self.expand_parametrize(fields) {
                    let sources = match kind {
                        Some(kind) => self.sources(kind, &fields, &address.dir),
                        None => self.resolve_unknown_sources(&fields, &address.dir),
                    };
                    self.push(&decl.kind, address.with_parameters(&parameters), fields, sources, None);
                }
            }
        }
    }

    /// Expands a generator. A parametrized generator becomes several, and each passes its own parameters to the targets
    /// that it generates.
    fn generator(&mut self, kind: &Kind, fields: Fields, address: &Address) {
        if !self.check_generator_fields(kind, &fields) {
            return;
        }
        let generated_defaults = match self.context.settings.applies_defaults_to_generated() {
            true => self.all_defaults.get(kind.generates).cloned().unwrap_or_default(),
            false => Fields::new(),
        };
        let mut all = generated_defaults.clone();
        all.extend(fields.clone());
        let variants = self.expand_parametrize(all);
        for (parameters, all) in variants.clone() {
            let (mut own, mut template) = (Fields::new(), Fields::new());
            for (field, value) in all {
                let set_here = fields.contains_key(&field) || !generated_defaults.contains_key(&field);
                if kind.keeps(&field) {
                    own.insert(field, value);
                    continue;
                }
                if kind.copies(&field) && set_here {
                    own.insert(field.clone(), value.clone());
                }
                template.insert(field, value);
            }
            let address = address.with_parameters(&parameters);
            let sources = self.sources(kind, &own, &address.dir);
            let variant = Variant { parameters: &parameters, all: &variants };
            match kind.generates_from {
                GenerateFrom::File => self.generate_for_files(kind, &own, &template, &address, &sources, variant),
                GenerateFrom::Requirement => self.generate_for_requirements(kind, &own, &template, &address, &sources),
                GenerateFrom::EntryPoint => self.generate_for_entry_points(kind, &own, &template, &address, variant),
                GenerateFrom::Pants => self.generate_for_pants(kind, &own, &template, &address),
                GenerateFrom::Nothing => {}
            }
            self.push(kind.name, address, own, sources, None);
        }
    }

    /// Refuses parametrized fields that the generator uses itself: they would make several generators with one address.
    fn check_generator_fields(&mut self, kind: &Kind, fields: &Fields) -> bool {
        let is_own = |field: &str| kind.keeps(field) || kind.copies(field);
        let parametrized = fields.iter().filter(|(field, value)| parametrize::is_parametrized(field, value));
        let own: Vec<String> =
            parametrized.filter(|(field, _)| is_own(field)).map(|(field, _)| format!("`{field}`")).collect();
        if own.is_empty() {
            return true;
        }
        let message = format!("a `{}` cannot parametrize its own {}", kind.name, own.join(", "));
        let hint = format!("parametrize it in `overrides`, or declare each `{}` separately", kind.generates);
        self.diagnostics.push(Diagnostic::error(self.build_file, self.place, message).hint(hint));
        false
    }

    fn generate_for_files(
        &mut self,
        kind: &Kind,
        own: &Fields,
        template: &Fields,
        generator: &Address,
        sources: &[RelPath],
        variant: Variant,
    ) {
        let mut overrides = self.overrides(own);
        let first = self.targets.len();
        for file in sources {
            let Some(file) = file.strip_prefix(&generator.dir) else { continue };
            let mut fields = template.clone();
            fields.insert("source".to_owned(), Value::Str(file.as_str().to_owned()));
            self.override_fields(&mut overrides, &mut fields, |glob| glob.matches(file.as_str()), file.as_str());
            let Some(overridden) = variant.overridden(&fields) else { continue };
            for (parameters, fields) in self.expand_parametrize(fields) {
                let address =
                    generator.with_file(file.clone()).with_parameters(&overridden).with_parameters(&parameters);
                let path = generator.dir.join(&file);
                self.push(kind.generates, address, fields, vec![path], Some(generator));
            }
        }
        if self.context.settings.sibling_generators.contains(&kind.name) {
            self.link_siblings(first);
        }
        self.report_unused_overrides(&overrides);
    }

    /// Adds dependencies between all targets from index `first` on, for generators whose dependencies are not inferred.
    fn link_siblings(&mut self, first: usize) {
        let joined = &mut self.targets[first..];
        let addresses: Vec<Value> = joined.iter().map(|target| Value::Str(target.address.to_string())).collect();
        for (own, target) in joined.iter_mut().enumerate() {
            let written = target.fields.get("dependencies").and_then(Value::items).unwrap_or_default();
            let others = addresses.iter().enumerate().filter(|(other, _)| *other != own).map(|(_, address)| address);
            let all = written.iter().chain(others).cloned().collect();
            target.fields.insert("dependencies".to_owned(), Value::List(all));
        }
    }

    fn generate_for_requirements(
        &mut self,
        kind: &Kind,
        own: &Fields,
        template: &Fields,
        generator: &Address,
        sources: &[RelPath],
    ) {
        let Some(file) = sources.first() else { return };
        let requirements = self.requirements(kind, file);
        let relative = file.strip_prefix(&generator.dir).unwrap_or_else(|| file.clone());
        let helper = Address::new(&generator.dir, &generator.name).with_file(relative.clone());
        let source = Fields::from([("source".to_owned(), Value::Str(relative.as_str().to_owned()))]);
        self.push("_generator_sources_helper", helper.clone(), source, vec![file.clone()], Some(generator));
        let mut used = Vec::new();
        let overrides = own.get("overrides").map(override_entries).unwrap_or_default();
        let mut dependencies = vec![Value::Str(helper.to_string())];
        dependencies.extend(self.lockfile_dependency(template));
        for (project, texts) in group_by_project(&requirements) {
            let mut fields = template.clone();
            fields.insert("requirements".to_owned(), strings(texts));
            for (mapping, field) in [("module_mapping", "modules"), ("type_stubs_module_mapping", "type_stub_modules")]
            {
                if let Some(modules) = own.get(mapping).and_then(|mapping| entry(mapping, project)) {
                    fields.insert(field.to_owned(), modules.clone());
                }
            }
            fields.insert("dependencies".to_owned(), Value::List(dependencies.clone()));
            for (_, set) in overrides.iter().filter(|(key, _)| normalized(key) == normalized(project)) {
                used.push(normalized(project));
                override_requirement(&mut fields, set, &dependencies);
            }
            let address = generator.with_generated(project);
            self.push(kind.generates, address, fields, Vec::new(), Some(generator));
        }
        for (key, _) in overrides {
            if !used.contains(&normalized(key)) {
                self.error(format!("`overrides` names `{key}`, which is not a requirement in `{relative}`"));
            }
        }
    }

    fn lockfile_dependency(&self, template: &Fields) -> Option<Value> {
        let settings = self.context.settings;
        let resolve = template.get("resolve").and_then(Value::as_str).unwrap_or(&settings.default_resolve);
        let lockfile = settings.lockfile_of(resolve)?;
        Some(Value::Str(format!("{lockfile}:{}", lockfile_target_name(resolve))))
    }

    fn requirements(&mut self, kind: &Kind, file: &RelPath) -> Vec<Requirement> {
        let text = match self.context.tracker.read_to_string(&file.to_path(self.context.root)) {
            Ok(text) => text,
            Err(error) => {
                self.error(format!("cannot read `{file}`: {error}"));
                return Vec::new();
            }
        };
        let GenerateContext { tracker, root, files, .. } = self.context;
        let read = |file: &RelPath| tracker.read_to_string(&file.to_path(root)).ok();
        let surroundings = Surroundings { file, is_dir: &|dir| files.is_dir(dir), read: &read };
        let parsed = requirements::parse(kind.name, &surroundings, &text);
        for (place, message) in parsed.refused {
            self.diagnostics.push(Diagnostic::error(file, place, message));
        }
        let mut requirements = parsed.requirements;
        if !self.context.settings.uses_written_names() {
            requirements.iter_mut().for_each(|entry| entry.project = requirements::safe_name(&entry.project));
        }
        requirements
    }

    fn generate_for_entry_points(
        &mut self,
        kind: &Kind,
        own: &Fields,
        template: &Fields,
        generator: &Address,
        variant: Variant,
    ) {
        let mut overrides = self.overrides(own);
        for entry_point in own.get("entry_points").map(Value::strings).unwrap_or_default() {
            let mut fields = template.clone();
            fields.insert("entry_point".to_owned(), Value::Str(entry_point.to_owned()));
            let same = |glob: &Glob| matches!(glob, Glob::Literal(literal) if literal == entry_point);
            self.override_fields(&mut overrides, &mut fields, same, entry_point);
            let Some(overridden) = variant.overridden(&fields) else { continue };
            for (parameters, fields) in self.expand_parametrize(fields) {
                let address = generator.with_generated(&entry_point.replace(':', "-"));
                let address = address.with_parameters(&overridden).with_parameters(&parameters);
                self.push(kind.generates, address, fields, Vec::new(), Some(generator));
            }
        }
        self.report_unused_overrides(&overrides);
    }

    fn generate_for_pants(&mut self, kind: &Kind, own: &Fields, template: &Fields, generator: &Address) {
        let version = self.context.settings.pants_version.as_deref().map(compatible_pants_versions).unwrap_or_default();
        let mut projects = vec![("pantsbuild.pants", vec!["pants"])];
        if own.get("testutil").and_then(Value::as_bool).unwrap_or(true) {
            projects.push(("pantsbuild.pants.testutil", vec!["pants.testutil"]));
        }
        for (project, modules) in &projects {
            let mut fields = template.clone();
            fields.insert("requirements".to_owned(), strings([format!("{project}{version}")]));
            fields.insert("modules".to_owned(), strings(modules.iter().copied()));
            self.push(kind.generates, generator.with_generated(project), fields, Vec::new(), Some(generator));
        }
    }

    fn overrides(&mut self, own: &Fields) -> Vec<Override> {
        let mut overrides = Vec::new();
        let Some(Value::Dict(entries)) = own.get("overrides") else { return overrides };
        for (keys, fields) in entries {
            let keys = match keys {
                Value::Str(key) => vec![key.as_str()],
                keys => keys.strings(),
            };
            for key in keys {
                match Glob::compile(key) {
                    Ok(glob) => {
                        let fields = pairs(fields).into_iter().map(|(field, value)| (field.to_owned(), value.clone()));
                        overrides.push(Override { key: key.to_owned(), glob, fields: fields.collect(), used: false });
                    }
                    Err(error) => self.error(format!("in `overrides`: {error}")),
                }
            }
        }
        overrides
    }

    fn override_fields(
        &mut self,
        overrides: &mut [Override],
        fields: &mut Fields,
        applies: impl Fn(&Glob) -> bool,
        what: &str,
    ) {
        let mut set: BTreeMap<&str, &str> = BTreeMap::new();
        for entry in overrides.iter_mut().filter(|entry| applies(&entry.glob)) {
            entry.used = true;
            for (field, value) in &entry.fields {
                if let Some(other) = set.insert(field, &entry.key) {
                    let message =
                        format!("`overrides` sets `{field}` of `{what}` twice: by `{other}` and `{}`", entry.key);
                    self.diagnostics.push(Diagnostic::error(self.build_file, self.place, message));
                }
                fields.insert(field.clone(), value.clone());
            }
        }
    }

    fn report_unused_overrides(&mut self, overrides: &[Override]) {
        for entry in overrides.iter().filter(|entry| !entry.used) {
            self.report_unmatched_glob(format!(
                "`overrides` names `{}`, which matches none of the generated targets",
                entry.key
            ));
        }
    }

    fn expand_parametrize(&mut self, fields: Fields) -> Vec<(Parameters, Fields)> {
        parametrize::expand(fields).unwrap_or_else(|message| {
            self.error(message);
            Vec::new()
        })
    }

    fn push(
        &mut self,
        kind: &str,
        address: Address,
        mut fields: Fields,
        sources: Vec<RelPath>,
        generator: Option<&Address>,
    ) {
        fields.retain(|field, _| field != "name");
        self.targets.push(Target {
            address,
            kind: kind.to_owned(),
            fields,
            sources,
            generator: generator.cloned(),
            build_file: self.build_file.clone(),
            place: self.place,
        });
    }

    fn error(&mut self, message: String) {
        self.diagnostics.push(Diagnostic::error(self.build_file, self.place, message));
    }
}

struct Override {
    key: String,
    glob: Glob,
    fields: Vec<(String, Value)>,
    used: bool,
}

/// The version specifier of Pants for plugins: all releases of the same series, or exactly one development version. As
/// the generator `pants_requirements` of Pants does.
fn compatible_pants_versions(version: &str) -> String {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) if !version.contains("dev") => {
            format!(">={major}.{minor}.0a0,<{major}.{}", minor + 1)
        }
        _ => format!("=={version}"),
    }
}

/// The name of the target that Pants generates for the lockfile of a resolve.
pub(super) fn lockfile_target_name(resolve: &str) -> String {
    format!("_{resolve}_lockfile")
}

fn strings(texts: impl IntoIterator<Item = impl Into<String>>) -> Value {
    Value::List(texts.into_iter().map(|text| Value::Str(text.into())).collect())
}

/// The pairs of a dict whose keys are strings.
fn pairs(value: &Value) -> Vec<(&str, &Value)> {
    match value {
        Value::Dict(pairs) => pairs.iter().filter_map(|(key, value)| Some((key.as_str()?, value))).collect(),
        _ => Vec::new(),
    }
}

/// The entries of `overrides` by single name: a key may be a tuple of names.
fn override_entries(overrides: &Value) -> Vec<(&str, &Value)> {
    let Value::Dict(entries) = overrides else { return Vec::new() };
    let rows = entries.iter().flat_map(|(keys, set)| match keys {
        Value::Str(key) => vec![(key.as_str(), set)],
        keys => keys.strings().into_iter().map(|key| (key, set)).collect(),
    });
    rows.collect()
}

/// The value of a project in a dict by project name. Names are compared in normalized form.
fn entry<'v>(dict: &'v Value, project: &str) -> Option<&'v Value> {
    let wanted = normalized(project);
    pairs(dict).into_iter().find(|(key, _)| normalized(key) == wanted).map(|(_, value)| value)
}

/// Applies an override to a requirement. Its `dependencies` are put before those that every requirement has.
fn override_requirement(fields: &mut Fields, set: &Value, dependencies: &[Value]) {
    for (field, value) in pairs(set) {
        let value = match field {
            "dependencies" => Value::List([value.items().unwrap_or_default(), dependencies].concat()),
            _ => value.clone(),
        };
        fields.insert(field.to_owned(), value);
    }
}

/// Groups the requirements of the same project, in the order of their first one: they become one target.
fn group_by_project(requirements: &[Requirement]) -> Vec<(&str, Vec<String>)> {
    let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for Requirement { project, text } in requirements {
        let place = *places.entry(project).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, texts)) => texts.push(text.clone()),
            None => groups.push((project, vec![text.clone()])),
        }
    }
    groups
}
