//! The page *Shop* shows the platform that the store's shop is on and how far its records were fetched. Admins can fetch what has changed.

use askama::Template;
use axum::{
    Router,
    response::Response,
    routing::{get, post},
};
use serde_json::Value;

use super::{Console, Failure, Page, Visitor, done, render};
use crate::{
    http::Shop,
    integrations::{event_source::Source, platform::Entity, platform_sync::Progress},
};

pub fn routes() -> Router<Console> {
    Router::new()
        .route("/console/shop", get(show))
        .route("/console/shop/sync", post(sync))
}

#[derive(Template)]
#[template(path = "console/shop.html")]
struct ShopPage {
    page: Page,
    shop: Shop,
}

impl ShopPage {
    fn platform(&self) -> Option<&'static str> {
        self.shop.platform.map(Source::title)
    }

    fn entity(&self, progress: &Progress) -> &'static str {
        match progress.entity {
            Entity::Products => "Products",
            Entity::Customers => "Customers",
            Entity::Orders => "Orders",
        }
    }

    /// How much of a kind is there, for the bar.
    fn total(&self, progress: &Progress) -> i64 {
        progress.total.unwrap_or(0).max(progress.fetched)
    }
}

async fn show(visitor: Visitor) -> Result<Response, Failure> {
    let shop = visitor.get("/v1/staff/shop").await?;
    Ok(render(&ShopPage {
        page: visitor.page("Shop").await?,
        shop,
    }))
}

async fn sync(visitor: Visitor) -> Result<Response, Failure> {
    visitor.post("/v1/staff/shop/sync", Value::Null).await?;
    Ok(done("/console/shop", "fetching"))
}
