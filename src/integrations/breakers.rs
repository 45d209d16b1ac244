//! A breaker for each other side.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value;
use uuid::Uuid;

use crate::{breaker::Breaker, ids::TenantId, jobs::outbox::Channel};

/// The relay and the payment provider are everybody's; CRM and shop are a store's own, an endpoint stands for itself: one
/// that is gone must not hold back another's.
#[derive(Clone, Default)]
pub(super) struct Breakers(Arc<Mutex<HashMap<(Channel, Uuid), Breaker>>>);

impl Breakers {
    pub fn of(&self, channel: Channel, tenant: TenantId, payload: &Value) -> Breaker {
        let side = match channel {
            Channel::Mail | Channel::Payment => Uuid::nil(),
            Channel::Crm | Channel::Shop => tenant.as_uuid(),
            Channel::Webhook => payload["endpoint"]
                .as_str()
                .and_then(|id| id.parse().ok())
                .unwrap_or(tenant.as_uuid()),
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry((channel, side)).or_default().clone()
    }

    pub fn resting(&self) -> Vec<(&'static str, bool)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = |channel| {
            all.iter()
                .any(|((one, _), breaker)| *one == channel && breaker.is_open())
        };
        Channel::ALL.map(|channel| (channel.name(), open(channel))).into()
    }
}
