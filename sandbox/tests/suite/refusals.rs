//! Machines that cannot isolate, simulated: the refusal names the remedy, nothing panics, nothing is weakened silently.

use std::collections::BTreeMap;
use std::process::{Command, ExitCode};

use nix::sched::{CloneFlags, unshare};
use nix::unistd::geteuid;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use waders_sandbox::{Error, Isolation, probe};

use crate::harness::Suite;
use crate::kit::{chain, python, run, succeed};

pub fn add(suite: &mut Suite) {
    suite.test("this kernel's probe agrees with what steps get", || {
        let kernel = probe().unwrap();
        assert!(kernel.namespaces.is_ok() && !kernel.release.is_empty());
        assert_eq!(kernel.dedicated_user, geteuid().is_root());
        assert_eq!(succeed(&python("print('ran')")), "ran\n");
    });
    suite.test("where user namespaces are used up the setting is named", || {
        refused("no-namespaces", "max_user_namespaces=15000")
    });
    suite.test("where a container's filter forbids them the option is named", || {
        refused("filtered", "seccomp=unconfined")
    });
    suite.test("a kernel without them is named", || refused("unknown", "CONFIG_USER_NS"));
}

fn refused(world: &str, remedy: &str) {
    let output = Command::new("/proc/self/exe").args(["--world", world]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains(remedy), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

/// Makes this process a machine that lacks something, and prints the refusal.
pub fn play_role(args: &[String]) -> Option<ExitCode> {
    let [role, world] = args else { return None };
    if role != "--world" {
        return None;
    }
    match world.as_str() {
        "no-namespaces" => use_up(),
        "filtered" => filter(libc::EPERM),
        _ => filter(libc::EINVAL),
    }
    let (outcome, output) = run(&python("print('ran')"));
    let error = outcome.map(|outcome| outcome.exit).expect_err("it ran");
    assert!(matches!(error, Error::Lacking(_)) && output.is_empty(), "{error:?}");
    println!("{}\n{}", chain(&error), error.hint().unwrap());
    assert!(probe().unwrap().namespaces.is_err());
    let mut open = python("print('ran')");
    open.isolation = Isolation::None;
    open.mounts.clear();
    open.cwd = "/".into();
    assert_eq!(succeed(&open), "ran\n");
    Some(ExitCode::SUCCESS)
}

fn use_up() {
    let (uid, gid) = (geteuid(), nix::unistd::getegid());
    unshare(CloneFlags::CLONE_NEWUSER).unwrap();
    std::fs::write("/proc/self/setgroups", "deny").unwrap();
    std::fs::write("/proc/self/uid_map", format!("{uid} {uid} 1")).unwrap();
    std::fs::write("/proc/self/gid_map", format!("{gid} {gid} 1")).unwrap();
    std::fs::write("/proc/sys/user/max_user_namespaces", "0").unwrap();
}

/// What a container engine does.
fn filter(errno: i32) {
    let calls = [libc::SYS_unshare, libc::SYS_setns].map(|call| (call, vec![]));
    let action = SeccompAction::Errno(errno as u32);
    let arch = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(BTreeMap::from(calls), SeccompAction::Allow, action, arch).unwrap();
    let program: BpfProgram = filter.try_into().unwrap();
    nix::sys::prctl::set_no_new_privs().unwrap();
    seccompiler::apply_filter(&program).unwrap();
}
