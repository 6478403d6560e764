//! A small repository in memory for the tests of inference. Targets are declared in code; no BUILD files are parsed.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::Arc;

use crate::base::RelPath;
use crate::base::text::Place;
use crate::config::Config;
use crate::inference::{Dependencies, Extent, InferenceInput, InferenceSettings, SourceRoots, infer, parse_imports};
use crate::targets::address::Parts;
use crate::targets::{Address, Files, Target, TargetGraph, Value};

#[derive(Default)]
pub(super) struct Repository {
    targets: Vec<Target>,
    files: HashMap<RelPath, String>,
    options: Vec<(&'static str, &'static str, serde_json::Value)>,
}

pub(super) fn path(text: &str) -> RelPath {
    RelPath::parse(text).expect("clean")
}

/// Parses a short form of an address: `a/b.py` is a file's target declared in the directory of the file, `a:x` a target by
/// name. `#` and `@` have their usual meaning.
pub(super) fn address(text: &str) -> Address {
    let (text, parameters) = text.split_once('@').unwrap_or((text, ""));
    let parameters = parameters.split(',').filter_map(|pair| pair.split_once('='));
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let (text, generated) = text.split_once('#').map_or((text, None), |(text, name)| (text, Some(name.to_owned())));
    if let Some((dir, name)) = text.split_once(':') {
        return Parts { dir: path(dir), file: None, name: name.to_owned(), generated, parameters }.into();
    }
    let file = path(text);
    let dir = file.parent().expect("a file");
    Parts { file: file.strip_prefix(&dir), name: "all".to_owned(), dir, generated, parameters }.into()
}

/// The short form of an address, as `address` parses it.
pub(super) fn to_text(address: &Address) -> String {
    let mut text = match &address.file {
        Some(file) => address.dir.join(file).to_string(),
        None => format!("{}:{}", address.dir.as_str(), address.name),
    };
    text.extend(address.generated.iter().map(|name| format!("#{name}")));
    text.extend(address.parameters.iter().map(|(name, value)| format!("@{name}={value}")));
    text
}

impl Repository {
    pub(super) fn target(mut self, kind: &str, name: &str, fields: &[(&str, Value)]) -> Repository {
        let address = address(name);
        let sources = address.file.iter().map(|file| address.dir.join(file)).collect();
        let fields = fields.iter().map(|(field, value)| ((*field).to_owned(), value.clone())).collect();
        self.targets.push(Target {
            kind: kind.to_owned(),
            fields,
            sources,
            generator: None,
            build_file: path("BUILD"),
            place: Place::default(),
            address,
        });
        self
    }

    pub(super) fn file(mut self, name: &str, text: &str) -> Repository {
        let bare = name.split('@').next().expect("one");
        self.files.insert(path(bare), text.to_owned());
        self
    }

    pub(super) fn source(self, name: &str, text: &str) -> Repository {
        self.file(name, text).target("python_source", name, &[])
    }

    pub(super) fn test(self, name: &str, text: &str) -> Repository {
        self.file(name, text).target("python_test", name, &[])
    }

    pub(super) fn requirement(self, name: &str) -> Repository {
        let project = name.rsplit('#').next().expect("one").split('@').next().expect("one").to_owned();
        self.target("python_requirement", name, &[("requirements", Value::List(vec![Value::Str(project)]))])
    }

    /// Sets the field `dependencies`.
    pub(super) fn depends(self, name: &str, written: &[&str]) -> Repository {
        self.field(name, "dependencies", written)
    }

    pub(super) fn field(mut self, name: &str, field: &str, written: &[&str]) -> Repository {
        let target = self.targets.iter_mut().find(|target| target.address == address(name)).expect("declared before");
        let written = written.iter().map(|text| Value::Str((*text).to_owned())).collect();
        target.fields.insert(field.to_owned(), Value::List(written));
        self
    }

    pub(super) fn generated_from(mut self, generator: &str, names: &[&str]) -> Repository {
        for target in self.targets.iter_mut().filter(|target| names.iter().any(|name| target.address == address(name)))
        {
            target.generator = Some(address(generator));
        }
        self
    }

    pub(super) fn graph(&self) -> TargetGraph {
        let sources = self.targets.iter().flat_map(|target| target.sources.clone());
        let mut graph = TargetGraph::from_files(Files::from_paths(self.files.keys().cloned().chain(sources).collect()));
        self.targets.iter().for_each(|target| graph.insert(target.clone()));
        graph
    }

    pub(super) fn option(mut self, scope: &'static str, name: &'static str, value: serde_json::Value) -> Repository {
        self.options.push((scope, name, value));
        self
    }

    pub(super) fn settings(&self) -> InferenceSettings {
        InferenceSettings::from_config(&Config::of(self.options.clone())).expect("settings")
    }

    pub(super) fn roots(&self) -> SourceRoots {
        SourceRoots::new(&["src", "/"], &[], self.files.keys()).expect("patterns")
    }

    pub(super) fn infer(&self) -> Dependencies {
        self.infer_from(Extent::Everything)
    }

    pub(super) fn infer_from(&self, extent: Extent<'_>) -> Dependencies {
        let settings = self.settings();
        let read = |path: &RelPath| {
            let text = self.files.get(path)?;
            Some((path.clone(), Arc::new(parse_imports(text.as_bytes(), settings.needs_strings()))))
        };
        let read = |paths: &[RelPath]| Ok::<_, Infallible>(paths.iter().filter_map(read).collect());
        let texts = |path: &RelPath| self.files.get(path).cloned();
        let (graph, roots) = (self.graph(), self.roots());
        let input = InferenceInput { graph: &graph, roots: &roots, settings: &settings, imports: &read, texts: &texts };
        let Ok(dependencies) = infer(&input, extent);
        dependencies
    }

    #[track_caller]
    pub(super) fn check(self, from: &str, expected: &[&str]) -> Repository {
        let dependencies = self.infer();
        let found: Vec<String> = dependencies.direct(&address(from)).into_iter().map(to_text).collect();
        assert_eq!(found, expected, "dependencies of {from}; {:?}", dependencies.diagnostics);
        let alone = self.infer_from(Extent::From(&BTreeSet::from([address(from)])));
        let all = |dependencies: &Dependencies| dependencies.transitive([&address(from)]);
        assert_eq!(all(&alone), all(&dependencies), "dependencies of {from}, inferred for this target alone");
        self
    }

    #[track_caller]
    pub(super) fn check_diagnostics(self, expected: &[&str]) -> Repository {
        let messages: Vec<String> =
            self.infer().diagnostics.into_iter().map(|(_, diagnostic)| diagnostic.message).collect();
        assert_eq!(messages, expected);
        self
    }
}

pub(super) fn repository() -> Repository {
    Repository::default()
}
