//! One response: a stream of bytes and its offset in the whole file. Requests are sent by `client`.

use std::fs::File;
use std::io::{self, Read};
use std::time::Duration;

use url::Url;

use super::{Error, location};

/// A stream of bytes from a server or a local file, with its offset in the whole file.
pub(super) struct Response {
    pub url: Url,
    pub content_type: String,
    pub partial: bool,
    /// Offset of the first byte in the whole file.
    pub start: u64,
    /// The size of the whole file, if it is known.
    pub total_bytes: Option<u64>,
    /// What identifies this version of the page for the server; empty if the server does not say.
    pub etag: String,
    /// How long the server allows the page to be used without asking again.
    pub max_age: Duration,
    reader: Box<dyn Read>,
}

impl Response {
    pub(super) fn from_file(url: &Url) -> Result<Response, Error> {
        let refuse = || Error::BadUrl { url: location::for_display(url), why: "it is not a local path".to_owned() };
        let path = url.to_file_path().map_err(|()| refuse())?;
        let fail = |source| Error::File { path: path.clone(), source };
        let file = File::open(&path).map_err(fail)?;
        let metadata = file.metadata().map_err(fail)?;
        if metadata.is_dir() {
            return Err(fail(io::ErrorKind::IsADirectory.into()));
        }
        let total_bytes = Some(metadata.len());
        let (url, content_type, reader) = (url.clone(), String::new(), Box::new(file));
        let (etag, max_age) = (String::new(), Duration::ZERO);
        Ok(Response { url, content_type, partial: false, start: 0, total_bytes, etag, max_age, reader })
    }

    pub(super) fn from_http(url: Url, response: ureq::http::Response<ureq::Body>) -> Result<Response, Error> {
        let status = response.status().as_u16();
        if !matches!(status, 200 | 206) {
            return Err(Error::Status { url: location::for_display(&url), status });
        }
        let content_type =
            header(&response, "content-type").split(';').next().unwrap_or_default().trim().to_lowercase();
        let encoded = !header(&response, "content-encoding").is_empty();
        let (start, total_bytes) = match status {
            206 => content_range(header(&response, "content-range")).unwrap_or_default(),
            // The length of a compressed body is not the number of bytes that are read from it.
            _ => (0, header(&response, "content-length").parse().ok().filter(|_| !encoded)),
        };
        let etag = header(&response, "etag").to_owned();
        let max_age = max_age(header(&response, "cache-control"));
        let reader = Box::new(response.into_body().into_reader());
        Ok(Response { url, content_type, partial: status == 206, start, total_bytes, etag, max_age, reader })
    }

    /// Passes all bytes after the first `skip_bytes` to `write`. Fails before it passes a byte at or past the offset
    /// `limit_bytes` of the file.
    pub(super) fn copy(
        &mut self,
        skip_bytes: u64,
        limit_bytes: u64,
        mut write: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), Error> {
        let url = location::for_display(&self.url);
        let mut buffer = vec![0; 64 << 10];
        let mut offset = self.start;
        let write_from = self.start + skip_bytes;
        loop {
            let read = self.reader.read(&mut buffer);
            let read = match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read.map_err(|source| Error::Truncated { url: url.clone(), got_bytes: offset, source })?,
            };
            if read == 0 {
                break;
            }
            let end = offset + read as u64;
            if end > limit_bytes {
                return Err(Error::TooLarge { url, limit_bytes });
            }
            if end > write_from {
                let from = usize::try_from(write_from.saturating_sub(offset)).unwrap_or(read);
                write(&buffer[from..read]).map_err(|source| Error::Write { url: url.clone(), source })?;
            }
            offset = end;
        }
        match self.total_bytes {
            Some(total_bytes) if offset < total_bytes && !self.partial => {
                let source = io::ErrorKind::UnexpectedEof.into();
                Err(Error::Truncated { url, got_bytes: offset, source })
            }
            _ => Ok(()),
        }
    }
}

pub(super) fn header<'a>(response: &'a ureq::http::Response<ureq::Body>, name: &str) -> &'a str {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The duration in a `Cache-Control` header (RFC 9111, 5.2.2.1); zero where the page must not be used again without asking.
pub(super) fn max_age(text: &str) -> Duration {
    let words: Vec<&str> = text.split(',').map(str::trim).collect();
    let must_ask = words.iter().any(|word| ["no-cache", "no-store"].iter().any(|no| word.eq_ignore_ascii_case(no)));
    let seconds = words.iter().find_map(|word| word.strip_prefix("max-age=")).and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.filter(|_| !must_ask).unwrap_or(0))
}

/// The start and the total size of a `Content-Range` header (RFC 9110, 14.4): `bytes 5-9/20` gives (5, 20).
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.trim().parse().ok()?, total.trim().parse().ok()))
}
