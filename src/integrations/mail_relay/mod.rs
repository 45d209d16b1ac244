//! The mail relay: it reports bounced mails and complaints (Standard Webhooks).

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    credentials::{Credential, Kind},
    event_source::{EventSource, Meaning, Name, standard_name},
    signatures,
};

pub(super) struct MailRelay;

impl EventSource for MailRelay {
    fn secrets(&self) -> Kind {
        Kind::MailWebhook
    }

    fn is_signed(&self, secrets: &[Credential], headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> bool {
        signatures::standard(secrets, headers, body, now)
    }

    fn name(&self, headers: &HeaderMap, _: &[u8], json: &Value) -> Option<Name> {
        standard_name(headers, json)
    }

    fn meaning(&self, topic: &str, body: &Value) -> Meaning {
        let reason = match topic {
            "mail.bounced" => "bounced",
            "mail.complained" => "complained",
            _ => return Meaning::Unknown,
        };
        match body["data"]["email"].as_str() {
            Some(email) => Meaning::Suppress {
                email: email.to_owned(),
                reason,
            },
            None => Meaning::Unreadable("`data.email` is missing".into()),
        }
    }
}
