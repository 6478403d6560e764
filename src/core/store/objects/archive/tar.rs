//! Unpacks tar archives into the store: uncompressed, gzip, xz or zstd, with long names (PAX and GNU) and links inside the archive.

use std::io::{self, Read};
use std::path::Path;

use ::tar::{Archive, Entry, EntryType};

use super::decompress::{self, Plain};
use super::{Unpacking, refuse, unreadable};
use crate::base::{Digest, RelPath};
use crate::store::error::{Error, Result};
use crate::store::layout::Store;
use crate::store::objects::batch::Batch;
use crate::store::objects::links;
use crate::store::tree::{Node, Tree};

/// An archive ends with two blocks of zeros. Some programs write only one.
const END_BYTES: u64 = 512;

impl Store {
    /// Stores the contents of a tar archive as a tree. Owners, times and attributes are ignored; of the mode, only the execute bit of
    /// the owner is used.
    pub fn unpack_tar(&self, reader: impl Read, unpacking: &Unpacking) -> Result<Digest> {
        let mut plain = decompress::open(self, reader, unpacking.limits)?;
        let batch = self.batch();
        let tree = read_archive(&mut plain, &batch, unpacking)?;
        if !plain.drain(END_BYTES).map_err(unreadable("the tar archive", "its end"))? {
            return Err(refuse("the tar archive", "it is truncated"));
        }
        if let Some((path, target)) = links::first_escaping(&tree) {
            return Err(refuse(
                "the tar archive",
                format!("the link `{path}` points outside the archive, to `{target}`"),
            ));
        }
        let digest = batch.put_tree(&tree)?;
        batch.commit()?;
        Ok(digest)
    }
}

fn read_archive(plain: &mut Plain<'_>, batch: &Batch<'_>, unpacking: &Unpacking) -> Result<Tree> {
    let mut tree = Tree::default();
    let mut archive = Archive::new(plain);
    let entries = archive.entries().map_err(unreadable("the tar archive", "its head"))?;
    for (count, entry) in entries.enumerate() {
        let mut entry = entry.map_err(unreadable("the tar archive", format!("entry {}", count + 1)))?;
        if count >= unpacking.limits.entries {
            return Err(refuse("the tar archive", format!("it contains more than {count} entries")));
        }
        let name = String::from_utf8(entry.path_bytes().into_owned()).map_err(|error| {
            refuse("the tar archive", format!("the name `{}` is not UTF-8", error.as_bytes().escape_ascii()))
        })?;
        let Some(path) = inner_path(&name, unpacking)? else { continue };
        let Some(node) = read_entry(&mut entry, &path, &tree, batch, unpacking)? else { continue };
        add_node(&mut tree, path, node)?;
    }
    Ok(tree)
}

/// The path in the tree; `None` if all components are removed.
fn inner_path(name: &str, unpacking: &Unpacking) -> Result<Option<RelPath>> {
    let path = RelPath::parse(name).map_err(|error| refuse("the tar archive", error.to_string()))?;
    let count = path.components().count();
    if unpacking.strip_components > 0 && count <= unpacking.strip_components {
        return Ok(None);
    }
    let kept = path.components().skip(unpacking.strip_components).collect::<Vec<_>>().join("/");
    RelPath::parse(&kept).map(Some).map_err(|error| refuse("the tar archive", error.to_string()))
}

/// The node of an entry; `None` for entries that are not part of the tree.
fn read_entry(
    entry: &mut Entry<'_, &mut Plain<'_>>,
    path: &RelPath,
    tree: &Tree,
    batch: &Batch<'_>,
    unpacking: &Unpacking,
) -> Result<Option<Node>> {
    match entry.header().entry_type() {
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => read_file(entry, path, batch).map(Some),
        EntryType::Directory => Ok(Some(Node::EmptyDirectory)),
        EntryType::Symlink => {
            let target = link_name(entry, path)?;
            let target = if unpacking.absolute_links_from_root { relative(path, &target) } else { target };
            Ok(Some(Node::Symlink { target }))
        }
        EntryType::Link => {
            let name = link_name(entry, path)?;
            let first = inner_path(&name, unpacking)?.and_then(|first| tree.nodes.get(&first));
            match first {
                Some(node @ Node::File { .. }) => Ok(Some(node.clone())),
                _ => Err(refuse(
                    "the tar archive",
                    format!("`{path}` is a hard link to `{name}`, which is not an earlier file"),
                )),
            }
        }
        EntryType::XGlobalHeader => Ok(None),
        EntryType::Char | EntryType::Block | EntryType::Fifo if unpacking.skip_special => Ok(None),
        EntryType::Char | EntryType::Block => Err(refuse("the tar archive", format!("`{path}` is a device"))),
        EntryType::Fifo => Err(refuse("the tar archive", format!("`{path}` is a FIFO"))),
        other => Err(refuse(
            "the tar archive",
            format!("`{path}` has the unsupported entry type `{}`", other.as_byte().escape_ascii()),
        )),
    }
}

fn read_file(entry: &mut Entry<'_, &mut Plain<'_>>, path: &RelPath, batch: &Batch<'_>) -> Result<Node> {
    let size = entry.size();
    let mode = entry.header().mode().map_err(unreadable("the tar archive", format!("the mode of `{path}`")))?;
    let executable = mode & 0o100 != 0;
    let name = Path::new(path.as_str());
    let digest = match batch.put_reader(entry, name, executable) {
        Err(Error::Io { tried: "read", path: at, source }) if at == name => {
            return Err(unreadable("the tar archive", format!("`{path}`"))(source));
        }
        digest => digest?,
    };
    if digest.size_bytes() != size {
        let cut = io::Error::from(io::ErrorKind::UnexpectedEof);
        return Err(unreadable("the tar archive", format!("`{path}`"))(cut));
    }
    Ok(Node::File { digest, executable })
}

fn link_name(entry: &Entry<'_, &mut Plain<'_>>, path: &RelPath) -> Result<String> {
    let name = entry.link_name_bytes().map(|name| name.into_owned()).unwrap_or_default();
    String::from_utf8(name)
        .map_err(|_| refuse("the tar archive", format!("`{path}` is a link to a name that is not UTF-8")))
}

/// Converts an absolute target to one that is relative to the link: `/lib/x` for the link `usr/lib/y` becomes `../../lib/x`.
fn relative(link: &RelPath, target: &str) -> String {
    let Some(inner) = target.strip_prefix('/') else { return target.to_owned() };
    let up = "../".repeat(link.components().count().saturating_sub(1));
    let inner = inner.trim_start_matches('/');
    if up.is_empty() && inner.is_empty() { ".".to_owned() } else { format!("{up}{inner}") }
}

/// Adds an entry. A repeated equal entry is allowed. Different entries with the same name are refused, since programs disagree about
/// which one is valid.
fn add_node(tree: &mut Tree, path: RelPath, node: Node) -> Result<()> {
    match tree.nodes.get(&path) {
        Some(present) if *present != node => {
            Err(refuse("the tar archive", format!("it contains two different entries with the name `{path}`")))
        }
        Some(_) => Ok(()),
        None => {
            tree.nodes.insert(path, node);
            Ok(())
        }
    }
}
