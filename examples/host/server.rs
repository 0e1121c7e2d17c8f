//! Connections: taken, bounded in number and time, and brought to an end.
//!
//! hyper speaks HTTP on each. This module does not know what is asked for.

use std::io::ErrorKind;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::causes::WithCauses;
use super::log::HOST;
use super::routes::routes;
use super::service::Service;
use super::stream::Stream;

/// Connections at the same time. Others wait in the queue of the system: each costs memory and a file
/// descriptor.
const MOST_CONNECTIONS: usize = 1_024;
/// For the head of a request, and between requests: a silent client must not keep its place.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// For requests under way when the end is asked for.
const GRACE: Duration = Duration::from_secs(30);
/// After the system gave no connection, for want of file descriptors or memory.
const PAUSE: Duration = Duration::from_millis(100);

/// What asks for the end.
pub(crate) trait Stop {
    /// Comes back when the end is asked for, once for each time.
    async fn asked(&mut self);
}

/// Serves until the end is asked for. Then nobody new is let in, silent connections are closed, and
/// requests under way are answered, for at most half a minute or until the end is asked for again.
pub(crate) async fn serve(listener: TcpListener, service: Service, stop: &mut impl Stop) {
    let mending = service.keep_open();
    if let Err(error) = &mending {
        tracing::error!(target: HOST, "{}", WithCauses(error));
    }
    let (stopping, stopped) = watch::channel(());
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut connections = JoinSet::new();
    let answer_time = service.settings().answer_time;
    let routes = routes(service.clone());
    loop {
        tokio::select! {
            () = stop.asked() => break,
            (stream, place) = accept(&listener, &places) => {
                // An answer is one small write: to hold it back for more only makes it late.
                drop(stream.set_nodelay(true));
                let stream = Stream::new(stream, answer_time);
                connections.spawn(connection(stream, place, routes.clone(), stopped.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
    // Its client is answered that it was cancelled.
    service.backups().cancel();
    service.end_waits();
    drop((listener, stopping));
    let all = async { while connections.join_next().await.is_some() {} };
    tokio::select! {
        _ = timeout(GRACE, all) => {}
        () = stop.asked() => {}
    }
    connections.shutdown().await;
    // It waits for a reopening that is under way.
    drop(tokio::task::spawn_blocking(move || drop(mending)));
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, OwnedSemaphorePermit) {
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(places).acquire_owned().await else {
            return std::future::pending().await;
        };
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            // The client went away before its turn.
            Err(error) if is_of_client(error.kind()) => {}
            Err(_) => sleep(PAUSE).await,
        }
    }
}

fn is_of_client(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset
    )
}

async fn connection(
    stream: Stream,
    _place: OwnedSemaphorePermit,
    routes: axum::Router,
    mut stopped: watch::Receiver<()>,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        // A client that has said all it wants to, and closed its side, gets its answer.
        .half_close(true);
    let serving = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    let mut serving = pin!(serving);
    // What ends a connection is the client's doing, and it is reported where it can be.
    tokio::select! {
        _ = serving.as_mut() => return,
        // The other end is dropped.
        _ = stopped.changed() => {}
    }
    serving.as_mut().graceful_shutdown();
    drop(serving.await);
}
