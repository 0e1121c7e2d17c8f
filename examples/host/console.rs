//! The console: a page for people, which asks for everything that it shows as any other client does.
//!
//! Its files are in the program, and nothing in them comes from a store. A browser that opens an address
//! cannot send `Authorization: Bearer`, so the files are served without the key: a person without it sees an
//! empty page that asks for it. The page keeps the key in memory alone and sends it with each request of its
//! own. The other ways are worse. A browser keeps a password of HTTP `Basic` until it is closed, and adds
//! it, as it does a cookie, to requests that other pages make. A key in an address ends up in histories and
//! in the logs of proxies.

use axum::extract::RawPathParams;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue};
use axum::response::IntoResponse;

use super::answer::Refusal;

/// The page.
pub(crate) const PAGE: &str = "/console";
/// What the page loads, by its name.
pub(crate) const FILE: &str = "/console/{file}";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Nothing is loaded from elsewhere, nothing in the page is a script but its files, and no text can become
/// markup: a browser that knows `require-trusted-types-for` refuses to parse any. A form is never sent, so
/// what is typed into one cannot end up in an address, even where scripts are off.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// A file of the console.
#[derive(Clone, Copy)]
pub(crate) struct File {
    pub(crate) name: &'static str,
    kind: &'static str,
    pub(crate) text: &'static str,
}

const INDEX: File = File {
    name: "index.html",
    kind: HTML,
    text: include_str!("console/index.html"),
};

/// What the page loads.
pub(crate) const FILES: [File; 12] = [
    File {
        name: "api.js",
        kind: SCRIPT,
        text: include_str!("console/api.js"),
    },
    File {
        name: "apps.js",
        kind: SCRIPT,
        text: include_str!("console/apps.js"),
    },
    File {
        name: "card.js",
        kind: SCRIPT,
        text: include_str!("console/card.js"),
    },
    File {
        name: "change.js",
        kind: SCRIPT,
        text: include_str!("console/change.js"),
    },
    File {
        name: "conflicts.js",
        kind: SCRIPT,
        text: include_str!("console/conflicts.js"),
    },
    File {
        name: "console.css",
        kind: CSS,
        text: include_str!("console/console.css"),
    },
    File {
        name: "console.js",
        kind: SCRIPT,
        text: include_str!("console/console.js"),
    },
    File {
        name: "dom.js",
        kind: SCRIPT,
        text: include_str!("console/dom.js"),
    },
    File {
        name: "explanation.js",
        kind: SCRIPT,
        text: include_str!("console/explanation.js"),
    },
    File {
        name: "figures.js",
        kind: SCRIPT,
        text: include_str!("console/figures.js"),
    },
    File {
        name: "icon.svg",
        kind: SVG,
        text: include_str!("console/icon.svg"),
    },
    File {
        name: "look_up.js",
        kind: SCRIPT,
        text: include_str!("console/look_up.js"),
    },
];

/// Whether a path is that of the page or of one of its files.
pub(crate) fn has(path: &str) -> bool {
    let file = |path: &str| path.strip_prefix('/').and_then(named).is_some();
    path.strip_prefix(PAGE)
        .is_some_and(|rest| rest.is_empty() || file(rest))
}

pub(crate) async fn page() -> impl IntoResponse {
    INDEX
}

pub(crate) async fn file(path: RawPathParams) -> Result<impl IntoResponse, Refusal> {
    let name = path.iter().next().map(|(_, name)| name);
    name.and_then(named).ok_or(Refusal::UNKNOWN_PATH)
}

fn named(name: &str) -> Option<File> {
    FILES.into_iter().find(|file| file.name == name)
}

impl IntoResponse for File {
    fn into_response(self) -> axum::response::Response {
        const HEADERS: [(HeaderName, HeaderValue); 6] = [
            (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            // A later version of the host must not be asked by the scripts of an older one.
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (
                HeaderName::from_static("cross-origin-opener-policy"),
                HeaderValue::from_static("same-origin"),
            ),
            (
                HeaderName::from_static("cross-origin-resource-policy"),
                HeaderValue::from_static("same-origin"),
            ),
        ];
        let kind = [(CONTENT_TYPE, HeaderValue::from_static(self.kind))];
        (HEADERS, kind, self.text).into_response()
    }
}
