//! An SMTP server that plays a script, on loopback or on wires inside the process: at any step it can refuse, fall silent, hang up, or
//! answer nonsense. On wires nothing but the timers takes time, so that minutes pass at once when the clock of tokio is paused.

use duban::mail::smtp::{Dial, Wire};
use lettre::transport::smtp::client::AsyncTokioStream;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The moments at which the server can do something of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Greeting,
    Ehlo,
    StartTls,
    /// After its 220 to STARTTLS.
    Handshake,
    Auth,
    Mail,
    Rcpt,
    Data,
    InData,
    AfterDot,
    Quit,
}

/// What it does there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// What a server should do.
    Behave,
    /// Says this instead.
    Say(&'static str),
    /// Says the right thing, one byte at a time.
    Slow,
    /// Says nothing more and reads nothing more, until the client hangs up.
    Silence,
    /// Says the right thing once the client has hung up.
    Late,
    /// Says the right thing long after everybody has given up, and goes on serving.
    Tardy,
    Cut,
    /// Ends the connection as a machine does that has forgotten it; on wires only.
    Reset,
    /// Says nothing more, but goes on reading.
    HalfClosed,
    /// Says the right thing, one byte in so many seconds.
    Drip(u64),
    /// A line of 10 MB, and no end of it.
    Flood,
    /// Bytes that are no text.
    Noise,
    /// Encrypts under the name of somebody else.
    OtherName,
}

/// Where it stands when it asks its script.
#[derive(Clone, Copy, Debug)]
pub struct At {
    pub step: Step,
    /// From 0.
    pub connection: usize,
    /// Mails begun over all connections, from 0.
    pub mail: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Of the mail among all begun, from 0; its 250 names it.
    pub number: usize,
    pub from: String,
    pub to: Vec<String>,
    /// Without dot-stuffing and without the final dot.
    pub data: String,
    pub encrypted: bool,
    pub login: Option<String>,
}

type Script = Arc<dyn Fn(At) -> Act + Send + Sync>;

pub struct Sink {
    pub port: u16,
    seen: Arc<Mutex<Seen>>,
    listening: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Seen {
    connections: usize,
    open: usize,
    most_open: usize,
    mails: usize,
    /// Those that got a 250 after the final dot.
    accepted: Vec<Received>,
    arrived: watch::Sender<usize>,
    quits: usize,
}

impl Sink {
    pub async fn start(script: impl Fn(At) -> Act + Send + Sync + 'static) -> Sink {
        Sink::listen(script, None).await
    }

    /// Offers STARTTLS with the certificate of the fixtures.
    pub async fn start_with_tls(script: impl Fn(At) -> Act + Send + Sync + 'static) -> Sink {
        Sink::listen(script, Some(acceptor(CERTIFICATE, KEY))).await
    }

    async fn listen(script: impl Fn(At) -> Act + Send + Sync + 'static, tls: Option<TlsAcceptor>) -> Sink {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (script, seen): (Script, _) = (Arc::new(script), Arc::new(Mutex::new(Seen::default())));
        let shared = seen.clone();
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let connection = {
                    let mut seen = shared.lock().unwrap();
                    seen.connections += 1;
                    seen.open += 1;
                    seen.most_open = seen.most_open.max(seen.open);
                    seen.connections - 1
                };
                let (script, seen, tls) = (script.clone(), shared.clone(), tls.clone());
                tokio::spawn(async move {
                    let mut talk =
                        Talk { script, seen: seen.clone(), connection, mail: 0, encrypted: false, login: None, reset: Arc::default() };
                    // A talk ends when either side has had enough; how does not matter here.
                    if stream.set_nodelay(true).is_ok() {
                        let _ = talk.serve(stream, tls).await;
                    }
                    seen.lock().unwrap().open -= 1;
                });
            }
        });
        Sink { port, seen, listening: Some(listening) }
    }

    /// Without a socket; the client dials as given.
    pub fn on_wires(script: impl Fn(At) -> Act + Send + Sync + 'static, tls: bool) -> (Sink, Dial) {
        let (script, seen): (Script, Arc<Mutex<Seen>>) = (Arc::new(script), Arc::default());
        let (shared, tls) = (seen.clone(), tls.then(|| acceptor(CERTIFICATE, KEY)));
        let dial = Dial::new(move || {
            let connection = {
                let mut seen = shared.lock().unwrap();
                seen.connections += 1;
                seen.connections - 1
            };
            let (near, far) = tokio::io::duplex(64 * 1024);
            let reset = Arc::new(AtomicBool::new(false));
            let (script, seen) = (script.clone(), shared.clone());
            let mut talk = Talk { script, seen, connection, mail: 0, encrypted: false, login: None, reset: reset.clone() };
            let tls = tls.clone();
            tokio::spawn(async move { talk.serve(far, tls).await.is_ok() });
            async move { Ok(Box::new(Near { wire: near, reset }) as Wire) }
        });
        (Sink { port: 0, seen, listening: None }, dial)
    }

    pub fn accepted(&self) -> Vec<Received> {
        self.seen.lock().unwrap().accepted.clone()
    }

    /// How many were accepted so far.
    pub fn count(&self) -> usize {
        self.seen.lock().unwrap().accepted.len()
    }

    /// Returns once so many were accepted.
    pub async fn reaches(&self, count: usize) {
        let mut arrived = self.seen.lock().unwrap().arrived.subscribe();
        // It cannot fail: the sender lives as long as the sink.
        let _ = arrived.wait_for(|arrived| *arrived >= count).await;
    }

    pub fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    pub fn most_open(&self) -> usize {
        self.seen.lock().unwrap().most_open
    }

    pub fn quits(&self) -> usize {
        self.seen.lock().unwrap().quits
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if let Some(listening) = &self.listening {
            listening.abort();
        }
    }
}

/// A port at which nobody listens.
pub async fn closed_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port()
}

pub const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls/localhost.pem");
pub const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls/localhost.key");

pub const OTHER_CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls/other.pem");
pub const OTHER_KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls/other.key");

fn acceptor(certificate: &str, key: &str) -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_file(certificate).unwrap();
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions().unwrap();
    TlsAcceptor::from(Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap()))
}

/// The client's end of a wire.
#[derive(Debug)]
struct Near {
    wire: DuplexStream,
    reset: Arc<AtomicBool>,
}

impl AsyncTokioStream for Near {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(([127, 0, 0, 1], 25).into())
    }
}

impl AsyncRead for Near {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.wire).poll_read(context, buffer);
        match self.reset.load(Ordering::SeqCst) {
            true => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            false => read,
        }
    }
}

impl AsyncWrite for Near {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(context)
    }
}

/// The talk is over.
struct Over;

impl From<std::io::Error> for Over {
    fn from(_: std::io::Error) -> Over {
        Over
    }
}

struct Talk {
    script: Script,
    seen: Arc<Mutex<Seen>>,
    connection: usize,
    mail: usize,
    encrypted: bool,
    login: Option<String>,
    reset: Arc<AtomicBool>,
}

impl Talk {
    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(&mut self, stream: S, tls: Option<TlsAcceptor>) -> Result<(), Over> {
        let mut stream = BufReader::new(stream);
        self.say(&mut stream, Step::Greeting, "220 sink at your service").await?;
        if !self.converse(&mut stream, tls.is_some()).await? {
            return Ok(());
        }
        let (Some(mut tls), mut stream) = (tls, stream.into_inner()) else { return Ok(()) };
        match self.act(Step::Handshake) {
            Act::Behave | Act::Slow | Act::Drip(_) => {}
            // In the clear, before the handshake that then goes on as if nothing had happened.
            Act::Say(text) => write(&mut stream, text).await?,
            Act::OtherName => tls = acceptor(OTHER_CERTIFICATE, OTHER_KEY),
            act => return self.misbehave(&mut stream, act).await,
        }
        let mut stream = BufReader::new(tls.accept(stream).await?);
        self.encrypted = true;
        self.converse(&mut stream, false).await.map(|_| ())
    }

    /// `true` when the client asked for STARTTLS and got its 220.
    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(&mut self, stream: &mut BufReader<S>, offers_tls: bool) -> Result<bool, Over> {
        let (mut from, mut to) = (String::new(), Vec::new());
        loop {
            let line = read_line(stream).await?;
            let word = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            match word.as_str() {
                "EHLO" => {
                    let tls = if offers_tls { "250-STARTTLS\r\n" } else { "" };
                    self.say(stream, Step::Ehlo, &format!("250-sink\r\n{tls}250-AUTH PLAIN LOGIN\r\n250 8BITMIME")).await?;
                }
                "STARTTLS" => {
                    self.say(stream, Step::StartTls, "220 go ahead").await?;
                    return Ok(true);
                }
                "AUTH" => {
                    self.login = line.split(' ').nth(2).map(str::to_string);
                    self.say(stream, Step::Auth, "235 welcome").await?;
                }
                "MAIL" => {
                    self.mail = {
                        let mut seen = self.seen.lock().unwrap();
                        seen.mails += 1;
                        seen.mails - 1
                    };
                    (from, to) = (line, Vec::new());
                    self.say(stream, Step::Mail, "250 sender ok").await?;
                }
                "RCPT" => {
                    to.push(line);
                    self.say(stream, Step::Rcpt, "250 recipient ok").await?;
                }
                "DATA" => {
                    self.say(stream, Step::Data, "354 go on").await?;
                    match self.act(Step::InData) {
                        Act::Behave | Act::Slow | Act::Tardy | Act::Drip(_) => {}
                        Act::Silence => until_closed_unread().await,
                        act => {
                            self.misbehave(stream, act).await?;
                            return Err(Over);
                        }
                    }
                    let data = read_data(stream).await?;
                    let received = Received {
                        number: self.mail,
                        from: from.clone(),
                        to: to.clone(),
                        data,
                        encrypted: self.encrypted,
                        login: self.login.clone(),
                    };
                    let said = format!("250 accepted as {}", self.mail);
                    if matches!(self.act(Step::AfterDot), Act::Behave | Act::Slow | Act::Late | Act::Tardy | Act::Drip(_)) {
                        let mut seen = self.seen.lock().unwrap();
                        seen.accepted.push(received);
                        let count = seen.accepted.len();
                        seen.arrived.send_replace(count);
                    }
                    self.say(stream, Step::AfterDot, &said).await?;
                }
                "RSET" | "NOOP" => write(stream, "250 ok").await?,
                "QUIT" => {
                    self.seen.lock().unwrap().quits += 1;
                    self.say(stream, Step::Quit, "221 bye").await?;
                    return Err(Over);
                }
                _ => write(stream, "500 what?").await?,
            }
        }
    }

    fn act(&self, step: Step) -> Act {
        (self.script)(At { step, connection: self.connection, mail: self.mail })
    }

    async fn say<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut BufReader<S>, step: Step, right: &str) -> Result<(), Over> {
        match self.act(step) {
            Act::Behave => write(stream, right).await,
            Act::Slow => {
                for byte in format!("{right}\r\n").bytes() {
                    stream.write_all(&[byte]).await?;
                    stream.flush().await?;
                    tokio::task::yield_now().await;
                }
                Ok(())
            }
            Act::Drip(seconds) => {
                for byte in format!("{right}\r\n").bytes() {
                    tokio::time::sleep(Duration::from_secs(seconds)).await;
                    stream.write_all(&[byte]).await?;
                    stream.flush().await?;
                }
                Ok(())
            }
            Act::Tardy => {
                tokio::time::sleep(Duration::from_secs(1000)).await;
                write(stream, right).await
            }
            Act::Late => {
                // The client is gone or going; what is said now must reach nobody's next mail.
                let _ = until_closed(stream).await;
                let _ = write(stream, right).await;
                Err(Over)
            }
            act => self.misbehave(stream, act).await,
        }
    }

    async fn misbehave<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut S, act: Act) -> Result<(), Over> {
        match act {
            Act::Say(text) => return write(stream, text).await,
            Act::Noise => return Ok(stream.write_all(b"250 \xff\xfe\x00\r\n").await?),
            Act::Flood => {
                for _ in 0..10 << 10 {
                    stream.write_all(&[b'2'; 1024]).await?;
                }
                return until_closed(stream).await;
            }
            Act::Silence | Act::Late | Act::Tardy => return until_closed(stream).await,
            Act::HalfClosed => {
                stream.shutdown().await?;
                return until_closed(stream).await;
            }
            Act::Reset => self.reset.store(true, Ordering::SeqCst),
            _ => {}
        }
        Err(Over)
    }
}

async fn write<S: AsyncWrite + Unpin>(stream: &mut S, text: &str) -> Result<(), Over> {
    stream.write_all(format!("{text}\r\n").as_bytes()).await?;
    Ok(stream.flush().await?)
}

/// Reads and forgets until the client hangs up.
async fn until_closed<S: AsyncRead + Unpin>(stream: &mut S) -> Result<(), Over> {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).await? > 0 {}
    Err(Over)
}

/// Holds the connection and reads nothing, so that the client's writes stand still.
async fn until_closed_unread() {
    std::future::pending().await
}

async fn read_line<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> Result<String, Over> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Err(Over);
    }
    Ok(line.trim_end().to_string())
}

async fn read_data<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> Result<String, Over> {
    let mut data = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(Over);
        }
        match line.as_str() {
            ".\r\n" => return Ok(data),
            line => data.push_str(line.strip_prefix('.').unwrap_or(line)),
        }
    }
}
