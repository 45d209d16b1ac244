//! Routes to list the events that other systems have sent, and to process one again.

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
    integrations::webhook_inbox::{self, IncomingEvent, ReceivedState},
    tenancy::{Pool, Web},
};

#[derive(Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventPage {
    /// Events a page, 1 to 100.
    #[serde(default = "extract::default_page_size")]
    #[validate(range(min = 1, max = 100))]
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: u32,
    #[param(inline)]
    state: Option<ReceivedState>,
    /// The `id` of the last event on the previous page.
    before: Option<Uuid>,
}

#[derive(Serialize, ToSchema)]
pub struct Events {
    events: Vec<IncomingEvent>,
}

/// Lists the events that other systems have sent, newest first.
#[utoipa::path(get, path = "/v1/staff/incoming", operation_id = "listIncomingEvents", tag = "staff", params(EventPage),
    responses((status = 200, body = Events), BadQuery, Role, Unauthenticated))]
pub async fn list(
    staff: StaffMember,
    State(web): State<Pool<Web>>,
    Query(page): Query<EventPage>,
) -> Result<Json<Events>, Problem> {
    let mut tx = web.begin(staff.scope()).await?;
    let events = webhook_inbox::list(&mut tx, page.limit, page.state, page.before).await?;
    Ok(Json(Events { events }))
}

/// Retries an event that was given up.
#[utoipa::path(post, path = "/v1/staff/incoming/{id}/retry", operation_id = "retryIncomingEvent", tag = "staff", params(("id" = Uuid, Path)),
    responses((status = 202, description = "The event will be processed"), NotFound, Role, Unauthenticated))]
pub async fn retry(change: StaffChange, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    let now = change.now;
    let mut tx = change.begin().await?;
    let found = webhook_inbox::retry(&mut tx, id, now).await?;
    change
        .finish(tx, found, "incoming.retry", ("incoming_webhook", id))
        .await?;
    Ok(StatusCode::ACCEPTED)
}
