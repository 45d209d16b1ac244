//! WooCommerce as a platform: what of it is checked, fetched and changed.

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{
    Woocommerce,
    body::{name, order_of},
    history, operations,
    rest::{self, Call, PAGE},
};
use crate::integrations::{
    event_source::Source,
    json_fields::{list, text},
    platform::{Ability, Api, Entity, Page, Platform, PlatformError, Request, Shop},
};

/// The topics that are handled (`topics.rs`).
const TOPICS: [&str; 11] = [
    "order.created",
    "order.updated",
    "order.deleted",
    "order.restored",
    "customer.created",
    "customer.updated",
    "customer.deleted",
    "product.created",
    "product.updated",
    "product.deleted",
    "product.restored",
];

impl Platform for Woocommerce {
    fn source(&self) -> Source {
        Source::Woocommerce
    }

    fn topic(&self, entity: Entity) -> &'static str {
        match entity {
            Entity::Products => "product.updated",
            Entity::Customers => "customer.updated",
            Entity::Orders => "order.updated",
        }
    }

    fn can(&self, ability: Ability) -> bool {
        match ability {
            Ability::CappedCoupons => true,
            // A note tells staff of them.
            Ability::Returns | Ability::ItemChanges => false,
        }
    }

    fn knows(&self, reference: &str) -> bool {
        order_of(reference).is_some()
    }

    fn api_url(&self, shop: &str) -> Option<String> {
        rest::api_url(shop)
    }

    fn takes_our_secret(&self) -> bool {
        true
    }

    fn shop<'a>(&'a self, api: &'a Api<'a>) -> BoxFuture<'a, Result<Shop, PlatformError>> {
        Box::pin(shop(api))
    }

    fn register_webhooks<'a>(
        &'a self,
        api: &'a Api<'a>,
        address: &'a str,
        secret: &'a SecretString,
    ) -> BoxFuture<'a, Result<usize, PlatformError>> {
        Box::pin(register_webhooks(api, address, secret))
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
        Box::pin(order(api, number))
    }

    fn perform<'a>(
        &'a self,
        api: &'a Api<'a>,
        request: Request<'a>,
    ) -> BoxFuture<'a, Result<Option<String>, PlatformError>> {
        Box::pin(operations::perform(api, request))
    }
}

/// A key reads, writes or does both, as a user who may do what their role allows. WooCommerce tells neither, so both are tried.
async fn shop(api: &Api<'_>) -> Result<Shop, PlatformError> {
    let settings = Call {
        method: Method::GET,
        path: "settings/general",
        query: &[],
        body: None,
    };
    let settings = rest::send(api, settings).await?;
    // A webhook without a topic is refused, whoever asks for it; but first whether they may write.
    let nothing = json!({ "topic": "", "delivery_url": "" });
    let written = rest::try_write(api, Method::POST, "webhooks", &nothing).await?;
    let is_allowed = |status: u16| !matches!(status, 401..=403);
    let writes = written.as_ref().err().is_none_or(|failure| is_allowed(failure.status));
    let settings = match settings {
        Ok(answer) => Some(answer.body),
        // The role of the key's user is too low, or the key is none.
        Err(failure) if !writes => return Err(failure.into()),
        Err(failure) if failure.code == "rest_no_route" => {
            return Err(PlatformError::Refused("there is no WooCommerce at this address".into()));
        }
        Err(failure) if is_allowed(failure.status) => return Err(failure.into()),
        Err(_) => None,
    };
    let mut missing_scopes = Vec::new();
    missing_scopes.extend(settings.is_none().then(|| "read".to_owned()));
    missing_scopes.extend((!writes).then(|| "write".to_owned()));
    let settings = settings.unwrap_or_default();
    let currency = list(&settings)
        .iter()
        .find(|setting| setting["id"] == "woocommerce_currency");
    Ok(Shop {
        name: site(api).await,
        currency: currency.and_then(|setting| setting["value"].as_str()?.parse().ok()),
        missing_scopes,
    })
}

/// The name of the site, which is told to everybody; its host where the site tells nothing.
async fn site(api: &Api<'_>) -> String {
    let told = async {
        let url = rest::index(&api.connection.url)?;
        // Without the key: WordPress would take it for a password of its own.
        let request = api.client.get(url).query(&[("_fields", "name")]);
        let answer = crate::integrations::platform::json(request, 4 * 1024 * 1024)
            .await
            .ok()?;
        name(&answer["name"], 200)
    };
    let host = || api.connection.url.host_str().unwrap_or_default().to_owned();
    told.await.unwrap_or_else(host)
}

/// Each topic has one webhook. One that is there is made active again, since WooCommerce disables it when its address fails, and gets the
/// secret, which WooCommerce does not show.
async fn register_webhooks(api: &Api<'_>, address: &str, secret: &SecretString) -> Result<usize, PlatformError> {
    let mut known = Vec::new();
    loop {
        let query = [("per_page", PAGE.to_string()), ("offset", known.len().to_string())];
        let answer = rest::get(api, "webhooks", &query).await?;
        let found = list(&answer.body);
        known.extend(found.iter().cloned());
        if (found.len() as u64) < PAGE {
            break;
        }
    }
    let mut added = 0;
    for topic in TOPICS {
        let mut webhook = json!({ "status": "active", "secret": secret.expose_secret() });
        let same = |it: &&Value| it["topic"] == topic && it["delivery_url"] == address;
        match known.iter().find(same).and_then(|it| it["id"].as_u64()) {
            Some(id) => {
                rest::write(api, Method::PUT, &format!("webhooks/{id}"), &webhook).await?;
            }
            None => {
                webhook["name"] = json!(format!("Countersign {topic}"));
                webhook["topic"] = json!(topic);
                webhook["delivery_url"] = json!(address);
                rest::write(api, Method::POST, "webhooks", &webhook).await?;
                added += 1;
            }
        }
    }
    Ok(added)
}

/// The order with a number. It is the order's id, unless a plug-in counts orders: those make their numbers known to the search.
async fn order(api: &Api<'_>, number: &str) -> Result<Option<Value>, PlatformError> {
    let bare = number.trim().trim_start_matches('#').trim();
    if bare.is_empty() || bare.chars().count() > 60 {
        return Ok(None);
    }
    let has_number = |order: &Value| {
        let told = text(&order["number"])
            .or_else(|| text(&order["id"]))
            .unwrap_or_default();
        told.trim_start_matches('#').eq_ignore_ascii_case(bare)
    };
    if bare.len() < 20 && bare.parse::<u64>().is_ok_and(|id| id > 0) {
        let found = rest::find(api, &format!("orders/{bare}")).await?;
        if let Some(found) = found.filter(|order| has_number(order)) {
            return Ok(Some(found));
        }
    }
    let query = [("search", bare.to_owned()), ("per_page", PAGE.to_string())];
    let answer = rest::get(api, "orders", &query).await?;
    Ok(list(&answer.body).iter().find(|order| has_number(order)).cloned())
}
