//! The audit of a step: a thread of init receives every reported system call, records what it names, and lets it continue.
//! Which calls are reported is in `seccomp::notify`; `arguments` reads what they name, `record` collects it.
//!
//! The thread belongs to init, which a step cannot signal or trace. If the thread fails, it closes the listener: the kernel
//! then answers every waiting and later call with ENOSYS, so nothing hangs. If init ends, so does every process of the step.

mod arguments;
mod record;

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::SigSet;

use super::seccomp::{CALLS, Call};
use crate::error::{Cause, Context};
use crate::{Error, Unsupported, sys};
use arguments::Caller;
use record::Record;

/// A running audit.
pub(super) struct Auditor {
    shared: Arc<Mutex<Shared>>,
}

/// What the thread and init share.
#[derive(Default)]
struct Shared {
    record: Record,
    /// Why calls cannot be recorded.
    failed: Option<Cause>,
}

impl Auditor {
    /// Starts the thread. No call of the step continues before it runs.
    pub(super) fn start(listener: OwnedFd) -> Result<Auditor, Error> {
        sys::wake_synchronously(listener.as_fd());
        let shared = Arc::new(Mutex::new(Shared::default()));
        let thread_shared = Arc::clone(&shared);
        // The thread inherits the mask: a SIGCHLD that it received would be lost to the supervisor.
        SigSet::all().thread_block().context("block signals")?;
        thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || listen(&listener, &thread_shared))
            .context("start the thread of the audit")?;
        Ok(Auditor { shared })
    }

    /// The trace as a memory file. Every process of the step has ended.
    pub(super) fn finish(self) -> Result<OwnedFd, Error> {
        let mut shared = lock(&self.shared);
        if let Some(cause) = shared.failed {
            return Err(Error::Unsupported(unreadable(cause)));
        }
        let trace = std::mem::take(&mut shared.record).into_trace();
        let bytes = serde_json::to_vec(&trace).expect("a trace is plain data with string keys");
        let mut file = File::from(memfd_create("trace", MFdFlags::MFD_CLOEXEC).context("create a memory file")?);
        file.write_all(&bytes).context("write the trace of the step")?;
        Ok(file.into())
    }
}

/// Answers calls until the listener fails or the process ends. On older kernels it also waits after the end of the step,
/// which is harmless: init exits.
fn listen(listener: &OwnedFd, shared: &Mutex<Shared>) {
    let calls: HashMap<i64, Call> = CALLS.iter().map(|call| (call.number, *call)).collect();
    loop {
        match answer_next(listener, &calls, shared) {
            Ok(()) | Err(Errno::EINTR) => {}
            // From Linux 6.11 on, this is also the answer after the last process of the step has ended.
            Err(Errno::ENOENT) if has_ended(listener) => return,
            Err(Errno::ENOENT) => lock(shared).record.add_interrupted(),
            Err(error) => {
                lock(shared).failed = Some(error.into());
                return;
            }
        }
    }
}

/// Whether no process is left that the listener could hear of.
fn has_ended(listener: &OwnedFd) -> bool {
    let mut ready = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    let polled = poll(&mut ready, PollTimeout::ZERO);
    polled.is_ok() && ready[0].revents().is_some_and(|events| events.contains(PollFlags::POLLHUP))
}

/// Receives one call, reads what it names, lets it continue, and then records it.
fn answer_next(listener: &OwnedFd, calls: &HashMap<i64, Call>, shared: &Mutex<Shared>) -> Result<(), Errno> {
    let to_errno = |error: std::io::Error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
    let notification = sys::receive_notification(listener.as_fd()).map_err(to_errno)?;
    let call = calls.get(&notification.call);
    let caller = Caller::new(notification.thread, notification.arguments);
    let found = call.map_or(Ok(Vec::new()), |call| caller.read(call));
    let mut shared = lock(shared);
    // Files are examined before the call continues, because it may create them.
    let accesses: Vec<_> = match found {
        Ok(found) => found.into_iter().map(|named| shared.record.examine(named)).collect(),
        // The process has ended, or passed a pointer that the kernel will refuse, too.
        Err(Errno::ESRCH | Errno::EFAULT | Errno::ENOENT) => Vec::new(),
        Err(error) => return Err(error),
    };
    // Success means that the thread was waiting all the time. So its pid was not given to another thread, and the memory
    // that was read belongs to the call. This replaces SECCOMP_IOCTL_NOTIF_ID_VALID.
    sys::continue_notification(listener.as_fd(), notification.id).map_err(to_errno)?;
    shared.record.add(accesses);
    Ok(())
}

/// A panic leaves at most one access unrecorded, so a poisoned lock is still usable.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The refusal where another process's memory cannot be read.
fn unreadable(cause: Cause) -> Unsupported {
    Unsupported {
        feature: "audit of steps".to_owned(),
        reason: format!("cannot read what the system calls of the step name: {cause}"),
        remedy: "set `kernel.yama.ptrace_scope` below 3 with `sudo sysctl`, or run outside the enclosing container"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::prctl;
    use nix::sys::wait::{WaitStatus, waitpid};

    use crate::inside::SeccompProgram;
    use crate::sys;

    #[test]
    fn without_a_listener_calls_fail_and_do_not_hang() {
        let filter = SeccompProgram::notifications();
        let child = match sys::clone(0).unwrap() {
            sys::ForkResult::Parent(child) => child,
            sys::ForkResult::Child => {
                let installed = prctl::set_no_new_privs().is_ok().then(|| filter.install_with_listener());
                drop(installed);
                let failed = nix::unistd::chdir(c"/").is_err_and(|error| error == nix::errno::Errno::ENOSYS);
                sys::exit(if failed { 0 } else { 1 })
            }
        };
        assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));
    }
}
