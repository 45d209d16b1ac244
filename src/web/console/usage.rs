//! The page *Usage and spend* shows what the assistant has cost, by day, model, tool and shopper.

use std::{cmp::Reverse, collections::HashMap};

use askama::Template;
use axum::{Router, response::Response, routing::get};
use chrono::NaiveDate;
use serde::Deserialize;

use super::{Console, Failure, Page, Visitor, charts::Chart, filters::in_words, render};
use crate::{chat::handoff::StaffConversation, model::usage::UsageRow};

pub fn routes() -> Router<Console> {
    Router::new().route("/console/usage", get(usage))
}

/// The most rows that a table has.
const MAX_ROWS: usize = 30;

#[derive(Deserialize)]
struct Usage {
    usage: Vec<UsageRow>,
}

#[derive(Deserialize)]
struct Conversations {
    conversations: Vec<StaffConversation>,
}

struct Row {
    name: String,
    spent: String,
    /// The row's amount in per cent of the largest one in the table.
    share: u32,
    answers: i64,
    tokens: i64,
    /// What of the tokens read came from the provider's cache, in per cent.
    cached: i64,
}

struct Table {
    caption: &'static str,
    /// The heading of the first column.
    what: &'static str,
    rows: Vec<Row>,
}

#[derive(Template)]
#[template(path = "console/usage.html")]
struct UsagePage {
    page: Page,
    by_day: Chart,
    tables: [Table; 4],
}

async fn usage(visitor: Visitor) -> Result<Response, Failure> {
    let shoppers = shoppers(&visitor).await?;
    let mut days = used(&visitor, "day").await?;
    days.sort_by_key(|day| Reverse(day.key.clone()));
    let days = rows(days, date);
    let columns = days.iter().rev();
    let columns = columns.map(|day| (day.name.clone(), day.share, day.spent.clone()));
    let shopper_name = |id: &str| shoppers.get(id).cloned().unwrap_or_else(|| unnamed(id));
    Ok(render(&UsagePage {
        page: visitor.page("Usage and spend").await?,
        by_day: Chart {
            columns: columns.collect(),
        },
        tables: [
            Table {
                caption: "By day, last 30 days",
                what: "Day (UTC)",
                rows: days,
            },
            Table {
                caption: "By model",
                what: "Model",
                rows: rows(used(&visitor, "model").await?, str::to_owned),
            },
            Table {
                caption: "By tool",
                what: "Tool",
                rows: rows(used(&visitor, "tool").await?, in_words),
            },
            Table {
                caption: "By shopper",
                what: "Shopper",
                rows: rows(used(&visitor, "shopper").await?, shopper_name),
            },
        ],
    }))
}

async fn used(visitor: &Visitor, by: &str) -> Result<Vec<UsageRow>, Failure> {
    let found: Usage = visitor.get(&format!("/v1/staff/usage?by={by}")).await?;
    Ok(found.usage)
}

/// Makes the rows of a table. `name` turns a row's key into its name.
fn rows(used: Vec<UsageRow>, name: impl Fn(&str) -> String) -> Vec<Row> {
    let most = used.iter().map(|row| row.spent_micros).max().unwrap_or(0).max(1);
    let row = |row: UsageRow| Row {
        name: name(&row.key),
        spent: format!("{:.2}", row.spent_micros as f64 / 1e6),
        share: (row.spent_micros * 100 / most) as u32,
        answers: row.calls,
        tokens: row.input_tokens + row.output_tokens,
        cached: row.cached_tokens * 100 / row.input_tokens.max(1),
    };
    used.into_iter().take(MAX_ROWS).map(row).collect()
}

/// Formats a day as `25 Nov 2026`.
fn date(day: &str) -> String {
    day.parse::<NaiveDate>()
        .map_or_else(|_| day.to_owned(), |day| day.format("%-d %b %Y").to_string())
}

/// The names of shoppers with recent conversations, by id. Usage has only the ids.
async fn shoppers(visitor: &Visitor) -> Result<HashMap<String, String>, Failure> {
    let found: Conversations = visitor.get("/v1/staff/conversations?limit=100").await?;
    let named = found.conversations.into_iter().filter(|it| !it.shopper.is_empty());
    Ok(named.map(|it| (it.shopper_id.to_string(), it.shopper)).collect())
}

/// The name of a shopper whose name is not known: the end of the id.
fn unnamed(id: &str) -> String {
    format!("Shopper …{}", id.get(id.len().saturating_sub(6)..).unwrap_or(id))
}
