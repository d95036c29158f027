//! Mails to a server over a few connections of our own, each kept only after a clean final reply.

mod server;
mod session;
mod tls;
mod wire;

use super::{Outcome, Parcel, Phase};
use lettre::transport::smtp::client::TlsParameters;
use session::Session;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

pub use server::{Encryption, Login, Server, ServerError};
pub use wire::{Dial, Wire};

/// How many connections stand at any time.
pub const CONNECTIONS: usize = 4;

/// How long each phase may take (RFC 5321 §4.5.3.2).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub connect: Duration,
    pub greeting: Duration,
    pub tls: Duration,
    pub auth: Duration,
    pub mail: Duration,
    pub recipient: Duration,
    pub data: Duration,
    /// Each block of the message.
    pub block: Duration,
    /// The reply to the final dot.
    pub dot: Duration,
    pub quit: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Limits {
            connect: seconds(30),
            greeting: seconds(300),
            tls: seconds(60),
            auth: seconds(60),
            mail: seconds(300),
            recipient: seconds(300),
            data: seconds(120),
            block: seconds(180),
            dot: seconds(600),
            quit: seconds(5),
        }
    }
}

impl Limits {
    /// The same for every phase, for tests.
    pub fn all(limit: Duration) -> Limits {
        Limits {
            connect: limit,
            greeting: limit,
            tls: limit,
            auth: limit,
            mail: limit,
            recipient: limit,
            data: limit,
            block: limit,
            dot: limit,
            quit: limit,
        }
    }
}

/// One server and the connections to it.
pub struct Smtp {
    server: Server,
    security: Security,
    dial: Dial,
    limits: Limits,
    slots: Semaphore,
    kept: Mutex<Vec<Session>>,
}

/// What encryption needs, read once.
enum Security {
    FromStart(TlsConnector),
    StartTls(TlsParameters),
    None,
}

impl Smtp {
    pub fn new(server: Server, limits: Limits) -> Result<Smtp, ServerError> {
        let dial = Dial::tcp(&server.host, server.port);
        Smtp::over(dial, server, limits)
    }

    /// Over connections that are made in a way of their own.
    pub fn over(dial: Dial, server: Server, limits: Limits) -> Result<Smtp, ServerError> {
        let security = match server.encryption {
            Encryption::FromStart => Security::FromStart(tls::connector(&server)?),
            Encryption::Required | Encryption::Opportunistic => Security::StartTls(tls::starttls_parameters(&server)?),
            Encryption::None => Security::None,
        };
        Ok(Smtp { server, security, dial, limits, slots: Semaphore::new(CONNECTIONS), kept: Mutex::default() })
    }

    /// Hands one mail over, waiting for a free connection. Dropping the future aborts the connection; what became of the mail is then
    /// as unknown as after a crash.
    pub async fn send(&self, parcel: &Parcel<'_>) -> Outcome {
        // The semaphore is never closed; without a slot we would only be one connection above the number.
        let _slot = self.slots.acquire().await.ok();
        if let Some(session) = self.take_kept() {
            let outcome = self.send_over(session, parcel).await;
            // The server gave the connection up while it was idle: nothing was sent yet, so a fresh one may try.
            if !matches!(outcome, Outcome::Deferred { phase: Phase::Mail, .. }) {
                return outcome;
            }
        }
        match Session::open(&self.server, &self.security, &self.dial, &self.limits).await {
            Ok(session) => self.send_over(session, parcel).await,
            Err(halt) => halt.outcome(),
        }
    }

    /// Connects, greets, encrypts and logs in as for a mail, and takes leave without one. The answer says how far it came and why no further.
    pub async fn greet(&self) -> Result<(), (Phase, String)> {
        let session = Session::open(&self.server, &self.security, &self.dial, &self.limits).await.map_err(session::Halt::into_parts)?;
        session.quit(self.limits.quit).await;
        Ok(())
    }

    /// Closes the connections that were kept.
    pub async fn close_kept(&self) {
        while let Some(session) = self.take_kept() {
            session.quit(self.limits.quit).await;
        }
    }

    async fn send_over(&self, mut session: Session, parcel: &Parcel<'_>) -> Outcome {
        let outcome = session.send(parcel, &self.limits).await;
        if matches!(outcome, Outcome::Sent { .. }) {
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        }
        outcome
    }

    fn take_kept(&self) -> Option<Session> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Smtp({:?})", self.server)
    }
}
