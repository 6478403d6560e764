//! The plan of one fault, and the operation at which it occurs. What a power cut loses is in `power`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use nix::errno::Errno;

use super::{Operation, power};

/// A fault that is to occur.
#[derive(Debug)]
struct Plan {
    kind: Kind,
    /// Whether later operations fail, too.
    is_lasting: bool,
    /// The number of the operation, from 1.
    at: u64,
    seed: u64,
    /// The number of operations so far.
    reached: u64,
    root: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Fails(Errno),
    Short,
    Kill,
    Cut,
}

static PLAN: Mutex<Option<Plan>> = Mutex::new(None);

/// False in almost all processes, which then do not take the lock.
static IS_ARMED: AtomicBool = AtomicBool::new(false);

/// Reads the plan in the file `fault` of a store. The first plan of a process holds for all stores that it opens.
pub(in crate::store) fn arm(root: &Path) {
    let Some(plan) = fs::read_to_string(root.join("fault")).ok().and_then(|text| parse(&text, root)) else { return };
    if lock().is_some() {
        return;
    }
    let is_cut = plan.kind == Kind::Cut;
    *lock() = Some(plan);
    IS_ARMED.store(true, Ordering::SeqCst);
    if is_cut {
        power::record(root);
    }
}

fn parse(text: &str, root: &Path) -> Option<Plan> {
    let mut words = text.split_whitespace();
    let (kind, at, seed) = (words.next()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let (kind, is_lasting) = kind.strip_suffix('+').map_or((kind, false), |kind| (kind, true));
    let kind = match kind {
        "short" => Kind::Short,
        "kill" => Kind::Kill,
        "cut" => Kind::Cut,
        "ENOSPC" => Kind::Fails(Errno::ENOSPC),
        "EDQUOT" => Kind::Fails(Errno::EDQUOT),
        "EIO" => Kind::Fails(Errno::EIO),
        "EMFILE" => Kind::Fails(Errno::EMFILE),
        "ENOMEM" => Kind::Fails(Errno::ENOMEM),
        "EINTR" => Kind::Fails(Errno::EINTR),
        _ => return None,
    };
    Some(Plan { kind, is_lasting, at, seed, reached: 0, root: root.to_owned() })
}

/// Counts an operation. The error is the fault, if it occurs at this operation.
pub(in crate::store) fn reach(operation: Operation, path: &Path) -> io::Result<()> {
    if !IS_ARMED.load(Ordering::Relaxed) {
        return Ok(());
    }
    let mut plan = lock();
    let Some(plan) = plan.as_mut().filter(|plan| path.starts_with(&plan.root)) else { return Ok(()) };
    plan.reached += 1;
    if plan.reached < plan.at || !plan.kind.is_possible(operation) {
        return Ok(());
    }
    let note = format!("{:?} at operation {}: {operation:?} `{}`\n", plan.kind, plan.reached, path.display());
    let _ = fs::write(plan.root.join("fault-occurred"), note);
    let kind = plan.kind;
    // The write that follows is `Short`; see `at_most`.
    if !plan.is_lasting && kind != Kind::Short {
        plan.at = u64::MAX;
    }
    match kind {
        Kind::Fails(errno) => Err(errno.into()),
        Kind::Short => Ok(()),
        Kind::Cut => {
            // Other threads wait for the lock, and change nothing.
            power::cut(plan.seed);
            die()
        }
        Kind::Kill => die(),
    }
}

/// The number of bytes that the next write takes.
pub(in crate::store) fn at_most(len: usize) -> usize {
    if !IS_ARMED.load(Ordering::Relaxed) {
        return len;
    }
    match lock().as_mut() {
        Some(plan) if plan.kind == Kind::Short && plan.reached >= plan.at => {
            if !plan.is_lasting {
                plan.at = u64::MAX;
            }
            len.div_ceil(2)
        }
        _ => len,
    }
}

/// Writes the number of operations so far to the file `fault-count`.
pub(in crate::store) fn finish() {
    if let Some(plan) = lock().as_ref() {
        let _ = fs::write(plan.root.join("fault-count"), plan.reached.to_string());
    }
}

fn die() -> io::Result<()> {
    // An error is ignored: the test detects that the process was not killed.
    let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
    Ok(())
}

fn lock() -> MutexGuard<'static, Option<Plan>> {
    PLAN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Kind {
    /// Whether the manual page of the system call lists this error, or a network file system returns it.
    fn is_possible(self, operation: Operation) -> bool {
        use Operation::{Create, CreateDirectory, Link, Open, Read, Rename, Write};
        match self {
            Kind::Fails(Errno::ENOSPC | Errno::EDQUOT) => {
                matches!(operation, Create | Write | CreateDirectory | Link | Rename)
            }
            Kind::Fails(Errno::EMFILE) => matches!(operation, Create | Open),
            Kind::Fails(Errno::ENOMEM) => operation != Read,
            Kind::Short => operation == Write,
            Kind::Fails(_) | Kind::Kill | Kind::Cut => true,
        }
    }
}
