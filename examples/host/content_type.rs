//! Whether the head of a request says that its body is JSON in UTF-8, as it stands.
//!
//! Required also for safety: a page in a browser can send other types anywhere unasked.

use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use super::answer::Refusal;

pub(crate) fn check_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    // `identity` says that there is none.
    if !encodings.all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Refusal::not_json(
            "Content-Encoding must be identity or left out: the body is read as it stands",
        ));
    }
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let named = match (types.next(), types.next()) {
        (Some(named), None) => named.to_str().ok(),
        _ => None,
    };
    let mut parts = named.unwrap_or_default().split(';').map(str::trim);
    if !parts.next().is_some_and(is_json) {
        return Err(Refusal::not_json(
            "one Content-Type is required: application/json",
        ));
    }
    for parameter in parts {
        if let Some((name, charset)) = parameter.split_once('=')
            && name.trim().eq_ignore_ascii_case("charset")
        {
            check_utf8(charset.trim().trim_matches('"'))?;
        }
    }
    Ok(())
}

/// `application/json`, or a type of its own that says to be JSON, such as `application/vnd.api+json`.
fn is_json(named: &str) -> bool {
    let named = named.to_ascii_lowercase();
    let Some(named) = named.strip_prefix("application/") else {
        return false;
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
    let own = named.strip_suffix("+json");
    named == "json" || own.is_some_and(|own| !own.is_empty() && own.bytes().all(is_name))
}

fn check_utf8(charset: &str) -> Result<(), Refusal> {
    if ["utf-8", "utf8"]
        .iter()
        .any(|it| charset.eq_ignore_ascii_case(it))
    {
        return Ok(());
    }
    // Other than a name of a charset might be anything (R52).
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let shown = match (1..=40).contains(&charset.len()) && charset.bytes().all(is_name) {
        true => charset.to_owned(),
        false => format!("with a name of {} bytes", charset.len()),
    };
    Err(Refusal::not_json(format!(
        "charset {shown} is not taken: JSON is in UTF-8"
    )))
}
