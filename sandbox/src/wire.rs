//! Messages between caller, spawner and cell: one JSON packet each over SOCK_SEQPACKET, descriptors beside it.
//! A request's body can exceed a packet (environments of 100 KB), so it travels as a memfd.

use std::io::{IoSlice, IoSliceMut, Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg, sendmsg, socketpair,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Doing;
use crate::{Error, Kernel, Outcome, Request, sys};

/// Caller to spawner. `Run` comes with four descriptors: body, stdin, stdout, stderr. So many `others` will follow soon.
#[derive(Debug, Serialize, Deserialize)]
pub enum Ask {
    Run { id: u64, others: usize },
    Interrupt { id: u64 },
    Kill { id: u64 },
}

/// Spawner to caller.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    Ready(Kernel),
    Ended { id: u64, result: Result<Outcome, Error> },
}

/// Spawner to cell. `Run` comes with the same four descriptors and one mount for each mount of the request that has a
/// source, in order.
#[derive(Debug, Serialize, Deserialize)]
pub enum Order {
    /// The user and group maps are written.
    Mapped,
    Run,
    Interrupt,
    Kill,
}

/// Cell to spawner: its last words.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report(pub Result<Outcome, Error>);

/// Larger than any message; bodies travel as memfds.
const PACKET: usize = 64 * 1024;
/// SCM_MAX_FD of unix(7).
pub const MOST_FDS: usize = 253;

pub fn pair() -> Result<(OwnedFd, OwnedFd), Error> {
    socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).doing("make a socket pair")
}

pub fn send<T: Serialize>(socket: BorrowedFd<'_>, message: &T, fds: &[BorrowedFd<'_>]) -> Result<(), Error> {
    let bytes = serde_json::to_vec(message).expect("messages are plain data with string keys");
    let raw: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control: &[ControlMessage<'_>] = if raw.is_empty() { &[] } else { &rights };
    loop {
        match sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(&bytes)], control, MsgFlags::MSG_NOSIGNAL, None) {
            Err(nix::Error::EINTR) => {}
            other => return other.map(drop).doing("send a message to the sandbox"),
        }
    }
}

/// The next message, `None` when the other side is gone.
pub fn receive<T: DeserializeOwned>(socket: BorrowedFd<'_>) -> Result<Option<(T, Vec<OwnedFd>)>, Error> {
    let mut bytes = vec![0; PACKET];
    let mut control = nix::cmsg_space!([RawFd; MOST_FDS]);
    let (length, fds) = loop {
        let mut parts = [IoSliceMut::new(&mut bytes)];
        match recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::MSG_CMSG_CLOEXEC) {
            Err(nix::Error::EINTR) => {}
            Err(nix::Error::ECONNRESET) => return Ok(None),
            Err(error) => return Err(error).doing("receive a message"),
            Ok(message) => {
                let mut fds = Vec::new();
                for part in message.cmsgs().doing("receive descriptors")? {
                    if let ControlMessageOwned::ScmRights(raw) = part {
                        fds.extend(raw.into_iter().map(sys::adopt));
                    }
                }
                break (message.bytes, fds);
            }
        }
    };
    if length == 0 {
        return Ok(None);
    }
    let message = serde_json::from_slice(&bytes[..length])
        .map_err(|error| Error::Request(format!("unreadable message: {error}")))?;
    Ok(Some((message, fds)))
}

pub fn write_body(request: &Request) -> Result<OwnedFd, Error> {
    let body = memfd_create("request", MFdFlags::MFD_CLOEXEC).doing("make a memory file for the request")?;
    let mut file = std::fs::File::from(body);
    let bytes =
        serde_json::to_vec(request).map_err(|error| Error::Request(format!("not writable as JSON: {error}")))?;
    file.write_all(&bytes).doing("write the request")?;
    Ok(file.into())
}

pub fn read_body(body: &OwnedFd) -> Result<Request, Error> {
    let mut file = std::fs::File::from(body.as_fd().try_clone_to_owned().doing("duplicate the request")?);
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).doing("read the request")?;
    serde_json::from_slice(&bytes).map_err(|error| Error::Request(format!("unreadable: {error}")))
}
