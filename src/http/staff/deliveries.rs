//! Routes for deliveries to other systems.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::Validate;

use crate::{
    http::{
        extract::{self, Path, Query},
        problem::Problem,
        responses::{BadQuery, NotFound, Role, Unauthenticated},
        staff::StaffChange,
    },
    identity::StaffMember,
    jobs::outbox::{self, Channel, Delivery, DeliveryState},
    ledger,
    tenancy::{Pool, Web},
};

#[derive(Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeliveryPage {
    /// Deliveries a page, 1 to 100.
    #[serde(default = "extract::default_page_size")]
    #[validate(range(min = 1, max = 100))]
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: u32,
    #[param(inline)]
    state: Option<DeliveryState>,
    #[param(inline)]
    channel: Option<Channel>,
    /// The `id` of the last delivery on the previous page.
    before: Option<Uuid>,
}

#[derive(Serialize, ToSchema)]
pub struct Deliveries {
    deliveries: Vec<Delivery>,
}

/// Lists deliveries, both pending and finished, newest first.
#[utoipa::path(get, path = "/v1/staff/deliveries", operation_id = "listDeliveries", tag = "staff", params(DeliveryPage),
    responses((status = 200, body = Deliveries), BadQuery, Role, Unauthenticated))]
pub async fn list(
    staff: StaffMember,
    State(web): State<Pool<Web>>,
    Query(page): Query<DeliveryPage>,
) -> Result<Json<Deliveries>, Problem> {
    let mut tx = web.begin(staff.scope()).await?;
    let deliveries = outbox::list(&mut tx, page.limit, (page.state, page.channel), page.before).await?;
    Ok(Json(Deliveries { deliveries }))
}

/// Retries a delivery that was given up.
#[utoipa::path(post, path = "/v1/staff/deliveries/{id}/retry", operation_id = "retryDelivery", tag = "staff", params(("id" = Uuid, Path)),
    responses((status = 202, description = "The delivery will be sent"), NotFound, Role, Unauthenticated))]
pub async fn retry(change: StaffChange, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    let now = change.now;
    let mut tx = change.begin().await?;
    let found = outbox::retry(&mut tx, id, now).await?;
    change.finish(tx, found, "delivery.retry", ("delivery", id)).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Drops a delivery that was not sent.
#[utoipa::path(delete, path = "/v1/staff/deliveries/{id}", operation_id = "discardDelivery", tag = "staff", params(("id" = Uuid, Path)),
    responses((status = 204), NotFound, Role, Unauthenticated))]
pub async fn discard(change: StaffChange, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    let now = change.now;
    let mut tx = change.begin().await?;
    let found = outbox::discard(&mut tx, id).await?;
    ledger::hand_to_staff(&mut tx, id, now).await?;
    change.finish(tx, found, "delivery.drop", ("delivery", id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
