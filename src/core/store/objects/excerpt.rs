//! Excerpts of blobs for people: the beginning and the end of an output that is too large to show or to hold in memory.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::path::Path;

use super::blob::Opened;
use crate::base::Digest;
use crate::store::error::{Error, Result};
use crate::store::layout::Store;

const BUFFER_BYTES: usize = 256 << 10;

/// The first and the last bytes of a file, collected while all of it is read.
struct Ends {
    limit_bytes: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
}

impl Store {
    /// The text of a blob if it has at most `limit_bytes`. Of a larger blob, the first and the last bytes, half of the limit each,
    /// and between them a line with the number of omitted bytes and the path of the blob. Invalid UTF-8 is replaced. The
    /// hash of the whole blob is verified; at most `limit_bytes` are held in memory.
    ///
    /// # Errors
    /// `Error::Missing` if the blob is missing or damaged.
    pub fn excerpt(&self, digest: Digest, limit_bytes: usize) -> Result<String> {
        if digest.size_bytes() <= limit_bytes as u64 {
            return Ok(String::from_utf8_lossy(&self.get(digest)?).into_owned());
        }
        let Some(Opened { file, path, form }) = self.open_any_form(digest)? else { return Err(Error::Missing(digest)) };
        let mut ends = Ends { limit_bytes, head: Vec::new(), tail: VecDeque::new() };
        let found = ends.read(file).map_err(Error::io("read", &path))?;
        if found != digest {
            self.rehash(&path, digest, form)?;
            return Err(Error::Missing(digest));
        }
        Ok(ends.into_text(digest, &path))
    }
}

impl Ends {
    /// Reads everything and returns its digest.
    fn read(&mut self, mut from: impl Read) -> io::Result<Digest> {
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let bytes = match from.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                count => &buffer[..count?],
            };
            if bytes.is_empty() {
                return Ok(Digest::new(*hasher.finalize().as_bytes(), hasher.count()));
            }
            hasher.update(bytes);
            self.add(bytes);
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        let half = self.limit_bytes / 2;
        let (head, rest) = bytes.split_at(bytes.len().min(half - self.head.len()));
        self.head.extend_from_slice(head);
        let rest = &rest[rest.len().saturating_sub(half)..];
        let excess = (self.tail.len() + rest.len()).saturating_sub(half);
        self.tail.drain(..excess);
        self.tail.extend(rest);
    }

    fn into_text(mut self, digest: Digest, path: &Path) -> String {
        let omitted = digest.size_bytes() - (self.head.len() + self.tail.len()) as u64;
        let [head, tail] = [&self.head[..], self.tail.make_contiguous()].map(String::from_utf8_lossy);
        let path = path.display();
        format!("{head}\n[{omitted} bytes are omitted here; the whole output is in `{path}`]\n{tail}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_blob_is_returned_as_a_whole_and_a_large_one_without_its_middle() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let lines: String = (0..100_000).map(|number| format!("line {number}\n")).collect();
        let digest = store.put(lines.as_bytes()).unwrap();
        assert_eq!(store.excerpt(digest, lines.len()).unwrap(), lines);
        let text = store.excerpt(digest, 1000).unwrap();
        assert!(text.starts_with("line 0\nline 1\n") && text.ends_with("line 99998\nline 99999\n"), "{text}");
        let omitted = format!("[{} bytes are omitted here; the whole output is in `", lines.len() - 1000);
        assert!(text.contains(&omitted) && text.contains(&digest.hex()) && text.len() < 1300, "{text}");
    }

    #[test]
    fn a_damaged_blob_yields_no_excerpt() {
        use std::os::unix::fs::{FileExt, PermissionsExt};
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let digest = store.put(&vec![b'x'; 10_000]).unwrap();
        let path = store.blob_root().join(store.relative_blob_path(digest).unwrap());
        let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.write_all_at(b"y", 5000).unwrap();
        file.set_permissions(std::fs::Permissions::from_mode(0o444)).unwrap();
        file.set_modified(modified).unwrap();
        assert!(matches!(store.excerpt(digest, 100), Err(Error::Missing(_))));
    }
}
