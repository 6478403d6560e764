//! Decompression. The format is detected by its magic bytes, and limits protect against decompression bombs.

use std::cell::Cell;
use std::fs;
use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, Write};
use std::rc::Rc;

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::{RATIO_FROM_BYTES, UnpackLimits, refuse, unreadable, xz};
use crate::store::error::{Error, Result};
use crate::store::layout::Store;

/// The decompressed bytes of `reader`, which can be gzip, xz, zstd or uncompressed.
pub(in crate::store) fn open<'r>(store: &Store, mut reader: impl Read + 'r, limits: UnpackLimits) -> Result<Plain<'r>> {
    let mut magic = Vec::new();
    reader.by_ref().take(6).read_to_end(&mut magic).map_err(unreadable("the archive", "its head"))?;
    let packed = Rc::new(Cell::new(0));
    let source = Counted { inner: Cursor::new(magic.clone()).chain(reader), count: Rc::clone(&packed) };
    let source: Box<dyn Read + 'r> = match magic.as_slice() {
        [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(source)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(Zstd::new(source)),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Box::new(unpack_xz(store, source, limits)?),
        [b'B', b'Z', b'h', ..] => return Err(refuse("the archive", "bzip2 is not supported")),
        _ => return Ok(Plain { inner: Box::new(source), read: 0, zeros: 0, packed: None, limits }),
    };
    Ok(Plain { inner: source, read: 0, zeros: 0, packed: Some(packed), limits })
}

/// Decompressed bytes. Reading fails when a limit is exceeded.
pub(in crate::store) struct Plain<'r> {
    inner: Box<dyn Read + 'r>,
    read: u64,
    /// The number of zero bytes at the end of the bytes that were read so far.
    zeros: u64,
    packed: Option<Rc<Cell<u64>>>,
    limits: UnpackLimits,
}

impl Plain<'_> {
    /// Reads the remaining bytes, so that a checksum at the end is verified. Returns whether the data ends with `count` zero bytes.
    pub(in crate::store) fn drain(&mut self, count: u64) -> io::Result<bool> {
        io::copy(self, &mut io::sink())?;
        Ok(self.zeros >= count)
    }
}

impl Read for Plain<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read += count as u64;
        match buffer[..count].iter().rposition(|byte| *byte != 0) {
            None => self.zeros += count as u64,
            Some(last) => self.zeros = (count - last - 1) as u64,
        }
        if self.read > self.limits.bytes {
            return Err(io::Error::other(format!("it contains more than {} bytes", self.limits.bytes)));
        }
        let packed = self.packed.as_ref().map_or(self.read, |packed| packed.get());
        if self.read > RATIO_FROM_BYTES && self.read / packed.max(1) > self.limits.ratio {
            return Err(io::Error::other(format!("it unpacks to more than {} times its size", self.limits.ratio)));
        }
        Ok(count)
    }
}

struct Counted<R> {
    inner: R,
    count: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.count.set(self.count.get() + count as u64);
        Ok(count)
    }
}

/// Decoder for any number of zstd frames. It compares the checksum of each frame, which `ruzstd` leaves to the caller.
struct Zstd<R> {
    source: BufReader<R>,
    decoder: FrameDecoder,
    in_frame: bool,
}

impl<R: Read> Zstd<R> {
    fn new(source: R) -> Zstd<R> {
        Zstd { source: BufReader::new(source), decoder: FrameDecoder::new(), in_frame: false }
    }

    fn check(&self) -> io::Result<()> {
        match self.decoder.get_checksum_from_data() {
            Some(wanted) if self.decoder.get_calculated_checksum() != Some(wanted) => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "a zstd frame does not match its checksum"))
            }
            _ => Ok(()),
        }
    }
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.in_frame {
                if self.source.fill_buf()?.is_empty() {
                    return Ok(0);
                }
                self.decoder.reset(&mut self.source).map_err(invalid)?;
                self.in_frame = true;
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let some = BlockDecodingStrategy::UptoBytes(buffer.len());
                self.decoder.decode_blocks(&mut self.source, some).map_err(invalid)?;
            }
            let count = self.decoder.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            self.check()?;
            self.in_frame = false;
        }
    }
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Decompresses into an unlinked temporary file: the decoder can only write, and the caller needs a reader.
fn unpack_xz(store: &Store, source: impl Read, limits: UnpackLimits) -> Result<BufReader<fs::File>> {
    let mut packed = Vec::new();
    source.take(limits.bytes).read_to_end(&mut packed).map_err(unreadable("the archive", "its content"))?;
    let limit = (packed.len() as u64).saturating_mul(limits.ratio).max(RATIO_FROM_BYTES).min(limits.bytes);
    let path = store.tmp.fresh_path();
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
    let file = file.map_err(Error::io("create", &path))?;
    fs::remove_file(&path).map_err(Error::io("remove", &path))?;
    let mut out = io::BufWriter::new(Sink { file, failed: None });
    let decoded = xz::decode(&packed, limit, &mut out);
    let flushed = out.flush();
    let sink = out.into_parts().0;
    if let Some(error) = sink.failed {
        return Err(Error::io("write", &path)(error));
    }
    decoded?;
    flushed.map_err(Error::io("write", &path))?;
    let mut file = sink.file;
    file.rewind().map_err(Error::io("rewind", &path))?;
    Ok(BufReader::new(file))
}

/// Records a write error, so that a full disk is not reported as a damaged archive.
struct Sink {
    file: fs::File,
    failed: Option<io::Error>,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).map_err(|error| {
            let kind = error.kind();
            self.failed = Some(error);
            kind.into()
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
