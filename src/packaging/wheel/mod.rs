//! Unpacks a wheel into a tree and verifies its zip structure, its RECORD and its file names. The tree does not depend on
//! the interpreter; `venv` installs it. Writes only to the store.
//!
//! ```text
//! site-packages/…   the packages and the `.dist-info` directory
//! bin/…             scripts and console scripts, for the interpreter of the venv image
//! data/…            files for the root of the venv
//! include/<name>/…  headers
//! ```

mod entry_points;
mod record;
mod zip;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as StdError;
use std::io::{Read, Seek};

use uv_distribution_filename::WheelFilename;
use uv_normalize::PackageName;
use uv_pep440::Version;

use crate::base::{Digest, RelPath};
use crate::packaging::venv;
use crate::store::{self, Batch, Node, Store, Tree};
use record::Record;
use zip::{Fault, Member};

pub use zip::Limits;

/// An unpacked wheel in the store.
#[derive(Clone, Debug)]
pub struct Wheel {
    /// The normalized name of the package.
    pub name: PackageName,
    /// The version of the package.
    pub version: Version,
    /// The unpacked files.
    pub tree: Digest,
    /// Top-level `.pth` files. The interpreter executes their `import` lines at startup.
    pub pth: Vec<RelPath>,
}

/// A rejected wheel. No part of it is used.
#[derive(Debug)]
pub struct Error {
    /// The file name of the wheel.
    pub wheel: String,
    /// The member of the zip file that the error is about, if any.
    pub member: Option<String>,
    /// Why the wheel was rejected.
    pub refusal: Refusal,
}

/// Why a wheel was rejected.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The file name is not that of a wheel.
    #[error("invalid wheel file name: {0}")]
    FileName(String),
    /// An I/O error.
    #[error("cannot read the wheel")]
    Unread(#[source] std::io::Error),
    /// An error of the store.
    #[error("cannot store the contents of the wheel")]
    Unstored(#[source] Box<store::Error>),
    /// Two zip readers could see different contents.
    #[error("ambiguous zip structure: {0}")]
    Structure(&'static str),
    /// The path of a member is unsafe.
    #[error("the path {0}")]
    Name(&'static str),
    /// Two members have the same path.
    #[error("duplicate member")]
    Duplicate,
    /// A member is neither a file nor a directory.
    #[error("unsupported member type: {0}")]
    Kind(&'static str),
    /// The zip file uses a feature that wheels do not need.
    #[error("unsupported zip feature: {0}")]
    Unsupported(&'static str),
    /// Contents that contradict their declaration.
    #[error("damaged data: {0}")]
    Damaged(&'static str),
    /// A limit is exceeded.
    #[error("exceeds the size limit: {0}")]
    TooLarge(String),
    /// The files differ from RECORD.
    #[error("mismatch with RECORD: {0}")]
    Record(String),
    /// The files are not those of a wheel.
    #[error("invalid wheel layout: {0}")]
    Layout(String),
    /// An entry point that cannot become a script.
    #[error("invalid entry point `{entry}`: {why}")]
    EntryPoint {
        /// The line of `entry_points.txt`.
        entry: String,
        /// The problem.
        why: String,
    },
}

impl std::fmt::Display for Error {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.member {
            Some(member) => write!(out, "{}: `{member}`: {}", self.wheel, self.refusal),
            None => write!(out, "{}: {}", self.wheel, self.refusal),
        }
    }
}

/// `Display` already includes the refusal, so the source is the cause of the refusal.
impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.refusal.source()
    }
}

/// Wheels that are packed by Java tools contain files here that are missing from RECORD and that no Python program uses.
const JAVA_MANIFESTS: &str = "META-INF/";

/// Unpacks and verifies a wheel. `file_name` is the name in the lockfile; the metadata in the wheel must agree with it.
pub fn unpack(store: &Store, file_name: &str, file: &mut (impl Read + Seek), limits: &Limits) -> Result<Wheel, Error> {
    let refuse = |(member, refusal)| Error { wheel: file_name.to_owned(), member, refusal };
    let parsed = file_name.parse::<WheelFilename>();
    let expected = parsed.map_err(|error| refuse((None, Refusal::FileName(error.to_string()))))?;
    let batch = store.batch();
    let failed = |error| refuse((None, unstored(error)));
    let tree = unpack_as(&expected, file, limits, &batch).map_err(refuse)?;
    let is_pth = |path: &&RelPath| path.extension() == Some("pth") && path.components().count() == 2;
    let pth = tree.nodes.keys().filter(is_pth).cloned().collect();
    let digest = batch.put_tree(&tree).map_err(failed)?;
    batch.commit().map_err(failed)?;
    Ok(Wheel { name: expected.name, version: expected.version, tree: digest, pth })
}

/// The tree of an installed distribution that has only metadata: the directory `dist_info` with `METADATA` and, unless it is empty,
/// `entry_points.txt`, and the scripts of the entry points.
pub fn install_metadata(store: &Store, dist_info: &str, metadata: &str, entry_points: &str) -> Result<Digest, Error> {
    let refuse = |refusal| Error { wheel: dist_info.to_owned(), member: None, refusal };
    let batch = store.batch();
    let mut install = Install { files: BTreeMap::new(), rows: BTreeMap::new(), batch: &batch };
    let mut files = vec![("METADATA", metadata)];
    files.extend((!entry_points.is_empty()).then_some(("entry_points.txt", entry_points)));
    for (name, text) in files {
        install.add_file("site-packages", &format!("{dist_info}/{name}"), text.into(), false).map_err(refuse)?;
    }
    for script in entry_points::scripts(entry_points).map_err(refuse)? {
        install.add_script(&script).map_err(refuse)?;
    }
    install.finish(dist_info).map_err(refuse)?;
    let tree = Tree { nodes: install.files };
    let digest = batch.put_tree(&tree).map_err(|error| refuse(unstored(error)))?;
    batch.commit().map_err(|error| refuse(unstored(error)))?;
    Ok(digest)
}

/// The paths below `site-packages` of the files in a wheel. Nothing else is verified.
pub fn importable_files(wheel: &[u8]) -> Result<BTreeSet<String>, ::zip::result::ZipError> {
    let archive = ::zip::ZipArchive::new(std::io::Cursor::new(wheel))?;
    let path = |name: &str| match name.split_once(".data/") {
        Some((_, rest)) => rest.strip_prefix("purelib/").or_else(|| rest.strip_prefix("platlib/")).map(str::to_owned),
        None => Some(name.to_owned()),
    };
    Ok(archive.file_names().filter_map(path).collect())
}

fn unpack_as(
    expected: &WheelFilename,
    file: &mut (impl Read + Seek),
    limits: &Limits,
    batch: &Batch<'_>,
) -> Result<Tree, Fault> {
    let whole = |refusal| (None, refusal);
    let members = zip::members(file, limits)?;
    let dist_info = dist_info(&members, expected)?;
    let mut record = Record::parse(&text_of(file, &members, &format!("{dist_info}/RECORD"))?).map_err(whole)?;
    check_wheel_version(&text_of(file, &members, &format!("{dist_info}/WHEEL"))?).map_err(whole)?;
    check_metadata(&text_of(file, &members, &format!("{dist_info}/METADATA"))?, expected).map_err(whole)?;

    let mut install = Install { files: BTreeMap::new(), rows: BTreeMap::new(), batch };
    for member in members.iter().filter(|member| !member.is_directory) {
        if member.name.starts_with(JAVA_MANIFESTS) && !record.lists(&member.name) {
            continue;
        }
        let fail = |refusal| (Some(member.name.clone()), refusal);
        let content = zip::content(file, member)?;
        let sha256 = record.check(&member.name, &dist_info, &content).map_err(fail)?;
        if !record::is_record_itself(&member.name, &dist_info) && !is_bytecode(&member.name) {
            let content = Content { bytes: content, sha256 };
            install.add_member(member, &dist_info, expected, content).map_err(fail)?;
        }
    }
    record.finish(&dist_info).map_err(|(path, refusal)| (Some(path), refusal))?;

    let entry_points = format!("{dist_info}/entry_points.txt");
    if members.iter().any(|member| member.name == entry_points) {
        let scripts = entry_points::scripts(&text_of(file, &members, &entry_points)?);
        for script in scripts.map_err(|refusal| (Some(entry_points), refusal))? {
            install.add_script(&script).map_err(whole)?;
        }
    }
    install.finish(&dist_info).map_err(whole)?;
    Ok(Tree { nodes: install.files })
}

/// The content of a file.
struct Content {
    bytes: Vec<u8>,
    /// In the form of RECORD; `None` if it was not computed yet.
    sha256: Option<String>,
}

impl From<&str> for Content {
    fn from(text: &str) -> Content {
        Content { bytes: text.into(), sha256: None }
    }
}

/// The installed files of a package while they are collected.
struct Install<'b> {
    files: BTreeMap<RelPath, Node>,
    /// The lines of the installed RECORD.
    rows: BTreeMap<RelPath, String>,
    batch: &'b Batch<'b>,
}

impl Install<'_> {
    fn add_member(
        &mut self,
        member: &Member,
        dist_info: &str,
        wheel: &WheelFilename,
        content: Content,
    ) -> Result<(), Refusal> {
        let data = format!("{}.data/", dist_info.strip_suffix(".dist-info").unwrap_or(dist_info));
        let Some(rest) = member.name.strip_prefix(&data) else {
            return self.add_file("site-packages", &member.name, content, member.executable);
        };
        let (scheme, path) = rest.split_once('/').unwrap_or((rest, ""));
        match scheme {
            _ if path.is_empty() => {
                Err(Refusal::Layout("the file is not in a scheme directory of the `.data` directory".to_owned()))
            }
            "purelib" | "platlib" => self.add_file("site-packages", path, content, member.executable),
            "scripts" => self.add_file("bin", path, with_interpreter(content), true),
            "headers" => self.add_file(&format!("include/{}", wheel.name), path, content, false),
            "data" => self.add_file("data", path, content, member.executable),
            _ => Err(Refusal::Layout(format!("unknown scheme `{scheme}` in the `.data` directory"))),
        }
    }

    /// Adds a console script. It replaces a file of the same name, as with other installers.
    fn add_script(&mut self, script: &entry_points::Script) -> Result<(), Refusal> {
        let text = script.text(venv::PYTHON);
        self.files.remove(&rel_path(&format!("bin/{}", script.name))?);
        self.add_file("bin", &script.name, text.as_str().into(), true)
    }

    fn add_file(&mut self, root: &str, path: &str, content: Content, executable: bool) -> Result<(), Refusal> {
        let path = rel_path(&format!("{root}/{path}"))?;
        let node = Node::File { digest: self.batch.put(&content.bytes, executable).map_err(unstored)?, executable };
        if self.files.get(&path).is_some_and(|other| *other != node) {
            return Err(Refusal::Layout(format!("`{path}` would be installed twice with different contents")));
        }
        if let Some(installed) = installed_path(&path) {
            let sha256 = content.sha256.unwrap_or_else(|| record::sha256(&content.bytes));
            self.rows.insert(path.clone(), record::row(&installed, &sha256, content.bytes.len()));
        }
        self.files.insert(path, node);
        Ok(())
    }

    fn finish(&mut self, dist_info: &str) -> Result<(), Refusal> {
        self.add_file("site-packages", &format!("{dist_info}/INSTALLER"), "waders\n".into(), false)?;
        let mut text: String = self.rows.values().map(String::as_str).collect();
        text += &record::row_without_hash(&format!("{dist_info}/RECORD"));
        self.add_file("site-packages", &format!("{dist_info}/RECORD"), text.as_str().into(), false)?;
        let parents: Vec<RelPath> = self.files.keys().flat_map(|path| path.ancestors().collect::<Vec<_>>()).collect();
        match parents.into_iter().find(|parent| self.files.contains_key(parent)) {
            Some(path) => Err(Refusal::Layout(format!("`{path}` is both a file and a directory"))),
            None => Ok(()),
        }
    }
}

/// The path of an installed file as listed in RECORD: relative to `lib/pythonX.Y/site-packages`. Headers are omitted,
/// because their installed path contains the interpreter's version, which is not known yet.
fn installed_path(path: &RelPath) -> Option<String> {
    let (root, rest) = path.as_str().split_once('/')?;
    match root {
        "site-packages" => Some(rest.to_owned()),
        "bin" => Some(format!("../../../bin/{rest}")),
        "data" => Some(format!("../../../{rest}")),
        _ => None,
    }
}

/// The only `.dist-info` directory; it must agree with the wheel's file name.
fn dist_info(members: &[Member], expected: &WheelFilename) -> Result<String, Fault> {
    let tops = members.iter().filter_map(|member| member.name.split_once('/').map(|(top, _)| top));
    let mut found: Vec<&str> = tops.filter(|top| top.ends_with(".dist-info")).collect();
    found.sort_unstable();
    found.dedup();
    let layout = |why: String| (None, Refusal::Layout(why));
    let [dist_info] = found[..] else {
        return Err(layout(format!("expected one `.dist-info` directory, found {}", found.len())));
    };
    let stem = dist_info.strip_suffix(".dist-info").unwrap_or(dist_info);
    let agrees = stem.rsplit_once('-').is_some_and(|(name, version)| agrees(name, version, expected));
    if agrees { Ok(dist_info.to_owned()) } else { Err(layout(format!("`{dist_info}` does not match the file name"))) }
}

fn agrees(name: &str, version: &str, expected: &WheelFilename) -> bool {
    let same_name = PackageName::from_owned(name.to_owned()).is_ok_and(|name| name == expected.name);
    same_name && version.parse::<Version>().is_ok_and(|version| version == expected.version)
}

fn check_wheel_version(wheel: &str) -> Result<(), Refusal> {
    let version =
        header(wheel, "Wheel-Version").ok_or_else(|| Refusal::Layout("WHEEL has no `Wheel-Version`".to_owned()))?;
    match version.split('.').next() {
        Some("1") => Ok(()),
        _ => Err(Refusal::Layout(format!("unsupported wheel version `{version}`: only version 1 is supported"))),
    }
}

fn check_metadata(metadata: &str, expected: &WheelFilename) -> Result<(), Refusal> {
    let headers = header(metadata, "Name").zip(header(metadata, "Version"));
    let (name, version) = headers.ok_or_else(|| Refusal::Layout("METADATA has no name or no version".to_owned()))?;
    match agrees(name, version, expected) {
        true => Ok(()),
        false => Err(Refusal::Layout(format!("METADATA names the package `{name}` `{version}`"))),
    }
}

/// The value of the first header of this name. The headers end at the first empty line.
fn header<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let headers = text.lines().take_while(|line| !line.trim().is_empty());
    let pairs = headers.filter_map(|line| line.split_once(':'));
    pairs.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value.trim())
}

fn text_of(file: &mut (impl Read + Seek), members: &[Member], name: &str) -> Result<String, Fault> {
    let member = members.iter().find(|member| member.name == name);
    let member = member.ok_or_else(|| (None, Refusal::Layout(format!("`{name}` is missing"))))?;
    let content = zip::content(file, member)?;
    String::from_utf8(content).map_err(|_| (Some(name.to_owned()), Refusal::Damaged("the text is not UTF-8")))
}

/// Replaces a first line that begins with `#!python`, the placeholder for the interpreter, including its arguments.
fn with_interpreter(script: Content) -> Content {
    if !script.bytes.starts_with(b"#!python") {
        return script;
    }
    let line_end = script.bytes.iter().position(|byte| *byte == b'\n').unwrap_or(script.bytes.len());
    let rest = script.bytes.get(line_end..).unwrap_or_default();
    Content { bytes: [b"#!", venv::PYTHON.as_bytes(), rest].concat(), sha256: None }
}

/// Whether a member is bytecode. Bytecode in wheels contains timestamps of the build, so sources are compiled again.
fn is_bytecode(name: &str) -> bool {
    name.ends_with(".pyc") && name.contains("__pycache__/")
}

fn unstored(error: store::Error) -> Refusal {
    Refusal::Unstored(Box::new(error))
}

fn rel_path(text: &str) -> Result<RelPath, Refusal> {
    RelPath::parse(text).map_err(|error| Refusal::Layout(error.to_string()))
}

#[cfg(test)]
mod tests;
