//! Simulated machines that cannot isolate: the refusal names the remedy, nothing panics, and no level is lowered
//! silently.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, ExitCode};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::geteuid;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use waders_sandbox::{Error, Isolation, probe};

use crate::fixtures::{chain, python, run, succeed};
use crate::harness::Suite;

pub fn add(suite: &mut Suite) {
    suite.test("probe reports the features that steps get", || {
        let kernel = probe().unwrap();
        assert!(kernel.namespaces.is_ok() && !kernel.release.is_empty());
        assert_eq!(kernel.dedicated_user, geteuid().is_root());
        assert_eq!(succeed(&python("print('ran')")), "ran\n");
    });
    suite.test("a limit of 0 user namespaces is reported with its setting", || {
        check_refusal("no-namespaces", "max_user_namespaces=15000")
    });
    suite.test("a container's seccomp filter is reported with the container's option", || {
        check_refusal("filtered", "seccomp=unconfined")
    });
    suite.test("a kernel without user namespaces is reported with its build option", || {
        check_refusal("not-implemented", "CONFIG_USER_NS")
    });
    suite.test("a masked part of /proc is reported with the container's option", || {
        check_refusal("masked-proc", "mounts cover parts of the visible `/proc`");
        check_refusal("masked-proc", "systempaths=unconfined")
    });
    suite.test("a root without any directory for mounts is reported with the directories", || {
        check_refusal("bare-root", "create an empty directory `/mnt`")
    });
}

fn check_refusal(machine: &str, remedy: &str) {
    let output = Command::new("/proc/self/exe").args(["--simulate", machine]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains(remedy), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

/// Simulates a machine without a feature in this process, and prints the refusal.
pub fn run_role(args: &[String]) -> Option<ExitCode> {
    let [role, machine] = args else { return None };
    if role != "--simulate" {
        return None;
    }
    match machine.as_str() {
        "no-namespaces" => forbid_namespaces(),
        "filtered" => filter_namespaces(libc::EPERM),
        "masked-proc" => mask_proc(),
        "bare-root" => enter_bare_root(),
        _ => filter_namespaces(libc::EINVAL),
    }
    let (outcome, output) = run(&python("print('ran')"));
    let error = outcome.map(|outcome| outcome.exit).expect_err("the step ran");
    assert!(matches!(error, Error::Unsupported(_)) && output.is_empty(), "{error:?}");
    println!("{}\n{}", chain(&error), error.hint().unwrap());
    assert!(probe().unwrap().namespaces.is_err());
    let mut unisolated = python("print('ran')");
    unisolated.isolation = Isolation::None;
    unisolated.mounts.clear();
    unisolated.cwd = "/".into();
    assert_eq!(succeed(&unisolated), "ran\n");
    Some(ExitCode::SUCCESS)
}

fn forbid_namespaces() {
    enter_namespaces();
    std::fs::write("/proc/sys/user/max_user_namespaces", "0").unwrap();
}

/// Covers a file of `/proc` as container engines do.
fn mask_proc() {
    enter_namespaces();
    mount(Some("/dev/null"), "/proc/cmdline", None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
}

/// Hides the directories that a sandbox may mount its own files on, by a root in which only the others exist.
fn enter_bare_root() {
    enter_namespaces();
    let root = "/mnt";
    mount(Some("tmpfs"), root, Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
    for entry in std::fs::read_dir("/").unwrap().flatten() {
        let (host, name) = (entry.path(), entry.file_name());
        if ["boot", "media", "mnt", "opt", "srv", "sys"].iter().any(|hidden| name == *hidden) {
            continue;
        }
        let at = Path::new(root).join(&name);
        match entry.file_type().unwrap() {
            kind if kind.is_symlink() => symlink(std::fs::read_link(&host).unwrap(), at).unwrap(),
            kind if kind.is_dir() => {
                std::fs::create_dir(&at).unwrap();
                mount(Some(&host), &at, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>).unwrap();
            }
            _ => {}
        }
    }
    // After chroot(2) the kernel would deny user namespaces.
    std::env::set_current_dir(root).unwrap();
    nix::unistd::pivot_root(".", ".").unwrap();
    umount2(".", MntFlags::MNT_DETACH).unwrap();
    std::env::set_current_dir("/").unwrap();
}

fn enter_namespaces() {
    let (uid, gid) = (geteuid(), nix::unistd::getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS).unwrap();
    std::fs::write("/proc/self/setgroups", "deny").unwrap();
    std::fs::write("/proc/self/uid_map", format!("{uid} {uid} 1")).unwrap();
    std::fs::write("/proc/self/gid_map", format!("{gid} {gid} 1")).unwrap();
}

/// Installs a seccomp filter like that of a container engine.
fn filter_namespaces(errno: i32) {
    let calls = [libc::SYS_unshare, libc::SYS_setns].map(|call| (call, vec![]));
    let action = SeccompAction::Errno(errno as u32);
    let arch = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(BTreeMap::from(calls), SeccompAction::Allow, action, arch).unwrap();
    let program: BpfProgram = filter.try_into().unwrap();
    nix::sys::prctl::set_no_new_privs().unwrap();
    seccompiler::apply_filter(&program).unwrap();
}
