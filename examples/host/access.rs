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
/// stands, and the id of a contact where there is such a contact. (A phone that somebody took for a
/// contact id is none.)
pub(crate) struct Logged {
    method: &'static str,
    route: Option<MatchedPath>,
    app: Option<AppId>,
    contact: Option<ContactId>,
}

impl Logged {
    pub(crate) fn of(request: &Request) -> Self {
        let route = request.extensions().get::<MatchedPath>().cloned();
        let mut logged = Logged {
            method: name_of(request.method()),
            app: None,
            contact: None,
            route: None,
        };
        if let Some(route) = route {
            let parts = route.as_str().split('/');
            for (part, given) in parts.zip(request.uri().path().split('/')) {
                match part {
                    "{app_uuid}" => logged.app = AppId::parse(given).ok(),
                    "{contactId}" => logged.contact = ContactId::parse_decimal(given).ok(),
                    _ => {}
                }
            }
            logged.route = Some(route);
        }
        logged
    }

    /// `found`: whether what the path names is there.
    pub(crate) fn shown(&self, found: bool) -> String {
        let Some(route) = &self.route else {
            return format!("{} (unknown path)", self.method);
        };
        let mut shown = format!("{} {}", self.method, route.as_str());
        if let Some(app) = self.app {
            shown = shown.replace("{app_uuid}", &app.to_string());
        }
        if let (Some(contact), true) = (self.contact, found) {
            shown = shown.replace("{contactId}", &contact.to_string());
        }
        shown
    }
}
