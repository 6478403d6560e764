//! Plans the leak tests: programs that try to leave the sandbox or to learn about the machine, each in a sandbox of its own.
//! They are the tests of the crate `waders-sandbox` and those in `tests/leak`, contained in this program.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::action::{ActionGraph, Source, StepId};
use crate::base::{RelPath, sandbox_paths};
use crate::prepare::{Error, Planner};
use crate::session::{Session, toolchains};
use crate::store::{Node, Store, Tree};

/// The tests whose names are printed, with their programs. Left out are those of limits, which the settings of `[sandbox]` change.
macro_rules! escapes {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../sandbox/tests/escape/", $name, ".py")))),*]
    };
}

const ESCAPES: &[(&str, &str)] = escapes!(
    "denied_system_calls",
    "descriptors",
    "environment",
    "fingerprints",
    "host_files",
    "host_proc_files",
    "mount_table",
    "mounts",
    "namespaces",
    "network",
    "other_architectures",
    "other_processes",
    "parent_directories",
    "privileges",
    "shared_memory",
    "socket_families",
    "special_files",
    "terminal",
    "writes",
    "writes_by_descriptor",
);

/// Defines a function for each property of the host that a step might see.
const OBSERVE: &str = include_str!("../../tests/leak/observe.py");
/// Prints what the functions found. The kernel's release has no namespace: docs/sandbox.md.
const OBSERVE_ALL: &str = "import observe
for name, function in sorted(observe.ITEMS.items()):
    if name != 'a9_kernel_release':
        for leak in function():
            print(f'{name}: {leak}')
";

const OBSERVATIONS: &str = "observations";

/// The mount point of the other programs.
const AT: &str = "/probes";
/// A test that takes longer is stuck.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The leak tests.
pub struct PlannedProbes {
    /// Their steps, and what they need.
    pub graph: ActionGraph,
    /// The name and the step of each.
    pub steps: Vec<(String, StepId)>,
}

/// Plans all leak tests with the default interpreter of the repository.
///
/// # Errors
/// If there is no interpreter, or the store cannot be written.
pub fn plan(session: &mut Session) -> Result<PlannedProbes, Error> {
    let store = session.services.open_store()?;
    let constraints = toolchains::constraints_of_build_files(session)?;
    let mut planner = Planner::new(session)?;
    let interpreter = planner.interpreter(&constraints)?;
    let mut programs: BTreeMap<String, &str> = BTreeMap::new();
    programs.extend(ESCAPES.iter().map(|(name, program)| (format!("{name}.py"), *program)));
    programs.extend([("observe.py".to_owned(), OBSERVE), (format!("{OBSERVATIONS}.py"), OBSERVE_ALL)]);
    let programs = Source::Tree(tree(&store, &programs)?);
    // The files that the programs expect at `/src`.
    let sources = [("package/module.py", "VALUE = 1\n"), ("data.txt", "declared\n")];
    let sources = sources.map(|(path, text)| (path.to_owned(), text)).into();
    let sources = Source::Tree(tree(&store, &sources)?);
    let names = ESCAPES.iter().map(|(name, _)| *name).chain([OBSERVATIONS]);
    let mut steps = Vec::new();
    for name in names {
        let is_observing = name == OBSERVATIONS;
        let (at, sources) = if is_observing { (sandbox_paths::SRC, programs) } else { (AT, sources) };
        let argv = vec![interpreter.python.clone(), "-B".to_owned(), format!("{at}/{name}.py")];
        let mut action = interpreter.action(format!("leak test {name}"), argv, sources);
        if !is_observing {
            action.command.images.insert(AT.to_owned(), programs);
            action.command.env = environment(&interpreter.python);
        }
        action.policy.timeout = Some(TIMEOUT);
        // The machine is not part of the key.
        (action.policy.cache.read, action.policy.cache.write) = (false, false);
        steps.push((name.to_owned(), planner.add(action)));
    }
    Ok(PlannedProbes { graph: planner.actions, steps })
}

/// The whole environment that the programs expect.
fn environment(python: &str) -> BTreeMap<String, String> {
    let bin = python.rsplit_once('/').map_or("/usr/bin", |(dir, _)| dir);
    let path = if bin == "/usr/bin" { bin.to_owned() } else { format!("{bin}:/usr/bin") };
    let variables = [
        ("HOME", sandbox_paths::HOME),
        ("LANG", "C.UTF-8"),
        ("PATH", &path),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("PYTHONHASHSEED", "0"),
        ("TMPDIR", sandbox_paths::TMP),
        ("TZ", "UTC"),
    ];
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn tree(store: &Store, files: &BTreeMap<String, &str>) -> Result<crate::base::Digest, Error> {
    let mut nodes = BTreeMap::new();
    for (path, text) in files {
        let digest = store.put(text.as_bytes()).map_err(crate::session::Error::from)?;
        let path = RelPath::parse(path).expect("the names of the programs are clean paths");
        nodes.insert(path, Node::File { digest, executable: false });
    }
    Ok(store.put_tree(&Tree { nodes }).map_err(crate::session::Error::from)?)
}
