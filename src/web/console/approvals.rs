//! The home page: what waits for somebody's decision, its exact effect, and the decision.

use axum::{
    Router,
    extract::{Path, Query},
    response::Response,
    routing::{get, post},
};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Console, Failure, Form, Visitor, done, query,
    view::{APPROVE, Approval, Approvals, Field, Form as Fields, Section, list, string, when, words},
};

const STATES: [(&str, &str); 10] = [
    ("pending", "Waiting"),
    ("", "All"),
    ("approved", "Approved"),
    ("awaiting_payment", "Collecting payment"),
    ("needs_payment", "Waiting for the shopper to pay"),
    ("executed", "Executed"),
    ("rejected", "Rejected"),
    ("failed", "Failed"),
    ("stale", "Out of date"),
    ("expired", "Expired"),
];

pub fn routes() -> Router<Console> {
    Router::new()
        .route("/console", get(queue))
        .route("/console/approve-together", post(approve_together))
        .route("/console/proposals/{id}", get(proposal))
        .route("/console/proposals/{id}/approve", post(approve))
        .route("/console/proposals/{id}/reject", post(reject))
        .route("/console/proposals/{id}/withdraw", post(withdraw))
        .route("/console/proposals/{id}/received", post(received))
        .route("/console/proposals/{id}/call-off", post(call_off))
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

async fn queue(visitor: Visitor, Query(filter): Query<Filter>) -> Result<Response, Failure> {
    let state = filter.state.as_deref().unwrap_or("pending");
    let query = query(&[
        ("limit", "100"),
        ("state", state),
        ("tool", filter.tool.trim()),
        ("older_than", filter.older_than.trim()),
        ("amount_from", filter.amount_from.trim()),
    ]);
    let found: Value = visitor.get(&format!("/v1/staff/proposals?{query}")).await?;
    let rows: Vec<Approval> = list(&found, "proposals").iter().map(approval).collect();
    let bulk = rows.iter().any(|row| row.low_risk);
    let filter = Fields {
        method: "get",
        ..Fields::post(
            "Show",
            "/console",
            "Show",
            vec![
                Field::select("state", "State", &STATES, state),
                Field::new("tool", "Tool", "text").optional().of(&filter.tool),
                Field::new("older_than", "Waiting for at least (minutes)", "number")
                    .optional()
                    .of(&filter.older_than),
                Field::new("amount_from", "Amount, at least", "text")
                    .optional()
                    .of(&filter.amount_from),
            ],
        )
    };
    visitor
        .page(
            "Approvals",
            vec![Section::Approvals(Approvals { rows, bulk }), Section::Form(filter)],
        )
        .await
}

fn approval(proposal: &Value) -> Approval {
    let (state, awaiting) = (string(proposal, "state"), string(proposal, "awaiting"));
    let amount = &proposal["plan"]["amount"];
    Approval {
        id: string(proposal, "id"),
        shown: string(proposal, "digest"),
        summary: string(&proposal["plan"], "summary"),
        tool: string(proposal, "tool"),
        amount: if amount.is_null() { String::new() } else { words(amount) },
        age: age(&string(proposal, "created_at")),
        low_risk: amount.is_null() && state == "pending" && awaiting == "staff",
        state,
        awaiting,
    }
}

/// `3 min`, `5 h`, `2 days`.
fn age(created_at: &str) -> String {
    let Ok(at) = created_at.parse::<DateTime<Utc>>() else {
        return String::new();
    };
    match (crate::clock::now() - at).num_minutes() {
        minutes @ ..60 => format!("{} min", minutes.max(0)),
        minutes @ 60..1440 => format!("{} h", minutes / 60),
        minutes => format!("{} days", minutes / 1440),
    }
}

/// A plan's changes as rows: what, before, after.
fn changes(plan: &Value) -> Vec<(String, String, String)> {
    let row = |detail: &Value| {
        (
            string(detail, "label"),
            string(detail, "before"),
            string(detail, "after"),
        )
    };
    list(&plan["details"], "en").iter().map(row).collect()
}

async fn proposal(visitor: Visitor, Path(id): Path<uuid::Uuid>) -> Result<Response, Failure> {
    let found: Value = visitor.get(&format!("/v1/staff/proposals/{id}")).await?;
    let proposal = &found["proposal"];
    let state = string(proposal, "state");
    let facts = format!(
        "{} · {state}{}{} · proposed {} · expires {}{}",
        string(proposal, "tool"),
        match proposal["payout"].as_str() {
            Some("requested") => ", the refund has not been paid yet",
            Some("paid") => ", the refund has been paid",
            Some("failed") => ", the refund could not be paid",
            _ => "",
        },
        if state == "pending" {
            format!(", for {}", string(proposal, "awaiting"))
        } else {
            String::new()
        },
        when(&proposal["created_at"]),
        when(&proposal["expires_at"]),
        proposal["reason"]
            .as_str()
            .map(|reason| format!(" · {reason}"))
            .unwrap_or_default(),
    );
    let mut sections = vec![
        Section::note("plain", facts),
        Section::Changes(changes(&proposal["plan"])),
    ];
    let to = |act: &str| format!("/console/proposals/{id}/{act}");
    if state == "pending" && proposal["awaiting"] == "staff" {
        let shown = || Field::hidden("digest", string(proposal, "digest"));
        sections.push(Section::Form(Fields {
            key: "a",
            undo: true,
            help: "You approve exactly what is shown above, and nothing else.",
            ..Fields::post("Approve this request", to("approve"), "Approve", vec![shown()])
                .calling(APPROVE.0, APPROVE.1)
        }));
        let reason = Field::new("reason", "Reason, which the shopper reads", "textarea");
        sections.push(Section::Form(Fields {
            key: "r",
            ..Fields::post("Reject this request", to("reject"), "Reject", vec![reason])
                .calling("POST", "/v1/staff/proposals/{id}/reject")
        }));
    }
    if matches!(state.as_str(), "pending" | "awaiting_payment" | "needs_payment") {
        let withdraw = Fields::post("Withdraw for the shopper", to("withdraw"), "Withdraw", vec![]);
        sections.push(Section::Form(
            withdraw.calling("POST", "/v1/staff/proposals/{id}/withdraw"),
        ));
    }
    if state == "executed" && matches!(proposal["tool"].as_str(), Some("return_items" | "exchange_items")) {
        let received = Fields {
            help: "Settles the money: a return is refunded, an exchange's difference is charged or refunded. It does so once.",
            ..Fields::post("The parcel is back", to("received"), "Mark as received", vec![])
        };
        sections.push(Section::Form(
            received.calling("POST", "/v1/staff/proposals/{id}/received"),
        ));
        let call_off = Fields {
            help: "The shopper keeps the items. The order is as before, and what was paid for the exchange goes back.",
            ..Fields::post("The parcel will not come", to("call-off"), "Call off", vec![])
        };
        sections.push(Section::Form(
            call_off.calling("POST", "/v1/staff/proposals/{id}/call-off"),
        ));
    }
    sections.push(Section::Links(vec![(
        format!("/console/conversations/{}", string(proposal, "conversation_id")),
        "The whole conversation".into(),
    )]));
    sections.push(Section::Talk(talk(list(&found, "conversation"))));
    visitor.page(&string(&proposal["plan"], "summary"), sections).await
}

/// Messages as they are shown: who, what, when.
pub(super) fn talk(messages: &[Value]) -> Vec<(String, String, String)> {
    let said = |message: &Value| {
        (
            string(message, "author"),
            string(message, "text"),
            when(&message["created_at"]),
        )
    };
    messages.iter().map(said).collect()
}

async fn approve(
    visitor: Visitor,
    Path(id): Path<uuid::Uuid>,
    axum::Form(form): axum::Form<Form>,
) -> Result<Response, Failure> {
    let path = format!("/v1/staff/proposals/{id}/approve");
    visitor.post(&path, json!({ "digest": form.text("digest") })).await?;
    Ok(done(&format!("/console/proposals/{id}"), "approved"))
}

async fn reject(
    visitor: Visitor,
    Path(id): Path<uuid::Uuid>,
    axum::Form(form): axum::Form<Form>,
) -> Result<Response, Failure> {
    let path = format!("/v1/staff/proposals/{id}/reject");
    visitor.post(&path, json!({ "reason": form.text("reason") })).await?;
    Ok(done(&format!("/console/proposals/{id}"), "rejected"))
}

async fn withdraw(visitor: Visitor, Path(id): Path<uuid::Uuid>) -> Result<Response, Failure> {
    visitor
        .post(&format!("/v1/staff/proposals/{id}/withdraw"), Value::Null)
        .await?;
    Ok(done(&format!("/console/proposals/{id}"), "withdrawn"))
}

async fn received(visitor: Visitor, Path(id): Path<uuid::Uuid>) -> Result<Response, Failure> {
    visitor
        .post(&format!("/v1/staff/proposals/{id}/received"), Value::Null)
        .await?;
    Ok(done(&format!("/console/proposals/{id}"), "received"))
}

async fn call_off(visitor: Visitor, Path(id): Path<uuid::Uuid>) -> Result<Response, Failure> {
    visitor
        .post(&format!("/v1/staff/proposals/{id}/call-off"), Value::Null)
        .await?;
    Ok(done(&format!("/console/proposals/{id}"), "called-off"))
}

/// Approves one after the other, each bound to what was shown. What moves money is left out, whatever the form says.
async fn approve_together(visitor: Visitor, axum::Form(form): axum::Form<Form>) -> Result<Response, Failure> {
    let (mut approved, mut left) = (0, 0);
    for chosen in form.all("proposal") {
        let parts = chosen
            .split_once(':')
            .and_then(|(id, shown)| Some((id.parse::<uuid::Uuid>().ok()?, shown)));
        let Some((id, shown)) = parts else {
            continue;
        };
        let found: Value = visitor.get(&format!("/v1/staff/proposals/{id}")).await?;
        let low_risk = approval(&found["proposal"]).low_risk;
        let path = format!("/v1/staff/proposals/{id}/approve");
        match low_risk && visitor.post(&path, json!({ "digest": shown })).await.is_ok() {
            true => approved += 1,
            false => left += 1,
        }
    }
    Ok(done("/console", &format!("{approved}-approved,-{left}-left")))
}
