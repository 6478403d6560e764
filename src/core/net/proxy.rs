//! An HTTP proxy on a listening socket that somebody else opened, perhaps in another network namespace. It only speaks the protocol
//! (RFC 9112): what a request is answered with is decided by a handler. Tunnels (`CONNECT`) are refused, because nobody could see
//! what passes through them.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use ureq::http::StatusCode;

/// The size limit of the lines before a body.
const HEAD_LIMIT_BYTES: u64 = 64 << 10;
const HEADER_LIMIT: usize = 64;

/// A request for a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyRequest {
    /// The requested URL.
    pub url: String,
    /// Whether only the headers of the response are wanted.
    pub is_head: bool,
    /// The part of the file that is wanted.
    pub range: Option<ByteRange>,
}

/// A part of a file (RFC 9110, 14.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// `length` bytes from the offset `start`.
    From {
        /// The offset of the first byte.
        start: u64,
        /// The number of bytes.
        length: u64,
    },
    /// The last bytes of the file; their number.
    Last(u64),
}

/// A response.
pub struct ProxyReply {
    /// The HTTP status.
    pub status: u16,
    /// Headers; the length of the body is added, except for HEAD.
    pub headers: Vec<(&'static str, String)>,
    /// The body and its size in bytes.
    pub body: (u64, Box<dyn Read + Send>),
}

impl ProxyReply {
    /// A response whose body is in memory.
    pub fn new(status: u16, headers: Vec<(&'static str, String)>, body: Vec<u8>) -> ProxyReply {
        ProxyReply { status, headers, body: (body.len() as u64, Box::new(io::Cursor::new(body))) }
    }

    /// A response with a text that says why the request was refused.
    pub fn refusal(status: u16, why: &str) -> ProxyReply {
        ProxyReply::new(status, vec![("content-type", "text/plain".to_owned())], format!("{why}\n").into_bytes())
    }
}

/// Answers requests. It is called by many threads at once.
pub trait ProxyHandler: Send + Sync + 'static {
    /// The response to a request.
    fn answer(&self, request: &ProxyRequest) -> ProxyReply;

    /// A tunnel to this host and port was refused.
    fn refused_tunnel(&self, authority: &str);
}

/// Receives a listening socket through a channel and answers the requests that arrive on it, in threads of its own. Ends when the
/// channel is closed without a socket.
pub fn serve(channel: OwnedFd, handler: Arc<dyn ProxyHandler>) {
    thread::spawn(move || {
        let Ok(Some(listener)) = receive(&channel) else { return };
        // The other end closes the channel when it ends; that is when nobody can connect any more.
        if let Ok(listener) = listener.try_clone() {
            thread::spawn(move || {
                let _ = rustix::io::read(&channel, &mut [0; 1]);
                let _ = rustix::net::shutdown(&listener, rustix::net::Shutdown::Both);
            });
        }
        for stream in TcpListener::from(listener).incoming() {
            let (Ok(stream), handler) = (stream, handler.clone()) else { return };
            thread::spawn(move || {
                // A client that ends in the middle of a response is not an error of anybody.
                let _ = serve_connection(&stream, &*handler);
                let _ = stream.shutdown(Shutdown::Both);
            });
        }
    });
}

/// The descriptor that arrives with the first byte of a channel.
fn receive(channel: &OwnedFd) -> io::Result<Option<OwnedFd>> {
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0; 1];
    let mut parts = [io::IoSliceMut::new(&mut byte)];
    recvmsg(channel, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    Ok(control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    }))
}

fn serve_connection(stream: &TcpStream, handler: &dyn ProxyHandler) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(head) = read_head(&mut reader)? {
        let (reply, is_head, is_last) = match parse(&head) {
            Parsed::Request(request) => (handler.answer(&request), request.is_head, false),
            Parsed::Tunnel(authority) => {
                handler.refused_tunnel(&authority);
                (ProxyReply::refusal(403, "tunnels are not allowed"), false, true)
            }
            Parsed::Invalid(why) => (ProxyReply::refusal(400, why), false, true),
        };
        write_reply(&mut &*stream, reply, is_head)?;
        if is_last {
            break;
        }
    }
    Ok(())
}

/// The lines before a body, up to the empty one; `None` at the end of the connection.
fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    let mut limited = reader.take(HEAD_LIMIT_BYTES);
    while !head.ends_with(b"\r\n\r\n") {
        if limited.read_until(b'\n', &mut head)? == 0 {
            return if head.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
    }
    Ok(Some(head))
}

enum Parsed {
    Request(ProxyRequest),
    Tunnel(String),
    Invalid(&'static str),
}

fn parse(head: &[u8]) -> Parsed {
    let mut headers = [httparse::EMPTY_HEADER; HEADER_LIMIT];
    let mut request = httparse::Request::new(&mut headers);
    let (true, Some(method), Some(target)) = (request.parse(head).is_ok(), request.method, request.path) else {
        return Parsed::Invalid("the request is not HTTP");
    };
    let is_head = match method {
        "CONNECT" => return Parsed::Tunnel(target.to_owned()),
        "GET" => false,
        "HEAD" => true,
        _ => return Parsed::Invalid("only GET and HEAD are supported"),
    };
    let header = |name: &str| {
        let found = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.and_then(|header| std::str::from_utf8(header.value).ok())
    };
    if header("content-length").is_some_and(|length| length != "0") || header("transfer-encoding").is_some() {
        return Parsed::Invalid("requests with a body are not supported");
    }
    Parsed::Request(ProxyRequest { url: target.to_owned(), is_head, range: header("range").and_then(byte_range) })
}

/// The value of a `Range` header with one range that ends; others are ignored, which the standard allows.
fn byte_range(text: &str) -> Option<ByteRange> {
    let (start, end) = text.strip_prefix("bytes=")?.split_once('-')?;
    let end: u64 = end.trim().parse().ok()?;
    match start.trim() {
        "" => Some(ByteRange::Last(end)),
        start => {
            let start: u64 = start.parse().ok()?;
            Some(ByteRange::From { start, length: end.checked_sub(start)?.checked_add(1)? })
        }
    }
}

fn write_reply(out: &mut impl Write, reply: ProxyReply, is_head: bool) -> io::Result<()> {
    let ProxyReply { status, headers, body: (length, body) } = reply;
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("-");
    let mut head = format!("HTTP/1.1 {status} {reason}\r\n");
    // The response to HEAD has the length that the body would have, if that is known.
    if !is_head {
        head += &format!("content-length: {length}\r\n");
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    out.write_all((head + "\r\n").as_bytes())?;
    if !is_head {
        io::copy(&mut body.take(length), out)?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;
    use std::sync::Mutex;

    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

    use super::*;

    #[derive(Default)]
    struct Echo(Mutex<Vec<String>>);

    impl ProxyHandler for Echo {
        fn answer(&self, request: &ProxyRequest) -> ProxyReply {
            ProxyReply::new(200, Vec::new(), format!("{} {:?}", request.url, request.range).into_bytes())
        }

        fn refused_tunnel(&self, authority: &str) {
            self.0.lock().unwrap().push(authority.to_owned());
        }
    }

    /// Sends a request to a proxy whose listening socket was passed through a channel. Returns the whole response.
    fn exchange(handler: &Arc<Echo>, request: &str) -> String {
        let (ours, theirs) = UnixStream::pair().unwrap();
        serve(ours.into(), handler.clone());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let descriptors = [listener.as_fd()];
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
        sendmsg(&theirs, &[io::IoSlice::new(b"x")], &mut control, SendFlags::empty()).unwrap();
        drop(listener);
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        response
    }

    #[test]
    fn requests_of_one_connection_are_answered_in_their_order() {
        let requests = "GET http://a.example.invalid/x HTTP/1.1\r\nhost: a\r\nRange: bytes=2-4\r\n\r\n\
                        HEAD http://a.example.invalid/y HTTP/1.1\r\n\r\n\
                        GET http://a.example.invalid/z HTTP/1.1\r\nrange: bytes=-7\r\n\r\n";
        let response = exchange(&Arc::default(), requests);
        let bodies: Vec<&str> = response
            .split("HTTP/1.1 200 OK\r\n")
            .map(|part| part.split_once("\r\n\r\n").map_or("", |part| part.1))
            .collect();
        let expected = [
            "",
            "http://a.example.invalid/x Some(From { start: 2, length: 3 })",
            "",
            "http://a.example.invalid/z Some(Last(7))",
        ];
        assert_eq!(bodies, expected);
    }

    #[test]
    fn tunnels_are_refused_and_reported() {
        let handler = Arc::new(Echo::default());
        let response =
            exchange(&handler, "CONNECT a.example.invalid:443 HTTP/1.1\r\n\r\nGET http://b/ HTTP/1.1\r\n\r\n");
        assert!(response.starts_with("HTTP/1.1 403 "), "{response}");
        assert_eq!(*handler.0.lock().unwrap(), ["a.example.invalid:443"]);
        assert_eq!(response.matches("HTTP/1.1").count(), 1, "{response}");
    }

    #[test]
    fn invalid_requests_are_refused() {
        let long = format!("GET http://a/{} HTTP/1.1\r\n\r\n", "x".repeat(70_000));
        for (request, expected) in [
            ("POST http://a/ HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "),
            ("GET http://a/ HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc", "HTTP/1.1 400 "),
            ("\u{7f}\r\n\r\n", "HTTP/1.1 400 "),
            ("GET http://a/ HTTP/1.1\r\n", ""),
            (&long, ""),
            ("", ""),
        ] {
            let response = exchange(&Arc::default(), request);
            assert!(response.starts_with(expected) && response.is_empty() == expected.is_empty(), "{response}");
        }
    }

    #[test]
    fn ranges_that_do_not_end_are_ignored() {
        for text in ["bytes=3-", "bytes=5-3", "bytes=0-18446744073709551615", "items=1-2", "bytes=1-2,4-5", "bytes=-"] {
            assert_eq!(byte_range(text), None, "{text}");
        }
    }
}
