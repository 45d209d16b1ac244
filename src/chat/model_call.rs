//! Asks the models for an answer: each in the chain until one answers. Its text is sent on as it arrives.

use std::time::Instant;

use futures::StreamExt;

use super::{
    events::Event,
    reservation::ReservationGuard,
    turn::{Draft, Turn},
    turn_store::bounded,
};
use crate::{
    language::TextKey,
    model::{
        AnswerSource, Chunk, Echo, Link, ModelError, Prompt, ToolCall, Usage,
        budget::{BudgetError, End},
    },
    telemetry::Ask,
};

/// Told to the shopper before the fallback rules answer, because the budget is used up.
const USED_UP: TextKey = TextKey("budget-used-up");
/// Told to the shopper before the fallback rules answer, because no model can be reached.
const OUT_OF_REACH: TextKey = TextKey("model-unreachable");
/// Ends an answer that repeated its instructions.
const WITHHELD: TextKey = TextKey("answer-withheld");

/// What a model said, and the tools that it calls.
pub(super) struct Answer {
    pub text: String,
    pub calls: Vec<ToolCall>,
    /// What its endpoint wants to read back with the results.
    pub echo: Option<Echo>,
}

impl Answer {
    fn of(text: String) -> Self {
        Self {
            text,
            calls: Vec::new(),
            echo: None,
        }
    }
}

/// A shorter prompt, where `prompt` is longer than what the model is known to read.
fn too_long(link: &Link, prompt: &Prompt) -> Option<Prompt> {
    let window = link.window(prompt)?;
    (prompt.estimated_tokens() > window).then(|| prompt.shorter()).flatten()
}

/// Why a model gave no answer.
enum ModelFailure {
    Fault(ModelError),
    UsedUp,
    /// The answer broke off in the middle; no other model can continue it.
    CutShort(ModelError),
}

impl Turn {
    /// The next answer's text and calls, from the first model in the chain that answers. None when the turn has to end.
    pub(super) async fn ask(&self, prompt: &Prompt, draft: &mut Draft) -> Option<Answer> {
        let chain = &self.engine.chain;
        let mut shortened: Option<Prompt> = None;
        while let Some(link) = chain.get(draft.link) {
            while let Some(shorter) = too_long(link, shortened.as_ref().unwrap_or(prompt)) {
                shortened = Some(shorter);
            }
            let asked = shortened.as_ref().unwrap_or(prompt);
            let (next, message) = match self.ask_link(link, asked, draft).await {
                Ok(answer) => return Some(answer),
                Err(ModelFailure::Fault(ModelError::ContextTooLong(_))) if let Some(shorter) = asked.shorter() => {
                    shortened = Some(shorter);
                    continue;
                }
                Err(ModelFailure::CutShort(fault)) => {
                    draft.fault = Some(fault);
                    return None;
                }
                Err(ModelFailure::UsedUp) => (chain.last(), USED_UP),
                Err(ModelFailure::Fault(fault)) if draft.link == chain.last() => {
                    draft.fault = Some(fault);
                    return None;
                }
                Err(ModelFailure::Fault(_)) => (draft.link + 1, OUT_OF_REACH),
            };
            draft.link = next;
            if next == chain.last() {
                self.emit_message(draft, message);
            }
        }
        None
    }

    async fn ask_link(&self, link: &Link, prompt: &Prompt, draft: &mut Draft) -> Result<Answer, ModelFailure> {
        let prompt = link.for_link(prompt);
        let may_call_tools = prompt.may_call_tools || link.source() == AnswerSource::Offline;
        let opened = ReservationGuard::open(
            link.meter.as_ref(),
            (&self.shopper, self.guest.as_ref()),
            self.conversation,
            &prompt,
            &self.engine.clock,
        )
        .await;
        let mut bill = match opened {
            Ok(bill) => bill,
            Err(BudgetError::UsedUp(_)) => return Err(ModelFailure::UsedUp),
            Err(BudgetError::Database(error)) => {
                tracing::error!(turn = %self.id, error = %crate::telemetry::cause(&error), "the budget could not be asked");
                return Err(ModelFailure::CutShort(ModelError::Unreachable));
            }
        };
        let began = Instant::now();
        let mut first_token = None;
        let (mut text, mut calls, mut echo, mut fault) = (String::new(), Vec::new(), None, None);
        let mut chunks = link.answer(prompt);
        while let Some(chunk) = chunks.next().await {
            if chunk.is_ok() {
                bill.end = End::Unknown;
                first_token.get_or_insert_with(|| began.elapsed());
            }
            match chunk {
                Ok(Chunk::Text(piece)) => {
                    // The guard found the instructions in it: what was sent before stays, and nothing more is sent.
                    let Ok(sure) = draft.guard.push(&piece) else { break };
                    if draft.text.len() + sure.len() > self.engine.limits.answer_bytes {
                        fault = Some(ModelError::TooLong);
                        break;
                    }
                    self.emit_text(draft, &mut text, &sure);
                }
                Ok(Chunk::Progress) => {}
                Ok(Chunk::Call(call)) => calls.push(call),
                Ok(Chunk::Echo(fields)) => echo = Some(fields),
                Ok(Chunk::End(usage, cut)) => {
                    bill.end = End::Used(usage);
                    fault = cut;
                    break;
                }
                Err(failed) => {
                    fault = Some(failed);
                    break;
                }
            }
        }
        drop(chunks);
        let calls_in_vain = !calls.is_empty() && !may_call_tools;
        if calls_in_vain {
            calls.clear();
        }
        let rest = draft.guard.finish();
        self.emit_text(draft, &mut text, &rest);
        draft.model_time += began.elapsed();
        let usage = match bill.end {
            End::Used(usage) => usage,
            _ => Usage::default(),
        };
        self.engine.metrics.asked(&Ask {
            endpoint: link.name,
            outcome: fault.map_or("answered", ModelError::code),
            first_token,
            took: began.elapsed(),
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            cost_micros: bill.cost(usage),
        });
        bill.tools = calls.iter().map(|call| bounded(&call.tool, 64)).collect();
        bill.settle().await;
        if !text.is_empty() || !calls.is_empty() {
            draft.source = link.source();
        }
        if draft.is_withheld() {
            self.emit_message(draft, WITHHELD);
            return Ok(Answer::of(text));
        }
        match fault {
            None if draft.text.is_empty() && calls_in_vain => Err(ModelFailure::Fault(ModelError::OnlyCalls)),
            None if draft.text.is_empty() && calls.is_empty() => Err(ModelFailure::Fault(ModelError::Empty)),
            None => Ok(Answer { text, calls, echo }),
            // The calls say themselves what is missing.
            Some(ModelError::LengthLimit) if !calls.is_empty() => Ok(Answer { text, calls, echo }),
            Some(fault) => {
                tracing::warn!(turn = %self.id, model = link.name, %fault, "the model failed");
                Err(if text.is_empty() {
                    ModelFailure::Fault(fault)
                } else {
                    ModelFailure::CutShort(fault)
                })
            }
        }
    }

    /// Sends a piece of an answer to the listeners. `text` is what this answer has sent so far.
    fn emit_text(&self, draft: &mut Draft, text: &mut String, piece: &str) {
        if piece.is_empty() {
            return;
        }
        let piece = match text.is_empty() && !draft.text.is_empty() {
            true => format!("\n\n{piece}"),
            false => piece.to_owned(),
        };
        text.push_str(&piece);
        draft.text.push_str(&piece);
        self.log.emit(Event::Delta { text: piece });
    }

    /// Sends a fixed text of the service.
    pub(super) fn emit_message(&self, draft: &mut Draft, message: TextKey) {
        self.emit_text(draft, &mut String::new(), &message.in_language(self.language));
    }
}
