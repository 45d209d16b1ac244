//! The end of a turn: its answer is stored, then announced.

use super::{
    business_hours,
    events::{Author, Event, Message},
    handoff::WITH_A_PERSON,
    output_guard::Breach,
    turn::{Draft, Turn},
    turn_store::{self, CallRecord, Ending},
};
use crate::{
    ids::MessageId,
    language::TextKey,
    model::{self, AnswerSource},
    tenancy::audit::{self, Actor, Entry},
    tools,
};

/// The answer when the model gave nothing that can be shown.
pub(super) const NO_ANSWER: TextKey = TextKey("no-answer");
/// Added after a partial answer of a model that failed.
const CUT_SHORT: TextKey = TextKey("answer-cut-short");

/// Tells a shopper who leaves the chat that the answer comes by mail.
const BY_MAIL: TextKey = TextKey("answer-by-mail");
const BY_MAIL_ONCE_SIGNED_IN: TextKey = TextKey("answer-by-mail-once-signed-in");

impl Turn {
    /// Stores and announces the answer.
    pub(super) async fn conclude(&self, draft: Draft) -> Result<(), sqlx::Error> {
        let now = self.engine.clock.now();
        let said = |text: TextKey| text.in_language(self.language);
        let blank = draft.text.trim().is_empty();
        let mut closing = Vec::new();
        if let Some(fault) = draft.fault {
            closing.push(Event::Error {
                code: "model_failed".into(),
                detail: fault.to_string(),
            });
        }
        if let Some(breach) = draft.guard.breach {
            self.engine.metrics.withheld();
            tracing::warn!(turn = %self.id, breach = breach.name(), "part of an answer was withheld");
        }
        let (text, source) = match (blank, draft.fault) {
            _ if self.held => (said(WITH_A_PERSON), AnswerSource::System),
            (true, _) => (said(NO_ANSWER), AnswerSource::Fallback),
            (false, Some(_)) => (format!("{}\n\n{}", draft.text, said(CUT_SHORT)), draft.source),
            (false, None) => (draft.text, draft.source),
        };
        // Postgres text cannot hold NUL; no shopper needs to read one.
        let mut text = text.replace('\0', "");
        if self.held || draft.calls.iter().any(CallRecord::called_a_person) {
            let mut tx = self.engine.web.begin(self.shopper.scope()).await?;
            if let Some(away) = business_hours::away(&mut tx, now, self.language).await? {
                let by_mail = if self.shopper.is_guest() {
                    BY_MAIL_ONCE_SIGNED_IN
                } else {
                    BY_MAIL
                };
                text = format!("{text}\n\n{away} {}", said(by_mail));
            }
        }
        let suggestions = match source {
            AnswerSource::Offline => model::suggestions(&text, self.language),
            _ => Vec::new(),
        };
        let message = Message {
            id: MessageId::new(),
            author: if self.held { Author::System } else { Author::Assistant },
            source,
            text,
            created_at: now,
            citations: draft.citations,
            suggestions,
        };
        closing.extend([Event::Message(message.clone()), Event::Done { turn_id: self.id }]);
        self.close(message, (&draft.calls, draft.guard.breach), closing, false)
            .await
    }

    pub(super) async fn interrupt(&self, calls: Vec<CallRecord>) -> Result<(), sqlx::Error> {
        let (message, closing) = turn_store::interruption(self.id, self.language, self.engine.clock.now());
        self.close(message, (&calls, None), closing, true).await
    }

    /// Stores the end of the turn before announcing it, so that what a listener was told is true.
    async fn close(
        &self,
        message: Message,
        (calls, breach): (&[CallRecord], Option<Breach>),
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
        if !turn_store::end(&mut tx, self.shopper.id(), &ending).await? {
            tracing::warn!(turn = %self.id, "a turn was closed by another process, or its shopper was erased: its answer is dropped");
            let (_, closing) = turn_store::interruption(self.id, self.language, message.created_at);
            closing.into_iter().for_each(|event| self.log.emit(event));
            return Ok(());
        }
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
        if let Some(breach) = breach {
            let actor = Actor::model(self.id);
            let entry = Entry::new(&actor, "answer.withheld", ("turn", self.id), message.created_at)
                .after(serde_json::json!({ "reason": breach.name() }));
            audit::append(&mut tx, entry).await?;
        }
        tx.commit().await?;
        closing.into_iter().for_each(|event| self.log.emit(event));
        Ok(())
    }
}
