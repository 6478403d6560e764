//! A real server with a worker, and a client of it, for tests of remote execution.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as HostCommand;
use std::sync::mpsc::Sender;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use waders::action::{Action, ActionGraph, Command, Event, Exit, Limits, Origin, Outcome, Policy, Source, Step};
use waders::base::{Digest, RelPath, error_chain};
use waders::engine::local::runner::LocalSettings;
use waders::engine::local::{LocalActionCache, LocalRunner};
use waders::engine::remote::execution::{ExecutionSettings, RemoteRunner, Servers, StepProgram};
use waders::engine::remote::{Connection, RemoteSettings};
use waders::engine::{Audit, Cancellation, Engine, LateInputs, LocalShare, Preserve, StepResult, Workers, execute};
use waders::net;
use waders::store::{Node, Store, Tree};
use waders_sandbox::Isolation;

use super::link::Link;
use super::servers::Casd;

/// A store, a server with a worker, and the runner between them.
pub(super) struct Cluster {
    pub(super) server: Option<Casd>,
    pub(super) store: Arc<Store>,
    pub(super) program: StepProgram,
    pub(super) runner: Arc<RemoteRunner>,
    pub(super) settings: LocalSettings,
    pub(super) runtime: tokio::runtime::Runtime,
    /// The user's request to stop.
    pub(super) cancellation: Cancellation,
    /// Gets the lines of running steps, if a test wants to see them.
    pub(super) lines: Option<Sender<String>>,
    pub(super) dir: tempfile::TempDir,
}

impl Cluster {
    /// `None`, after a message, where a program is missing.
    pub(super) fn start() -> Option<Cluster> {
        let dir = tempfile::tempdir().unwrap();
        let server = Casd::start_executing(dir.path())?;
        let store = Arc::new(Store::open(&dir.path().join("store")).unwrap());
        let program = StepProgram::load(&store, &step_program()?).unwrap();
        let limits = Limits {
            scratch_bytes: 64 << 20,
            scratch_inodes: 1000,
            processes: 64,
            open_files: 256,
            file_bytes: 1 << 30,
            memory_bytes: None,
            process_memory_bytes: None,
        };
        let settings = LocalSettings::new(Isolation::Full, limits, Duration::from_secs(1), None);
        let runner = runner(&store, &server.address(), &settings, program);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
        let (server, cancellation) = (Some(server), Cancellation::default());
        Some(Cluster { server, store, program, runner, settings, runtime, cancellation, lines: None, dir })
    }

    /// A runner that knows nothing of the server yet.
    pub(super) fn new_runner(&self) -> Arc<RemoteRunner> {
        runner(&self.store, &self.server.as_ref().unwrap().address(), &self.settings, self.program)
    }

    /// Sends what follows through a connection that the test controls.
    pub(super) fn through(&mut self, link: &Link) {
        self.runner = runner(&self.store, &link.address(), &self.settings, self.program);
    }

    /// Executes what follows through another server, which also has the log streams.
    pub(super) fn execute_through(&mut self, address: &str) {
        let storage = connection(&self.server.as_ref().unwrap().address());
        let servers = Servers { storage, ..Servers::one(connection(address)) };
        self.runner = runner_with(&self.store, servers, &self.settings, self.program);
    }

    /// The engine of one run. No step can run on this machine: the program of these tests cannot start sandboxes.
    pub(super) fn engine(&self, use_cache: bool) -> Arc<Engine> {
        let workers = Workers { runner: self.runner.clone(), parallelism: 8, local_share: LocalShare::None };
        Arc::new(Engine {
            store: self.store.clone(),
            cache: Arc::new(LocalActionCache::new(self.store.clone())),
            use_cache,
            use_partial_results: true,
            recording: None,
            audit: Audit::Off,
            shows_output: self.lines.is_some(),
            preserve: Preserve::default(),
            runner: Arc::new(LocalRunner::new(self.store.clone(), self.settings.clone())),
            workers: Some(workers),
            remote: None,
            late_inputs: LateInputs::default(),
            logins: Arc::new(|_| Ok(net::Login::Anonymous)),
            client: net::Client::new(net::NetworkSettings::default()),
            unpackers: BTreeMap::new(),
            recipes: BTreeMap::new(),
            platform: self.settings.platform.clone(),
            parallelism: 1,
        })
    }

    /// Runs a script on a worker. `use_cache`: whether the result may be that of an earlier run.
    pub(super) fn run(
        &self,
        script: &str,
        use_cache: bool,
        change: impl FnOnce(&mut Action),
    ) -> Result<(Origin, Outcome), String> {
        let images = BTreeMap::from([("/usr".to_owned(), Source::Tree(shell(&self.store)))]);
        let argv = ["/usr/bin/sh", "-c", script].map(str::to_owned).to_vec();
        let env = BTreeMap::from([("PATH".to_owned(), "/usr/bin".to_owned())]);
        let sources = self.store.put(b"a source\n").unwrap();
        let node = Node::File { digest: sources, executable: false };
        let sources = Tree { nodes: [(RelPath::parse("dir/file").unwrap(), node)].into() };
        let sources = self.store.put_tree(&sources).unwrap();
        let command = Command::new(argv, env, Source::Tree(sources), images);
        let mut policy = Policy::new("a step".to_owned());
        policy.remote = true;
        let mut action = Action { command, policy };
        change(&mut action);
        let mut graph = ActionGraph::default();
        let step = graph.add(Step::Run(Box::new(action)));
        let wanted = [step];
        let lines = self.lines.clone();
        let events = move |event| {
            if let (Some(lines), Event::Line { text, .. }) = (&lines, event) {
                lines.send(text).unwrap();
            }
        };
        let running = execute(self.engine(use_cache), graph, &wanted, self.cancellation.clone(), events);
        match &self.runtime.block_on(running)[&step] {
            Ok(StepResult { outcome: Some(outcome), .. }) => Ok(outcome.clone()),
            Ok(result) => panic!("{result:?}"),
            Err(error) => Err(error_chain(&**error)),
        }
    }

    /// Runs a script on a worker and returns its standard output.
    pub(super) fn output(&self, script: &str, use_cache: bool) -> String {
        let (origin, outcome) = self.run(script, use_cache, |_| {}).unwrap();
        assert_eq!(origin, Origin::RanRemotely);
        assert_eq!(outcome.exit, Exit::Code(0), "{}", self.text(outcome.stderr));
        self.text(outcome.stdout)
    }

    /// Removes all contents from the server, which still has the results of actions.
    pub(super) fn lose_contents(&self) {
        for dir in fs::read_dir(self.dir.path().join("cas/cas/objects")).unwrap().flatten() {
            for file in fs::read_dir(dir.path()).unwrap().flatten() {
                fs::remove_file(file.path()).unwrap();
            }
        }
    }

    pub(super) fn text(&self, blob: Digest) -> String {
        String::from_utf8(self.store.get(blob).unwrap()).unwrap()
    }
}

fn runner(store: &Arc<Store>, address: &str, settings: &LocalSettings, program: StepProgram) -> Arc<RemoteRunner> {
    runner_with(store, Servers::one(connection(address)), settings, program)
}

fn connection(address: &str) -> Arc<Connection> {
    Arc::new(Connection::new(RemoteSettings::new(address)))
}

fn runner_with(
    store: &Arc<Store>,
    servers: Servers,
    settings: &LocalSettings,
    program: StepProgram,
) -> Arc<RemoteRunner> {
    // In a container of bubblewrap, a step must not be root.
    let user = ["unixUID", "unixGID"].map(|name| (name.to_owned(), "1000".to_owned()));
    let execution = ExecutionSettings {
        properties: user.into(),
        priority: 0,
        max_run: Duration::from_secs(60),
        max_queue: Duration::from_secs(60),
    };
    Arc::new(RemoteRunner::new(store.clone(), servers, execution, settings.clone(), program))
}

/// The static program, which `.ci/run` builds.
pub(super) fn step_program() -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/ci/waders-step");
    let program = std::env::var_os("WADERS_TEST_STEP").map_or(default, PathBuf::from);
    if !program.exists() {
        println!("skipped: WADERS_TEST_STEP is not set, and `target/ci/waders-step` does not exist");
        return None;
    }
    Some(program)
}

/// A system tree with a shell, `chmod` and their libraries, from this machine.
fn shell(store: &Store) -> Digest {
    static TREE: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
    let files = TREE.get_or_init(|| {
        let output = HostCommand::new("ldd").args(["/bin/sh", "/bin/chmod"]).output().unwrap();
        let listed = String::from_utf8(output.stdout).unwrap();
        let libraries = listed.split_whitespace().filter(|word| word.starts_with("/lib")).map(str::to_owned);
        let read = |path: String| {
            let name = path.trim_start_matches('/').trim_start_matches("usr/").to_owned();
            (name, fs::read(path).unwrap())
        };
        libraries.chain(["/bin/sh".to_owned(), "/bin/chmod".to_owned()]).map(read).collect()
    });
    let node = |(name, bytes): &(String, Vec<u8>)| {
        let digest = store.put(bytes).unwrap();
        (RelPath::parse(name).unwrap(), Node::File { digest, executable: true })
    };
    store.put_tree(&Tree { nodes: files.iter().map(node).collect() }).unwrap()
}
