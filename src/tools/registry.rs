//! The registry of allowed tools. Every call goes through it: it checks the name and the arguments, then runs the tool on its role's pool.

use std::{collections::BTreeMap, pin::Pin};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    Contract, ReadTool, ToolError,
    arguments::parse,
    look_up, read, result_size, schema,
    write::{self, WriteTool},
};
use crate::{
    approvals::{self, Plan, PlanError, Planner, ProposalRequest, ProposalView, policy::Policy},
    identity::Shopper,
    ids::{ConversationId, ShopperId, TurnId},
    integrations::order_look_up::OrderLookUp,
    language::TextKey,
    model::ToolCall,
    store::help::Citation,
    tenancy::{Executor, Pool, Reader, Tx, Web},
};

/// The result of a call, for the audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Answered,
    Proposed,
    Refused,
    Failed,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Proposed => "proposed",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// The result of a call: what the model reads, and what is stored.
pub struct CallOutcome {
    pub outcome: Outcome,
    /// The error's code, if the call was refused.
    pub code: Option<&'static str>,
    /// JSON for the model: `{"data": …}` or `{"error": {"code", "message"}}`.
    pub content: String,
    /// The proposal that the call made, or the open one that asks for the same.
    pub proposal: Option<ProposalView>,
    /// Sources that a reader can look up.
    pub citations: Vec<Citation>,
}

/// The context of a call.
pub struct CallContext<'a> {
    pub shopper: &'a Shopper,
    pub conversation: ConversationId,
    pub turn: TurnId,
    pub now: DateTime<Utc>,
}

/// What a tool gives: data for the model, the proposal that it made, and sources that a reader can look up.
type Answer = (Value, Option<ProposalView>, Vec<Citation>);

type Future<'a, T> = Pin<Box<dyn std::future::Future<Output = T> + Send + 'a>>;
type Read = for<'a> fn(&'a str, &'a Shopper, &'a Pool<Reader>) -> Future<'a, Result<(Value, Vec<Citation>), ToolError>>;
type Propose = for<'a> fn(&'a str, &'a CallContext<'a>, &'a Pool<Web>) -> Future<'a, Result<ProposalView, ToolError>>;
type PlanAgain = for<'a> fn(&'a Value, ShopperId, &'a mut Tx<Executor>) -> Future<'a, Result<Plan, PlanError>>;

/// How a tool runs, with the pool of its role.
enum Run {
    Read(Read),
    /// Proposes with the web role; the executor makes the plan again with its own role.
    Write {
        propose: Propose,
        plan: PlanAgain,
        policy: Policy,
    },
}

/// A registered tool.
pub struct Tool {
    pub contract: Contract,
    /// The strict JSON schema of the arguments.
    pub schema: Value,
    pub for_guests: bool,
    run: Run,
}

/// The tools of this service.
pub struct Registry {
    reader: Pool<Reader>,
    web: Pool<Web>,
    look_up: Option<OrderLookUp>,
    tools: BTreeMap<&'static str, Tool>,
}

impl Registry {
    /// Registers every tool. A tool that is not listed here does not exist.
    pub fn new(reader: Pool<Reader>, web: Pool<Web>) -> Self {
        let mut registry = Self {
            reader,
            web,
            look_up: None,
            tools: BTreeMap::new(),
        };
        registry.add_read::<read::list_orders::ListOrders>();
        registry.add_read::<read::get_order::GetOrder>();
        registry.add_read::<read::get_refund_status::GetRefundStatus>();
        registry.add_read::<read::get_product::GetProduct>();
        registry.add_read::<read::search_products::SearchProducts>();
        registry.add_read::<read::check_stock::CheckStock>();
        registry.add_read::<read::search_help::SearchHelp>();
        registry.add_read::<read::get_profile::GetProfile>();
        registry.add_write::<write::cancel_order::CancelOrder>();
        registry.add_write::<write::change_order_address::ChangeOrderAddress>();
        registry.add_write::<write::change_profile_address::ChangeProfileAddress>();
        registry.add_write::<write::change_order_payment::ChangeOrderPayment>();
        registry.add_write::<write::change_order_items::ChangeOrderItems>();
        registry.add_write::<write::return_items::ReturnItems>();
        registry.add_write::<write::exchange_items::ExchangeItems>();
        registry.add_write::<write::request_refund::RequestRefund>();
        registry.add_write::<write::create_coupon::CreateCoupon>();
        registry.add_write::<write::add_crm_note::AddCrmNote>();
        registry.add_write::<write::hand_off::HandOff>();
        registry
    }

    /// Orders that are not here are asked for at the shop's platform.
    pub fn with_look_up(mut self, look_up: OrderLookUp) -> Self {
        self.look_up = Some(look_up);
        self
    }

    fn add_read<T: ReadTool>(&mut self) {
        let run = Run::Read(|arguments, shopper, reader| Box::pin(run_read::<T>(arguments, shopper, reader)));
        self.tools.insert(
            T::CONTRACT.name,
            Tool {
                contract: T::CONTRACT,
                schema: schema::strict::<T::Arguments>(),
                for_guests: T::FOR_GUESTS,
                run,
            },
        );
    }

    fn add_write<T: WriteTool>(&mut self) {
        let run = Run::Write {
            propose: |arguments, context, web| Box::pin(run_write::<T>(arguments, context, web)),
            plan: |arguments, shopper, tx| Box::pin(plan_again::<T>(arguments, shopper, tx)),
            policy: T::POLICY,
        };
        self.tools.insert(
            T::CONTRACT.name,
            Tool {
                contract: T::CONTRACT,
                schema: schema::strict::<T::Arguments>(),
                for_guests: T::FOR_GUESTS,
                run,
            },
        );
    }

    pub fn tools(&self) -> impl Iterator<Item = &Tool> {
        self.tools.values()
    }

    /// The policy of a write tool where the store has set none; none for a read tool or an unknown tool.
    pub fn default_policy(&self, tool: &str) -> Option<Policy> {
        match self.tools.get(tool)?.run {
            Run::Write { policy, .. } => Some(policy),
            Run::Read(_) => None,
        }
    }

    /// The tool's registered name, or `unknown`, because an unknown name can be any text.
    pub fn name(&self, tool: &str) -> &'static str {
        self.tools.get(tool).map_or("unknown", |tool| tool.contract.name)
    }

    /// Whether there is such a tool.
    pub fn knows(&self, tool: &str) -> bool {
        self.tools.contains_key(tool)
    }

    /// Whether a tool is one that only reads.
    pub fn only_reads(&self, tool: &str) -> bool {
        self.tools
            .get(tool)
            .is_some_and(|tool| matches!(tool.run, Run::Read(_)))
    }

    /// What the shopper reads while this call runs.
    pub fn activity(&self, tool: &str) -> Option<TextKey> {
        self.tools.get(tool).map(|tool| tool.contract.activity)
    }

    /// Runs one call. Never fails: whatever goes wrong becomes an outcome that the model can act on.
    pub async fn call(&self, call: &ToolCall, context: &CallContext<'_>) -> CallOutcome {
        let mut result = self.run(call, context).await;
        if let (Err(ToolError::NotFound("order")), Some(look_up)) = (&result, &self.look_up) {
            let (arguments, shopper) = (&call.arguments, context.shopper);
            match look_up::fetch(look_up, &self.web, arguments, shopper, context.now).await {
                Ok(true) => result = self.run(call, context).await,
                Ok(false) => {}
                Err(error) => {
                    tracing::error!(error = %crate::telemetry::cause(&error), "an order was not looked up at the shop");
                }
            }
        }
        match result {
            Ok((data, proposal, citations)) => {
                let outcome = if proposal.is_some() {
                    Outcome::Proposed
                } else {
                    Outcome::Answered
                };
                CallOutcome {
                    outcome,
                    code: None,
                    content: result_size::bounded(data).to_string(),
                    proposal,
                    citations,
                }
            }
            Err(error) => {
                let outcome = if matches!(error, ToolError::Database(_)) {
                    Outcome::Failed
                } else {
                    Outcome::Refused
                };
                if let ToolError::Database(cause) = &error {
                    tracing::error!(tool = call.tool, error = %crate::telemetry::cause(cause), "a tool failed");
                }
                let content = json!({ "error": { "code": error.code(), "message": error.to_string() } }).to_string();
                CallOutcome {
                    outcome,
                    code: Some(error.code()),
                    content,
                    proposal: None,
                    citations: Vec::new(),
                }
            }
        }
    }

    async fn run(&self, call: &ToolCall, context: &CallContext<'_>) -> Result<Answer, ToolError> {
        let tool = self.tools.get(call.tool.as_str());
        match tool.map(|tool| &tool.run) {
            Some(_) if context.shopper.is_guest() && !tool.is_some_and(|tool| tool.for_guests) => {
                Err(ToolError::SignInFirst)
            }
            Some(Run::Read(read)) => read(&call.arguments, context.shopper, &self.reader)
                .await
                .map(|(data, citations)| (data, None, citations)),
            Some(Run::Write { propose, .. }) => propose(&call.arguments, context, &self.web)
                .await
                .map(|proposal| (to_model_json(&proposal), Some(proposal), Vec::new())),
            None => Err(ToolError::Unknown(call.tool.chars().take(64).collect())),
        }
    }
}

impl Planner for Registry {
    fn plan<'a>(
        &'a self,
        tool: &'a str,
        arguments: &'a Value,
        shopper: ShopperId,
        tx: &'a mut Tx<Executor>,
    ) -> Future<'a, Result<Plan, PlanError>> {
        match self.tools.get(tool).map(|tool| &tool.run) {
            Some(Run::Write { plan, .. }) => plan(arguments, shopper, tx),
            _ => Box::pin(async { Err(PlanError::NotFound("tool")) }),
        }
    }

    fn default_policy(&self, tool: &str) -> Option<Policy> {
        Self::default_policy(self, tool)
    }
}

/// A proposal as the model reads it: nothing has been done yet, and who must decide.
fn to_model_json(proposal: &ProposalView) -> Value {
    let next = match proposal.awaiting {
        approvals::Awaiting::Staff => "Nothing has been done yet. A person of the store must approve it.",
        approvals::Awaiting::Shopper => {
            "Nothing has been done yet. The shopper must confirm it with the button; saying yes is not enough."
        }
        approvals::Awaiting::Nobody => "It is approved and being carried out.",
    };
    json!({ "proposal_id": proposal.id, "state": proposal.state, "summary": proposal.plan.summary, "next": next })
}

async fn run_read<T: ReadTool>(
    arguments: &str,
    shopper: &Shopper,
    reader: &Pool<Reader>,
) -> Result<(Value, Vec<Citation>), ToolError> {
    let arguments = parse::<T::Arguments>(arguments)?;
    let mut tx = reader.begin(shopper.scope()).await?;
    let answer = T::run(arguments, shopper, &mut tx).await?;
    let citations = T::citations(&answer);
    Ok((serde_json::to_value(answer).map_err(unwritable)?, citations))
}

async fn run_write<T: WriteTool>(
    arguments: &str,
    context: &CallContext<'_>,
    web: &Pool<Web>,
) -> Result<ProposalView, ToolError> {
    let arguments = parse::<T::Arguments>(arguments)?;
    let mut tx = web.begin(context.shopper.scope()).await?;
    let plan = T::plan(&arguments, context.shopper.id(), &mut tx).await?;
    let asked = ProposalRequest {
        shopper: context.shopper,
        conversation: context.conversation,
        turn: context.turn,
        tool: T::CONTRACT.name,
        arguments: serde_json::to_value(&arguments).map_err(unwritable)?,
        plan,
        default_policy: T::POLICY,
        now: context.now,
    };
    let proposal = approvals::propose(&mut tx, asked).await?;
    tx.commit().await?;
    Ok(proposal)
}

async fn plan_again<T: WriteTool>(
    arguments: &Value,
    shopper: ShopperId,
    tx: &mut Tx<Executor>,
) -> Result<Plan, PlanError> {
    let arguments: T::Arguments = serde_json::from_value(arguments.clone())
        .map_err(|error| PlanError::Database(sqlx::Error::Decode(Box::new(error))))?;
    T::plan(&arguments, shopper, tx).await
}

fn unwritable(error: serde_json::Error) -> ToolError {
    ToolError::Database(sqlx::Error::Encode(Box::new(error)))
}
