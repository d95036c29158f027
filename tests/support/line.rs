//! The line between a store and its PostgreSQL server: it passes on what both say, and is cut where it is told to, within a word if need be.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};

/// Where it is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// So many bytes of the words arrive; what follows them counts as well.
    Asked(usize),
    /// The words arrive whole, and so many bytes of what the server says then.
    Answered(usize),
    /// The words arrive whole, nothing comes back, and the line stays.
    Silent,
}

/// Picks a statement by its text.
type Picks = Box<dyn FnMut(&str) -> bool + Send>;

pub struct Line {
    folder: tempfile::TempDir,
    /// The address of the server, up to its folder and from there on.
    address: (String, String),
    told: Arc<Mutex<Told>>,
}

#[derive(Default)]
struct Told {
    next: Option<(Picks, Cut)>,
    cuts: usize,
    /// Transactions that were begun on a connection that was not free for one.
    out_of_place: Vec<String>,
}

/// What is known of one connection.
struct Session {
    told: Arc<Mutex<Told>>,
    /// Texts of prepared statements by their names.
    texts: HashMap<String, String>,
    /// As the server told it last: `I` is free for a transaction.
    status: u8,
    /// So many bytes may still come back.
    left: Option<usize>,
    /// Nothing comes back any more, and nobody hangs up.
    silent: bool,
}

impl Line {
    /// A line to the server of this address, which listens in a folder.
    pub async fn to(url: &str) -> Line {
        let (before, rest) = url.split_once('@').expect("has a user");
        let (host, after) = rest.rsplit_once('/').expect("has a database");
        let server = format!("{}/.s.PGSQL.5432", host.replace("%2F", "/"));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).expect("listens");
        let told = Arc::new(Mutex::new(Told::default()));
        let all = told.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let session = Session { told: all.clone(), texts: HashMap::new(), status: b'I', left: None, silent: false };
                let server = server.clone();
                tokio::spawn(async move {
                    // A server that is not there hangs up.
                    if let Ok(server) = UnixStream::connect(server).await {
                        pass(client, server, session).await;
                    }
                });
            }
        });
        Line { folder, address: (before.to_string(), after.to_string()), told }
    }

    /// The address for whoever is to speak over it.
    pub fn url(&self) -> String {
        let folder = self.folder.path().display().to_string().replace('/', "%2F");
        format!("{}@{folder}/{}", self.address.0, self.address.1)
    }

    /// Cuts the line at the next statement that is picked.
    pub fn cut(&self, picks: impl FnMut(&str) -> bool + Send + 'static, cut: Cut) {
        self.told.lock().unwrap().next = Some((Box::new(picks), cut));
    }

    /// Cuts no more; `true` when nothing had been picked.
    pub fn is_left_whole(&self) -> bool {
        self.told.lock().unwrap().next.take().is_some()
    }

    pub fn cuts(&self) -> usize {
        self.told.lock().unwrap().cuts
    }

    /// What was begun where something else was under way.
    pub fn out_of_place(&self) -> Vec<String> {
        self.told.lock().unwrap().out_of_place.clone()
    }
}

/// Passes on what both say, until one of them goes or the line is cut; then both are let go.
async fn pass(mut client: UnixStream, mut server: UnixStream, session: Session) {
    if greet(&mut client, &mut server).await.is_err() {
        return;
    }
    let session = Mutex::new(session);
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let _ = tokio::select! {
        ended = asked(from_client, to_server, &session) => ended,
        ended = answered(from_server, to_client, &session) => ended,
    };
}

/// The first words, which have no kind; nothing is encrypted here.
async fn greet(client: &mut UnixStream, server: &mut UnixStream) -> io::Result<()> {
    const ENCRYPTED: [u8; 4] = 80_877_103_u32.to_be_bytes();
    loop {
        let length = client.read_u32().await?;
        let mut first = length.to_be_bytes().to_vec();
        first.resize(length as usize, 0);
        client.read_exact(&mut first[4..]).await?;
        if first[4..] != ENCRYPTED {
            return server.write_all(&first).await;
        }
        client.write_all(b"N").await?;
    }
}

async fn asked(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, session: &Mutex<Session>) -> io::Result<()> {
    let mut left: Option<usize> = None;
    loop {
        let message = message(&mut from).await?;
        if left.is_none() {
            left = session.lock().unwrap().hears(&message);
        }
        match left.as_mut() {
            Some(left) if *left < message.len() => {
                to.write_all(&message[..*left]).await?;
                return Ok(());
            }
            Some(left) => *left -= message.len(),
            None => {}
        }
        to.write_all(&message).await?;
        if left == Some(0) {
            return Ok(());
        }
    }
}

async fn answered(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, session: &Mutex<Session>) -> io::Result<()> {
    loop {
        let message = message(&mut from).await?;
        let part = {
            let mut session = session.lock().unwrap();
            if session.silent {
                continue;
            }
            if message[0] == b'Z' {
                session.status = message[5];
            }
            let part = session.left.map_or(message.len(), |left| left.min(message.len()));
            session.left = session.left.map(|left| left - part);
            part
        };
        to.write_all(&message[..part]).await?;
        if session.lock().unwrap().left == Some(0) {
            return Ok(());
        }
    }
}

/// One message, with its kind and length.
async fn message(from: &mut OwnedReadHalf) -> io::Result<Vec<u8>> {
    let mut message = vec![0; 5];
    from.read_exact(&mut message).await?;
    let length = u32::from_be_bytes([message[1], message[2], message[3], message[4]]) as usize;
    message.resize(length + 1, 0);
    from.read_exact(&mut message[5..]).await?;
    Ok(message)
}

impl Session {
    /// Takes in what the client says; gives how much of it may arrive when the line is to be cut within.
    fn hears(&mut self, message: &[u8]) -> Option<usize> {
        let mut words = message[5..].split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
        let mut word = || words.next().unwrap_or_default();
        let text = match message[0] {
            b'Q' => word(),
            b'P' => {
                let (name, text) = (word(), word());
                self.texts.insert(name, text);
                return None;
            }
            b'B' => {
                word();
                self.texts.get(&word()).cloned().unwrap_or_default()
            }
            _ => return None,
        };
        let mut told = self.told.lock().unwrap();
        if text.starts_with("begin") && self.status != b'I' {
            told.out_of_place.push(text.clone());
        }
        let picked = told.next.as_mut().is_some_and(|(picks, _)| picks(&text));
        let (_, cut) = told.next.take_if(|_| picked)?;
        told.cuts += 1;
        match cut {
            Cut::Asked(bytes) => Some(bytes),
            // With nothing at all to come back, the server still hears it.
            Cut::Answered(bytes) => {
                self.left = Some(bytes);
                None
            }
            Cut::Silent => {
                self.silent = true;
                None
            }
        }
    }
}
