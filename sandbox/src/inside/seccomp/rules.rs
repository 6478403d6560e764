//! The denied system calls and their errors; all others are allowed. Namespaces provide the isolation. The filter
//! denies kernel interfaces that no namespace confines, or that have a history of vulnerabilities.

use libc::{EAFNOSUPPORT, ENOSYS, EOPNOTSUPP, EPERM};

/// An answer to a system call other than to allow it.
pub(super) struct Rule {
    /// The system call's number.
    pub(super) call: u32,
    /// Argument indices and conditions on the lower 32 bits of the arguments. The answer is given if all hold.
    pub(super) tests: Vec<(u8, Test)>,
    /// The filter's answer: SECCOMP_RET_* of seccomp(2).
    pub(super) answer: u32,
}

/// A condition on an argument.
#[derive(Clone, Copy)]
pub(super) enum Test {
    /// Any bit of the mask is set.
    AnyBit(u32),
    /// No bit of the mask is set.
    NoBit(u32),
    Equals(u32),
    /// The bits selected by the mask (first) equal the value (second).
    MaskedEquals(u32, u32),
    NoneOf(&'static [u32]),
}

/// The mode bits setuid and setgid.
const SPECIAL_BITS: u32 = 0o6000;
/// Every CLONE_NEW* flag of clone(2). CLONE_NEWTIME is not one: its bit is part of the exit signal there.
const NAMESPACES: u32 = 0x7e02_0000;
/// The flags of open(2) with which it creates a file and applies the mode.
const CREATE: u32 = (libc::O_CREAT | libc::O_TMPFILE & !libc::O_DIRECTORY) as u32;
/// The allowed address families: socket(2).
const FAMILIES: &[u32] = &[libc::AF_UNIX as u32, libc::AF_INET as u32, libc::AF_INET6 as u32, libc::AF_NETLINK as u32];
const NETLINK: u32 = libc::AF_NETLINK as u32;
const INTERNET: [u32; 2] = [libc::AF_INET as u32, libc::AF_INET6 as u32];
/// Selects the type from the second argument of socket(2), whose high bits are flags.
const SOCKET_TYPE_MASK: u32 = 0xf;
const SOCK_RAW: u32 = libc::SOCK_RAW as u32;
/// The obsolete SOCK_PACKET of socket(2).
const SOCK_PACKET: u32 = 10;
// <sys/resource.h>: getpriority(2). `libc` gives them different types on different targets.
const PRIO_PROCESS: u32 = 0;
const PRIO_USER: u32 = 2;
// ioprio_set(2).
const IOPRIO_WHO_PROCESS: u32 = 1;
const IOPRIO_WHO_USER: u32 = 3;
/// ioctl_console(2).
const TIOCLINUX: u32 = 0x541c;
/// The allowed arguments of personality(2): PER_LINUX and PER_LINUX32, each with and without UNAME26, then
/// ADDR_NO_RANDOMIZE, and the value that only queries.
const PERSONALITIES: &[u32] = &[0, 8, 0x2_0000, 0x2_0008, 0x4_0000, 0xffff_ffff];

/// Calls that no build or test needs. They fail with EPERM, as for an unprivileged process.
const NOT_PERMITTED: &[i64] = &[
    // mounts and roots
    libc::SYS_chroot,
    libc::SYS_mount,
    libc::SYS_pivot_root,
    libc::SYS_umount2,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    STATMOUNT,
    LISTMOUNT,
    OPEN_TREE_ATTR,
    // namespaces
    libc::SYS_setns,
    libc::SYS_unshare,
    // other processes
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_process_madvise,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    // files by handle, notification for whole file systems
    libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    // kernel administration and kernel subsystems
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_delete_module,
    libc::SYS_finit_module,
    libc::SYS_init_module,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_perf_event_open,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
    QUOTACTL_FD,
    // clocks and names
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_settimeofday,
];

#[cfg(target_arch = "x86_64")]
const NOT_PERMITTED_ON_THIS_ARCH: &[i64] = &[
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_kexec_file_load,
    libc::SYS_modify_ldt,
    libc::SYS_uselib,
    libc::SYS_ustat,
    libc::SYS_sysfs,
    libc::SYS__sysctl,
];
#[cfg(not(target_arch = "x86_64"))]
const NOT_PERMITTED_ON_THIS_ARCH: &[i64] = &[libc::SYS_kexec_file_load];

/// Calls that a filter cannot check, because their arguments are in memory or because they perform other calls. They
/// fail with ENOSYS, as on an older kernel, so programs fall back to calls that can be checked.
const NOT_IMPLEMENTED: &[i64] = &[
    libc::SYS_clone3,
    libc::SYS_openat2,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
];

/// Extended attributes are never captured, so a step must not be able to rely on them.
const NOT_SUPPORTED: &[i64] = &[libc::SYS_fsetxattr, libc::SYS_lsetxattr, libc::SYS_setxattr, SETXATTRAT, FILE_SETATTR];

// System call numbers that `libc` does not define for every target. They are the same on all architectures.
const QUOTACTL_FD: i64 = 443;
const FCHMODAT2: i64 = 452;
const STATMOUNT: i64 = 457;
const LISTMOUNT: i64 = 458;
const SETXATTRAT: i64 = 463;
const OPEN_TREE_ATTR: i64 = 467;
const FILE_SETATTR: i64 = 469;

/// Returns all rules in no particular order.
pub(super) fn rules() -> Vec<Rule> {
    let mut all = Vec::new();
    for (calls, errno) in [
        (NOT_PERMITTED, EPERM),
        (NOT_PERMITTED_ON_THIS_ARCH, EPERM),
        (NOT_IMPLEMENTED, ENOSYS),
        (NOT_SUPPORTED, EOPNOTSUPP),
    ] {
        all.extend(calls.iter().map(|call| rule(*call, [], errno)));
    }
    all.push(rule(libc::SYS_clone, [(0, Test::AnyBit(NAMESPACES))], EPERM));
    all.push(rule(libc::SYS_personality, [(0, Test::NoneOf(PERSONALITIES))], EPERM));
    // Both can insert input into the caller's terminal (CVE-2017-5226).
    all.push(rule(libc::SYS_ioctl, [(1, Test::Equals(libc::TIOCSTI as u32))], EPERM));
    all.push(rule(libc::SYS_ioctl, [(1, Test::Equals(TIOCLINUX))], EPERM));
    add_init_rules(&mut all);
    add_socket_rules(&mut all);
    add_mode_rules(&mut all);
    all
}

/// Denies changes of the limits and priorities of init (pid 1), which runs as the same user as the step.
fn add_init_rules(all: &mut Vec<Rule>) {
    let init = |argument| (argument, Test::Equals(1));
    for call in [
        libc::SYS_migrate_pages,
        libc::SYS_move_pages,
        libc::SYS_prlimit64,
        libc::SYS_sched_setaffinity,
        libc::SYS_sched_setattr,
        libc::SYS_sched_setparam,
        libc::SYS_sched_setscheduler,
    ] {
        all.push(rule(call, [init(0)], EPERM));
    }
    // The first argument selects a process, a process group or all processes of a user: init's group is 0 here, and the
    // user's processes include init.
    all.push(rule(libc::SYS_setpriority, [(0, Test::Equals(PRIO_PROCESS)), init(1)], EPERM));
    all.push(rule(libc::SYS_setpriority, [(0, Test::Equals(PRIO_USER))], EPERM));
    all.push(rule(libc::SYS_ioprio_set, [(0, Test::Equals(IOPRIO_WHO_PROCESS)), init(1)], EPERM));
    all.push(rule(libc::SYS_ioprio_set, [(0, Test::Equals(IOPRIO_WHO_USER))], EPERM));
}

/// Netlink is allowed only for NETLINK_ROUTE, through which name resolution lists the network interfaces.
fn add_socket_rules(all: &mut Vec<Rule>) {
    all.push(rule(libc::SYS_socket, [(0, Test::NoneOf(FAMILIES))], EAFNOSUPPORT));
    all.push(rule(
        libc::SYS_socket,
        [(0, Test::Equals(NETLINK)), (2, Test::NoneOf(&[libc::NETLINK_ROUTE as u32]))],
        EAFNOSUPPORT,
    ));
    for family in INTERNET {
        for kind in [SOCK_RAW, SOCK_PACKET] {
            all.push(rule(
                libc::SYS_socket,
                [(0, Test::Equals(family)), (1, Test::MaskedEquals(SOCKET_TYPE_MASK, kind))],
                EPERM,
            ));
        }
    }
}

/// Denies setuid and setgid files: in a writable directory of the host they would outlive the sandbox.
fn add_mode_rules(all: &mut Vec<Rule>) {
    let special = |argument| (argument, Test::AnyBit(SPECIAL_BITS));
    all.push(rule(libc::SYS_fchmod, [special(1)], EPERM));
    all.push(rule(libc::SYS_fchmodat, [special(2)], EPERM));
    all.push(rule(FCHMODAT2, [special(2)], EPERM));
    all.push(rule(libc::SYS_mknodat, [special(2)], EPERM));
    all.push(rule(libc::SYS_openat, [(2, Test::AnyBit(CREATE)), special(3)], EPERM));
    #[cfg(target_arch = "x86_64")]
    {
        all.push(rule(libc::SYS_chmod, [special(1)], EPERM));
        all.push(rule(libc::SYS_creat, [special(1)], EPERM));
        all.push(rule(libc::SYS_mknod, [special(1)], EPERM));
        all.push(rule(libc::SYS_open, [(1, Test::AnyBit(CREATE)), special(2)], EPERM));
    }
}

fn rule<const N: usize>(call: i64, tests: [(u8, Test); N], errno: i32) -> Rule {
    Rule::new(call, tests, libc::SECCOMP_RET_ERRNO | errno as u32)
}

impl Rule {
    pub(super) fn new<const N: usize>(call: i64, tests: [(u8, Test); N], answer: u32) -> Rule {
        let call = u32::try_from(call).expect("system call numbers are small and positive");
        Rule { call, tests: tests.to_vec(), answer }
    }
}
