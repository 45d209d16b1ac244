//! One turn: ask the model, run what it asks for, ask again, store the answer.

use std::{convert::Infallible, ops::ControlFlow, sync::Arc};

use futures::StreamExt;
use tokio::time::{Instant, interval_at, timeout};

use super::{
    bill::Bill,
    engine::Engine,
    events::{Author, Event, Message, ToolActivity, ToolStatus},
    live::Log,
    record::{self, CallRecord, Ending},
};
use crate::{
    identity::Shopper,
    ids::{ConversationId, MessageId, TurnId},
    model::{
        Chunk, Model, ModelError, OfflineModel, Prompt, PromptMessage, Source, ToolCall,
        budget::{BudgetError, End},
    },
    tenancy::audit::{self, Actor, Entry},
    tools::{self, CallContext, CallOutcome, Outcome},
};

/// Said when the model gave nothing that could be shown.
const NO_ANSWER: &str = "I cannot answer right now. Your message is saved; please try again in a minute.";
/// Said after what the model gave before it failed.
const CUT_SHORT: &str = "\n\n(My answer was cut short. Please ask again.)";

/// Said when the budget is used up, before the rules answer.
const BY_RULES: &str = "I have used up what I may spend on answers for now, so I can only look up orders, parcels and \
                        products by fixed rules. Write \"person\" and someone of our staff takes over.";

pub(super) struct Turn {
    pub engine: Arc<Engine>,
    pub shopper: Shopper,
    pub id: TurnId,
    pub conversation: ConversationId,
    pub message: MessageId,
    pub log: Log,
}

/// What a turn has gathered so far.
#[derive(Default)]
struct Draft {
    text: String,
    calls: Vec<CallRecord>,
    fault: Option<ModelError>,
    /// The budget is used up: the rules of the offline model go on, and the answer says so.
    by_rules: bool,
}

impl Turn {
    pub async fn run(self, prompt: Prompt) {
        self.log.emit(Event::Accepted {
            conversation_id: self.conversation,
            turn_id: self.id,
            message_id: self.message,
        });
        let mut draft = Draft::default();
        let answered = tokio::select! {
            answered = timeout(self.engine.limits.deadline, self.converse(prompt, &mut draft)) => {
                if answered.is_err() {
                    draft.fault = Some(ModelError::TooSlow);
                }
                true
            }
            () = self.engine.stopping.cancelled() => false,
            never = self.keep_alive() => match never {},
        };
        let stored = if answered {
            self.conclude(draft).await
        } else {
            self.interrupt(draft.calls).await
        };
        if let Err(error) = stored {
            // The turn stays as it is stored; its lease runs out and whoever comes next closes it.
            tracing::error!(turn = %self.id, error = %crate::telemetry::cause(&error), "a turn could not be stored");
            self.log.emit(Event::Error {
                code: "unavailable".into(),
                detail: NO_ANSWER.into(),
            });
            self.log.emit(Event::Done { turn_id: self.id });
        }
    }

    /// Rounds of model and tools until the model has no more calls.
    async fn converse(&self, mut prompt: Prompt, draft: &mut Draft) {
        for _ in 0..self.engine.limits.rounds {
            let (text, calls) = match self.open_bill(&prompt, draft).await {
                Ok(mut bill) => {
                    let (text, calls) = self.ask(prompt.clone(), draft, &mut bill).await;
                    bill.tools = calls.iter().map(|call| bounded(&call.tool, 64)).collect();
                    bill.settle().await;
                    (text, calls)
                }
                Err(BudgetError::UsedUp(_)) => {
                    self.say(draft, BY_RULES);
                    draft.by_rules = true;
                    continue;
                }
                Err(BudgetError::Database(error)) => {
                    tracing::error!(turn = %self.id, error = %crate::telemetry::cause(&error), "the budget could not be asked");
                    draft.fault = Some(ModelError::Unreachable);
                    return;
                }
            };
            if calls.is_empty() || draft.fault.is_some() {
                return;
            }
            let results = self.run_calls(&calls, draft).await;
            prompt.messages.push(PromptMessage::Assistant { text, calls });
            prompt.messages.extend(results);
        }
        draft.fault = Some(ModelError::TooLong);
    }

    /// Holds what the next answer may cost; nothing where the rules give it.
    async fn open_bill(&self, prompt: &Prompt, draft: &Draft) -> Result<Bill, BudgetError> {
        let meter = self.engine.meter.as_ref().filter(|_| !draft.by_rules);
        Bill::open(meter, &self.shopper, self.conversation, prompt, &self.engine.clock).await
    }

    fn say(&self, draft: &mut Draft, text: &str) {
        let text = if draft.text.is_empty() {
            text.to_owned()
        } else {
            format!("\n\n{text}")
        };
        draft.text.push_str(&text);
        self.log.emit(Event::Delta { text });
    }

    /// One answer of the model: its text goes out as it comes, its calls come back.
    async fn ask(&self, prompt: Prompt, draft: &mut Draft, bill: &mut Bill) -> (String, Vec<ToolCall>) {
        let (mut text, mut calls) = (String::new(), Vec::new());
        let model: &dyn Model = if draft.by_rules {
            &OfflineModel
        } else {
            &*self.engine.model
        };
        let mut chunks = model.answer(prompt);
        while let Some(chunk) = chunks.next().await {
            if chunk.is_ok() {
                bill.end = End::Unknown;
            }
            match chunk {
                Ok(Chunk::Text(piece)) => {
                    let piece = if text.is_empty() && !draft.text.is_empty() {
                        format!("\n\n{piece}")
                    } else {
                        piece
                    };
                    if draft.text.len() + piece.len() > self.engine.limits.answer_bytes {
                        draft.fault = Some(ModelError::TooLong);
                        break;
                    }
                    text.push_str(&piece);
                    draft.text.push_str(&piece);
                    self.log.emit(Event::Delta { text: piece });
                }
                Ok(Chunk::Call(call)) => calls.push(call),
                Ok(Chunk::End(usage)) => {
                    bill.end = End::Used(usage);
                    break;
                }
                Err(fault) => {
                    tracing::warn!(turn = %self.id, %fault, "the model failed");
                    draft.fault = Some(fault);
                    break;
                }
            }
        }
        (text, calls)
    }

    async fn run_calls(&self, calls: &[ToolCall], draft: &mut Draft) -> Vec<PromptMessage> {
        let mut results = Vec::new();
        for call in calls {
            let outcome = match self.allow(draft) {
                ControlFlow::Continue(()) => {
                    self.show(call, ToolStatus::Started);
                    self.engine.registry.call(call, &self.context()).await
                }
                ControlFlow::Break(refusal) => refusal,
            };
            let status = match outcome.outcome {
                Outcome::Answered => ToolStatus::Answered,
                Outcome::Proposed => ToolStatus::Proposed,
                Outcome::Refused => ToolStatus::Refused,
                Outcome::Failed => ToolStatus::Failed,
            };
            self.show(call, status);
            if let Some(proposal) = outcome.proposal {
                self.log.emit(Event::Proposal(Box::new(proposal)));
            }
            draft.calls.push(CallRecord {
                tool: bounded(&call.tool, 64),
                arguments: bounded(&call.arguments, 4096),
                outcome: outcome.outcome,
                reason: outcome.code,
                at: self.engine.clock.now(),
            });
            results.push(PromptMessage::ToolResult {
                call_id: call.id.clone(),
                content: outcome.content,
            });
        }
        results
    }

    fn context(&self) -> CallContext<'_> {
        CallContext {
            shopper: &self.shopper,
            conversation: self.conversation,
            turn: self.id,
            now: self.engine.clock.now(),
        }
    }

    fn allow(&self, draft: &Draft) -> ControlFlow<CallOutcome> {
        if draft.calls.len() < self.engine.limits.calls {
            return ControlFlow::Continue(());
        }
        let content =
            r#"{"error":{"code":"too_many_calls","message":"no more calls in this turn; answer with what you have"}}"#;
        ControlFlow::Break(CallOutcome {
            outcome: Outcome::Refused,
            code: Some("too_many_calls"),
            content: content.into(),
            proposal: None,
        })
    }

    fn show(&self, call: &ToolCall, status: ToolStatus) {
        let activity = self.engine.registry.activity(&call.tool).unwrap_or("Working…");
        self.log.emit(Event::Tool(ToolActivity {
            tool: bounded(&call.tool, 64),
            activity: activity.into(),
            status,
        }));
    }

    /// Stores and announces the answer.
    async fn conclude(&self, draft: Draft) -> Result<(), sqlx::Error> {
        let now = self.engine.clock.now();
        let blank = draft.text.trim().is_empty();
        let mut closing = Vec::new();
        if let Some(fault) = draft.fault {
            closing.push(Event::Error {
                code: "model_failed".into(),
                detail: fault.to_string(),
            });
        }
        let source = if draft.by_rules {
            Source::Offline
        } else {
            self.engine.model.source()
        };
        let (text, source) = match (blank, draft.fault) {
            (true, _) => (NO_ANSWER.to_owned(), Source::Fallback),
            (false, Some(_)) => (draft.text + CUT_SHORT, source),
            (false, None) => (draft.text, source),
        };
        // Postgres text cannot hold NUL; no shopper needs to read one.
        let text = text.replace('\0', "");
        let message = Message {
            id: MessageId::new(),
            author: Author::Assistant,
            source,
            text,
            created_at: now,
        };
        closing.extend([Event::Message(message.clone()), Event::Done { turn_id: self.id }]);
        self.close(message, &draft.calls, closing, false).await
    }

    async fn interrupt(&self, calls: Vec<CallRecord>) -> Result<(), sqlx::Error> {
        let (message, closing) = record::interruption(self.id, self.engine.clock.now());
        self.close(message, &calls, closing, true).await
    }

    /// Stored first, said second: what a listener was told is true.
    async fn close(
        &self,
        message: Message,
        calls: &[CallRecord],
        closing: Vec<Event>,
        interrupted: bool,
    ) -> Result<(), sqlx::Error> {
        let events = self.log.lasting(closing.clone());
        let ending = Ending {
            turn: self.id,
            conversation: self.conversation,
            message: &message,
            calls,
            events: &events,
            interrupted,
        };
        let mut tx = self.engine.web.begin(self.shopper.scope()).await?;
        let ended = record::end(&mut tx, self.shopper.id(), &ending).await?;
        for call in calls
            .iter()
            .filter(|call| matches!(call.reason, Some(tools::UNKNOWN_TOOL | tools::TOOL_OFF)))
        {
            let (actor, after) = (
                Actor::model(self.id),
                Some(serde_json::json!({ "reason": call.reason })),
            );
            let entry = Entry {
                at: call.at,
                actor: &actor,
                action: "tool.refused",
                target_kind: "tool",
                target_id: call.tool.clone(),
                before: None,
                after,
            };
            audit::append(&mut tx, entry).await?;
        }
        tx.commit().await?;
        if !ended {
            tracing::warn!(turn = %self.id, "a turn outlived its lease and was closed by another process");
        }
        closing.into_iter().for_each(|event| self.log.emit(event));
        Ok(())
    }

    async fn keep_alive(&self) -> Infallible {
        let every = record::LEASE / 3;
        let mut ticks = interval_at(Instant::now() + every, every);
        loop {
            ticks.tick().await;
            let renewed = async {
                let mut tx = self.engine.web.begin(self.shopper.scope()).await?;
                record::renew(&mut tx, self.id, self.engine.clock.now()).await?;
                tx.commit().await
            };
            if let Err(error) = renewed.await {
                tracing::warn!(turn = %self.id, error = %crate::telemetry::cause(&error), "a turn's lease was not renewed");
            }
        }
    }
}

/// What a model wrote, cut for the record, without the NUL that Postgres text cannot hold.
fn bounded(text: &str, characters: usize) -> String {
    text.chars().filter(|&c| c != '\0').take(characters).collect()
}
