//! What is denied, and with which answer. Everything else is allowed: the walls are the namespaces, this closes doors
//! in them (kernel interfaces that a namespace does not confine, or with a history of holes).

use libc::{EAFNOSUPPORT, ENOSYS, EOPNOTSUPP, EPERM};

pub struct Rule {
    pub call: u32,
    /// All must hold. Argument number and test, on the argument's lower 32 bits.
    pub tests: Vec<(u8, Test)>,
    pub errno: i32,
}

#[derive(Clone, Copy)]
pub enum Test {
    /// Any bit of the mask is set.
    Any(u32),
    Is(u32),
    /// The bits under the mask are this value.
    Masked(u32, u32),
    NoneOf(&'static [u32]),
}

/// setuid and setgid.
const SPECIAL: u32 = 0o6000;
/// Every CLONE_NEW* that fits into clone(2); CLONE_NEWTIME does not.
const NAMESPACES: u32 = 0x7e02_0000;
const CREATE: u32 = (libc::O_CREAT | libc::O_TMPFILE & !libc::O_DIRECTORY) as u32;
const FAMILIES: &[u32] = &[libc::AF_UNIX as u32, libc::AF_INET as u32, libc::AF_INET6 as u32, libc::AF_NETLINK as u32];
const NETLINK: u32 = libc::AF_NETLINK as u32;
const INTERNET: [u32; 2] = [libc::AF_INET as u32, libc::AF_INET6 as u32];
/// The low bits of a socket's type; the high ones are flags.
const TYPE: u32 = 0xf;
const RAW: u32 = libc::SOCK_RAW as u32;
const PACKET: u32 = 10;
const TIOCLINUX: u32 = 0x541c;
/// PER_LINUX, PER_LINUX32, with and without UNAME26, ADDR_NO_RANDOMIZE, and "only ask".
const PERSONALITIES: &[u32] = &[0, 8, 0x2_0000, 0x2_0008, 0x4_0000, 0xffff_ffff];

/// Calls that take no part in building or testing anything, refused as a kernel refuses those without privilege.
const REFUSED: &[i64] = &[
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
    // files by handle, watches of whole file systems
    libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    // the kernel's own
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
const REFUSED_HERE: &[i64] = &[
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
const REFUSED_HERE: &[i64] = &[libc::SYS_kexec_file_load];

/// Calls whose arguments lie in memory, where a filter cannot look, or that do other calls' work: programs fall back
/// when the kernel seems not to know them.
const UNKNOWN: &[i64] = &[
    libc::SYS_clone3,
    libc::SYS_openat2,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
];

/// Extended attributes are never captured, so a step had better not rely on them.
const UNSUPPORTED: &[i64] = &[libc::SYS_fsetxattr, libc::SYS_lsetxattr, libc::SYS_setxattr, SETXATTRAT, FILE_SETATTR];

// Numbers that `libc` does not have for every target yet; the same on all architectures.
const QUOTACTL_FD: i64 = 443;
const FCHMODAT2: i64 = 452;
const STATMOUNT: i64 = 457;
const LISTMOUNT: i64 = 458;
const SETXATTRAT: i64 = 463;
const OPEN_TREE_ATTR: i64 = 467;
const FILE_SETATTR: i64 = 469;

pub fn rules() -> Vec<Rule> {
    let mut all = Vec::new();
    for (calls, errno) in [(REFUSED, EPERM), (REFUSED_HERE, EPERM), (UNKNOWN, ENOSYS), (UNSUPPORTED, EOPNOTSUPP)] {
        all.extend(calls.iter().map(|call| rule(*call, [], errno)));
    }
    all.push(rule(libc::SYS_clone, [(0, Test::Any(NAMESPACES))], EPERM));
    all.push(rule(libc::SYS_personality, [(0, Test::NoneOf(PERSONALITIES))], EPERM));
    // Typing into the caller's terminal (CVE-2017-5226).
    all.push(rule(libc::SYS_ioctl, [(1, Test::Is(libc::TIOCSTI as u32))], EPERM));
    all.push(rule(libc::SYS_ioctl, [(1, Test::Is(TIOCLINUX))], EPERM));
    sockets(&mut all);
    special_modes(&mut all);
    all
}

/// Netlink only for the list of (our own) interfaces, which name resolution reads.
fn sockets(all: &mut Vec<Rule>) {
    all.push(rule(libc::SYS_socket, [(0, Test::NoneOf(FAMILIES))], EAFNOSUPPORT));
    all.push(rule(
        libc::SYS_socket,
        [(0, Test::Is(NETLINK)), (2, Test::NoneOf(&[libc::NETLINK_ROUTE as u32]))],
        EAFNOSUPPORT,
    ));
    for family in INTERNET {
        for kind in [RAW, PACKET] {
            all.push(rule(libc::SYS_socket, [(0, Test::Is(family)), (1, Test::Masked(TYPE, kind))], EPERM));
        }
    }
}

/// No way to a setuid or setgid file: in a directory of the host it would outlive the sandbox (Nix's lesson).
fn special_modes(all: &mut Vec<Rule>) {
    let special = |argument| (argument, Test::Any(SPECIAL));
    all.push(rule(libc::SYS_fchmod, [special(1)], EPERM));
    all.push(rule(libc::SYS_fchmodat, [special(2)], EPERM));
    all.push(rule(FCHMODAT2, [special(2)], EPERM));
    all.push(rule(libc::SYS_mknodat, [special(2)], EPERM));
    all.push(rule(libc::SYS_openat, [(2, Test::Any(CREATE)), special(3)], EPERM));
    #[cfg(target_arch = "x86_64")]
    {
        all.push(rule(libc::SYS_chmod, [special(1)], EPERM));
        all.push(rule(libc::SYS_creat, [special(1)], EPERM));
        all.push(rule(libc::SYS_mknod, [special(1)], EPERM));
        all.push(rule(libc::SYS_open, [(1, Test::Any(CREATE)), special(2)], EPERM));
    }
}

fn rule<const N: usize>(call: i64, tests: [(u8, Test); N], errno: i32) -> Rule {
    let call = u32::try_from(call).expect("system call numbers are small and positive");
    Rule { call, tests: tests.to_vec(), errno }
}
