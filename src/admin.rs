//! The admin port: liveness, readiness and metrics over HTTP, for probes and scrapers.
//!
//! Owns three pages and nothing else; it decides nothing about the node. Whether the node is ready is
//! asked of the closure it was given, each time.

use std::{io, sync::Arc};

use axum::{
    Router,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use tokio::net::TcpListener;

use crate::telemetry::Metrics;

/// Whether a node can serve callers, and if not, why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It knows a leader and is caught up.
    Ready,
    /// Why not, in a sentence for an operator.
    NotReady(String),
}

/// Serves `/livez`, `/readyz` and `/metrics` on `listener` until `shutdown` ends.
///
/// # Errors
///
/// Whatever the listener reports.
pub async fn serve(
    listener: TcpListener,
    metrics: Arc<Metrics>,
    readiness: impl Fn() -> Readiness + Clone + Send + Sync + 'static,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let pages = Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(async move || ready_page(readiness())))
        .route("/metrics", get(async move || metrics_page(&metrics)));
    axum::serve(listener, pages).with_graceful_shutdown(shutdown).await
}

fn ready_page(readiness: Readiness) -> impl IntoResponse {
    match readiness {
        Readiness::Ready => (StatusCode::OK, "ready\n".to_owned()),
        Readiness::NotReady(why) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n"))
        }
    }
}

fn metrics_page(metrics: &Metrics) -> impl IntoResponse + use<> {
    let open_metrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, open_metrics)], metrics.encode())
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
        sync::oneshot,
    };

    use super::{Readiness, serve};
    use crate::telemetry::Metrics;

    async fn get(address: std::net::SocketAddr, page: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {page} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn probes_and_metrics_answer_and_readiness_is_asked_each_time() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let metrics = Arc::new(Metrics::new());
        let ready = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&ready);
        let readiness = move || {
            if asked.load(Ordering::SeqCst) {
                return Readiness::Ready;
            }
            Readiness::NotReady("no leader is known".to_owned())
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move { stopped.await.unwrap() };
        let server = tokio::spawn(serve(listener, Arc::clone(&metrics), readiness, shutdown));

        assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200"));
        let not_ready = get(address, "/readyz").await;
        assert!(not_ready.starts_with("HTTP/1.1 503"), "{not_ready}");
        assert!(not_ready.ends_with("not ready: no leader is known\n"), "{not_ready}");
        ready.store(true, Ordering::SeqCst);
        assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200"));

        metrics.proposals.inc();
        let page = get(address, "/metrics").await;
        assert!(page.contains("application/openmetrics-text"), "{page}");
        assert!(page.contains("turnwise_proposals_total 1\n"), "{page}");
        assert!(page.ends_with("# EOF\n"), "{page}");

        stop.send(()).unwrap();
        server.await.unwrap().unwrap();
    }
}
