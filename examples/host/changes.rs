//! The change feed over HTTP: a page, which may be waited for, and server-sent events that go on where
//! their reader was.
//!
//! Who waits takes a connection and no thread.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use contact_store::wire::ChangesQuestion;
use contact_store::{ChangePage, ChangePosition, Error, wire};
use hyper::body::Frame;

use super::answer::{Json, Refusal};
use super::query::Query;
use super::service::Service;

/// Changes of a page, unless the request says.
const PAGE_CHANGES: usize = 100;
/// How long nothing is sent to a reader of events. Then it is told that the connection is alive.
const SILENCE: Duration = Duration::from_secs(15);
const EVENTS: &str = "text/event-stream";

/// Answers `GET /v1/changes`.
pub(crate) async fn changes(
    State(service): State<Service>,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Refusal> {
    let limits = &service.settings().limits;
    let question = query.read(wire::parse_changes_page, limits)?;
    if wants_events(&headers) {
        return events(service, &headers, question).await;
    }
    let after = question.after.unwrap_or(ChangePosition::START);
    if let Some(seconds) = question.wait_seconds.filter(|seconds| *seconds > 0) {
        service
            .wait_for_changes(after, Duration::from_secs(seconds))
            .await?;
    }
    let limit = question.limit.unwrap_or(PAGE_CHANGES);
    let page = service.read(move |now, budget| {
        let page = now.changes(after, limit)?;
        Json::of(&wire::changes(&page), budget)
    });
    Ok(page.await?.into_response())
}

fn wants_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter();
    let mut kinds = accepted
        .filter_map(|accepted| accepted.to_str().ok())
        .flat_map(|accepted| accepted.split(','));
    kinds.any(|kind| {
        let kind = kind.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case(EVENTS)
    })
}

/// Each change is an event with its position as its id, which the reader sends as `Last-Event-ID` when it
/// connects again.
async fn events(
    service: Service,
    headers: &HeaderMap,
    question: ChangesQuestion,
) -> Result<Response, Refusal> {
    let last = headers.get("last-event-id").map(HeaderValue::to_str);
    let last = last.map(|last| ChangePosition::parse(last.unwrap_or_default()));
    // What the reader has read to goes before where it began once.
    let last = last.transpose().map_err(Error::from)?.or(question.after);
    let mut reader = Reader {
        service,
        read_to: last.unwrap_or(ChangePosition::START),
        limit: question.limit.unwrap_or(PAGE_CHANGES),
        ended: false,
    };
    // What cannot be read is refused before anything is sent.
    let first = reader.page().await?;
    let first = reader.text(&first);
    let next: Next = Box::pin(async { Some((reader, first)) });
    let mut response = Response::new(Body::new(Events { next: Some(next) }));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENTS));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Where a reader of events is.
struct Reader {
    service: Service,
    read_to: ChangePosition,
    limit: usize,
    ended: bool,
}

impl Reader {
    async fn page(&self) -> Result<ChangePage, Refusal> {
        let (after, limit) = (self.read_to, self.limit);
        let page = self
            .service
            .read(move |now, _| Ok(now.changes(after, limit)?));
        page.await
    }

    /// The events of a page. The first begin with a comment, so that the reader sees that it is connected.
    fn text(&mut self, page: &ChangePage) -> Bytes {
        self.read_to = page.position;
        let mut text = String::from(":\n\n");
        for change in &page.changes {
            // Every change can be written.
            let data = serde_json::to_string(&wire::change(change)).unwrap_or_default();
            text.push_str(&format!("id: {}\ndata: {data}\n\n", change.position));
        }
        text.into()
    }

    /// What is sent next; `None` when there is nothing more.
    async fn next(mut self) -> Option<(Self, Bytes)> {
        if self.ended {
            return None;
        }
        let waited = self.service.wait_for_changes(self.read_to, SILENCE).await;
        let page = match waited {
            Ok(()) if self.service.is_ending() => return None,
            Ok(()) => self.page().await,
            Err(refusal) => Err(refusal),
        };
        let text = match page {
            Ok(page) => self.text(&page),
            Err(refusal) => {
                self.ended = true;
                let data = refusal.data();
                format!("event: error\ndata: {data}\n\n").into()
            }
        };
        Some((self, text))
    }
}

type Next = Pin<Box<dyn Future<Output = Option<(Reader, Bytes)>> + Send>>;

/// The body of an answer that goes on until its reader or the host ends.
struct Events {
    next: Option<Next>,
}

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(next) = &mut self.next else {
            return Poll::Ready(None);
        };
        let sent = ready!(next.as_mut().poll(context));
        let frame = sent.map(|(reader, text)| {
            self.next = Some(Box::pin(reader.next()));
            Ok(Frame::data(text))
        });
        if frame.is_none() {
            self.next = None;
        }
        Poll::Ready(frame)
    }
}
