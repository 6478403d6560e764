//! `/etc`: constant files, the same on every machine, and only those that libraries read. Anything else that a step
//! needs there must be a mount of its request.

use std::fs;

use super::identity::NAME;
use super::root::NewRoot;
use crate::error::Context;
use crate::host::INSIDE_ID;
use crate::{Error, Network, Request};

const FILES: [(&str, &str); 9] = [
    ("group", "waders:x:1000:\nnogroup:x:65534:\n"),
    ("host.conf", "multi on\n"),
    ("hostname", "waders\n"),
    ("hosts", "127.0.0.1 localhost waders\n::1 localhost ip6-localhost ip6-loopback\n"),
    (
        "nsswitch.conf",
        "passwd: files\ngroup: files\nshadow: files\nhosts: files\nnetworks: files\nprotocols: files\nservices: files\n",
    ),
    ("protocols", "ip 0 IP\nicmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\nipv6-icmp 58 IPv6-ICMP\n"),
    ("resolv.conf", ""),
    ("services", "ftp 21/tcp\nssh 22/tcp\nsmtp 25/tcp\ndomain 53/tcp\ndomain 53/udp\nhttp 80/tcp\nhttps 443/tcp\n"),
    ("timezone", "Etc/UTC\n"),
];

/// The time zone UTC in the format of tzfile(5): a version 1 header and its only zone, then the same for version 2,
/// followed by the rule `UTC0`.
const UTC: &[u8] =
    b"TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x04\0\0\0\0\0\0UTC\0\
TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x04\0\0\0\0\0\0UTC\0\nUTC0\n";

pub(super) fn write(root: &NewRoot, network: Network) -> Result<(), Error> {
    let etc = root.path.join("etc");
    fs::create_dir(&etc).context("create `/etc`")?;
    let write_file =
        |name: &str, text: &[u8]| fs::write(etc.join(name), text).with_context(|| format!("write `/etc/{name}`"));
    for (name, text) in FILES {
        write_file(name, text.as_bytes())?;
    }
    write_file("localtime", UTC)?;
    if network == Network::Host {
        for name in ["hosts", "resolv.conf"] {
            write_file(name, &fs::read(format!("/etc/{name}")).unwrap_or_default())?;
        }
        write_file("nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files dns\n")?;
    }
    Ok(())
}

/// Writes the user database, which contains the request's HOME.
pub(super) fn write_passwd(request: &Request) -> Result<(), Error> {
    let home = request.env.get("HOME").map_or("/", |home| home.as_str());
    if home.contains([':', '\n']) {
        return Err(Error::Request(format!(
            "HOME `{}` contains a colon or a line break, which `/etc/passwd` does not allow",
            home.escape_debug()
        )));
    }
    let passwd = format!(
        "{NAME}:x:{INSIDE_ID}:{INSIDE_ID}:{NAME}:{home}:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
    );
    fs::write("/etc/passwd", passwd).context("write `/etc/passwd`")
}
