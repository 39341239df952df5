//! `matins report preview`: a report in the browser, made anew whenever a file of the project is saved. Loopback only; whoever
//! calls says how a report is made.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::config::Locale;
use crate::report::Rendered;

/// Makes the report as the project's files say now, or says why it cannot be made.
pub type Make = Arc<dyn Fn(Locale) -> Pin<Box<dyn Future<Output = Result<Rendered, String>> + Send>> + Send + Sync>;
/// A number that is another one when a file has changed.
pub type Stamp = Arc<dyn Fn() -> u64 + Send + Sync>;

#[derive(Clone)]
struct Desk {
    make: Make,
    stamp: Stamp,
}

const FRAME: &str = include_str!("preview.html");

/// Serves until `told` ends.
pub async fn serve(
    listener: TcpListener,
    make: Make,
    stamp: Stamp,
    told: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let app = Router::new()
        .route("/", get(|| async { Html(FRAME) }))
        .route("/stamp", get(|State(desk): State<Desk>| async move { (desk.stamp)().to_string() }))
        .route("/{what}", get(shown))
        .with_state(Desk { make, stamp });
    axum::serve(listener, app).with_graceful_shutdown(told).await
}

#[derive(serde::Deserialize)]
struct Tongue {
    locale: Option<String>,
}

/// `page`, `mail`, `text`, or a picture of the mail by its Content-ID.
async fn shown(State(desk): State<Desk>, Path(what): Path<String>, Query(tongue): Query<Tongue>) -> Response {
    let locale = Locale::ALL.into_iter().find(|l| Some(l.tag()) == tongue.locale.as_deref()).unwrap_or_default();
    let rendered = match (desk.make)(locale).await {
        Ok(rendered) => rendered,
        Err(why) => return (StatusCode::UNPROCESSABLE_ENTITY, why).into_response(),
    };
    match what.as_str() {
        "page" => Html(rendered.html).into_response(),
        "mail" => {
            let pictures = format!("?locale={}\"", locale.tag());
            let html = rendered.images.iter().fold(rendered.mail_html, |html, image| {
                html.replace(&format!("src=\"cid:{}\"", image.id), &format!("src=\"/{}{pictures}", image.id))
            });
            Html(html).into_response()
        }
        "text" => format!("{}\n\n{}", rendered.subject, rendered.text).into_response(),
        id => match rendered.images.into_iter().find(|i| i.id == id) {
            Some(image) => ([(header::CONTENT_TYPE, "image/png")], image.png).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        },
    }
}
