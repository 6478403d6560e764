//! Simulated machines that cannot isolate: the refusal names the remedy, nothing panics, and no level is lowered
//! silently.

use std::collections::BTreeMap;
use std::process::{Command, ExitCode};

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
    let (uid, gid) = (geteuid(), nix::unistd::getegid());
    unshare(CloneFlags::CLONE_NEWUSER).unwrap();
    std::fs::write("/proc/self/setgroups", "deny").unwrap();
    std::fs::write("/proc/self/uid_map", format!("{uid} {uid} 1")).unwrap();
    std::fs::write("/proc/self/gid_map", format!("{gid} {gid} 1")).unwrap();
    std::fs::write("/proc/sys/user/max_user_namespaces", "0").unwrap();
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
