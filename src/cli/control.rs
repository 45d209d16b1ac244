//! The demo's control API, by which integration tests of a store's front end set the demo up and inspect it. It has its own listener,
//! and only the demo has it.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use chrono::{DateTime, Utc};
use serde::Deserialize;
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
        .route("/model/orders", post(set_replies))
        .route("/model/asked", get(asked))
        .route("/mails", get(mails).delete(forget_mails))
        .route("/clock", get(time).put(set_time).delete(unset_time))
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Orders {
    orders: Vec<ScriptedReply>,
}

/// Sets the model's next answers, one for each call. Without any it answers by the fallback rules.
async fn set_replies(State(control): State<Control>, Json(orders): Json<Orders>) -> StatusCode {
    control.model.order(orders.orders);
    StatusCode::NO_CONTENT
}

async fn asked(State(control): State<Control>) -> Json<Value> {
    Json(json!({ "asked": control.model.asked() }))
}

#[derive(Deserialize)]
struct MailFilter {
    to: Option<String>,
}

/// Lists caught mails, newest first. With `to`, only those to this address.
async fn mails(State(control): State<Control>, Query(MailFilter { to }): Query<MailFilter>) -> Json<Value> {
    let mails = control
        .inbox
        .mails()
        .into_iter()
        .filter(|mail| to.as_ref().is_none_or(|to| mail.to == *to));
    Json(json!({ "mails": mails.collect::<Vec<_>>() }))
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

async fn time(State(control): State<Control>) -> Json<Value> {
    Json(json!({ "now": control.clock.now() }))
}

/// Stops the clock at a time.
async fn set_time(State(control): State<Control>, Json(time): Json<Time>) -> StatusCode {
    control.clock.stop_at(time.now);
    StatusCode::NO_CONTENT
}

async fn unset_time(State(control): State<Control>) -> StatusCode {
    control.clock.resume();
    StatusCode::NO_CONTENT
}

/// An error, with its full text, because only testers use this API.
struct Failure(String);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({ "error": self.0 }))).into_response()
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<CliError> for Failure {
    fn from(error: CliError) -> Self {
        Self(error.to_string())
    }
}
