//! The system calls that are reported when a step is audited: those that name a file, a program or an address. Calls on
//! descriptors are not reported, because the call that opened the descriptor was.

use super::rules::{Rule, Test};

/// A reported system call.
#[derive(Clone, Copy, Debug)]
pub(in crate::inside) struct Call {
    /// The system call's number.
    pub(in crate::inside) number: i64,
    /// What the call does.
    pub(in crate::inside) purpose: Purpose,
    /// Which arguments name the file. Unused by calls on sockets.
    pub(in crate::inside) place: Place,
}

/// What a reported call does with a file or an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::inside) enum Purpose {
    /// Opens a file with the flags in this argument.
    Open(u8),
    /// Asks for metadata or permissions, or changes the working directory.
    Probe,
    /// Creates or replaces the file.
    Write,
    /// Gives the file another name: the content of the file in this argument appears at the place.
    Move(u8),
    /// Executes the file.
    Execute,
    /// Creates a socket.
    Socket,
    /// Connects a socket.
    Connect,
    /// Gives a socket an address.
    Bind,
    /// Sends to an address: sendto(2).
    SendTo,
    /// Sends a message that may contain an address: sendmsg(2) and sendmmsg(2).
    SendMessage,
}

/// The arguments that name a file.
#[derive(Clone, Copy, Debug)]
pub(in crate::inside) enum Place {
    /// A path relative to the working directory.
    Path(u8),
    /// A path relative to the directory in the argument before it.
    At(u8),
    /// None: the call is one on a socket.
    None,
}

const fn call(number: i64, purpose: Purpose, place: Place) -> Call {
    Call { number, purpose, place }
}

/// All reported calls, in no particular order. `openat2` is not among them, because steps do not have it. Neither is
/// `readlink`: a link matters where it is followed, and `realpath`(3) calls it for each directory of a path, which is three
/// quarters of the calls of a C compiler.
#[rustfmt::skip]
pub(in crate::inside) const CALLS: &[Call] = &[
    call(libc::SYS_openat, Purpose::Open(2), Place::At(1)),
    call(libc::SYS_newfstatat, Purpose::Probe, Place::At(1)),
    call(libc::SYS_statx, Purpose::Probe, Place::At(1)),
    call(libc::SYS_faccessat, Purpose::Probe, Place::At(1)),
    call(libc::SYS_faccessat2, Purpose::Probe, Place::At(1)),
    call(libc::SYS_chdir, Purpose::Probe, Place::Path(0)),
    call(libc::SYS_mkdirat, Purpose::Write, Place::At(1)),
    call(libc::SYS_mknodat, Purpose::Write, Place::At(1)),
    call(libc::SYS_symlinkat, Purpose::Write, Place::At(2)),
    call(libc::SYS_linkat, Purpose::Move(1), Place::At(3)),
    call(libc::SYS_renameat2, Purpose::Move(1), Place::At(3)),
    call(libc::SYS_truncate, Purpose::Write, Place::Path(0)),
    call(libc::SYS_execve, Purpose::Execute, Place::Path(0)),
    call(libc::SYS_execveat, Purpose::Execute, Place::At(1)),
    call(libc::SYS_socket, Purpose::Socket, Place::None),
    call(libc::SYS_connect, Purpose::Connect, Place::None),
    call(libc::SYS_bind, Purpose::Bind, Place::None),
    call(libc::SYS_sendto, Purpose::SendTo, Place::None),
    call(libc::SYS_sendmsg, Purpose::SendMessage, Place::None),
    call(libc::SYS_sendmmsg, Purpose::SendMessage, Place::None),
    call(libc::SYS_renameat, Purpose::Move(1), Place::At(3)),
    #[cfg(target_arch = "x86_64")]
    call(libc::SYS_open, Purpose::Open(1), Place::Path(0)),
    #[cfg(target_arch = "x86_64")]
    call(libc::SYS_creat, Purpose::Write, Place::Path(0)),
    #[cfg(target_arch = "x86_64")]
    call(libc::SYS_stat, Purpose::Probe, Place::Path(0)),
    #[cfg(target_arch = "x86_64")]
    call(libc::SYS_lstat, Purpose::Probe, Place::Path(0)),
    #[cfg(target_arch = "x86_64")]
    call(libc::SYS_access, Purpose::Probe, Place::Path(0)),
    #[cfg(target_arch = "x86_64")]
    call(libc::SYS_mkdir, Purpose::Write, Place::Path(0)),
    #[cfg(target_arch = "x86_64")]
    call(libc::SYS_mknod, Purpose::Write, Place::Path(0)),
    #[cfg(target_arch = "x86_64")]
    call(libc::SYS_symlink, Purpose::Write, Place::Path(1)),
    #[cfg(target_arch = "x86_64")]
    call(libc::SYS_link, Purpose::Move(0), Place::Path(1)),
    #[cfg(target_arch = "x86_64")]
    call(libc::SYS_rename, Purpose::Move(0), Place::Path(1)),
];

/// The rules of the filter. A rule that reports nothing costs the step nothing, so calls that cannot name a file are left
/// out where the arguments tell.
pub(super) fn rules() -> Vec<Rule> {
    CALLS.iter().map(rule).collect()
}

fn rule(call: &Call) -> Rule {
    let number = call.number;
    let report = libc::SECCOMP_RET_USER_NOTIF;
    let not_empty = |flags| [(flags, Test::NoBit(libc::AT_EMPTY_PATH as u32))];
    match number {
        // The C library's fstat(3) is this call with an empty path, once for each file that is opened.
        libc::SYS_newfstatat => Rule::new(number, not_empty(3), report),
        libc::SYS_statx => Rule::new(number, not_empty(2), report),
        // Data sent on a connected socket has no address.
        libc::SYS_sendto => Rule::new(number, [(4, Test::AnyBit(u32::MAX))], report),
        _ => Rule::new(number, [], report),
    }
}
