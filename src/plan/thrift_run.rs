//! The action that generates Python code from one Thrift file. Its inputs are planned in `prepare::generate`.

use std::collections::BTreeMap;

use crate::action::{Action, Command, Policy, Source};
use crate::base::{RelPath, sandbox_paths};
use crate::plan::environment;

/// Creates the directory for the generated files and starts the compiler.
const RUN: &str = "mkdir -p \"$1\" || exit\nexec /usr/bin/thrift -out \"$@\"";

/// A Thrift file.
#[derive(Clone, Debug)]
pub struct ThriftRun {
    /// The address of the target.
    pub subject: String,
    /// The file, relative to the build root.
    pub file: RelPath,
    /// The source root of the generated files.
    pub output_root: RelPath,
    /// The source roots of the file and of all that it includes.
    pub include: Vec<RelPath>,
    /// The options of the generator, such as `slots`.
    pub options: Vec<String>,
    /// The tree of the file and of all that it includes, at their paths in the repository.
    pub sources: Source,
    /// The system tree with the compiler, by mount point.
    pub images: BTreeMap<String, Source>,
}

/// The action that generates the code. Its output tree has the paths of the repository.
pub fn action(run: ThriftRun) -> Action {
    let output = sandbox_paths::in_out(run.output_root.as_str());
    let mut argv = ["/bin/sh", "-c", RUN, "sh", output.trim_end_matches('/')].map(str::to_owned).to_vec();
    for root in &run.include {
        argv.extend(["-I".to_owned(), sandbox_paths::in_src(root.as_str())]);
    }
    let generator = if run.options.is_empty() { "py".to_owned() } else { format!("py:{}", run.options.join(",")) };
    argv.extend(["--gen".to_owned(), generator, run.file.as_str().to_owned()]);
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
    fn the_compiler_searches_all_source_roots_and_writes_below_one() {
        let path = |text: &str| RelPath::parse(text).unwrap();
        let run = ThriftRun {
            subject: "a.thrift".to_owned(),
            file: path("src/thrift/x/a.thrift"),
            output_root: path("src/thrift"),
            include: vec![path(""), path("src/thrift")],
            options: vec!["slots".to_owned(), "dynamic".to_owned()],
            sources: Source::Tree(Digest::of(b"")),
            images: BTreeMap::new(),
        };
        let argv = action(run).command.argv;
        let expected = [
            "/out/src/thrift",
            "-I",
            "/src",
            "-I",
            "/src/src/thrift",
            "--gen",
            "py:slots,dynamic",
            "src/thrift/x/a.thrift",
        ];
        assert!(argv.ends_with(&expected.map(str::to_owned)), "{argv:?}");
    }
}
