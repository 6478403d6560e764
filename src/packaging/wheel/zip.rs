//! The members of a zip file, read so that no two readers can disagree about them. What a wheel makes of them is not
//! known here.
//!
//! A zip file says most things twice, and readers differ in what they believe (the local header or the central
//! directory, the first or the last end record, what stands between members). Only files in which both agree, and
//! in which every byte has exactly one place, are read: members one after the other from the first byte, then the
//! central directory, then the end record, without a comment. That is what wheel builders write.
//! The format: APPNOTE.TXT 6.3.10, sections 4.3 to 4.5.

use std::collections::BTreeSet;
use std::io::{self, Read, Seek, SeekFrom};

use super::Refusal;

/// How much a zip file may hold. Declared sizes are held to it before anything is unpacked.
#[derive(Clone, Debug)]
pub struct Limits {
    pub members: u64,
    pub member_bytes: u64,
    pub total_bytes: u64,
    /// How many times larger than the file its content may be, beyond `free_bytes`.
    pub ratio: u64,
    pub free_bytes: u64,
    /// Components of a member's path.
    pub depth: usize,
}

impl Default for Limits {
    /// Twenty times what the largest wheels of the public index hold.
    fn default() -> Limits {
        Limits {
            members: 500_000,
            member_bytes: 4 << 30,
            total_bytes: 32 << 30,
            ratio: 200,
            free_bytes: 64 << 20,
            depth: 100,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Member {
    pub name: String,
    pub is_directory: bool,
    pub executable: bool,
    pub size_bytes: u64,
    deflated: bool,
    crc32: u32,
    compressed_bytes: u64,
    header_at: u64,
    data_at: u64,
    has_descriptor: bool,
    flags: u16,
}

/// A refusal and the member it is about.
pub type Fault = (Option<String>, Refusal);

/// In the order of the central directory.
pub fn members(file: &mut (impl Read + Seek), limits: &Limits) -> Result<Vec<Member>, Fault> {
    let file_bytes = file.seek(SeekFrom::End(0)).map_err(unread)?;
    let end = end_record(file, file_bytes)?;
    if end.members > limits.members {
        return Err((None, Refusal::TooLarge(format!("it has {} members, more than {}", end.members, limits.members))));
    }
    // 46 bytes is the least a member takes; what its names and extras may add fits in memory.
    if end.directory_bytes > 46 * end.members + (256 << 20) {
        return Err(structure("its central directory is larger than its members account for"));
    }
    let directory = read_at(file, end.directory_at, end.directory_bytes)?;
    let mut rest = Bytes(&directory);
    let mut members = Vec::new();
    for _ in 0..end.members {
        members.push(central_header(&mut rest)?);
    }
    if !rest.0.is_empty() {
        return Err(structure("its central directory holds more than its members"));
    }
    check_names(&members, limits)?;
    check_sizes(&members, file_bytes, limits)?;
    check_local_headers(file, &mut members, end.directory_at)?;
    Ok(members)
}

/// The content, of the declared size and checksum.
pub fn content(file: &mut (impl Read + Seek), member: &Member) -> Result<Vec<u8>, Fault> {
    let fail = |refusal| (Some(member.name.clone()), refusal);
    let packed = read_at(file, member.data_at, member.compressed_bytes)?;
    let content = if member.deflated {
        let mut decoder = flate2::bufread::DeflateDecoder::new(packed.as_slice());
        let mut content = Vec::new();
        let read = decoder.by_ref().take(member.size_bytes + 1).read_to_end(&mut content);
        read.map_err(|_| fail(Refusal::Damaged("its compressed data cannot be unpacked")))?;
        if decoder.total_in() != member.compressed_bytes {
            return Err(fail(Refusal::Damaged(
                "its compressed data is followed by other data, or is longer than it says",
            )));
        }
        content
    } else {
        packed
    };
    if content.len() as u64 != member.size_bytes {
        return Err(fail(Refusal::Damaged("its size is not the declared one")));
    }
    if crc32fast::hash(&content) != member.crc32 {
        return Err(fail(Refusal::Damaged("its checksum is not the declared one")));
    }
    Ok(content)
}

struct End {
    members: u64,
    directory_at: u64,
    directory_bytes: u64,
}

const END_BYTES: u64 = 22;
const LOCATOR_BYTES: u64 = 20;
const END_64_BYTES: u64 = 56;

fn end_record(file: &mut (impl Read + Seek), file_bytes: u64) -> Result<End, Fault> {
    let end_at = file_bytes.checked_sub(END_BYTES).ok_or_else(|| structure("it is too short for a zip file"))?;
    let bytes = read_at(file, end_at, END_BYTES)?;
    let mut bytes = Bytes(&bytes);
    if bytes.u32()? != 0x0605_4b50 {
        return Err(structure("it does not end with a zip file's end record: it is cut off, or something follows"));
    }
    let (disk, directory_disk) = (bytes.u16()?, bytes.u16()?);
    let (on_disk, members) = (bytes.u16()?, bytes.u16()?);
    let (directory_bytes, directory_at, comment) = (bytes.u32()?, bytes.u32()?, bytes.u16()?);
    if disk != 0 || directory_disk != 0 || on_disk != members || comment != 0 {
        return Err(structure("its end record speaks of several disks, or of a comment that is not there"));
    }
    let end =
        End { members: members.into(), directory_at: directory_at.into(), directory_bytes: directory_bytes.into() };
    let (end, next_at) = end_record_64(file, end_at, end)?;
    // Sums that overflow cannot be equal to a place in the file.
    if end.directory_at.checked_add(end.directory_bytes) != Some(next_at) {
        return Err(structure("its central directory is not where the end record says, right before it"));
    }
    Ok(end)
}

/// Large files have a second end record, with a locator between it and the first.
fn end_record_64(file: &mut (impl Read + Seek), end_at: u64, end: End) -> Result<(End, u64), Fault> {
    let lies = || structure("its two end records disagree");
    let saturated = end.members == 0xffff || end.directory_at == 0xffff_ffff || end.directory_bytes == 0xffff_ffff;
    let locator_at = end_at.checked_sub(LOCATOR_BYTES);
    let locator = locator_at.map(|at| read_at(file, at, LOCATOR_BYTES)).transpose()?.unwrap_or_default();
    let mut locator = Bytes(&locator);
    if locator.0.is_empty() || locator.u32()? != 0x0706_4b50 {
        return if saturated { Err(lies()) } else { Ok((end, end_at)) };
    }
    let (disk, record_at, disks) = (locator.u32()?, locator.u64()?, locator.u32()?);
    let record_ends_at = locator_at.unwrap_or_default();
    if disk != 0 || disks != 1 || record_at.checked_add(END_64_BYTES) != Some(record_ends_at) {
        return Err(lies());
    }
    let record = read_at(file, record_at, END_64_BYTES)?;
    let mut record = Bytes(&record);
    let (signature, record_bytes, _versions) = (record.u32()?, record.u64()?, record.u32()?);
    let (disk, directory_disk, on_disk, members) = (record.u32()?, record.u32()?, record.u64()?, record.u64()?);
    let (directory_bytes, directory_at) = (record.u64()?, record.u64()?);
    let agrees = |small: u64, limit: u64, large: u64| small == large || (small == limit && large >= limit);
    let agree = agrees(end.members, 0xffff, members)
        && agrees(end.directory_bytes, 0xffff_ffff, directory_bytes)
        && agrees(end.directory_at, 0xffff_ffff, directory_at);
    if signature != 0x0606_4b50
        || record_bytes != END_64_BYTES - 12
        || disk != 0
        || directory_disk != 0
        || on_disk != members
        || !agree
    {
        return Err(lies());
    }
    Ok((End { members, directory_at, directory_bytes }, record_at))
}

fn central_header(rest: &mut Bytes<'_>) -> Result<Member, Fault> {
    if rest.u32()? != 0x0201_4b50 {
        return Err(structure("its central directory holds something that is no member"));
    }
    let (_versions, flags, method) = (rest.u32()?, rest.u16()?, rest.u16()?);
    let (_time, crc32, compressed, size) = (rest.u32()?, rest.u32()?, rest.u32()?, rest.u32()?);
    let (name_bytes, extra_bytes, comment_bytes) = (rest.u16()?, rest.u16()?, rest.u16()?);
    let (disk, _internal, attributes, header_at) = (rest.u16()?, rest.u16()?, rest.u32()?, rest.u32()?);
    let name = member_name(rest.take(name_bytes.into())?, flags)?;
    let fail = |refusal| (Some(name.clone()), refusal);
    let extra = rest.take(extra_bytes.into())?;
    rest.take(comment_bytes.into())?;
    let [size_bytes, compressed_bytes, header_at] = widen(extra, [size, compressed, header_at]).map_err(fail)?;
    if disk != 0 || flags & 0x2041 != 0 {
        return Err(fail(Refusal::Unsupported("it is encrypted, or on another disk")));
    }
    let deflated = match method {
        0 => false,
        8 => true,
        _ => return Err(fail(Refusal::Unsupported("its compression is neither `stored` nor `deflate`"))),
    };
    let mode = attributes >> 16;
    let is_directory = name.ends_with('/');
    match (mode & 0o170_000, is_directory) {
        (0, _) | (0o100_000, false) | (0o040_000, true) => {}
        (0o120_000, _) => return Err(fail(Refusal::Kind("a symbolic link"))),
        _ => return Err(fail(Refusal::Kind("neither a file nor a directory, or not the one its name says"))),
    }
    if !deflated && size_bytes != compressed_bytes || is_directory && size_bytes != 0 {
        return Err(fail(Refusal::Damaged("its sizes contradict each other")));
    }
    Ok(Member {
        is_directory,
        executable: mode & 0o111 != 0,
        size_bytes,
        deflated,
        crc32,
        compressed_bytes,
        header_at,
        data_at: 0,
        has_descriptor: flags & 8 != 0,
        flags,
        name,
    })
}

fn member_name(bytes: &[u8], flags: u16) -> Result<String, Fault> {
    let lossy = || String::from_utf8_lossy(bytes).escape_debug().to_string();
    let declared = bytes.is_ascii() || flags & 0x800 != 0;
    match std::str::from_utf8(bytes) {
        Ok(name) if declared => Ok(name.to_owned()),
        _ => Err((Some(lossy()), Refusal::Name("is not declared as UTF-8"))),
    }
}

/// The values that did not fit in 32 bits stand in an extra field, in this order. Some writers put the others there
/// too; then they must be the same.
fn widen<const N: usize>(extra: &[u8], small: [u32; N]) -> Result<[u64; N], Refusal> {
    let lies = || Refusal::Damaged("its extra fields contradict its header");
    let large = large_values(extra)?;
    let is_open = |value: u64| value == 0xffff_ffff;
    let mut wide = small.map(u64::from);
    let open = wide.iter().filter(|value| is_open(**value)).count();
    let all = large.len() != open * 8;
    let mut large = Bytes(&large);
    for value in wide.iter_mut().filter(|value| all || is_open(**value)) {
        if all && large.0.is_empty() && !is_open(*value) {
            break;
        }
        let said = large.u64().map_err(|_| lies())?;
        if !is_open(*value) && said != *value {
            return Err(lies());
        }
        *value = said;
    }
    if large.0.is_empty() { Ok(wide) } else { Err(lies()) }
}

/// The one extra field that holds them, if any.
fn large_values(extra: &[u8]) -> Result<Vec<u8>, Refusal> {
    let lies = || Refusal::Damaged("its extra fields contradict its header");
    let mut large = None;
    let mut rest = Bytes(extra);
    while !rest.0.is_empty() {
        let (id, length) = (rest.u16().map_err(|_| lies())?, rest.u16().map_err(|_| lies())?);
        match (id, rest.take(length.into()).map_err(|_| lies())?) {
            (0x0001, _) if large.is_some() => return Err(lies()),
            (0x0001, value) => large = Some(value.to_vec()),
            (0x7075, _) => return Err(Refusal::Damaged("it has a second name in its extra fields")),
            _ => {}
        }
    }
    Ok(large.unwrap_or_default())
}

fn check_names(members: &[Member], limits: &Limits) -> Result<(), Fault> {
    let mut names = BTreeSet::new();
    for member in members {
        let fail = |refusal| (Some(member.name.escape_debug().to_string()), refusal);
        let name = member.name.strip_suffix('/').unwrap_or(&member.name);
        check_name(name, limits).map_err(|why| fail(Refusal::Name(why)))?;
        if !names.insert(name) {
            return Err(fail(Refusal::Duplicate));
        }
    }
    let files: BTreeSet<&str> =
        members.iter().filter(|member| !member.is_directory).map(|member| member.name.as_str()).collect();
    for member in members {
        let mut parents = member.name.match_indices('/').map(|(end, _)| &member.name[..end]);
        if parents.any(|parent| files.contains(parent)) {
            return Err((Some(member.name.clone()), Refusal::Name("has a file among its directories")));
        }
    }
    Ok(())
}

fn check_name(name: &str, limits: &Limits) -> Result<(), &'static str> {
    if name.starts_with('/') {
        return Err("is absolute");
    }
    if name.contains('\\') {
        return Err("holds a backslash");
    }
    if name.chars().any(char::is_control) {
        return Err("holds a control character");
    }
    if name.as_bytes().get(1) == Some(&b':') {
        return Err("starts with a drive letter");
    }
    if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err("holds `..`, `.` or nothing between two slashes");
    }
    if name.split('/').count() > limits.depth || name.len() > 4000 || name.split('/').any(|part| part.len() > 255) {
        return Err("is too long or too deep");
    }
    Ok(())
}

fn check_sizes(members: &[Member], file_bytes: u64, limits: &Limits) -> Result<(), Fault> {
    let mut total = 0_u64;
    for member in members {
        if member.size_bytes > limits.member_bytes || member.compressed_bytes > file_bytes {
            let what = format!("it declares {} bytes", member.size_bytes.max(member.compressed_bytes));
            return Err((Some(member.name.clone()), Refusal::TooLarge(what)));
        }
        total = total.saturating_add(member.size_bytes);
    }
    if total > limits.total_bytes || total > limits.free_bytes.saturating_add(limits.ratio.saturating_mul(file_bytes)) {
        return Err((None, Refusal::TooLarge(format!("{file_bytes} bytes would become {total}"))));
    }
    Ok(())
}

/// Every byte before the central directory belongs to exactly one member, and each header repeats what the directory
/// says.
fn check_local_headers(file: &mut (impl Read + Seek), members: &mut [Member], directory_at: u64) -> Result<(), Fault> {
    let mut by_place: Vec<usize> = (0..members.len()).collect();
    by_place.sort_by_key(|index| members[*index].header_at);
    let mut expected = 0;
    for (position, index) in by_place.iter().enumerate() {
        let next_at = by_place.get(position + 1).map_or(directory_at, |next| members[*next].header_at);
        let member = &mut members[*index];
        let fail = |refusal| (Some(member.name.clone()), refusal);
        if member.header_at != expected || next_at < member.header_at {
            return Err(fail(Refusal::Structure("it overlaps another member, or unaccounted data stands before it")));
        }
        let data_at = local_header(file, member)?;
        let data_ends_at = data_at.checked_add(member.compressed_bytes).filter(|end| *end <= next_at);
        let data_ends_at = data_ends_at.ok_or_else(|| fail(Refusal::Structure("its data overlaps what follows")))?;
        check_descriptor(file, member, data_ends_at, next_at)?;
        members[*index].data_at = data_at;
        expected = next_at;
    }
    if expected == directory_at {
        Ok(())
    } else {
        Err(structure("unaccounted data stands before its central directory"))
    }
}

fn local_header(file: &mut (impl Read + Seek), member: &Member) -> Result<u64, Fault> {
    let fail = |refusal| (Some(member.name.clone()), refusal);
    let header = read_at(file, member.header_at, 30)?;
    let mut header = Bytes(&header);
    let (signature, _version, flags, method) = (header.u32()?, header.u16()?, header.u16()?, header.u16()?);
    let (_time, crc32, compressed, size) = (header.u32()?, header.u32()?, header.u32()?, header.u32()?);
    let (name_bytes, extra_bytes) = (u64::from(header.u16()?), u64::from(header.u16()?));
    let names = read_at(file, member.header_at + 30, name_bytes + extra_bytes)?;
    let mut names = Bytes(&names);
    let name = names.take(name_bytes)?;
    let [size, compressed] = widen(names.0, [size, compressed]).map_err(fail)?;
    let same = signature == 0x0403_4b50
        && flags == member.flags
        && method == if member.deflated { 8 } else { 0 }
        && name == member.name.as_bytes();
    let said = (crc32, compressed, size);
    let known = (member.crc32, member.compressed_bytes, member.size_bytes);
    // With a descriptor behind the data, the header may leave them open.
    if !same || (said != known && !(member.has_descriptor && said == (0, 0, 0))) {
        return Err(fail(Refusal::Structure("its local header differs from the central directory")));
    }
    Ok(member.header_at + 30 + name_bytes + extra_bytes)
}

/// Sizes of 4 or 8 bytes, with or without a signature: whichever fills the gap must say what the directory says.
fn check_descriptor(file: &mut (impl Read + Seek), member: &Member, from: u64, to: u64) -> Result<(), Fault> {
    let lies =
        || (Some(member.name.clone()), Refusal::Structure("its data descriptor differs from the central directory"));
    let gap = to - from;
    if !member.has_descriptor {
        let refuse = || (Some(member.name.clone()), Refusal::Structure("unaccounted data follows it"));
        return if gap == 0 { Ok(()) } else { Err(refuse()) };
    }
    if ![12, 16, 20, 24].contains(&gap) {
        return Err(lies());
    }
    let bytes = read_at(file, from, gap)?;
    let mut bytes = Bytes(&bytes);
    if (gap == 16 || gap == 24) && bytes.u32()? != 0x0807_4b50 {
        return Err(lies());
    }
    let crc32 = bytes.u32()?;
    let (compressed, size) =
        if gap >= 20 { (bytes.u64()?, bytes.u64()?) } else { (bytes.u32()?.into(), bytes.u32()?.into()) };
    if (crc32, compressed, size) == (member.crc32, member.compressed_bytes, member.size_bytes) {
        Ok(())
    } else {
        Err(lies())
    }
}

/// Little-endian numbers from the front of a slice.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: u64) -> Result<&'a [u8], Fault> {
        let count = usize::try_from(count).ok().filter(|count| *count <= self.0.len());
        let (taken, rest) = self.0.split_at(count.ok_or_else(|| structure("it ends in the middle of a header"))?);
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self, bytes: u64) -> Result<u64, Fault> {
        Ok(self.take(bytes)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn u16(&mut self) -> Result<u16, Fault> {
        Ok(self.number(2)? as u16)
    }

    fn u32(&mut self) -> Result<u32, Fault> {
        Ok(self.number(4)? as u32)
    }

    fn u64(&mut self) -> Result<u64, Fault> {
        self.number(8)
    }
}

fn read_at(file: &mut (impl Read + Seek), at: u64, bytes: u64) -> Result<Vec<u8>, Fault> {
    file.seek(SeekFrom::Start(at)).map_err(unread)?;
    let mut content = Vec::new();
    file.take(bytes).read_to_end(&mut content).map_err(unread)?;
    if content.len() as u64 == bytes { Ok(content) } else { Err(structure("it ends before what it says it holds")) }
}

fn structure(why: &'static str) -> Fault {
    (None, Refusal::Structure(why))
}

fn unread(error: io::Error) -> Fault {
    (None, Refusal::Unread(error))
}
