//! The action that generates Python code from one protocol buffer. Its inputs are planned in `prepare::generate`.

use std::collections::BTreeMap;

use crate::action::{Action, Command, Policy, Source};
use crate::base::{RelPath, sandbox_paths};
use crate::plan::{environment, program};

const RUN: &str = include_str!("protoc_run.py");

/// The version of the compiler in the pinned grpcio-tools.
pub const PROTOC_VERSION: &str = "24.3";

/// A protocol buffer, and what is generated from it besides its messages.
#[derive(Clone, Debug)]
pub struct ProtocRun {
    /// The address of the target.
    pub subject: String,
    /// The file, relative to its source root.
    pub file: RelPath,
    /// The source root of the generated files.
    pub output_root: RelPath,
    /// The tree of the file and of all that it imports, relative to their source roots.
    pub sources: Source,
    /// The system tree, the interpreter, grpcio-tools and the plugins, by mount point.
    pub images: BTreeMap<String, Source>,
    /// Whether the compiler itself writes type stubs.
    pub type_stubs: bool,
    /// Whether services become code for grpcio.
    pub grpcio: bool,
    /// Plugins: the name of each, and its path in the sandbox.
    pub plugins: Vec<(&'static str, String)>,
}

/// The action that generates the code. Its output tree has the paths of the repository.
pub fn action(run: ProtocRun) -> Action {
    let output = sandbox_paths::in_out(run.output_root.as_str());
    let output = output.trim_end_matches('/').to_owned();
    let mut argv = program::argv(RUN);
    argv.extend([output.clone(), format!("--python_out={output}")]);
    if run.type_stubs {
        argv.push(format!("--pyi_out={output}"));
    }
    if run.grpcio {
        argv.push(format!("--grpc_python_out={output}"));
    }
    for (name, path) in &run.plugins {
        argv.push(format!("--plugin=protoc-gen-{name}={path}"));
        argv.push(format!("--{name}_out={output}"));
    }
    argv.push(run.file.as_str().to_owned());
    let command = Command::new(argv, environment::base(), run.sources, run.images);
    let mut policy = Policy::new(format!("generate {}", run.subject));
    policy.subjects = vec![run.subject];
    policy.remote = true;
    Action { command, policy }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Digest;

    #[test]
    fn the_compiler_writes_below_the_source_root_and_gets_its_plugins() {
        let path = |text: &str| RelPath::parse(text).unwrap();
        let run = ProtocRun {
            subject: "a.proto".to_owned(),
            file: path("x/a.proto"),
            output_root: path("src/py"),
            sources: Source::Tree(Digest::of(b"")),
            images: BTreeMap::new(),
            type_stubs: false,
            grpcio: true,
            plugins: vec![("mypy", "/p/mypy".to_owned())],
        };
        let argv = action(run.clone()).command.argv;
        let expected = [
            "/out/src/py",
            "--python_out=/out/src/py",
            "--grpc_python_out=/out/src/py",
            "--plugin=protoc-gen-mypy=/p/mypy",
            "--mypy_out=/out/src/py",
            "x/a.proto",
        ];
        assert!(argv.ends_with(&expected.map(str::to_owned)), "{argv:?}");
        let plain =
            ProtocRun { output_root: RelPath::root(), type_stubs: true, grpcio: false, plugins: Vec::new(), ..run };
        let argv = action(plain).command.argv;
        let expected = ["/out", "--python_out=/out", "--pyi_out=/out", "x/a.proto"];
        assert!(argv.ends_with(&expected.map(str::to_owned)), "{argv:?}");
    }
}
