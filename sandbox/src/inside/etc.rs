//! `/etc`: made, the same everywhere, and only what libraries read. What a step needs beyond it comes as a mount.

use std::fs;

use super::root::Stage;
use super::user::NAME;
use crate::error::Doing;
use crate::ground::INSIDE;
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

/// UTC as tzfile(5): a header for version 1, its one zone, and the same for version 2 with an empty rule.
const UTC: &[u8] =
    b"TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x04\0\0\0\0\0\0UTC\0\
TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x04\0\0\0\0\0\0UTC\0\nUTC0\n";

pub fn make(stage: &Stage, network: Network) -> Result<(), Error> {
    let etc = stage.front.join("etc");
    fs::create_dir(&etc).doing("make `/etc`")?;
    let write = |name: &str, text: &[u8]| fs::write(etc.join(name), text).doing_with(|| format!("write `/etc/{name}`"));
    for (name, text) in FILES {
        write(name, text.as_bytes())?;
    }
    write("localtime", UTC)?;
    if network == Network::Host {
        for name in ["hosts", "resolv.conf"] {
            write(name, &fs::read(format!("/etc/{name}")).unwrap_or_default())?;
        }
        write("nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files dns\n")?;
    }
    Ok(())
}

/// What depends on the request: where the user lives.
pub fn complete(request: &Request) -> Result<(), Error> {
    let home = request.env.get("HOME").map_or("/", |home| home.as_str());
    if home.contains([':', '\n']) {
        return Err(Error::Request(format!("HOME `{}` cannot stand in `/etc/passwd`", home.escape_debug())));
    }
    let passwd =
        format!("{NAME}:x:{INSIDE}:{INSIDE}:{NAME}:{home}:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n");
    fs::write("/etc/passwd", passwd).doing("write `/etc/passwd`")
}
