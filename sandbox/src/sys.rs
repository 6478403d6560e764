//! The kernel calls that `nix` does not offer in safe form. The only file of the workspace with `unsafe`.
//! No policy: what is mounted, denied or cloned is decided by the callers.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::unistd::Pid;

pub const MOUNT_ATTR_RDONLY: u64 = 0x1;
pub const MOUNT_ATTR_NOSUID: u64 = 0x2;
pub const MOUNT_ATTR_NODEV: u64 = 0x4;
pub const MOUNT_ATTR_NOEXEC: u64 = 0x8;
pub const MOUNT_ATTR_IDMAP: u64 = 0x0010_0000;

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

/// Which side of a fork this is.
pub enum Side {
    Parent(Pid),
    Child,
}

fn answer(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn owned(result: libc::c_long) -> io::Result<OwnedFd> {
    let fd = answer(result)? as RawFd;
    // SAFETY: the kernel has just returned this descriptor to us and nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Takes a descriptor received over a socket.
pub fn adopt(fd: RawFd) -> OwnedFd {
    // SAFETY: recvmsg(2) installed this descriptor for us alone; the caller takes each number once.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// A copy of this process in the namespaces that `flags` name. Only for single-threaded processes: the child may
/// then allocate and lock as usual.
pub fn clone(flags: libc::c_int) -> io::Result<Side> {
    let flags = libc::c_long::from(flags | libc::SIGCHLD);
    // SAFETY: without CLONE_VM the child has its own memory, and a null stack means the parent's address as in fork(2).
    let result = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    Ok(match answer(result)? {
        0 => Side::Child,
        pid => Side::Parent(Pid::from_raw(pid as libc::pid_t)),
    })
}

/// Ends this process at once: no destructors, no exit handlers copied from the parent.
pub fn exit(code: i32) -> ! {
    // SAFETY: _exit(2) takes no pointers and does not return.
    unsafe { libc::_exit(code) }
}

/// A detached copy of the mount at `path` (of `dir` itself when `path` is empty) and everything mounted below it.
pub fn open_tree(dir: BorrowedFd<'_>, path: &CStr, recursive: bool) -> io::Result<OwnedFd> {
    let mut flags = OPEN_TREE_CLONE | libc::O_CLOEXEC as libc::c_uint | libc::AT_EMPTY_PATH as libc::c_uint;
    if recursive {
        flags |= AT_RECURSIVE;
    }
    // SAFETY: `path` is a C string that outlives the call.
    owned(unsafe { libc::syscall(libc::SYS_open_tree, dir.as_raw_fd(), path.as_ptr(), flags) })
}

/// Sets attributes on a mount (and with `recursive` on all below it), and takes it out of every propagation group.
pub fn mount_setattr(
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
    answer(result).map(drop)
}

/// Attaches a detached mount on the directory or file `at`.
pub fn move_mount(mount: BorrowedFd<'_>, at: BorrowedFd<'_>) -> io::Result<()> {
    let (from, to, empty) = (mount.as_raw_fd(), at.as_raw_fd(), c"".as_ptr());
    let flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    // SAFETY: both paths are the same empty C string, which is static.
    answer(unsafe { libc::syscall(libc::SYS_move_mount, from, empty, to, empty, flags) }).map(drop)
}

/// Attaches a detached mount at a path, following links.
pub fn move_mount_to(mount: BorrowedFd<'_>, at: &CStr) -> io::Result<()> {
    let (from, empty, to) = (mount.as_raw_fd(), c"".as_ptr(), at.as_ptr());
    // SAFETY: both paths are C strings that outlive the call.
    let result =
        unsafe { libc::syscall(libc::SYS_move_mount, from, empty, libc::AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH) };
    answer(result).map(drop)
}

/// A new file system of a type, with options, as a detached mount. An option without value is a flag.
pub fn new_mount(fs: &CStr, options: &[(&CStr, Option<&CStr>)], attributes: u64) -> io::Result<OwnedFd> {
    // SAFETY: `fs` is a C string that outlives the call; 1 is FSOPEN_CLOEXEC.
    let context = owned(unsafe { libc::syscall(libc::SYS_fsopen, fs.as_ptr(), 1) })?;
    for (key, value) in options {
        let (command, value) = match value {
            Some(value) => (FSCONFIG_SET_STRING, value.as_ptr()),
            None => (FSCONFIG_SET_FLAG, std::ptr::null()),
        };
        // SAFETY: key and value are C strings (or null for a flag, as fsconfig(2) asks) that outlive the call.
        let result = unsafe { libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), command, key.as_ptr(), value, 0) };
        answer(result)?;
    }
    let null = std::ptr::null::<libc::c_char>();
    // SAFETY: FSCONFIG_CMD_CREATE takes null for key and value.
    answer(unsafe { libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), FSCONFIG_CMD_CREATE, null, null, 0) })?;
    // SAFETY: no pointers; 1 is FSMOUNT_CLOEXEC.
    owned(unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), 1, attributes) })
}

/// Closes every descriptor from `first` on.
pub fn close_from(first: RawFd) -> io::Result<()> {
    // SAFETY: callers hold no owned descriptor from `first` on that they use again: they execute or loop next.
    answer(unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) }).map(drop)
}

/// Closes every descriptor from 3 on but one.
pub fn close_all_but(kept: BorrowedFd<'_>) -> io::Result<()> {
    let kept = kept.as_raw_fd() as libc::c_uint;
    for (first, last) in [(3, kept.saturating_sub(1)), (kept + 1, libc::c_uint::MAX)] {
        if first <= last {
            // SAFETY: the caller is a fresh copy of a process and uses none of the others.
            answer(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) })?;
        }
    }
    Ok(())
}

/// Marks every descriptor from `first` on to be closed by exec.
pub fn close_from_on_exec(first: RawFd) -> io::Result<()> {
    // SAFETY: only flags of descriptors change; 4 is CLOSE_RANGE_CLOEXEC.
    answer(unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 4) }).map(drop)
}

/// Brings the loopback interface of this network namespace up.
pub fn loopback_up(socket: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: all-zero bytes are a valid `ifreq`.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads an `ifreq`, which `request` is for the whole call.
    answer(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &request) }.into()).map(drop)
}

/// The NIS domain name, which a new UTS namespace copies from the host's.
pub fn set_domain_name(name: &str) -> io::Result<()> {
    // SAFETY: `name` points to as many bytes as given; no null byte is needed (setdomainname(2)).
    answer(unsafe { libc::setdomainname(name.as_ptr().cast(), name.len()) }.into()).map(drop)
}

/// Puts every signal back to its default and unblocks all: an exec keeps ignored and blocked signals.
pub fn default_signals() {
    // All-zero is SIG_DFL without flags in `struct sigaction` of every architecture's kernel. Not signal(3): glibc
    // keeps two signals to itself and would leave them ignored when our caller ignored them.
    let default = [0_u64; 8];
    for signal in 1..=64 {
        let null = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: the kernel reads at most the 64 bytes of `default`; SIGKILL and SIGSTOP answer EINVAL.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), null, 8_usize) };
    }
    // SAFETY: the set lives on our stack, is initialised by sigemptyset(3), and the old set is not asked for.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
    }
}

/// Installs a seccomp filter for this thread and all it starts. Needs no_new_privs.
pub fn seccomp(program: &[libc::sock_filter]) -> io::Result<()> {
    let length = u16::try_from(program.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    // SAFETY: `program` points to `len` instructions that the kernel copies and does not change.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &program) };
    answer(result).map(drop)
}

/// The Landlock ABI of this kernel, 0 when it has none.
pub fn landlock_abi() -> u32 {
    let (null, size) = (std::ptr::null::<libc::c_void>(), 0_usize);
    // SAFETY: a null pointer with size 0 is how landlock_create_ruleset(2) is asked for its version.
    let result =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, null, size, LANDLOCK_CREATE_RULESET_VERSION) };
    u32::try_from(result).unwrap_or(0)
}
