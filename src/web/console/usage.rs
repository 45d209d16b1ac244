//! The page *Usage and spend*: what the language model has cost.

use axum::{Router, response::Response, routing::get};
use serde_json::Value;

use super::{
    Console, Failure, Visitor,
    charts::Chart,
    view::{Cell, Section, Table, list, string},
};

pub fn routes() -> Router<Console> {
    Router::new().route("/console/usage", get(usage))
}

/// Millionths as an amount.
fn spent(micros: i64) -> String {
    format!("{:.2}", micros as f64 / 1e6)
}

async fn usage(visitor: Visitor) -> Result<Response, Failure> {
    let mut sections = Vec::new();
    for (by, caption) in [
        ("day", "By day, last thirty"),
        ("model", "By model"),
        ("tool", "By tool"),
        ("shopper", "By shopper"),
    ] {
        let found: Value = visitor.get(&format!("/v1/staff/usage?by={by}")).await?;
        let mut rows: Vec<&Value> = list(&found, "usage").iter().collect();
        if by == "day" {
            rows.sort_by_key(|row| std::cmp::Reverse(string(row, "key")));
        }
        let number = |row: &Value, field: &str| row[field].as_i64().unwrap_or_default();
        let most = rows
            .iter()
            .map(|row| number(row, "spent_micros"))
            .max()
            .unwrap_or(0)
            .max(1);
        let share = |row: &Value| (number(row, "spent_micros") * 100 / most) as u32;
        if by == "day" && !rows.is_empty() {
            let column = |row: &&Value| (string(row, "key"), share(row), spent(number(row, "spent_micros")));
            sections.push(Section::Chart(Chart {
                caption: "Spent by day",
                columns: rows.iter().take(30).rev().map(column).collect(),
            }));
        }
        let row = |row: &&Value| {
            let money = number(row, "spent_micros");
            vec![
                Cell::text(string(row, "key")),
                Cell::Bar {
                    share: share(row),
                    text: spent(money),
                },
                Cell::text(number(row, "calls")),
                Cell::text(number(row, "input_tokens") + number(row, "output_tokens")),
            ]
        };
        sections.push(Section::Table(Table {
            caption,
            head: vec!["What", "Spent", "Answers", "Tokens"],
            rows: rows.iter().take(30).map(row).collect(),
            empty: "Nothing was spent yet.",
        }));
    }
    visitor.page("Usage and spend", sections).await
}
