//! The server's own accept loop: limits on the time for headers, for a caller to read, and on connections at once, and a graceful end.
//! (`axum::serve` has no timer, so a caller who dribbles, or never reads, holds a connection for ever.)

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What one caller may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The whole header has to arrive within this, also of a connection that was kept.
    pub header: Duration,
    /// What is written has to be taken by the caller within this.
    pub write: Duration,
    /// At once; further ones wait in the system's queue.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { header: Duration::from_secs(10), write: Duration::from_secs(30), connections: 256 }
    }
}

/// After a failed accept (too many open files) it waits a moment instead of spinning.
const PAUSE: Duration = Duration::from_millis(200);

/// Answers until it is stopped; then no new connection is taken, and requests under way are answered.
pub async fn accept(listener: TcpListener, routes: Router, limits: Limits, stop: CancellationToken) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let connections = TaskTracker::new();
    loop {
        // The semaphore is never closed.
        let slot = tokio::select! {
            () = stop.cancelled() => break,
            Ok(slot) = slots.clone().acquire_owned() => slot,
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (routes, stop) = (routes.clone(), stop.clone());
                connections.spawn(async move {
                    serve(stream, peer, routes, limits, stop).await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn serve(stream: TcpStream, peer: SocketAddr, routes: Router, limits: Limits, stop: CancellationToken) {
    // A small answer is not held back; a connection that cannot be set so still works.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.write));
    let stream = Box::pin(stream);
    let routes = TowerToHyperService::new(routes);
    let with_peer = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        routes.call(request)
    });
    let connection =
        http1::Builder::new().timer(TokioTimer::new()).header_read_timeout(limits.header).serve_connection(TokioIo::new(stream), with_peer);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
