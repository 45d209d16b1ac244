//! Routes for the policies, which say who decides on a tool's proposals.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    approvals::policy::{self, Policy},
    http::{
        extract::{Body, Path},
        problem::Problem,
        responses::{BadBody, NotFound, Role, Unauthenticated},
        staff::StaffChange,
    },
    identity::StaffMember,
    tenancy::{Pool, Web},
    tools::{Contract, Registry},
};

/// A write tool: its contract, and the policy that says who decides.
#[derive(Serialize, ToSchema)]
pub struct ToolPolicy {
    contract: Contract,
    policy: Policy,
}

#[derive(Serialize, ToSchema)]
pub struct Policies {
    tools: Vec<ToolPolicy>,
}

/// Lists the write tools, each with its contract and its policy.
#[utoipa::path(get, path = "/v1/staff/policies", operation_id = "listPolicies", tag = "staff", responses((status = 200, body = Policies), Role, Unauthenticated))]
pub async fn list(
    staff: StaffMember,
    State(web): State<Pool<Web>>,
    State(registry): State<Arc<Registry>>,
) -> Result<Json<Policies>, Problem> {
    let mut tx = web.begin(staff.scope()).await?;
    let mut tools = Vec::new();
    for tool in registry.tools() {
        if let Some(default) = registry.default_policy(tool.contract.name) {
            tools.push(ToolPolicy {
                contract: tool.contract,
                policy: policy::load(&mut tx, tool.contract.name, default).await?,
            });
        }
    }
    Ok(Json(Policies { tools }))
}

/// Shows the policy of a tool: who decides on its proposals.
#[utoipa::path(get, path = "/v1/staff/policies/{tool}", operation_id = "getPolicy", tag = "staff", params(("tool" = String, Path)),
    responses((status = 200, body = Policy), NotFound, Role, Unauthenticated))]
pub async fn read_policy(
    staff: StaffMember,
    State(web): State<Pool<Web>>,
    State(registry): State<Arc<Registry>>,
    Path(tool): Path<String>,
) -> Result<Json<Policy>, Problem> {
    let default = registry.default_policy(&tool).ok_or_else(Problem::not_found)?;
    let mut tx = web.begin(staff.scope()).await?;
    Ok(Json(policy::load(&mut tx, &tool, default).await?))
}

/// Changes the policy of a tool: who decides on its proposals.
#[utoipa::path(put, path = "/v1/staff/policies/{tool}", operation_id = "putPolicy", tag = "staff", params(("tool" = String, Path)), request_body = Policy,
    responses((status = 200, body = Policy), NotFound, Role, Unauthenticated, BadBody))]
pub async fn change_policy(
    change: StaffChange,
    State(registry): State<Arc<Registry>>,
    Path(tool): Path<String>,
    Body(new): Body<Policy>,
) -> Result<Json<Policy>, Problem> {
    let default = registry.default_policy(&tool).ok_or_else(Problem::not_found)?;
    let mut tx = change.begin().await?;
    policy::set(&mut tx, &tool, (new, default), change.statement()).await?;
    tx.commit().await?;
    Ok(Json(new))
}
