//! The caller's side: starts the spawner's process, sends it requests from any thread, and passes each result to the
//! requester. One thread reads the spawner's messages; no thread waits for a single step.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio as Pipe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::thread;

use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::sys::socket::{Shutdown, shutdown};
use nix::sys::stat::Mode;
use nix::unistd::{dup2_stdin, dup2_stdout};

use crate::error::Context;
use crate::wire::{self, CallerMessage, SpawnerMessage};
use crate::{Error, Isolation, Kernel, Outcome, Request, Stdio, serve, sys};

const SPAWNER_ARG: &str = "--waders-spawner";
const UNISOLATED_SPAWNER_ARG: &str = "--waders-unisolated-spawner";

/// Turns this process into a spawner if [`Spawner::start`] started it as one, and then does not return; otherwise does
/// nothing. Must be the first statement of `main`, before any thread starts.
#[expect(clippy::print_stderr, reason = "the spawner has no other way to report why it ends")]
pub fn spawner_main_if_asked() {
    let unisolated = match std::env::args_os().nth(1) {
        Some(arg) if arg == OsStr::new(SPAWNER_ARG) => false,
        Some(arg) if arg == OsStr::new(UNISOLATED_SPAWNER_ARG) => true,
        _ => return,
    };
    let code = match take_socket().and_then(|socket| serve::serve(socket, unisolated)) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("error: the spawner failed: {error}");
            1
        }
    };
    std::process::exit(code);
}

/// Takes the caller's socket, which is stdin here, and closes all other descriptors that the caller leaked.
fn take_socket() -> Result<OwnedFd, Error> {
    sys::close_from(3).context("close inherited descriptors")?;
    let socket = fcntl(std::io::stdin(), FcntlArg::F_DUPFD_CLOEXEC(3)).context("duplicate the caller's socket")?;
    let socket = sys::take_ownership(socket);
    let null = open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty()).context("open `/dev/null`")?;
    dup2_stdin(&null).context("close stdin")?;
    dup2_stdout(&null).context("close stdout")?;
    Ok(socket)
}

/// Handle on the spawner's process. Runs requests from any thread, concurrently. When it is dropped or this process
/// dies, every sandbox is killed.
pub struct Spawner {
    program: PathBuf,
    isolated: Process,
    /// Runs requests with `Isolation::None`, which need a spawner outside of every namespace. Few runs have any.
    unisolated: OnceLock<Process>,
    starting_unisolated: Mutex<()>,
}

impl Spawner {
    /// Re-executes this program, whose `main` must begin with [`spawner_main_if_asked`]. Takes a few milliseconds.
    ///
    /// # Errors
    /// If the process cannot be started. A machine that cannot isolate is not an error here: see [`Spawner::kernel`].
    pub fn start() -> Result<Spawner, Error> {
        Spawner::start_as(Path::new("/proc/self/exe"))
    }

    /// Executes another program whose `main` begins with [`spawner_main_if_asked`], for callers whose own `main` does
    /// not, such as a test binary with the standard harness.
    ///
    /// # Errors
    /// If the process cannot be started.
    pub fn start_as(program: &Path) -> Result<Spawner, Error> {
        let (program, isolated) = (program.to_owned(), Process::start(program, SPAWNER_ARG)?);
        Ok(Spawner { program, isolated, unisolated: OnceLock::new(), starting_unisolated: Mutex::new(()) })
    }

    /// The isolation features of this machine, as the spawner found them.
    pub fn kernel(&self) -> &Kernel {
        &self.isolated.kernel
    }

    /// The process id of the spawner, the parent of every sandbox.
    pub fn pid(&self) -> u32 {
        self.isolated.pid
    }

    /// Starts a request. Dropping the returned value kills the step.
    ///
    /// # Errors
    /// If the request could not be sent. Everything later is reported by [`Running::wait`].
    pub fn run(&self, request: &Request, stdout: OwnedFd, stderr: OwnedFd) -> Result<Running, Error> {
        let (sender, ended) = mpsc::channel();
        let streams = Streams { stdin: None, stdout, stderr };
        let handle = self.start_step(request, streams, usize::MAX, move |result| {
            // Fails if the receiver was dropped: then nothing waits for the result.
            let _ = sender.send(result);
        })?;
        Ok(Running { handle, ended })
    }

    /// Starts a request and calls `done` once with its result, on the crate's single reader thread: `done` must not
    /// block. `upcoming` is the number of requests that are known to follow soon; up to 3 sandboxes are prepared for
    /// them.
    ///
    /// # Errors
    /// If the request could not be sent. Everything later is passed to `done`.
    pub fn start_step(
        &self,
        request: &Request,
        streams: Streams,
        upcoming: usize,
        done: impl FnOnce(Result<Outcome, Error>) + Send + 'static,
    ) -> Result<Handle, Error> {
        let process = if request.isolation == Isolation::None { self.unisolated()? } else { &self.isolated };
        let body = wire::write_body(request)?;
        let Streams { stdin, stdout, stderr } = streams;
        let stdin = match (request.stdio, stdin) {
            (Stdio::Captured, _) => {
                open("/dev/null", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()).context("open `/dev/null`")?
            }
            (Stdio::Inherited | Stdio::Terminal, Some(stdin)) => stdin,
            (Stdio::Inherited | Stdio::Terminal, None) => {
                std::io::stdin().as_fd().try_clone_to_owned().context("duplicate stdin")?
            }
        };
        process.connection.run([body, stdin, stdout, stderr], upcoming, Box::new(done))
    }

    fn unisolated(&self) -> Result<&Process, Error> {
        let _guard = lock(&self.starting_unisolated);
        if let Some(process) = self.unisolated.get() {
            return Ok(process);
        }
        let process = Process::start(&self.program, UNISOLATED_SPAWNER_ARG)?;
        Ok(self.unisolated.get_or_init(|| process))
    }
}

/// The standard streams of a step.
#[derive(Debug)]
pub struct Streams {
    /// Standard input, unless it is captured. `None` for the caller's.
    pub stdin: Option<OwnedFd>,
    /// Standard output.
    pub stdout: OwnedFd,
    /// Standard error.
    pub stderr: OwnedFd,
}

/// A started request. Dropping it kills the step.
pub struct Running {
    handle: Handle,
    ended: mpsc::Receiver<Result<Outcome, Error>>,
}

impl Running {
    /// Waits until every process of the step has ended.
    ///
    /// # Errors
    /// If the step could not be started or supervised. A second call returns [`Error::SpawnerGone`].
    pub fn wait(&self) -> Result<Outcome, Error> {
        self.ended.recv().unwrap_or(Err(Error::SpawnerGone))
    }

    /// Like [`Handle::interrupt`].
    pub fn interrupt(&self) {
        self.handle.interrupt();
    }

    /// Like [`Handle::kill`].
    pub fn kill(&self) {
        self.handle.kill();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.kill();
    }
}

/// Handle to cancel a step from any thread; a no-op after it has ended.
#[derive(Clone)]
pub struct Handle {
    connection: Arc<Connection>,
    id: u64,
}

impl Handle {
    /// Sends SIGINT to the leader. The whole step is killed after its grace period or at the second call.
    pub fn interrupt(&self) {
        self.connection.send(&CallerMessage::Interrupt { id: self.id });
    }

    /// Sends SIGKILL to every process of the step.
    pub fn kill(&self) {
        self.connection.send(&CallerMessage::Kill { id: self.id });
    }
}

type Callback = Box<dyn FnOnce(Result<Outcome, Error>) + Send>;

/// The socket to a spawner and the requests that it has not answered.
struct Connection {
    socket: OwnedFd,
    next_id: AtomicU64,
    /// By request id; `None` after the spawner is gone.
    callbacks: Mutex<Option<HashMap<u64, Callback>>>,
}

impl Connection {
    fn run(self: &Arc<Connection>, fds: [OwnedFd; 4], upcoming: usize, done: Callback) -> Result<Handle, Error> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        lock(&self.callbacks).as_mut().ok_or(Error::SpawnerGone)?.insert(id, done);
        let fds = fds.each_ref().map(AsFd::as_fd);
        if let Err(error) = wire::send(self.socket.as_fd(), &CallerMessage::Run { id, upcoming }, &fds) {
            let callback = lock(&self.callbacks).as_mut().and_then(|callbacks| callbacks.remove(&id));
            // If the spawner ended in between, the reader thread has already called the callback.
            return if callback.is_some() { Err(error) } else { Err(Error::SpawnerGone) };
        }
        Ok(Handle { connection: Arc::clone(self), id })
    }

    fn send(&self, message: &CallerMessage) {
        // Fails only if the spawner is gone, and then the step is too.
        let _ = wire::send(self.socket.as_fd(), message, &[]);
    }

    fn read_messages(&self) {
        while let Ok(Some((message, fds))) = wire::receive::<SpawnerMessage>(self.socket.as_fd()) {
            let SpawnerMessage::Ended { id, mut result } = message else { continue };
            if let (Ok(outcome), Some(trace)) = (&mut result, fds.first()) {
                match wire::read_trace(trace) {
                    Ok(trace) => outcome.trace = Some(trace),
                    Err(error) => result = Err(error),
                }
            }
            let callback = lock(&self.callbacks).as_mut().and_then(|callbacks| callbacks.remove(&id));
            if let Some(callback) = callback {
                callback(result);
            }
        }
        let unanswered = lock(&self.callbacks).take().unwrap_or_default();
        for callback in unanswered.into_values() {
            callback(Err(Error::SpawnerGone));
        }
    }
}

/// A spawner's process and the thread that reads its messages.
struct Process {
    connection: Arc<Connection>,
    kernel: Kernel,
    pid: u32,
    child: Mutex<Child>,
    reader: Option<thread::JoinHandle<()>>,
}

impl Process {
    #[expect(clippy::disallowed_methods, reason = "the spawner starts the containers in which steps run")]
    fn start(program: &Path, arg: &str) -> Result<Process, Error> {
        let (socket, theirs) = wire::socket_pair()?;
        let mut child = Command::new(program)
            .arg0("waders-spawner")
            .arg(arg)
            .env_clear()
            .current_dir("/")
            .stdin(theirs)
            .stdout(Pipe::null())
            .spawn()
            .context("start the spawner")?;
        let pid = child.id();
        let kernel = match wire::receive::<SpawnerMessage>(socket.as_fd())? {
            Some((SpawnerMessage::Ready(kernel), _)) => kernel,
            _ => {
                let _ = child.wait();
                return Err(Error::SpawnerGone);
            }
        };
        let callbacks = Mutex::new(Some(HashMap::new()));
        let connection = Arc::new(Connection { socket, next_id: AtomicU64::new(0), callbacks });
        let reading = Arc::clone(&connection);
        let reader = thread::Builder::new().name("sandbox reader".to_owned()).spawn(move || reading.read_messages());
        let reader = Some(reader.context("start a thread")?);
        Ok(Process { connection, kernel, pid, child: Mutex::new(child), reader })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The spawner reads end of file, ends its sandboxes and exits; then the reader thread reads end of file too.
        let _ = shutdown(self.connection.socket.as_raw_fd(), Shutdown::Write);
        let _ = lock(&self.child).wait();
        // A callback may hold the last handle, so that this runs on the reader thread, which cannot join itself.
        if let Some(reader) = self.reader.take().filter(|reader| reader.thread().id() != thread::current().id()) {
            let _ = reader.join();
        }
    }
}

/// A panic in a callback does not leave the data inconsistent, so a poisoned lock is still usable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
