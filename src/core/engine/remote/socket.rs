//! The socket of a connection. It counts the bytes that it moves, so that a slow connection is not taken for a dead one, and the kernel
//! keeps it open while it is idle.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tonic::codegen::Service;
use tonic::codegen::http::Uri;

/// How often the kernel asks whether the other side of an idle connection is there. This keeps entries of address translators and
/// load balancers alive, and servers do not notice it. Pings of HTTP/2 are counted by most servers, which close the connection
/// of a client that sends more than two without data in 5 minutes.
const PROBE_INTERVAL: Duration = Duration::from_secs(30);

/// After this number of probes without an answer, the connection is broken.
const PROBES: u32 = 3;

/// Sent bytes that were not acknowledged for this time, in milliseconds, break the connection.
const UNACKNOWLEDGED_MILLIS: u32 = 90_000;

/// The number of bytes that a connection has moved in both directions.
#[derive(Clone, Debug, Default)]
pub(super) struct Moved(Arc<AtomicU64>);

impl Moved {
    /// The number so far.
    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// Connects to the host of a URI.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    /// Counts what the connections move.
    pub(super) moved: Moved,
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Counted>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let moved = self.moved.clone();
        Box::pin(async move { Ok(TokioIo::new(Counted { stream: connect(&uri).await?, moved })) })
    }
}

async fn connect(uri: &Uri) -> io::Result<TcpStream> {
    // An IPv6 address has brackets in a URI.
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(&stream, true)?;
    sockopt::set_tcp_keepidle(&stream, PROBE_INTERVAL)?;
    sockopt::set_tcp_keepintvl(&stream, PROBE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(&stream, PROBES)?;
    sockopt::set_tcp_user_timeout(&stream, UNACKNOWLEDGED_MILLIS)?;
    Ok(stream)
}

/// A socket that counts its bytes.
#[derive(Debug)]
pub(super) struct Counted {
    stream: TcpStream,
    moved: Moved,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.moved.add(buffer.filled().len() - before);
        polled
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.count(&polled);
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.count(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl Counted {
    fn count(&self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = written {
            self.moved.add(*bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[test]
    fn a_connection_is_probed_while_it_is_idle_and_its_bytes_are_counted() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let uri: Uri = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
            let mut connector = Connector { moved: Moved::default() };
            let mut socket = connector.call(uri).await.unwrap().into_inner();
            assert!(sockopt::socket_keepalive(&socket.stream).unwrap());
            assert_eq!(sockopt::tcp_keepidle(&socket.stream).unwrap(), PROBE_INTERVAL);
            assert_eq!(sockopt::tcp_user_timeout(&socket.stream).unwrap(), UNACKNOWLEDGED_MILLIS);
            let (mut other, _) = listener.accept().await.unwrap();
            socket.write_all(b"question").await.unwrap();
            other.write_all(b"answer").await.unwrap();
            socket.read_exact(&mut [0; 6]).await.unwrap();
            assert_eq!(connector.moved.bytes(), 14);
        });
    }
}
