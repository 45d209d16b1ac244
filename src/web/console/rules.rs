//! The page *Rules and limits*: who decides on what, what the model may cost, how often requests are taken.

use axum::{
    Router,
    extract::Path,
    http::Method,
    response::Response,
    routing::{get, post},
};
use serde_json::{Value, json};

use super::{
    Console, Failure, Form, Visitor, done,
    view::{Cell, Field, Form as Fields, Section, Table, list, string, words},
};
use crate::money::{self, Currency};

pub fn routes() -> Router<Console> {
    Router::new()
        .route("/console/rules", get(rules))
        .route("/console/rules/{tool}", get(rule).post(change_rule))
        .route("/console/budget", post(change_budget))
}

const MODES: [(&str, &str); 4] = [
    ("off", "Off: the tool does not exist"),
    ("staff", "Staff decides"),
    ("shopper", "The shopper confirms"),
    ("automatic", "Automatic, within the limits"),
];

/// A policy's limits: name, label.
const LIMITS: [(&str, &str); 4] = [
    ("automatic_below_minor", "Approve automatically below this amount"),
    (
        "automatic_per_day",
        "Automatic approvals a day, at most, for one shopper",
    ),
    (
        "automatic_account_days",
        "Approve automatically for accounts that are at least so many days old",
    ),
    ("two_deciders_from_minor", "Two people must approve from this amount"),
];

const CAPS: [(&str, &str); 6] = [
    ("conversation_micros", "For each conversation"),
    ("shopper_day_micros", "For each shopper a day"),
    ("tenant_day_micros", "For the store a day"),
    ("tenant_month_micros", "For the store a month"),
    ("guests_percent", "All guests together, % of the store's day and month"),
    (
        "network_percent",
        "Guests of one network, % of what all guests may spend a day",
    ),
];

/// How many digits stand behind the point of a field that is money, by how its name ends; none for a count.
fn decimals(name: &str, currency: Currency) -> Option<u32> {
    match name {
        name if name.ends_with("_micros") => Some(6),
        name if name.ends_with("_minor") => Some(currency.decimals()),
        _ => None,
    }
}

/// A limit as people write it; empty where there is none.
fn shown(limits: &Value, name: &str, currency: Currency) -> String {
    let Some(value) = limits[name].as_i64() else {
        return String::new();
    };
    match decimals(name, currency) {
        // Of millionths two digits behind the point are shown at least, and no zero more.
        Some(6) => {
            let text = money::decimal(value, 6);
            let (most, least) = text.split_at(text.len() - 4);
            format!("{most}{}", least.trim_end_matches('0'))
        }
        Some(decimals) => money::decimal(value, decimals),
        None => value.to_string(),
    }
}

/// What somebody wrote, as the API takes it.
fn sent(form: &Form, name: &str, currency: Currency) -> Value {
    match decimals(name, currency) {
        Some(decimals) => form.amount(name, decimals),
        None => form.number(name),
    }
}

async fn rules(visitor: Visitor) -> Result<Response, Failure> {
    let policies: Value = visitor.get("/v1/staff/policies").await?;
    let caps: Value = visitor.get("/v1/staff/budget").await?;
    let currency = visitor.currency().await?;
    let row = |tool: &Value| {
        let (contract, policy) = (&tool["contract"], &tool["policy"]);
        let limits = LIMITS.iter().filter(|(name, _)| policy[name].is_number());
        let limits: Vec<String> = limits
            .map(|(name, label)| format!("{label}: {}", shown(policy, name, currency)))
            .collect();
        vec![
            Cell::link(
                format!("/console/rules/{}", string(contract, "name")),
                string(contract, "name"),
            ),
            Cell::text(string(contract, "summary")),
            Cell::tone("plain", string(contract, "effect").replace('_', " ")),
            Cell::text(string(policy, "mode")),
            Cell::text(limits.join("; ")),
        ]
    };
    let amount = |(name, label): (&'static str, &str)| Field::new(name, label, "text").of(shown(&caps, name, currency));
    let sections = vec![
        Section::Table(Table {
            caption: "Tools that change something, and who decides",
            head: vec!["Tool", "What it does", "Effect", "Decides", "Limits"],
            rows: list(&policies, "tools").iter().map(row).collect(),
            empty: "None.",
        }),
        Section::Form(Fields {
            help: "Amounts are in the currency that the model is priced in. When a limit is reached, fixed rules answer instead of the model.",
            ..Fields::post(
                "What the model may cost",
                "/console/budget",
                "Save",
                CAPS.map(amount).into(),
            )
            .calling("PUT", "/v1/staff/budget")
        }),
        limits(&visitor).await?,
    ];
    visitor.page("Rules and limits", sections).await
}

/// How often requests are taken: the whole server's, so they are shown and not changed here.
async fn limits(visitor: &Visitor) -> Result<Section, Failure> {
    const NAMES: [(&str, &str); 3] = [
        ("sign_in", "From one address, before anybody is known"),
        ("account", "By one account"),
        ("address", "From one address in all"),
    ];
    let limits: Value = visitor.get("/v1/staff/limits").await?;
    let row = |(name, label): (&str, &str)| {
        let rate = &limits[name];
        vec![
            Cell::text(label),
            Cell::text(&rate["per_second"]),
            Cell::text(&rate["burst"]),
        ]
    };
    Ok(Section::Table(Table {
        caption: "How often requests are taken, by each replica: set for the whole server by LIMIT_*",
        head: vec!["Whose", "A second", "At once, after a quiet time"],
        rows: NAMES.map(row).into(),
        empty: "",
    }))
}

async fn rule(visitor: Visitor, Path(tool): Path<String>) -> Result<Response, Failure> {
    let policies: Value = visitor.get("/v1/staff/policies").await?;
    let found = list(&policies, "tools")
        .iter()
        .find(|it| it["contract"]["name"] == *tool);
    let found = found.cloned().unwrap_or_default();
    let (contract, policy) = (&found["contract"], &found["policy"]);
    let facts = ["summary", "target", "effect", "requires", "side_effects", "example"];
    let rows = facts.map(|fact| vec![Cell::text(fact.replace('_', " ")), Cell::text(words(&contract[fact]))]);
    let currency = visitor.currency().await?;
    let mut fields = vec![Field::select("mode", "Who decides", &MODES, &string(policy, "mode"))];
    fields.extend(LIMITS.map(|(name, label)| {
        let label = match name.ends_with("_minor") {
            true => format!("{label} ({currency})"),
            false => label.to_owned(),
        };
        Field::new(name, label, "text")
            .optional()
            .of(shown(policy, name, currency))
    }));
    let sections = vec![
        Section::Table(Table {
            caption: "Its contract",
            head: vec!["What", "How"],
            rows: rows.into(),
            empty: "",
        }),
        Section::Form(
            Fields::post(
                "Its policy",
                format!("/console/rules/{}", string(contract, "name")),
                "Save",
                fields,
            )
            .calling("PUT", "/v1/staff/policies/{tool}"),
        ),
    ];
    visitor.page(&string(contract, "name"), sections).await
}

async fn change_rule(
    visitor: Visitor,
    Path(tool): Path<String>,
    axum::Form(form): axum::Form<Form>,
) -> Result<Response, Failure> {
    let currency = visitor.currency().await?;
    let mut policy = json!({ "mode": form.text("mode") });
    for (name, _) in LIMITS {
        policy[name] = sent(&form, name, currency);
    }
    let name: String = url::form_urlencoded::byte_serialize(tool.as_bytes()).collect();
    visitor
        .change(Method::PUT, &format!("/v1/staff/policies/{name}"), Some(policy))
        .await?;
    Ok(done("/console/rules", "saved"))
}

async fn change_budget(visitor: Visitor, axum::Form(form): axum::Form<Form>) -> Result<Response, Failure> {
    let currency = visitor.currency().await?;
    let mut caps = json!({});
    for (name, _) in CAPS {
        caps[name] = sent(&form, name, currency);
    }
    visitor.change(Method::PUT, "/v1/staff/budget", Some(caps)).await?;
    Ok(done("/console/rules", "saved"))
}
