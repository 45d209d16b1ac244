//! Routes for the shopper's own proposals: list, show, confirm, withdraw. Only this request confirms a proposal; nothing that the model
//! says does.

use axum::{
    Json,
    extract::{FromRef, FromRequestParts, State},
    http::request::Parts,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::{
    App,
    extract::{Body, Path},
    problem::{Problem, ProblemDetails},
    request_id,
    responses::{BadBody, CrossSite, Decision, NotFound, Unauthenticated},
};
use crate::{
    approvals::{
        ProposalView,
        decide::{Decider, Verdict, decide},
        list::{self, Filter},
    },
    clock::Clock,
    identity::Shopper,
    ids::ProposalId,
    tenancy::{Pool, Web},
};

/// How many of a shopper's proposals are listed at most.
const MAX_LISTED: u32 = 50;

#[derive(Serialize, ToSchema)]
pub struct Proposals {
    pub(super) proposals: Vec<ProposalView>,
}

/// Binds a decision to the exact plan that the caller was shown.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionDigest {
    /// The proposal's `digest`.
    #[validate(length(equal = 64))]
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    pub(super) digest: String,
}

/// An extractor for routes that decide on a proposal: its id, and what a decision needs.
pub(super) struct DecisionRequest {
    web: Pool<Web>,
    clock: Clock,
    id: ProposalId,
    request_id: Option<String>,
}

impl FromRequestParts<App> for DecisionRequest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Path(id) = Path::from_request_parts(parts, app).await?;
        Ok(Self {
            web: Pool::from_ref(app),
            clock: Clock::from_ref(app),
            id,
            request_id: request_id(&parts.headers),
        })
    }
}

impl DecisionRequest {
    pub async fn decide(self, decider: Decider<'_>, verdict: Verdict) -> Result<Json<ProposalView>, Problem> {
        let now = self.clock.now();
        let decided = decide(&self.web, decider, self.id, verdict, self.request_id, now).await?;
        Ok(Json(decided))
    }
}

/// Lists the shopper's newest proposals.
#[utoipa::path(get, path = "/v1/proposals", operation_id = "listProposals", tag = "proposals", responses((status = 200, body = Proposals), Unauthenticated))]
pub async fn list(shopper: Shopper, State(web): State<Pool<Web>>) -> Result<Json<Proposals>, Problem> {
    let mut tx = web.begin(shopper.scope()).await?;
    Ok(Json(Proposals {
        proposals: list::list(&mut tx, MAX_LISTED, &Filter::default()).await?,
    }))
}

/// Shows one of the shopper's proposals.
#[utoipa::path(get, path = "/v1/proposals/{id}", operation_id = "getProposal", tag = "proposals", params(("id" = ProposalId, Path)),
    responses((status = 200, body = ProposalView), NotFound, Unauthenticated))]
pub async fn get(
    shopper: Shopper,
    State(web): State<Pool<Web>>,
    Path(id): Path<ProposalId>,
) -> Result<Json<ProposalView>, Problem> {
    let mut tx = web.begin(shopper.scope()).await?;
    list::get(&mut tx, id).await?.map(Json).ok_or_else(Problem::not_found)
}

/// Confirms a proposal that waits for the shopper's decision.
#[utoipa::path(post, path = "/v1/proposals/{id}/confirm", operation_id = "confirmProposal", tag = "proposals", params(("id" = ProposalId, Path)), request_body = DecisionDigest,
    responses((status = 200, body = ProposalView), Decision, NotFound, Unauthenticated, BadBody))]
pub async fn confirm(
    shopper: Shopper,
    decision: DecisionRequest,
    Body(body): Body<DecisionDigest>,
) -> Result<Json<ProposalView>, Problem> {
    decision
        .decide(Decider::Shopper(&shopper), Verdict::Approve { digest: body.digest })
        .await
}

/// Withdraws a proposal.
#[utoipa::path(post, path = "/v1/proposals/{id}/withdraw", operation_id = "withdrawProposal", tag = "proposals", params(("id" = ProposalId, Path)),
    responses((status = 200, body = ProposalView),
        CrossSite,
        (status = 409, body = ProblemDetails, content_type = "application/problem+json", description = "It is not pending any more"),
        NotFound, Unauthenticated))]
pub async fn withdraw(shopper: Shopper, decision: DecisionRequest) -> Result<Json<ProposalView>, Problem> {
    decision.decide(Decider::Shopper(&shopper), Verdict::Withdraw).await
}
