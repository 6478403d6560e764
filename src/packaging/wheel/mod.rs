//! A wheel's bytes to a tree, verified: its zip structure, its RECORD, its names. The tree is independent of the
//! interpreter; `venv` puts it in place. Nothing is written but into the store.
//!
//! ```text
//! site-packages/…   the packages and the `.dist-info` directory
//! bin/…             scripts and console scripts, for the interpreter of the venv image
//! data/…            what goes to the venv's root
//! include/<name>/…  headers
//! ```

mod entry_points;
mod record;
mod zip;

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::io::{Read, Seek};

use uv_distribution_filename::WheelFilename;
use uv_normalize::PackageName;
use uv_pep440::Version;

use crate::base::{Digest, RelPath};
use crate::packaging::venv;
use crate::store::{self, Batch, Node, Store, Tree};
use record::Record;
use zip::Member;

pub use zip::Limits;

/// A wheel in the store.
#[derive(Clone, Debug)]
pub struct Wheel {
    pub name: PackageName,
    pub version: Version,
    pub tree: Digest,
    /// `.pth` files: the interpreter runs what they hold whenever it starts.
    pub pth: Vec<RelPath>,
}

/// Nothing of a refused wheel is used.
#[derive(Debug)]
pub struct Error {
    pub wheel: String,
    pub member: Option<String>,
    pub refusal: Refusal,
}

#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("this is not how a wheel is called: {0}")]
    FileName(String),
    #[error("it cannot be read")]
    Unread(#[source] std::io::Error),
    #[error("it cannot be stored")]
    Unstored(#[source] Box<store::Error>),
    #[error("two readers may see different files: {0}")]
    Structure(&'static str),
    #[error("its name {0}")]
    Name(&'static str),
    #[error("its name occurs twice")]
    Duplicate,
    #[error("it is {0}")]
    Kind(&'static str),
    #[error("it cannot be unpacked: {0}")]
    Unsupported(&'static str),
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    #[error("it is too large to be meant: {0}")]
    TooLarge(String),
    #[error("it does not agree with its RECORD: {0}")]
    Record(String),
    #[error("it is not laid out as a wheel: {0}")]
    Layout(String),
    #[error("the entry point `{entry}` {why}")]
    EntryPoint { entry: String, why: String },
}

impl std::fmt::Display for Error {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.member {
            Some(member) => write!(out, "{}: `{member}`: {}", self.wheel, self.refusal),
            None => write!(out, "{}: {}", self.wheel, self.refusal),
        }
    }
}

/// The refusal is told in the message, so that the chain goes on below it.
impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.refusal.source()
    }
}

/// Wheels packed by tools made for Java have files here that RECORD does not know and no Python program looks for.
const JAVA_MANIFESTS: &str = "META-INF/";

/// A refusal and the member it is about, if it is about one.
type Fault = (Option<String>, Refusal);

/// `file_name` as the lock has it: what the wheel says of itself must agree with it.
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
        record.strike(&member.name, &dist_info, &content).map_err(fail)?;
        if !record::is_record_itself(&member.name, &dist_info) && !is_bytecode(&member.name) {
            install.member(member, &dist_info, expected, content).map_err(fail)?;
        }
    }
    record.finish(&dist_info).map_err(|(path, refusal)| (Some(path), refusal))?;

    let entry_points = format!("{dist_info}/entry_points.txt");
    if members.iter().any(|member| member.name == entry_points) {
        let scripts = entry_points::scripts(&text_of(file, &members, &entry_points)?);
        for script in scripts.map_err(|refusal| (Some(entry_points), refusal))? {
            install.script(&script).map_err(whole)?;
        }
    }
    install.finish(&dist_info).map_err(whole)?;
    Ok(Tree { nodes: install.files })
}

/// A package's files on their way into a tree.
struct Install<'b> {
    files: BTreeMap<RelPath, Node>,
    /// Lines of the installed RECORD.
    rows: BTreeMap<RelPath, String>,
    batch: &'b Batch<'b>,
}

impl Install<'_> {
    fn member(
        &mut self,
        member: &Member,
        dist_info: &str,
        wheel: &WheelFilename,
        content: Vec<u8>,
    ) -> Result<(), Refusal> {
        let data = format!("{}.data/", dist_info.strip_suffix(".dist-info").unwrap_or(dist_info));
        let Some(rest) = member.name.strip_prefix(&data) else {
            return self.file("site-packages", &member.name, &content, member.executable);
        };
        let (scheme, path) = rest.split_once('/').unwrap_or((rest, ""));
        match scheme {
            _ if path.is_empty() => {
                Err(Refusal::Layout("it lies outside the kinds of data a wheel may have".to_owned()))
            }
            "purelib" | "platlib" => self.file("site-packages", path, &content, member.executable),
            "scripts" => self.file("bin", path, &with_interpreter(content), true),
            "headers" => self.file(&format!("include/{}", wheel.name), path, &content, false),
            "data" => self.file("data", path, &content, member.executable),
            _ => Err(Refusal::Layout(format!("`{scheme}` is no kind of data a wheel may have"))),
        }
    }

    /// A console script replaces a file of that name, as with other installers.
    fn script(&mut self, script: &entry_points::Script) -> Result<(), Refusal> {
        let text = script.text(venv::PYTHON);
        self.files.remove(&rel_path(&format!("bin/{}", script.name))?);
        self.file("bin", &script.name, text.as_bytes(), true)
    }

    fn file(&mut self, root: &str, path: &str, content: &[u8], executable: bool) -> Result<(), Refusal> {
        let path = rel_path(&format!("{root}/{path}"))?;
        let node = Node::File { digest: self.batch.put(content, executable).map_err(unstored)?, executable };
        if self.files.get(&path).is_some_and(|other| *other != node) {
            return Err(Refusal::Layout(format!(
                "it would be installed as `{path}`, which the wheel installs already"
            )));
        }
        if let Some(installed) = installed_path(&path) {
            self.rows.insert(path.clone(), record::row(&installed, content));
        }
        self.files.insert(path, node);
        Ok(())
    }

    fn finish(&mut self, dist_info: &str) -> Result<(), Refusal> {
        self.file("site-packages", &format!("{dist_info}/INSTALLER"), b"waders\n", false)?;
        let mut text: String = self.rows.values().map(String::as_str).collect();
        text += &record::row_without_hash(&format!("{dist_info}/RECORD"));
        self.file("site-packages", &format!("{dist_info}/RECORD"), text.as_bytes(), false)?;
        let parents: Vec<RelPath> = self.files.keys().flat_map(|path| path.ancestors().collect::<Vec<_>>()).collect();
        match parents.into_iter().find(|parent| self.files.contains_key(parent)) {
            Some(path) => Err(Refusal::Layout(format!("`{path}` would be a file and a directory"))),
            None => Ok(()),
        }
    }
}

/// As RECORD names it, from `lib/pythonX.Y/site-packages`. Headers lie under the interpreter's version, which a
/// wheel's tree does not know: they are left out.
fn installed_path(path: &RelPath) -> Option<String> {
    let (root, rest) = path.as_str().split_once('/')?;
    match root {
        "site-packages" => Some(rest.to_owned()),
        "bin" => Some(format!("../../../bin/{rest}")),
        "data" => Some(format!("../../../{rest}")),
        _ => None,
    }
}

/// The one `.dist-info` directory, which must be that of the package the file name tells.
fn dist_info(members: &[Member], expected: &WheelFilename) -> Result<String, Fault> {
    let tops = members.iter().filter_map(|member| member.name.split_once('/').map(|(top, _)| top));
    let mut found: Vec<&str> = tops.filter(|top| top.ends_with(".dist-info")).collect();
    found.sort_unstable();
    found.dedup();
    let layout = |why: String| (None, Refusal::Layout(why));
    let [dist_info] = found[..] else {
        return Err(layout(format!("it has {} `.dist-info` directories where it should have one", found.len())));
    };
    let stem = dist_info.strip_suffix(".dist-info").unwrap_or(dist_info);
    let agrees = stem.rsplit_once('-').is_some_and(|(name, version)| agrees(name, version, expected));
    if agrees { Ok(dist_info.to_owned()) } else { Err(layout(format!("`{dist_info}` belongs to another package"))) }
}

fn agrees(name: &str, version: &str, expected: &WheelFilename) -> bool {
    let same_name = PackageName::from_owned(name.to_owned()).is_ok_and(|name| name == expected.name);
    same_name && version.parse::<Version>().is_ok_and(|version| version == expected.version)
}

fn check_wheel_version(wheel: &str) -> Result<(), Refusal> {
    let version =
        header(wheel, "Wheel-Version").ok_or_else(|| Refusal::Layout("WHEEL gives no `Wheel-Version`".to_owned()))?;
    match version.split('.').next() {
        Some("1") => Ok(()),
        _ => Err(Refusal::Layout(format!("its wheel version is `{version}`, and only 1 is known"))),
    }
}

fn check_metadata(metadata: &str, expected: &WheelFilename) -> Result<(), Refusal> {
    let said = header(metadata, "Name").zip(header(metadata, "Version"));
    let (name, version) = said.ok_or_else(|| Refusal::Layout("METADATA gives no name or no version".to_owned()))?;
    match agrees(name, version, expected) {
        true => Ok(()),
        false => Err(Refusal::Layout(format!("METADATA calls it `{name}` `{version}`"))),
    }
}

/// The first such header, before the empty line that ends them.
fn header<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let headers = text.lines().take_while(|line| !line.trim().is_empty());
    let pairs = headers.filter_map(|line| line.split_once(':'));
    pairs.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value.trim())
}

fn text_of(file: &mut (impl Read + Seek), members: &[Member], name: &str) -> Result<String, Fault> {
    let member = members.iter().find(|member| member.name == name);
    let member = member.ok_or_else(|| (None, Refusal::Layout(format!("it has no `{name}`"))))?;
    let content = zip::content(file, member)?;
    String::from_utf8(content).map_err(|_| (Some(name.to_owned()), Refusal::Damaged("it is not UTF-8")))
}

/// `#!python` stands for the interpreter that runs the package. Whatever follows on that line is dropped.
fn with_interpreter(script: Vec<u8>) -> Vec<u8> {
    if !script.starts_with(b"#!python") {
        return script;
    }
    let line_end = script.iter().position(|byte| *byte == b'\n').unwrap_or(script.len());
    [b"#!", venv::PYTHON.as_bytes(), script.get(line_end..).unwrap_or_default()].concat()
}

/// Bytecode that a wheel brings carries times of the machine that built it; it is made anew from the sources.
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
