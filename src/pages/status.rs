//! What `matins serve` shows of itself: a page, the same as JSON, metrics, health. Read only, and no figure of a report is in it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::system::System;
use crate::telemetry::{Board, Metrics};

/// Whether the lake answers, or why not.
pub type Ready = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// A scheduler that did not go round for so long hangs. A round may wait for a store that is slow.
const HANGS: Duration = Duration::from_mins(5);
/// The lake is asked this often at most, however often it is asked for.
const ASKED_EVERY: Duration = Duration::from_secs(5);
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

const PAGE: &str = include_str!("status.html");
/// What the page may load: nothing but itself.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'";

/// What the lake said, and when.
type Answer = (Instant, Result<(), String>);

#[derive(Clone)]
struct Desk {
    system: System,
    board: Board,
    metrics: Metrics,
    ready: Ready,
    asked: Arc<Mutex<Option<Answer>>>,
}

/// Serves until `told` ends.
pub async fn serve(
    listener: TcpListener,
    system: System,
    (board, metrics): (Board, Metrics),
    ready: Ready,
    told: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let app = Router::new()
        .route("/", get(page))
        .route("/status", get(status))
        .route("/metrics", get(metrics_text))
        .route("/healthz", get(healthy))
        .route("/readyz", get(is_ready))
        .with_state(Desk { system, board, metrics, ready, asked: Arc::default() });
    axum::serve(listener, app).with_graceful_shutdown(told).await
}

async fn page() -> Response {
    let head = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (head, PAGE).into_response()
}

async fn status(State(desk): State<Desk>) -> Response {
    let process = desk.system.machine.process();
    let all = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "host": process.host,
        "pid": process.pid,
        "now": desk.system.clock.now(),
        "pipelines": desk.board.pipelines(),
        "lines": desk.board.lines(),
    });
    ([(header::CACHE_CONTROL, "no-store")], Json(all)).into_response()
}

/// `OpenMetrics` where it is asked for; older readers of Prometheus' own format read the same text.
async fn metrics_text(State(desk): State<Desk>, headers: HeaderMap) -> Response {
    let wants = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = if wants.contains("openmetrics-text") || wants.is_empty() || wants == "*/*" {
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    } else {
        "text/plain; version=0.0.4; charset=utf-8"
    };
    match desk.metrics.text(desk.system.machine.usage()) {
        Ok(text) => ([(header::CONTENT_TYPE, kind)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Whether the process is worth keeping: its scheduler goes round.
async fn healthy(State(desk): State<Desk>) -> Response {
    let silent = desk.board.silent();
    if silent < HANGS {
        return "ok\n".into_response();
    }
    let text = format!("the scheduler has not gone round for {} s\n", silent.as_secs());
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

/// Whether it can do its work: the lake answers.
async fn is_ready(State(desk): State<Desk>) -> Response {
    let mut asked = desk.asked.lock().await;
    let known = asked.as_ref().filter(|(at, _)| at.elapsed() < ASKED_EVERY).map(|(_, answer)| answer.clone());
    let answer = match known {
        Some(answer) => answer,
        None => {
            let late = || Err(format!("the lake does not answer within {} s", ANSWERS_WITHIN.as_secs()));
            let answer = tokio::time::timeout(ANSWERS_WITHIN, (desk.ready)()).await.unwrap_or_else(|_| late());
            *asked = Some((Instant::now(), answer.clone()));
            answer
        }
    };
    match answer {
        Ok(()) => "ready\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}
