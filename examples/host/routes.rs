//! The endpoints: which path and method asks the store for what.

use std::time::Instant;

use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use contact_store::{
    AppId, ContactId, ContactStore, Identifiers, Limits, MatchPolicy, Outcomes, wire,
};
use serde::Serialize;

use super::access::{Logged, ThereIs};
use super::answer::{Json, Refusal};
use super::batch;
use super::body::JsonBody;
use super::guard::OPEN_PATH;
use super::metrics;
use super::query::Query;
use super::service::Service;

/// Rows of a page, unless the request says.
const PAGE_ROWS: usize = 100;

type Answer = Result<Json, Refusal>;

/// An answer that says that there is the app of the path.
type AnswerOfApp = Result<(Extension<ThereIs>, Json), Refusal>;

pub(crate) fn routes(service: Service) -> Router {
    Router::new()
        .route("/v1/apps", get(apps).post(connect_app))
        .route("/v1/apps/{app_uuid}/tokens", post(add_tokens))
        .route("/v1/apps/{app_uuid}/statuses", post(record_reports))
        .route("/v1/apps/{app_uuid}/subscribers", get(subscribers))
        .route("/v1/apps/{app_uuid}/messages", get(messages))
        .route("/v1/contacts", get(find_by_query).post(upsert))
        .route("/v1/contacts/find", post(find))
        .route("/v1/contacts/explain", post(explain))
        .route("/v1/contacts/{contactId}", get(contact).delete(erase))
        .route("/v1/recipients/resolve", post(resolve))
        .route(OPEN_PATH, get(health))
        .route("/metrics", get(metrics_text))
        .fallback(async || Refusal::UNKNOWN_PATH)
        .method_not_allowed_fallback(async || Refusal::UNKNOWN_METHOD)
        .layer(middleware::from_fn_with_state(service.clone(), at_the_door))
        .with_state(service)
}

/// Lets a request in or refuses it, and logs what became of it.
async fn at_the_door(State(service): State<Service>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let logged = Logged::of(&request);
    let answer = match service.settings().guard.admit(&request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    service.settings().log.request(|| {
        let status = answer.status();
        let millis = began.elapsed().as_secs_f64() * 1e3;
        let shown = logged.shown(answer.extensions().get());
        format!("{shown} {} {millis:.1} ms\n", status.as_u16())
    });
    answer
}

async fn apps(State(service): State<Service>) -> Answer {
    service
        .read(|now, room| Json::of(&wire::apps(&now.apps()?), room))
        .await
}

async fn connect_app(State(service): State<Service>, body: JsonBody) -> Answer {
    let (request, name) = body.read(wire::parse_connect_app).await?;
    let id = service
        .written(service.store().connect_app(request))
        .await?;
    Ok(Json::short(&wire::app_connected(id, &name)))
}

async fn add_tokens(
    State(service): State<Service>,
    AppInPath(app): AppInPath,
    body: JsonBody,
) -> AnswerOfApp {
    let queue = move |store: &ContactStore, body: &[u8], limits: &Limits| {
        Ok(store.add_tokens(wire::parse_add_tokens(app, body, limits)?))
    };
    let answer = |added, share| Json::within(share, &wire::tokens_added(&added));
    let listed = service.settings().limits.contacts_per_token;
    let answer = batch::answered(&service, body, listed, queue, answer).await?;
    Ok((Extension(ThereIs::App(app)), answer))
}

async fn record_reports(
    State(service): State<Service>,
    AppInPath(app): AppInPath,
    body: JsonBody,
) -> AnswerOfApp {
    let queue = move |store: &ContactStore, body: &[u8], limits: &Limits| {
        Ok(store.record_reports(wire::parse_reports(app, body, limits)?))
    };
    let answer =
        |recorded: Outcomes<_>, share| Json::within(share, &wire::reports_recorded(&recorded));
    let answer = batch::answered(&service, body, 0, queue, answer).await?;
    Ok((Extension(ThereIs::App(app)), answer))
}

async fn subscribers(
    State(service): State<Service>,
    AppInPath(app): AppInPath,
    Query(query): Query,
) -> AnswerOfApp {
    let (after, limit) = wire::parse_subscribers_page(&query, &service.settings().limits)?;
    let page = service
        .read(move |now, room| {
            let page = now.subscribers(app, after, limit.unwrap_or(PAGE_ROWS))?;
            Json::of(&wire::subscribers(&page), room)
        })
        .await?;
    Ok((Extension(ThereIs::App(app)), page))
}

async fn messages(
    State(service): State<Service>,
    AppInPath(app): AppInPath,
    Query(query): Query,
) -> AnswerOfApp {
    let (after, limit) = wire::parse_messages_page(&query, &service.settings().limits)?;
    let page = service
        .read(move |now, room| {
            let page = now.messages(app, after.as_ref(), limit.unwrap_or(PAGE_ROWS))?;
            Json::of(&wire::messages(&page), room)
        })
        .await?;
    Ok((Extension(ThereIs::App(app)), page))
}

async fn upsert(State(service): State<Service>, body: JsonBody) -> Answer {
    let queue = |store: &ContactStore, body: &[u8], limits: &Limits| {
        Ok(store.upsert(wire::parse_upsert(body, limits)?))
    };
    let answer =
        |upserted: Outcomes<_>, share| Json::within(share, &wire::contacts_upserted(&upserted));
    batch::answered(&service, body, 0, queue, answer).await
}

async fn find_by_query(State(service): State<Service>, Query(query): Query) -> Answer {
    let asked = wire::parse_find(&query, &service.settings().limits)?;
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
        .read(move |now, room| {
            let found = now.find(&identifiers, policy)?;
            let found = found.ok_or(Refusal::NO_CONTACT)?;
            Json::of(&wire::contact_found(Some(&found)), room)
        })
        .await
}

async fn explain(State(service): State<Service>, body: JsonBody) -> Answer {
    let identifiers = body.read(wire::parse_identifiers).await?;
    service
        .read(move |now, room| Json::of(&wire::explanation(&now.explain(&identifiers)?), room))
        .await
}

async fn contact(
    State(service): State<Service>,
    ContactInPath(id): ContactInPath,
) -> Result<(Extension<ThereIs>, Json), Refusal> {
    let card = service
        .read(move |now, room| {
            let card = now.contact(id)?.ok_or(Refusal::NO_CONTACT)?;
            Json::of(&wire::card(&card), room)
        })
        .await?;
    Ok((Extension(ThereIs::Contact(id)), card))
}

async fn erase(
    State(service): State<Service>,
    ContactInPath(id): ContactInPath,
) -> Result<(Option<Extension<ThereIs>>, Json), Refusal> {
    let erased = service.written(service.store().erase(id)).await?;
    let there_was = erased.erased.then_some(Extension(ThereIs::Contact(id)));
    Ok((there_was, Json::short(&wire::erased(erased))))
}

async fn resolve(State(service): State<Service>, body: JsonBody) -> Answer {
    // What is sent, and in whose name, is for whoever sends it.
    let recipient = body
        .read(|body, limits| Ok(wire::parse_send_request(body, limits)?.recipient))
        .await?;
    service
        .read(move |now, room| Json::of(&wire::recipients(&now.resolve(&recipient)?), room))
        .await
}

async fn health(State(service): State<Service>) -> Answer {
    service.check_health().await?;
    Ok(Json::short(&Health { status: "ok" }))
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

async fn metrics_text(State(service): State<Service>) -> Result<impl IntoResponse, Refusal> {
    // It asks the system for the length of the file.
    let stats = service.ask(|store| Ok(store.stats()?)).await?;
    Ok((
        [(CONTENT_TYPE, metrics::CONTENT_TYPE)],
        metrics::text(&stats),
    ))
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
