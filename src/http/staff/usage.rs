//! Routes for what the model has cost, and for the caps on it.

use axum::{Json, extract::State};
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use crate::{
    clock::Clock,
    http::{
        extract::{Body, Query},
        problem::Problem,
        responses::{BadBody, BadQuery, Role, Unauthenticated},
        staff::StaffChange,
    },
    identity::StaffMember,
    model::{
        budget::{self, Caps},
        usage::{self, UsageBy, UsageRow},
    },
    tenancy::{Pool, Web},
};

#[derive(Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Period {
    /// How costs are grouped: by day, model, shopper or tool.
    #[param(inline)]
    by: UsageBy,
    /// The start of the period. Without it: 30 days ago.
    from: Option<DateTime<Utc>>,
    /// The end of the period. Without it: now.
    to: Option<DateTime<Utc>>,
}

/// What the model has cost. Amounts are millionths of the price table's currency.
#[derive(Serialize, ToSchema)]
pub struct Usage {
    usage: Vec<UsageRow>,
}

/// Shows what the model has cost.
#[utoipa::path(get, path = "/v1/staff/usage", operation_id = "getUsage", tag = "staff", params(Period),
    responses((status = 200, body = Usage), BadQuery, Role, Unauthenticated))]
pub async fn usage(
    staff: StaffMember,
    State(web): State<Pool<Web>>,
    State(clock): State<Clock>,
    Query(period): Query<Period>,
) -> Result<Json<Usage>, Problem> {
    let now = clock.now();
    let (from, to) = (
        period.from.unwrap_or(now - Duration::days(30)),
        period.to.unwrap_or(now),
    );
    // Dates that Postgres cannot store are clamped; there is nothing to find there.
    let bound = |at: DateTime<Utc>| at.clamp(DateTime::UNIX_EPOCH, now + Duration::days(366));
    let mut tx = web.begin(staff.scope()).await?;
    let usage = usage::usage(&mut tx, period.by, (bound(from), bound(to))).await?;
    Ok(Json(Usage { usage }))
}

/// Shows the caps on what the model may cost.
#[utoipa::path(get, path = "/v1/staff/budget", operation_id = "getBudget", tag = "staff", responses((status = 200, body = Caps), Role, Unauthenticated))]
pub async fn caps(staff: StaffMember, State(web): State<Pool<Web>>) -> Result<Json<Caps>, Problem> {
    let mut tx = web.begin(staff.scope()).await?;
    Ok(Json(budget::caps(&mut tx).await?))
}

/// Changes the caps on what the model may cost.
#[utoipa::path(put, path = "/v1/staff/budget", operation_id = "setBudget", tag = "staff", request_body = Caps,
    responses((status = 200, body = Caps), Role, Unauthenticated, BadBody))]
pub async fn set_caps(change: StaffChange, Body(new): Body<Caps>) -> Result<Json<Caps>, Problem> {
    let mut tx = change.begin().await?;
    budget::set_caps(&mut tx, new, change.statement()).await?;
    tx.commit().await?;
    Ok(Json(new))
}
