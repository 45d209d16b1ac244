//! The circuit breakers of outgoing deliveries.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value;
use uuid::Uuid;

use crate::{breaker::Breaker, ids::TenantId, jobs::outbox::Channel};

/// One circuit breaker for each receiver. The mail relay and the payment provider are shared by all stores, the CRM and the shop belong to
/// one store, and each webhook endpoint has its own: one that is down must not hold back the others.
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

    pub fn open_circuits(&self) -> Vec<(&'static str, bool)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = |channel| {
            all.iter()
                .any(|((one, _), breaker)| *one == channel && breaker.is_open())
        };
        Channel::ALL.map(|channel| (channel.name(), open(channel))).into()
    }
}
