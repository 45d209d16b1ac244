//! The metrics of the service, in Prometheus's format.
//!
//! Law: every label has a fixed set of values. Labels are `&'static str`, so no tenant, shopper or free text can become one.

use std::{sync::Arc, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};

/// Histogram buckets in seconds. Finest around the 500 ms that a request may take (R3), up to a turn's deadline.
const BUCKETS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 2.5, 5.0, 15.0, 60.0,
];

type Timer<L> = Family<L, Histogram, fn() -> Histogram>;
type Label = &'static str;

/// Defines the labels of a metric.
macro_rules! labels {
    ($($name:ident { $($label:ident),+ })+) => { $(
        #[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
        struct $name { $($label: Label),+ }
    )+ };
}
labels! {
    Route { method, route }
    Answered { method, route, status }
    Code { code }
    Limit { limit }
    Tool { tool }
    Called { tool, outcome }
    Endpoint { endpoint }
    Asked { endpoint, outcome }
    Tokens { endpoint, direction }
    Source { source }
    Channel { channel }
    Delivered { channel, outcome }
    Dependency { dependency }
    Connections { role, state }
    Backlog { what, kind }
}

/// The metrics. Clones share their counters. A server has one; each test has its own.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    requests: Family<Answered, Counter>,
    request_seconds: Timer<Route>,
    problems: Family<Code, Counter>,
    limited: Family<Limit, Counter>,
    shed: Counter,
    calls: Family<Called, Counter>,
    call_seconds: Timer<Tool>,
    asked: Family<Asked, Counter>,
    first_token_seconds: Timer<Endpoint>,
    model_seconds: Timer<Endpoint>,
    tokens: Family<Tokens, Counter>,
    cost: Family<Endpoint, Counter>,
    turns: Family<Source, Counter>,
    turns_running: Gauge,
    turn_own_seconds: Histogram,
    withheld: Counter,
    deliveries: Family<Delivered, Counter>,
    delivery_seconds: Timer<Channel>,
    breakers: Family<Dependency, Gauge>,
    connections: Family<Connections, Gauge>,
    waiting: Family<Backlog, Gauge>,
    oldest_seconds: Family<Backlog, Gauge<f64, std::sync::atomic::AtomicU64>>,
    budget_used: Family<Backlog, Gauge<f64, std::sync::atomic::AtomicU64>>,
    database_up: Gauge,
}

fn timer<L: Clone + std::hash::Hash + Eq>() -> Timer<L> {
    Family::new_with_constructor(histogram)
}

fn histogram() -> Histogram {
    Histogram::new(BUCKETS)
}

impl Default for Metrics {
    fn default() -> Self {
        let mut inner = Inner {
            registry: Registry::with_prefix("countersign"),
            requests: Family::default(),
            request_seconds: timer(),
            problems: Family::default(),
            limited: Family::default(),
            shed: Counter::default(),
            calls: Family::default(),
            call_seconds: timer(),
            asked: Family::default(),
            first_token_seconds: timer(),
            model_seconds: timer(),
            tokens: Family::default(),
            cost: Family::default(),
            turns: Family::default(),
            turns_running: Gauge::default(),
            turn_own_seconds: histogram(),
            withheld: Counter::default(),
            deliveries: Family::default(),
            delivery_seconds: timer(),
            breakers: Family::default(),
            connections: Family::default(),
            waiting: Family::default(),
            oldest_seconds: Family::default(),
            budget_used: Family::default(),
            database_up: Gauge::default(),
        };
        inner.register();
        Self(Arc::new(inner))
    }
}

#[rustfmt::skip]
impl Inner {
    fn register(&mut self) {
        let all = &mut self.registry;
        all.register("build", "The release that runs", Info::new([("version", crate::VERSION)]));
        all.register("http_requests", "Requests answered", self.requests.clone());
        all.register_with_unit("http_request_duration", "Until the head of the answer", Unit::Seconds, self.request_seconds.clone());
        all.register("http_problems", "Refusals and errors, by the code that clients see", self.problems.clone());
        all.register("rate_limited", "Requests that a limiter turned away", self.limited.clone());
        all.register("shed", "Requests and turns turned away because the server was full", self.shed.clone());
        all.register("tool_calls", "Tool calls of the model", self.calls.clone());
        all.register_with_unit("tool_call_duration", "Running one tool call", Unit::Seconds, self.call_seconds.clone());
        all.register("model_requests", "Times a model was asked", self.asked.clone());
        all.register_with_unit("model_first_token", "Until the first piece of an answer", Unit::Seconds, self.first_token_seconds.clone());
        all.register_with_unit("model_duration", "Until the last piece of an answer", Unit::Seconds, self.model_seconds.clone());
        all.register("model_tokens", "Tokens as providers count them", self.tokens.clone());
        all.register("model_cost_micros", "Spent on models, in millionths of the price table's currency", self.cost.clone());
        all.register("turns", "Turns ended, by who answered", self.turns.clone());
        all.register("turns_running", "Turns that run now", self.turns_running.clone());
        all.register_with_unit("turn_own_duration", "A turn without the time that the model took", Unit::Seconds, self.turn_own_seconds.clone());
        all.register("answers_withheld", "Answers of which something was held back", self.withheld.clone());
        all.register("deliveries", "Attempts to send what is in the outbox", self.deliveries.clone());
        all.register_with_unit("delivery_duration", "One attempt to send", Unit::Seconds, self.delivery_seconds.clone());
        all.register("breaker_open", "1 while a dependency is left alone", self.breakers.clone());
        all.register("database_connections", "Connections of this process", self.connections.clone());
        all.register("waiting", "What waits, over all stores", self.waiting.clone());
        all.register_with_unit("oldest_waiting", "How long the oldest of it has waited", Unit::Seconds, self.oldest_seconds.clone());
        all.register_with_unit("budget_used", "The fullest budget of any store: 1 is used up", Unit::Ratios, self.budget_used.clone());
        all.register("database_up", "1 while the database answers", self.database_up.clone());
    }
}

/// An answered request.
pub struct Answer {
    pub method: Label,
    pub route: Label,
    pub status: u16,
    pub took: Duration,
}

/// A call to a model.
pub struct Ask {
    pub endpoint: Label,
    pub outcome: Label,
    pub first_token: Option<Duration>,
    pub took: Duration,
    pub input_tokens: u32,
    pub output_tokens: u32,
    pub cost_micros: i64,
}

impl Metrics {
    /// All metrics in the text format that Prometheus scrapes (OpenMetrics 1.0).
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a string does not fail.
        let _ = text::encode(&mut text, &self.0.registry);
        text
    }

    pub fn answered(&self, answer: Answer) {
        let Answer {
            method,
            route,
            status,
            took,
        } = answer;
        let status = match status {
            ..200 => "1xx",
            200..300 => "2xx",
            300..400 => "3xx",
            400..500 => "4xx",
            500.. => "5xx",
        };
        self.0.requests.get_or_create(&Answered { method, route, status }).inc();
        self.0
            .request_seconds
            .get_or_create(&Route { method, route })
            .observe(took.as_secs_f64());
    }

    pub fn problem(&self, code: Label) {
        self.0.problems.get_or_create(&Code { code }).inc();
    }

    pub fn limited(&self, limit: Label) {
        self.0.limited.get_or_create(&Limit { limit }).inc();
    }

    pub fn shed(&self) {
        self.0.shed.inc();
    }

    pub fn called(&self, tool: Label, outcome: Label, took: Duration) {
        self.0.calls.get_or_create(&Called { tool, outcome }).inc();
        self.0
            .call_seconds
            .get_or_create(&Tool { tool })
            .observe(took.as_secs_f64());
    }

    pub fn asked(&self, ask: &Ask) {
        let endpoint = ask.endpoint;
        self.0
            .asked
            .get_or_create(&Asked {
                endpoint,
                outcome: ask.outcome,
            })
            .inc();
        if let Some(first) = ask.first_token {
            self.0
                .first_token_seconds
                .get_or_create(&Endpoint { endpoint })
                .observe(first.as_secs_f64());
        }
        self.0
            .model_seconds
            .get_or_create(&Endpoint { endpoint })
            .observe(ask.took.as_secs_f64());
        for (direction, tokens) in [("input", ask.input_tokens), ("output", ask.output_tokens)] {
            self.0
                .tokens
                .get_or_create(&Tokens { endpoint, direction })
                .inc_by(tokens.into());
        }
        self.0
            .cost
            .get_or_create(&Endpoint { endpoint })
            .inc_by(ask.cost_micros.unsigned_abs());
    }

    pub fn turn_began(&self) {
        self.0.turns_running.inc();
    }

    /// `own` is the time that the turn took without the model.
    pub fn turn_ended(&self, source: Label, own: Duration) {
        self.0.turns_running.dec();
        self.0.turns.get_or_create(&Source { source }).inc();
        self.0.turn_own_seconds.observe(own.as_secs_f64());
    }

    pub fn withheld(&self) {
        self.0.withheld.inc();
    }

    pub fn delivered(&self, channel: Label, outcome: Label, took: Duration) {
        self.0.deliveries.get_or_create(&Delivered { channel, outcome }).inc();
        self.0
            .delivery_seconds
            .get_or_create(&Channel { channel })
            .observe(took.as_secs_f64());
    }

    pub fn breaker(&self, dependency: Label, is_open: bool) {
        self.0
            .breakers
            .get_or_create(&Dependency { dependency })
            .set(is_open.into());
    }

    pub fn connections(&self, role: Label, idle: usize, used: usize) {
        for (state, count) in [("idle", idle), ("used", used)] {
            self.0
                .connections
                .get_or_create(&Connections { role, state })
                .set(count as i64);
        }
    }

    /// Sets how many of a kind of `what` wait, and how long the oldest has waited.
    pub fn waiting(&self, what: Label, kind: Label, count: i64, oldest_seconds: f64) {
        self.0.waiting.get_or_create(&Backlog { what, kind }).set(count);
        self.0
            .oldest_seconds
            .get_or_create(&Backlog { what, kind })
            .set(oldest_seconds);
    }

    pub fn budget_used(&self, period: Label, ratio: f64) {
        self.0
            .budget_used
            .get_or_create(&Backlog {
                what: "model",
                kind: period,
            })
            .set(ratio);
    }

    pub fn database_up(&self, is_up: bool) {
        self.0.database_up.set(is_up.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_in_the_text_under_its_name() {
        let metrics = Metrics::default();
        metrics.answered(Answer {
            method: "GET",
            route: "/health",
            status: 503,
            took: Duration::from_millis(30),
        });
        metrics.problem("unavailable");
        metrics.waiting("approvals", "pending", 3, 61.5);
        let text = metrics.text();
        for line in [
            "countersign_http_requests_total{method=\"GET\",route=\"/health\",status=\"5xx\"} 1",
            "countersign_http_request_duration_seconds_bucket{le=\"0.05\",method=\"GET\",route=\"/health\"} 1",
            "countersign_http_problems_total{code=\"unavailable\"} 1",
            "countersign_oldest_waiting_seconds{what=\"approvals\",kind=\"pending\"} 61.5",
            "# EOF",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
