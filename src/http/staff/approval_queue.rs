//! Routes for the approval queue: list proposals, decide on one, follow changes.

use std::{convert::Infallible, time::Duration};

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{Response, sse},
};
use chrono::{DateTime, TimeDelta, Utc};
use futures::stream;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::{Validate, ValidationError};

use crate::{
    approvals::{
        ProposalView, State as ProposalState,
        decide::{Decider, Verdict},
        list::{self, Filter},
        returns,
    },
    chat::{Message, history},
    clock::Clock,
    http::{
        drain::Drain,
        extract::{self, Body, Path, Query},
        problem::Problem,
        proposals::{DecisionDigest, DecisionRequest, Proposals},
        responses::{BadBody, BadQuery, Decision, NotFound, Role, Unauthenticated},
        staff::StaffChange,
    },
    identity::StaffMember,
    ids::ProposalId,
    tenancy::{Pool, Web},
};

#[derive(Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Queue {
    /// Proposals a page, 1 to 100.
    #[serde(default = "extract::default_page_size")]
    #[validate(range(min = 1, max = 100))]
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: u32,
    state: Option<ProposalState>,
    #[validate(length(max = 64), custom(function = crate::text::single_line))]
    tool: Option<String>,
    /// Only proposals that are at least this old, in minutes.
    #[validate(range(max = 1_000_000))]
    #[param(maximum = 1_000_000)]
    older_than: Option<u32>,
    /// Only proposals that move at least this amount: a decimal, in the store's currency.
    #[validate(custom(function = decimal))]
    #[param(example = "50.00")]
    amount_from: Option<String>,
    /// The `id` of the last proposal on the previous page.
    before: Option<ProposalId>,
}

/// Checks that a text is a decimal: up to 12 digits, then optionally a point and up to 4 digits.
fn decimal(text: &str) -> Result<(), ValidationError> {
    let digits = |part: &str, most| (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let fits = match text.split_once('.') {
        Some((whole, rest)) => digits(whole, 12) && digits(rest, 4),
        None => digits(text, 12),
    };
    let mend = || ValidationError::new("decimal").with_message("must be an amount such as 50 or 50.00".into());
    if fits { Ok(()) } else { Err(mend()) }
}

/// Lists proposals, newest first.
#[utoipa::path(get, path = "/v1/staff/proposals", operation_id = "listStaffProposals", tag = "staff", params(Queue),
    responses((status = 200, body = Proposals), BadQuery, Role, Unauthenticated))]
pub async fn queue(
    staff: StaffMember,
    State(web): State<Pool<Web>>,
    State(clock): State<Clock>,
    Query(queue): Query<Queue>,
) -> Result<Json<Proposals>, Problem> {
    let mut tx = web.begin(staff.scope()).await?;
    let filter = Filter {
        state: queue.state,
        tool: queue.tool,
        before: queue.before,
        made_by: queue
            .older_than
            .map(|minutes| clock.now() - TimeDelta::minutes(minutes.into())),
        amount_from: queue.amount_from,
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
#[utoipa::path(get, path = "/v1/staff/proposals/{id}", operation_id = "getStaffProposal", tag = "staff", params(("id" = ProposalId, Path)),
    responses((status = 200, body = ProposalInContext), NotFound, Role, Unauthenticated))]
pub async fn proposal(
    staff: StaffMember,
    State(web): State<Pool<Web>>,
    Path(id): Path<ProposalId>,
) -> Result<Json<ProposalInContext>, Problem> {
    let mut tx = web.begin(staff.scope()).await?;
    let proposal = list::get(&mut tx, id).await?.ok_or_else(Problem::not_found)?;
    let conversation = history::messages(&mut tx, proposal.conversation_id, 100, None).await?;
    Ok(Json(ProposalInContext { proposal, conversation }))
}

/// Approves the proposal whose digest was shown.
#[utoipa::path(post, path = "/v1/staff/proposals/{id}/approve", operation_id = "approveProposal", tag = "staff", params(("id" = ProposalId, Path)), request_body = DecisionDigest,
    responses((status = 200, body = ProposalView), Decision, NotFound, Unauthenticated, BadBody))]
pub async fn approve(
    staff: StaffMember,
    decision: DecisionRequest,
    Body(body): Body<DecisionDigest>,
) -> Result<Json<ProposalView>, Problem> {
    decision
        .decide(Decider::Staff(&staff), Verdict::Approve { digest: body.digest })
        .await
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rejection {
    /// The reason that the shopper reads.
    #[validate(length(min = 1, max = 500), custom(function = crate::text::multi_line), custom(function = crate::text::not_blank))]
    #[schema(example = "The items were worn.")]
    reason: String,
}

/// Rejects a proposal with a reason.
#[utoipa::path(post, path = "/v1/staff/proposals/{id}/reject", operation_id = "rejectProposal", tag = "staff", params(("id" = ProposalId, Path)), request_body = Rejection,
    responses((status = 200, body = ProposalView), Decision, NotFound, Unauthenticated, BadBody))]
pub async fn reject(
    staff: StaffMember,
    decision: DecisionRequest,
    Body(body): Body<Rejection>,
) -> Result<Json<ProposalView>, Problem> {
    decision
        .decide(Decider::Staff(&staff), Verdict::Reject { reason: body.reason })
        .await
}

/// Withdraws a proposal for a shopper who asked for it elsewhere.
#[utoipa::path(post, path = "/v1/staff/proposals/{id}/withdraw", operation_id = "staffWithdrawProposal", tag = "staff", params(("id" = ProposalId, Path)),
    responses((status = 200, body = ProposalView), Decision, NotFound, Unauthenticated))]
pub async fn withdraw(staff: StaffMember, decision: DecisionRequest) -> Result<Json<ProposalView>, Problem> {
    decision.decide(Decider::Staff(&staff), Verdict::Withdraw).await
}

/// Confirms that the returned items have arrived. A return is refunded, and an exchange's price difference is settled, once.
#[utoipa::path(post, path = "/v1/staff/proposals/{id}/received", operation_id = "confirmReturnReceived", tag = "staff", params(("id" = ProposalId, Path)),
    responses((status = 204), NotFound, Role, Unauthenticated))]
pub async fn received(change: StaffChange, Path(id): Path<ProposalId>) -> Result<StatusCode, Problem> {
    end_return(change, id, true).await
}

/// Cancels a return or exchange whose parcel has not arrived. The shopper keeps the items, and what was paid for it is refunded.
#[utoipa::path(post, path = "/v1/staff/proposals/{id}/call-off", operation_id = "callOffReturn", tag = "staff", params(("id" = ProposalId, Path)),
    responses((status = 204), NotFound, Role, Unauthenticated))]
pub async fn call_off(change: StaffChange, Path(id): Path<ProposalId>) -> Result<StatusCode, Problem> {
    end_return(change, id, false).await
}

async fn end_return(change: StaffChange, id: ProposalId, has_come: bool) -> Result<StatusCode, Problem> {
    let mut tx = change.begin().await?;
    let found = returns::end(&mut tx, id, has_come, change.statement()).await?;
    StaffChange::finish_noted(tx, found).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Follows the queue: sends an event for each proposal that is created or changes.
#[utoipa::path(get, path = "/v1/staff/proposals/events", operation_id = "streamProposalEvents", tag = "staff",
    responses((status = 200, content_type = "text/event-stream", body = ProposalView), Role, Unauthenticated))]
pub async fn events(
    staff: StaffMember,
    State(web): State<Pool<Web>>,
    State(clock): State<Clock>,
    State(drain): State<Drain>,
) -> Response {
    let start = (clock.now(), ProposalId::from(uuid::Uuid::max()));
    let changes = stream::unfold(
        (start, Vec::new()),
        move |(mut since, mut waiting): ((DateTime<Utc>, ProposalId), Vec<ProposalView>)| {
            let (web, staff, clock) = (web.clone(), staff.clone(), clock.clone());
            async move {
                while waiting.is_empty() {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    let mut tx = web.begin(staff.scope()).await.ok()?;
                    // The stream ends with the session or key that opened it.
                    if !staff.is_live(&mut tx, clock.now()).await.ok()? {
                        return None;
                    }
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
    drain.event_stream(changes)
}
