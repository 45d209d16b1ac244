//! The connector: a store's own shop system as a platform. The store implements five JSON calls (docs/connector.md); its events are those of
//! `store_api`, and its records mean the same.

mod call;
mod changes;

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use futures::future::BoxFuture;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use call::call;

use super::{
    event_source::Source,
    json_fields,
    platform::{self, Ability, Api, Entity, Next, Page, Platform, PlatformError, Request, Shop},
};

/// How many records a page has at most.
const PAGE: usize = 200;
/// How long to wait before a run starts over whose cursor the system does not know any more.
const START_OVER: Duration = Duration::from_secs(2);

pub(super) struct Connector;

impl Platform for Connector {
    fn source(&self) -> Source {
        Source::Store
    }

    fn topic(&self, entity: Entity) -> &'static str {
        topic(entity)
    }

    /// What a store's system cannot do it refuses call by call: then the change is a task for staff.
    fn can(&self, ability: Ability) -> bool {
        match ability {
            Ability::Returns | Ability::CappedCoupons => true,
            Ability::ItemChanges => false,
        }
    }

    /// Whatever no other platform names: the store's own system gives its references.
    fn knows(&self, reference: &str) -> bool {
        !reference.starts_with("gid://shopify/") && !reference.starts_with("woocommerce:")
    }

    /// The address below which the calls are. It has no query, because the calls' names are appended to it.
    fn api_url(&self, shop: &str) -> Option<String> {
        let url = Url::parse(shop).ok()?;
        let is_base = url.has_host() && url.query().is_none() && url.fragment().is_none();
        is_base.then(|| url.as_str().trim_end_matches('/').to_owned())
    }

    fn takes_our_secret(&self) -> bool {
        true
    }

    fn shop<'a>(&'a self, api: &'a Api<'a>) -> BoxFuture<'a, Result<Shop, PlatformError>> {
        Box::pin(async move {
            let answer = call(api, "shop", json!({})).await?;
            Ok(Shop {
                name: json_fields::line(&answer["name"], 200).ok_or(PlatformError::Unreadable("it has no `name`"))?,
                currency: answer["currency"].as_str().and_then(|code| code.parse().ok()),
                missing_scopes: Vec::new(),
            })
        })
    }

    /// Tells the system where its events go, and with which secret it signs them. Whatever it was told before is replaced.
    fn register_webhooks<'a>(
        &'a self,
        api: &'a Api<'a>,
        address: &'a str,
        secret: &'a SecretString,
    ) -> BoxFuture<'a, Result<usize, PlatformError>> {
        Box::pin(async move {
            let secret = secret.expose_secret();
            let bare = secret.strip_prefix("whsec_").unwrap_or(secret);
            let body = json!({ "url": address, "secret": format!("whsec_{bare}") });
            call(api, "events", body).await.map(|_| 1)
        })
    }

    fn page<'a>(
        &'a self,
        api: &'a Api<'a>,
        entity: Entity,
        since: Option<DateTime<Utc>>,
        cursor: Option<&'a Value>,
    ) -> BoxFuture<'a, Result<Page, PlatformError>> {
        Box::pin(page(api, entity, since, cursor))
    }

    fn order<'a>(&'a self, api: &'a Api<'a>, number: &'a str) -> BoxFuture<'a, Result<Option<Value>, PlatformError>> {
        Box::pin(async move {
            let answer = call(api, "order", json!({ "number": number })).await?;
            match answer.get("order") {
                Some(Value::Null) => Ok(None),
                Some(order) => Ok(Some(event(Entity::Orders, order.clone()))),
                None => Err(PlatformError::Unreadable("it has no `order`")),
            }
        })
    }

    fn perform<'a>(
        &'a self,
        api: &'a Api<'a>,
        request: Request<'a>,
    ) -> BoxFuture<'a, Result<Option<String>, PlatformError>> {
        Box::pin(changes::perform(api, request))
    }
}

fn topic(entity: Entity) -> &'static str {
    match entity {
        Entity::Products => "product.upserted",
        Entity::Customers => "shopper.upserted",
        Entity::Orders => "order.upserted",
    }
}

/// A record of the import format with its `version`, as the body of the event that tells of it.
fn event(entity: Entity, mut record: Value) -> Value {
    let version = record.as_object_mut().and_then(|fields| fields.remove("version"));
    json!({ "type": topic(entity), "version": version, "data": record })
}

async fn page(
    api: &Api<'_>,
    entity: Entity,
    since: Option<DateTime<Utc>>,
    cursor: Option<&Value>,
) -> Result<Page, PlatformError> {
    let records = match entity {
        Entity::Products => "products",
        Entity::Customers => "shoppers",
        Entity::Orders => "orders",
    };
    // Whole seconds, which every language reads.
    let since = since.map(|since| since.to_rfc3339_opts(SecondsFormat::Secs, true));
    let body = json!({ "entity": records, "since": since, "cursor": cursor, "limit": PAGE });
    let answer = match call(api, "records", body).await {
        Err(PlatformError::Refused(reason)) if cursor.is_some() && reason.ends_with("unknown_cursor") => {
            return Ok(Page {
                items: Vec::new(),
                total: None,
                next: Next::StartOver { wait: START_OVER },
            });
        }
        answer => answer?,
    };
    let records = answer["records"]
        .as_array()
        .ok_or(PlatformError::Unreadable("it has no `records`"))?;
    let next = match &answer["next_cursor"] {
        Value::Null => Next::End,
        // Asking again for the same page would never end.
        next if Some(next) == cursor => {
            return Err(PlatformError::Unreadable(
                "its `next_cursor` is the cursor of this page",
            ));
        }
        next => Next::Page {
            cursor: next.clone(),
            wait: Duration::ZERO,
        },
    };
    Ok(Page {
        items: records.iter().map(|record| event(entity, record.clone())).collect(),
        total: platform::count(&answer["total"]),
        next,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_that_names_can_be_appended_to_is_a_base() {
        for (shop, expected) in [
            (
                "https://erp.example/countersign",
                Some("https://erp.example/countersign"),
            ),
            (
                "https://erp.example/countersign/",
                Some("https://erp.example/countersign"),
            ),
            ("https://erp.example", Some("https://erp.example")),
            ("https://erp.example/?a=b", None),
            ("https://erp.example/#a", None),
            ("erp.example", None),
            ("mailto:kim@erp.example", None),
        ] {
            assert_eq!(Connector.api_url(shop).as_deref(), expected, "{shop}");
        }
    }

    #[test]
    fn a_record_is_the_body_of_an_event() {
        let record = json!({ "type": "order", "number": "#1", "version": 7 });
        let body = event(Entity::Orders, record);
        assert_eq!(
            body,
            json!({ "type": "order.upserted", "version": 7, "data": { "type": "order", "number": "#1" } })
        );
        // What is no record at all stays something that can be read as an unreadable event.
        assert_eq!(event(Entity::Orders, json!("garbage"))["data"], "garbage");
    }
}
