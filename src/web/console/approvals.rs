//! The page *Approvals* lists the requests that wait for a decision; each has a page with its exact effect, where staff decide.

use askama::Template;
use axum::{
    Router,
    extract::{Path, Query},
    response::Response,
    routing::{get, post},
};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Console, Failure, Page, Submitted, Visitor, conversations::MessageView, done, filters, query, render};
use crate::{
    approvals::{Awaiting, ProposalView, State, rendering::Detail},
    ids::ProposalId,
    language::Language,
    ledger::Payout,
};

pub fn routes() -> Router<Console> {
    Router::new()
        .route("/console", get(list))
        .route("/console/approve-together", post(approve_together))
        .route("/console/proposals/{id}", get(proposal))
        .route("/console/proposals/{id}/approve", post(approve))
        .route("/console/proposals/{id}/reject", post(reject))
        .route("/console/proposals/{id}/withdraw", post(withdraw))
        .route("/console/proposals/{id}/received", post(received))
        .route("/console/proposals/{id}/call-off", post(call_off))
}

/// The states that the filter offers: the API's name, and the label that people read.
const STATES: [(&str, &str); 10] = [
    ("pending", "Waiting"),
    ("", "All"),
    ("approved", "Approved"),
    ("awaiting_payment", "Collecting payment"),
    ("needs_payment", "Waiting for the shopper to pay"),
    ("executed", "Completed"),
    ("rejected", "Declined"),
    ("failed", "Failed"),
    ("stale", "Out of date"),
    ("expired", "Expired"),
];

fn state_in_words(proposal: &ProposalView) -> &'static str {
    match (proposal.state, proposal.awaiting) {
        (State::Pending, Awaiting::Staff) => "Waiting for approval",
        (State::Pending, Awaiting::Shopper) => "Waiting for the shopper to confirm",
        (State::Executing, _) => "In progress",
        (state, _) => {
            let named = STATES.iter().find(|(name, _)| *name == state.name());
            named.map_or("", |(_, words)| words)
        }
    }
}

/// Whether the proposal waits for a decision of staff.
fn waits_for_staff(proposal: &ProposalView) -> bool {
    proposal.state == State::Pending && proposal.awaiting == Awaiting::Staff
}

/// Whether the proposal may be approved together with others: it moves no money and waits for staff.
fn is_low_risk(proposal: &ProposalView) -> bool {
    proposal.plan.amount.is_none() && waits_for_staff(proposal)
}

#[derive(Deserialize)]
struct Filter {
    state: Option<String>,
    #[serde(default)]
    tool: String,
    #[serde(default)]
    older_than: String,
    #[serde(default)]
    amount_from: String,
}

#[derive(Deserialize)]
struct Proposals {
    proposals: Vec<ProposalView>,
}

struct Row {
    proposal: ProposalView,
    state: &'static str,
    age: String,
    low_risk: bool,
}

#[derive(Template)]
#[template(path = "console/approvals.html")]
struct ApprovalsPage {
    page: Page,
    rows: Vec<Row>,
    states: &'static [(&'static str, &'static str)],
    state: String,
    filter: Filter,
}

impl ApprovalsPage {
    fn some_low_risk(&self) -> bool {
        self.rows.iter().any(|row| row.low_risk)
    }
}

async fn list(visitor: Visitor, Query(filter): Query<Filter>) -> Result<Response, Failure> {
    let state = filter.state.clone().unwrap_or_else(|| "pending".into());
    // The page shows `return_items` as `Return items`, so the filter accepts both.
    let tool = filter.tool.trim().to_lowercase().replace(' ', "_");
    let query = query(&[
        ("limit", "100"),
        ("state", &state),
        ("tool", &tool),
        ("older_than", filter.older_than.trim()),
        ("amount_from", filter.amount_from.trim()),
    ]);
    let found: Proposals = visitor.get(&format!("/v1/staff/proposals?{query}")).await?;
    let row = |proposal: ProposalView| Row {
        state: state_in_words(&proposal),
        age: age(proposal.created_at),
        low_risk: is_low_risk(&proposal),
        proposal,
    };
    Ok(render(&ApprovalsPage {
        page: visitor.page("Approvals").await?,
        rows: found.proposals.into_iter().map(row).collect(),
        states: &STATES,
        state,
        filter,
    }))
}

/// Formats the age as `3 min`, `5 h` or `2 days`.
fn age(at: DateTime<Utc>) -> String {
    match (crate::clock::now() - at).num_minutes() {
        minutes @ ..60 => format!("{} min", minutes.max(0)),
        minutes @ 60..1440 => format!("{} h", minutes / 60),
        minutes @ 1440..2880 => format!("{} day", minutes / 1440),
        minutes => format!("{} days", minutes / 1440),
    }
}

/// Approves the chosen proposals one after the other, each with the digest that was shown. A proposal that moves money is not approved,
/// even if the form contains it.
async fn approve_together(visitor: Visitor, axum::Form(form): axum::Form<Submitted>) -> Result<Response, Failure> {
    let (mut approved, mut left) = (0, 0);
    for chosen in form.all("proposal") {
        let parts = chosen
            .split_once(':')
            .and_then(|(id, shown)| Some((id.parse::<ProposalId>().ok()?, shown)));
        let Some((id, shown)) = parts else {
            continue;
        };
        let found: InContext = visitor.get(&format!("/v1/staff/proposals/{id}")).await?;
        let path = format!("/v1/staff/proposals/{id}/approve");
        match is_low_risk(&found.proposal) && visitor.post(&path, json!({ "digest": shown })).await.is_ok() {
            true => approved += 1,
            false => left += 1,
        }
    }
    Ok(done("/console", &format!("{approved}-approved,-{left}-not-approved")))
}

#[derive(Deserialize)]
struct InContext {
    proposal: ProposalView,
    conversation: Vec<MessageView>,
}

#[derive(Template)]
#[template(path = "console/proposal.html")]
struct ProposalPage {
    page: Page,
    proposal: ProposalView,
    conversation: Vec<MessageView>,
    state: &'static str,
    /// Whether the proposal waits for a decision of staff.
    waits_for_staff: bool,
    /// Whether the proposal can still be withdrawn.
    can_withdraw: bool,
    /// `return` or `exchange`, if the shopper must send items back.
    comes_back: Option<&'static str>,
}

impl ProposalPage {
    fn changes(&self) -> &[Detail] {
        self.proposal.plan.details.get(&Language::EN).map_or(&[], Vec::as_slice)
    }
}

async fn proposal(visitor: Visitor, Path(id): Path<ProposalId>) -> Result<Response, Failure> {
    let InContext { proposal, conversation } = visitor.get(&format!("/v1/staff/proposals/{id}")).await?;
    let comes_back = match proposal.tool.as_str() {
        "return_items" => Some("return"),
        "exchange_items" => Some("exchange"),
        _ => None,
    };
    Ok(render(&ProposalPage {
        page: visitor.page(&proposal.plan.summary).await?,
        conversation,
        state: state_in_words(&proposal),
        waits_for_staff: waits_for_staff(&proposal),
        can_withdraw: matches!(
            proposal.state,
            State::Pending | State::AwaitingPayment | State::NeedsPayment
        ),
        comes_back: comes_back.filter(|_| proposal.state == State::Executed),
        proposal,
    }))
}

/// Calls a route of the proposal, such as `approve`, and leads back to the proposal's page.
async fn act(visitor: &Visitor, id: ProposalId, act: &str, body: Value, word: &str) -> Result<Response, Failure> {
    visitor.post(&format!("/v1/staff/proposals/{id}/{act}"), body).await?;
    Ok(done(&format!("/console/proposals/{id}"), word))
}

async fn approve(
    visitor: Visitor,
    Path(id): Path<ProposalId>,
    axum::Form(form): axum::Form<Submitted>,
) -> Result<Response, Failure> {
    let body = json!({ "digest": form.text("digest") });
    act(&visitor, id, "approve", body, "approved").await
}

async fn reject(
    visitor: Visitor,
    Path(id): Path<ProposalId>,
    axum::Form(form): axum::Form<Submitted>,
) -> Result<Response, Failure> {
    let body = json!({ "reason": form.text("reason") });
    act(&visitor, id, "reject", body, "declined").await
}

async fn withdraw(visitor: Visitor, Path(id): Path<ProposalId>) -> Result<Response, Failure> {
    act(&visitor, id, "withdraw", Value::Null, "withdrawn").await
}

async fn received(visitor: Visitor, Path(id): Path<ProposalId>) -> Result<Response, Failure> {
    act(&visitor, id, "received", Value::Null, "received").await
}

async fn call_off(visitor: Visitor, Path(id): Path<ProposalId>) -> Result<Response, Failure> {
    act(&visitor, id, "call-off", Value::Null, "cancelled").await
}
