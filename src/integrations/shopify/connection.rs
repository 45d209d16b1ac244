//! Shopify as a platform: what of it is checked, fetched and changed.

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{Shopify, documents as doc, graphql, history, operations, webhook_shape::nodes};
use crate::integrations::{
    event_source::Source,
    json_fields::list,
    platform::{Ability, Api, Entity, Page, Platform, PlatformError, Request, Shop},
};

/// The permissions of the app that is connected, and what each is for (docs/shopify.md). `read_all_orders` is asked for beside them by who
/// wants orders older than 60 days.
const SCOPES: [&str; 8] = [
    "read_orders",
    "write_orders",
    "read_customers",
    "read_products",
    "read_inventory",
    "read_fulfillments",
    "write_returns",
    "write_discounts",
];

/// The topics that are handled (`topics.rs`), in the API's spelling.
const TOPICS: [&str; 17] = [
    "ORDERS_CREATE",
    "ORDERS_UPDATED",
    "ORDERS_CANCELLED",
    "ORDERS_PAID",
    "ORDERS_FULFILLED",
    "ORDERS_PARTIALLY_FULFILLED",
    "ORDERS_DELETE",
    "FULFILLMENTS_CREATE",
    "FULFILLMENTS_UPDATE",
    "FULFILLMENT_EVENTS_CREATE",
    "CUSTOMERS_CREATE",
    "CUSTOMERS_UPDATE",
    "CUSTOMERS_MERGE",
    "PRODUCTS_CREATE",
    "PRODUCTS_UPDATE",
    "PRODUCTS_DELETE",
    "REFUNDS_CREATE",
];

impl Platform for Shopify {
    fn source(&self) -> Source {
        Source::Shopify
    }

    fn topic(&self, entity: Entity) -> &'static str {
        match entity {
            Entity::Products => "products/update",
            Entity::Customers => "customers/update",
            Entity::Orders => "orders/updated",
        }
    }

    fn can(&self, ability: Ability) -> bool {
        match ability {
            Ability::Returns => true,
            // A basic discount code takes its percents off without a limit.
            Ability::CappedCoupons => false,
            // Shopify has order editing, which asks the customer to pay the difference there: here it is settled by the ledger.
            Ability::ItemChanges => false,
        }
    }

    fn knows(&self, reference: &str) -> bool {
        reference.starts_with("gid://shopify/")
    }

    /// `acme` and `acme.myshopify.com` are names of the same shop. A whole address is taken as it is, for proxies and tests.
    fn api_url(&self, shop: &str) -> Option<String> {
        let base = if shop.contains("://") {
            shop.trim_end_matches('/').to_owned()
        } else {
            let name = shop.strip_suffix(".myshopify.com").unwrap_or(shop);
            let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            is_name.then(|| format!("https://{}.myshopify.com", name.to_ascii_lowercase()))?
        };
        Some(format!("{base}/admin/api/{}/graphql.json", doc::API_VERSION))
    }

    /// Shopify signs with the app's own secret.
    fn takes_our_secret(&self) -> bool {
        false
    }

    fn shop<'a>(&'a self, api: &'a Api<'a>) -> BoxFuture<'a, Result<Shop, PlatformError>> {
        Box::pin(async move {
            let data = graphql::call(api, doc::SHOP, json!({})).await?;
            let granted: Vec<&str> = list(&data["currentAppInstallation"]["accessScopes"])
                .iter()
                .filter_map(|scope| scope["handle"].as_str())
                .collect();
            // Who may write may read too, though Shopify lists only what was asked for.
            let has = |scope: &str| {
                granted.contains(&scope)
                    || scope
                        .strip_prefix("read_")
                        .is_some_and(|what| granted.contains(&format!("write_{what}").as_str()))
            };
            Ok(Shop {
                name: data["shop"]["name"].as_str().unwrap_or_default().to_owned(),
                currency: data["shop"]["currencyCode"].as_str().and_then(|code| code.parse().ok()),
                missing_scopes: SCOPES
                    .iter()
                    .filter(|scope| !has(scope))
                    .map(|scope| (*scope).to_owned())
                    .collect(),
            })
        })
    }

    fn register_webhooks<'a>(
        &'a self,
        api: &'a Api<'a>,
        address: &'a str,
        _: &'a SecretString,
    ) -> BoxFuture<'a, Result<usize, PlatformError>> {
        Box::pin(async move {
            let mut known = Vec::new();
            let mut after = Value::Null;
            loop {
                let data = graphql::call(api, doc::WEBHOOKS, json!({ "after": after })).await?;
                known.extend(nodes(&data["result"]));
                let info = &data["result"]["pageInfo"];
                if info["hasNextPage"] != true {
                    break;
                }
                after = info["endCursor"].clone();
            }
            let mut added = 0;
            for topic in TOPICS {
                if known.iter().any(|it| it["topic"] == topic && it["uri"] == address) {
                    continue;
                }
                let variables = json!({ "topic": topic, "to": { "uri": address, "format": "JSON" } });
                graphql::change(api, doc::ADD_WEBHOOK, variables).await?;
                added += 1;
            }
            Ok(added)
        })
    }

    fn page<'a>(
        &'a self,
        api: &'a Api<'a>,
        entity: Entity,
        since: Option<DateTime<Utc>>,
        cursor: Option<&'a Value>,
    ) -> BoxFuture<'a, Result<Page, PlatformError>> {
        Box::pin(history::page(api, entity, since, cursor))
    }

    fn order<'a>(&'a self, api: &'a Api<'a>, number: &'a str) -> BoxFuture<'a, Result<Option<Value>, PlatformError>> {
        Box::pin(async move {
            // The number stands in a search: only what order names are made of is let through.
            let bare: String = number
                .chars()
                .filter(|c| c.is_alphanumeric() || "-_.".contains(*c))
                .collect();
            if bare.is_empty() {
                return Ok(None);
            }
            let data = graphql::call(api, doc::ORDER_BY_NUMBER, json!({ "query": format!("name:'{bare}'") })).await?;
            let same = |node: &Value| {
                node["name"]
                    .as_str()
                    .is_some_and(|name| name.trim_start_matches('#').eq_ignore_ascii_case(&bare))
            };
            match nodes(&data["result"]).into_iter().find(same) {
                Some(node) => history::whole(api, Entity::Orders, &node).await.map(Some),
                None => Ok(None),
            }
        })
    }

    fn perform<'a>(
        &'a self,
        api: &'a Api<'a>,
        request: Request<'a>,
    ) -> BoxFuture<'a, Result<Option<String>, PlatformError>> {
        Box::pin(operations::perform(api, request))
    }
}
