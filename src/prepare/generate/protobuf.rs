//! Plans the Python code of protocol buffers: a step for each file, with the pinned compiler of grpcio-tools and the plugins that the
//! settings enable.

use std::collections::{BTreeMap, BTreeSet};

use uv_pep440::Version;

use crate::action::Source;
use crate::base::{RelPath, sandbox_paths};
use crate::config::typed::ProtobufSettings;
use crate::packaging::venv;
use crate::plan::protoc_run::{self, PROTOC_VERSION, ProtocRun};
use crate::prepare::generate::Error;
use crate::prepare::generate::programs::script_shim;
use crate::prepare::images::{Images, Importable, built_in};
use crate::prepare::interpreters::found;
use crate::prepare::{Error as PrepareError, Planner};
use crate::session::toolchains;
use crate::targets::{Target, TargetGraph, kind};
use crate::toolchain::Constraints;
use crate::tools;

/// The interpreters that the pinned grpcio-tools has wheels for.
const SUPPORTED: &str = "CPython>=3.8,<3.13";

/// The plugin for type stubs: its scope, and its programs for messages and for services.
const MYPY: (&str, &str, &str) = ("mypy-protobuf", "protoc-gen-mypy", "protoc-gen-mypy_grpc");
/// The plugin for the library grpclib.
const GRPCLIB: (&str, &str) = ("python-grpclib-protobuf", "protoc-gen-grpclib_python");

impl Planner<'_> {
    /// The code of a protocol buffer.
    pub(super) fn plan_protobuf(&mut self, graph: &TargetGraph, target: &Target) -> Result<Source, PrepareError> {
        let address = &target.address;
        let file = target.sources.first().ok_or_else(|| PrepareError::NoSource(address.clone()))?;
        let settings = ProtobufSettings::parse(self.config());
        self.warn_of_version(&settings);
        let roots = self.session.find_source_roots()?;
        let below_root = |file: &RelPath| {
            let root = roots.find_for_file(file);
            let below = root.as_ref().and_then(|root| file.strip_prefix(root)).zip(root.clone());
            below.ok_or_else(|| Error::NoSourceRoot { target: address.clone(), file: file.clone() })
        };
        let (name, own_root) = below_root(file)?;
        let output_root = match target.text("python_source_root") {
            Some(written) => {
                let root = RelPath::parse(written).ok().filter(|root| roots.find_for_dir(root).as_ref() == Some(root));
                root.ok_or_else(|| Error::Invalid {
                    target: address.clone(),
                    field: "python_source_root",
                    written: written.to_owned(),
                    why: "it is not a source root".to_owned(),
                })?
            }
            None => own_root,
        };
        let dependencies = self.session.infer_for(&BTreeSet::from([address.clone()]))?;
        let mut moved = BTreeSet::from([(file, name.clone())]);
        for member in dependencies.transitive_without_special(std::slice::from_ref(address)) {
            let Some(member) = graph.get(&member).filter(|member| member.kind == kind::PROTOBUF_SOURCE) else {
                continue;
            };
            for source in &member.sources {
                moved.insert((source, below_root(source)?.0));
            }
        }
        let mut names = BTreeSet::new();
        if let Some((file, name)) = moved.iter().find(|(_, name)| !names.insert(name)) {
            let (target, file, name) = (address.clone(), (*file).clone(), name.clone());
            return Err(Error::SameImport { target, file, name }.into());
        }
        let sources = Source::Tree(self.session.services.open_sources()?.tree_with_moved([], &moved)?);
        let constraints = self.generator_constraints()?;
        let mut images = self.protoc_images(&constraints)?;
        let grpc = target.flag("grpc").unwrap_or(false);
        let plugins = self.protoc_plugins(&settings, grpc, &constraints, &mut images)?;
        let run = ProtocRun {
            subject: address.to_string(),
            file: name,
            output_root,
            sources,
            images,
            type_stubs: settings.generates_type_stubs,
            grpcio: grpc && settings.grpcio_plugin,
            plugins,
        };
        Ok(Source::Output(self.add(protoc_run::action(run))))
    }

    /// The compiler is chosen with its hash, so that the option cannot select another.
    fn warn_of_version(&mut self, settings: &ProtobufSettings) {
        let Some(version) = settings.protoc_version.as_ref().filter(|version| *version != PROTOC_VERSION) else {
            return;
        };
        let warning =
            format!("`[protoc] version` is `{version}`, but code is generated with the pinned protoc {PROTOC_VERSION}");
        if self.warned.insert(warning.clone()) {
            let hint = "remove the option, or run another compiler with a `shell_command`";
            self.session.ui.warn_with_hint(&warning, hint);
        }
    }

    /// The constraints of the interpreter that runs the compiler: those of the repository if it has wheels for that interpreter.
    pub(super) fn generator_constraints(&mut self) -> Result<Vec<String>, PrepareError> {
        let supported = vec![SUPPORTED.to_owned()];
        let own = toolchains::default_constraints(self.config());
        if own.is_empty() {
            return Ok(supported);
        }
        let version: Version = self.python_version(&own)?;
        let fits = Constraints::parse(&supported)?.allows(&version.to_string());
        Ok(if fits { own } else { supported })
    }

    fn protoc_images(&mut self, constraints: &[String]) -> Result<Images, PrepareError> {
        self.find_interpreter(constraints)?;
        let interpreter = found(&mut self.interpreters, constraints)?;
        let distributions = built_in(&interpreter.packages, "grpcio-tools", tools::GRPCIO_TOOLS_LOCK)?;
        let image = Source::Output(interpreter.venvs.compose(&mut self.actions, &distributions));
        let mut images = interpreter.venvs.interpreter.images.clone();
        images.insert(venv::ROOT.to_owned(), image);
        Ok(images)
    }

    /// The enabled plugins, whose environments are added to the images.
    fn protoc_plugins(
        &mut self,
        settings: &ProtobufSettings,
        grpc: bool,
        constraints: &[String],
        images: &mut Images,
    ) -> Result<Vec<(&'static str, String)>, PrepareError> {
        let (mut plugins, mut scripts) = (Vec::new(), BTreeMap::new());
        let mut add = |planner: &mut Planner<'_>, scope: &str, programs: &[(&'static str, &str)]| {
            let importable = Importable { tool: Some(scope.to_owned()), ..Importable::default() };
            let place = format!("{}/{scope}", sandbox_paths::PROGRAMS);
            images.insert(place.clone(), planner.venv_image(constraints, importable)?);
            for (name, program) in programs {
                let script = script_shim(&place, &[format!("{place}/bin/{program}")], &BTreeMap::new());
                scripts.insert((*program).to_owned(), script);
                plugins.push((*name, format!("{}/{program}", sandbox_paths::PROGRAMS_BIN)));
            }
            Ok::<_, PrepareError>(())
        };
        if settings.mypy_plugin {
            let (scope, messages, services) = MYPY;
            let programs = [("mypy", messages), ("mypy_grpc", services)];
            add(self, scope, if grpc && settings.grpcio_plugin { &programs } else { &programs[..1] })?;
        }
        if grpc && settings.grpclib_plugin {
            add(self, GRPCLIB.0, &[("grpclib_python", GRPCLIB.1)])?;
        }
        if !scripts.is_empty() {
            images.insert(sandbox_paths::PROGRAMS_BIN.to_owned(), self.scripts(scripts)?);
        }
        Ok(plugins)
    }
}
