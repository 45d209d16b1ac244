//! Routes for the webhook endpoints: URLs of the store that receive events.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;

use crate::{
    http::{
        WebhookState,
        extract::{Body, NewestFirst, Path, Query},
        problem::Problem,
        responses::{BadBody, BadQuery, NotFound, Role, Unauthenticated},
        staff::StaffChange,
    },
    identity::StaffMember,
    integrations::webhook_delivery::{self, Endpoint},
    tenancy::{Pool, Web},
};

#[derive(Serialize, ToSchema)]
pub struct Endpoints {
    endpoints: Vec<Endpoint>,
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEndpoint {
    #[validate(length(min = 1, max = 2000), custom(function = crate::text::single_line))]
    #[schema(example = "https://shop.example/hooks/countersign")]
    url: String,
}

/// A new endpoint. The secret is shown only once.
#[derive(Serialize, ToSchema)]
pub struct MadeEndpoint {
    endpoint: Endpoint,
    /// The secret that events are signed with (Standard Webhooks).
    secret: String,
}

/// Lists the webhook endpoints.
#[utoipa::path(get, path = "/v1/staff/webhook-endpoints", operation_id = "listWebhookEndpoints", tag = "staff", params(NewestFirst),
    responses((status = 200, body = Endpoints), BadQuery, Role, Unauthenticated))]
pub async fn list(
    staff: StaffMember,
    State(web): State<Pool<Web>>,
    Query(page): Query<NewestFirst>,
) -> Result<Json<Endpoints>, Problem> {
    let mut tx = web.begin(staff.scope()).await?;
    let endpoints = webhook_delivery::list(&mut tx, (page.limit, page.before)).await?;
    Ok(Json(Endpoints { endpoints }))
}

/// Adds a webhook endpoint: a URL of the store that receives events.
#[utoipa::path(post, path = "/v1/staff/webhook-endpoints", operation_id = "createWebhookEndpoint", tag = "staff", request_body = NewEndpoint,
    responses((status = 201, body = MadeEndpoint), Role, Unauthenticated, BadBody))]
pub async fn add(
    change: StaffChange,
    State(webhooks): State<WebhookState>,
    Body(new): Body<NewEndpoint>,
) -> Result<(StatusCode, Json<MadeEndpoint>), Problem> {
    let now = change.now;
    let mut tx = change.begin().await?;
    let (endpoint, secret) =
        webhook_delivery::add(&mut tx, &webhooks.keyring, &new.url, webhooks.allow_loopback, now).await?;
    change
        .finish(tx, true, "webhook_endpoint.create", ("webhook_endpoint", endpoint.id))
        .await?;
    Ok((StatusCode::CREATED, Json(MadeEndpoint { endpoint, secret })))
}

/// Disables a webhook endpoint. It receives no more events.
#[utoipa::path(delete, path = "/v1/staff/webhook-endpoints/{id}", operation_id = "disableWebhookEndpoint", tag = "staff", params(("id" = Uuid, Path)),
    responses((status = 204), NotFound, Role, Unauthenticated))]
pub async fn disable(change: StaffChange, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    let now = change.now;
    let mut tx = change.begin().await?;
    let found = webhook_delivery::disable(&mut tx, id, now).await?;
    change
        .finish(tx, found, "webhook_endpoint.disable", ("webhook_endpoint", id))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
