//! Fetches a shop's records page by page: its history by ascending id, later what has changed by ascending time of change.
//!
//! A list can shift while it is read. By id, new records come at the end; where one was deleted the others move up, so that each page begins
//! with the record that the last one ended with, and if it does not, the run goes back. By time of change, a record that changes goes to the
//! end; so the run goes on behind the time of the last record and not at a place in the list.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    body::{id, time},
    rest::{self, Answer, PAGE},
};
use crate::integrations::{
    json_fields::list,
    platform::{Api, Entity, Next, Page, PlatformError},
};

/// Each of a variable product's variations takes a share of another call, and a run belongs to its runner for a limited time.
const PAGE_OF_PRODUCTS: u64 = 20;
/// How often a run goes back for one page. A list can hold records that the key's user may not see, which look like deleted ones.
const MAX_BACK: u32 = 3;

/// Where a run goes on.
#[derive(Serialize, Deserialize)]
#[serde(tag = "at", rename_all = "snake_case")]
enum Cursor {
    /// By id: at `offset` stands the record `last`, the last one that was read, unless one before it was deleted.
    Id { offset: u64, last: u64, back: u32 },
    /// By time of change: the records that changed after `after`, without the first `offset`.
    Changed { after: DateTime<Utc>, offset: u64 },
}

/// A page of what there is, or of what has changed since a time.
pub(super) async fn page(
    api: &Api<'_>,
    entity: Entity,
    since: Option<DateTime<Utc>>,
    cursor: Option<&Value>,
) -> Result<Page, PlatformError> {
    let cursor = cursor.and_then(|cursor| Cursor::deserialize(cursor).ok());
    match (since, entity) {
        // The list of customers has no bound for changes (woocommerce/woocommerce 41371): all are read.
        (None, _) | (_, Entity::Customers) => {
            let (offset, last, back) = match cursor {
                Some(Cursor::Id { offset, last, back }) => (offset, last, back),
                _ => (0, 0, 0),
            };
            by_id(api, entity, since, (offset, last, back)).await
        }
        (Some(since), _) => {
            let (after, offset) = match cursor {
                Some(Cursor::Changed { after, offset }) => (after, offset),
                _ => (since, 0),
            };
            changed(api, entity, after, offset).await
        }
    }
}

async fn by_id(
    api: &Api<'_>,
    entity: Entity,
    since: Option<DateTime<Utc>>,
    (offset, last, back): (u64, u64, u32),
) -> Result<Page, PlatformError> {
    let query = [("orderby", "id".to_owned()), ("order", "asc".to_owned())];
    let (answer, size) = read(api, entity, offset, &query).await?;
    let found = list(&answer.body);
    let number = |record: &Value| record["id"].as_u64().unwrap_or(0);
    if offset > 0 && back < MAX_BACK && found.first().is_none_or(|first| number(first) > last) {
        let next = Cursor::Id {
            offset: offset.saturating_sub(size),
            last,
            back: back + 1,
        };
        return Ok(Page {
            items: Vec::new(),
            total: None,
            next: Next::page(&next, Duration::ZERO),
        });
    }
    let new: Vec<&Value> = found.iter().filter(|record| number(record) > last).collect();
    let newest = new.iter().map(|record| number(record)).max();
    let next = match is_end(&answer, offset, size) {
        true => Next::End,
        false => Next::page(
            &Cursor::Id {
                offset: offset + size - 1,
                last: newest.unwrap_or(last),
                back: if newest.is_some() { 0 } else { back },
            },
            Duration::ZERO,
        ),
    };
    let wanted = new
        .into_iter()
        .filter(|record| since.is_none_or(|since| has_changed(record, since)));
    Ok(Page {
        items: whole(api, entity, wanted.cloned().collect()).await?,
        // Variations count with the products' records, but not in the list of products.
        total: answer.total.filter(|_| since.is_none() && entity != Entity::Products),
        next,
    })
}

async fn changed(api: &Api<'_>, entity: Entity, after: DateTime<Utc>, offset: u64) -> Result<Page, PlatformError> {
    let query = [
        ("orderby", "modified".to_owned()),
        ("order", "asc".to_owned()),
        ("modified_after", after.format("%Y-%m-%dT%H:%M:%S").to_string()),
        ("dates_are_gmt", "true".to_owned()),
    ];
    let (answer, size) = read(api, entity, offset, &query).await?;
    let found = list(&answer.body);
    // Times have whole seconds: more may have changed in the last one.
    let until = found
        .iter()
        .filter_map(|record| time(&record["date_modified_gmt"]))
        .max()
        .map(|newest| newest - chrono::Duration::seconds(1));
    let next = match (is_end(&answer, offset, size), until.filter(|until| *until > after)) {
        (true, _) => Next::End,
        (false, Some(after)) => Next::page(&Cursor::Changed { after, offset: 0 }, Duration::ZERO),
        // More than a page in one second, as plug-ins do that change many records at once. Half a page is read again, in case some move.
        (false, None) => Next::page(
            &Cursor::Changed {
                after,
                offset: offset + (size / 2).max(1),
            },
            Duration::ZERO,
        ),
    };
    Ok(Page {
        items: whole(api, entity, found.to_vec()).await?,
        total: None,
        next,
    })
}

/// Reads a part of a list, and how long it may be. A shop that does not manage a whole page, for time or memory, is asked for a quarter.
async fn read(
    api: &Api<'_>,
    entity: Entity,
    offset: u64,
    query: &[(&str, String)],
) -> Result<(Answer, u64), PlatformError> {
    let size = if entity == Entity::Products {
        PAGE_OF_PRODUCTS
    } else {
        PAGE
    };
    let ask = async |size: u64| {
        let mut query = query.to_vec();
        query.extend([("per_page", size.to_string()), ("offset", offset.to_string())]);
        rest::get(api, entity.name(), &query).await
    };
    match ask(size).await {
        Err(PlatformError::Busy { retry_after: None, .. }) => Ok((ask(size / 4).await?, size / 4)),
        answer => Ok((answer?, size)),
    }
}

/// Whether a list ends with this part.
fn is_end(answer: &Answer, offset: u64, size: u64) -> bool {
    let found = list(&answer.body).len() as u64;
    match answer.total {
        Some(total) => offset + size >= total,
        None => found < size,
    }
}

fn has_changed(record: &Value, since: DateTime<Utc>) -> bool {
    let at = time(&record["date_modified_gmt"]).or_else(|| time(&record["date_created_gmt"]));
    at.is_none_or(|at| at >= since)
}

/// Records with those that belong to them: a product's variations follow it, as events of their own do.
async fn whole(api: &Api<'_>, entity: Entity, records: Vec<Value>) -> Result<Vec<Value>, PlatformError> {
    if entity != Entity::Products {
        return Ok(records);
    }
    let mut items = Vec::new();
    for record in records {
        let product = id(&record["id"]).filter(|_| !list(&record["variations"]).is_empty());
        items.push(record);
        if let Some(product) = product {
            items.extend(variations(api, &product).await?);
        }
    }
    Ok(items)
}

/// The variations of a product. What tells them from products is added: older versions leave it out of this list.
async fn variations(api: &Api<'_>, product: &str) -> Result<Vec<Value>, PlatformError> {
    let mut all = Vec::new();
    loop {
        let query = [
            ("orderby", "id".to_owned()),
            ("order", "asc".to_owned()),
            ("per_page", PAGE.to_string()),
            ("offset", all.len().to_string()),
        ];
        let answer = rest::get(api, &format!("products/{product}/variations"), &query).await?;
        let offset = all.len() as u64;
        for variation in list(&answer.body) {
            let mut variation = variation.clone();
            variation["type"] = json!("variation");
            variation["parent_id"] = json!(product);
            all.push(variation);
        }
        if list(&answer.body).is_empty() || is_end(&answer, offset, PAGE) {
            return Ok(all);
        }
    }
}
