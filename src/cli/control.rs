//! The demo's control API, by which integration tests of a store's front end set the demo up and inspect it. It has its own listener,
//! and only the demo has it.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{FromRequest, Query, Request, State, rejection::QueryRejection},
    http::{Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use tokio::{
    net::TcpListener,
    sync::{Mutex, watch},
};

use super::{CliError, demo_store};
use crate::{
    clock::Clock,
    config::Storefront,
    keyring::Keyring,
    mail::Inbox,
    model::{ScriptedReply, TestControl},
    tenancy::Pools,
};

#[derive(Clone)]
pub struct Control {
    pub admin: PgConnectOptions,
    pub pools: Pools,
    pub model: TestControl,
    pub inbox: Inbox,
    pub clock: Clock,
    pub keyring: Arc<Keyring>,
    /// Replaces the shop page's settings, which a reset changes.
    pub storefront: Arc<watch::Sender<Storefront>>,
    /// Makes resets run one after another.
    pub reset_lock: Arc<Mutex<()>>,
}

/// Serves until the process ends.
pub async fn serve(listener: TcpListener, control: Control) {
    let router = Router::new()
        .route("/", get(|| async { Json(demo_store::facts()) }))
        .route("/reset", post(reset))
        .route("/model/replies", post(set_replies))
        .route("/model/asked", get(asked))
        .route("/mails", get(mails).delete(forget_mails))
        .route("/clock", get(time).put(set_time).delete(unset_time))
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_route)
        .with_state(control);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "the control is served no more");
    }
}

/// Resets everything: only the demo store's initial data remains, and mails, the model's script and a stopped clock are cleared.
async fn reset(State(control): State<Control>) -> Result<Json<Value>, Failure> {
    let _lock = control.reset_lock.lock().await;
    control.model.forget();
    control.clock.resume();
    empty_tables(&control.admin).await?;
    let key = demo_store::seed(&control.pools).await?;
    let storefront = demo_store::storefront(&control.pools, &control.keyring, &key).await?;
    control.storefront.send_replace(storefront);
    control.inbox.forget();
    Ok(Json(demo_store::facts()))
}

/// Empties every table, and the job queue.
async fn empty_tables(admin: &PgConnectOptions) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect_with(admin).await?;
    let empty = r#"DO $$
        DECLARE all_tables text;
        BEGIN
            SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') INTO all_tables FROM pg_tables
                WHERE (schemaname = 'public' AND tablename <> '_sqlx_migrations')
                    OR (schemaname = 'graphile_worker' AND tablename = '_private_jobs');
            EXECUTE 'TRUNCATE ' || all_tables || ' CASCADE';
        END $$"#;
    sqlx::raw_sql(empty).execute(&mut connection).await?;
    connection.close().await
}

/// What the control can do, as `docs/integration-target.md` describes it.
const ROUTES: &str = "GET /, POST /reset, POST /model/replies, GET /model/asked, GET /mails?to=…, DELETE /mails, GET /clock, PUT /clock and \
                      DELETE /clock";

async fn no_such_route(method: Method, uri: Uri) -> Failure {
    Failure {
        status: StatusCode::NOT_FOUND,
        detail: format!("The control has no {method} {}. It has {ROUTES}.", uri.path()),
    }
}

/// A JSON body. A refusal says what is wrong with it and shows a right one.
struct JsonBody<T>(T);

/// A body with an example for whoever sends a wrong one.
trait HasExample: DeserializeOwned {
    const EXAMPLE: &str;
}

impl<S: Send + Sync, T: HasExample> FromRequest<S> for JsonBody<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let refused =
            |reason: String| Failure::bad_request(format!("{reason}. An example of a right one: {}", T::EXAMPLE));
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|error| refused(error.body_text()))?;
        let parsed = serde_json::from_slice(&body);
        parsed
            .map(Self)
            .map_err(|error| refused(format!("The body is not as expected: {error}")))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Replies {
    replies: Vec<ScriptedReply>,
}

impl HasExample for Replies {
    const EXAMPLE: &str = r##"{"replies":[{"text":"Let me see. ","calls":[{"tool":"get_order","arguments":{"order_number":"#1001"}}]},{"text":"It is on its way.","delay_ms":200,"fail":false}]}"##;
}

/// Sets the model's next answers, one for each call. Without any it answers by the fallback rules.
async fn set_replies(State(control): State<Control>, JsonBody(body): JsonBody<Replies>) -> StatusCode {
    control.model.add_replies(body.replies);
    StatusCode::NO_CONTENT
}

async fn asked(State(control): State<Control>) -> Json<Value> {
    Json(json!({ "asked": control.model.asked() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MailFilter {
    to: Option<String>,
}

/// Lists caught mails, newest first. With `to`, only those to this address.
async fn mails(
    State(control): State<Control>,
    filter: Result<Query<MailFilter>, QueryRejection>,
) -> Result<Json<Value>, Failure> {
    let Query(MailFilter { to }) = filter.map_err(|error| {
        let reason = error.body_text();
        Failure::bad_request(format!(
            "{reason}. An example of a right one: GET /mails?to=mia@example.com"
        ))
    })?;
    let mails = control
        .inbox
        .mails()
        .into_iter()
        .filter(|mail| to.as_ref().is_none_or(|to| mail.to == *to));
    Ok(Json(json!({ "mails": mails.collect::<Vec<_>>() })))
}

async fn forget_mails(State(control): State<Control>) -> StatusCode {
    control.inbox.forget();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Time {
    now: DateTime<Utc>,
}

impl HasExample for Time {
    const EXAMPLE: &str = r#"{"now":"2027-03-01T09:30:00Z"}"#;
}

async fn time(State(control): State<Control>) -> Json<Value> {
    Json(json!({ "now": control.clock.now() }))
}

/// Stops the clock at a time.
async fn set_time(State(control): State<Control>, JsonBody(time): JsonBody<Time>) -> StatusCode {
    control.clock.stop_at(time.now);
    StatusCode::NO_CONTENT
}

async fn unset_time(State(control): State<Control>) -> StatusCode {
    control.clock.resume();
    StatusCode::NO_CONTENT
}

/// An error as problem details (RFC 9457), with its full text, because only testers use this API.
struct Failure {
    status: StatusCode,
    detail: String,
}

impl Failure {
    fn bad_request(detail: String) -> Self {
        let status = StatusCode::BAD_REQUEST;
        Self { status, detail }
    }

    fn internal(error: impl ToString) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            detail: error.to_string(),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let problem = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason(),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        (self.status, kind, problem.to_string()).into_response()
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::internal(error)
    }
}

impl From<CliError> for Failure {
    fn from(error: CliError) -> Self {
        Self::internal(error)
    }
}
