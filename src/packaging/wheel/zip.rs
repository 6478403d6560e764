//! Reads the members of a zip file, and rejects files that other readers could interpret differently. The layout of wheels
//! is not known here.
//!
//! A zip file contains most information twice, and readers differ in which copy they use (the local header or the central
//! directory, the first or the last end record, data between members). This reader therefore requires that both copies
//! agree and that every byte is accounted for: the members from the first byte on without gaps, then the central
//! directory, then the end record without a comment. Wheel builders write exactly this.
//! Format: APPNOTE.TXT 6.3.10, sections 4.3 to 4.5.

use std::collections::BTreeSet;
use std::io::{self, Read, Seek, SeekFrom};

use super::Refusal;

/// Limits for a zip file. Declared sizes are checked before anything is unpacked.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The number of members.
    pub members: u64,
    /// The size of one unpacked member.
    pub member_bytes: u64,
    /// The size of all unpacked members.
    pub total_bytes: u64,
    /// The ratio of the unpacked size, less `free_bytes`, to the size of the file.
    pub ratio: u64,
    /// The part of the unpacked size that `ratio` does not apply to.
    pub free_bytes: u64,
    /// The number of components in the path of a member.
    pub depth: usize,
}

impl Default for Limits {
    /// About twenty times the values of the largest wheels in the public index.
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

/// A member of a zip file.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// The path; that of a directory ends with `/`.
    pub name: String,
    /// Whether the member is a directory.
    pub is_directory: bool,
    /// Whether an execute permission is set.
    pub executable: bool,
    /// The unpacked size.
    pub size_bytes: u64,
    deflated: bool,
    crc32: u32,
    compressed_bytes: u64,
    header_at: u64,
    data_at: u64,
    has_descriptor: bool,
    flags: u16,
}

/// A refusal, and the member that it is about, if any.
pub(super) type Fault = (Option<String>, Refusal);

/// Reads and verifies the headers of all members. They are returned in the order of the central directory.
pub(super) fn members(file: &mut (impl Read + Seek), limits: &Limits) -> Result<Vec<Member>, Fault> {
    let file_bytes = file.seek(SeekFrom::End(0)).map_err(unread)?;
    let end = end_record(file, file_bytes)?;
    if end.members > limits.members {
        return Err((None, Refusal::TooLarge(format!("{} members, the limit is {}", end.members, limits.members))));
    }
    // A member takes at least 46 bytes. The allowance for names and extra fields still fits in memory.
    if end.directory_bytes > 46 * end.members + (256 << 20) {
        return Err(structure("the central directory is larger than its members require"));
    }
    let directory = read_at(file, end.directory_at, end.directory_bytes)?;
    let mut rest = Bytes(&directory);
    let mut members = Vec::new();
    for _ in 0..end.members {
        members.push(central_header(&mut rest)?);
    }
    if !rest.0.is_empty() {
        return Err(structure("the central directory contains data after its last member"));
    }
    check_names(&members, limits)?;
    check_sizes(&members, file_bytes, limits)?;
    check_local_headers(file, &mut members, end.directory_at)?;
    Ok(members)
}

/// The unpacked contents of a member. Size and checksum are verified.
pub(super) fn content(file: &mut (impl Read + Seek), member: &Member) -> Result<Vec<u8>, Fault> {
    let fail = |refusal| (Some(member.name.clone()), refusal);
    let packed = read_at(file, member.data_at, member.compressed_bytes)?;
    let content = if member.deflated {
        let mut decoder = flate2::bufread::DeflateDecoder::new(packed.as_slice());
        let mut content = buffer(member.size_bytes);
        let read = decoder.by_ref().take(member.size_bytes + 1).read_to_end(&mut content);
        read.map_err(|_| fail(Refusal::Damaged("the compressed data is invalid")))?;
        if decoder.total_in() != member.compressed_bytes {
            return Err(fail(Refusal::Damaged("the compressed data does not have the declared size")));
        }
        content
    } else {
        packed
    };
    if content.len() as u64 != member.size_bytes {
        return Err(fail(Refusal::Damaged("the size differs from the declared size")));
    }
    if crc32fast::hash(&content) != member.crc32 {
        return Err(fail(Refusal::Damaged("the checksum differs from the declared checksum")));
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
    let end_at = file_bytes.checked_sub(END_BYTES).ok_or_else(|| structure("the file is too short for a zip file"))?;
    let bytes = read_at(file, end_at, END_BYTES)?;
    let mut bytes = Bytes(&bytes);
    if bytes.u32()? != 0x0605_4b50 {
        return Err(structure(
            "the file does not end with a zip end record: it is truncated, or data follows the record",
        ));
    }
    let (disk, directory_disk) = (bytes.u16()?, bytes.u16()?);
    let (on_disk, members) = (bytes.u16()?, bytes.u16()?);
    let (directory_bytes, directory_at, comment) = (bytes.u32()?, bytes.u32()?, bytes.u16()?);
    if disk != 0 || directory_disk != 0 || on_disk != members || comment != 0 {
        return Err(structure("the end record declares several disks or a comment"));
    }
    let end =
        End { members: members.into(), directory_at: directory_at.into(), directory_bytes: directory_bytes.into() };
    let (end, next_at) = end_record_64(file, end_at, end)?;
    // A sum that overflows cannot be an offset in the file.
    if end.directory_at.checked_add(end.directory_bytes) != Some(next_at) {
        return Err(structure("the central directory is not directly before the end record"));
    }
    Ok(end)
}

/// Reads the zip64 end record of a large file, which precedes the end record and has a locator between them. Also returns
/// the offset at which the central directory must end.
fn end_record_64(file: &mut (impl Read + Seek), end_at: u64, end: End) -> Result<(End, u64), Fault> {
    let contradiction = || structure("the two end records disagree");
    let saturated = end.members == 0xffff || end.directory_at == 0xffff_ffff || end.directory_bytes == 0xffff_ffff;
    let locator_at = end_at.checked_sub(LOCATOR_BYTES);
    let locator = locator_at.map(|at| read_at(file, at, LOCATOR_BYTES)).transpose()?.unwrap_or_default();
    let mut locator = Bytes(&locator);
    if locator.0.is_empty() || locator.u32()? != 0x0706_4b50 {
        return if saturated { Err(contradiction()) } else { Ok((end, end_at)) };
    }
    let (disk, record_at, disks) = (locator.u32()?, locator.u64()?, locator.u32()?);
    let record_ends_at = locator_at.unwrap_or_default();
    if disk != 0 || disks != 1 || record_at.checked_add(END_64_BYTES) != Some(record_ends_at) {
        return Err(contradiction());
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
        return Err(contradiction());
    }
    Ok((End { members, directory_at, directory_bytes }, record_at))
}

fn central_header(rest: &mut Bytes<'_>) -> Result<Member, Fault> {
    if rest.u32()? != 0x0201_4b50 {
        return Err(structure("the central directory contains an invalid member header"));
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
        return Err(fail(Refusal::Unsupported("encryption or several disks")));
    }
    let deflated = match method {
        0 => false,
        8 => true,
        _ => return Err(fail(Refusal::Unsupported("a compression method other than `stored` and `deflate`"))),
    };
    let mode = attributes >> 16;
    let is_directory = name.ends_with('/');
    match (mode & 0o170_000, is_directory) {
        (0, _) | (0o100_000, false) | (0o040_000, true) => {}
        (0o120_000, _) => return Err(fail(Refusal::Kind("symbolic link"))),
        _ => return Err(fail(Refusal::Kind("neither a file nor a directory, or inconsistent with the name"))),
    }
    if !deflated && size_bytes != compressed_bytes || is_directory && size_bytes != 0 {
        return Err(fail(Refusal::Damaged("the declared sizes are inconsistent")));
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

/// Replaces values that do not fit in 32 bits by those in the zip64 extra field, which is in the same order. If a writer
/// repeats the other values there as well, they must be the same.
fn widen<const N: usize>(extra: &[u8], small: [u32; N]) -> Result<[u64; N], Refusal> {
    let contradiction = || Refusal::Damaged("the extra fields contradict the header");
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
        let declared = large.u64().map_err(|_| contradiction())?;
        if !is_open(*value) && declared != *value {
            return Err(contradiction());
        }
        *value = declared;
    }
    if large.0.is_empty() { Ok(wide) } else { Err(contradiction()) }
}

/// The contents of the zip64 extra field; empty if there is none.
fn large_values(extra: &[u8]) -> Result<Vec<u8>, Refusal> {
    let contradiction = || Refusal::Damaged("the extra fields contradict the header");
    let mut large = None;
    let mut rest = Bytes(extra);
    while !rest.0.is_empty() {
        let (id, length) = (rest.u16().map_err(|_| contradiction())?, rest.u16().map_err(|_| contradiction())?);
        match (id, rest.take(length.into()).map_err(|_| contradiction())?) {
            (0x0001, _) if large.is_some() => return Err(contradiction()),
            (0x0001, value) => large = Some(value.to_vec()),
            (0x7075, _) => return Err(Refusal::Damaged("an extra field declares a second name")),
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
            return Err((Some(member.name.clone()), Refusal::Name("has a file as a parent directory")));
        }
    }
    Ok(())
}

fn check_name(name: &str, limits: &Limits) -> Result<(), &'static str> {
    if name.starts_with('/') {
        return Err("is absolute");
    }
    if name.contains('\\') {
        return Err("contains a backslash");
    }
    if name.chars().any(char::is_control) {
        return Err("contains a control character");
    }
    if name.as_bytes().get(1) == Some(&b':') {
        return Err("starts with a drive letter");
    }
    if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err("contains `..`, `.` or an empty component");
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
            let what = format!("{} bytes are declared", member.size_bytes.max(member.compressed_bytes));
            return Err((Some(member.name.clone()), Refusal::TooLarge(what)));
        }
        total = total.saturating_add(member.size_bytes);
    }
    if total > limits.total_bytes || total > limits.free_bytes.saturating_add(limits.ratio.saturating_mul(file_bytes)) {
        return Err((None, Refusal::TooLarge(format!("{file_bytes} bytes would expand to {total} bytes"))));
    }
    Ok(())
}

/// Checks that every byte before the central directory belongs to exactly one member, and that each local header agrees
/// with the central directory.
fn check_local_headers(file: &mut (impl Read + Seek), members: &mut [Member], directory_at: u64) -> Result<(), Fault> {
    let mut by_offset: Vec<usize> = (0..members.len()).collect();
    by_offset.sort_by_key(|index| members[*index].header_at);
    let mut expected = 0;
    for (position, index) in by_offset.iter().enumerate() {
        let next_at = by_offset.get(position + 1).map_or(directory_at, |next| members[*next].header_at);
        let member = &mut members[*index];
        let fail = |refusal| (Some(member.name.clone()), refusal);
        if member.header_at != expected || next_at < member.header_at {
            return Err(fail(Refusal::Structure("the member overlaps another one, or unaccounted data precedes it")));
        }
        let data_at = local_header(file, member)?;
        let data_ends_at = data_at.checked_add(member.compressed_bytes).filter(|end| *end <= next_at);
        let data_ends_at = data_ends_at.ok_or_else(|| fail(Refusal::Structure("the data overlaps the next member")))?;
        check_descriptor(file, member, data_ends_at, next_at)?;
        members[*index].data_at = data_at;
        expected = next_at;
    }
    if expected == directory_at { Ok(()) } else { Err(structure("unaccounted data precedes the central directory")) }
}

/// Checks a local header and returns the offset of the member's data.
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
    let declared = (crc32, compressed, size);
    let expected = (member.crc32, member.compressed_bytes, member.size_bytes);
    // If a data descriptor follows the data, the header may contain zeros instead.
    if !same || (declared != expected && !(member.has_descriptor && declared == (0, 0, 0))) {
        return Err(fail(Refusal::Structure("the local header differs from the central directory")));
    }
    Ok(member.header_at + 30 + name_bytes + extra_bytes)
}

/// Checks the data descriptor between `from` and `to`. Its sizes have 4 or 8 bytes, and its signature is optional; the
/// variant follows from the length.
fn check_descriptor(file: &mut (impl Read + Seek), member: &Member, from: u64, to: u64) -> Result<(), Fault> {
    let contradiction =
        || (Some(member.name.clone()), Refusal::Structure("the data descriptor differs from the central directory"));
    let gap = to - from;
    if !member.has_descriptor {
        let refuse = || (Some(member.name.clone()), Refusal::Structure("unaccounted data follows the member"));
        return if gap == 0 { Ok(()) } else { Err(refuse()) };
    }
    if ![12, 16, 20, 24].contains(&gap) {
        return Err(contradiction());
    }
    let bytes = read_at(file, from, gap)?;
    let mut bytes = Bytes(&bytes);
    if (gap == 16 || gap == 24) && bytes.u32()? != 0x0807_4b50 {
        return Err(contradiction());
    }
    let crc32 = bytes.u32()?;
    let (compressed, size) =
        if gap >= 20 { (bytes.u64()?, bytes.u64()?) } else { (bytes.u32()?.into(), bytes.u32()?.into()) };
    if (crc32, compressed, size) == (member.crc32, member.compressed_bytes, member.size_bytes) {
        Ok(())
    } else {
        Err(contradiction())
    }
}

/// Reads little-endian numbers from the start of a slice.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: u64) -> Result<&'a [u8], Fault> {
        let count = usize::try_from(count).ok().filter(|count| *count <= self.0.len());
        let (taken, rest) = self.0.split_at(count.ok_or_else(|| structure("a header is truncated"))?);
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
    let mut content = buffer(bytes);
    file.take(bytes).read_to_end(&mut content).map_err(unread)?;
    if content.len() as u64 == bytes {
        Ok(content)
    } else {
        Err(structure("the file is shorter than its headers declare"))
    }
}

/// An empty buffer for content of this declared size. A size that is not true must not cost more memory than this limit.
fn buffer(declared_bytes: u64) -> Vec<u8> {
    const LIMIT_BYTES: u64 = 16 << 20;
    // One more byte: a reader that is asked for one more than there are does not enlarge the buffer to find the end.
    Vec::with_capacity((declared_bytes.min(LIMIT_BYTES) + 1) as usize)
}

fn structure(why: &'static str) -> Fault {
    (None, Refusal::Structure(why))
}

fn unread(error: io::Error) -> Fault {
    (None, Refusal::Unread(error))
}
