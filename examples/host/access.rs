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

/// A request as the log shows it: `POST` and `/v1/apps/00000000-.../tokens`.
///
/// Of the path, the route that it matched, never its own text; with the id that it names where the
/// answer says [`ThereIs`].
pub(crate) struct Logged {
    pub(crate) method: &'static str,
    route: Option<MatchedPath>,
}

/// With an answer: what the path names is, or was, in the store.
///
/// The id is then the store's and may be logged. Another might be a phone that somebody took for a
/// contact id, or anything in the form of a UUID, also from whoever is not let in.
#[derive(Clone, Copy)]
pub(crate) enum ThereIs {
    App(AppId),
    Contact(ContactId),
}

impl Logged {
    pub(crate) fn of(request: &Request) -> Self {
        Logged {
            method: name_of(request.method()),
            route: request.extensions().get::<MatchedPath>().cloned(),
        }
    }

    pub(crate) fn path(&self, there_is: Option<&ThereIs>) -> String {
        let Some(route) = &self.route else {
            return "(unknown)".to_owned();
        };
        let route = route.as_str();
        match there_is {
            None => route.to_owned(),
            Some(ThereIs::App(app)) => route.replace("{app_uuid}", &app.to_string()),
            Some(ThereIs::Contact(contact)) => route.replace("{contactId}", &contact.to_string()),
        }
    }
}
