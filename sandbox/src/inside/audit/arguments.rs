//! Reads what a waiting system call names: paths and socket addresses, from the memory of its process.

use std::fs;
use std::io::IoSliceMut;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::ffi::OsStringExt;

use nix::errno::Errno;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

use crate::inside::seccomp::{Call, Place, Purpose};
use crate::{SocketAccess, SocketOperation, Uses};

/// PATH_MAX, with the null byte: path_resolution(7).
const MAX_PATH_BYTES: usize = 4096;
/// Most paths are shorter. More is read only if no null byte is among these.
const USUAL_PATH_BYTES: usize = 192;
/// The smallest page size. A read that stays inside a page succeeds or fails as a whole.
const PAGE_BYTES: usize = 4096;
/// `struct sockaddr_un`, the largest address that is recorded.
const MAX_ADDRESS_BYTES: usize = 110;

/// What a call names.
pub(super) enum Named {
    /// An absolute path, as the caller wrote it after its directory.
    File { path: Vec<u8>, uses: Uses },
    /// A socket.
    Socket(SocketAccess),
}

/// A thread that waits in a system call.
pub(super) struct Caller {
    thread: Pid,
    arguments: [u64; 6],
}

impl Caller {
    pub(super) fn new(thread: Pid, arguments: [u64; 6]) -> Caller {
        Caller { thread, arguments }
    }

    /// Everything that the call names.
    pub(super) fn read(&self, call: &Call) -> Result<Vec<Named>, Errno> {
        let uses = match call.purpose {
            Purpose::Open(flags) => open_uses(self.arguments[usize::from(flags)]),
            Purpose::Probe => Uses::PROBED,
            Purpose::Write | Purpose::Move(_) => Uses::WRITTEN,
            Purpose::Execute => Uses::EXECUTED,
            Purpose::Socket => return Ok(self.created_socket()),
            Purpose::Connect => return self.address(SocketOperation::Connect, self.arguments[1], self.arguments[2]),
            Purpose::Bind => return self.address(SocketOperation::Bind, self.arguments[1], self.arguments[2]),
            Purpose::SendTo => return self.address(SocketOperation::Send, self.arguments[4], self.arguments[5]),
            Purpose::SendMessage => return self.message(),
        };
        let path = match call.place {
            Place::Path(path) => self.path(None, path)?,
            Place::At(path) => self.path(Some(path - 1), path)?,
            Place::None => return Ok(Vec::new()),
        };
        let original = match (call.purpose, call.place) {
            (Purpose::Move(from), Place::At(_)) => self.path(Some(from - 1), from)?,
            (Purpose::Move(from), _) => self.path(None, from)?,
            _ => None,
        };
        let original = original.map(|path| Named::File { path, uses: Uses::READ });
        Ok(path.map(|path| Named::File { path, uses }).into_iter().chain(original).collect())
    }

    /// The absolute path in an argument. `None` if it is empty, which names a descriptor or nothing.
    fn path(&self, dir: Option<u8>, path: u8) -> Result<Option<Vec<u8>>, Errno> {
        let path = self.string(self.arguments[usize::from(path)])?;
        match path.first() {
            None => Ok(None),
            Some(b'/') => Ok(Some(path)),
            Some(_) => {
                let dir = dir.map_or(libc::AT_FDCWD, |dir| self.arguments[usize::from(dir)] as i32);
                let link = match dir {
                    libc::AT_FDCWD => format!("/proc/{}/cwd", self.thread),
                    fd => format!("/proc/{}/fd/{fd}", self.thread),
                };
                let dir = fs::read_link(link).map_err(|_| Errno::ENOENT)?;
                let mut absolute = dir.into_os_string().into_vec();
                absolute.push(b'/');
                absolute.extend(path);
                Ok(Some(absolute))
            }
        }
    }

    /// The bytes before the null byte at an address.
    fn string(&self, address: u64) -> Result<Vec<u8>, Errno> {
        let mut bytes = Vec::new();
        let mut at = usize::try_from(address).map_err(|_| Errno::EFAULT)?;
        while bytes.len() < MAX_PATH_BYTES {
            let to_page_end = PAGE_BYTES - at % PAGE_BYTES;
            let wanted = if bytes.is_empty() { USUAL_PATH_BYTES } else { MAX_PATH_BYTES - bytes.len() };
            let part = self.bytes(at, wanted.min(to_page_end))?;
            if let Some(end) = part.iter().position(|byte| *byte == 0) {
                bytes.extend(&part[..end]);
                return Ok(bytes);
            }
            at += part.len();
            bytes.extend(part);
        }
        Err(Errno::EFAULT)
    }

    fn bytes(&self, address: usize, length: usize) -> Result<Vec<u8>, Errno> {
        let mut bytes = vec![0; length];
        let remote = RemoteIoVec { base: address, len: length };
        let read = process_vm_readv(self.thread, &mut [IoSliceMut::new(&mut bytes)], &[remote])?;
        bytes.truncate(read);
        if bytes.is_empty() { Err(Errno::EFAULT) } else { Ok(bytes) }
    }

    fn created_socket(&self) -> Vec<Named> {
        let family = match self.arguments[0] as i32 {
            libc::AF_UNIX => "unix",
            libc::AF_INET => "inet",
            libc::AF_INET6 => "inet6",
            libc::AF_NETLINK => "netlink",
            _ => return Vec::new(),
        };
        let address = family.to_owned();
        vec![Named::Socket(SocketAccess { operation: SocketOperation::Create, address })]
    }

    fn address(&self, operation: SocketOperation, address: u64, length: u64) -> Result<Vec<Named>, Errno> {
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(MAX_ADDRESS_BYTES);
        let address = usize::try_from(address).map_err(|_| Errno::EFAULT)?;
        if address == 0 || length == 0 {
            return Ok(Vec::new());
        }
        let text = address_text(&self.bytes(address, length)?);
        Ok(text.map(|address| Named::Socket(SocketAccess { operation, address })).into_iter().collect())
    }

    /// The address in the first message. `struct msghdr` begins with a pointer to the address and its length, and `struct
    /// mmsghdr` begins with a `struct msghdr`.
    fn message(&self) -> Result<Vec<Named>, Errno> {
        let address = usize::try_from(self.arguments[1]).map_err(|_| Errno::EFAULT)?;
        let head = self.bytes(address, 12)?;
        let Ok([pointer, rest]) = head.split_at_checked(8).map(|(a, b)| [a, b]).ok_or(()) else {
            return Ok(Vec::new());
        };
        let (Ok(pointer), Ok(length)) = (pointer.try_into(), rest.try_into()) else { return Ok(Vec::new()) };
        let (pointer, length) = (u64::from_ne_bytes(pointer), u32::from_ne_bytes(length));
        self.address(SocketOperation::Send, pointer, length.into())
    }
}

/// The uses that the flags of open(2) stand for.
fn open_uses(flags: u64) -> Uses {
    let flags = flags as i32;
    if flags & libc::O_PATH != 0 {
        return Uses::PROBED;
    }
    let written = flags & (libc::O_CREAT | libc::O_TRUNC) != 0;
    match flags & libc::O_ACCMODE {
        libc::O_RDONLY if written => Uses::READ | Uses::WRITTEN,
        libc::O_RDONLY => Uses::READ,
        libc::O_WRONLY => Uses::WRITTEN,
        _ => Uses::READ | Uses::WRITTEN,
    }
}

/// The text of a `struct sockaddr`: ip(7), ipv6(7), unix(7). `None` for other families and for incomplete addresses.
fn address_text(bytes: &[u8]) -> Option<String> {
    let family = i32::from(u16::from_ne_bytes(*bytes.first_chunk()?));
    let port = || Some(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?));
    match family {
        libc::AF_INET => {
            let address: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
            Some(SocketAddr::from((Ipv4Addr::from(address), port()?)).to_string())
        }
        libc::AF_INET6 => {
            let address: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
            Some(SocketAddr::from((Ipv6Addr::from(address), port()?)).to_string())
        }
        libc::AF_UNIX => Some(unix_address_text(bytes.get(2..)?)),
        _ => None,
    }
}

fn unix_address_text(path: &[u8]) -> String {
    let (prefix, name) = match path {
        [] => ("", path),
        [0, name @ ..] => ("@", name),
        path => ("", path.split(|byte| *byte == 0).next().unwrap_or_default()),
    };
    format!("unix:{prefix}{}", String::from_utf8_lossy(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_people_write_them() {
        let inet = |family: i32, rest: &[u8]| [&(family as u16).to_ne_bytes()[..], rest].concat();
        let check = |bytes: &[u8], expected: Option<&str>| assert_eq!(address_text(bytes).as_deref(), expected);
        check(&inet(libc::AF_INET, &[0, 80, 192, 0, 2, 1, 0, 0]), Some("192.0.2.1:80"));
        let mut six = vec![1, 187, 0, 0, 0, 0, 0x20, 1, 0xd, 0xb8];
        six.extend([0; 11]);
        six.push(1);
        check(&inet(libc::AF_INET6, &six), Some("[2001:db8::1]:443"));
        check(&inet(libc::AF_UNIX, b"/run/x\0\0"), Some("unix:/run/x"));
        check(&inet(libc::AF_UNIX, b"\0name"), Some("unix:@name"));
        check(&inet(libc::AF_INET, &[0]), None);
        check(&[2], None);
        check(&inet(libc::AF_NETLINK, &[0; 10]), None);
    }

    #[test]
    fn flags_of_open_say_whether_a_file_is_read_or_written() {
        let check = |flags: i32, expected| assert_eq!(open_uses(flags as u64), expected);
        check(libc::O_RDONLY | libc::O_CLOEXEC, Uses::READ);
        check(libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC, Uses::WRITTEN);
        check(libc::O_RDWR, Uses::READ | Uses::WRITTEN);
        check(libc::O_PATH | libc::O_DIRECTORY, Uses::PROBED);
    }
}
