//! The body of a request: JSON, whole, within its limits and its time.
//!
//! It does not know what the JSON is.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, EXPECT};
use contact_store::{Error, Limits, wire};
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::answer::Refusal;
use super::service::Service;

/// Reading this much JSON takes less time than handing it to another thread and back.
const READ_AT_ONCE: usize = 16 << 10;

/// How long the rest of a body that is too large is passed over.
const REST_TIME: Duration = Duration::from_secs(1);

/// Room for the bodies that are held at once, in bytes.
pub(crate) struct Room(Arc<Semaphore>);

impl Room {
    pub(crate) fn new(bytes: usize) -> Self {
        Room(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }

    /// Takes room for more bytes, as they come: a length that is only promised takes none. It is
    /// never waited for: clients that each hold a part and wait for more would wait for ever.
    fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        let bytes = u32::try_from(bytes).map_err(|_| Refusal::NO_ROOM)?;
        let permit = Arc::clone(&self.0).try_acquire_many_owned(bytes);
        permit.map_err(|_| Refusal::NO_ROOM)
    }
}

/// A whole body that says that it is JSON.
pub(crate) struct JsonBody {
    bytes: Vec<u8>,
    limits: Limits,
    /// Until it is read: what the store then holds, it bounds itself.
    _room: OwnedSemaphorePermit,
}

impl JsonBody {
    /// Reads the request that the body is.
    pub(crate) async fn parse<T: Send + 'static>(
        self,
        parse: impl FnOnce(&[u8], &Limits) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Refusal> {
        let parsed = if self.bytes.len() <= READ_AT_ONCE {
            parse(&self.bytes, &self.limits)
        } else {
            // Megabytes of JSON would keep a thread of the runtime from its other connections.
            let parsed = spawn_blocking(move || parse(&self.bytes, &self.limits)).await;
            parsed.unwrap_or(Err(Error::Panicked))
        };
        Ok(parsed?)
    }
}

impl FromRequest<Service> for JsonBody {
    type Rejection = Refusal;

    async fn from_request(request: Request, service: &Service) -> Result<Self, Refusal> {
        let (head, mut body) = request.into_parts();
        if !is_json(&head.headers) {
            return Err(Refusal::NOT_JSON);
        }
        let collected = collect(&mut body, service);
        let collected = timeout(service.settings().body_time, collected).await;
        let collected = collected.unwrap_or(Err(Refusal::SLOW_BODY));
        if matches!(collected, Err(Refusal::Store(_))) && !head.headers.contains_key(EXPECT) {
            pass_over(&mut body).await;
        }
        collected
    }
}

async fn collect(body: &mut Body, service: &Service) -> Result<JsonBody, Refusal> {
    let limits = service.settings().limits;
    let check = |bytes| wire::check_request_size(bytes, &limits).map_err(Error::from);
    // The length that the head names, before a byte is read.
    check(body.size_hint().lower())?;
    let mut room = service.room().take(0)?;
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::BROKEN_BODY)?;
        // Anything else is trailers, which mean nothing here.
        if let Ok(chunk) = frame.into_data() {
            check(bytes.len().saturating_add(chunk.len()) as u64)?;
            room.merge(service.room().take(chunk.len())?);
            bytes.extend_from_slice(&chunk);
        }
    }
    Ok(JsonBody {
        bytes,
        limits,
        _room: room,
    })
}

/// Passes over what is left of a body, for a while: a connection that is closed with bytes unread is
/// reset, and the client may never read why. One that waits for leave to send has not begun to.
async fn pass_over(body: &mut Body) {
    let rest = async { while let Some(Ok(_)) = body.frame().await {} };
    // Past that time, the client may be reset.
    drop(timeout(REST_TIME, rest).await);
}

/// Whether the head says JSON in UTF-8, as it stands.
///
/// Required also for safety: a page in a browser can send other types anywhere unasked.
fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(named), None) = (types.next(), types.next()) else {
        return false;
    };
    let Ok(named) = named.to_str() else {
        return false;
    };
    let mut parts = named.split(';').map(str::trim);
    let is_json = parts
        .next()
        .is_some_and(|named| named.eq_ignore_ascii_case("application/json"));
    let in_utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => charset
            .trim()
            .trim_matches('"')
            .eq_ignore_ascii_case("utf-8"),
        _ => true,
    });
    is_json && in_utf8 && !headers.contains_key(CONTENT_ENCODING)
}
