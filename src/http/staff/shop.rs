//! The platform of the store's shop: which it is, how far its records were fetched, and to fetch what has changed.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    http::{
        problem::Problem,
        responses::{NotFound, Role, Unauthenticated},
        staff::StaffChange,
    },
    identity::StaffMember,
    integrations::{
        event_source::Source,
        platform_sync::{self, Progress},
    },
    tenancy::{Pool, Web},
};

/// The store's shop.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Shop {
    /// The platform; nothing where the store is not connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(inline)]
    pub platform: Option<Source>,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "acme.myshopify.com")]
    pub address: Option<String>,
    /// When its newest event came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest_event_at: Option<DateTime<Utc>>,
    /// How far each kind of record was fetched.
    pub fetched: Vec<Progress>,
}

/// Shows the store's shop and how far its records were fetched.
#[utoipa::path(get, path = "/v1/staff/shop", operation_id = "getShop", tag = "staff",
    responses((status = 200, body = Shop), Role, Unauthenticated))]
pub async fn read(staff: StaffMember, State(web): State<Pool<Web>>) -> Result<Json<Shop>, Problem> {
    let mut tx = web.begin(staff.scope()).await?;
    let connected = platform_sync::connected(&mut tx).await?;
    let fetched = platform_sync::progress(&mut tx).await?;
    let (platform, address, newest_event_at) = match connected {
        Some(shop) => (Some(shop.source), shop.address, shop.newest_event_at),
        None => (None, None, None),
    };
    Ok(Json(Shop {
        platform,
        address,
        newest_event_at,
        fetched,
    }))
}

/// Fetches what has changed at the store's shop, or goes on with its history.
#[utoipa::path(post, path = "/v1/staff/shop/sync", operation_id = "syncShop", tag = "staff",
    responses((status = 202, description = "The worker fetches it"), NotFound, Role, Unauthenticated))]
pub async fn sync(change: StaffChange) -> Result<StatusCode, Problem> {
    let mut tx = change.begin().await?;
    let connected = platform_sync::connected(&mut tx).await?;
    if connected.is_some() {
        platform_sync::request(&mut tx).await?;
    }
    change
        .finish(tx, connected.is_some(), "shop.sync", ("shop", "records"))
        .await?;
    Ok(StatusCode::ACCEPTED)
}
