//! Reserves budget for a model call, and books its cost whatever happens to the turn.

use crate::{
    clock::Clock,
    identity::Shopper,
    ids::ConversationId,
    model::{
        Prompt, Usage,
        budget::{BudgetError, End, GuestNetworks, Meter, Reservation},
    },
};

/// A model call's reservation until it is settled. If it is dropped in the middle of a call, as when the turn's deadline passes, it is
/// settled in the background with what is known by then.
pub(super) struct ReservationGuard {
    held: Option<(Meter, Reservation)>,
    clock: Clock,
    pub end: End,
    pub tools: Vec<String>,
}

impl ReservationGuard {
    /// Reserves the most that the answer to `prompt` can cost; nothing for a model without a meter.
    pub async fn open(
        meter: Option<&Meter>,
        (shopper, guest): (&Shopper, Option<&GuestNetworks>),
        conversation: ConversationId,
        prompt: &Prompt,
        clock: &Clock,
    ) -> Result<Self, BudgetError> {
        let held = match meter {
            Some(meter) => {
                let reservation = meter
                    .reserve((shopper, guest), conversation, prompt, clock.now())
                    .await?;
                Some((meter.clone(), reservation))
            }
            None => None,
        };
        Ok(Self {
            held,
            clock: clock.clone(),
            end: End::Failed,
            tools: Vec::new(),
        })
    }

    /// What an answer costs, in millionths; nothing without a meter.
    pub fn cost(&self, usage: Usage) -> i64 {
        self.held.as_ref().map_or(0, |(_, reservation)| reservation.cost(usage))
    }

    pub async fn settle(mut self) {
        if let Some(settling) = self.take() {
            settling.await;
        }
    }

    fn take(&mut self) -> Option<impl Future<Output = ()> + Send + 'static> {
        let (meter, reservation) = self.held.take()?;
        let (tools, now) = (std::mem::take(&mut self.tools), self.clock.now());
        let end = std::mem::replace(&mut self.end, End::Failed);
        Some(async move {
            if let Err(error) = meter.settle(reservation, end, &tools, now).await {
                // A reservation that has been held too long is swept later.
                tracing::error!(error = %crate::telemetry::cause(&error), "a model call was not settled");
            }
        })
    }
}

impl Drop for ReservationGuard {
    fn drop(&mut self) {
        if let Some(settling) = self.take() {
            #[allow(clippy::disallowed_methods, reason = "a guard cannot wait where it is dropped")]
            tokio::spawn(settling);
        }
    }
}
