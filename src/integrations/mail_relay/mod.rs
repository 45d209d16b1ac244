//! The mail relay: it reports bounced mails and complaints (Standard Webhooks).

use serde_json::Value;

use super::{credentials::Kind, event_source::Meaning, standard_webhooks::StandardWebhooks};

pub(super) const MAIL_RELAY: StandardWebhooks = StandardWebhooks {
    secrets: Kind::MailWebhook,
    meaning,
};

fn meaning(topic: &str, body: &Value) -> Meaning {
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
