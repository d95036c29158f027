//! One connection to a server, driven phase by phase, each with its own limit of time.
//!
//! lettre's own `send` has no limits after connecting, and takes any positive reply for acceptance. So every step is ours: a limit, and
//! the exact reply codes that let us go on.

use super::server::{Encryption, Server};
use super::{Dial, Limits, Security, Wire, tls};
use crate::mail::{Outcome, Parcel, Phase};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use std::error::Error as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::timeout;

/// How much of a message is written under one limit of time.
const BLOCK: usize = 64 * 1024;
/// How much of a server's reply is worth keeping, in characters.
const REPLY: usize = 500;

pub struct Session {
    connection: AsyncSmtpConnection,
}

/// Where and why it stopped.
pub struct Halt {
    phase: Phase,
    /// The server's code, when it answered.
    code: Option<u16>,
    what: String,
}

impl Session {
    /// Connects, greets, encrypts and logs in.
    pub async fn open(server: &Server, security: &Security, dial: &Dial, limits: &Limits) -> Result<Session, Halt> {
        let hello = match &server.hello_name {
            Some(name) => ClientId::Domain(name.clone()),
            None => ClientId::default(),
        };
        let wire = plain(Phase::Connect, limits.connect, dial.connect(matches!(security, Security::StartTls(_)))).await?;
        let wire: Wire = match security {
            Security::FromStart(connector) => Box::new(plain(Phase::Tls, limits.tls, tls::encrypt(connector, &server.host, wire)).await?),
            Security::StartTls(_) | Security::None => wire,
        };
        let greeting = AsyncSmtpConnection::connect_with_transport(wire, &hello);
        let mut connection = step(Phase::Greeting, limits.greeting, greeting).await?;

        if let Security::StartTls(parameters) = security {
            if connection.can_starttls() {
                step(Phase::Tls, limits.tls, connection.starttls(parameters.clone(), &hello)).await?;
            } else if server.encryption == Encryption::Required {
                return Err(Halt::new(Phase::Tls, "the server offers no STARTTLS".into()));
            }
        }
        if let Some(login) = &server.login {
            let bare = !connection.is_encrypted() && !matches!(security, Security::FromStart(_));
            if bare && server.encryption != Encryption::None {
                return Err(Halt::new(Phase::Auth, "the password is not sent without encryption".into()));
            }
            let credentials = Credentials::new(login.user.clone(), login.password.clone());
            let login = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials);
            expect(Phase::Auth, &[235], step(Phase::Auth, limits.auth, login).await?)?;
        }
        Ok(Session { connection })
    }

    /// Hands one mail over. Only after [`Outcome::Sent`] may the session be used again.
    pub async fn send(&mut self, parcel: &Parcel<'_>, limits: &Limits) -> Outcome {
        match self.hand_over(parcel, limits).await {
            Ok(reply) => Outcome::Sent { reply },
            Err(halt) => halt.outcome(),
        }
    }

    async fn hand_over(&mut self, parcel: &Parcel<'_>, limits: &Limits) -> Result<String, Halt> {
        let mail = Mail::new(Some(parcel.from.to_lettre()), Vec::new());
        expect(Phase::Mail, &[250], step(Phase::Mail, limits.mail, self.connection.command(mail)).await?)?;
        let recipient = Rcpt::new(parcel.to.to_lettre(), Vec::new());
        let reply = step(Phase::Recipient, limits.recipient, self.connection.command(recipient)).await?;
        expect(Phase::Recipient, &[250, 251], reply)?;
        expect(Phase::Data, &[354], step(Phase::Data, limits.data, self.connection.command(Data)).await?)?;
        self.message(parcel.bytes, limits).await
    }

    /// The message, its final dot, and the reply that counts.
    async fn message(&mut self, bytes: &[u8], limits: &Limits) -> Result<String, Halt> {
        // Counts the blocks asked for; one more once the last is written and the dot is about to be.
        let asked = AtomicUsize::new(0);
        let blocks = bytes.len().div_ceil(BLOCK);
        let counted = (0..=blocks).map_while(|block| {
            asked.store(block + 1, Ordering::Relaxed);
            bytes.get(block * BLOCK..).filter(|rest| !rest.is_empty()).map(|rest| &rest[..rest.len().min(BLOCK)])
        });
        let at_dot = || asked.load(Ordering::Relaxed) > blocks;
        let phase = || if at_dot() { Phase::Dot } else { Phase::Body };
        let mut sending = std::pin::pin!(self.connection.message_iter(counted));
        loop {
            let before = asked.load(Ordering::Relaxed);
            let limit = if at_dot() { limits.dot } else { limits.block };
            match timeout(limit, &mut sending).await {
                Ok(Ok(response)) => return expect(Phase::Dot, &[250], response).map(|response| reply(&response)),
                Ok(Err(error)) => return Err(Halt::from_error(phase(), &error)),
                // It went on meanwhile, so the limit of the step that it has come to begins now.
                Err(_) if asked.load(Ordering::Relaxed) != before => {}
                Err(_) => return Err(Halt::timed_out(phase(), limit)),
            }
        }
    }

    /// Says goodbye; whether the server answers does not matter.
    pub async fn quit(mut self, limit: Duration) {
        let _ = timeout(limit, self.connection.quit()).await;
    }
}

impl Halt {
    fn new(phase: Phase, what: String) -> Halt {
        Halt { phase, code: None, what }
    }

    /// How far it came, and why no further.
    pub fn into_parts(self) -> (Phase, String) {
        (self.phase, self.what)
    }

    fn timed_out(phase: Phase, limit: Duration) -> Halt {
        Halt::new(phase, format!("no answer within {} ms", limit.as_millis()))
    }

    fn from_error(phase: Phase, error: &Error) -> Halt {
        match error.status() {
            Some(code) => {
                let text = error.source().map(|source| format!(" {source}")).unwrap_or_default();
                Halt { phase, code: Some(u16::from(code)), what: short(&format!("{code}{text}")) }
            }
            None => Halt::new(phase, short(&error.to_string())),
        }
    }

    /// Before RCPT a refusal is about the server or our settings, not about this mail; before the dot nothing can have been accepted.
    pub fn outcome(self) -> Outcome {
        let Halt { phase, code, what } = self;
        match (phase, code) {
            (Phase::Recipient | Phase::Data | Phase::Dot, Some(500..=599)) => Outcome::Refused { phase, reply: what },
            (Phase::Dot, Some(400..=499)) => Outcome::Deferred { phase, why: what },
            (Phase::Dot, _) => Outcome::Unknown { why: what },
            _ => Outcome::Deferred { phase, why: what },
        }
    }
}

async fn plain<T>(phase: Phase, limit: Duration, doing: impl Future<Output = std::io::Result<T>>) -> Result<T, Halt> {
    match timeout(limit, doing).await {
        Ok(done) => done.map_err(|error| Halt::new(phase, error.to_string())),
        Err(_) => Err(Halt::timed_out(phase, limit)),
    }
}

async fn step<T>(phase: Phase, limit: Duration, doing: impl Future<Output = Result<T, Error>>) -> Result<T, Halt> {
    match timeout(limit, doing).await {
        Ok(done) => done.map_err(|error| Halt::from_error(phase, &error)),
        Err(_) => Err(Halt::timed_out(phase, limit)),
    }
}

/// lettre takes every 2xx and 3xx for a yes; a reply that belongs to another question must not pass.
fn expect(phase: Phase, codes: &[u16], response: Response) -> Result<Response, Halt> {
    if codes.iter().any(|code| response.has_code(*code)) {
        return Ok(response);
    }
    Err(Halt::new(phase, format!("unexpected reply: {}", reply(&response))))
}

fn reply(response: &Response) -> String {
    short(&format!("{} {}", response.code(), response.message().collect::<Vec<_>>().join(" ")))
}

fn short(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(REPLY).collect()
}
