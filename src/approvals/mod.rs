//! Proposals: what the model wants to be done, who decides on it, and how it is executed once.
//!
//! Law: a write tool writes one thing, a proposal. Its plan is the exact effect as data; a decision is bound to the
//! digest of that plan; the executor plans again and does nothing unless the plan is still the same.

mod authority;
pub mod decide;
mod coupons;
mod effects;
mod executor;
pub mod expire;
pub mod list;
mod names;
mod outcome;
mod payouts;
mod plan;
pub mod policy;
mod propose;
pub mod rendering;
pub mod returns;

pub use executor::{Done, ExecuteError, Planner, ProposalExecutor};
pub use list::{ProposalView, executed_for};
pub use names::Names;
pub use plan::{OrderRef, Plan, PlanError};
pub use propose::{ProposalRequest, ProposeError, propose};

/// The state of a proposal. The database enforces the same transitions (`proposals_step`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum State {
    /// Waits for a decision.
    Pending,
    /// Approved; the executor will make the changes.
    Approved,
    Rejected,
    /// It was not decided in time.
    Expired,
    /// What it was planned on has changed.
    Stale,
    Executing,
    /// The money that it needs is being collected; the change is made once the money is confirmed.
    AwaitingPayment,
    /// The shopper must pay at the provider's page first. Nothing was changed yet.
    NeedsPayment,
    Executed,
    /// The execution failed for good.
    Failed,
}

impl State {
    /// The state's name on the wire and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Stale => "stale",
            Self::Executing => "executing",
            Self::AwaitingPayment => "awaiting_payment",
            Self::NeedsPayment => "needs_payment",
            Self::Executed => "executed",
            Self::Failed => "failed",
        }
    }
}

/// Whose decision a proposal awaits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Awaiting {
    Staff,
    Shopper,
    Nobody,
}
