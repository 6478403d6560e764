//! Messages between caller, spawner and init: each is one JSON packet over a SOCK_SEQPACKET socket, with descriptors as
//! ancillary data. A request can exceed a packet (environments reach 100 KB), so it travels as a memfd, its *body*.

use std::io::{IoSlice, IoSliceMut, Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg, sendmsg, socketpair,
};
use nix::unistd::write;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Context;
use crate::{Error, Kernel, Outcome, Request, Trace, sys};

/// Caller to spawner.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum CallerMessage {
    /// Carries four descriptors: body, stdin, stdout, stderr. `upcoming` is the number of requests that the caller
    /// expects to send soon after this one.
    Run {
        id: u64,
        upcoming: usize,
    },
    Interrupt {
        id: u64,
    },
    Kill {
        id: u64,
    },
}

/// Spawner to caller. `Ended` carries the trace of an audited step as a memory file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum SpawnerMessage {
    Ready(Kernel),
    Ended { id: u64, result: Result<Outcome, Error> },
}

/// Spawner to init, and init to leader.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// The user and group maps are written.
    Mapped,
    /// Carries body, stdin, stdout and stderr. To init, also one mount for each mount of the request that has a source,
    /// in order.
    Run,
    Interrupt,
    Kill,
}

/// Leader to init, before exec. A successful exec closes the socket.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum LeaderMessage {
    /// The descriptor of the audit's listener, which init takes from the leader.
    Audit {
        listener: RawFd,
    },
    Failed(Error),
}

/// Final report from a sandbox's init to the spawner. Carries the trace of an audited step as a memory file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report(pub(crate) Result<Outcome, Error>);

/// Larger than any message, since requests travel as memfds.
const MAX_PACKET_BYTES: usize = 64 * 1024;
/// Descriptors in one message: SCM_MAX_FD of unix(7).
pub(crate) const MAX_FDS: usize = 253;

pub(crate) fn socket_pair() -> Result<(OwnedFd, OwnedFd), Error> {
    socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).context("create a socket pair")
}

pub(crate) fn send<T: Serialize>(socket: BorrowedFd<'_>, message: &T, fds: &[BorrowedFd<'_>]) -> Result<(), Error> {
    let bytes = serde_json::to_vec(message).expect("messages are plain data with string keys");
    let raw: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control: &[ControlMessage<'_>] = if raw.is_empty() { &[] } else { &rights };
    loop {
        match sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(&bytes)], control, MsgFlags::MSG_NOSIGNAL, None) {
            Err(nix::Error::EINTR) => {}
            other => return other.map(drop).context("send a message to the sandbox"),
        }
    }
}

/// Like [`send`], by write(2) and so without descriptors.
pub(crate) fn send_without_sendmsg<T: Serialize>(socket: BorrowedFd<'_>, message: &T) -> Result<(), Error> {
    let bytes = serde_json::to_vec(message).expect("messages are plain data with string keys");
    write(socket, &bytes).map(drop).context("send a message to the sandbox")
}

/// Returns the next message, or `None` after the other side has closed the socket.
pub(crate) fn receive<T: DeserializeOwned>(socket: BorrowedFd<'_>) -> Result<Option<(T, Vec<OwnedFd>)>, Error> {
    let mut bytes = vec![0; MAX_PACKET_BYTES];
    let mut control = nix::cmsg_space!([RawFd; MAX_FDS]);
    let (length, fds) = loop {
        let mut parts = [IoSliceMut::new(&mut bytes)];
        match recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::MSG_CMSG_CLOEXEC) {
            Err(nix::Error::EINTR) => {}
            Err(nix::Error::ECONNRESET) => return Ok(None),
            Err(error) => return Err(error).context("receive a message"),
            Ok(message) => {
                let mut fds = Vec::new();
                for part in message.cmsgs().context("receive descriptors")? {
                    if let ControlMessageOwned::ScmRights(raw) = part {
                        fds.extend(raw.into_iter().map(sys::take_ownership));
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
        .map_err(|error| Error::Request(format!("cannot parse a message: {error}")))?;
    Ok(Some((message, fds)))
}

pub(crate) fn write_body(request: &Request) -> Result<OwnedFd, Error> {
    let body = memfd_create("request", MFdFlags::MFD_CLOEXEC).context("create a memory file for the request")?;
    let mut file = std::fs::File::from(body);
    let bytes = serde_json::to_vec(request)
        .map_err(|error| Error::Request(format!("cannot write the request as JSON: {error}")))?;
    file.write_all(&bytes).context("write the request")?;
    Ok(file.into())
}

pub(crate) fn read_body(body: &OwnedFd) -> Result<Request, Error> {
    let bytes = read_memory_file(body).context("read the request")?;
    serde_json::from_slice(&bytes).map_err(|error| Error::Request(format!("cannot parse the request: {error}")))
}

pub(crate) fn read_trace(trace: &OwnedFd) -> Result<Trace, Error> {
    let bytes = read_memory_file(trace).context("read the trace of the step")?;
    serde_json::from_slice(&bytes).map_err(|error| Error::Request(format!("cannot parse the trace: {error}")))
}

fn read_memory_file(file: &OwnedFd) -> std::io::Result<Vec<u8>> {
    let mut file = std::fs::File::from(file.as_fd().try_clone_to_owned()?);
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}
