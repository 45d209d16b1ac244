//! The tool loop: ask the model, run the tools that it calls, ask again, until the answer is stored.

use std::{collections::BTreeMap, ops::ControlFlow, time::Duration};

use futures::{StreamExt, stream};
use serde_json::json;
use tokio::time::{Instant, interval_at, timeout};
use tracing::Instrument;

use super::{
    claims::{NOT_DONE, completed},
    events::{Event, ToolActivity, ToolStatus},
    finish::NO_ANSWER,
    model_call::Answer,
    turn::{Draft, Turn},
    turn_store::{self, CallRecord, bounded},
};
use crate::{
    cpu_pool::MESSAGES,
    language::TextKey,
    model::{self, AnswerSource, ModelError, Prompt, PromptMessage, ToolCall},
    tools::{CallContext, CallOutcome, Outcome},
};

/// Read tools of one answer that run at the same time. Each takes a connection.
const MAX_READS_AT_ONCE: usize = 4;
/// The activity that is shown when the model calls a tool that does not exist.
const WORKING: TextKey = TextKey("working");

impl Turn {
    pub async fn run(mut self, prompt: Prompt) {
        let began = Instant::now();
        self.engine.metrics.turn_began();
        self.log.emit(Event::Accepted {
            conversation_id: self.conversation,
            turn_id: self.id,
            message_id: self.message,
        });
        let by_rules = self.by_rules || self.wants_person(&prompt).await;
        let link = if by_rules { self.engine.chain.last() } else { 0 };
        let mut draft = Draft::new(std::mem::take(&mut self.guard), link);
        let answered = tokio::select! {
            () = std::future::ready(()), if self.held => true,
            answered = timeout(self.engine.limits.deadline, self.converse(prompt, &mut draft)) => {
                if answered.is_err() {
                    draft.fault = Some(ModelError::TooSlow);
                }
                true
            }
            () = self.stopping.cancelled() => false,
            () = self.keep_alive() => false,
        };
        if answered {
            self.add_notice(&mut draft).await;
        }
        let (source, model_time) = (draft.source, draft.model_time);
        let stored = if answered {
            self.conclude(draft).await
        } else {
            self.interrupt(draft.calls).await
        };
        if let Err(error) = stored {
            // The turn stays as it is in the database; when its lease has run out, another request closes it.
            tracing::error!(turn = %self.id, error = %crate::telemetry::cause(&error), "a turn could not be stored");
            self.log.emit(Event::Error {
                code: "unavailable".into(),
                detail: NO_ANSWER.in_language(self.language),
            });
            self.log.emit(Event::Done { turn_id: self.id });
        }
        let own = began.elapsed().saturating_sub(model_time);
        self.engine.metrics.turn_ended(source.name(), own);
    }

    /// Puts a true sentence behind a model's answer that speaks of something as done, where nothing supports it.
    async fn add_notice(&self, draft: &mut Draft) {
        if draft.source != AnswerSource::Model {
            return;
        }
        let text = draft.text.clone();
        let completed = MESSAGES.run(Some(self.address), move || completed::find(&text)).await;
        // Too much is read at the moment: the sentence is true whatever the answer says.
        let needs_notice = completed.map_or(true, |found| !found.is_empty() && !draft.guard.may_be_done(&found));
        if needs_notice {
            self.emit_message(draft, NOT_DONE);
        }
    }

    /// Whether the shopper asks for a person. That is heard before any model is asked: the rules call one at once. Where too much is read
    /// at the moment, the model hears it.
    async fn wants_person(&self, prompt: &Prompt) -> bool {
        let Some(PromptMessage::Shopper(text)) = prompt.messages.last() else {
            return false;
        };
        let text = text.clone();
        let read = MESSAGES
            .run(Some(self.address), move || model::wants_person(&text))
            .await;
        read.unwrap_or(false)
    }

    /// Asks the model, runs the tools that it calls and asks again, until it calls none.
    async fn converse(&self, mut prompt: Prompt, draft: &mut Draft) {
        let limits = &self.engine.limits;
        let last = self.engine.chain.last();
        let mut round = 1;
        while round <= limits.rounds {
            prompt.may_call_tools = round < limits.rounds && draft.calls.len() < limits.calls;
            let was_by_rules = draft.link == last;
            let Some(Answer { text, calls, echo }) = self.ask(&prompt, draft).await else {
                return;
            };
            if calls.is_empty() || !self.is_still_signed_in(draft).await {
                return;
            }
            // The rules begin when the models are given up, with rounds of their own.
            round = if was_by_rules || draft.link != last {
                round + 1
            } else {
                2
            };
            let results = self.run_calls(&calls, draft).await;
            prompt.messages.push(PromptMessage::Assistant { text, calls, echo });
            prompt.messages.extend(results);
        }
        draft.fault = Some(ModelError::OnlyCalls);
    }

    /// Whether the session that sent the message lives still. What was signed out, or erased, looks nothing up.
    async fn is_still_signed_in(&self, draft: &mut Draft) -> bool {
        let now = self.engine.clock.now();
        match self.shopper.is_still_signed_in(&self.engine.web, now).await {
            Ok(lives) => lives,
            Err(error) => {
                tracing::error!(turn = %self.id, error = %crate::telemetry::cause(&error), "the session could not be checked");
                draft.fault = Some(ModelError::Unreachable);
                false
            }
        }
    }

    /// Runs the calls of one answer: those that read at the same time, then those that propose, in their order.
    async fn run_calls(&self, calls: &[ToolCall], draft: &mut Draft) -> Vec<PromptMessage> {
        let before = draft.calls.len();
        let allowed: Vec<_> = calls
            .iter()
            .enumerate()
            .map(|(at, call)| self.allow(call, before + at, draft))
            .collect();
        let runs_now = |call: &ToolCall| self.engine.registry.only_reads(&call.tool);
        let reads = calls
            .iter()
            .zip(&allowed)
            .enumerate()
            .filter(|(_, (call, allowed))| allowed.is_continue() && runs_now(call));
        let reads: Vec<_> = reads
            .map(|(at, (call, _))| async move { (at, self.run_call(call).await) })
            .collect();
        let mut answered: BTreeMap<usize, (CallOutcome, Duration)> =
            stream::iter(reads).buffer_unordered(MAX_READS_AT_ONCE).collect().await;
        let mut results = Vec::new();
        for (at, (call, allowed)) in calls.iter().zip(allowed).enumerate() {
            let (outcome, took) = match (answered.remove(&at), allowed) {
                (Some(answered), _) => answered,
                (None, ControlFlow::Continue(())) => self.run_call(call).await,
                (None, ControlFlow::Break(refusal)) => (refusal, Duration::ZERO),
            };
            results.push(self.note(call, outcome, took, draft));
        }
        results
    }

    async fn run_call(&self, call: &ToolCall) -> (CallOutcome, Duration) {
        let began = Instant::now();
        self.show(call, ToolStatus::Started);
        let span = tracing::info_span!("tool", tool = self.engine.registry.name(&call.tool));
        let outcome = self.engine.registry.call(call, &self.context()).instrument(span).await;
        (outcome, began.elapsed())
    }

    /// Tells what became of a call, keeps it for the turn's record, and gives back what the model reads of it.
    fn note(&self, call: &ToolCall, outcome: CallOutcome, took: Duration, draft: &mut Draft) -> PromptMessage {
        let name = self.engine.registry.name(&call.tool);
        self.engine.metrics.called(name, outcome.outcome.as_str(), took);
        // A refusal repeats the model's own arguments, and so may a proposal: neither makes a link, an address or a claim true.
        match outcome.outcome {
            Outcome::Answered => draft.guard.add_fact(&outcome.content),
            Outcome::Proposed => draft.guard.add_progress(&outcome.content),
            Outcome::Refused | Outcome::Failed => draft.guard.add_refusal(&outcome.content, call),
        }
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
        for citation in outcome.citations {
            if !draft.citations.contains(&citation) {
                draft.citations.push(citation);
            }
        }
        draft.calls.push(CallRecord {
            tool: bounded(&call.tool, 64),
            arguments: bounded(&call.arguments, 4096),
            outcome: outcome.outcome,
            reason: outcome.code,
            at: self.engine.clock.now(),
        });
        PromptMessage::ToolResult {
            call_id: call.id.clone(),
            content: outcome.content,
        }
    }

    fn context(&self) -> CallContext<'_> {
        CallContext {
            shopper: &self.shopper,
            conversation: self.conversation,
            turn: self.id,
            now: self.engine.clock.now(),
        }
    }

    /// Whether a call may run that comes after `before` others of this turn.
    fn allow(&self, call: &ToolCall, before: usize, draft: &Draft) -> ControlFlow<CallOutcome> {
        let (code, message) = if before >= self.engine.limits.calls {
            (
                "too_many_calls",
                "no more calls in this turn; answer with what you have",
            )
        } else if let Some(fault) = call.fault.filter(|_| self.engine.registry.knows(&call.tool)) {
            ("invalid_argument", fault.message())
        } else if draft.guard.forbids(&call.arguments) {
            ("withheld", "your instructions are not to be written down")
        } else {
            return ControlFlow::Continue(());
        };
        ControlFlow::Break(CallOutcome {
            outcome: Outcome::Refused,
            code: Some(code),
            content: json!({ "error": { "code": code, "message": message } }).to_string(),
            proposal: None,
            citations: Vec::new(),
        })
    }

    fn show(&self, call: &ToolCall, status: ToolStatus) {
        let activity = self.engine.registry.activity(&call.tool).unwrap_or(WORKING);
        self.log.emit(Event::Tool(ToolActivity {
            tool: bounded(&call.tool, 64),
            activity: activity.in_language(self.language).clone(),
            status,
        }));
    }

    /// Renews the turn's lease until the turn was closed by somebody else: another process, or the erasure of its shopper.
    async fn keep_alive(&self) {
        let every = turn_store::LEASE / 3;
        let mut ticks = interval_at(Instant::now() + every, every);
        loop {
            ticks.tick().await;
            let renewed = async {
                let mut tx = self.engine.web.begin(self.shopper.scope()).await?;
                let renewed = turn_store::renew(&mut tx, self.id, self.engine.clock.now()).await?;
                tx.commit().await.map(|()| renewed)
            };
            match renewed.await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(turn = %self.id, error = %crate::telemetry::cause(&error), "a turn's lease was not renewed");
                }
            }
        }
    }
}
