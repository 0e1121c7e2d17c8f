//! Answers and refusals. Whatever is refused, by whatever part, is answered as
//! `{"error": {"code", "message", ...}}`.

use std::borrow::Cow;
use std::io::Write as _;

use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use contact_store::{CopyError, Error, Limit, MergeError, RecipientError, wire};
use serde::Serialize;
use serde_json::Value;

use super::memory_budget::{BudgetExceeded, MemoryBudget, Share, Text};
use super::once::REPEATED;

/// A second: a queue is empty again by then, and a store that failed may be reopened.
const RETRY: (HeaderName, HeaderValue) = (RETRY_AFTER, HeaderValue::from_static("1"));

/// A JSON text.
pub(crate) struct Json {
    bytes: Bytes,
    /// Whether it is the answer of an earlier request, which this one repeats.
    repeated: bool,
}

impl Json {
    /// An answer that is never longer than a few lines.
    pub(crate) fn short(answer: &impl Serialize) -> Self {
        Self::of_bytes(text(answer).into())
    }

    /// An answer that is refused when the budget does not allow it.
    pub(crate) fn of(answer: &impl Serialize, budget: &MemoryBudget) -> Result<Self, Refusal> {
        let bytes = Vec::new();
        let share = budget.share()?;
        let mut text = Text { bytes, share };
        serde_json::to_writer(&mut text, answer).map_err(|_| BudgetExceeded)?;
        text.write_all(b"\n").map_err(|_| BudgetExceeded)?;
        Ok(Self::held(text))
    }

    /// An answer within a share that is taken already.
    pub(crate) fn within(share: Share, answer: &impl Serialize) -> Self {
        let bytes = text(answer);
        Self::held(Text { bytes, share })
    }

    /// The share is given back when the last byte is with the system, which sends it.
    fn held(mut text: Text) -> Self {
        text.bytes.shrink_to_fit();
        text.share.shrink_to(text.bytes.len());
        Self::of_bytes(Bytes::from_owner(text))
    }

    fn of_bytes(bytes: Bytes) -> Self {
        Json {
            bytes,
            repeated: false,
        }
    }

    /// Marks it as the answer of an earlier request, if it is one.
    pub(crate) fn repeated(self, repeated: bool) -> Self {
        Json { repeated, ..self }
    }
}

fn text(answer: &impl Serialize) -> Vec<u8> {
    // Answers are made of texts and numbers: every one of them can be written.
    let mut text = serde_json::to_vec(answer).unwrap_or_default();
    // For a person who sees one in a terminal.
    text.push(b'\n');
    text
}

impl IntoResponse for Json {
    fn into_response(self) -> Response {
        const HEADERS: [(HeaderName, HeaderValue); 2] = [
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            // Cards are personal data, and old by the next request.
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        let mut response = (HEADERS, self.bytes).into_response();
        response
            .headers_mut()
            .extend(self.repeated.then_some(REPEATED));
        response
    }
}

/// Why a request is refused.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// By the store, or while the JSON was read.
    Store(Error),
    /// The same, with how to ask instead.
    WithHint(Error, &'static str),
    /// By the host itself.
    Own {
        status: StatusCode,
        code: &'static str,
        message: Cow<'static, str>,
        header: Option<(HeaderName, HeaderValue)>,
    },
}

impl Refusal {
    pub(crate) const UNAUTHORIZED: Self = Self::with_header(
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "the API key is required, as Authorization: Bearer",
        (WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
    );
    pub(crate) const NO_HOST: Self = Self::own(
        StatusCode::BAD_REQUEST,
        "noHost",
        "one valid Host is required",
    );
    pub(crate) const FOREIGN_HOST: Self = Self::own(
        StatusCode::MISDIRECTED_REQUEST,
        "foreignHost",
        "the Host is no name of this machine: localhost, 127.0.0.1 or [::1] is required",
    );
    pub(crate) const UNKNOWN_PATH: Self = Self::own(
        StatusCode::NOT_FOUND,
        "unknownPath",
        "there is no such path",
    );
    pub(crate) const UNKNOWN_METHOD: Self = Self::own(
        StatusCode::METHOD_NOT_ALLOWED,
        "unknownMethod",
        "the path does not take this method, see Allow",
    );
    pub(crate) const NO_CONTACT: Self = Self::own(
        StatusCode::NOT_FOUND,
        "unknownContact",
        "there is no such contact",
    );
    pub(crate) const BACKUPS_OFF: Self = Self::own(
        StatusCode::NOT_FOUND,
        "backupsOff",
        "the host was started without a directory for backups",
    );
    pub(crate) const BACKUP_UNDER_WAY: Self = Self::own(
        StatusCode::CONFLICT,
        "backupUnderWay",
        "another backup is under way",
    );
    pub(crate) const SLOW_BODY: Self = Self::with_header(
        StatusCode::REQUEST_TIMEOUT,
        "slowBody",
        "the body did not come in time",
        (CONNECTION, HeaderValue::from_static("close")),
    );
    pub(crate) const BROKEN_BODY: Self = Self::own(
        StatusCode::BAD_REQUEST,
        "brokenBody",
        "the body was cut off, or is not of the length or the chunks that it should have",
    );
    pub(crate) const OVER_BUDGET: Self = Self::with_header(
        StatusCode::SERVICE_UNAVAILABLE,
        "busy",
        "too many bytes of requests and answers are held at once",
        RETRY,
    );
    pub(crate) const QUERY_NOT_UTF8: Self =
        Self::own(StatusCode::BAD_REQUEST, "notUtf8", "the query is not UTF-8");

    pub(crate) const KEY_NOT_UTF8: Self = Self::own(
        StatusCode::BAD_REQUEST,
        "notUtf8",
        "the Idempotency-Key is not UTF-8",
    );
    pub(crate) const SEVERAL_KEYS: Self = Self::own(
        StatusCode::BAD_REQUEST,
        "severalKeys",
        "one Idempotency-Key at most is allowed",
    );

    const fn own(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Refusal::Own {
            status,
            code,
            message: Cow::Borrowed(message),
            header: None,
        }
    }

    /// The body is not what its head must say that it is.
    pub(crate) fn not_json(message: impl Into<Cow<'static, str>>) -> Self {
        Refusal::Own {
            status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
            code: "notJson",
            message: message.into(),
            header: None,
        }
    }

    const fn with_header(
        status: StatusCode,
        code: &'static str,
        message: &'static str,
        header: (HeaderName, HeaderValue),
    ) -> Self {
        Refusal::Own {
            status,
            code,
            message: Cow::Borrowed(message),
            header: Some(header),
        }
    }
}

impl Refusal {
    /// What it is answered as, for one that comes after the head of an answer.
    pub(crate) fn data(&self) -> String {
        let data = match self {
            Refusal::Store(error) | Refusal::WithHint(error, _) => {
                serde_json::to_string(&wire::error(error))
            }
            Refusal::Own { code, message, .. } => {
                serde_json::to_string(&wire::host_error(code, message))
            }
        };
        // As for every answer: it can be written.
        data.unwrap_or_default()
    }
}

impl From<BudgetExceeded> for Refusal {
    fn from(_: BudgetExceeded) -> Self {
        Refusal::OVER_BUDGET
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Refusal::Store(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, header, body) = match self {
            Refusal::Store(error) => {
                let status = status_of(&error);
                let retry = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY);
                (status, retry, Json::short(&wire::error(&error)))
            }
            Refusal::WithHint(error, hint) => {
                let body = Json::short(&with_hint(&error, hint));
                (status_of(&error), None, body)
            }
            Refusal::Own {
                status,
                code,
                message,
                header,
            } => (
                status,
                header,
                Json::short(&wire::host_error(code, &message)),
            ),
        };
        let mut response = (status, body).into_response();
        response.headers_mut().extend(header);
        response
    }
}

/// An error in its published form, whose message goes on with a hint.
fn with_hint(error: &Error, hint: &str) -> Value {
    // As for every answer: it can be written.
    let mut form = serde_json::to_value(wire::error(error)).unwrap_or_default();
    if let Some(message) = form.pointer_mut("/error/message") {
        *message = format!("{error}; {hint}").into();
    }
    form
}

/// The status of an error.
///
/// 503 says that the same request may be made again. After `indeterminate` it may be in already:
/// adding tokens again is safe (R24), a repeated report counts again (R36) unless it has an
/// idempotency key (R64).
fn status_of(error: &Error) -> StatusCode {
    match error {
        Error::Json(_)
        | Error::Field(_)
        | Error::NothingGiven
        | Error::EntryRefused { .. }
        | Error::AnswersNotKept => StatusCode::BAD_REQUEST,
        Error::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
        Error::LimitExceeded(exceeded) if exceeded.limit == Limit::PageRows => {
            StatusCode::BAD_REQUEST
        }
        Error::LimitExceeded(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Error::Recipient(
            RecipientError::NothingGiven
            | RecipientError::AppWithoutNumber
            | RecipientError::NumberWithoutApp
            | RecipientError::Number(_),
        ) => StatusCode::BAD_REQUEST,
        Error::Merge(MergeError::NoIdentifier) => StatusCode::BAD_REQUEST,
        // The others of recipients are of those that are not there.
        Error::UnknownApp(_)
        | Error::Recipient(_)
        | Error::Merge(MergeError::UnknownContact(_) | MergeError::ErasedContact(_)) => {
            StatusCode::NOT_FOUND
        }
        Error::Merge(_) => StatusCode::CONFLICT,
        Error::Copy(CopyError::AlreadyExists | CopyError::NoFile) | Error::ChangesAhead { .. } => {
            StatusCode::CONFLICT
        }
        // A reader that missed something does not mend that by trying again.
        Error::ChangesNotKept { .. } => StatusCode::GONE,
        Error::Busy { .. }
        | Error::Copy(CopyError::Cancelled | CopyError::Random | CopyError::Storage(_))
        | Error::NeedsReopen
        | Error::FileMoved
        | Error::Indeterminate { .. }
        | Error::Closed
        | Error::SnapshotExpired
        | Error::CloseIncomplete(_)
        | Error::Open(_)
        | Error::Storage(_) => StatusCode::SERVICE_UNAVAILABLE,
        // `Panicked`, `AnswerTaken`, and what later versions of the library may add.
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
