//! Fetches a shop's records: its whole history as files that Shopify prepares (bulk operations), later what has changed page by page.
//!
//! A file is read in pieces, each by a request of its own, so that memory stays constant and a run goes on where another ended.
//! <https://shopify.dev/docs/api/usage/bulk-operations/queries>

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use futures::TryStreamExt;
use reqwest::{StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    documents as doc,
    graphql::{call, change},
    webhook_shape::{self as shape, nodes},
};
use crate::integrations::platform::{self, Api, Entity, Next, Page, PlatformError};

/// How many bytes of a file are read at once, and at most for one record with its lines.
const PIECE: u64 = 256 * 1024;
const MAX_PIECE: u64 = 32 * 1024 * 1024;
/// How long to wait before asking again whether a file is ready.
const POLL: Duration = Duration::from_secs(2);

/// Where a run goes on.
#[derive(Serialize, Deserialize)]
#[serde(tag = "at", rename_all = "snake_case")]
enum Cursor {
    /// Shopify prepares the file.
    Operation { id: String },
    /// The file is read up to this byte.
    File {
        url: String,
        offset: u64,
        total: Option<u64>,
    },
    /// The page of changes behind this.
    Page { after: String },
}

/// A page of what there is, or of what has changed since a time.
pub(super) async fn page(
    api: &Api<'_>,
    entity: Entity,
    since: Option<DateTime<Utc>>,
    cursor: Option<&Value>,
) -> Result<Page, PlatformError> {
    let cursor = cursor.and_then(|cursor| Cursor::deserialize(cursor).ok());
    match (since, cursor) {
        (Some(since), Some(Cursor::Page { after })) => changes(api, entity, since, Some(after)).await,
        (Some(since), _) => changes(api, entity, since, None).await,
        (None, Some(Cursor::Operation { id })) => poll(api, id).await,
        (None, Some(Cursor::File { url, offset, total })) => piece(api, entity, url, offset, total).await,
        (None, _) => begin(api, entity).await,
    }
}

fn nothing_yet(next: Next, total: Option<u64>) -> Page {
    Page {
        items: Vec::new(),
        total,
        next,
    }
}

/// Has Shopify prepare the file. It prepares one at a time for an app; another is waited for.
async fn begin(api: &Api<'_>, entity: Entity) -> Result<Page, PlatformError> {
    let document = match entity {
        Entity::Products => doc::BULK_PRODUCTS,
        Entity::Customers => doc::BULK_CUSTOMERS,
        Entity::Orders => doc::BULK_ORDERS,
    };
    match change(api, doc::RUN_BULK, json!({ "query": document })).await {
        Ok(result) => match result["bulkOperation"]["id"].as_str() {
            Some(id) => Ok(nothing_yet(
                Next::page(&Cursor::Operation { id: id.to_owned() }, Duration::ZERO),
                None,
            )),
            None => Err(PlatformError::Unreadable("the bulk operation has no id")),
        },
        Err(PlatformError::Refused(code)) if code == "OPERATION_IN_PROGRESS" => running(api, document).await,
        Err(error) => Err(error),
    }
}

/// The operation that runs already: ours, where a run was cut off before it noted its id, or another that is waited for.
async fn running(api: &Api<'_>, document: &str) -> Result<Page, PlatformError> {
    let data = call(api, doc::RUNNING_BULK, json!({})).await?;
    let operation = &data["result"];
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let is_ours = operation["query"]
        .as_str()
        .is_some_and(|query| words(query) == words(document));
    let next = match operation["id"].as_str() {
        Some(id) if is_ours => Next::page(&Cursor::Operation { id: id.to_owned() }, POLL),
        _ => Next::StartOver { wait: POLL },
    };
    Ok(nothing_yet(next, None))
}

async fn poll(api: &Api<'_>, id: String) -> Result<Page, PlatformError> {
    let data = call(api, doc::BULK_OPERATION, json!({ "id": id })).await?;
    let operation = &data["result"];
    let count = |field: &str| platform::count(&operation[field]);
    let total = count("rootObjectCount");
    match operation["status"].as_str() {
        Some("CREATED" | "RUNNING" | "CANCELING") => {
            Ok(nothing_yet(Next::page(&Cursor::Operation { id }, POLL), total))
        }
        Some("COMPLETED") => {
            let next = match operation["url"].as_str() {
                Some(url) => Next::page(
                    &Cursor::File {
                        url: url.to_owned(),
                        offset: 0,
                        total,
                    },
                    Duration::ZERO,
                ),
                // There is no file where there is nothing to put into it.
                None => Next::End,
            };
            Ok(nothing_yet(next, total))
        }
        Some("FAILED") if operation["errorCode"] == "ACCESS_DENIED" => {
            Err(PlatformError::Unauthorized("a permission is missing".into()))
        }
        // Failed, cancelled by somebody, or expired after seven days.
        _ => Ok(nothing_yet(Next::StartOver { wait: POLL }, None)),
    }
}

/// Reads a piece of the file: as many whole records as there are in it.
async fn piece(
    api: &Api<'_>,
    entity: Entity,
    url: String,
    offset: u64,
    total: Option<u64>,
) -> Result<Page, PlatformError> {
    let mut size = PIECE;
    loop {
        let Some((bytes, is_last)) = read_piece(api, &url, offset, size).await? else {
            return Ok(nothing_yet(Next::StartOver { wait: POLL }, None));
        };
        let (read, items) = records(entity, &bytes, is_last)?;
        if is_last {
            return Ok(Page {
                items,
                total,
                next: Next::End,
            });
        }
        if read > 0 {
            let offset = offset + read as u64;
            let next = Next::page(&Cursor::File { url, offset, total }, Duration::ZERO);
            return Ok(Page { items, total, next });
        }
        // One record is larger than the piece.
        size *= 2;
        if size > MAX_PIECE {
            return Err(PlatformError::Unreadable("a record of the file is too large"));
        }
    }
}

/// The bytes of a file from an offset on, and whether it ends with them. None when the file is there no more.
async fn read_piece(
    api: &Api<'_>,
    url: &str,
    offset: u64,
    size: u64,
) -> Result<Option<(Vec<u8>, bool)>, PlatformError> {
    let request = api
        .client
        .get(url)
        .header(header::RANGE, format!("bytes={offset}-{}", offset + size - 1));
    let response = request.send().await.map_err(|error| platform::unreached(&error))?;
    let mut skip = match response.status() {
        StatusCode::PARTIAL_CONTENT => 0,
        // The server gives the whole file: what was read before is passed over.
        StatusCode::OK => offset,
        StatusCode::RANGE_NOT_SATISFIABLE => return Ok(Some((Vec::new(), true))),
        StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::BAD_REQUEST => return Ok(None),
        status => return Err(PlatformError::busy(format!("the shop answered {}", status.as_u16()))),
    };
    let whole = response
        .headers()
        .get(header::CONTENT_RANGE)
        .and_then(|range| range.to_str().ok()?.rsplit('/').next()?.parse::<u64>().ok());
    let mut stream = response.bytes_stream();
    let mut bytes: Vec<u8> = Vec::new();
    while let Some(part) = stream.try_next().await.map_err(|error| platform::unreached(&error))? {
        let passed = skip.min(part.len() as u64);
        skip -= passed;
        bytes.extend_from_slice(&part[passed as usize..]);
        if bytes.len() as u64 > size {
            bytes.truncate(size as usize);
            return Ok(Some((bytes, false)));
        }
    }
    let read = bytes.len() as u64;
    let is_last = match whole {
        Some(whole) => offset + read >= whole,
        None => true,
    };
    Ok(Some((bytes, is_last)))
}

/// The whole records in a piece, and how many bytes they take. A record is a line without `__parentId` and the lines behind it that have one;
/// it is whole when another begins behind it, or the file ends.
fn records(entity: Entity, bytes: &[u8], is_last: bool) -> Result<(usize, Vec<Value>), PlatformError> {
    let mut items = Vec::new();
    let mut current: Option<(Value, Vec<Value>)> = None;
    let (mut at, mut whole) = (0, 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let is_cut = !line.ends_with(b"\n") && !is_last;
        if is_cut {
            break;
        }
        let begin = at;
        at += line.len();
        if line.trim_ascii().is_empty() {
            continue;
        }
        let node: Value =
            serde_json::from_slice(line).map_err(|_| PlatformError::Unreadable("a line of the file is no JSON"))?;
        match (&mut current, node.get("__parentId")) {
            (Some((parent, children)), Some(of)) if parent["id"] == *of => children.push(node),
            // A child whose parent is elsewhere cannot be placed. Shopify groups them, because we ask it to.
            (_, Some(_)) => {}
            (_, None) => {
                if let Some((parent, children)) = current.replace((node, Vec::new())) {
                    items.push(record(entity, &parent, &children));
                }
                whole = begin;
            }
        }
    }
    if is_last {
        items.extend(current.map(|(parent, children)| record(entity, &parent, &children)));
        whole = at;
    }
    Ok((whole, items))
}

fn record(entity: Entity, node: &Value, children: &[Value]) -> Value {
    match entity {
        Entity::Products => shape::product(node, children),
        Entity::Customers => shape::customer(node),
        Entity::Orders => shape::order(node, children),
    }
}

async fn changes(
    api: &Api<'_>,
    entity: Entity,
    since: DateTime<Utc>,
    after: Option<String>,
) -> Result<Page, PlatformError> {
    let document = match entity {
        Entity::Products => doc::PAGE_OF_PRODUCTS,
        Entity::Customers => doc::PAGE_OF_CUSTOMERS,
        Entity::Orders => doc::PAGE_OF_ORDERS,
    };
    let query = format!("updated_at:>='{}'", since.to_rfc3339_opts(SecondsFormat::Secs, true));
    let data = call(api, document, json!({ "after": after, "query": query })).await?;
    let mut items = Vec::new();
    for node in nodes(&data["result"]) {
        items.push(whole(api, entity, &node).await?);
    }
    let info = &data["result"]["pageInfo"];
    let next = match (info["hasNextPage"] == true, info["endCursor"].as_str()) {
        (true, Some(after)) => Next::page(
            &Cursor::Page {
                after: after.to_owned(),
            },
            Duration::ZERO,
        ),
        _ => Next::End,
    };
    Ok(Page {
        items,
        total: None,
        next,
    })
}

/// A record of a page. The lines of an order that the page does not show are fetched.
pub(super) async fn whole(api: &Api<'_>, entity: Entity, node: &Value) -> Result<Value, PlatformError> {
    let connection = match entity {
        Entity::Products => &node["variants"],
        Entity::Customers => &Value::Null,
        Entity::Orders => &node["lineItems"],
    };
    let mut children = nodes(connection);
    let mut info = connection["pageInfo"].clone();
    while entity == Entity::Orders && info["hasNextPage"] == true {
        let variables = json!({ "id": node["id"], "after": info["endCursor"] });
        let data = call(api, doc::LINES, variables).await?;
        let more = &data["result"]["lineItems"];
        children.extend(nodes(more));
        info = more["pageInfo"].clone();
    }
    Ok(record(entity, node, &children))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r##"{"id":"gid://shopify/Order/1","name":"#1"}
{"id":"gid://shopify/LineItem/11","title":"Lamp","__parentId":"gid://shopify/Order/1"}
{"id":"gid://shopify/Order/2","name":"#2"}
{"id":"gid://shopify/LineItem/21","title":"Mug","__parentId":"gid://shopify/Order/2"}
"##;

    /// Reading a file in pieces of any size gives each record once, with its lines.
    #[test]
    fn pieces_of_any_size_give_each_record_once() {
        for size in 1..=FILE.len() + 1 {
            let (mut offset, mut found) = (0, Vec::new());
            let mut piece = size;
            loop {
                let end = (offset + piece).min(FILE.len());
                let is_last = end == FILE.len();
                let (read, items) = records(Entity::Orders, &FILE.as_bytes()[offset..end], is_last).expect("records");
                found.extend(items);
                if is_last {
                    break;
                }
                offset += read;
                piece = if read == 0 { piece * 2 } else { size };
            }
            let names: Vec<(&str, &str)> = found
                .iter()
                .map(|order| {
                    (
                        order["name"].as_str().unwrap_or_default(),
                        order["line_items"][0]["title"].as_str().unwrap_or_default(),
                    )
                })
                .collect();
            assert_eq!(names, [("#1", "Lamp"), ("#2", "Mug")], "pieces of {size}");
        }
    }
}
