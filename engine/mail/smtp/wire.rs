//! How a connection is made, and how much a server may say at once. What is said over it is the session's.

use lettre::transport::smtp::client::AsyncTokioStream;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// So many bytes may come without anything having been said on our side. A reply is a few lines of at most 512 bytes (RFC 5321
/// §4.5.3.1.5), the server's side of a handshake some kilobytes; lettre looks at a line only once
/// it has all of it.
const AT_ONCE: usize = 256 * 1024;

/// Bytes both ways: TCP, encrypted or not, or whatever a test has laid.
pub type Wire = Box<dyn AsyncTokioStream>;
type Dialing = Pin<Box<dyn Future<Output = io::Result<Wire>> + Send>>;

/// Makes a connection to the server.
pub struct Dial(Box<dyn Fn() -> Dialing + Send + Sync>);

impl Dial {
    pub fn new<F: Future<Output = io::Result<Wire>> + Send + 'static>(dial: impl Fn() -> F + Send + Sync + 'static) -> Dial {
        Dial(Box::new(move || Box::pin(dial())))
    }

    pub fn tcp(host: &str, port: u16) -> Dial {
        let host = host.to_string();
        Dial::new(move || {
            let host = host.clone();
            async move {
                let stream = TcpStream::connect((host.as_str(), port)).await?;
                // Without it each mail waits some 40 ms for a delayed acknowledgement (performance, lettre writes the dot by itself).
                stream.set_nodelay(true)?;
                Ok(Box::new(stream) as Wire)
            }
        })
    }

    /// `starttls`: it begins in the clear and may be encrypted later.
    pub async fn connect(&self, starttls: bool) -> io::Result<Wire> {
        Ok(Box::new(Guarded { wire: (self.0)().await?, left: AT_ONCE, line_by_line: starttls }))
    }
}

/// The first byte of a TLS handshake, and of no SMTP command.
const HANDSHAKE: u8 = 0x16;

/// A wire over which the other side cannot talk for ever, nor say in the clear what would be heard as said under encryption: lettre keeps
/// what it has read ahead across STARTTLS, so that whoever sits in between could answer every later question. Until our handshake begins,
/// nothing is read ahead: what comes behind a reply is left to the handshake, which fails over it.
#[derive(Debug)]
struct Guarded {
    wire: Wire,
    left: usize,
    line_by_line: bool,
}

impl AsyncTokioStream for Guarded {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.wire.peer_addr()
    }
}

impl AsyncRead for Guarded {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if self.line_by_line && buffer.remaining() > 0 {
            // Whoever reads byte by byte stops at the end of the line.
            let mut byte = [0];
            let mut one = ReadBuf::new(&mut byte);
            ready!(Pin::new(&mut self.wire).poll_read(context, &mut one))?;
            buffer.put_slice(one.filled());
        } else {
            ready!(Pin::new(&mut self.wire).poll_read(context, buffer))?;
        }
        match self.left.checked_sub(buffer.filled().len() - before) {
            Some(left) => self.left = left,
            None => return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "the server does not stop talking"))),
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.left = AT_ONCE;
        self.line_by_line &= bytes.first() != Some(&HANDSHAKE);
        Pin::new(&mut self.wire).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(context)
    }
}
