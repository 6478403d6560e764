//! Remote execution on the workers of a real server: the results of steps, and what becomes of them if the server, a worker or the
//! user does not let them end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as HostCommand;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use waders::action::{Action, ActionGraph, Command, Exit, Limits, Origin, Outcome, Policy, Source, Step};
use waders::base::{Digest, RelPath, error_chain};
use waders::engine::local::runner::LocalSettings;
use waders::engine::local::{LocalActionCache, LocalRunner};
use waders::engine::remote::execution::{ExecutionSettings, RemoteRunner, StepProgram};
use waders::engine::remote::{Connection, RemoteSettings};
use waders::engine::{Audit, Cancellation, Engine, LateInputs, LocalShare, Preserve, StepResult, Workers, execute};
use waders::net;
use waders::store::{Node, Store, Tree};
use waders_sandbox::Isolation;

use super::link::{Link, Shape};
use super::servers::Casd;
use crate::transcripts::workspace::Workspace;

/// A store, a server with a worker, and the runner between them.
struct Cluster {
    server: Option<Casd>,
    store: Arc<Store>,
    program: StepProgram,
    runner: Arc<RemoteRunner>,
    settings: LocalSettings,
    runtime: tokio::runtime::Runtime,
    /// The user's request to stop.
    cancellation: Cancellation,
    dir: tempfile::TempDir,
}

impl Cluster {
    /// `None`, after a message, where a program is missing.
    fn start() -> Option<Cluster> {
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
        Some(Cluster { server, store, program, runner, settings, runtime, cancellation, dir })
    }

    /// A runner that knows nothing of the server yet.
    fn new_runner(&self) -> Arc<RemoteRunner> {
        runner(&self.store, &self.server.as_ref().unwrap().address(), &self.settings, self.program)
    }

    /// Sends what follows through a connection that the test controls.
    fn through(&mut self, link: &Link) {
        self.runner = runner(&self.store, &link.address(), &self.settings, self.program);
    }

    /// The engine of one run. No step can run on this machine: the program of these tests cannot start sandboxes.
    fn engine(&self, use_cache: bool) -> Arc<Engine> {
        let workers = Workers { runner: self.runner.clone(), parallelism: 8, local_share: LocalShare::None };
        Arc::new(Engine {
            store: self.store.clone(),
            cache: Arc::new(LocalActionCache::new(self.store.clone())),
            use_cache,
            use_partial_results: true,
            recording: None,
            audit: Audit::Off,
            preserve: Preserve::default(),
            runner: Arc::new(LocalRunner::new(self.store.clone(), self.settings.clone())),
            workers: Some(workers),
            remote: None,
            late_inputs: LateInputs::default(),
            client: net::Client::new(net::NetworkSettings::default()),
            unpackers: BTreeMap::new(),
            recipes: BTreeMap::new(),
            platform: self.settings.platform.clone(),
            parallelism: 1,
        })
    }

    /// Runs a script on a worker. `use_cache`: whether the result may be that of an earlier run.
    fn run(
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
        let running = execute(self.engine(use_cache), graph, &wanted, self.cancellation.clone(), |_| {});
        match &self.runtime.block_on(running)[&step] {
            Ok(StepResult { outcome: Some(outcome), .. }) => Ok(outcome.clone()),
            Ok(result) => panic!("{result:?}"),
            Err(error) => Err(error_chain(&**error)),
        }
    }

    /// Runs a script on a worker and returns its standard output.
    fn output(&self, script: &str, use_cache: bool) -> String {
        let (origin, outcome) = self.run(script, use_cache, |_| {}).unwrap();
        assert_eq!(origin, Origin::RanRemotely);
        assert_eq!(outcome.exit, Exit::Code(0), "{}", self.text(outcome.stderr));
        self.text(outcome.stdout)
    }

    /// Removes all contents from the server, which still has the results of actions.
    fn lose_contents(&self) {
        for dir in fs::read_dir(self.dir.path().join("cas/cas/objects")).unwrap().flatten() {
            for file in fs::read_dir(dir.path()).unwrap().flatten() {
                fs::remove_file(file.path()).unwrap();
            }
        }
    }

    fn text(&self, blob: Digest) -> String {
        String::from_utf8(self.store.get(blob).unwrap()).unwrap()
    }
}

fn runner(store: &Arc<Store>, address: &str, settings: &LocalSettings, program: StepProgram) -> Arc<RemoteRunner> {
    let connection = Arc::new(Connection::new(RemoteSettings::new(address)));
    // In a container of bubblewrap, a step must not be root.
    let user = ["unixUID", "unixGID"].map(|name| (name.to_owned(), "1000".to_owned()));
    let execution = ExecutionSettings {
        properties: user.into(),
        priority: 0,
        max_run: Duration::from_secs(60),
        max_queue: Duration::from_secs(60),
    };
    let connections = (connection.clone(), connection);
    Arc::new(RemoteRunner::new(store.clone(), connections, execution, settings.clone(), program))
}

/// The static program, which `.ci/run` builds.
fn step_program() -> Option<PathBuf> {
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

/// Whether a process with this word in its arguments runs on this machine.
fn is_running(word: &str) -> bool {
    !processes(word).is_empty()
}

/// The numbers of the other processes with this word in their arguments.
fn processes(word: &str) -> BTreeSet<String> {
    let has_word = |entry: &fs::DirEntry| {
        let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&arguments).contains(word)
    };
    let found = fs::read_dir("/proc").unwrap().flatten().filter(has_word);
    let numbers = found.map(|entry| entry.file_name().to_string_lossy().into_owned());
    numbers.filter(|number| *number != std::process::id().to_string()).collect()
}

#[test]
fn a_worker_gives_a_step_the_sandbox_of_a_local_run() {
    let Some(cluster) = Cluster::start() else { return };
    let script = "
        read line < dir/file; echo \"$line in $PWD\"; echo /* ; id -u 2>/dev/null; echo problem >&2
        : > dir/new; : > /out/empty; echo text > /out/file; cd /out; umask 0; : > open
        (echo > /usr/x) 2>/dev/null || echo read-only
    ";
    let (origin, outcome) = cluster.run(script, true, |_| {}).unwrap();
    assert_eq!((origin, outcome.exit, outcome.attempts), (Origin::RanRemotely, Exit::Code(0), 1));
    let expected = "a source in /src\n/bin /dev /etc /home /lib /lib64 /out /proc /src /tmp /usr\nread-only\n";
    assert_eq!(cluster.text(outcome.stdout), expected);
    assert_eq!(cluster.text(outcome.stderr), "problem\n");
    let output = cluster.store.tree(outcome.output).unwrap();
    let files: Vec<_> = output.nodes.iter().map(|(path, node)| (path.as_str(), node.content().unwrap())).collect();
    assert_eq!(files, [("empty", Digest::of(b"")), ("file", Digest::of(b"text\n")), ("open", Digest::of(b""))]);
    let (origin, again) = cluster.run(script, true, |_| {}).unwrap();
    assert_eq!((origin, again), (Origin::Cached, outcome), "the local cache has the result");
    assert!(fs::read_dir(cluster.dir.path().join("cas")).unwrap().next().is_some());
}

#[test]
fn every_end_of_a_step_is_that_of_a_local_run() {
    let Some(cluster) = Cluster::start() else { return };
    let exit = |script: &str, change: &dyn Fn(&mut Action)| cluster.run(script, true, change).unwrap().1.exit;
    let as_planned = |_: &mut Action| {};
    assert_eq!(exit("exit 3", &as_planned), Exit::Code(3));
    assert_eq!(exit("kill -9 $$", &as_planned), Exit::Signal(9));
    let in_time = |action: &mut Action| action.policy.timeout = Some(Duration::from_millis(300));
    assert_eq!(exit("while :; do :; done", &in_time), Exit::TimedOut);
    let with_report = |action: &mut Action| action.policy.required_output = Some(RelPath::parse("report").unwrap());
    assert_eq!(exit(":", &with_report), Exit::MissingOutput);
    assert_eq!(exit(": > /out/report", &with_report), Exit::Code(0));
    let repeated = |action: &mut Action| action.policy.attempts = 3;
    let (_, outcome) = cluster.run("exit 4", true, repeated).unwrap();
    assert_eq!((outcome.exit, outcome.attempts), (Exit::Code(4), 3));
    assert_eq!(cluster.runner.take_notice(), None);
}

#[test]
fn a_result_is_that_of_an_earlier_execution_only_if_the_run_uses_caches() {
    let Some(cluster) = Cluster::start() else { return };
    let script = "echo text > /out/file";
    assert!(cluster.run(script, true, |_| {}).is_ok());
    let before = cluster.runner.summary();
    let (origin, _) = cluster.run(script, false, |_| {}).unwrap();
    assert_eq!(origin, Origin::RanRemotely);
    let after = cluster.runner.summary();
    assert_eq!(after.steps, before.steps + 1);
    assert!(after.sent_bytes - before.sent_bytes < 10_000, "the images are not uploaded again: {after:?}");
}

#[test]
fn inputs_that_the_server_lost_are_uploaded_again() {
    let Some(cluster) = Cluster::start() else { return };
    assert_eq!(cluster.output("echo first", true), "first\n");
    // The runner knows that the server had the images.
    cluster.lose_contents();
    assert_eq!(cluster.output("echo second", true), "second\n");
    assert_eq!(cluster.runner.take_notice(), None);
}

#[test]
fn outputs_that_the_server_lost_are_made_again() {
    let Some(cluster) = Cluster::start() else { return };
    let script = "echo text; echo more > /out/file";
    let (_, first) = cluster.run(script, true, |_| {}).unwrap();
    cluster.lose_contents();
    // Another key for the local cache, and the same action for the server.
    let (_, second) = cluster.run(script, true, |action| action.policy.cache.read = false).unwrap();
    assert_eq!((first.stdout, first.output), (second.stdout, second.output));
}

#[test]
fn an_interrupt_ends_the_step_on_its_worker() {
    let Some(cluster) = Cluster::start() else { return };
    let marker = format!("marker-{}", std::process::id());
    let script = format!("while :; do : {marker}; done");
    let cancellation = cluster.cancellation.clone();
    let started = Arc::new(OnceLock::new());
    let watcher = std::thread::spawn({
        let (marker, started) = (marker.clone(), started.clone());
        move || {
            while !is_running(&marker) {
                std::thread::sleep(Duration::from_millis(50));
            }
            started.set(Instant::now()).unwrap();
            cancellation.escalate();
        }
    });
    let error = cluster.run(&script, true, |_| {}).unwrap_err();
    watcher.join().unwrap();
    assert_eq!(error, "interrupted by user");
    for _ in 0..100 {
        if !is_running(&marker) {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("the step still runs on the worker");
}

#[test]
fn a_server_that_ends_in_the_middle_of_a_step_is_used_no_more() {
    let Some(mut cluster) = Cluster::start() else { return };
    let marker = format!("ended-{}", std::process::id());
    let server = cluster.server.take();
    let killer = std::thread::spawn({
        let marker = marker.clone();
        move || {
            while !is_running(&marker) {
                std::thread::sleep(Duration::from_millis(50));
            }
            drop(server);
        }
    });
    let script = format!("while :; do : {marker}; done");
    // These tests cannot run the step on this machine, which is tried.
    let error = cluster.run(&script, true, |_| {}).unwrap_err();
    killer.join().unwrap();
    assert!(error.contains("the sandbox could not run `a step`"), "{error}");
    let (notice, hint) = cluster.runner.take_notice().unwrap();
    assert!(
        notice.starts_with("steps run on this machine instead of remote workers: cannot reach `grpc://"),
        "{notice}"
    );
    assert!(hint.is_some());
    assert_eq!(cluster.runner.take_notice(), None, "one warning");
}

/// Behaviour 7.
#[test]
fn a_step_goes_on_while_its_connection_is_made_again() {
    let Some(mut cluster) = Cluster::start() else { return };
    let link = Link::to(&cluster.server.as_ref().unwrap().address(), Shape::default());
    cluster.through(&link);
    assert_eq!(cluster.output("echo ready", true), "ready\n");
    let marker = format!("cut-{}", std::process::id());
    let script = format!("i=0; while [ $i -lt 400000 ]; do : {marker}; i=$((i+1)); done; echo $i");
    let watcher = std::thread::spawn({
        let marker = marker.clone();
        move || {
            while !is_running(&marker) {
                std::thread::sleep(Duration::from_millis(20));
            }
            link.cut();
            let mut seen = BTreeSet::new();
            while is_running(&marker) {
                seen.extend(processes(&marker));
                std::thread::sleep(Duration::from_millis(20));
            }
            (link, seen)
        }
    });
    assert_eq!(cluster.output(&script, true), "400000\n");
    let (link, seen) = watcher.join().unwrap();
    assert!(link.connections() >= 2 && seen.len() == 1, "{} connections, {seen:?}", link.connections());
    assert_eq!(cluster.runner.take_notice(), None);
}

#[test]
fn a_step_on_a_worker_cannot_give_its_output_a_setuid_bit() {
    let Some(cluster) = Cluster::start() else { return };
    let (_, outcome) = cluster.run(": > /out/file; chmod 4755 /out/file", true, |_| {}).unwrap();
    assert_eq!(outcome.exit, Exit::Code(1));
    assert!(cluster.text(outcome.stderr).contains("not permitted"), "{}", cluster.text(outcome.stderr));
}

#[test]
fn a_worker_that_enforces_lower_limits_is_refused() {
    let Some(mut cluster) = Cluster::start() else { return };
    // No user may have this many open files.
    cluster.settings.platform.limits.open_files = u64::MAX - 1;
    cluster.runner = cluster.new_runner();
    assert!(cluster.run(":", true, |_| {}).is_err(), "these tests cannot run it on this machine");
    let (notice, _) = cluster.runner.take_notice().unwrap();
    assert!(notice.contains("a worker cannot isolate steps: a limit of"), "{notice}");
}

#[test]
fn workers_give_the_bytes_of_this_machine() {
    let (dir, Some(workspace)) = (tempfile::tempdir().unwrap(), Workspace::running()) else { return };
    let (Some(server), Some(program)) = (Casd::start_executing(dir.path()), step_program()) else { return };
    let namespace = format!("--process-execution-cache-namespace=workers-{}", std::process::id());
    let goals = ["lint", "check", "test", "package", "sound::"];
    let flags = [
        namespace.clone(),
        "--remote-execution".to_owned(),
        format!("--remote-execution-address={}", server.address()),
        "--remote-execution-extra-platform-properties=['unixUID=1000', 'unixGID=1000']".to_owned(),
        "--remote-local-execution=never".to_owned(),
        format!("--remote-step-program={}", program.display()),
        "--trace=timeline.json".to_owned(),
    ];
    // Each by itself, because a finding of one goal ends the run.
    for goal in &goals[..4] {
        let remotely: Vec<&str> = flags.iter().map(String::as_str).chain([*goal, "sound::"]).collect();
        let run = workspace.waders("verifying", &remotely).output().unwrap();
        let stderr = String::from_utf8_lossy(&run.stderr);
        assert!(stderr.contains("Remote execution: ") && !stderr.contains("instead of"), "{goal}: {stderr}");
    }
    let timeline = fs::read(workspace.repository("verifying").join("timeline.json")).unwrap();
    let timeline: serde_json::Value = serde_json::from_slice(&timeline).unwrap();
    let is_remote = |event: &serde_json::Value| event["args"]["remote"] == true;
    assert!(timeline["traceEvents"].as_array().unwrap().iter().any(is_remote), "{timeline:#}");
    let verify: Vec<&str> = [namespace.as_str(), "verify", "--json"].into_iter().chain(goals).collect();
    let verified = workspace.waders("verifying", &verify).output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!(json["counts"]["different"], 0, "{json:#}");
    assert!(json["counts"]["identical"].as_u64().unwrap() > 3, "{json:#}");
}
