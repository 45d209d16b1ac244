//! Routes for the shopper's orders, which use the same functions as the tools, and for the export of the shopper's data.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use super::{
    extract::{Path, Query},
    problem::Problem,
    request_id,
    responses::{BadQuery, NotFound, Role, Unauthenticated},
};
use crate::{
    clock::Clock,
    identity::Shopper,
    ids::OrderId,
    store::{
        orders::{self, Order, OrderSummary},
        privacy,
    },
    tenancy::{
        Pool, Reader, Web,
        audit::{self, Actor, Entry},
    },
};

#[derive(Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Orders a page, 1 to 100.
    #[serde(default = "twenty")]
    #[validate(range(min = 1, max = 100))]
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: u32,
    /// The `next` of the previous page.
    after: Option<OrderId>,
}

fn twenty() -> u32 {
    20
}

#[derive(Serialize, ToSchema)]
pub struct Orders {
    orders: Vec<OrderSummary>,
    /// Send as `after` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<OrderId>,
}

/// Lists the shopper's orders, newest first.
#[utoipa::path(get, path = "/v1/orders", operation_id = "listOrders", tag = "orders", params(Page), responses((status = 200, body = Orders), BadQuery, Unauthenticated))]
pub async fn list(
    shopper: Shopper,
    State(reader): State<Pool<Reader>>,
    Query(page): Query<Page>,
) -> Result<Json<Orders>, Problem> {
    let mut tx = reader.begin(shopper.scope()).await?;
    let orders = orders::list(&mut tx, page.limit, page.after).await?;
    let next = orders
        .last()
        .filter(|_| orders.len() == page.limit as usize)
        .map(|order| order.id);
    Ok(Json(Orders { orders, next }))
}

/// An order, with pictures of its products.
#[derive(Serialize, ToSchema)]
pub struct OrderPage {
    #[serde(flatten)]
    order: Order,
    /// The picture of each product, by `product_id`: an https address or a path on the shop's own site.
    pictures: BTreeMap<String, String>,
}

/// Looks up one of the shopper's orders. The number may be spelled in any way: its `#` left out, small letters, other dashes.
#[utoipa::path(get, path = "/v1/orders/{number}", operation_id = "getOrder", tag = "orders", params(("number" = String, Path, example = "1001")),
    responses((status = 200, body = OrderPage), NotFound, Unauthenticated))]
pub async fn get(
    shopper: Shopper,
    State(reader): State<Pool<Reader>>,
    Path(number): Path<String>,
) -> Result<Json<OrderPage>, Problem> {
    // What no order can be called is not looked for; Postgres would refuse a NUL.
    if number.contains(char::is_control) {
        return Err(Problem::not_found());
    }
    let mut tx = reader.begin(shopper.scope()).await?;
    let mut order = orders::by_number(&mut tx, &number)
        .await?
        .ok_or_else(Problem::not_found)?;
    let pictures = std::mem::take(&mut order.pictures);
    Ok(Json(OrderPage { order, pictures }))
}

/// Exports everything that is stored about the shopper.
#[utoipa::path(get, path = "/v1/export", operation_id = "exportData", tag = "orders", responses((status = 200, body = serde_json::Value), Role, Unauthenticated))]
pub async fn export(
    shopper: Shopper,
    State(web): State<Pool<Web>>,
    State(clock): State<Clock>,
    headers: HeaderMap,
) -> Result<(HeaderMap, Json<serde_json::Value>), Problem> {
    let mut tx = web.begin(shopper.scope()).await?;
    let everything = privacy::export(&mut tx, shopper.id()).await?;
    let actor = Actor::shopper(shopper.id()).in_request(request_id(&headers));
    let entry = Entry::new(&actor, "shopper.export", ("shopper", shopper.id()), clock.now());
    audit::append(&mut tx, entry).await?;
    tx.commit().await?;
    let file = HeaderValue::from_static("attachment; filename=\"my-data.json\"");
    let headers = HeaderMap::from_iter([(header::CONTENT_DISPOSITION, file)]);
    Ok((headers, Json(everything)))
}
