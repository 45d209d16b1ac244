//! When staff answers.

use axum::{Router, http::Method, response::Response, routing::post};
use serde_json::{Value, json};

use super::{
    Console, Failure, Form, Visitor, done,
    view::{Field, Form as Fields, Section, list, string},
};

/// The days of the week: name, label. Monday first, as the API has them.
const DAYS: [(&str, &str); 7] = [
    ("monday", "Monday"),
    ("tuesday", "Tuesday"),
    ("wednesday", "Wednesday"),
    ("thursday", "Thursday"),
    ("friday", "Friday"),
    ("saturday", "Saturday"),
    ("sunday", "Sunday"),
];

pub fn routes() -> Router<Console> {
    Router::new().route("/console/hours", post(change))
}

/// The form, for the page of settings.
pub async fn section(visitor: &Visitor) -> Result<Section, Failure> {
    let found: Value = visitor.get("/v1/staff/hours").await?;
    let hours = &found["hours"];
    let texts = |value: &Value| {
        let texts = value
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default()
            .iter()
            .filter_map(Value::as_str);
        texts.collect::<Vec<_>>().join(", ")
    };
    let week = list(hours, "week");
    let day = |(at, &(name, label)): (usize, &(&'static str, &'static str))| {
        Field::new(name, label, "text")
            .optional()
            .of(week.get(at).map(texts).unwrap_or_default())
    };
    let mut fields = vec![
        Field::new("time_zone", "Time zone, such as Europe/Berlin", "text")
            .optional()
            .of(string(hours, "time_zone")),
    ];
    fields.extend(DAYS.iter().enumerate().map(day));
    fields.push(
        Field::new("closed_on", "Days off, such as 2026-12-25, 2026-12-26", "text")
            .optional()
            .of(texts(&hours["closed_on"])),
    );
    Ok(Section::Form(Fields {
        help: "Write 09:00-12:30, 13:30-17:00, and nothing on days off. Who asks for a person at another time is told when you are back. Without a time zone somebody is taken to be there always.",
        ..Fields::post("When a person answers", "/console/hours", "Save", fields).calling("PUT", "/v1/staff/hours")
    }))
}

async fn change(visitor: Visitor, axum::Form(form): axum::Form<Form>) -> Result<Response, Failure> {
    let parts = |name: &str| -> Vec<String> {
        let parts = form.text(name).split(',').map(|part| part.trim().to_owned());
        parts.filter(|part| !part.is_empty()).collect()
    };
    match form.optional("time_zone") {
        Some(zone) => {
            let week = DAYS.map(|(name, _)| parts(name));
            let hours = json!({ "time_zone": zone, "week": week, "closed_on": parts("closed_on") });
            visitor.change(Method::PUT, "/v1/staff/hours", Some(hours)).await?;
        }
        None => match visitor.change(Method::DELETE, "/v1/staff/hours", None).await {
            Err(failure) if failure.refusal.status != 404 => return Err(failure),
            _ => {}
        },
    }
    Ok(done("/console/settings", "saved"))
}
