//! Staff: logging in, the approval queue, policies, the audit.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response, Sse, sse},
};
use chrono::{DateTime, Utc};
use futures::stream;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use super::{
    SessionRules,
    body::{Body, Path, Query},
    documented::{BadBody, BadQuery, Decision, NotFound, Role, Unauthenticated},
    extract::{Admin, Approver, Viewer},
    problem::Problem,
    proposals::{AsShown, Proposals, decided},
    request_id,
    sessions::{LogIn, Store},
};
use crate::{
    approvals::{
        ProposalView, State as ProposalState,
        decide::{Decider, Verdict},
        list::{self, Filter},
        policy::{self, Policy},
    },
    chat::{Message, history},
    identity::{StaffRole, staff},
    ids::ProposalId,
    tenancy::{
        Pool, Web,
        audit::{self, Actor, AuditEntry},
    },
    tools::Registry,
};

/// A staff session that was just opened. The token is shown this once.
#[derive(Serialize, ToSchema)]
pub struct OpenedStaffSession {
    token: String,
    role: StaffRole,
    expires_at: DateTime<Utc>,
}

/// Logs a member of staff in.
#[utoipa::path(post, path = "/v1/staff/sessions", tag = "staff", security(("store_key" = [])), request_body = LogIn,
    responses((status = 201, body = OpenedStaffSession), Unauthenticated, BadBody))]
pub async fn log_in(
    store: Store,
    State(web): State<Pool<Web>>,
    State(rules): State<SessionRules>,
    Body(log_in): Body<LogIn>,
) -> Result<(StatusCode, Json<OpenedStaffSession>), Problem> {
    let (email, password) = log_in.into_parts();
    let (token, role, expires_at) = staff::log_in(&web, store.tenant(), &email, password, rules.clock.now()).await?;
    Ok((
        StatusCode::CREATED,
        Json(OpenedStaffSession {
            token: token.expose().to_owned(),
            role,
            expires_at,
        }),
    ))
}

#[derive(Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Queue {
    /// Proposals a page, 1 to 100.
    #[serde(default = "fifty")]
    #[validate(range(min = 1, max = 100))]
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: u32,
    state: Option<ProposalState>,
    #[validate(length(max = 64), custom(function = crate::text::single_line))]
    tool: Option<String>,
    /// The `id` of the last proposal of the page before.
    before: Option<ProposalId>,
}

fn fifty() -> u32 {
    50
}

/// Lists proposals, newest first.
#[utoipa::path(get, path = "/v1/staff/proposals", tag = "staff", params(Queue),
    responses((status = 200, body = Proposals), BadQuery, Role, Unauthenticated))]
pub async fn queue(
    Viewer(staff): Viewer,
    State(web): State<Pool<Web>>,
    Query(queue): Query<Queue>,
) -> Result<Json<Proposals>, Problem> {
    let mut tx = web.begin(staff.scope()).await?;
    let filter = Filter {
        state: queue.state,
        tool: queue.tool,
        before: queue.before,
    };
    Ok(Json(Proposals {
        proposals: list::list(&mut tx, queue.limit, &filter).await?,
    }))
}

/// A proposal with the conversation it came from.
#[derive(Serialize, ToSchema)]
pub struct ProposalInContext {
    proposal: ProposalView,
    conversation: Vec<Message>,
}

/// Shows a proposal: its exact effect and the conversation it came from.
#[utoipa::path(get, path = "/v1/staff/proposals/{id}", tag = "staff", params(("id" = ProposalId, Path)),
    responses((status = 200, body = ProposalInContext), NotFound, Role, Unauthenticated))]
pub async fn proposal(
    Viewer(staff): Viewer,
    State(web): State<Pool<Web>>,
    Path(id): Path<ProposalId>,
) -> Result<Json<ProposalInContext>, Problem> {
    let mut tx = web.begin(staff.scope()).await?;
    let proposal = list::get(&mut tx, id).await?.ok_or_else(Problem::not_found)?;
    let conversation = history::messages(&mut tx, proposal.conversation_id, 100, None).await?;
    Ok(Json(ProposalInContext { proposal, conversation }))
}

/// Approves a proposal, bound to what was shown.
#[utoipa::path(post, path = "/v1/staff/proposals/{id}/approve", tag = "staff", params(("id" = ProposalId, Path)), request_body = AsShown,
    responses((status = 200, body = ProposalView), Decision, NotFound, Unauthenticated, BadBody))]
pub async fn approve(
    Approver(staff): Approver,
    State(web): State<Pool<Web>>,
    State(rules): State<SessionRules>,
    Path(id): Path<ProposalId>,
    headers: HeaderMap,
    Body(body): Body<AsShown>,
) -> Result<Json<ProposalView>, Problem> {
    let verdict = Verdict::Approve { shown: body.shown };
    decided(&web, &rules, &headers, Decider::Staff(&staff), id, verdict).await
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rejection {
    /// The shopper reads it.
    #[validate(length(min = 1, max = 500), custom(function = crate::text::multi_line), custom(function = crate::text::not_blank))]
    #[schema(example = "The items were worn.")]
    reason: String,
}

/// Rejects a proposal with a reason.
#[utoipa::path(post, path = "/v1/staff/proposals/{id}/reject", tag = "staff", params(("id" = ProposalId, Path)), request_body = Rejection,
    responses((status = 200, body = ProposalView), Decision, NotFound, Unauthenticated, BadBody))]
pub async fn reject(
    Approver(staff): Approver,
    State(web): State<Pool<Web>>,
    State(rules): State<SessionRules>,
    Path(id): Path<ProposalId>,
    headers: HeaderMap,
    Body(body): Body<Rejection>,
) -> Result<Json<ProposalView>, Problem> {
    let verdict = Verdict::Reject { reason: body.reason };
    decided(&web, &rules, &headers, Decider::Staff(&staff), id, verdict).await
}

/// Takes a proposal back for a shopper who asked for it elsewhere.
#[utoipa::path(post, path = "/v1/staff/proposals/{id}/withdraw", tag = "staff", params(("id" = ProposalId, Path)),
    responses((status = 200, body = ProposalView), Decision, NotFound, Unauthenticated))]
pub async fn withdraw(
    Approver(staff): Approver,
    State(web): State<Pool<Web>>,
    State(rules): State<SessionRules>,
    Path(id): Path<ProposalId>,
    headers: HeaderMap,
) -> Result<Json<ProposalView>, Problem> {
    decided(&web, &rules, &headers, Decider::Staff(&staff), id, Verdict::Withdraw).await
}

/// Follows the queue: an event for each proposal that is made or changes.
#[utoipa::path(get, path = "/v1/staff/proposals/events", tag = "staff",
    responses((status = 200, content_type = "text/event-stream", body = ProposalView), Role, Unauthenticated))]
pub async fn events(
    Viewer(staff): Viewer,
    State(web): State<Pool<Web>>,
    State(rules): State<SessionRules>,
) -> Response {
    let start = (rules.clock.now(), ProposalId::from(uuid::Uuid::max()));
    let changes = stream::unfold(
        (start, Vec::new()),
        move |(mut since, mut waiting): ((DateTime<Utc>, ProposalId), Vec<ProposalView>)| {
            let (web, staff) = (web.clone(), staff.clone());
            async move {
                while waiting.is_empty() {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    let mut tx = web.begin(staff.scope()).await.ok()?;
                    waiting = list::changed_since(&mut tx, since).await.ok()?;
                    waiting.reverse();
                    if let Some(last) = waiting.first() {
                        since = (last.updated_at, last.id);
                    }
                }
                let next = waiting.pop()?;
                let event = sse::Event::default()
                    .event("proposal")
                    .json_data(&next)
                    .unwrap_or_default();
                Some((Ok::<_, Infallible>(event), (since, waiting)))
            }
        },
    );
    Sse::new(changes)
        .keep_alive(sse::KeepAlive::new().interval(Duration::from_secs(15)))
        .into_response()
}

/// Reads who decides on a tool's proposals.
#[utoipa::path(get, path = "/v1/staff/policies/{tool}", tag = "staff", params(("tool" = String, Path)),
    responses((status = 200, body = Policy), NotFound, Role, Unauthenticated))]
pub async fn read_policy(
    Viewer(staff): Viewer,
    State(web): State<Pool<Web>>,
    State(registry): State<Arc<Registry>>,
    Path(tool): Path<String>,
) -> Result<Json<Policy>, Problem> {
    let default = registry.default_policy(&tool).ok_or_else(Problem::not_found)?;
    let mut tx = web.begin(staff.scope()).await?;
    Ok(Json(policy::load(&mut tx, &tool, default).await?))
}

/// Changes who decides on a tool's proposals.
#[utoipa::path(put, path = "/v1/staff/policies/{tool}", tag = "staff", params(("tool" = String, Path)), request_body = Policy,
    responses((status = 200, body = Policy), NotFound, Role, Unauthenticated, BadBody))]
pub async fn change_policy(
    Admin(staff): Admin,
    State(web): State<Pool<Web>>,
    State(rules): State<SessionRules>,
    State(registry): State<Arc<Registry>>,
    Path(tool): Path<String>,
    headers: HeaderMap,
    Body(new): Body<Policy>,
) -> Result<Json<Policy>, Problem> {
    let default = registry.default_policy(&tool).ok_or_else(Problem::not_found)?;
    let mut tx = web.begin(staff.scope()).await?;
    let old = policy::load(&mut tx, &tool, default).await?;
    let actor = Actor::staff(staff.id()).in_request(request_id(&headers));
    policy::set(&mut tx, &tool, old, new, staff.id(), &actor, rules.clock.now()).await?;
    tx.commit().await?;
    Ok(Json(new))
}

#[derive(Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditPage {
    /// Entries a page, 1 to 100.
    #[serde(default = "fifty")]
    #[validate(range(min = 1, max = 100))]
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: u32,
    /// The `seq` of the last entry of the page before.
    before: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub struct Audit {
    entries: Vec<AuditEntry>,
}

/// Reads the audit, newest first.
#[utoipa::path(get, path = "/v1/staff/audit", tag = "staff", params(AuditPage), responses((status = 200, body = Audit), BadQuery, Role, Unauthenticated))]
pub async fn audit(
    Viewer(staff): Viewer,
    State(web): State<Pool<Web>>,
    Query(page): Query<AuditPage>,
) -> Result<Json<Audit>, Problem> {
    let mut tx = web.begin(staff.scope()).await?;
    Ok(Json(Audit {
        entries: audit::list(&mut tx, page.limit, page.before).await?,
    }))
}
