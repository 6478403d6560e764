//! Processes with services: the command line of the program `waders_services.py`, which starts the services in the sandbox of the
//! process, and the actions that make what they start from. Which services a process has is decided in `prepare`.

use std::collections::BTreeMap;

use crate::action::{Action, Command, Measurement, Policy, Source};
use crate::base::{RelPath, sandbox_paths};
use crate::packaging::venv;
use crate::plan::interpreter::Interpreter;
use crate::plan::service_description::{DATA, PlannedService, filled_place};
use crate::plan::{environment, program_run};
use crate::services::Service;

/// The program that starts services: the name and the text of its file.
pub const PROGRAM: (&str, &str) = ("waders_services.py", include_str!("waders_services.py"));
/// The files of the Docker Engine API, which use the program.
pub const DOCKER: [(&str, &str); 3] = [
    ("waders_docker.py", include_str!("waders_docker.py")),
    ("waders_docker_command.py", include_str!("waders_docker_command.py")),
    ("waders_docker_requests.py", include_str!("waders_docker_requests.py")),
];
/// The name of the file with the description of the services.
pub const DESCRIPTION: &str = "services.json";
/// The name of the file with the description of the services that the Docker Engine API can start.
pub const CONTAINERS: &str = "docker.json";

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

/// The services of some processes.
#[derive(Clone, Debug)]
pub struct PlannedServices {
    /// In the order of their names.
    pub services: Vec<PlannedService>,
    /// The services that a Docker Engine API among them can start.
    pub offered: Vec<PlannedService>,
    /// The tree of the program, its bytecode and the description.
    pub program: Source,
    /// The interpreter of the program.
    pub python: Interpreter,
}

/// The action that makes the data directory of a service: its command `init`. `images` are the system tree with the packages and
/// everything else that the command may read.
pub fn initialize(
    planned: &PlannedService,
    init: &[String],
    images: BTreeMap<String, Source>,
    empty: Source,
) -> Action {
    let place = filled_place(&planned.service);
    // The shell searches the program in `PATH`.
    let argv = ["/bin/sh", "-c", "exec \"$@\"", "sh"].map(str::to_owned).into_iter();
    let argv = argv.chain(planned.service.command(init, &place)).collect();
    let command = Command::new(argv, planned.env(&place), empty, images);
    Action { command, policy: policy(format!("initialize {}", planned.service.name)) }
}

/// The command that reads an SQL file of the repository into a service.
pub fn read_sql(service: &Service, file: &RelPath, images: BTreeMap<String, Source>, sources: Source) -> Command {
    let words = service.command(&service.container.sql, &filled_place(service));
    let file = sandbox_paths::in_src(file.as_str());
    let line = format!("{} < {}", program_run::command_line(&words), program_run::command_line(&[file]));
    let argv = ["/bin/sh", "-ec", &line].map(str::to_owned).to_vec();
    Command::new(argv, environment::base(), sources, images)
}

/// The action that fills the data directory of a service by a command. The services of the command write to the output.
pub fn fill(service: &Service, entry: &str, command: Command) -> Action {
    Action { command, policy: policy(format!("fill {} with {entry}", service.name)) }
}

/// How data is made.
fn policy(label: String) -> Policy {
    let mut policy = Policy::new(label);
    policy.remote = true;
    // A new database has an identity of its own, and contains the time and random numbers.
    policy.measurements = vec![Measurement::log(), Measurement::directory(DATA)];
    policy
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
    let description = format!("{PROGRAM_AT}/{DESCRIPTION}");
    let own = python.into_iter().chain(program).chain([description]);
    command.argv = own.chain(std::mem::take(&mut command.argv)).collect();
    for service in planned.services.iter().chain(&planned.offered) {
        command.images.extend(service.data.map(|data| (service.data_at(), data)));
        add_to_path(&mut command.env, &service.path);
    }
    for PlannedService { service, .. } in &planned.services {
        for (name, value) in service.variables(&service.place()) {
            command.env.entry(name).or_insert(value);
        }
    }
}

/// The number of arguments that [`add`] puts before the command of a process; 0 if it has no services.
pub fn count_added(argv: &[String]) -> usize {
    let description = format!("{PROGRAM_AT}/{DESCRIPTION}");
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
        let service = services::find_all(&Config::default(), &["redis".to_owned()]).unwrap().remove(0);
        let path = vec!["/usr/lib/it/bin".to_owned()];
        let redis = PlannedService { service, packages: None, path, data: Some(tree("data")) };
        PlannedServices { services: vec![redis], offered: Vec::new(), program: tree("program"), python }
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
        assert_eq!(command.images["/services/data/redis"], tree("data"));
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
