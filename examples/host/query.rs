//! The query of a URL, as the JSON object of texts that it stands for.
//!
//! So a question in a query and one in a body are read by the same function, and refused in the same
//! words: `?phone=...&email=...` is `{"phone": "...", "email": "..."}`, repeated members and all.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use contact_store::{Error, Field, Limits, wire};
use percent_encoding::percent_decode_str;

use super::answer::Refusal;
use super::service::Service;

/// A JSON object, made of the query.
pub(crate) struct Query {
    object: Vec<u8>,
    /// Whether a `+` stands in it, which is a space.
    has_plus: bool,
}

impl Query {
    fn of(query: &str) -> Result<Self, Refusal> {
        Ok(Query {
            object: object(query)?,
            has_plus: query.contains('+'),
        })
    }

    /// Reads the question that it is.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&[u8], &Limits) -> Result<T, Error>,
        limits: &Limits,
    ) -> Result<T, Refusal> {
        read(&self.object, limits).map_err(|error| match error {
            Error::Field(fault) if self.has_plus && fault.field() == Field::Email => {
                Refusal::WithHint(fault.into(), PLUS)
            }
            error => error.into(),
        })
    }
}

/// Said of an email that might have had a plus.
const PLUS: &str = "in a query a + is a space: write %2B";

/// Refuses every parameter, for a route that knows none: one that is overlooked would be taken for one
/// that applies.
pub(crate) async fn refuse_parameters(
    State(service): State<Service>,
    request: Request,
    next: Next,
) -> Response {
    let query = Query::of(request.uri().query().unwrap_or_default());
    let limits = &service.settings().limits;
    match query.and_then(|query| query.read(wire::parse_no_members, limits)) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        Query::of(parts.uri.query().unwrap_or_default())
    }
}

fn object(query: &str) -> Result<Vec<u8>, Refusal> {
    let mut object = vec![b'{'];
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, text) = pair.split_once('=').unwrap_or((pair, ""));
        if object.len() > 1 {
            object.push(b',');
        }
        put(&mut object, name)?;
        object.push(b':');
        put(&mut object, text)?;
    }
    object.push(b'}');
    Ok(object)
}

/// Puts a text in its JSON form. In a query `+` is a space, and a `+` is `%2B`: a phone copied with
/// its `+` begins with a space, which is not looked at (R4).
///
/// Bytes that are not UTF-8 are refused: with another character in their place, a look-up would be
/// for something that was not asked for.
fn put(object: &mut Vec<u8>, text: &str) -> Result<(), Refusal> {
    let text = text.replace('+', " ");
    let text = percent_decode_str(&text).decode_utf8();
    let text = text.map_err(|_| Refusal::QUERY_NOT_UTF8)?;
    // Every text has a JSON form.
    serde_json::to_writer(object, &text).map_err(|_| Refusal::QUERY_NOT_UTF8)
}
