//! Other surroundings for this program itself: another user, host name, paths, umask and number of processors, in namespaces of its
//! own. They exist to find out whether results depend on them. Steps are isolated elsewhere; this isolates nothing.

use std::ffi::{CString, OsStr};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, CpuSet, sched_getaffinity, sched_setaffinity, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Pid, chdir, execv, getegid, geteuid, sethostname};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::error::Context;

/// The first argument of a process that changes its surroundings; the second one is a [`Surroundings`] as JSON.
const ARG: &str = "--waders-surroundings";

/// The exit code of a process whose surroundings could not be changed: that of programs that start others, such as env(1).
pub const REFUSED: i32 = 125;

/// The surroundings of a process. What is `None` or empty stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Surroundings {
    /// The user id and group id.
    pub user: Option<u32>,
    /// The host name.
    pub host_name: Option<String>,
    /// Directories that are also visible at another path.
    pub binds: Vec<Bind>,
    /// The umask.
    pub umask: Option<u32>,
    /// Whether only one processor is usable.
    pub one_core: bool,
    /// The current directory, after `binds`.
    pub cwd: PathBuf,
    /// Where a [`Refused`] is written as JSON if something cannot be changed.
    pub report: PathBuf,
}

/// A directory that is also visible at another path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    /// The name of the change, for [`Refused`].
    pub change: String,
    /// The directory.
    pub from: PathBuf,
    /// An existing directory that it covers.
    pub to: PathBuf,
}

/// What could not be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// `user`, `hostname`, `umask`, `cores` or the name of a bind.
    pub change: String,
    /// The reason.
    pub reason: String,
}

impl Surroundings {
    /// The arguments with which this program changes its surroundings and then executes itself with `argv`.
    pub fn arguments(&self, argv: &[String]) -> Vec<String> {
        let json = serde_json::to_string(self).expect("paths of settings and of the store are UTF-8");
        [ARG.to_owned(), json].into_iter().chain(argv.iter().cloned()).collect()
    }

    fn needs_namespaces(&self) -> Option<&str> {
        match self {
            Surroundings { user: Some(_), .. } => Some("user"),
            Surroundings { host_name: Some(_), .. } => Some("hostname"),
            Surroundings { binds, .. } => binds.first().map(|bind| bind.change.as_str()),
        }
    }

    fn enter(&self) -> Result<(), Refused> {
        if let Some(change) = self.needs_namespaces() {
            enter_namespaces(self.user).map_err(refused(change))?;
        }
        for Bind { change, from, to } in &self.binds {
            let (flags, none) = (MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>);
            let bound = mount(Some(from), to, none, flags, none);
            bound
                .with_context(|| format!("mount `{}` at `{}`", from.display(), to.display()))
                .map_err(refused(change))?;
        }
        if let Some(name) = &self.host_name {
            sethostname(name).context("set the host name").map_err(refused("hostname"))?;
        }
        if self.one_core {
            use_one_core()?;
        }
        if let Some(mask) = self.umask {
            umask(Mode::from_bits_truncate(mask));
        }
        let at = &self.cwd;
        chdir(at).with_context(|| format!("enter `{}`", at.display())).map_err(refused("path"))
    }
}

/// Changes the surroundings of this process if [`Surroundings::arguments`] say so, and then executes this program again and does
/// not return; otherwise does nothing. The process is killed when its parent ends. Must be called at the beginning of `main`, before any thread starts.
#[expect(clippy::print_stderr, reason = "no user interface exists before the program is executed again")]
pub fn change_surroundings_if_asked() {
    let mut args = std::env::args_os();
    let program = args.next().unwrap_or_default();
    if args.next().as_deref() != Some(OsStr::new(ARG)) {
        return;
    }
    let json = args.next().unwrap_or_default();
    let Ok(surroundings) = serde_json::from_slice::<Surroundings>(json.as_bytes()) else {
        eprintln!("error: the argument of `{ARG}` is invalid");
        std::process::exit(REFUSED);
    };
    if let Err(refused) = surroundings.enter() {
        let json = serde_json::to_vec(&refused).expect("text serializes");
        if let Err(error) = fs::write(&surroundings.report, json) {
            eprintln!("error: cannot write `{}`: {error}", surroundings.report.display());
        }
        std::process::exit(REFUSED);
    }
    // Set last, because a change of the user resets it. Without its parent, nobody would read the results.
    if let Err(error) = prctl::set_pdeathsig(Signal::SIGKILL) {
        eprintln!("error: cannot request to be killed with the parent: {error}");
        std::process::exit(REFUSED);
    }
    let argv: Vec<CString> =
        [program].into_iter().chain(args).filter_map(|word| CString::new(word.into_vec()).ok()).collect();
    let Err(error) = execv(c"/proc/self/exe", &argv);
    eprintln!("error: cannot execute this program again: {error}");
    std::process::exit(REFUSED);
}

/// Creates a mount namespace and a namespace of host names. Root that stays root needs no user namespace; in one, it would be an
/// ordinary user for everything outside.
fn enter_namespaces(user: Option<u32>) -> Result<(), Error> {
    let (uid, gid) = (geteuid(), getegid());
    let mut flags = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS;
    let stays_root = user.is_none() && uid.is_root();
    if !stays_root {
        flags |= CloneFlags::CLONE_NEWUSER;
    }
    unshare(flags).context("create namespaces")?;
    if !stays_root {
        let (new_uid, new_gid) = (user.unwrap_or(uid.as_raw()), user.unwrap_or(gid.as_raw()));
        for (file, text) in [
            ("setgroups", "deny".to_owned()),
            ("uid_map", format!("{new_uid} {uid} 1")),
            ("gid_map", format!("{new_gid} {gid} 1")),
        ] {
            fs::write(format!("/proc/self/{file}"), text).with_context(|| format!("write `/proc/self/{file}`"))?;
        }
    }
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).context("make the mounts private")
}

fn use_one_core() -> Result<(), Refused> {
    let this = Pid::from_raw(0);
    let usable = sched_getaffinity(this).context("read the usable processors").map_err(refused("cores"))?;
    let mut usable = (0..CpuSet::count()).filter(|core| usable.is_set(*core).unwrap_or(false)).rev();
    let (Some(last), Some(_)) = (usable.next(), usable.next()) else {
        return Err(Refused { change: "cores".to_owned(), reason: "only one processor is usable".to_owned() });
    };
    let mut one = CpuSet::new();
    let set = one.set(last).and_then(|()| sched_setaffinity(this, &one));
    set.context("use one processor").map_err(refused("cores"))
}

fn refused(change: &str) -> impl FnOnce(Error) -> Refused {
    move |error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        Refused { change: change.to_owned(), reason: format!("{error}{cause}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surroundings_survive_the_command_line() {
        let surroundings = Surroundings { user: Some(7), cwd: "/x".into(), ..Surroundings::default() };
        let arguments = surroundings.arguments(&["test".to_owned(), "::".to_owned()]);
        assert_eq!((arguments[0].as_str(), &arguments[2..]), (ARG, &["test".to_owned(), "::".to_owned()][..]));
        assert_eq!(serde_json::from_str::<Surroundings>(&arguments[1]).unwrap(), surroundings);
    }

    #[test]
    fn the_change_that_needs_namespaces_is_named() {
        let bind = |change: &str| Bind { change: change.to_owned(), from: "/a".into(), to: "/b".into() };
        assert_eq!(Surroundings::default().needs_namespaces(), None);
        let with_bind = Surroundings { binds: vec![bind("home")], ..Surroundings::default() };
        assert_eq!(with_bind.needs_namespaces(), Some("home"));
        assert_eq!(Surroundings { user: Some(1), ..with_bind }.needs_namespaces(), Some("user"));
    }
}
