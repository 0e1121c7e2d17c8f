//! A request as it is logged: without anything that a client chose freely (R52).

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

/// A request as the log shows it: `POST` and `/v1/apps/00000000-.../tokens`.
///
/// Of the path, the route that it matched, never its own text; with the id that it names where the
/// answer says [`KnownId`].
pub(crate) struct LoggedRequest {
    pub(crate) method: &'static str,
    route: Option<MatchedPath>,
}

/// The id in the path of a request, when the store knows or knew it.
///
/// The id is then the store's and may be logged. Any other might be a phone that somebody took for a
/// contact id, or anything in the form of a UUID, even from a client that is not let in.
#[derive(Clone, Copy)]
pub(crate) enum KnownId {
    App(AppId),
    Contact(ContactId),
}

impl LoggedRequest {
    pub(crate) fn of(request: &Request) -> Self {
        LoggedRequest {
            method: name_of(request.method()),
            route: request.extensions().get::<MatchedPath>().cloned(),
        }
    }

    pub(crate) fn path(&self, known: Option<&KnownId>) -> String {
        let Some(route) = &self.route else {
            return "(unknown)".to_owned();
        };
        let route = route.as_str();
        match known {
            None => route.to_owned(),
            Some(KnownId::App(app)) => route.replace("{app_uuid}", &app.to_string()),
            Some(KnownId::Contact(contact)) => route.replace("{contactId}", &contact.to_string()),
        }
    }
}
