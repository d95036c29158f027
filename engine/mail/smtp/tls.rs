//! Encryption: lettre's parameters for STARTTLS, and a stream that is encrypted from the first byte.

use super::server::{Server, ServerError};
use super::wire::Wire;
use lettre::transport::smtp::client::{AsyncTokioStream, Certificate, TlsParameters};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// What STARTTLS needs: the system's certificates and perhaps one more, TLS 1.2 or later.
pub fn starttls_parameters(server: &Server) -> Result<TlsParameters, ServerError> {
    let wrong = |error: lettre::transport::smtp::Error| ServerError::Certificate(error.to_string());
    let mut parameters = TlsParameters::builder(server.host.clone());
    if let Some(pem) = &server.extra_root {
        parameters = parameters.add_root_certificate(Certificate::from_pem(pem).map_err(wrong)?);
    }
    parameters.build().map_err(wrong)
}

/// The same for a connection that begins encrypted.
pub fn connector(server: &Server) -> Result<TlsConnector, ServerError> {
    let wrong = |error: &dyn std::fmt::Display| ServerError::Certificate(error.to_string());
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(pem) = &server.extra_root {
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Encrypts a fresh connection.
pub async fn encrypt(connector: &TlsConnector, host: &str, wire: Wire) -> io::Result<Encrypted> {
    let name = ServerName::try_from(host.to_string()).map_err(io::Error::other)?;
    connector.connect(name, wire).await.map(Encrypted)
}

#[derive(Debug)]
pub struct Encrypted(TlsStream<Wire>);

impl AsyncTokioStream for Encrypted {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().0.peer_addr()
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
