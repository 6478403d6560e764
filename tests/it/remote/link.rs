//! A connection between client and server that a test makes slow, cuts, or drops while it is idle: a proxy on the loopback interface.
//! It knows nothing of the bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// The size of what is forwarded at once.
const PART_BYTES: usize = 16 << 10;

/// What a connection is like.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shape {
    /// The time from one end to the other.
    pub(super) latency: Duration,
    /// In each direction; 0 if it is not limited.
    pub(super) bytes_per_second: u64,
    /// Connections without a byte for this time are closed.
    pub(super) idle_limit: Option<Duration>,
    /// Each connection is cut when it has carried this number of bytes to the client.
    pub(super) cut_after_bytes: Option<u64>,
}

/// A running proxy. Its connections end when it is dropped.
pub(super) struct Link {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    shape: Shape,
    /// Both ends of all connections so far.
    open: Mutex<Vec<TcpStream>>,
    connections: AtomicUsize,
    cuts: AtomicUsize,
}

impl Link {
    /// A proxy for the server at `grpc://…`.
    pub(super) fn to(server: &str, shape: Shape) -> Link {
        let server: SocketAddr = server.trim_start_matches("grpc://").parse().unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            shape,
            open: Mutex::default(),
            connections: AtomicUsize::new(0),
            cuts: AtomicUsize::new(0),
        });
        let accepting = shared.clone();
        // Ends with the process: a listener cannot be woken portably.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(server) else { continue };
                accepting.connections.fetch_add(1, Ordering::SeqCst);
                carry(&accepting, client, server);
            }
        });
        Link { address, shared }
    }

    pub(super) fn address(&self) -> String {
        format!("grpc://{}", self.address)
    }

    /// Breaks all connections. New ones are possible.
    pub(super) fn cut(&self) {
        self.shared.open.lock().unwrap().drain(..).for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
    }

    /// The number of connections that were made.
    pub(super) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// The number of connections that were cut because of their bytes.
    pub(super) fn cuts(&self) -> usize {
        self.shared.cuts.load(Ordering::SeqCst)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.cut();
    }
}

/// Carries the bytes of a connection in both directions.
fn carry(shared: &Arc<Shared>, client: TcpStream, server: TcpStream) {
    for stream in [&client, &server] {
        stream.set_nodelay(true).unwrap();
        shared.open.lock().unwrap().push(stream.try_clone().unwrap());
    }
    let last = Arc::new(Mutex::new(Instant::now()));
    let carried = Arc::new(AtomicU64::new(0));
    for to_client in [false, true] {
        let (from, to) = if to_client { (&server, &client) } else { (&client, &server) };
        let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        let (sender, receiver) = sync_channel(64);
        let (shape, last) = (shared.shape, last.clone());
        thread::spawn(move || read(from, shape, &last, sender));
        let (shared, carried) = (shared.clone(), to_client.then(|| carried.clone()));
        thread::spawn(move || write(&shared, to, receiver, carried.as_deref()));
    }
}

/// Reads until the end, and adds to each part when it arrives at the other end.
fn read(mut from: TcpStream, shape: Shape, last: &Mutex<Instant>, parts: SyncSender<(Instant, Vec<u8>)>) {
    from.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut free = Instant::now();
    loop {
        let mut part = vec![0; PART_BYTES];
        match from.read(&mut part) {
            Ok(0) => return,
            Ok(count) => part.truncate(count),
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                if shape.idle_limit.is_some_and(|limit| last.lock().unwrap().elapsed() > limit) {
                    let _ = from.shutdown(Shutdown::Both);
                    return;
                }
                continue;
            }
            Err(_) => return,
        }
        *last.lock().unwrap() = Instant::now();
        free = free.max(Instant::now());
        if shape.bytes_per_second > 0 {
            free += Duration::from_secs_f64(part.len() as f64 / shape.bytes_per_second as f64);
        }
        if parts.send((free + shape.latency, part)).is_err() {
            return;
        }
    }
}

fn write(shared: &Shared, mut to: TcpStream, parts: Receiver<(Instant, Vec<u8>)>, carried: Option<&AtomicU64>) {
    for (due, part) in parts {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let length = part.len() as u64;
        if to.write_all(&part).is_err() {
            break;
        }
        let is_over =
            |limit: u64| carried.is_some_and(|carried| carried.fetch_add(length, Ordering::SeqCst) + length > limit);
        if shared.shape.cut_after_bytes.is_some_and(is_over) {
            shared.cuts.fetch_add(1, Ordering::SeqCst);
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
