//! Bulk operations: one query over everything, whose answer is a file of lines of JSON.

use std::{
    cell::RefCell,
    sync::{Arc, OnceLock},
};

use serde_json::{Map, Value, json};

use super::{
    bulk_check, schema, server,
    world::{Window, World, time},
};

/// How bulk operations go. The operation that is running meanwhile goes by it too.
pub struct Bulk {
    /// How often an operation is seen as `CREATED`, and then as `RUNNING`, before it ends.
    pub created_polls: u32,
    pub running_polls: u32,
    pub ending: BulkEnding,
    /// Cuts the connection of each download after so many bytes of its body.
    pub cut_after: Option<usize>,
    /// The addresses of the files have expired: 403.
    pub urls_expired: bool,
    /// Lines of nested objects come at the end of the file, far from their parents.
    pub ungrouped: bool,
    /// How many bytes of files were sent.
    pub bytes_sent: usize,
    pub(super) address: String,
    operations: Vec<Operation>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BulkEnding {
    Completes,
    /// With this code, such as `TIMEOUT`. So many lines are there as partial data.
    Fails(&'static str, usize),
    /// Shopify gave up after days.
    Expires,
}

impl Default for Bulk {
    fn default() -> Self {
        Self {
            created_polls: 1,
            running_polls: 1,
            ending: BulkEnding::Completes,
            cut_after: None,
            urls_expired: false,
            ungrouped: false,
            bytes_sent: 0,
            address: String::new(),
            operations: Vec::new(),
        }
    }
}

struct Operation {
    id: String,
    query: String,
    status: &'static str,
    polls: u32,
    created: String,
    completed: Option<String>,
    error: Option<&'static str>,
    file: Option<File>,
}

#[derive(Default)]
struct File {
    lines: Vec<String>,
    roots: usize,
    /// The last object at the root that was executed, and whether it was the last of all.
    after: Option<(i64, u64)>,
    is_whole: bool,
    /// The bytes of the lines, once somebody has read them.
    bytes: OnceLock<Arc<Vec<u8>>>,
}

impl Operation {
    fn is_over(&self) -> bool {
        !matches!(self.status, "CREATED" | "RUNNING" | "CANCELING")
    }
}

fn refused(code: &str, message: impl Into<String>) -> Value {
    json!({ "bulkOperation": null, "userErrors": [{ "field": ["query"], "message": message.into(), "code": code }] })
}

impl World {
    pub(super) fn run_bulk(&mut self, query: &str) -> Value {
        if let Some(running) = self.bulk.operations.iter().find(|known| !known.is_over()) {
            let message = format!(
                "A bulk query operation for this app and shop is already in progress: {}.",
                running.id
            );
            return refused("OPERATION_IN_PROGRESS", message);
        }
        if let Err(message) = bulk_check::check(query) {
            return refused("INVALID", message);
        }
        let id = format!("gid://shopify/BulkOperation/{}", self.new_id());
        let created = self.tick();
        self.bulk.operations.push(Operation {
            id,
            query: query.to_owned(),
            status: "CREATED",
            polls: 0,
            created,
            completed: None,
            error: None,
            file: None,
        });
        json!({ "bulkOperation": self.bulk_object(self.bulk.operations.len() - 1), "userErrors": [] })
    }

    pub(super) fn cancel_bulk(&mut self, id: &str) -> Value {
        let Some(place) = self.bulk.operations.iter().position(|known| known.id == id) else {
            return json!({ "bulkOperation": null, "userErrors": [{ "field": ["id"], "message": "Bulk operation does not exist" }] });
        };
        let operation = &mut self.bulk.operations[place];
        if operation.is_over() {
            let message = format!(
                "A bulk operation cannot be canceled when it is {}",
                operation.status.to_lowercase()
            );
            return json!({ "bulkOperation": self.bulk_object(place), "userErrors": [{ "field": null, "message": message }] });
        }
        operation.status = "CANCELING";
        json!({ "bulkOperation": self.bulk_object(place), "userErrors": [] })
    }

    /// Brings an operation nearer to its end. Returns its query when it is to be executed first.
    fn advance_bulk(&mut self, place: usize) -> Option<String> {
        let (created, running) = (self.bulk.created_polls, self.bulk.running_polls);
        let (ungrouped, ending, now) = (self.bulk.ungrouped, self.bulk.ending, time(self.now));
        let operation = &mut self.bulk.operations[place];
        if operation.is_over() {
            return None;
        }
        if operation.status == "CANCELING" {
            (operation.status, operation.completed) = ("CANCELED", Some(now));
            return None;
        }
        if operation.polls >= created && operation.file.as_ref().is_none_or(|file| !file.is_whole) {
            return Some(operation.query.clone());
        }
        operation.polls += 1;
        if operation.polls <= created + running {
            operation.status = if operation.polls <= created {
                "CREATED"
            } else {
                "RUNNING"
            };
            return None;
        }
        operation.completed = Some(now);
        let file = operation.file.as_mut().expect("executed");
        if ungrouped {
            // The sort is stable: the objects at the root first, in their order.
            file.lines.sort_by_key(|line| line.contains("\"__parentId\""));
        }
        match ending {
            BulkEnding::Completes => operation.status = "COMPLETED",
            BulkEnding::Expires => (operation.status, operation.file) = ("EXPIRED", None),
            BulkEnding::Fails(code, lines) => {
                (operation.status, operation.error) = ("FAILED", Some(code));
                file.lines.truncate(lines);
            }
        }
        None
    }

    fn bulk_object(&self, place: usize) -> Value {
        let operation = &self.bulk.operations[place];
        let lines = operation.file.as_ref().map_or(0, |file| file.lines.len());
        let (done, all) = match operation.is_over() {
            true => (1, 1),
            false => (
                u64::from(operation.polls.saturating_sub(self.bulk.created_polls)).max(1),
                u64::from(self.bulk.running_polls) + 1,
            ),
        };
        let bytes: usize = operation
            .file
            .iter()
            .flat_map(|file| &file.lines)
            .map(|line| line.len() + 1)
            .sum();
        // An operation that found nothing has no file.
        let there = operation.is_over() && lines > 0;
        let number = operation.id.rsplit('/').next().expect("a number");
        let url = format!("{}/bulk/{number}.jsonl?X-Goog-Expires=604800", self.bulk.address);
        json!({ "id": operation.id, "status": operation.status, "type": "QUERY", "errorCode": operation.error, "createdAt": operation.created,
            "completedAt": operation.completed, "objectCount": (lines as u64 * done / all).to_string(),
            "rootObjectCount": (operation.file.as_ref().map_or(0, |file| file.roots) as u64 * done / all).to_string(),
            "fileSize": there.then(|| bytes.to_string()), "url": (there && operation.status == "COMPLETED").then_some(&url),
            "partialDataUrl": (there && operation.status == "FAILED").then_some(&url), "query": operation.query })
    }

    /// The body of the webhook `bulk_operations/finish` of the last operation.
    pub fn bulk_webhook_body(&self) -> Value {
        let operation = self.bulk.operations.last().expect("an operation");
        json!({ "admin_graphql_api_id": operation.id, "completed_at": operation.completed, "created_at": operation.created,
            "error_code": operation.error.map(str::to_lowercase), "status": operation.status.to_lowercase(), "type": "query" })
    }

    /// The queries that operations ran.
    pub fn bulk_queries(&self) -> Vec<String> {
        self.bulk
            .operations
            .iter()
            .map(|operation| operation.query.clone())
            .collect()
    }

    pub(super) fn bulk_file(&self, number: &str) -> Option<Arc<Vec<u8>>> {
        let id = format!("gid://shopify/BulkOperation/{number}");
        let file = self
            .bulk
            .operations
            .iter()
            .find(|known| known.id == id)?
            .file
            .as_ref()?;
        let bytes = file
            .bytes
            .get_or_init(|| Arc::new((file.lines.join("\n") + "\n").into_bytes()));
        Some(bytes.clone())
    }
}

/// Somebody looks at an operation, or at the last one. Each look brings it nearer to its end.
pub(super) fn poll(world: &RefCell<World>, id: Option<&str>) -> Value {
    let place = {
        let operations = &world.borrow().bulk.operations;
        match id {
            Some(id) => operations.iter().position(|known| known.id == id),
            None => operations.len().checked_sub(1),
        }
    };
    let Some(place) = place else { return Value::Null };
    let query = world.borrow_mut().advance_bulk(place);
    if let Some(query) = query {
        let mut file = world.borrow_mut().bulk.operations[place]
            .file
            .take()
            .unwrap_or_default();
        execute(world, &query, &mut file);
        let mut world = world.borrow_mut();
        let is_whole = file.is_whole;
        world.bulk.operations[place].file = Some(file);
        match is_whole {
            true => _ = world.advance_bulk(place),
            false => world.bulk.operations[place].status = "RUNNING",
        }
    }
    world.borrow().bulk_object(place)
}

/// How many objects of the list at the root are executed at once, and how often while one call waits.
const WINDOW: usize = 500;
const WINDOWS_A_POLL: usize = 10;

fn execute(world: &RefCell<World>, query: &str, file: &mut File) {
    let document = schema::parse(query).expect("it was checked");
    for _ in 0..WINDOWS_A_POLL {
        let window = Window {
            after: file.after,
            most: WINDOW,
        };
        let (response, last) = server::run_window(world, &document, window);
        let data = serde_json::to_value(response.data).expect("JSON");
        assert!(response.errors.is_empty(), "{:?}", response.errors);
        for (_, list) in data.as_object().into_iter().flatten() {
            for edge in list["edges"].as_array().into_iter().flatten() {
                add(&mut file.lines, edge["node"].clone(), None);
                file.roots += 1;
            }
        }
        (file.after, file.is_whole) = (last, last.is_none());
        if file.is_whole {
            return;
        }
    }
}

/// Adds an object's line, and after it the lines of the lists in it.
fn add(lines: &mut Vec<String>, node: Value, parent: Option<&Value>) {
    let Value::Object(node) = node else { return };
    let (mut line, mut lists) = (Map::new(), Vec::new());
    for (name, value) in node {
        match value.get("edges") {
            Some(edges) => lists.push(edges.clone()),
            None => {
                line.insert(name, value);
            }
        }
    }
    let id = line.get("id").cloned().unwrap_or_default();
    if let Some(parent) = parent {
        line.insert("__parentId".into(), parent.clone());
    }
    lines.push(Value::Object(line).to_string());
    for mut edge in lists
        .into_iter()
        .flat_map(|list| list.as_array().cloned().unwrap_or_default())
    {
        add(lines, edge["node"].take(), Some(&id));
    }
}
