//! Processes with services: the description of the services for the program `waders_services.py`, which starts them in the sandbox
//! of the process, and the command line of that program. Which services a process has is decided in `prepare`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::action::{Action, Command, Source};
use crate::base::{RelPath, sandbox_paths};
use crate::config::typed::{Ready, ReadyWord};
use crate::packaging::venv;
use crate::plan::environment;
use crate::plan::interpreter::Interpreter;
use crate::services::{Place, Service};

/// The text of the program.
pub const PROGRAM: &str = include_str!("waders_services.py");
/// The name of its file.
pub const PROGRAM_FILE: &str = "waders_services.py";
/// The name of the file with the description of the services.
pub const DESCRIPTION_FILE: &str = "services.json";

/// The directory of the program and of the description.
const PROGRAM_AT: &str = "/services/program";
/// The interpreter of the program, where the interpreter of the process is another one.
const PYTHON_AT: &str = "/services/python";

/// The loader of the system tree, which runs programs with libraries of another directory.
const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";
const LIBRARIES: &str = "lib/x86_64-linux-gnu";

/// Starts the program; its own arguments follow. The module is compiled, a file in its place would not be.
const START: &str = "import sys; sys.path.append('/services/program'); import waders_services; \
                     waders_services.main(sys.argv[1:])";

/// The directories of programs of the system tree.
const SYSTEM_PATH: &str = "/usr/bin:/usr/sbin";

/// Services that are planned for some processes.
#[derive(Clone, Debug)]
pub struct PlannedServices {
    /// In the order of their names.
    pub services: Vec<Service>,
    /// Directories of programs of their packages.
    pub path: Vec<String>,
    /// The tree of the program, its bytecode and the description.
    pub program: Source,
    /// The interpreter of the program.
    pub python: Interpreter,
}

/// The directories of a service in the sandbox of a process.
pub fn place(service: &Service) -> Place {
    let dir = format!("{}/.services/{}", sandbox_paths::TMP, service.name);
    Place { data: format!("{dir}/data"), dir }
}

/// The description of services that the program reads. With `keeps_logs`, the logs become files of the output.
pub fn description(services: &[Service], path: &[String], keeps_logs: bool) -> Value {
    let logs_at = format!("{}/services", sandbox_paths::in_src(super::test_run::EXTRA_OUTPUT));
    json!({
        "services": services.iter().map(|service| describe(service, path)).collect::<Vec<_>>(),
        "logs_at": keeps_logs.then_some(logs_at),
    })
}

fn describe(service: &Service, path: &[String]) -> Value {
    let place = place(service);
    let mut env = environment::base();
    env.insert("PATH".to_owned(), path.iter().map(String::as_str).chain([SYSTEM_PATH]).collect::<Vec<_>>().join(":"));
    env.extend(service.env(&place));
    let ready = match &service.ready {
        Ready::Word(ReadyWord::Notify) => json!({ "kind": "notify" }),
        Ready::Word(ReadyWord::Port) => json!({ "kind": "port", "port": service.port }),
        Ready::Log { log } => json!({ "kind": "log", "text": log }),
        Ready::Command(words) => json!({ "kind": "command", "command": service.command(words, &place) }),
    };
    json!({
        "name": service.name,
        "dir": place.dir,
        "data": null,
        "start": service.command(&service.start, &place),
        "env": env,
        "ready": ready,
        "timeout": service.timeout.as_secs(),
    })
}

/// The action that compiles the program. `program` is the tree with its text.
pub fn compile(python: &Interpreter, program: Source) -> Action {
    let argv = venv::compile_argv(&python.python, sandbox_paths::SRC, sandbox_paths::OUT, PROGRAM_AT);
    python.action("compile the program that starts services".to_owned(), argv, program)
}

/// Gives services to a process. `usr` is its system tree with the packages of the services.
pub fn add(command: &mut Command, planned: &PlannedServices, usr: Source) {
    let python = python(command, &planned.python);
    command.images.insert("/usr".to_owned(), usr);
    command.images.insert(PROGRAM_AT.to_owned(), planned.program);
    let program = ["-I", "-S", "-B", "-c", START].map(str::to_owned).into_iter();
    let description = format!("{PROGRAM_AT}/{DESCRIPTION_FILE}");
    let own = python.into_iter().chain(program).chain([description]);
    command.argv = own.chain(std::mem::take(&mut command.argv)).collect();
    for (name, value) in planned.services.iter().flat_map(Service::variables) {
        command.env.entry(name).or_insert(value);
    }
    add_to_path(&mut command.env, &planned.path);
}

/// The number of arguments that [`add`] puts before the command of a process; 0 if it has no services.
pub fn count_added(argv: &[String]) -> usize {
    let description = format!("{PROGRAM_AT}/{DESCRIPTION_FILE}");
    argv.iter().take(16).position(|word| *word == description).map_or(0, |position| position + 1)
}

/// The command line of the program's interpreter. Mounts it, unless the process has the same one.
fn python(command: &mut Command, python: &Interpreter) -> Vec<String> {
    let Some((at, image)) = python.mount() else { return vec![python.python.clone()] };
    if command.images.get(&at) == Some(&image) {
        return vec![python.python.clone()];
    }
    command.images.insert(PYTHON_AT.to_owned(), image);
    let libraries = format!("{PYTHON_AT}/{LIBRARIES}");
    let moved = format!("{PYTHON_AT}{}", python.python.strip_prefix(&at).unwrap_or(&python.python));
    vec![LOADER.to_owned(), "--library-path".to_owned(), libraries, moved]
}

/// Adds directories to `PATH`, after the scripts of requirements and before the system tree.
fn add_to_path(env: &mut BTreeMap<String, String>, dirs: &[String]) {
    let Some(path) = env.get_mut("PATH").filter(|_| !dirs.is_empty()) else { return };
    let (first, others) = path.split_once(':').unwrap_or((path.as_str(), ""));
    let all = [first].into_iter().chain(dirs.iter().map(String::as_str)).chain([others]).filter(|dir| !dir.is_empty());
    *path = all.collect::<Vec<_>>().join(":");
}

/// The path of a file of the tree of the program.
pub fn program_path(file: &str) -> RelPath {
    RelPath::parse(file).expect("the names of files are clean")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Digest;
    use crate::config::Config;
    use crate::services;

    fn tree(name: &str) -> Source {
        Source::Tree(Digest::of(name.as_bytes()))
    }

    fn planned() -> PlannedServices {
        let python = Interpreter {
            python: "/usr/bin/python3.11".to_owned(),
            version: "3.11.2".to_owned(),
            minor: "3.11".to_owned(),
            images: BTreeMap::from([("/usr".to_owned(), tree("usr"))]),
        };
        let services = services::find_all(&Config::default(), &["redis".to_owned()]).unwrap();
        PlannedServices { services, path: vec!["/usr/lib/it/bin".to_owned()], program: tree("program"), python }
    }

    fn command(usr: &str) -> Command {
        let images = BTreeMap::from([("/usr".to_owned(), tree(usr))]);
        let argv = ["/deps/bin/pytest", "a_test.py"].map(str::to_owned).to_vec();
        Command::new(argv, environment::base(), tree("sources"), images)
    }

    #[test]
    fn the_command_follows_the_program_that_starts_the_services() {
        let mut command = command("usr");
        add(&mut command, &planned(), tree("more"));
        let (own, rest) = command.argv.split_at(count_added(&command.argv));
        assert_eq!(own[..4], ["/usr/bin/python3.11", "-I", "-S", "-B"]);
        assert_eq!(rest, ["/deps/bin/pytest", "a_test.py"]);
        assert_eq!(count_added(rest), 0);
        assert_eq!(command.env["REDIS_URL"], "redis://127.0.0.1:6379/0");
        assert_eq!(command.env["PATH"], "/deps/bin:/usr/lib/it/bin:/usr/bin:/bin");
        assert_eq!(command.images["/usr"], tree("more"));
        assert!(!command.images.contains_key(PYTHON_AT));
    }

    #[test]
    fn a_process_with_another_interpreter_gets_that_of_the_program_elsewhere() {
        let mut command = command("other");
        add(&mut command, &planned(), tree("more"));
        assert_eq!(command.argv[0], LOADER);
        assert_eq!(command.argv[3], "/services/python/bin/python3.11");
        assert_eq!(command.images[PYTHON_AT], tree("usr"));
    }

    #[test]
    fn variables_of_the_user_take_precedence() {
        let mut command = command("usr");
        command.env.insert("REDIS_URL".to_owned(), "mine".to_owned());
        add(&mut command, &planned(), tree("more"));
        assert_eq!(command.env["REDIS_URL"], "mine");
    }
}
