//! One call: the name is resolved once, an address that may be called is connected to, and of what is answered no more is read than a call
//! may bring. Nobody is followed elsewhere.

use super::guard::{Net, may_call};
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use hyper_util::rt::TokioIo;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use url::{Host, Url};

/// Of what is answered no more is read.
const LARGEST_ANSWER: usize = 64 << 10;
const CONNECT: Duration = Duration::from_secs(5);
/// For everything: no answer takes longer.
pub const WHOLE: Duration = Duration::from_secs(15);

/// What calls are made with.
#[derive(Clone)]
pub struct Caller {
    allowed: Vec<Net>,
    tls: TlsConnector,
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("TLS cannot be used: {0}")]
pub struct TlsError(String);

/// What the other side answered: a status of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer(pub u16);

/// What is asked of an address.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    pub method: &'a str,
    pub url: &'a str,
    pub headers: &'a [(&'static str, String)],
    /// What kind of text `body` is; nothing where there is none.
    pub kind: Option<&'static str>,
    pub body: &'a str,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("the address cannot be used")]
    Address,
    #[error("its name leads nowhere: {0}")]
    Name(String),
    /// Of this machine, or of a network that is not named in the settings.
    #[error("{0} may not be called")]
    Forbidden(IpAddr),
    #[error("connecting: {0}")]
    Connect(String),
    #[error("encryption: {0}")]
    Tls(String),
    #[error("{0}")]
    Http(String),
    #[error("no answer in time")]
    Late,
}

impl Caller {
    /// May call public addresses, and those of these networks.
    pub fn new(allowed: Vec<Net>) -> Result<Caller, TlsError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Caller::trusting(allowed, roots)
    }

    /// The same, with certificates of one's own choice.
    pub fn trusting(allowed: Vec<Net>, roots: RootCertStore) -> Result<Caller, TlsError> {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Caller { allowed, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Posts JSON to an address, with these headers. What is answered beside the status is nobody's.
    pub async fn post(&self, url: &str, headers: &[(&'static str, String)], body: &str) -> Result<Answer, Fault> {
        let asking = Asking { method: "POST", url, headers, kind: Some("application/json"), body };
        let (answer, _) = self.ask(asking).await?;
        Ok(answer)
    }

    /// Asks, and brings the text that is answered.
    pub async fn fetch(&self, asking: Asking<'_>) -> Result<(Answer, String), Fault> {
        let (answer, body) = self.ask(asking).await?;
        let body = body.ok_or_else(|| Fault::Http("the answer is cut off, or too long".into()))?;
        Ok((answer, String::from_utf8(body.to_vec()).map_err(|_| Fault::Http("the answer is no text".into()))?))
    }

    async fn ask(&self, asking: Asking<'_>) -> Result<(Answer, Option<Bytes>), Fault> {
        tokio::time::timeout(WHOLE, self.attempt(asking)).await.unwrap_or(Err(Fault::Late))
    }

    async fn attempt(&self, asking: Asking<'_>) -> Result<(Answer, Option<Bytes>), Fault> {
        let url = Url::parse(asking.url).map_err(|_| Fault::Address)?;
        let (host, port) = (url.host().ok_or(Fault::Address)?, url.port_or_known_default().ok_or(Fault::Address)?);
        let addresses = self.addresses(&host, port).await?;
        let stream = connect(&addresses).await?;
        match url.scheme() {
            "http" => ask(stream, &url, asking).await,
            "https" => {
                let name = match &host {
                    Host::Domain(name) => ServerName::try_from(name.to_string()).map_err(|_| Fault::Address)?,
                    Host::Ipv4(address) => ServerName::IpAddress(IpAddr::V4(*address).into()),
                    Host::Ipv6(address) => ServerName::IpAddress(IpAddr::V6(*address).into()),
                };
                let stream = self.tls.connect(name, stream).await.map_err(|error| Fault::Tls(error.to_string()))?;
                ask(stream, &url, asking).await
            }
            _ => Err(Fault::Address),
        }
    }

    /// The addresses behind a name that may be called. What is looked up here is connected to: whoever answers otherwise the next time
    /// changes nothing.
    async fn addresses(&self, host: &Host<&str>, port: u16) -> Result<Vec<SocketAddr>, Fault> {
        let found: Vec<SocketAddr> = match host {
            Host::Ipv4(address) => vec![(*address, port).into()],
            Host::Ipv6(address) => vec![(*address, port).into()],
            Host::Domain(name) => {
                let found = tokio::net::lookup_host((*name, port)).await.map_err(|error| Fault::Name(error.to_string()))?;
                found.collect()
            }
        };
        let first = found.first().copied().ok_or_else(|| Fault::Name("no address".into()))?;
        let allowed: Vec<SocketAddr> = found.into_iter().filter(|address| may_call(address.ip(), &self.allowed)).collect();
        if allowed.is_empty() { Err(Fault::Forbidden(first.ip())) } else { Ok(allowed) }
    }
}

async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, Fault> {
    let mut why = Fault::Late;
    for address in addresses {
        match tokio::time::timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => why = Fault::Connect(error.to_string()),
            Err(_) => why = Fault::Late,
        }
    }
    Err(why)
}

async fn ask(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    url: &Url,
    asking: Asking<'_>,
) -> Result<(Answer, Option<Bytes>), Fault> {
    let failed = |error: &dyn std::fmt::Display| Fault::Http(error.to_string());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    // It ends with the sender.
    tokio::spawn(connection);
    let path = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_string(),
    };
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_string(), |port| format!("{host}:{port}"));
    let mut request = Request::builder()
        .method(asking.method)
        .uri(path)
        .header(HOST, host)
        .header(USER_AGENT, concat!("duban/", env!("CARGO_PKG_VERSION")));
    if let Some(kind) = asking.kind {
        request = request.header(CONTENT_TYPE, kind);
    }
    for (name, value) in asking.headers {
        request = request.header(*name, value);
    }
    let request = request.body(Full::new(Bytes::from(asking.body.to_string()))).map_err(|error| failed(&error))?;
    let answer = sender.send_request(request).await.map_err(|error| failed(&error))?;
    let status = answer.status().as_u16();
    // Read to its end, so that the other side is not cut off; what is too much is nobody's.
    let body = Limited::new(answer.into_body(), LARGEST_ANSWER).collect().await;
    Ok((Answer(status), body.ok().map(|body| body.to_bytes())))
}
