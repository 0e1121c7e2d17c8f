//! What is logged of a request: nothing that a client chose freely (R52).

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use contact_store::{AppId, ContactId};

/// A method by its name, of those that there are: a client may make up others.
fn name_of(method: &Method) -> &'static str {
    const METHODS: [(Method, &str); 9] = [
        (Method::GET, "GET"),
        (Method::POST, "POST"),
        (Method::DELETE, "DELETE"),
        (Method::HEAD, "HEAD"),
        (Method::PUT, "PUT"),
        (Method::PATCH, "PATCH"),
        (Method::OPTIONS, "OPTIONS"),
        (Method::TRACE, "TRACE"),
        (Method::CONNECT, "CONNECT"),
    ];
    let mut known = METHODS.iter();
    let known = known.find_map(|(known, name)| (known == method).then_some(*name));
    known.unwrap_or("(unknown method)")
}

/// A request as its line in the log shows it: `POST /v1/apps/00000000-.../tokens`.
///
/// Of the path, the route that it matched, never its own text; with the id of an app where a UUID
/// stands, and the id of a contact where the answer says [`ThereIs`].
pub(crate) struct Logged {
    method: &'static str,
    route: Option<MatchedPath>,
    app: Option<AppId>,
}

/// With an answer: the contact that the path names is, or was, in the store.
///
/// The number is then the store's and may be logged. Another might be a phone that somebody took
/// for a contact id.
#[derive(Clone, Copy)]
pub(crate) struct ThereIs(pub(crate) ContactId);

impl Logged {
    pub(crate) fn of(request: &Request) -> Self {
        let route = request.extensions().get::<MatchedPath>().cloned();
        let parts = route.as_ref().map_or("", |route| route.as_str()).split('/');
        let app = parts
            .zip(request.uri().path().split('/'))
            .find_map(|(part, given)| (part == "{app_uuid}").then_some(given));
        Logged {
            method: name_of(request.method()),
            app: app.and_then(|given| AppId::parse(given).ok()),
            route,
        }
    }

    pub(crate) fn shown(&self, contact: Option<&ThereIs>) -> String {
        let Some(route) = &self.route else {
            return format!("{} (unknown path)", self.method);
        };
        let mut shown = format!("{} {}", self.method, route.as_str());
        if let Some(app) = self.app {
            shown = shown.replace("{app_uuid}", &app.to_string());
        }
        if let Some(ThereIs(contact)) = contact {
            shown = shown.replace("{contactId}", &contact.to_string());
        }
        shown
    }
}
