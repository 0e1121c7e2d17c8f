//! The query of a URL, as the JSON object of texts that it stands for.
//!
//! So a question in a query and one in a body are read by the same function, and refused in the same
//! words: `?phone=...&email=...` is `{"phone": "...", "email": "..."}`, repeated members and all.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use percent_encoding::percent_decode_str;

use super::answer::Refusal;

/// A JSON object, made of the query.
pub(crate) struct Query(pub(crate) Vec<u8>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        object(parts.uri.query().unwrap_or_default()).map(Query)
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
