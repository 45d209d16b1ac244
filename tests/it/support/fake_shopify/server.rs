//! The fake shop's HTTP: its GraphQL endpoint and the files of bulk operations.

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
};

use apollo_compiler::{
    ExecutableDocument,
    executable::Selection,
    resolvers::Execution,
    response::{ExecutionResponse, JsonMap},
    validation::Valid,
};
use axum::{
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::stream;
use serde_json::{Value, json};

use super::{
    Shared, ShopFault,
    books::ShopCall,
    execute::{Context, Operation},
    schema::{self, SCHEMA},
    world::{Window, World},
};

/// Executes a window of a bulk operation's query. Also says which object was the last, if others may follow.
pub(super) fn run_window(
    world: &RefCell<World>,
    document: &Valid<ExecutableDocument>,
    window: Window,
) -> (ExecutionResponse, Option<(i64, u64)>) {
    let context = Context {
        world,
        objects: Cell::new(0),
        bulk: Some(window),
        bulk_last: Cell::new(None),
    };
    let root = Operation {
        context: &context,
        ty: "QueryRoot",
    };
    let response = Execution::new(&SCHEMA, document)
        .execute_sync(&root)
        .map_err(|error| error.message().to_string());
    let last = context.bulk_last.get();
    (response.expect("it was checked"), last)
}

pub(super) async fn graphql(
    State(shared): State<Arc<Shared>>,
    Path(_version): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let fault = shared.fault(request["query"].as_str().unwrap_or_default());
    if let Some(ShopFault::Answers(status, body)) = fault {
        return (
            StatusCode::from_u16(status).expect("a status"),
            [("retry-after", "1")],
            body,
        )
            .into_response();
    }
    let token = headers
        .get("x-shopify-access-token")
        .and_then(|token| token.to_str().ok());
    if token != Some(shared.token.lock().expect("no panic").as_str()) {
        let body = json!({ "errors": "[API] Invalid API key or access token (unrecognized login or wrong password)" });
        return (StatusCode::UNAUTHORIZED, axum::Json(body)).into_response();
    }
    if !request["query"].is_string() {
        return (
            StatusCode::BAD_REQUEST,
            axum::Json(json!({ "errors": { "query": "Required parameter missing or invalid" } })),
        )
            .into_response();
    }
    let code = match &fault {
        Some(ShopFault::Throttled) => Some("THROTTLED"),
        Some(ShopFault::InternalError) => Some("INTERNAL_SERVER_ERROR"),
        _ => None,
    };
    let work = shared.clone();
    // An answer may take long: a bulk operation over everything.
    let answer = tokio::task::spawn_blocking(move || work.answer(&request, code))
        .await
        .expect("no panic");
    match fault {
        Some(ShopFault::DoesItAndFails) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Some(ShopFault::DoesItAndIsSilent(time)) => {
            tokio::time::sleep(time).await;
            axum::Json(answer).into_response()
        }
        Some(ShopFault::DoesItAndBreaksOff) => {
            let text = answer.to_string();
            cut(text.as_bytes(), text.len() / 2)
        }
        Some(ShopFault::Garbage) => ([(header::CONTENT_TYPE, "application/json")], "{\"data\":{\"ord").into_response(),
        _ => axum::Json(answer).into_response(),
    }
}

/// A body whose connection is cut after so many bytes.
fn cut(body: &[u8], after: usize) -> Response {
    let sent = Bytes::copy_from_slice(&body[..after.min(body.len())]);
    let broken = stream::iter([Ok(sent), Err(std::io::Error::other("cut by the test"))]);
    // The pause lets the first part leave before the connection breaks.
    let broken = futures::StreamExt::then(broken, async |part| {
        if part.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        part
    });
    Body::from_stream(broken).into_response()
}

impl Shared {
    fn answer(&self, request: &Value, code: Option<&str>) -> Value {
        let world = self.world.lock().expect("no panic");
        let (operation, answer) = self.execute(&world, request, code);
        let refused = answer["data"]
            .as_object()
            .into_iter()
            .flatten()
            .flat_map(|(_, payload)| {
                let lists = payload
                    .as_object()
                    .into_iter()
                    .flatten()
                    .filter(|(name, _)| name.to_lowercase().ends_with("usererrors"));
                lists.flat_map(|(_, list)| list.as_array().cloned().unwrap_or_default())
            });
        let errors = answer["errors"].as_array().cloned().unwrap_or_default();
        let call = ShopCall {
            operation,
            query: request["query"].as_str().unwrap_or_default().to_owned(),
            variables: request["variables"].clone(),
            errors: errors.into_iter().chain(refused).collect(),
        };
        world.borrow_mut().books.calls.push(call);
        answer
    }

    /// The name of the operation's first field, and the answer.
    fn execute(&self, world: &RefCell<World>, request: &Value, code: Option<&str>) -> (String, Value) {
        let refuse = |errors: Value| json!({ "errors": errors });
        let document = match schema::parse(request["query"].as_str().unwrap_or_default()) {
            Ok(document) => document,
            Err(errors) => return (String::new(), refuse(json!(errors))),
        };
        let operation = match document.operations.get(request["operationName"].as_str()) {
            Ok(operation) => operation,
            Err(error) => {
                return (
                    String::new(),
                    refuse(json!([{ "message": error.message().to_string() }])),
                );
            }
        };
        let name = operation
            .selection_set
            .selections
            .iter()
            .find_map(|selection| match selection {
                Selection::Field(field) => Some(field.name.to_string()),
                _ => None,
            });
        let name = name.unwrap_or_default();
        let variables: JsonMap = serde_json::from_value(request["variables"].clone()).unwrap_or_default();
        let cost = schema::cost(&document, operation, &variables);
        if cost > schema::MAX_COST {
            let message = format!(
                "Query cost is {cost}, which exceeds the single query max cost limit (1000).\n\nSee https://shopify.dev/concepts/about-apis/rate-limits for more information on how the\ncost of a query is calculated.\n\nTo query larger amounts of data with fewer limits, bulk operations should be used instead.\nSee https://shopify.dev/tutorials/perform-bulk-operations-with-admin-api for usage details.\n"
            );
            let extensions = json!({ "code": "MAX_COST_EXCEEDED", "cost": cost, "maxCost": schema::MAX_COST, "documentation": "https://shopify.dev/api/usage/rate-limits" });
            return (name, refuse(json!([{ "message": message, "extensions": extensions }])));
        }
        let mut bucket = self.bucket.lock().expect("no panic");
        if code == Some("THROTTLED") || !bucket.takes(cost) {
            let cost =
                json!({ "requestedQueryCost": cost, "actualQueryCost": null, "throttleStatus": bucket.status() });
            let errors = json!([{ "message": "Throttled", "extensions": { "code": "THROTTLED", "documentation": "https://shopify.dev/api/usage/rate-limits" } }]);
            return (name, json!({ "errors": errors, "extensions": { "cost": cost } }));
        }
        if let Some(code) = code {
            let message = "Internal error. Looks like something went wrong on our end.\nRequest ID: 1b355a21-7117-44c5-8d8b-8948082f40a8 (include this in support requests).";
            return (
                name,
                refuse(
                    json!([{ "message": message, "extensions": { "code": code, "requestId": "1b355a21-7117-44c5-8d8b-8948082f40a8" } }]),
                ),
            );
        }
        let is_mutation = operation.is_mutation();
        let context = Context {
            world,
            objects: Cell::new(0),
            bulk: None,
            bulk_last: Cell::new(None),
        };
        let root = Operation {
            context: &context,
            ty: if is_mutation { "Mutation" } else { "QueryRoot" },
        };
        let execution = Execution::new(&SCHEMA, &document)
            .operation(operation)
            .raw_variable_values(&variables);
        let response = match execution.execute_sync(&root) {
            Ok(response) => response,
            Err(error) => {
                return (
                    name,
                    refuse(
                        json!([{ "message": error.message().to_string(), "extensions": { "code": "INVALID_VARIABLE" } }]),
                    ),
                );
            }
        };
        let actual = if is_mutation {
            cost
        } else {
            cost.min(context.objects.get() as u64 + 2)
        };
        bucket.gives_back(cost - actual);
        let mut answer = json!({ "data": response.data,
            "extensions": { "cost": { "requestedQueryCost": cost, "actualQueryCost": actual, "throttleStatus": bucket.status() } } });
        if !response.errors.is_empty() {
            let mut errors = serde_json::to_value(&response.errors).expect("JSON");
            for error in errors.as_array_mut().expect("a list") {
                let message = error["message"].as_str().unwrap_or_default();
                let message = message.trim_start_matches("resolver error: ").to_owned();
                let denied = message.starts_with("Access denied");
                error["message"] = json!(message);
                error["extensions"] = json!({ "code": if denied { "ACCESS_DENIED" } else { "BAD_REQUEST" } });
            }
            answer["errors"] = errors;
        }
        (name, answer)
    }
}

/// `GET /bulk/{number}.jsonl`, whole or from an offset.
pub(super) async fn file(State(shared): State<Arc<Shared>>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let mut world = shared.world.lock().expect("no panic");
    let world = world.get_mut();
    if world.bulk.urls_expired {
        let body = "<?xml version='1.0' encoding='UTF-8'?><Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>";
        return (
            StatusCode::FORBIDDEN,
            [(header::CONTENT_TYPE, "application/xml; charset=UTF-8")],
            body,
        )
            .into_response();
    }
    let Some(file) = name.strip_suffix(".jsonl").and_then(|number| world.bulk_file(number)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let range = headers
        .get(header::RANGE)
        .and_then(|range| range.to_str().ok()?.strip_prefix("bytes="));
    let range = range.and_then(|range| range.split_once('-'));
    let (from, to) = match range {
        Some((from, to)) => (
            from.parse().expect("an offset"),
            to.parse::<usize>().map_or(file.len(), |last| last + 1),
        ),
        None => (0, file.len()),
    };
    if range.is_some() && from >= file.len() {
        return (
            StatusCode::RANGE_NOT_SATISFIABLE,
            [(header::CONTENT_RANGE, format!("bytes */{}", file.len()))],
        )
            .into_response();
    }
    let part = &file[from..to.min(file.len())];
    let cut_after = world.bulk.cut_after.filter(|after| *after < part.len());
    world.bulk.bytes_sent += cut_after.unwrap_or(part.len());
    let mut response = match cut_after {
        Some(after) => cut(part, after),
        None => part.to_vec().into_response(),
    };
    let answered = response.headers_mut();
    answered.insert(header::CONTENT_TYPE, "application/jsonl".parse().expect("a header"));
    answered.insert(header::ACCEPT_RANGES, "bytes".parse().expect("a header"));
    if range.is_some() {
        let last = from + part.len() - 1;
        answered.insert(
            header::CONTENT_RANGE,
            format!("bytes {from}-{last}/{}", file.len()).parse().expect("a header"),
        );
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    response
}
