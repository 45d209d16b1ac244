//! What one model call costs, booked whatever becomes of the turn.

use super::send::Inner;
use crate::{
    clock::Clock,
    model::budget::{End, Meter, Reservation},
};

/// A call's reservation until it is settled. Dropped in the middle of a call, as when the turn's deadline passes, it is
/// settled in the background with what is known by then.
pub(super) struct Bill {
    held: Option<(Meter, Reservation)>,
    clock: Clock,
    pub end: End,
    pub tools: Vec<String>,
}

impl Bill {
    pub fn new(chat: &Inner, reservation: Option<Reservation>) -> Self {
        Self {
            held: chat.meter.clone().zip(reservation),
            clock: chat.clock.clone(),
            end: End::Failed,
            tools: Vec::new(),
        }
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
                // It is swept when it has been held too long.
                tracing::error!(error = %crate::telemetry::cause(&error), "a model call was not settled");
            }
        })
    }
}

impl Drop for Bill {
    fn drop(&mut self) {
        if let Some(settling) = self.take() {
            tokio::spawn(settling);
        }
    }
}
