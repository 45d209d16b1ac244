//! The fake shop's state: customers, products and orders, each the JSON of its GraphQL object.
//!
//! A field that refers to another object holds its id. Amounts are decimal texts in the order's currency. What follows from other fields, such
//! as an order's refunded sum, is computed when it is asked for (`derived.rs`), unless the object has a value of its own. Generated objects
//! are made when they are asked for, and stored only once they are changed.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::{
    books::Books,
    bulk::Bulk,
    generated::{self, Generated},
    search::Filter,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Order,
    Customer,
    Product,
    ProductVariant,
}

impl Kind {
    pub(super) fn gid(self, id: u64) -> String {
        format!("gid://shopify/{self:?}/{id}")
    }

    fn of(gid: &str) -> Option<(Self, u64)> {
        let (kind, id) = gid.strip_prefix("gid://shopify/")?.split_once('/')?;
        let kinds = [Self::Order, Self::Customer, Self::Product, Self::ProductVariant];
        let kind = kinds.into_iter().find(|known| format!("{known:?}") == kind)?;
        Some((kind, id.parse().ok()?))
    }
}

pub struct World {
    pub shop: Value,
    /// The access scopes that the shop has granted.
    pub scopes: Vec<String>,
    /// What time it is at the shop. Each change is a second later than the one before it.
    pub now: DateTime<Utc>,
    pub books: Books,
    pub bulk: Bulk,
    generated: Generated,
    stored: BTreeMap<(Kind, u64), Value>,
    last_id: u64,
    /// The number of the next order.
    pub next_number: u64,
}

/// How a list is sorted. All are numbers, so that a cursor is a number and an id.
#[derive(Clone, Copy, Debug)]
pub(super) enum SortKey {
    Created,
    Updated,
    Id,
}

/// The part of a sorted list that is needed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub after: Option<(i64, u64)>,
    pub most: usize,
}

impl Window {
    pub const ALL: Self = Self {
        after: None,
        most: usize::MAX,
    };
}

impl World {
    pub(super) fn new() -> Self {
        let shop = json!({ "id": "gid://shopify/Shop/548380009", "name": "Countersign Test Shop", "email": "shop@example.com",
            "contactEmail": "shop@example.com", "currencyCode": "USD", "enabledPresentmentCurrencies": ["USD"],
            "myshopifyDomain": "countersign-test.myshopify.com", "ianaTimezone": "America/New_York" });
        let scopes = "read_all_orders,read_orders,write_orders,read_customers,read_products,read_inventory,read_returns,write_returns,read_discounts,write_discounts,read_fulfillments";
        Self {
            shop,
            scopes: scopes.split(',').map(Into::into).collect(),
            now: DateTime::from_timestamp(1_795_000_000, 0).expect("a time"),
            books: Books::default(),
            bulk: Bulk::default(),
            generated: Generated::default(),
            stored: BTreeMap::new(),
            last_id: 0,
            next_number: 1001,
        }
    }

    pub(super) fn new_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// The time of the next change.
    pub(super) fn tick(&mut self) -> String {
        self.now += Duration::seconds(1);
        time(self.now)
    }

    pub fn currency(&self) -> String {
        self.shop["currencyCode"].as_str().expect("a currency").into()
    }

    /// Adds a customer of these fields and returns its id. `email` and `phone` are enough for the objects that have them.
    pub fn add_customer(&mut self, changes: Value) -> String {
        let id = self.new_id();
        let now = self.tick();
        let email = changes["email"]
            .as_str()
            .map_or_else(|| format!("customer{id}@example.com"), Into::into);
        let mut customer = generated::customer_of(id, "Ada", "Lovelace", &email, &now);
        merge(&mut customer, changes);
        self.stored.insert((Kind::Customer, id), customer);
        Kind::Customer.gid(id)
    }

    /// Adds a product of these fields and returns its id. Its `variants` may have only a `title`, a `price` and an `inventoryQuantity`.
    pub fn add_product(&mut self, changes: Value) -> String {
        let id = self.new_id();
        let now = self.tick();
        let title = changes["title"].as_str().unwrap_or("Product").to_owned();
        let variants = changes["variants"]
            .as_array()
            .cloned()
            .unwrap_or_else(|| vec![json!({})]);
        let mut product = generated::product_of(id, &title, &now);
        merge(&mut product, changes);
        let variants = variants.into_iter().enumerate().map(|(place, changes)| {
            let mut variant = generated::variant_of(id, place as u64, &title, "20.00", &now);
            merge(&mut variant, changes);
            variant
        });
        product["variants"] = variants.collect();
        self.stored.insert((Kind::Product, id), product);
        Kind::Product.gid(id)
    }

    /// Adds an order of these fields and returns its id. Each of its `lineItems` may have only a `variant` (or a `title` and an
    /// `originalUnitPriceSet`) and a `quantity`. Without `transactions` the order is paid.
    pub fn add_order(&mut self, changes: Value) -> String {
        let id = self.new_id();
        let now = self.tick();
        let number = self.next_number;
        self.next_number += 1;
        let customer = changes["customer"].as_str().and_then(|customer| self.node(customer));
        let currency = self.currency();
        let mut order = generated::order_of(id, number, &currency, customer.as_ref(), &now);
        merge(&mut order, changes);
        let mut lines = std::mem::take(&mut order["lineItems"]);
        for (place, line) in lines.as_array_mut().expect("lines").iter_mut().enumerate() {
            let changes = line.take();
            let variant = changes["variant"].as_str().and_then(|variant| self.node(variant));
            *line = generated::line_of(id, place as u64, variant.as_ref());
            merge(line, changes);
        }
        order["lineItems"] = lines;
        generated::complete_order(id, &mut order);
        self.stored.insert((Kind::Order, id), order);
        Kind::Order.gid(id)
    }

    /// Adds so many orders, with customers and products, which are the same in each run.
    pub fn generate(&mut self, orders: u64) {
        assert_eq!(self.generated.orders, 0, "the orders are generated once");
        self.generated = Generated {
            orders,
            first_number: self.next_number,
        };
        self.next_number += orders;
    }

    /// The ids of the generated orders, from the oldest.
    pub fn generated_orders(&self) -> impl Iterator<Item = String> + use<> {
        (0..self.generated.orders).map(|index| Kind::Order.gid(generated::id(index)))
    }

    /// Gives an object these fields, and the time of the change.
    pub fn edit(&mut self, gid: &str, changes: Value) {
        let now = self.tick();
        let (kind, id) = Kind::of(gid).expect("an id");
        let mut object = self.get(kind, id).expect("an object that exists");
        merge(&mut object, changes);
        object["updatedAt"] = json!(now);
        if kind == Kind::ProductVariant {
            let product = object["product"].as_str().expect("a product").to_owned();
            let mut variants = self.node(&product).expect("a product")["variants"].clone();
            for known in variants
                .as_array_mut()
                .expect("variants")
                .iter_mut()
                .filter(|known| known["id"] == gid)
            {
                *known = object.clone();
            }
            return self.edit(&product, json!({ "variants": variants }));
        }
        self.stored.insert((kind, id), object);
    }

    /// A parcel with all of an order's lines leaves. Returns its id.
    pub fn fulfill(&mut self, order: &str) -> String {
        let mut known = self.node(order).expect("an order");
        let now = self.tick();
        let mut parcels = known["fulfillments"].take();
        let parcels = parcels.as_array_mut().expect("a list");
        let parcel = generated::fulfillment_of(number_of(&known), parcels.len() as u64, &known, &now);
        let id = parcel["id"].as_str().expect("an id").to_owned();
        parcels.push(parcel);
        self.edit(order, json!({ "fulfillments": parcels }));
        id
    }

    /// Somebody saves an object without changing it.
    pub fn touch(&mut self, gid: &str) {
        self.edit(gid, json!({}));
    }

    /// The object of an id: an order, a customer, a product or a variant.
    pub fn node(&self, gid: &str) -> Option<Value> {
        let (kind, id) = Kind::of(gid)?;
        self.get(kind, id)
    }

    /// The stored order that has a part of this id, such as a refund or a return.
    pub fn order_with(&self, part: &str) -> Option<Value> {
        let orders = self.stored.iter().filter(|((kind, _), _)| *kind == Kind::Order);
        orders
            .map(|(_, order)| order)
            .find(|order| find(order, part).is_some())
            .cloned()
    }

    pub(super) fn get(&self, kind: Kind, id: u64) -> Option<Value> {
        if kind == Kind::ProductVariant {
            let product = self.get(Kind::Product, id / generated::PARTS)?;
            let gid = kind.gid(id);
            return product["variants"]
                .as_array()?
                .iter()
                .find(|known| known["id"] == *gid)
                .cloned();
        }
        match self.stored.get(&(kind, id)) {
            Some(object) => Some(object.clone()),
            None => generated::make(kind, id, self.generated, &self.currency()),
        }
    }

    /// The orders that changed at that time or later, from the one that changed first.
    pub fn orders_changed_since(&self, time: DateTime<Utc>) -> Vec<String> {
        let filter = Filter::changed_since(time.timestamp());
        let orders = self.list(Kind::Order, &filter, SortKey::Updated, Window::ALL);
        orders.into_iter().map(|(_, id)| Kind::Order.gid(id)).collect()
    }

    /// The keys and ids of objects, sorted. Generated objects are looked at without making them, unless the filter needs more of their fields.
    pub(super) fn list(&self, kind: Kind, filter: &Filter, key: SortKey, window: Window) -> Vec<(i64, u64)> {
        if kind == Kind::ProductVariant {
            let products = self.list(Kind::Product, &Filter::default(), SortKey::Id, Window::ALL);
            let variants = products.into_iter().flat_map(|(_, id)| {
                let product = self.get(Kind::Product, id).expect("listed");
                product["variants"].as_array().cloned().unwrap_or_default()
            });
            let found = variants.filter(|variant| filter.takes(variant));
            return found
                .map(|variant| number_of(&variant))
                .map(|id| (id as i64, id))
                .collect();
        }
        let made = generated::count(kind, self.generated.orders);
        // Both keys of generated objects rise with their place.
        let first = window.after.map_or(0, |(after, _)| generated::place_of(key, after));
        let follows = |key: &(i64, u64)| window.after.is_none_or(|after| *key > after);
        let fresh = (first..made)
            .map(generated::id)
            .filter(|id| !self.stored.contains_key(&(kind, *id)));
        let fresh = fresh.filter_map(|id| {
            let time = generated::time_of(id);
            let takes = match filter.takes_times(time, time) {
                true if filter.needs_all_fields() => filter.takes(&self.get(kind, id).expect("generated")),
                true if filter.needs_fields() => filter.takes(&generated::sketch(kind, id, self.generated)),
                takes => takes,
            };
            takes.then_some((if matches!(key, SortKey::Id) { id as i64 } else { time }, id))
        });
        let fresh = fresh.filter(follows).take(window.most);
        let stored = self.stored.iter().filter(|((known, _), _)| *known == kind);
        let stored = stored
            .filter(|(_, object)| filter.takes_times(seconds(&object["createdAt"]), seconds(&object["updatedAt"])));
        let stored = stored
            .filter(|(_, object)| filter.takes(object))
            .map(|((_, id), object)| {
                let key = match key {
                    SortKey::Created => seconds(&object["createdAt"]),
                    SortKey::Updated => seconds(&object["updatedAt"]),
                    SortKey::Id => *id as i64,
                };
                (key, *id)
            });
        let mut found: Vec<(i64, u64)> = fresh.chain(stored.filter(follows)).collect();
        found.sort_unstable();
        found.truncate(window.most);
        found
    }
}

/// The text of a time, as Shopify writes it: to the second.
pub(super) fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

pub(super) fn seconds(text: &Value) -> i64 {
    let text = text.as_str().unwrap_or("1970-01-01T00:00:00Z");
    DateTime::parse_from_rfc3339(text).expect("a time").timestamp()
}

/// The number in an object's id.
pub(super) fn number_of(object: &Value) -> u64 {
    let id = object["id"].as_str().expect("an id");
    id.rsplit('/').next().and_then(|id| id.parse().ok()).expect("a number")
}

/// Sets each field of `changes`.
pub(super) fn merge(object: &mut Value, changes: Value) {
    let Value::Object(changes) = changes else {
        panic!("changes are an object, not {changes}")
    };
    for (name, value) in changes {
        object[name] = value;
    }
}

/// The object of this id among an object and its parts. Only objects have an id as their `id`; what refers to them has it as a text.
pub(super) fn find<'a>(object: &'a Value, gid: &str) -> Option<&'a Value> {
    match object {
        Value::Object(fields) if fields.get("id").is_some_and(|id| id == gid) => Some(object),
        Value::Object(fields) => fields.values().find_map(|value| find(value, gid)),
        Value::Array(items) => items.iter().find_map(|item| find(item, gid)),
        _ => None,
    }
}
