//! An SMTP server on loopback that plays a script: at any step it can refuse, fall silent, hang up, or answer nonsense.

use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
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
    Cut,
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
    listening: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Seen {
    connections: usize,
    open: usize,
    most_open: usize,
    mails: usize,
    /// Those that got a 250 after the final dot.
    accepted: Vec<Received>,
    quits: usize,
}

impl Sink {
    pub async fn start(script: impl Fn(At) -> Act + Send + Sync + 'static) -> Sink {
        Sink::listen(script, None).await
    }

    /// Offers STARTTLS with the certificate of the fixtures.
    pub async fn start_with_tls(script: impl Fn(At) -> Act + Send + Sync + 'static) -> Sink {
        Sink::listen(script, Some(acceptor())).await
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
                    let mut talk = Talk { script, seen: seen.clone(), connection, mail: 0, encrypted: false, login: None };
                    // A talk ends when either side has had enough; how does not matter here.
                    let _ = talk.serve(stream, tls).await;
                    seen.lock().unwrap().open -= 1;
                });
            }
        });
        Sink { port, seen, listening }
    }

    pub fn accepted(&self) -> Vec<Received> {
        self.seen.lock().unwrap().accepted.clone()
    }

    /// How many were accepted so far.
    pub fn count(&self) -> usize {
        self.seen.lock().unwrap().accepted.len()
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
        self.listening.abort();
    }
}

/// A port at which nobody listens.
pub async fn closed_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port()
}

pub const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls/localhost.pem");
pub const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls/localhost.key");

fn acceptor() -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_file(CERTIFICATE).unwrap();
    let key = PrivateKeyDer::from_pem_file(KEY).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions().unwrap();
    TlsAcceptor::from(Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap()))
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
}

impl Talk {
    async fn serve(&mut self, stream: TcpStream, tls: Option<TlsAcceptor>) -> Result<(), Over> {
        stream.set_nodelay(true)?;
        let mut stream = BufReader::new(stream);
        self.say(&mut stream, Step::Greeting, "220 sink at your service").await?;
        if !self.converse(&mut stream, tls.is_some()).await? {
            return Ok(());
        }
        let (Some(tls), stream) = (tls, stream.into_inner()) else { return Ok(()) };
        let mut stream = stream;
        match self.act(Step::Handshake) {
            Act::Behave => {}
            Act::Say(text) => stream.write_all(text.as_bytes()).await?,
            Act::Cut => return Ok(()),
            _ => return until_closed(&mut stream).await,
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
                        Act::Cut => return Err(Over),
                        Act::Silence => until_closed_unread().await,
                        _ => {}
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
                    if matches!(self.act(Step::AfterDot), Act::Behave | Act::Slow | Act::Late) {
                        self.seen.lock().unwrap().accepted.push(received);
                    }
                    self.say(stream, Step::AfterDot, &said).await?;
                }
                "RSET" | "NOOP" => write(stream, "250 ok").await?,
                "QUIT" => {
                    self.seen.lock().unwrap().quits += 1;
                    write(stream, "221 bye").await?;
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
            Act::Say(text) => write(stream, text).await,
            Act::Slow => {
                for byte in format!("{right}\r\n").bytes() {
                    stream.write_all(&[byte]).await?;
                    stream.flush().await?;
                    tokio::task::yield_now().await;
                }
                Ok(())
            }
            Act::Silence => until_closed(stream).await,
            Act::Late => {
                // The client is gone or going; what is said now must reach nobody's next mail.
                let _ = until_closed(stream).await;
                let _ = write(stream, right).await;
                Err(Over)
            }
            Act::Cut => Err(Over),
        }
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
