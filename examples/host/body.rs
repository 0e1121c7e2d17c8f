//! The body of a request: JSON, whole, within its limits and its time.
//!
//! It does not know what the JSON is.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::{FromRequest, Request};
use axum::http::header::EXPECT;
use contact_store::{Error, Limits, wire};
use http_body_util::BodyExt as _;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::answer::Refusal;
use super::content_type::check_json;
use super::memory_budget::Share;
use super::service::Service;

/// Reading this much JSON takes less time than handing it to another thread and back.
const READ_AT_ONCE: usize = 16 << 10;

/// How long the rest of a body that is too large is passed over.
const REST_TIME: Duration = Duration::from_secs(1);

/// A whole body that says that it is JSON.
pub(crate) struct JsonBody {
    bytes: Vec<u8>,
    /// Braces that open something, and commas, also those in texts.
    braces: usize,
    commas: usize,
    limits: Limits,
    /// Until it is read: what the store then holds, it bounds itself.
    _share: Share,
}

impl JsonBody {
    /// At least as many as the longest list in it has elements.
    pub(crate) fn most_elements(&self) -> usize {
        self.commas.saturating_add(1)
    }

    /// At least as many as there are objects within the one that it is.
    pub(crate) fn most_objects(&self) -> usize {
        self.braces.saturating_sub(1)
    }

    /// Reads the request that the body is. Whatever else takes time for its length, such as to bring
    /// it into canonical form and queue it, belongs into `read`, too.
    pub(crate) async fn read<T: Send + 'static>(
        self,
        read: impl FnOnce(&[u8], &Limits) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Refusal> {
        let done = if self.bytes.len() <= READ_AT_ONCE {
            read(&self.bytes, &self.limits)
        } else {
            // Megabytes of JSON would keep a thread of the runtime from its other connections.
            let done = spawn_blocking(move || read(&self.bytes, &self.limits)).await;
            done.unwrap_or(Err(Error::Panicked))
        };
        Ok(done?)
    }
}

impl FromRequest<Service> for JsonBody {
    type Rejection = Refusal;

    async fn from_request(request: Request, service: &Service) -> Result<Self, Refusal> {
        let (head, mut body) = request.into_parts();
        check_json(&head.headers)?;
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
    // It grows as bytes come: a length that is only promised takes no room.
    let mut share = service.bodies().share()?;
    let (mut bytes, mut braces, mut commas) = (Vec::new(), 0_usize, 0_usize);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::BROKEN_BODY)?;
        // Anything else is trailers, which mean nothing here.
        if let Ok(chunk) = frame.into_data() {
            check(bytes.len().saturating_add(chunk.len()) as u64)?;
            share.grow(chunk.len())?;
            let count = |counted| chunk.iter().filter(|byte| **byte == counted).count();
            braces = braces.saturating_add(count(b'{'));
            commas = commas.saturating_add(count(b','));
            bytes.extend_from_slice(&chunk);
        }
    }
    Ok(JsonBody {
        bytes,
        braces,
        commas,
        limits,
        _share: share,
    })
}

/// Passes over what is left of a body, for a while: a connection that is closed with bytes unread is
/// reset, and the client may never read why. One that waits for leave to send has not begun to.
async fn pass_over(body: &mut Body) {
    let rest = async { while let Some(Ok(_)) = body.frame().await {} };
    // Past that time, the client may be reset.
    drop(timeout(REST_TIME, rest).await);
}
