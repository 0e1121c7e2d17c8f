//! Sockets to a server. They are waited for on the thread that needs the answer: no runtime takes part.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream as StdTcpStream, ToSocketAddrs as _};
#[cfg(unix)]
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
#[cfg(unix)]
use std::os::unix::net::UnixStream as StdUnixStream;
#[cfg(unix)]
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Token};
#[cfg(unix)]
use mio::{net::UnixStream, unix::SourceFd};
#[cfg(unix)]
use socket2::{Domain, SockAddr, Socket as Unconnected, Type};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// Whether a read that gives less than it could has left nothing. Elsewhere only a read that would block tells.
const SHORT_READS_EMPTY: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// A connected socket, which one thread at a time reads and writes.
///
/// A poll that would block is [`Poll::Pending`] and wakes nobody: [`Waiter::wait`] tells when to poll again.
#[derive(Clone)]
pub(super) struct Socket(Arc<Shared>);

struct Shared {
    stream: Stream,
    /// Whether there may be something to read.
    is_readable: AtomicBool,
    /// The server has closed. No event will follow, so reading goes on until nothing is left.
    is_at_end: AtomicBool,
    /// Whether a write would have blocked.
    has_to_write: AtomicBool,
}

enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Stream {
    fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => (&*stream).read(into),
            #[cfg(unix)]
            Stream::Unix(stream) => (&*stream).read(into),
        }
    }

    fn write(&self, from: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => (&*stream).write(from),
            #[cfg(unix)]
            Stream::Unix(stream) => (&*stream).write(from),
        }
    }

    #[cfg(unix)]
    fn fd(&self) -> RawFd {
        match self {
            Stream::Tcp(stream) => stream.as_raw_fd(),
            Stream::Unix(stream) => stream.as_raw_fd(),
        }
    }

    fn shut_down(&self) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Both),
            #[cfg(unix)]
            Stream::Unix(stream) => stream.shutdown(Shutdown::Both),
        }
    }
}

/// Waits for a socket.
pub(super) struct Waiter {
    poll: mio::Poll,
    events: Events,
    /// Whether the system tells of what may be written, too. `None` before it tells of anything.
    #[cfg(unix)]
    tells_of_writing: Option<bool>,
    socket: Socket,
}

const ONLY: Token = Token(0);

impl Waiter {
    /// Connects to the one host that the settings name.
    pub(super) fn connect(config: &Config, deadline: Instant) -> io::Result<Self> {
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let stream = match (config.get_hostaddrs().first(), config.get_hosts().first()) {
            (Some(address), _) => tcp(config, &[SocketAddr::new(*address, port)], deadline)?,
            (None, Some(Host::Tcp(name))) => {
                let addresses = addresses(name.clone(), port, deadline)?;
                tcp(config, &addresses, deadline)?
            }
            #[cfg(unix)]
            (None, Some(Host::Unix(directory))) => unix(directory, port)?,
            (None, None) => return Err(ErrorKind::InvalidInput.into()),
        };
        let poll = mio::Poll::new()?;
        #[cfg(not(unix))]
        let stream = {
            let Stream::Tcp(mut stream) = stream;
            let either = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut stream, ONLY, either)?;
            Stream::Tcp(stream)
        };
        let mut waiter = Waiter {
            poll,
            events: Events::with_capacity(4),
            #[cfg(unix)]
            tells_of_writing: None,
            socket: Socket(Arc::new(Shared {
                stream,
                is_readable: AtomicBool::new(true),
                is_at_end: AtomicBool::new(false),
                has_to_write: AtomicBool::new(false),
            })),
        };
        waiter.have_told(false)?;
        Ok(waiter)
    }

    /// Has the system tell of what may be read, and of what may be written only where that is waited for: over a
    /// socket of the same machine each read of the server makes room to write, which would wake who waits for nothing.
    #[cfg(unix)]
    fn have_told(&mut self, of_writing: bool) -> io::Result<()> {
        if self.tells_of_writing == Some(of_writing) {
            return Ok(());
        }
        let interest = match of_writing {
            true => Interest::READABLE | Interest::WRITABLE,
            false => Interest::READABLE,
        };
        let fd = self.socket.0.stream.fd();
        let (registry, mut source) = (self.poll.registry(), SourceFd(&fd));
        match self.tells_of_writing.replace(of_writing) {
            None => registry.register(&mut source, ONLY, interest),
            Some(_) => registry.reregister(&mut source, ONLY, interest),
        }
    }

    /// The system tells of both from the beginning.
    #[cfg(not(unix))]
    fn have_told(&mut self, _of_writing: bool) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Waits until a poll may get further. Gives `false` when the time is over before. With no deadline: it never is.
    pub(super) fn wait(&mut self, deadline: Option<Instant>) -> bool {
        let writes = self.socket.0.has_to_write.swap(false, Ordering::Relaxed);
        if self.have_told(writes).is_err() {
            return false;
        }
        let Shared {
            is_readable,
            is_at_end,
            ..
        } = &*self.socket.0;
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return false;
            }
            match self.poll.poll(&mut self.events, left) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // Nothing can be heard of the socket any more.
                Err(_) => return false,
                Ok(()) => {}
            }
            let mut goes_on = false;
            for event in &self.events {
                // What is wrong with the socket, a read says.
                let ends = event.is_read_closed() || event.is_error();
                if ends {
                    is_at_end.store(true, Ordering::Relaxed);
                }
                if ends || event.is_readable() {
                    is_readable.store(true, Ordering::Relaxed);
                    goes_on = true;
                }
                goes_on |= event.is_writable() && writes;
            }
            if goes_on {
                return true;
            }
        }
    }
}

impl Socket {
    /// Has the next poll look for what came without being asked for.
    pub(super) fn look(&self) {
        self.0.is_readable.store(true, Ordering::Relaxed);
    }

    /// Ends the connection, also for a thread that waits for it.
    pub(super) fn end(&self) {
        // It may have ended before.
        drop(self.0.stream.shut_down());
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let shared = &*self.0;
        if !shared.is_readable.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        let space = into.initialize_unfilled();
        loop {
            let most = space.len();
            match shared.stream.read(space) {
                Ok(read) => {
                    let is_last = shared.is_at_end.load(Ordering::Relaxed);
                    if read < most && SHORT_READS_EMPTY && !is_last {
                        shared.is_readable.store(false, Ordering::Relaxed);
                    }
                    into.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    shared.is_readable.store(false, Ordering::Relaxed);
                    return Poll::Pending;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.0.stream.write(from) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.0.has_to_write.store(true, Ordering::Relaxed);
                    return Poll::Pending;
                }
                written => return Poll::Ready(written),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.stream.shut_down())
    }
}

/// A look-up of a name that is under way.
struct LookUp;

static LOOK_UPS: AtomicUsize = AtomicUsize::new(0);

impl LookUp {
    /// `None` when as many are under way as may be: where names are not answered, threads would pile up.
    fn begin() -> Option<Self> {
        const MOST: usize = 32;
        let before = LOOK_UPS.fetch_add(1, Ordering::Relaxed);
        // Dropped, it counts one less.
        let begun = LookUp;
        (before < MOST).then_some(begun)
    }
}

impl Drop for LookUp {
    fn drop(&mut self) {
        LOOK_UPS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The addresses of a host.
fn addresses(name: String, port: u16, deadline: Instant) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    // Looking up a name has no limit of its own, so another thread does it, and is abandoned when the time is
    // over.
    let under_way = LookUp::begin().ok_or(ErrorKind::WouldBlock)?;
    let (tell, hear) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("contact-store-name".to_owned())
        .spawn(move || {
            let found = (name.as_str(), port).to_socket_addrs();
            drop(under_way);
            // Who asked may have lost patience.
            drop(tell.send(found.map(Vec::from_iter)));
        })?;
    let left = deadline.saturating_duration_since(Instant::now());
    hear.recv_timeout(left)
        .unwrap_or(Err(ErrorKind::TimedOut.into()))
}

/// When a server that says nothing is asked whether it is there.
fn keepalive(config: &Config) -> TcpKeepalive {
    let keepalive = TcpKeepalive::new().with_time(config.get_keepalives_idle());
    // Elsewhere the system's own pause is used.
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "macos"))]
    let keepalive = match (
        config.get_keepalives_interval(),
        config.get_keepalives_retries(),
    ) {
        (Some(pause), Some(tries)) => keepalive.with_interval(pause).with_retries(tries),
        _ => keepalive,
    };
    keepalive
}

/// Connects to the first address that can be reached.
fn tcp(config: &Config, addresses: &[SocketAddr], deadline: Instant) -> io::Result<Stream> {
    let mut last = io::Error::from(ErrorKind::NotFound);
    for address in addresses {
        let left = deadline.saturating_duration_since(Instant::now());
        let most = config.get_connect_timeout().copied().unwrap_or(left);
        let within = left.min(most);
        if within == Duration::ZERO {
            return Err(ErrorKind::TimedOut.into());
        }
        match StdTcpStream::connect_timeout(address, within) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                let socket = SockRef::from(&stream);
                if config.get_keepalives() {
                    socket.set_tcp_keepalive(&keepalive(config))?;
                }
                #[cfg(target_os = "linux")]
                socket.set_tcp_user_timeout(config.get_tcp_user_timeout().copied())?;
                return Ok(Stream::Tcp(TcpStream::from_std(stream)));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Connects to a server of this machine.
#[cfg(unix)]
fn unix(directory: &Path, port: u16) -> io::Result<Stream> {
    let address = SockAddr::unix(directory.join(format!(".s.PGSQL.{port}")))?;
    let socket = Unconnected::new(Domain::UNIX, Type::STREAM, None)?;
    // A server that takes no connections is an error at once, not waited for.
    socket.set_nonblocking(true)?;
    socket.connect(&address)?;
    let stream = StdUnixStream::from(OwnedFd::from(socket));
    Ok(Stream::Unix(UnixStream::from_std(stream)))
}
