//! The caller's side: starts the spawner's process, sends it requests from any thread, and tells each requester what
//! became of it. One thread reads the answers; no thread waits for a step.

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

use crate::error::Doing;
use crate::wire::{self, Answer, Ask};
use crate::{Error, Isolation, Kernel, Outcome, Request, Stdio, serve, sys};

const MARK: &str = "--waders-spawner";
const BARE_MARK: &str = "--waders-bare-spawner";

/// The first thing in `main`: when this process was started to be a spawner, it is one and never returns.
pub fn spawner_main_if_asked() {
    let bare = match std::env::args_os().nth(1) {
        Some(word) if word == OsStr::new(MARK) => false,
        Some(word) if word == OsStr::new(BARE_MARK) => true,
        _ => return,
    };
    let code = match take_socket().and_then(|socket| serve::serve(socket, bare)) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("error: the spawner stops: {error}");
            1
        }
    };
    std::process::exit(code);
}

/// Our stdin is the caller's socket. Nothing else of the caller's stays open.
fn take_socket() -> Result<OwnedFd, Error> {
    sys::close_from(3).doing("close what is the caller's")?;
    let socket = fcntl(std::io::stdin(), FcntlArg::F_DUPFD_CLOEXEC(3)).doing("take the caller's socket")?;
    let socket = sys::adopt(socket);
    let null = open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty()).doing("open `/dev/null`")?;
    dup2_stdin(&null).doing("close stdin")?;
    dup2_stdout(&null).doing("close stdout")?;
    Ok(socket)
}

/// Runs requests, as many at once as asked, from any thread. When the last handle is dropped, or this process dies,
/// every sandbox dies.
pub struct Spawner {
    program: PathBuf,
    walled: Process,
    /// Steps without walls need a spawner outside of every namespace; few runs have such steps.
    bare: OnceLock<Process>,
    starting_bare: Mutex<()>,
}

impl Spawner {
    /// Re-executes this program, whose `main` must begin with [`spawner_main_if_asked`].
    pub fn start() -> Result<Spawner, Error> {
        Spawner::start_as(Path::new("/proc/self/exe"))
    }

    /// Executes another program whose `main` begins with [`spawner_main_if_asked`]: a test's own `main` does not.
    pub fn start_as(program: &Path) -> Result<Spawner, Error> {
        let (program, walled) = (program.to_owned(), Process::start(program, MARK)?);
        Ok(Spawner { program, walled, bare: OnceLock::new(), starting_bare: Mutex::new(()) })
    }

    pub fn kernel(&self) -> &Kernel {
        &self.walled.kernel
    }

    /// The process that is every sandbox's parent.
    pub fn pid(&self) -> u32 {
        self.walled.pid
    }

    /// Starts a request. Dropping what is returned kills the step.
    pub fn run(&self, request: &Request, stdout: OwnedFd, stderr: OwnedFd) -> Result<Running, Error> {
        let (sender, ended) = mpsc::channel();
        let handle = self.start_step(request, stdout, stderr, usize::MAX, move |result| {
            // Whoever no longer waits does not need to know.
            let _ = sender.send(result);
        })?;
        Ok(Running { handle, ended })
    }

    /// Starts a request and calls `done` once, on the library's one reader thread: it must not block. `stdin` is empty, or
    /// this process's own for [`Stdio::Inherited`]. `others` is how many requests are known to follow soon: for them, up to
    /// a few, sandboxes are set up ahead.
    pub fn start_step(
        &self,
        request: &Request,
        stdout: OwnedFd,
        stderr: OwnedFd,
        others: usize,
        done: impl FnOnce(Result<Outcome, Error>) + Send + 'static,
    ) -> Result<Handle, Error> {
        let process = if request.isolation == Isolation::None { self.bare()? } else { &self.walled };
        let body = wire::write_body(request)?;
        let stdin = match request.stdio {
            Stdio::Captured => {
                open("/dev/null", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()).doing("open `/dev/null`")?
            }
            Stdio::Inherited => std::io::stdin().as_fd().try_clone_to_owned().doing("duplicate stdin")?,
        };
        process.shared.run([body, stdin, stdout, stderr], others, Box::new(done))
    }

    fn bare(&self) -> Result<&Process, Error> {
        let _one_at_a_time = lock(&self.starting_bare);
        if let Some(process) = self.bare.get() {
            return Ok(process);
        }
        let process = Process::start(&self.program, BARE_MARK)?;
        Ok(self.bare.get_or_init(|| process))
    }
}

/// A step that has been asked for.
pub struct Running {
    handle: Handle,
    ended: mpsc::Receiver<Result<Outcome, Error>>,
}

impl Running {
    /// Waits until nothing of the step is left.
    pub fn wait(&self) -> Result<Outcome, Error> {
        self.ended.recv().unwrap_or(Err(Error::SpawnerGone))
    }

    pub fn interrupt(&self) {
        self.handle.interrupt();
    }

    pub fn kill(&self) {
        self.handle.kill();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.kill();
    }
}

/// Ends a step from anywhere. Knows nothing once it has ended.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
    id: u64,
}

impl Handle {
    /// SIGINT to the step's leader, and SIGKILL to all of it after the grace period or at the second call.
    pub fn interrupt(&self) {
        self.shared.send(&Ask::Interrupt { id: self.id });
    }

    /// SIGKILL to all of it, now.
    pub fn kill(&self) {
        self.shared.send(&Ask::Kill { id: self.id });
    }
}

type Done = Box<dyn FnOnce(Result<Outcome, Error>) + Send>;

struct Shared {
    socket: OwnedFd,
    next: AtomicU64,
    /// `None` once the spawner is gone.
    waiting: Mutex<Option<HashMap<u64, Done>>>,
}

impl Shared {
    fn run(self: &Arc<Shared>, fds: [OwnedFd; 4], others: usize, done: Done) -> Result<Handle, Error> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        lock(&self.waiting).as_mut().ok_or(Error::SpawnerGone)?.insert(id, done);
        let fds = fds.each_ref().map(AsFd::as_fd);
        if let Err(error) = wire::send(self.socket.as_fd(), &Ask::Run { id, others }, &fds) {
            let mine = lock(&self.waiting).as_mut().and_then(|waiting| waiting.remove(&id));
            // Already told by the reader when the spawner went away in between.
            return if mine.is_some() { Err(error) } else { Err(Error::SpawnerGone) };
        }
        Ok(Handle { shared: Arc::clone(self), id })
    }

    fn send(&self, ask: &Ask) {
        // A spawner that is gone has taken the step with it.
        let _ = wire::send(self.socket.as_fd(), ask, &[]);
    }

    fn read_answers(&self) {
        while let Ok(Some((answer, _))) = wire::receive::<Answer>(self.socket.as_fd()) {
            let Answer::Ended { id, result } = answer else { continue };
            let done = lock(&self.waiting).as_mut().and_then(|waiting| waiting.remove(&id));
            if let Some(done) = done {
                done(result);
            }
        }
        let left = lock(&self.waiting).take().unwrap_or_default();
        for done in left.into_values() {
            done(Err(Error::SpawnerGone));
        }
    }
}

/// A spawner's process and the thread that reads its answers.
struct Process {
    shared: Arc<Shared>,
    kernel: Kernel,
    pid: u32,
    child: Mutex<Child>,
    reader: Option<thread::JoinHandle<()>>,
}

impl Process {
    fn start(program: &Path, mark: &str) -> Result<Process, Error> {
        let (socket, theirs) = wire::pair()?;
        let mut child = Command::new(program)
            .arg0("waders-spawner")
            .arg(mark)
            .env_clear()
            .current_dir("/")
            .stdin(theirs)
            .stdout(Pipe::null())
            .spawn()
            .doing("start the spawner")?;
        let pid = child.id();
        let kernel = match wire::receive::<Answer>(socket.as_fd())? {
            Some((Answer::Ready(kernel), _)) => kernel,
            _ => {
                let _ = child.wait();
                return Err(Error::SpawnerGone);
            }
        };
        let shared = Arc::new(Shared { socket, next: AtomicU64::new(0), waiting: Mutex::new(Some(HashMap::new())) });
        let reading = Arc::clone(&shared);
        let reader = thread::Builder::new().name("sandbox answers".to_owned()).spawn(move || reading.read_answers());
        let reader = Some(reader.doing("start a thread")?);
        Ok(Process { shared, kernel, pid, child: Mutex::new(child), reader })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The spawner sees the end of the stream, stops, and its sandboxes with it; then the reader sees the same.
        let _ = shutdown(self.shared.socket.as_raw_fd(), Shutdown::Write);
        let _ = lock(&self.child).wait();
        if let Some(reader) = self.reader.take().filter(|reader| reader.thread().id() != thread::current().id()) {
            let _ = reader.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
