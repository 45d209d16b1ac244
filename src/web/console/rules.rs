//! The page *Rules and limits* shows who decides on what, which model answers, what it may cost, and how often requests are taken.

use askama::Template;
use axum::{
    Router,
    extract::Path,
    response::Response,
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Console, Failure, Page, Submitted, Visitor, done, encoded, filters, form::NumberField, render};
use crate::{
    approvals::policy::{Mode, Policy},
    http::{Limits, OfferedModel, StoreModel},
    model::budget::Caps,
    money::{Currency, Money},
    tools::Effect,
};

pub fn routes() -> Router<Console> {
    Router::new()
        .route("/console/rules", get(list))
        .route("/console/rules/{tool}", get(rule).post(change_rule))
        .route("/console/budget", post(change_budget))
        .route("/console/model", post(change_model))
}

/// The modes of a policy, each with the label that people read.
const MODES: [(Mode, &str); 4] = [
    (Mode::Off, "Off: the assistant cannot use it"),
    (Mode::Staff, "Staff approve each request"),
    (Mode::Shopper, "The shopper confirms"),
    (Mode::Automatic, "Automatic within the limits below, otherwise staff"),
];

/// The API's name of a mode.
fn mode_name(mode: Mode) -> String {
    let name = serde_json::to_value(mode).ok();
    name.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A write tool, with its policy, which says who decides.
#[derive(Deserialize)]
struct Tool {
    contract: Contract,
    policy: Policy,
}

/// The parts of a tool's contract that pages show.
#[derive(Deserialize)]
struct Contract {
    name: String,
    summary: String,
    target: String,
    effect: Effect,
    requires: Vec<String>,
    side_effects: Vec<String>,
    example: String,
}

impl Contract {
    fn effect(&self) -> &'static str {
        match self.effect {
            Effect::Reads => "only reads",
            Effect::ChangesStore => "changes store data",
            Effect::MovesMoney => "moves money",
            Effect::External => "changes another system",
        }
    }
}

#[derive(Deserialize)]
struct Policies {
    tools: Vec<Tool>,
}

#[derive(Template)]
#[template(path = "console/rules.html")]
struct RulesPage {
    page: Page,
    tools: Vec<Tool>,
    currency: Currency,
    caps: Caps,
    model: StoreModel,
    /// Each has its name, which is empty for the default, and the words that people read.
    models: Vec<(String, String)>,
    limits: Limits,
}

impl RulesPage {
    fn decides(&self, policy: &Policy) -> &'static str {
        match policy.mode {
            Mode::Off => "Off",
            Mode::Staff => "Staff",
            Mode::Shopper => "Shopper",
            Mode::Automatic => "Automatic",
        }
    }

    fn money(&self, minor: &i64) -> Money {
        Money::new(*minor, self.currency)
    }

    fn amount(&self, micros: &i64) -> String {
        filters::amount_of(*micros)
    }

    fn chosen_model(&self) -> &str {
        self.model.chosen.as_deref().unwrap_or_default()
    }

    /// The model that the store chose, if the installation no longer offers it and another one answers.
    fn lost_model(&self) -> Option<&str> {
        let chosen = self.model.chosen.as_deref();
        chosen.filter(|chosen| self.model.in_use.as_deref() != Some(chosen))
    }
}

/// The models to choose from. The first entry stands for the installation's default.
fn choices(model: &StoreModel) -> Vec<(String, String)> {
    let default = model.default.as_deref().unwrap_or_default();
    let offered = model.models.iter().map(|model| (model.name.clone(), offer(model)));
    let none = (String::new(), format!("Installation's default ({default})"));
    std::iter::once(none).chain(offered).collect()
}

/// A model is offered with its prices: `gpt-4o-mini: 0.15 read, 0.60 written`.
fn offer(model: &OfferedModel) -> String {
    let price = |micros: u64| filters::amount_of(i64::try_from(micros).unwrap_or(i64::MAX));
    format!(
        "{}: {} read, {} written",
        model.name,
        price(model.input_micros),
        price(model.output_micros)
    )
}

async fn list(visitor: Visitor) -> Result<Response, Failure> {
    let policies: Policies = visitor.get("/v1/staff/policies").await?;
    let model = visitor.get("/v1/staff/model").await?;
    Ok(render(&RulesPage {
        models: choices(&model),
        model,
        tools: policies.tools,
        currency: visitor.currency().await?,
        caps: visitor.get("/v1/staff/budget").await?,
        limits: visitor.get("/v1/staff/limits").await?,
        page: visitor.page("Rules and limits").await?,
    }))
}

#[derive(Template)]
#[template(path = "console/rule.html")]
struct RulePage {
    page: Page,
    tool: Tool,
    modes: Vec<(String, &'static str)>,
    mode: String,
    currency: Currency,
}

impl RulePage {
    /// Formats a limit of money. The text is empty if there is no limit.
    fn amount(&self, minor: &Option<i64>) -> String {
        minor.map_or_else(String::new, |minor| Money::new(minor, self.currency).amount())
    }

    fn count(&self, count: &Option<i32>) -> String {
        count.map_or_else(String::new, |count| count.to_string())
    }
}

async fn rule(visitor: Visitor, Path(name): Path<String>) -> Result<Response, Failure> {
    let policies: Policies = visitor.get("/v1/staff/policies").await?;
    let mut tools = policies.tools.into_iter();
    let Some(tool) = tools.find(|tool| tool.contract.name == name) else {
        return Err(visitor.not_found());
    };
    Ok(render(&RulePage {
        page: visitor.page(filters::in_words(&name)).await?,
        modes: MODES.iter().map(|(mode, label)| (mode_name(*mode), *label)).collect(),
        mode: mode_name(tool.policy.mode),
        currency: visitor.currency().await?,
        tool,
    }))
}

/// The policy that a form sends.
#[derive(Serialize)]
struct NewPolicy<'a> {
    mode: &'a str,
    automatic_below_minor: NumberField,
    automatic_per_day: NumberField,
    automatic_account_days: NumberField,
    two_deciders_from_minor: NumberField,
}

async fn change_rule(
    visitor: Visitor,
    Path(tool): Path<String>,
    axum::Form(form): axum::Form<Submitted>,
) -> Result<Response, Failure> {
    let decimals = visitor.currency().await?.decimals();
    let policy = NewPolicy {
        mode: form.text("mode"),
        automatic_below_minor: form.amount("automatic_below_minor", decimals),
        automatic_per_day: form.number("automatic_per_day"),
        automatic_account_days: form.number("automatic_account_days"),
        two_deciders_from_minor: form.amount("two_deciders_from_minor", decimals),
    };
    visitor
        .put(&format!("/v1/staff/policies/{}", encoded(&tool)), policy)
        .await?;
    Ok(done("/console/rules", "saved"))
}

/// The caps on the assistant's cost that a form sends.
#[derive(Serialize)]
struct NewCaps {
    conversation_micros: NumberField,
    shopper_day_micros: NumberField,
    store_day_micros: NumberField,
    store_month_micros: NumberField,
    guests_percent: NumberField,
    network_percent: NumberField,
}

async fn change_budget(visitor: Visitor, axum::Form(form): axum::Form<Submitted>) -> Result<Response, Failure> {
    let caps = NewCaps {
        conversation_micros: form.amount("conversation_micros", 6),
        shopper_day_micros: form.amount("shopper_day_micros", 6),
        store_day_micros: form.amount("store_day_micros", 6),
        store_month_micros: form.amount("store_month_micros", 6),
        guests_percent: form.number("guests_percent"),
        network_percent: form.number("network_percent"),
    };
    visitor.put("/v1/staff/budget", caps).await?;
    Ok(done("/console/rules", "saved"))
}

async fn change_model(visitor: Visitor, axum::Form(form): axum::Form<Submitted>) -> Result<Response, Failure> {
    match (form.optional("model"), form.optional("summarize_cut_turns").is_some()) {
        (None, false) => match visitor.delete("/v1/staff/model").await {
            Err(failure) if failure.status() != 404 => return Err(failure),
            _ => {}
        },
        (model, summarizes) => {
            let choice = json!({ "model": model, "summarize_cut_turns": summarizes });
            visitor.put("/v1/staff/model", choice).await?;
        }
    }
    Ok(done("/console/rules", "saved"))
}
