//! Proposals: what the model would like done, who decides on it, and how it is done once.
//!
//! Law: a write tool writes one thing, a proposal. Its plan is the exact effect as data; a decision is bound to the
//! digest of that plan; the executor plans again and does nothing unless the plan is still the same.

mod authority;
pub mod decide;
mod effects;
mod executor;
pub mod expire;
pub mod list;
mod outcome;
mod payouts;
mod plan;
pub mod policy;
mod propose;
pub mod rendering;
pub mod returns;

pub use executor::{Done, ExecuteError, Executor, Planner};
pub use list::ProposalView;
pub use plan::{OrderRef, Plan, PlanError};
pub use propose::{Asked, ProposeError, propose};

/// Where a proposal stands. The database holds the same machine (`proposals_step`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum State {
    /// Waits for a decision.
    Pending,
    /// Decided; the executor will do it.
    Approved,
    Rejected,
    /// Nobody decided in time.
    Expired,
    /// What it was planned on has changed.
    Stale,
    Executing,
    /// The money that it needs is being collected; the change is made once it is confirmed.
    AwaitingPayment,
    /// The shopper must pay at the provider's page first. Nothing was changed.
    NeedsPayment,
    Executed,
    /// Tried and given up.
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

/// Who must decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Awaiting {
    Staff,
    Shopper,
    Nobody,
}
