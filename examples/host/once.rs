//! The idempotency key of a request, and the mark of an answer that repeats an earlier one (R64).

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use contact_store::{ContactStore, Error, IdempotencyKey};

use super::answer::Refusal;
use super::service::Service;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that the request was done before, and that this is the answer that it got.
pub(crate) const REPEATED: (HeaderName, HeaderValue) = (
    HeaderName::from_static("idempotency-repeated"),
    HeaderValue::from_static("true"),
);

/// The store as a request writes to it: under its key, if it has one.
pub(crate) struct Once(pub(crate) ContactStore);

impl FromRequestParts<Service> for Once {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Refusal> {
        let mut keys = parts.headers.get_all(KEY).iter();
        let store = service.store();
        match (keys.next(), keys.next()) {
            (None, _) => Ok(Once(store.clone())),
            (Some(key), None) => {
                let key = str::from_utf8(key.as_bytes()).map_err(|_| Refusal::KEY_NOT_UTF8)?;
                let key = IdempotencyKey::parse(key).map_err(Error::from)?;
                Ok(Once(store.once(&key)))
            }
            // Which of them counts would be a guess.
            (Some(_), Some(_)) => Err(Refusal::SEVERAL_KEYS),
        }
    }
}
