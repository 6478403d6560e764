//! Safe wrappers for the system calls that `nix` does not wrap. The only file of the workspace with `unsafe`.
//! No policy: the callers decide what is mounted, denied or cloned.

use std::ffi::CStr;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::unistd::Pid;

// Constants of <linux/mount.h>, <linux/fcntl.h> (AT_*) and <linux/landlock.h> that `libc` does not define everywhere.
pub(crate) const MOUNT_ATTR_RDONLY: u64 = 0x1;
pub(crate) const MOUNT_ATTR_NOSUID: u64 = 0x2;
pub(crate) const MOUNT_ATTR_NODEV: u64 = 0x4;
pub(crate) const MOUNT_ATTR_NOEXEC: u64 = 0x8;
pub(crate) const MOUNT_ATTR_IDMAP: u64 = 0x0010_0000;

const OPEN_TREE_CLONE: libc::c_uint = 1;
const AT_RECURSIVE: libc::c_uint = 0x8000;
const MOVE_MOUNT_F_EMPTY_PATH: libc::c_uint = 0x4;
const MOVE_MOUNT_T_EMPTY_PATH: libc::c_uint = 0x40;
const FSCONFIG_SET_FLAG: libc::c_uint = 0;
const FSCONFIG_SET_STRING: libc::c_uint = 1;
const FSCONFIG_CMD_CREATE: libc::c_uint = 6;
const LANDLOCK_CREATE_RULESET_VERSION: libc::c_uint = 1;

/// `struct mount_attr` of mount_setattr(2).
#[repr(C)]
#[derive(Default)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns: u64,
}

/// Which of the two processes after a fork this is.
pub(crate) enum ForkResult {
    Parent(Pid),
    Child,
}

fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn own_fd(result: libc::c_long) -> io::Result<OwnedFd> {
    let fd = check(result)? as RawFd;
    // SAFETY: the kernel has just returned this descriptor, so nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Takes ownership of a descriptor that the kernel has just installed in this process.
pub(crate) fn take_ownership(fd: RawFd) -> OwnedFd {
    // SAFETY: recvmsg(2) or fcntl(2) returned this number, and each caller passes it here once.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Forks this process into new namespaces: `flags` are CLONE_NEW* of clone(2). Only for single-threaded processes: in
/// the child of one with threads, allocating or locking could deadlock.
pub(crate) fn clone(flags: libc::c_int) -> io::Result<ForkResult> {
    let flags = libc::c_long::from(flags | libc::SIGCHLD);
    // SAFETY: without CLONE_VM the child has its own copy of the memory, and with a null stack pointer it continues on
    // its copy of the parent's stack, as after fork(2).
    let result = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    Ok(match check(result)? {
        0 => ForkResult::Child,
        pid => ForkResult::Parent(Pid::from_raw(pid as libc::pid_t)),
    })
}

/// Ends this process immediately, without destructors and without the exit handlers that a fork copied.
pub(crate) fn exit(code: i32) -> ! {
    // SAFETY: _exit(2) takes no pointers and does not return.
    unsafe { libc::_exit(code) }
}

/// Returns a detached copy of the mount at `path` relative to `dir`, or at `dir` itself if `path` is empty; with
/// `recursive`, including the mounts below it. See open_tree(2).
pub(crate) fn open_tree(dir: BorrowedFd<'_>, path: &CStr, recursive: bool) -> io::Result<OwnedFd> {
    let mut flags = OPEN_TREE_CLONE | libc::O_CLOEXEC as libc::c_uint | libc::AT_EMPTY_PATH as libc::c_uint;
    if recursive {
        flags |= AT_RECURSIVE;
    }
    // SAFETY: `path` is a C string that outlives the call.
    own_fd(unsafe { libc::syscall(libc::SYS_open_tree, dir.as_raw_fd(), path.as_ptr(), flags) })
}

/// Sets attributes on a mount (with `recursive`, also on those below it) and makes it private. `idmap` is the user
/// namespace whose mapping the mount applies. See mount_setattr(2).
pub(crate) fn mount_setattr(
    mount: BorrowedFd<'_>,
    set: u64,
    idmap: Option<BorrowedFd<'_>>,
    recursive: bool,
) -> io::Result<()> {
    let mut attr = MountAttr { set, propagation: libc::MS_PRIVATE, ..MountAttr::default() };
    if let Some(userns) = idmap {
        attr.set |= MOUNT_ATTR_IDMAP;
        attr.userns = userns.as_raw_fd() as u64;
    }
    let flags = libc::AT_EMPTY_PATH as libc::c_uint | if recursive { AT_RECURSIVE } else { 0 };
    // SAFETY: the path is an empty C string, `attr` has the layout and the size given, and both outlive the call.
    let result = unsafe {
        libc::syscall(libc::SYS_mount_setattr, mount.as_raw_fd(), c"".as_ptr(), flags, &attr, size_of::<MountAttr>())
    };
    check(result).map(drop)
}

/// Attaches a detached mount to the directory or file `at`.
pub(crate) fn move_mount(mount: BorrowedFd<'_>, at: BorrowedFd<'_>) -> io::Result<()> {
    let (from, to, empty) = (mount.as_raw_fd(), at.as_raw_fd(), c"".as_ptr());
    let flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    // SAFETY: both paths are the same empty C string, which is static.
    check(unsafe { libc::syscall(libc::SYS_move_mount, from, empty, to, empty, flags) }).map(drop)
}

/// Attaches a detached mount at a path. Follows symbolic links.
pub(crate) fn move_mount_to(mount: BorrowedFd<'_>, at: &CStr) -> io::Result<()> {
    let (from, empty, to) = (mount.as_raw_fd(), c"".as_ptr(), at.as_ptr());
    // SAFETY: both paths are C strings that outlive the call.
    let result =
        unsafe { libc::syscall(libc::SYS_move_mount, from, empty, libc::AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH) };
    check(result).map(drop)
}

/// Creates a file system of type `fs` as a detached mount. An option without a value is a flag. `attributes` are
/// MOUNT_ATTR_*. See fsopen(2), fsconfig(2) and fsmount(2).
pub(crate) fn new_mount(fs: &CStr, options: &[(&CStr, Option<&CStr>)], attributes: u64) -> io::Result<OwnedFd> {
    // SAFETY: `fs` is a C string that outlives the call; 1 is FSOPEN_CLOEXEC.
    let context = own_fd(unsafe { libc::syscall(libc::SYS_fsopen, fs.as_ptr(), 1) })?;
    for (key, value) in options {
        let (command, value) = match value {
            Some(value) => (FSCONFIG_SET_STRING, value.as_ptr()),
            None => (FSCONFIG_SET_FLAG, std::ptr::null()),
        };
        // SAFETY: key and value are C strings (or null for a flag, as fsconfig(2) asks) that outlive the call.
        let result = unsafe { libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), command, key.as_ptr(), value, 0) };
        check(result)?;
    }
    let null = std::ptr::null::<libc::c_char>();
    // SAFETY: FSCONFIG_CMD_CREATE takes null for key and value.
    check(unsafe { libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), FSCONFIG_CMD_CREATE, null, null, 0) })?;
    // SAFETY: no pointers; 1 is FSMOUNT_CLOEXEC.
    own_fd(unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), 1, attributes) })
}

/// Closes every descriptor from `first` upwards.
pub(crate) fn close_from(first: RawFd) -> io::Result<()> {
    // SAFETY: the callers use no descriptor from `first` upwards after this call.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) }).map(drop)
}

/// Closes every descriptor from 3 upwards except one.
pub(crate) fn close_all_except(exception: BorrowedFd<'_>) -> io::Result<()> {
    let exception = exception.as_raw_fd() as libc::c_uint;
    for (first, last) in [(3, exception.saturating_sub(1)), (exception + 1, libc::c_uint::MAX)] {
        if first <= last {
            // SAFETY: the caller is a newly forked process and uses no other descriptor.
            check(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) })?;
        }
    }
    Ok(())
}

/// Sets the close-on-exec flag of every descriptor from `first` upwards.
pub(crate) fn set_close_on_exec_from(first: RawFd) -> io::Result<()> {
    // SAFETY: only flags of descriptors change; 4 is CLOSE_RANGE_CLOEXEC.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 4) }).map(drop)
}

/// Makes a terminal the controlling terminal of this process, which must lead a session without one: ioctl_tty(2).
pub(crate) fn set_controlling_terminal(terminal: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: TIOCSCTTY takes an integer, which says not to take the terminal from another session.
    check(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSCTTY, 0) }.into()).map(drop)
}

/// Brings the loopback interface of this network namespace up. `socket` is any socket of the namespace: netdevice(7).
pub(crate) fn loopback_up(socket: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: all-zero bytes are a valid `ifreq`.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads an `ifreq`, which `request` is for the whole call.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &request) }.into()).map(drop)
}

/// Adds an IPv4 address to the loopback interface, for one host and with a label of its own. `socket` is an IPv4 socket of the network
/// namespace: netdevice(7).
pub(crate) fn add_loopback_address(socket: BorrowedFd<'_>, address: Ipv4Addr) -> io::Result<()> {
    let with_address = |ioctl, address: Ipv4Addr| {
        // SAFETY: all-zero bytes are a valid `ifreq`.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        for (place, byte) in request.ifr_name.iter_mut().zip(b"lo:1") {
            *place = *byte as libc::c_char;
        }
        let address = libc::sockaddr_in {
            sin_family: libc::AF_INET as libc::sa_family_t,
            sin_port: 0,
            sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.octets()) },
            sin_zero: [0; 8],
        };
        // SAFETY: the union has room for a `sockaddr`, which has the size of a `sockaddr_in`.
        unsafe { std::ptr::write_unaligned((&raw mut request.ifr_ifru).cast(), address) };
        // SAFETY: these requests read an `ifreq`, which `request` is for the whole call.
        check(unsafe { libc::ioctl(socket.as_raw_fd(), ioctl, &request) }.into()).map(drop)
    };
    with_address(libc::SIOCSIFADDR, address)?;
    with_address(libc::SIOCSIFNETMASK, Ipv4Addr::BROADCAST)
}

/// Adds an IPv6 address to the loopback interface, which is the first of each network namespace. `socket` is an IPv6 socket: ipv6(7).
pub(crate) fn add_loopback_address_6(socket: BorrowedFd<'_>, address: Ipv6Addr) -> io::Result<()> {
    let address = libc::in6_addr { s6_addr: address.octets() };
    let request = libc::in6_ifreq { ifr6_addr: address, ifr6_prefixlen: 128, ifr6_ifindex: 1 };
    // SAFETY: on an IPv6 socket, SIOCSIFADDR reads an `in6_ifreq`, which `request` is for the whole call.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFADDR, &request) }.into()).map(drop)
}

/// Sets the NIS domain name. A new UTS namespace starts with a copy of the host's.
pub(crate) fn set_domain_name(name: &str) -> io::Result<()> {
    // SAFETY: `name` points to as many bytes as given; no null byte is needed (setdomainname(2)).
    check(unsafe { libc::setdomainname(name.as_ptr().cast(), name.len()) }.into()).map(drop)
}

/// Resets every signal to its default action and unblocks all, since exec preserves ignored and blocked signals.
pub(crate) fn reset_signals() {
    // All zero bytes are SIG_DFL without flags in the kernel's `struct sigaction` on every architecture. signal(3) is
    // not sufficient: glibc reserves two signals and would leave them ignored if the caller ignored them.
    let default = [0_u64; 8];
    for signal in 1..=64 {
        let null = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: the kernel reads at most the 64 bytes of `default`; SIGKILL and SIGSTOP answer EINVAL.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), null, 8_usize) };
    }
    // SAFETY: the set is on the stack and initialised by sigemptyset(3), and a null pointer requests no old set.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
    }
}

/// Installs a seccomp filter for this thread and everything it starts. Requires no_new_privs.
pub(crate) fn install_seccomp(program: &[libc::sock_filter]) -> io::Result<()> {
    let length = u16::try_from(program.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    // SAFETY: `program` points to `len` instructions that the kernel copies and does not change.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &program) };
    check(result).map(drop)
}

/// Installs a seccomp filter like [`install_seccomp`] and returns the descriptor that receives its notifications. Where
/// the kernel can (Linux 5.19), only a fatal signal interrupts a call that the listener has received: otherwise programs
/// with frequent signals would repeat their calls for ever.
pub(crate) fn install_seccomp_listener(program: &[libc::sock_filter]) -> io::Result<OwnedFd> {
    let length = u16::try_from(program.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    let killable = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    let install = |flags: libc::c_ulong| {
        // SAFETY: `program` points to `len` instructions that the kernel copies and does not change.
        own_fd(unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &program) })
    };
    match install(killable) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => install(libc::SECCOMP_FILTER_FLAG_NEW_LISTENER),
        other => other,
    }
}

/// Asks the kernel to run listener and notifier one after the other on one processor: they never run at the same time, and
/// waking another processor takes several times as long. A hint, so failure is harmless (before Linux 6.6).
pub(crate) fn wake_synchronously(listener: BorrowedFd<'_>) {
    // SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP of <linux/seccomp.h>.
    let flag: libc::c_ulong = 1;
    // SAFETY: SECCOMP_IOCTL_NOTIF_SET_FLAGS takes the flags as an integer.
    unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, flag) };
}

/// Duplicates a descriptor of another process, which this one may trace: pidfd_getfd(2).
pub(crate) fn duplicate_from(process: Pid, fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: no pointers; no flags are defined.
    let process = own_fd(unsafe { libc::syscall(libc::SYS_pidfd_open, process.as_raw(), 0) })?;
    // SAFETY: no pointers; no flags are defined.
    own_fd(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), fd, 0) })
}

/// A system call that waits for the listener's answer.
pub(crate) struct Notification {
    /// Identifies the call. Not valid after its thread has ended.
    pub(crate) id: u64,
    /// The thread, in the pid namespace of this process.
    pub(crate) thread: Pid,
    /// The number of the system call.
    pub(crate) call: i64,
    /// Its arguments.
    pub(crate) arguments: [u64; 6],
}

/// Waits for the next notification. ENOENT: its thread has ended in between.
pub(crate) fn receive_notification(listener: BorrowedFd<'_>) -> io::Result<Notification> {
    // SAFETY: all-zero bytes are a valid `seccomp_notif`, and the kernel demands that they are zero.
    let mut received: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    // SAFETY: SECCOMP_IOCTL_NOTIF_RECV writes a `seccomp_notif`, which `received` is for the whole call.
    check(unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &mut received) }.into())?;
    let libc::seccomp_notif { id, pid, data, .. } = received;
    let thread = Pid::from_raw(pid.cast_signed());
    Ok(Notification { id, thread, call: data.nr.into(), arguments: data.args })
}

/// Lets the call continue. ENOENT: its thread has ended or was interrupted since the notification was received.
pub(crate) fn continue_notification(listener: BorrowedFd<'_>, id: u64) -> io::Result<()> {
    let flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32;
    let mut answer = libc::seccomp_notif_resp { id, val: 0, error: 0, flags };
    // SAFETY: SECCOMP_IOCTL_NOTIF_SEND reads a `seccomp_notif_resp`, which `answer` is for the whole call.
    check(unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &mut answer) }.into()).map(drop)
}

/// Returns the Landlock ABI of this kernel, 0 if Landlock is not supported or not enabled.
pub(crate) fn landlock_abi() -> u32 {
    let (null, size) = (std::ptr::null::<libc::c_void>(), 0_usize);
    // SAFETY: with this flag landlock_create_ruleset(2) takes a null pointer and size 0, and returns the ABI version.
    let result =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, null, size, LANDLOCK_CREATE_RULESET_VERSION) };
    u32::try_from(result).unwrap_or(0)
}
