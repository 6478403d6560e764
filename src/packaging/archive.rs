//! Writes a tree as a ZIP or tar archive. The bytes depend on the tree alone: members are sorted, belong to the user 0, and have
//! fixed times and modes. Reading archives is in `store` and `wheel`.

use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::path::Path;

use bzip2::write::BzEncoder;
use flate2::GzBuilder;
use lzma_rust2::{XzOptions, XzWriter};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::base::{Digest, RelPath};
use crate::store::{self, FIXED_MTIME_SECONDS, Node, Store};

/// The size of a member from which ZIP needs 64-bit fields.
const LARGE_BYTES: u64 = u32::MAX as u64;

/// The format of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Tar without compression.
    Tar,
    /// Tar, compressed with bzip2.
    TarBz2,
    /// Tar, compressed with gzip.
    TarGz,
    /// Tar, compressed with xz.
    TarXz,
    /// ZIP with deflate.
    Zip,
}

/// Why an archive cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The contents cannot be read, or the archive cannot be stored.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The archive cannot be written.
    #[error("cannot write the archive")]
    Write(#[from] io::Error),
    /// The ZIP format cannot represent a member.
    #[error("cannot add `{path}` to the archive")]
    Zip {
        /// The path in the archive.
        path: RelPath,
        /// The reason.
        source: zip::result::ZipError,
    },
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 5] = [Format::Tar, Format::TarBz2, Format::TarGz, Format::TarXz, Format::Zip];

    /// The name that the field `format` uses, which is also the suffix of file names.
    pub fn name(self) -> &'static str {
        match self {
            Format::Tar => "tar",
            Format::TarBz2 => "tar.bz2",
            Format::TarGz => "tar.gz",
            Format::TarXz => "tar.xz",
            Format::Zip => "zip",
        }
    }

    /// The format with this name.
    pub fn from_name(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// Writes the files of a tree, all of which must be in the store, to a new file.
pub fn write_file(store: &Store, tree: Digest, format: Format, path: &Path) -> Result<(), Error> {
    let written = File::create(path).map_err(Error::from).and_then(|file| write(store, tree, format, file));
    let place = || path.to_owned();
    written.map_err(|error| match error {
        Error::Write(source) if source.kind() == io::ErrorKind::StorageFull => {
            store::Error::Full { path: place(), source }.into()
        }
        Error::Write(source) => store::Error::Io { tried: "write", path: place(), source }.into(),
        error => error,
    })
}

fn write(store: &Store, tree: Digest, format: Format, out: impl Write + Seek) -> Result<(), Error> {
    let out = BufWriter::new(out);
    match format {
        Format::Zip => write_zip(store, tree, out),
        Format::Tar => Ok(write_tar(store, tree, out)?.flush()?),
        Format::TarGz => {
            // Neither a time nor the operating system enters the header.
            let encoder = GzBuilder::new().operating_system(255).write(out, flate2::Compression::default());
            Ok(write_tar(store, tree, encoder)?.finish()?.flush()?)
        }
        Format::TarBz2 => {
            let encoder = BzEncoder::new(out, bzip2::Compression::best());
            Ok(write_tar(store, tree, encoder)?.finish()?.flush()?)
        }
        Format::TarXz => {
            let encoder = XzWriter::new(out, XzOptions::with_preset(6))?;
            Ok(write_tar(store, tree, encoder)?.finish()?.flush()?)
        }
    }
}

fn write_zip(store: &Store, tree: Digest, out: impl Write + Seek) -> Result<(), Error> {
    // The date of `FIXED_MTIME_SECONDS`.
    let time = DateTime::from_date_and_time(1980, 1, 3, 0, 0, 0).expect("a date that ZIP can represent");
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).last_modified_time(time);
    let mut zip = ZipWriter::new(out);
    for (path, node) in store.tree(tree)?.nodes {
        let failed = |source| Error::Zip { path: path.clone(), source };
        match node {
            Node::File { digest, executable } => {
                let options = options.unix_permissions(mode(executable)).large_file(digest.size_bytes() >= LARGE_BYTES);
                zip.start_file(path.as_str(), options).map_err(failed)?;
                zip.write_all(&store.get(digest)?)?;
            }
            Node::Symlink { target } => zip.add_symlink(path.as_str(), target, options).map_err(failed)?,
            Node::EmptyDirectory => {
                zip.add_directory(path.as_str(), options.unix_permissions(mode(true))).map_err(failed)?;
            }
        }
    }
    let failed = |source| Error::Zip { path: RelPath::root(), source };
    zip.finish().map_err(failed)?.flush()?;
    Ok(())
}

fn write_tar<W: Write>(store: &Store, tree: Digest, out: W) -> Result<W, Error> {
    let mut tar = tar::Builder::new(out);
    for (path, node) in store.tree(tree)?.nodes {
        match node {
            Node::File { digest, executable } => {
                let content = store.get(digest)?;
                let mut header = tar_header(tar::EntryType::Regular, mode(executable), content.len() as u64);
                tar.append_data(&mut header, path.as_str(), content.as_slice())?;
            }
            Node::Symlink { target } => {
                tar.append_link(&mut tar_header(tar::EntryType::Symlink, mode(false), 0), path.as_str(), target)?;
            }
            Node::EmptyDirectory => {
                let mut header = tar_header(tar::EntryType::Directory, mode(true), 0);
                tar.append_data(&mut header, format!("{path}/"), io::empty())?;
            }
        }
    }
    Ok(tar.into_inner()?)
}

/// The header of a member that belongs to the user 0 and has the fixed time.
pub(super) fn tar_header(kind: tar::EntryType, mode: u32, size_bytes: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size_bytes);
    header.set_mtime(FIXED_MTIME_SECONDS.unsigned_abs());
    header.set_uid(0);
    header.set_gid(0);
    header
}

/// The mode of a file; directories have that of executable files.
pub(super) fn mode(executable: bool) -> u32 {
    if executable { 0o755 } else { 0o644 }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::{Cursor, Read};

    use super::*;
    use crate::store::Tree;

    /// A store, and in it a tree with an executable, a long path, a link and an empty directory.
    fn stored() -> (tempfile::TempDir, Store, Digest) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let path = |text: &str| RelPath::parse(text).unwrap();
        let batch = store.batch();
        let file = |text: &[u8], executable| Node::File { digest: batch.put(text, executable).unwrap(), executable };
        let nodes = BTreeMap::from([
            (path("bin/run"), file(b"#!/bin/sh\n", true)),
            (path("a.txt"), file(b"a\n", false)),
            (path(&format!("{}/deep.txt", "d/".repeat(80).trim_end_matches('/'))), file(&[b'x'; 100_000], false)),
            (path("link"), Node::Symlink { target: "a.txt".to_owned() }),
            (path("empty"), Node::EmptyDirectory),
        ]);
        let tree = batch.put_tree(&Tree { nodes }).unwrap();
        batch.commit().unwrap();
        (dir, store, tree)
    }

    fn written(store: &Store, tree: Digest, format: Format) -> Vec<u8> {
        let mut out = Cursor::new(Vec::new());
        write(store, tree, format, &mut out).unwrap();
        out.into_inner()
    }

    /// Members of a tar archive: path, mode, time, size.
    fn tar_members(bytes: impl Read) -> Vec<(String, u32, u64, u64)> {
        let mut archive = tar::Archive::new(bytes);
        let members = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            let header = entry.header();
            assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
            let path = entry.path().unwrap().display().to_string();
            (path, header.mode().unwrap(), header.mtime().unwrap(), entry.size())
        });
        members.collect()
    }

    #[test]
    fn every_format_has_the_same_bytes_each_time_and_contains_all_files() {
        let (_dir, store, tree) = stored();
        for format in Format::ALL {
            let bytes = written(&store, tree, format);
            assert_eq!(bytes, written(&store, tree, format), "{format:?}");
            let members = match format {
                Format::Tar => tar_members(bytes.as_slice()),
                Format::TarGz => tar_members(flate2::read::GzDecoder::new(bytes.as_slice())),
                Format::TarBz2 => tar_members(bzip2::read::BzDecoder::new(bytes.as_slice())),
                Format::TarXz => tar_members(lzma_rust2::XzReader::new(bytes.as_slice(), false)),
                Format::Zip => continue,
            };
            assert_eq!(members.len(), 5, "{members:?}");
            assert_eq!(members[0], ("a.txt".to_owned(), 0o644, FIXED_MTIME_SECONDS.unsigned_abs(), 2));
            assert_eq!(members[1], ("bin/run".to_owned(), 0o755, FIXED_MTIME_SECONDS.unsigned_abs(), 10));
            assert!(members[2].0.len() > 100 && members[2].3 == 100_000, "{members:?}");
            assert!(format == Format::Tar || bytes.len() < 2_000, "{format:?} compresses: {}", bytes.len());
        }
    }

    #[test]
    fn a_zip_archive_has_fixed_times_and_modes() {
        let (_dir, store, tree) = stored();
        let bytes = written(&store, tree, Format::Zip);
        let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        let names: Vec<String> = zip.file_names().map(str::to_owned).collect();
        assert_eq!(names.len(), 5, "{names:?}");
        let mut member = |name: &str| {
            let mut file = zip.by_name(name).unwrap();
            let time = file.last_modified().unwrap().to_string();
            let mut content = String::new();
            file.read_to_string(&mut content).unwrap();
            (file.unix_mode().unwrap(), time, content)
        };
        assert_eq!(member("bin/run"), (0o100_755, "1980-01-03 00:00:00".to_owned(), "#!/bin/sh\n".to_owned()));
        assert_eq!(member("a.txt").0, 0o100_644);
        assert_eq!((member("link").0, member("link").2), (0o120_777, "a.txt".to_owned()));
    }

    #[test]
    fn formats_are_found_by_their_names() {
        for format in Format::ALL {
            assert_eq!(Format::from_name(format.name()), Some(format));
        }
        assert_eq!(Format::from_name("rar"), None);
    }
}
