//! Reports errors and panics to Sentry, redacted like everything else that leaves through this room.

use std::{sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use sentry::{ClientInitGuard, ClientOptions, protocol::Event};
use serde_json::Value;

use super::redact;

/// How long sending the last events may take when the process ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Clone, Debug)]
pub struct SentrySettings {
    pub dsn: SecretString,
    /// The environment, such as `production`.
    pub environment: String,
}

impl SentrySettings {
    /// Whether the DSN is valid.
    pub fn fits(&self) -> bool {
        self.dsn.expose_secret().parse::<sentry::types::Dsn>().is_ok()
    }

    /// Starts the reports. When the guard is dropped, it sends what is left.
    pub(super) fn start(&self) -> ClientInitGuard {
        let options = ClientOptions::default()
            .release(format!("countersign@{}", crate::VERSION))
            .environment(self.environment.clone())
            .server_name("")
            .shutdown_timeout(FLUSH_TIMEOUT)
            .before_send(|event: Event<'static>| scrub(event));
        sentry::init((self.dsn.expose_secret().to_owned(), options))
    }
}

/// An event without credentials and personal data. One that cannot be parsed again afterwards is not sent.
fn scrub(event: Event<'static>) -> Option<Event<'static>> {
    let mut event = serde_json::to_value(&event).ok()?;
    clean("", &mut event);
    serde_json::from_value(event).ok()
}

/// Fields of the event's own, such as ids and times: Sentry defines their form, and they hold nobody's text.
const OWN: [&str; 7] = [
    "release",
    "event_id",
    "timestamp",
    "trace_id",
    "span_id",
    "instruction_addr",
    "image_addr",
];

fn clean(name: &str, value: &mut Value) {
    match value {
        Value::String(text) if !OWN.contains(&name) => {
            // With its name in front, because the filter recognises fields by name.
            let line = format!("{name}={}", Value::from(text.as_str()));
            let cleaned = redact(&line);
            if cleaned != line.as_str() {
                let rest = cleaned.get(name.len() + 1..).unwrap_or("\"[redacted]\"");
                *text = serde_json::from_str(rest).unwrap_or_else(|_| "[redacted]".into());
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| clean(name, value)),
        Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| clean(name, value)),
        _ => {}
    }
}

/// Runs the work of one request, so that errors in it carry the request's id.
pub async fn in_request<F: Future>(request_id: &str, work: F) -> F::Output {
    use sentry::SentryFutureExt;
    let hub = Arc::new(sentry::Hub::new_from_top(sentry::Hub::current()));
    hub.configure_scope(|scope| scope.set_tag("request_id", request_id));
    work.bind_hub(hub).await
}

/// Carries the request's id over to work that continues after it.
pub fn with_current_request<F: Future>(work: F) -> impl Future<Output = F::Output> {
    use sentry::SentryFutureExt;
    work.bind_hub(sentry::Hub::current())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_keeps_what_happened_and_loses_whose_it_was() {
        let mut event = Event::new();
        event.message = Some("mail to kim@example.com failed: \"code\" 7\n".into());
        event.extra.insert("password".into(), "hunter2 on the pier".into());
        event.extra.insert("route".into(), "/v1/orders/{number}".into());
        event.extra.insert(
            "causes".into(),
            serde_json::json!([{ "detail": "Bearer abcdefgh12345678" }]),
        );
        let id = event.event_id;
        let event = scrub(event).expect("is sent");
        let text = serde_json::to_string(&event).expect("JSON");
        assert_eq!(event.event_id, id);
        assert_eq!(
            event.message.as_deref(),
            Some("mail to [redacted email] failed: \"code\" 7\n")
        );
        assert!(text.contains("/v1/orders/{number}"));
        for secret in ["kim@", "hunter2", "abcdefgh12345678"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}
