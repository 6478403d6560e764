//! The programs that a command finds in its sandbox: the one that it starts, those on its `PATH`, and the trees that they need. Where
//! Pants searches the machine, the pinned system tree is searched, and packages with well-known programs are added to it.

use std::collections::{BTreeMap, BTreeSet};

use crate::action::{Action, Command, Derive, Policy, Source, Step};
use crate::base::{RelPath, sandbox_paths};
use crate::packaging::venv;
use crate::plan::environment;
use crate::plan::program_run::{SandboxedProgram, command_line};
use crate::prepare::generate::Error;
use crate::prepare::generate::inputs::addresses_in_field;
use crate::prepare::images::Images;
use crate::prepare::run;
use crate::prepare::{Error as PrepareError, Planner};
use crate::session::toolchains::{self, SystemPart};
use crate::store::{Node, Tree};
use crate::targets::dependencies::resolve;
use crate::targets::{Address, Target, TargetGraph};

/// Words of `tools` that are part of the shell.
const BUILTINS: [&str; 36] = [
    ".", ":", "[", "alias", "break", "cd", "command", "continue", "declare", "echo", "eval", "exec", "exit", "export",
    "false", "getopts", "hash", "kill", "let", "local", "printf", "pwd", "read", "readonly", "return", "set", "shift",
    "source", "test", "trap", "true", "type", "ulimit", "umask", "unset", "wait",
];

/// Writes what a program prints to the file that the recipe `fingerprint-1` reads.
const PRINT: &str = "exec \"$@\" >/out/printed";

/// The mount points of what belongs to a single program: its packages, and the list of its source roots.
const OWN_IMAGES: [&str; 2] = [venv::ROOT, sandbox_paths::SOURCE_ROOTS];

/// The programs of a command while they are collected.
#[derive(Default)]
pub(super) struct Programs {
    images: Images,
    /// The target whose interpreter is among the images.
    python: Option<Address>,
    sources: Vec<Source>,
    env: BTreeMap<String, String>,
    /// Debian packages in addition to the system tree.
    packages: BTreeSet<String>,
    /// Scripts on the `PATH`, by name.
    shims: BTreeMap<String, String>,
    /// Programs whose output must match a pattern.
    checks: Vec<Check>,
}

/// A program, the arguments with which it prints a text such as its version, and the pattern of that text.
struct Check {
    binary: Address,
    path: String,
    args: Vec<String>,
    pattern: String,
}

/// What a command finds in its sandbox besides its inputs.
pub(super) struct Surroundings {
    pub images: Images,
    pub sources: Vec<Source>,
    pub env: BTreeMap<String, String>,
    /// Directories to search for programs.
    pub path: Vec<String>,
}

impl Planner<'_> {
    /// The command line of the program that the field `runnable` names.
    pub(super) fn add_runnable(
        &mut self,
        graph: &TargetGraph,
        target: &Target,
        programs: &mut Programs,
    ) -> Result<Vec<String>, PrepareError> {
        let written = target.text("runnable").unwrap_or_default();
        let found = resolve(graph, target, written);
        let found = found.map_err(|source| Error::Address { target: target.address.clone(), source })?;
        let several = || PrepareError::Runnable { target: target.address.clone(), runnable: written.to_owned() };
        let [address] = &found[..] else { return Err(several()) };
        let runnable = graph.get(address).ok_or_else(several)?;
        if runnable.kind == "system_binary" {
            return Ok(vec![self.add_system_binary(graph, runnable, programs)?]);
        }
        let program = self.sandboxed(target, runnable)?;
        programs.env.extend(program.env.clone());
        programs.sources.push(program.sources);
        self.add_images(target, address, &program.images, programs)?;
        let own = program.images.iter().filter(|(at, _)| OWN_IMAGES.contains(&at.as_str()));
        programs.images.extend(own.map(|(at, image)| (at.clone(), *image)));
        Ok(program.argv)
    }

    /// Puts the programs that a field names on the `PATH`, under the names of their targets.
    pub(super) fn add_runnable_dependencies(
        &mut self,
        graph: &TargetGraph,
        target: &Target,
        field: &str,
        programs: &mut Programs,
    ) -> Result<(), PrepareError> {
        for address in addresses_in_field(graph, target, field)? {
            let Some(runnable) = graph.get(&address) else { continue };
            let name = address.name.clone();
            let script = match runnable.kind.as_str() {
                "system_binary" => shim(&[self.add_system_binary(graph, runnable, programs)?], &BTreeMap::new()),
                _ => {
                    let program = self.sandboxed(target, runnable)?;
                    programs.sources.push(program.sources);
                    self.add_images(target, &address, &program.images, programs)?;
                    self.relocated(&name, program, programs)
                }
            };
            programs.shims.insert(name, script);
        }
        Ok(())
    }

    /// Finds the programs of the field `tools`.
    pub(super) fn add_tools(&mut self, target: &Target, programs: &mut Programs) -> Result<(), PrepareError> {
        for tool in target.strings("tools") {
            if !BUILTINS.contains(&tool) {
                self.add_system_program(target, tool, programs)?;
            }
        }
        Ok(())
    }

    /// The path of the program of a `system_binary`.
    fn add_system_binary(
        &mut self,
        graph: &TargetGraph,
        binary: &Target,
        programs: &mut Programs,
    ) -> Result<String, PrepareError> {
        self.add_runnable_dependencies(graph, binary, "fingerprint_dependencies", programs)?;
        let path = self.add_system_program(binary, binary.text("binary_name").unwrap_or_default(), programs)?;
        if let Some(pattern) = binary.text("fingerprint") {
            let args = binary.strings("fingerprint_args").into_iter().map(str::to_owned).collect();
            let (binary, path, pattern) = (binary.address.clone(), path.clone(), pattern.to_owned());
            programs.checks.push(Check { binary, path, args, pattern });
        }
        Ok(path)
    }

    /// The path of a program of the system tree, to which a package is added if that is necessary.
    fn add_system_program(
        &mut self,
        target: &Target,
        program: &str,
        programs: &mut Programs,
    ) -> Result<String, PrepareError> {
        if is_python(program) {
            let interpreter = self.interpreter(&toolchains::default_constraints(self.config()))?;
            self.add_images(target, &target.address, &interpreter.images, programs)?;
            programs
                .shims
                .insert(program.to_owned(), shim(std::slice::from_ref(&interpreter.python), &BTreeMap::new()));
            return Ok(interpreter.python);
        }
        let renamed = toolchains::name_in_system(program);
        if renamed != program {
            let path = self.add_system_program(target, renamed, programs)?;
            programs.shims.insert(program.to_owned(), shim(std::slice::from_ref(&path), &BTreeMap::new()));
            return Ok(path);
        }
        let system = toolchains::ensure_system(self.session, &[])?;
        let store = self.session.services.open_store()?;
        let usr = system.mounts.get("/usr").copied().unwrap_or(self.empty_tree);
        for dir in ["bin", "sbin"] {
            let path = RelPath::parse(dir)?.push(program)?;
            if store.lookup(usr, &path)?.is_some() {
                return Ok(format!("/usr/{path}"));
            }
        }
        let Some(package) = toolchains::package_with_program(program) else {
            let advice = toolchains::system_packages_advice(self.config(), &[SystemPart::Program(program)]);
            let (target, program) = (target.address.clone(), program.to_owned());
            return Err(Error::NoProgram { target, program, advice: advice.join("\n") }.into());
        };
        programs.packages.insert(package.to_owned());
        Ok(format!("/usr/bin/{program}"))
    }

    fn sandboxed(&mut self, target: &Target, runnable: &Target) -> Result<SandboxedProgram, PrepareError> {
        if !run::RUNNABLE_IN_SANDBOX.contains(&runnable.kind.as_str()) {
            return Err(Error::NotRunnable {
                target: target.address.clone(),
                runnable: runnable.address.to_string(),
                kind: runnable.kind.clone(),
            }
            .into());
        }
        run::program(self.session, &runnable.address)?.plan_sandboxed(self)
    }

    /// Adds the trees of a program apart from its own.
    fn add_images(
        &mut self,
        target: &Target,
        program: &Address,
        images: &Images,
        programs: &mut Programs,
    ) -> Result<(), Error> {
        let own = images.iter().filter(|(at, _)| !OWN_IMAGES.contains(&at.as_str()));
        for (at, image) in own {
            if programs.images.insert(at.clone(), *image).is_some_and(|other| other != *image) {
                let first = programs.python.as_ref().unwrap_or(program).to_string();
                return Err(Error::SeveralInterpreters {
                    target: target.address.clone(),
                    first,
                    second: program.to_string(),
                });
            }
        }
        programs.python = Some(program.clone());
        Ok(())
    }

    /// The script that starts a program whose requirements are mounted at a place of their own.
    fn relocated(&mut self, name: &str, program: SandboxedProgram, programs: &mut Programs) -> String {
        // The list of source roots is next to the requirements, as in the sandbox of a single program.
        let dir = format!("{}/{name}", sandbox_paths::PROGRAMS);
        let place = format!("{dir}{}", venv::ROOT);
        for at in OWN_IMAGES {
            programs.images.extend(program.images.get(at).map(|image| (format!("{dir}{at}"), *image)));
        }
        let moved = |word: &String| match word.strip_prefix(venv::ROOT) {
            Some(rest) if rest.starts_with('/') => format!("{place}{rest}"),
            _ => word.clone(),
        };
        let argv: Vec<String> = program.argv.iter().map(moved).collect();
        let env = program.env;
        let is_script = argv[0].starts_with(&format!("{place}/bin/")) && argv[0] != format!("{place}/bin/python");
        if is_script { script_shim(&place, &argv, &env) } else { shim(&argv, &env) }
    }

    /// A tree of executable scripts, by name.
    pub(super) fn scripts(&mut self, scripts: BTreeMap<String, String>) -> Result<Source, PrepareError> {
        let store = self.session.services.open_store()?;
        let mut nodes = BTreeMap::new();
        for (name, script) in scripts {
            let node = Node::File { digest: store.put(script.as_bytes())?, executable: true };
            nodes.insert(RelPath::parse(&name)?, node);
        }
        Ok(Source::Tree(store.put_tree_lazily(&Tree { nodes })?))
    }

    /// The sandbox of a command with these programs.
    pub(super) fn surroundings(&mut self, programs: Programs) -> Result<Surroundings, PrepareError> {
        let Programs { mut images, mut sources, env, packages, shims, checks, .. } = programs;
        let packages: Vec<String> = packages.into_iter().collect();
        let system = toolchains::ensure_system(self.session, &packages)?;
        for (at, tree) in system.mounts {
            let tree = Source::Tree(tree);
            let image = match images.get(&at) {
                Some(image) if packages.is_empty() => *image,
                Some(image) => self.overlay("system tree with more packages", vec![*image, tree]),
                None => tree,
            };
            images.insert(at, image);
        }
        let mut path = Vec::new();
        if !shims.is_empty() {
            images.insert(sandbox_paths::PROGRAMS_BIN.to_owned(), self.scripts(shims)?);
            path.push(sandbox_paths::PROGRAMS_BIN.to_owned());
        }
        for check in checks {
            sources.push(self.plan_check(check, &images, &path));
        }
        Ok(Surroundings { images, sources, env, path })
    }

    /// An empty tree, if the output of the program matches its pattern.
    fn plan_check(&mut self, check: Check, images: &Images, path: &[String]) -> Source {
        let Check { binary, path: program, args, pattern } = check;
        let start = ["/bin/sh", "-c", PRINT, "sh", program.as_str()].map(str::to_owned).into_iter();
        let mut env = environment::base();
        let usual = env.remove("PATH").unwrap_or_default();
        let directories: Vec<&str> = path.iter().map(String::as_str).chain([usual.as_str()]).collect();
        env.insert("PATH".to_owned(), directories.join(":"));
        let command = Command::new(start.chain(args).collect(), env, Source::Tree(self.empty_tree), images.clone());
        let mut policy = Policy::new(format!("check {binary}"));
        policy.remote = true;
        let step = self.add(Action { command, policy });
        Source::Output(self.actions.add(Step::Derive(Derive {
            label: format!("fingerprint of {binary}"),
            recipe: "fingerprint-1",
            parameters: vec![program, pattern],
            parts: vec![Source::Output(step)],
        })))
    }
}

/// A script that starts a program of a virtual environment at another place than the usual one. The first line of its scripts names the
/// usual place.
pub(super) fn script_shim(place: &str, argv: &[String], env: &BTreeMap<String, String>) -> String {
    let start = shim(argv, env);
    let script = command_line(&argv[..1]);
    let python = shim(&[vec![format!("{place}/bin/python")], argv.to_vec()].concat(), env);
    let python = python.trim_start_matches("#!/bin/sh\n");
    start.replacen('\n', &format!("\nif [ \"$(head -c 2 {script})\" = '#!' ]; then\n{python}fi\n"), 1)
}

/// A script that becomes another program.
fn shim(argv: &[String], env: &BTreeMap<String, String>) -> String {
    let variables = env.iter().map(|(name, value)| format!("export {}\n", command_line(&[format!("{name}={value}")])));
    let variables: String = variables.collect();
    format!("#!/bin/sh\n{variables}exec {} \"$@\"\n", command_line(argv))
}

/// Whether this is a name of an interpreter of Python: `python`, `python3`, `python3.11`.
fn is_python(program: &str) -> bool {
    program.strip_prefix("python").is_some_and(|version| version.chars().all(|c| c == '.' || c.is_ascii_digit()))
}
