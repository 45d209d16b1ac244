//! Routes to read the audit and to verify its hash chain.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use crate::{
    http::{
        extract::{self, Query},
        problem::Problem,
        responses::{BadQuery, Role, Unauthenticated},
    },
    identity::StaffMember,
    tenancy::{
        Pool, Web,
        audit::{self, AuditEntry},
    },
};

#[derive(Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditPage {
    /// Entries a page, 1 to 100.
    #[serde(default = "extract::default_page_size")]
    #[validate(range(min = 1, max = 100))]
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: u32,
    /// The `seq` of the last entry on the previous page.
    before: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub struct Audit {
    entries: Vec<AuditEntry>,
}

/// Lists the audit's entries, newest first.
#[utoipa::path(get, path = "/v1/staff/audit", operation_id = "listAuditEntries", tag = "staff", params(AuditPage), responses((status = 200, body = Audit), BadQuery, Role, Unauthenticated))]
pub async fn audit(
    staff: StaffMember,
    State(web): State<Pool<Web>>,
    Query(page): Query<AuditPage>,
) -> Result<Json<Audit>, Problem> {
    let mut tx = web.begin(staff.scope()).await?;
    Ok(Json(Audit {
        entries: audit::list(&mut tx, page.limit, page.before).await?,
    }))
}

/// The result of verifying the audit's hash chain.
#[derive(Serialize, ToSchema)]
pub struct Chain {
    entries: i64,
    /// The first entry whose hash does not match. Absent if the chain is whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    broken_at: Option<i64>,
}

/// Verifies the audit's hash chain.
#[utoipa::path(get, path = "/v1/staff/audit/chain", operation_id = "verifyAuditChain", tag = "staff", responses((status = 200, body = Chain), Role, Unauthenticated))]
pub async fn chain(staff: StaffMember, State(web): State<Pool<Web>>) -> Result<Json<Chain>, Problem> {
    let mut tx = web.begin(staff.scope()).await?;
    let (entries, broken_at) = audit::verify(&mut tx).await?;
    Ok(Json(Chain { entries, broken_at }))
}
