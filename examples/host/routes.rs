//! The endpoints: which path and method asks the store for what. `openapi.yaml` describes each.

use std::time::Instant;

use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::handler::Handler;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::uri::{PathAndQuery, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{self, MethodRouter};
use axum::{Extension, Router};
use contact_store::{
    AppId, ContactId, ContactStore, Identifiers, Limits, MatchPolicy, Merged, Outcomes, Resolve,
    SplitOff, TokenBroughtBack, TokenRemoved, TokenRenamed, Unmerged, limits::MERGES_PER_CONTACT,
    wire,
};
use serde::Serialize;

use super::answer::{Json, Refusal};
use super::batch;
use super::body::JsonBody;
use super::changes::changes;
use super::console;
use super::guard::{HEALTH, METRICS};
use super::log::REQUEST;
use super::logged_request::{KnownId, LoggedRequest};
use super::metrics;
use super::once::Once;
use super::query::{Query, refuse_parameters};
use super::service::{Service, Settings};

/// Rows of a page, unless the request says.
const PAGE_ROWS: usize = 100;

/// The description of the whole API, for people and for generators of clients.
const OPENAPI: &str = include_str!("openapi.yaml");
/// RFC 9512.
const OPENAPI_TYPE: &str = "application/yaml";

type Answer = Result<Json, Refusal>;

/// An answer that says that there is the app of the path.
type AnswerOfApp = Result<(Extension<KnownId>, Json), Refusal>;

/// All endpoints, one an entry.
pub(crate) fn table() -> Vec<Route> {
    vec![
        get("/v1/apps", apps),
        post("/v1/apps", connect_app),
        delete("/v1/apps/{app_uuid}", disconnect_app),
        post("/v1/apps/{app_uuid}/tokens", add_tokens),
        post("/v1/apps/{app_uuid}/tokens/remove", remove_token),
        post("/v1/apps/{app_uuid}/tokens/rename", rename_token),
        post("/v1/apps/{app_uuid}/statuses", record_reports),
        get("/v1/apps/{app_uuid}/subscribers", subscribers).with_query(),
        get("/v1/apps/{app_uuid}/contacts", contacts_of_app).with_query(),
        get("/v1/apps/{app_uuid}/messages", messages).with_query(),
        post("/v1/apps/{app_uuid}/messages/forget", forget_messages),
        post("/v1/apps/{app_uuid}/stale/remove", remove_stale),
        post("/v1/apps/{app_uuid}/tokens/bring-back", bring_back),
        post("/v1/apps/{app_uuid}/token/mute", mute),
        post("/v1/apps/{app_uuid}/token/unmute", unmute),
        get("/v1/contacts", find_by_query).with_query(),
        post("/v1/contacts", upsert),
        get("/v1/contacts/list", contacts).with_query(),
        post("/v1/contacts/find", find),
        post("/v1/contacts/explain", explain),
        get("/v1/contacts/{contactId}", contact),
        delete("/v1/contacts/{contactId}", erase).with_query(),
        get("/v1/contacts/{contactId}/merged", merged_contacts),
        post("/v1/contacts/{contactId}/merge", merge),
        post("/v1/contacts/{contactId}/unmerge", unmerge),
        post("/v1/contacts/{contactId}/split", split),
        get("/v1/conflicts", conflicts).with_query(),
        post("/v1/conflicts/dismiss", dismiss_conflict),
        post("/v1/suppressions/lift", lift_suppression),
        post("/v1/recipients/resolve", resolve),
        get("/v1/changes", changes).with_query(),
        post("/v1/admin/backup", backup),
        get("/openapi.yaml", openapi),
        // A probe may add what it likes.
        get(HEALTH, health).with_query(),
        get(METRICS, metrics_text).with_query(),
        get(console::PAGE, console::page).of_console(),
        get(console::FILE, console::file).of_console(),
    ]
}

/// A method of a path, and what answers it.
pub(crate) struct Route {
    pub(crate) path: &'static str,
    answers: MethodRouter<Service>,
    with_query: bool,
    of_console: bool,
}

impl Route {
    fn new(path: &'static str, answers: MethodRouter<Service>) -> Self {
        Route {
            path,
            answers,
            with_query: false,
            of_console: false,
        }
    }

    /// It sees to the query itself. Any other refuses what it is given there.
    fn with_query(mut self) -> Self {
        self.with_query = true;
        self
    }

    /// It is there only where the console is on.
    fn of_console(mut self) -> Self {
        self.of_console = true;
        self
    }
}

fn get<T: 'static>(path: &'static str, handler: impl Handler<T, Service>) -> Route {
    Route::new(path, routing::get(handler))
}

fn post<T: 'static>(path: &'static str, handler: impl Handler<T, Service>) -> Route {
    Route::new(path, routing::post(handler))
}

fn delete<T: 'static>(path: &'static str, handler: impl Handler<T, Service>) -> Route {
    Route::new(path, routing::delete(handler))
}

pub(crate) fn routes(service: Service) -> Router {
    let refuse = middleware::from_fn_with_state(service.clone(), refuse_parameters);
    let mut routes = Router::new();
    let console = service.settings().console;
    for route in table()
        .into_iter()
        .filter(|route| console || !route.of_console)
    {
        let answers = match route.with_query {
            true => route.answers,
            false => route.answers.route_layer(refuse.clone()),
        };
        routes = routes.route(route.path, answers);
    }
    let routes = routes
        .fallback(async || Refusal::UNKNOWN_PATH)
        .method_not_allowed_fallback(async || Refusal::UNKNOWN_METHOD)
        .layer(middleware::from_fn_with_state(service.clone(), at_the_door))
        .with_state(service);
    // Around them: a layer of theirs comes after the route is found.
    Router::new()
        .fallback_service(routes)
        .layer(middleware::map_request(without_last_slash))
}

/// One slash at the end of a path makes no other path of it.
async fn without_last_slash(mut request: Request) -> Request {
    let uri = request.uri();
    let Some(path) = uri.path().strip_suffix('/').filter(|path| !path.is_empty()) else {
        return request;
    };
    let path_and_query = match uri.query() {
        Some(query) => PathAndQuery::try_from(format!("{path}?{query}")),
        None => PathAndQuery::try_from(path),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = path_and_query.ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request
}

/// Lets a request in or refuses it, and logs how it was answered.
async fn at_the_door(State(service): State<Service>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let logged = LoggedRequest::of(&request);
    let Settings { guard, console, .. } = service.settings();
    let answer = match guard.admit(&request, *console) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    tracing::info!(
        target: REQUEST,
        method = %logged.method,
        path = %logged.path(answer.extensions().get()),
        status = answer.status().as_u16(),
        micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
    );
    answer
}

async fn apps(State(service): State<Service>) -> Answer {
    service
        .read(|now, budget| Json::of(&wire::apps(&now.apps()?), budget))
        .await
}

async fn connect_app(State(service): State<Service>, Once(store): Once, body: JsonBody) -> Answer {
    let (request, name) = body.read(wire::parse_connect_app).await?;
    let done = service.written(store.connect_app(request)).await?;
    let answer = Json::short(&wire::app_connected(done.outcome, &name));
    Ok(answer.repeated(done.repeated))
}

async fn disconnect_app(
    State(service): State<Service>,
    AppInPath(app): AppInPath,
    Once(store): Once,
) -> AnswerOfApp {
    let done = service.written(store.disconnect_app(app)).await?;
    let answer = Json::short(&wire::app_disconnected()).repeated(done.repeated);
    Ok((Extension(KnownId::App(app)), answer))
}

async fn add_tokens(
    State(service): State<Service>,
    AppInPath(app): AppInPath,
    once: Once,
    body: JsonBody,
) -> AnswerOfApp {
    let queue = move |store: &ContactStore, body: &[u8], limits: &Limits| {
        Ok(store.add_tokens(wire::parse_add_tokens(app, body, limits)?))
    };
    let answer = |added, share| Json::within(share, &wire::tokens_added(&added));
    let listed = service.settings().limits.contacts_per_token;
    let answer = batch::answered(&service, once, body, listed, queue, answer).await?;
    Ok((Extension(KnownId::App(app)), answer))
}

async fn remove_token(
    State(service): State<Service>,
    AppInPath(app): AppInPath,
    once: Once,
    body: JsonBody,
) -> AnswerOfApp {
    let read = move |body: &[u8], limits: &Limits| wire::parse_remove_token(app, body, limits);
    let request = body.read(read).await?;
    let listed = service.settings().limits.contacts_per_token;
    let write = |store: &ContactStore| store.remove_token(request);
    let answer = |removed: TokenRemoved, share| Json::within(share, &wire::token_removed(&removed));
    let answer = batch::answered_once(&service, once, listed, write, answer).await?;
    Ok((Extension(KnownId::App(app)), answer))
}

async fn rename_token(
    State(service): State<Service>,
    AppInPath(app): AppInPath,
    once: Once,
    body: JsonBody,
) -> AnswerOfApp {
    let read = move |body: &[u8], limits: &Limits| wire::parse_rename_token(app, body, limits);
    let request = body.read(read).await?;
    let listed = service.settings().limits.contacts_per_token;
    let write = |store: &ContactStore| store.rename_token(request);
    let answer = |renamed: TokenRenamed, share| Json::within(share, &wire::token_renamed(&renamed));
    let answer = batch::answered_once(&service, once, listed, write, answer).await?;
    Ok((Extension(KnownId::App(app)), answer))
}

async fn record_reports(
    State(service): State<Service>,
    AppInPath(app): AppInPath,
    once: Once,
    body: JsonBody,
) -> AnswerOfApp {
    let queue = move |store: &ContactStore, body: &[u8], limits: &Limits| {
        Ok(store.record_reports(wire::parse_reports(app, body, limits)?))
    };
    let answer =
        |recorded: Outcomes<_>, share| Json::within(share, &wire::reports_recorded(&recorded));
    let answer = batch::answered(&service, once, body, 0, queue, answer).await?;
    Ok((Extension(KnownId::App(app)), answer))
}

async fn subscribers(
    State(service): State<Service>,
    AppInPath(app): AppInPath,
    query: Query,
) -> AnswerOfApp {
    let limits = &service.settings().limits;
    let (after, limit) = query.read(wire::parse_subscribers_page, limits)?;
    let page = service
        .read(move |now, budget| {
            let page = now.subscribers(app, after, limit.unwrap_or(PAGE_ROWS))?;
            Json::of(&wire::subscribers(&page), budget)
        })
        .await?;
    Ok((Extension(KnownId::App(app)), page))
}

async fn contacts_of_app(
    State(service): State<Service>,
    AppInPath(app): AppInPath,
    query: Query,
) -> AnswerOfApp {
    let limits = &service.settings().limits;
    let (after, limit) = query.read(wire::parse_contacts_page, limits)?;
    let page = service
        .read(move |now, budget| {
            let page = now.contacts_of(app, after, limit.unwrap_or(PAGE_ROWS))?;
            Json::of(&wire::contact_page(&page), budget)
        })
        .await?;
    Ok((Extension(KnownId::App(app)), page))
}

async fn messages(
    State(service): State<Service>,
    AppInPath(app): AppInPath,
    query: Query,
) -> AnswerOfApp {
    let limits = &service.settings().limits;
    let (after, limit) = query.read(wire::parse_messages_page, limits)?;
    let page = service
        .read(move |now, budget| {
            let page = now.messages(app, after.as_ref(), limit.unwrap_or(PAGE_ROWS))?;
            Json::of(&wire::messages(&page), budget)
        })
        .await?;
    Ok((Extension(KnownId::App(app)), page))
}

async fn forget_messages(
    State(service): State<Service>,
    AppInPath(app): AppInPath,
    Once(store): Once,
    body: JsonBody,
) -> AnswerOfApp {
    let before = body.read(wire::parse_forget_messages).await?;
    let done = service.written(store.forget_messages(app, before)).await?;
    let answer = Json::short(&wire::messages_forgotten(done.outcome)).repeated(done.repeated);
    Ok((Extension(KnownId::App(app)), answer))
}

async fn remove_stale(
    State(service): State<Service>,
    AppInPath(app): AppInPath,
    Once(store): Once,
    body: JsonBody,
) -> AnswerOfApp {
    let read = move |body: &[u8], limits: &Limits| wire::parse_remove_stale(app, body, limits);
    let removed = store.remove_stale(body.read(read).await?);
    let done = service.written(removed).await?;
    let answer = Json::short(&wire::stale_removed(done.outcome)).repeated(done.repeated);
    Ok((Extension(KnownId::App(app)), answer))
}

async fn bring_back(
    State(service): State<Service>,
    AppInPath(app): AppInPath,
    once: Once,
    body: JsonBody,
) -> AnswerOfApp {
    let read = move |body: &[u8], limits: &Limits| wire::parse_bring_back(app, body, limits);
    let request = body.read(read).await?;
    let listed = service.settings().limits.contacts_per_token;
    let write = |store: &ContactStore| store.bring_back(request);
    let answer =
        |brought: TokenBroughtBack, share| Json::within(share, &wire::token_brought_back(&brought));
    let answer = batch::answered_once(&service, once, listed, write, answer).await?;
    Ok((Extension(KnownId::App(app)), answer))
}

async fn mute(
    State(service): State<Service>,
    AppInPath(app): AppInPath,
    Once(store): Once,
    body: JsonBody,
) -> AnswerOfApp {
    let read = move |body: &[u8], limits: &Limits| wire::parse_mute(app, body, limits);
    let muted = store.mute(body.read(read).await?);
    let done = service.written(muted).await?;
    let answer = Json::short(&wire::token_muted(&done.outcome)).repeated(done.repeated);
    Ok((Extension(KnownId::App(app)), answer))
}

async fn unmute(
    State(service): State<Service>,
    AppInPath(app): AppInPath,
    Once(store): Once,
    body: JsonBody,
) -> AnswerOfApp {
    let read = move |body: &[u8], limits: &Limits| wire::parse_unmute(app, body, limits);
    let unmuted = store.unmute(body.read(read).await?);
    let done = service.written(unmuted).await?;
    let answer = Json::short(&wire::token_unmuted(&done.outcome)).repeated(done.repeated);
    Ok((Extension(KnownId::App(app)), answer))
}

async fn upsert(State(service): State<Service>, once: Once, body: JsonBody) -> Answer {
    let queue = |store: &ContactStore, body: &[u8], limits: &Limits| {
        Ok(store.upsert(wire::parse_upsert(body, limits)?))
    };
    let answer =
        |upserted: Outcomes<_>, share| Json::within(share, &wire::contacts_upserted(&upserted));
    batch::answered(&service, once, body, 0, queue, answer).await
}

async fn contacts(State(service): State<Service>, query: Query) -> Answer {
    let limits = &service.settings().limits;
    let (after, limit) = query.read(wire::parse_contacts_page, limits)?;
    service
        .read(move |now, budget| {
            let page = now.contacts(after, limit.unwrap_or(PAGE_ROWS))?;
            Json::of(&wire::contacts(&page), budget)
        })
        .await
}

async fn find_by_query(State(service): State<Service>, query: Query) -> Answer {
    let asked = query.read(wire::parse_find, &service.settings().limits)?;
    found(&service, asked).await
}

async fn find(State(service): State<Service>, body: JsonBody) -> Answer {
    let asked = body.read(wire::parse_find).await?;
    found(&service, asked).await
}

async fn found(
    service: &Service,
    (identifiers, policy): (Identifiers, Option<MatchPolicy>),
) -> Answer {
    let policy = policy.unwrap_or(service.settings().policy);
    service
        .read(move |now, budget| {
            let found = now.find(&identifiers, policy)?;
            let found = found.ok_or(Refusal::NO_CONTACT)?;
            Json::of(&wire::contact_found(Some(&found)), budget)
        })
        .await
}

async fn explain(State(service): State<Service>, body: JsonBody) -> Answer {
    let identifiers = body.read(wire::parse_identifiers).await?;
    service
        .read(move |now, budget| Json::of(&wire::explanation(&now.explain(&identifiers)?), budget))
        .await
}

async fn contact(
    State(service): State<Service>,
    ContactInPath(id): ContactInPath,
) -> Result<(Extension<KnownId>, Json), Refusal> {
    let card = service
        .read(move |now, budget| {
            let card = now.contact(id)?.ok_or(Refusal::NO_CONTACT)?;
            Json::of(&wire::card(&card), budget)
        })
        .await?;
    Ok((Extension(KnownId::Contact(id)), card))
}

async fn erase(
    State(service): State<Service>,
    ContactInPath(id): ContactInPath,
    Once(store): Once,
    query: Query,
) -> Result<(Option<Extension<KnownId>>, Json), Refusal> {
    let read = |query: &[u8], limits: &Limits| wire::parse_erase(id, query, limits);
    let request = query.read(read, &service.settings().limits)?;
    let done = service.written(store.erase(request)).await?;
    let erased = done.outcome;
    let there_was = erased.erased.then_some(Extension(KnownId::Contact(id)));
    let answer = Json::short(&wire::erased(erased)).repeated(done.repeated);
    Ok((there_was, answer))
}

async fn conflicts(State(service): State<Service>, query: Query) -> Answer {
    let limits = &service.settings().limits;
    let (after, limit) = query.read(wire::parse_conflicts_page, limits)?;
    service
        .read(move |now, budget| {
            let page = now.conflicts(after, limit.unwrap_or(PAGE_ROWS))?;
            Json::of(&wire::conflicts(&page), budget)
        })
        .await
}

async fn dismiss_conflict(
    State(service): State<Service>,
    Once(store): Once,
    body: JsonBody,
) -> Answer {
    let (one, other) = body.read(wire::parse_dismiss_conflict).await?;
    let done = service.written(store.dismiss_conflict(one, other)).await?;
    let answer = Json::short(&wire::conflict_dismissed(done.outcome));
    Ok(answer.repeated(done.repeated))
}

async fn lift_suppression(
    State(service): State<Service>,
    Once(store): Once,
    body: JsonBody,
) -> Answer {
    let identifiers = body.read(wire::parse_identifiers).await?;
    let done = service.written(store.lift_suppression(identifiers)).await?;
    let answer = Json::short(&wire::suppression_lifted(done.outcome));
    Ok(answer.repeated(done.repeated))
}

/// An answer that says that there is, or was, the contact of the path.
type AnswerOfContact = Result<(Extension<KnownId>, Json), Refusal>;

async fn merged_contacts(
    State(service): State<Service>,
    ContactInPath(id): ContactInPath,
) -> AnswerOfContact {
    let merged = service
        .read(move |now, budget| {
            let merged = now.merged_contacts(id)?;
            // Of an id that leads to none there is nothing to list.
            if merged.is_empty() && now.contact(id)?.is_none() {
                return Err(Refusal::NO_CONTACT);
            }
            Json::of(&wire::merged_contacts(&merged), budget)
        })
        .await?;
    Ok((Extension(KnownId::Contact(id)), merged))
}

async fn merge(
    State(service): State<Service>,
    ContactInPath(id): ContactInPath,
    once: Once,
    body: JsonBody,
) -> AnswerOfContact {
    let read = move |body: &[u8], limits: &Limits| wire::parse_merge(id, body, limits);
    let (request, preview) = body.read(read).await?;
    let answer = if preview {
        service
            .read(move |now, budget| Json::of(&wire::merged(&now.preview_merge(request)?), budget))
            .await?
    } else {
        let write = |store: &ContactStore| store.merge(request);
        let answer = |merged: Merged, share| Json::within(share, &wire::merged(&merged));
        batch::answered_once(&service, once, listed_of_card(&service), write, answer).await?
    };
    Ok((Extension(KnownId::Contact(id)), answer))
}

async fn unmerge(
    State(service): State<Service>,
    ContactInPath(id): ContactInPath,
    once: Once,
    body: JsonBody,
) -> AnswerOfContact {
    let answer = if body.read(wire::parse_unmerge).await? {
        service
            .read(move |now, budget| Json::of(&wire::unmerged(&now.preview_unmerge(id)?), budget))
            .await?
    } else {
        let write = |store: &ContactStore| store.unmerge(id);
        let answer = |unmerged: Unmerged, share| Json::within(share, &wire::unmerged(&unmerged));
        batch::answered_once(&service, once, listed_of_card(&service), write, answer).await?
    };
    Ok((Extension(KnownId::Contact(id)), answer))
}

async fn split(
    State(service): State<Service>,
    ContactInPath(id): ContactInPath,
    once: Once,
    body: JsonBody,
) -> AnswerOfContact {
    let read = move |body: &[u8], limits: &Limits| wire::parse_split(id, body, limits);
    let (request, preview) = body.read(read).await?;
    let answer = if preview {
        service
            .read(move |now, budget| {
                Json::of(&wire::split_off(&now.preview_split(request)?), budget)
            })
            .await?
    } else {
        let write = |store: &ContactStore| store.split(request);
        let answer = |split: SplitOff, share| Json::within(share, &wire::split_off(&split));
        batch::answered_once(&service, once, listed_of_card(&service), write, answer).await?
    };
    Ok((Extension(KnownId::Contact(id)), answer))
}

/// What the longest list of parts of a card takes, in contact ids: its tokens, the ids that lead to it,
/// and the names of its custom fields, each at most 128 bytes, which may be twice as long in JSON.
fn listed_of_card(service: &Service) -> usize {
    const IDS_OF_A_NAME: usize = 11;
    let limits = &service.settings().limits;
    let names = limits
        .custom_fields_per_contact
        .saturating_mul(IDS_OF_A_NAME);
    limits
        .tokens_per_contact
        .saturating_add(MERGES_PER_CONTACT)
        .saturating_add(names)
}

async fn resolve(State(service): State<Service>, body: JsonBody) -> Answer {
    // What is sent, and in whose name, is for the sender to decide.
    let request = body
        .read(|body, limits| Ok(Resolve::from(&wire::parse_send_request(body, limits)?)))
        .await?;
    service
        .read(move |now, budget| Json::of(&wire::recipients(&now.resolve(request)?), budget))
        .await
}

/// Its body is `{}`: a page in a browser could send a request without one, but no JSON (see `guard`).
async fn backup(State(service): State<Service>, body: JsonBody) -> Answer {
    body.read(wire::parse_no_members).await?;
    Ok(Json::short(&service.backup().await?))
}

async fn health(State(service): State<Service>) -> Answer {
    let engine = service.check_health().await?;
    let status = "ok";
    Ok(Json::short(&Health { status, engine }))
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    engine: &'static str,
}

async fn metrics_text(State(service): State<Service>) -> Result<impl IntoResponse, Refusal> {
    // It asks the system for the length of the file.
    let stats = service.ask(|store| Ok(store.stats()?)).await?;
    Ok((
        [(CONTENT_TYPE, metrics::CONTENT_TYPE)],
        metrics::text(&stats, service.backups().stats()),
    ))
}

async fn openapi() -> impl IntoResponse {
    ([(CONTENT_TYPE, OPENAPI_TYPE)], OPENAPI)
}

/// The app that the path names.
struct AppInPath(AppId);

impl FromRequestParts<Service> for AppInPath {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Refusal> {
        let text = in_path(parts, service).await;
        Ok(AppInPath(wire::parse_app_id(&text)?))
    }
}

/// The contact that the path names.
struct ContactInPath(ContactId);

impl FromRequestParts<Service> for ContactInPath {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Refusal> {
        let text = in_path(parts, service).await;
        Ok(ContactInPath(wire::parse_contact_id(&text)?))
    }
}

/// The one parameter of the path, decoded; nothing where it is not UTF-8, which no id is either.
async fn in_path(parts: &mut Parts, service: &Service) -> String {
    let params = RawPathParams::from_request_parts(parts, service).await;
    let mut params = params.iter().flatten();
    params
        .next()
        .map(|(_, text)| text.to_owned())
        .unwrap_or_default()
}
