//! Differences between archives (zip, tar, gzip): the contents of a member, the order of members, or a member's attributes.

use std::io::{Cursor, Read};

use flate2::read::MultiGzDecoder;

use crate::difference::{Difference, Kind, at_depth, text};

/// More is not read from one member or compressed file, so that an archive of zeros cannot fill the memory.
const MAX_BYTES: u64 = 64 << 20;

/// The number of members that are compared.
const MAX_MEMBERS: usize = 100_000;

struct Member {
    name: String,
    time: String,
    /// Everything else that is recorded of it: its mode, type and owner.
    attributes: String,
    content: Vec<u8>,
}

/// `None` if the files are not archives of the same kind, or if nothing that is compared here differs.
pub(super) fn compare(first: &[u8], second: &[u8], depth: usize) -> Option<Difference> {
    match (first.get(..2)?, second.get(..2)?) {
        ([0x1f, 0x8b], [0x1f, 0x8b]) => return compare_gzip(first, second, depth),
        _ if is_tar(first) && is_tar(second) => {}
        _ => return compare_members(&read_zip(first)?, &read_zip(second)?, depth),
    }
    compare_members(&read_tar(first)?, &read_tar(second)?, depth)
}

fn compare_members(first: &[Member], second: &[Member], depth: usize) -> Option<Difference> {
    let listing = |of: fn(&Member) -> String, members: &[Member]| members.iter().map(of).collect::<Vec<_>>();
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    let difference = |kind, of: fn(&Member) -> String| {
        let [one, other] = [first, second].map(|members| listing(of, members).join("\n"));
        Some(Difference { members: Vec::new(), kind, diff: text::diff(&one, &other) })
    };
    let name: fn(&Member) -> String = |member| member.name.clone();
    let [names, other_names] = [first, second].map(|members| listing(name, members));
    if names != other_names {
        let kind = if sorted(names) == sorted(other_names) { Kind::Order } else { Kind::File };
        return difference(kind, name);
    }
    let mut pairs = first.iter().zip(second);
    if let Some((one, other)) = pairs.find(|(one, other)| one.content != other.content) {
        return Some(at_depth(&one.name, &one.content, &other.content, depth + 1).inside(&one.name));
    }
    let with_attributes: fn(&Member) -> String = |member| format!("{} {}", member.name, member.attributes);
    if listing(with_attributes, first) != listing(with_attributes, second) {
        return difference(Kind::File, with_attributes);
    }
    let with_time: fn(&Member) -> String = |member| format!("{} modified {}", member.name, member.time);
    match listing(with_time, first) == listing(with_time, second) {
        true => None,
        false => difference(Kind::Time, with_time),
    }
}

/// The time is in the header: RFC 1952, section 2.3.
fn compare_gzip(first: &[u8], second: &[u8], depth: usize) -> Option<Difference> {
    let [one, other] = [unzipped(first)?, unzipped(second)?];
    if one != other {
        return Some(at_depth("", &one, &other, depth + 1));
    }
    let time = |bytes: &[u8]| Some(u32::from_le_bytes(*bytes.get(4..8)?.first_chunk()?));
    let [one, other] = [time(first)?, time(second)?];
    let diff = format!("-gzip header: modified {one}\n+gzip header: modified {other}");
    (one != other).then_some(Difference { members: Vec::new(), kind: Kind::Time, diff })
}

fn unzipped(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    MultiGzDecoder::new(bytes).take(MAX_BYTES).read_to_end(&mut out).ok()?;
    Some(out)
}

fn read_zip(bytes: &[u8]) -> Option<Vec<Member>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).ok()?;
    let mut members = Vec::new();
    for index in 0..archive.len().min(MAX_MEMBERS) {
        let mut file = archive.by_index(index).ok()?;
        let mut content = Vec::new();
        file.by_ref().take(MAX_BYTES).read_to_end(&mut content).ok()?;
        members.push(Member {
            name: file.name().to_owned(),
            time: file.last_modified().map(|time| time.to_string()).unwrap_or_default(),
            attributes: format!("mode {:o}, {}", file.unix_mode().unwrap_or_default(), file.compression()),
            content,
        });
    }
    Some(members)
}

/// Whether the bytes have the magic of a tar header: tar(5).
fn is_tar(bytes: &[u8]) -> bool {
    bytes.get(257..262) == Some(b"ustar")
}

fn read_tar(bytes: &[u8]) -> Option<Vec<Member>> {
    let mut archive = tar::Archive::new(bytes);
    let mut members = Vec::new();
    for entry in archive.entries().ok()?.take(MAX_MEMBERS) {
        let mut entry = entry.ok()?;
        let mut content = Vec::new();
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let header = entry.header().clone();
        entry.by_ref().take(MAX_BYTES).read_to_end(&mut content).ok()?;
        let owner = [header.username_bytes(), header.groupname_bytes()]
            .map(|name| String::from_utf8_lossy(name.unwrap_or_default()).into_owned());
        let [uid, gid] = [header.uid(), header.gid()].map(Result::unwrap_or_default);
        members.push(Member {
            name,
            time: header.mtime().unwrap_or_default().to_string(),
            attributes: format!(
                "mode {:o}, type {:?}, owner {uid}:{gid} {}",
                header.mode().unwrap_or_default(),
                header.entry_type(),
                owner.join(":")
            ),
            content,
        });
    }
    Some(members)
}
