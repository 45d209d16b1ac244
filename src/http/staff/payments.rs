//! Routes for payments that no payment provider can make, so that staff make them.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use crate::{
    http::{
        extract::{self, Path, Query},
        problem::Problem,
        responses::{BadQuery, NotFound, Role, Unauthenticated},
        staff::StaffChange,
    },
    identity::StaffMember,
    ids::MovementId,
    ledger::{self, ManualPayment},
    tenancy::{Pool, Web},
};

#[derive(Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PaymentPage {
    /// Payments a page, 1 to 100.
    #[serde(default = "extract::default_page_size")]
    #[validate(range(min = 1, max = 100))]
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: u32,
    /// The `id` of the last payment on the previous page.
    after: Option<MovementId>,
}

#[derive(Serialize, ToSchema)]
pub struct Payments {
    payments: Vec<ManualPayment>,
}

/// Lists the payments that staff must make because no payment provider can, oldest first.
#[utoipa::path(get, path = "/v1/staff/payments", operation_id = "listPayments", tag = "staff", params(PaymentPage),
    responses((status = 200, body = Payments), BadQuery, Role, Unauthenticated))]
pub async fn list(
    staff: StaffMember,
    State(web): State<Pool<Web>>,
    Query(page): Query<PaymentPage>,
) -> Result<Json<Payments>, Problem> {
    let mut tx = web.begin(staff.scope()).await?;
    let payments = ledger::staff_tasks(&mut tx, page.limit, page.after).await?;
    Ok(Json(Payments { payments }))
}

/// Confirms that staff have moved the money.
#[utoipa::path(post, path = "/v1/staff/payments/{id}/confirm", operation_id = "confirmPayment", tag = "staff", params(("id" = MovementId, Path)),
    responses((status = 204), NotFound, Role, Unauthenticated))]
pub async fn confirm(change: StaffChange, Path(id): Path<MovementId>) -> Result<StatusCode, Problem> {
    settle(change, id, true).await
}

/// Marks a payment as failed: the money will not move. A change that waits for it is not made.
#[utoipa::path(post, path = "/v1/staff/payments/{id}/fail", operation_id = "failPayment", tag = "staff", params(("id" = MovementId, Path)),
    responses((status = 204), NotFound, Role, Unauthenticated))]
pub async fn fail(change: StaffChange, Path(id): Path<MovementId>) -> Result<StatusCode, Problem> {
    settle(change, id, false).await
}

async fn settle(change: StaffChange, id: MovementId, moved: bool) -> Result<StatusCode, Problem> {
    let mut tx = change.begin().await?;
    let found = ledger::settle_by_staff(&mut tx, id, moved, change.statement()).await?;
    StaffChange::finish_noted(tx, found).await?;
    Ok(StatusCode::NO_CONTENT)
}
