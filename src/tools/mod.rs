//! The tools that the model may call. Each is one file; its type has its contract, its arguments and its code.
//!
//! Law: a read tool gets a read-only transaction that is bound to the session's shopper, so the owner is never an argument.

mod arguments;
mod contract;
mod look_up;
pub mod read;
mod registry;
mod result_size;
mod schema;
pub mod write;

pub use contract::{Contract, Effect};
pub use registry::{CallContext, CallOutcome, Outcome, Registry, Tool};

use serde::{Serialize, de::DeserializeOwned};
use validator::Validate;

use crate::{
    approvals::{PlanError, ProposeError},
    identity::Shopper,
    store::help::Citation,
    tenancy::{Reader, Tx},
};

/// Why a tool gave no result, in words that the model can act on.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    #[error("there is no tool called `{0}`")]
    Unknown(String),
    #[error("this store has switched `{0}` off")]
    Off(&'static str),
    #[error("guests may not use this; ask the shopper to sign in first")]
    SignInFirst,
    /// The arguments are not valid; `field` is a path such as `changes[0].item_id`, empty for the whole.
    #[error("argument `{field}`: {reason}")]
    Argument { field: String, reason: String },
    /// Not found, or it belongs to another shopper. The model is not told which.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The store's rules do not allow it.
    #[error("{0}")]
    Rule(String),
    #[error("the look-up failed")]
    Database(#[from] sqlx::Error),
}

/// The codes of calls that are refused before they run: each such call has an audit row.
pub const UNKNOWN_TOOL: &str = "unknown_tool";
pub const TOOL_OFF: &str = "tool_off";

impl ToolError {
    /// A stable code, for the model, the audit and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown(_) => UNKNOWN_TOOL,
            Self::Off(_) => TOOL_OFF,
            Self::SignInFirst => "sign_in_first",
            Self::Argument { .. } => "invalid_argument",
            Self::NotFound(_) => "not_found",
            Self::Rule(_) => "not_allowed",
            Self::Database(_) => "unavailable",
        }
    }
}

impl From<PlanError> for ToolError {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::NotFound(what) => Self::NotFound(what),
            PlanError::Argument { field, reason } => Self::Argument {
                field: field.to_owned(),
                reason,
            },
            PlanError::Rule(reason) => Self::Rule(reason),
            PlanError::Database(error) => Self::Database(error),
        }
    }
}

impl From<ProposeError> for ToolError {
    fn from(error: ProposeError) -> Self {
        match error {
            ProposeError::Database(error) => Self::Database(error),
            ProposeError::Off(tool) => Self::Off(tool),
            rule => Self::Rule(rule.to_string()),
        }
    }
}

/// A tool's arguments: typed, bounded, without unknown fields.
pub trait Arguments: DeserializeOwned + Validate + schemars::JsonSchema + Send {}
impl<T: DeserializeOwned + Validate + schemars::JsonSchema + Send> Arguments for T {}

/// A tool that looks something up for the session's shopper.
pub trait ReadTool: Send + Sync + 'static {
    const CONTRACT: Contract;
    /// Whether guests may use it.
    const FOR_GUESTS: bool = false;
    type Arguments: Arguments;
    type Answer: Serialize;

    fn run(
        arguments: Self::Arguments,
        shopper: &Shopper,
        tx: &mut Tx<Reader>,
    ) -> impl Future<Output = Result<Self::Answer, ToolError>> + Send;

    /// The sources of the answer that a reader can look up.
    fn citations(_: &Self::Answer) -> Vec<Citation> {
        Vec::new()
    }
}
