//! The state of the fake store: orders, customers and products in the JSON of the REST API, with GMT times only; the times of the store's own
//! timezone are added when an object is answered. Generated objects are stored once they are changed.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use serde_json::{Value, json};

use super::{super::fake_shopify::money, books::Books};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Order,
    Customer,
    Product,
}

pub struct World {
    pub currency: String,
    /// How far the store's clock is ahead of GMT.
    pub offset: Duration,
    /// What time it is. Each change is a second later than the one before it.
    pub now: DateTime<Utc>,
    pub books: Books,
    generated: u64,
    stored: BTreeMap<(Kind, u64), Value>,
    removed: BTreeSet<(Kind, u64)>,
    last_id: u64,
}

const FIRST_GENERATED: u64 = 1_000_000;
const FIRST_TIME: i64 = 1_767_225_600;
const PARTS: u64 = 100;
const MOST_PRODUCTS: u64 = 200;

impl World {
    pub(super) fn new() -> Self {
        Self {
            currency: "EUR".into(),
            offset: Duration::hours(1),
            now: DateTime::from_timestamp(1_795_000_000, 0).expect("a time"),
            books: Books::default(),
            generated: 0,
            stored: BTreeMap::new(),
            removed: BTreeSet::new(),
            last_id: 0,
        }
    }

    pub(super) fn new_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(super) fn tick(&mut self) -> String {
        self.now += Duration::seconds(1);
        gmt(self.now)
    }

    pub fn add_customer(&mut self, changes: Value) -> u64 {
        let (id, now) = (self.new_id(), self.tick());
        let email = changes["email"]
            .as_str()
            .map_or_else(|| format!("customer{id}@example.com"), Into::into);
        self.add(
            Kind::Customer,
            id,
            customer_of(id, "Ada", "Lovelace", &email, &now),
            changes,
        )
    }

    /// The customer with this address, if there is one.
    pub fn customer_with_email(&self, email: &str) -> Option<u64> {
        let known = self.stored.iter().filter(|((kind, _), _)| *kind == Kind::Customer);
        let mut with_email = known.filter(|(_, customer)| customer["email"] == email);
        with_email.next().map(|((_, id), _)| *id)
    }

    /// Adds a product. One of the `type` `variable` may have `variations`, each with a `price`, a `stock_quantity` and `attributes`.
    pub fn add_product(&mut self, changes: Value) -> u64 {
        let (id, now) = (self.new_id(), self.tick());
        let variations = changes["variations"].as_array().cloned().unwrap_or_default();
        let made = variations.into_iter().map(|changes| {
            let variation = self.new_id();
            let mut object = product_of(variation, "", "10.00", &now);
            object["parent_id"] = json!(id);
            merge(&mut object, changes);
            object
        });
        let made: Vec<Value> = made.collect();
        let mut product = product_of(id, "Product", "20.00", &now);
        product["type"] = json!(if made.is_empty() { "simple" } else { "variable" });
        merge(&mut product, changes);
        product["variations"] = json!(made);
        self.add(Kind::Product, id, product, json!({}))
    }

    /// Adds an order. Each of its `line_items` may have only a `product_id` (or a `name` and a `price`) and a `quantity`.
    pub fn add_order(&mut self, changes: Value) -> u64 {
        let (id, now) = (self.new_id(), self.tick());
        let customer = changes["customer_id"]
            .as_u64()
            .and_then(|id| self.get(Kind::Customer, id));
        let mut order = order_of(id, &self.currency, customer.as_ref(), &now);
        merge(&mut order, changes);
        let mut lines = std::mem::take(&mut order["line_items"]);
        for (place, line) in lines.as_array_mut().expect("lines").iter_mut().enumerate() {
            let changes = line.take();
            let product = changes["product_id"]
                .as_u64()
                .and_then(|id| self.get(Kind::Product, id));
            *line = line_of(id, place as u64, product.as_ref());
            merge(line, changes);
        }
        order["line_items"] = lines;
        complete(&mut order, &self.currency);
        self.add(Kind::Order, id, order, json!({}))
    }

    fn add(&mut self, kind: Kind, id: u64, mut object: Value, changes: Value) -> u64 {
        merge(&mut object, changes);
        self.stored.insert((kind, id), object);
        id
    }

    /// Adds so many orders, with customers and products, which are the same in each run.
    pub fn generate(&mut self, orders: u64) {
        assert_eq!(self.generated, 0, "the orders are generated once");
        self.generated = orders;
    }

    pub fn generated_orders(&self) -> impl Iterator<Item = u64> + use<> {
        (0..self.generated).map(|index| FIRST_GENERATED + index)
    }

    /// Gives an object these fields, and the time of the change.
    pub fn edit(&mut self, kind: Kind, id: u64, changes: Value) {
        let now = self.tick();
        let mut object = self.get(kind, id).expect("an object that exists");
        merge(&mut object, changes);
        object["date_modified_gmt"] = json!(now);
        self.stored.insert((kind, id), object);
    }

    /// Takes an object away, as when it is put into the bin.
    pub fn remove(&mut self, kind: Kind, id: u64) {
        self.removed.insert((kind, id));
    }

    pub fn touch(&mut self, kind: Kind, id: u64) {
        self.edit(kind, id, json!({}));
    }

    pub fn get(&self, kind: Kind, id: u64) -> Option<Value> {
        let made = self.stored.get(&(kind, id)).cloned().or_else(|| self.make(kind, id));
        made.filter(|_| !self.removed.contains(&(kind, id)))
    }

    fn count(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Order => self.generated,
            Kind::Customer => self.generated.div_ceil(4),
            Kind::Product => self.generated.min(MOST_PRODUCTS),
        }
    }

    fn make(&self, kind: Kind, id: u64) -> Option<Value> {
        let index = id
            .checked_sub(FIRST_GENERATED)
            .filter(|index| *index < self.count(kind))?;
        let now = gmt(time_of(id));
        Some(match kind {
            Kind::Customer => customer_of(
                id,
                "Customer",
                &format!("Number {index}"),
                &format!("customer{index}@shop.example"),
                &now,
            ),
            Kind::Product => product_of(
                id,
                &format!("Product {index}"),
                &format!("{}.{:02}", 3 + index % 97, index * 7 % 100),
                &now,
            ),
            Kind::Order => {
                let customer = self.make(Kind::Customer, FIRST_GENERATED + index / 4);
                let mut order = order_of(id, &self.currency, customer.as_ref(), &now);
                let lines = (0..1 + index % 3).map(|place| {
                    let product = FIRST_GENERATED + (index + place * 5) % self.count(Kind::Product);
                    line_of(id, place, self.make(Kind::Product, product).as_ref())
                });
                order["line_items"] = lines.collect();
                order["status"] =
                    json!(["processing", "completed", "completed", "cancelled", "on-hold"][index as usize % 5]);
                complete(&mut order, &self.currency);
                order
            }
        })
    }

    /// The ids of orders that changed after a time, from the one that changed first.
    pub fn orders_changed_since(&self, time: DateTime<Utc>) -> Vec<u64> {
        let mut found = self.times(Kind::Order);
        found.retain(|(_, _, modified)| *modified >= time.naive_utc());
        found.sort_by_key(|(id, _, modified)| (*modified, *id));
        found.into_iter().map(|(id, _, _)| id).collect()
    }

    /// The id, the time of creation and the time of the last change of each object.
    pub(super) fn times(&self, kind: Kind) -> Vec<(u64, NaiveDateTime, NaiveDateTime)> {
        let fresh = (0..self.count(kind)).map(|index| FIRST_GENERATED + index);
        let fresh = fresh.filter(|id| !self.stored.contains_key(&(kind, *id)));
        let fresh = fresh.map(|id| (id, time_of(id).naive_utc(), time_of(id).naive_utc()));
        let stored = self.stored.iter().filter(|((known, _), _)| *known == kind);
        let stored = stored.map(|((_, id), object)| {
            (
                *id,
                read(&object["date_created_gmt"]),
                read(&object["date_modified_gmt"]),
            )
        });
        let is_there = |(id, _, _): &(u64, _, _)| !self.removed.contains(&(kind, *id));
        fresh.chain(stored).filter(is_there).collect()
    }

    /// An object as it is answered: with the times of the store's timezone, and the ids of a product's variations.
    pub(super) fn answered(&self, mut object: Value) -> Value {
        for name in ["date_created", "date_modified", "date_paid", "date_completed"] {
            if let Some(time) = object.get(format!("{name}_gmt")).filter(|time| !time.is_null()) {
                object[name] = json!((read(time) + self.offset).format("%Y-%m-%dT%H:%M:%S").to_string());
            }
        }
        if let Some(variations) = object.get_mut("variations").and_then(Value::as_array_mut) {
            *variations = variations.iter().map(|variation| variation["id"].clone()).collect();
        }
        object
    }
}

pub(super) fn gmt(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%S").to_string()
}

/// A time without an offset, or with one.
pub(super) fn read(text: &Value) -> NaiveDateTime {
    let text = text.as_str().expect("a time");
    let with_offset = DateTime::parse_from_rfc3339(text).map(|time| time.naive_utc());
    with_offset.or_else(|_| text.parse()).expect("a time")
}

fn time_of(id: u64) -> DateTime<Utc> {
    DateTime::from_timestamp(FIRST_TIME + 60 * (id - FIRST_GENERATED) as i64, 0).expect("a time")
}

pub(super) fn merge(object: &mut Value, changes: Value) {
    let Value::Object(changes) = changes else {
        panic!("changes are an object, not {changes}")
    };
    for (name, value) in changes {
        object[name] = value;
    }
}

fn address_of(first: &str, last: &str) -> Value {
    json!({ "first_name": first, "last_name": last, "company": "", "address_1": "1 Main Street", "address_2": "", "city": "Berlin", "state": "BE",
        "postcode": "10115", "country": "DE", "phone": "" })
}

fn customer_of(id: u64, first: &str, last: &str, email: &str, now: &str) -> Value {
    let mut billing = address_of(first, last);
    billing["email"] = json!(email);
    json!({ "id": id, "date_created_gmt": now, "date_modified_gmt": now, "email": email, "first_name": first, "last_name": last, "role": "customer",
        "username": email, "billing": billing, "shipping": address_of(first, last), "is_paying_customer": true, "avatar_url": "", "meta_data": [] })
}

fn product_of(id: u64, name: &str, price: &str, now: &str) -> Value {
    json!({ "id": id, "name": name, "slug": name.to_lowercase().replace(' ', "-"), "permalink": format!("https://store.example/?p={id}"),
        "date_created_gmt": now, "date_modified_gmt": now, "type": "simple", "status": "publish", "description": format!("<p>About {name}.</p>"),
        "short_description": "", "sku": format!("SKU-{id}"), "price": price, "regular_price": price, "sale_price": "", "on_sale": false,
        "purchasable": true, "virtual": false, "downloadable": false, "tax_status": "taxable", "manage_stock": true, "stock_quantity": 10,
        "stock_status": "instock", "backorders": "no", "parent_id": 0, "categories": [], "tags": [], "attributes": [], "variations": [], "meta_data": [] })
}

fn line_of(order: u64, place: u64, product: Option<&Value>) -> Value {
    let field = |name: &str| product.map_or(Value::Null, |product| product[name].clone());
    let price = field("price").as_str().unwrap_or("10.00").to_owned();
    json!({ "id": order * PARTS + place, "name": field("name").as_str().unwrap_or("Something"), "product_id": field("id").as_u64().unwrap_or_default(),
        "variation_id": 0, "quantity": 1, "tax_class": "", "subtotal_tax": "0.00", "total_tax": "0.00", "taxes": [], "meta_data": [],
        "sku": field("sku"), "price": price })
}

fn order_of(id: u64, currency: &str, customer: Option<&Value>, now: &str) -> Value {
    let field = |name: &str| customer.map_or(Value::Null, |customer| customer[name].clone());
    let address = |name: &str| customer.map_or_else(|| address_of("", ""), |customer| customer[name].clone());
    json!({ "id": id, "parent_id": 0, "number": id.to_string(), "order_key": format!("wc_order_{id}"), "created_via": "checkout", "version": "10.2.1",
        "status": "processing", "currency": currency, "date_created_gmt": now, "date_modified_gmt": now, "date_paid_gmt": now, "date_completed_gmt": null,
        "discount_total": "0.00", "discount_tax": "0.00", "shipping_total": "0.00", "shipping_tax": "0.00", "cart_tax": "0.00", "total_tax": "0.00",
        "prices_include_tax": false, "customer_id": field("id").as_u64().unwrap_or_default(), "customer_note": "", "billing": address("billing"),
        "shipping": address("shipping"), "payment_method": "stripe", "payment_method_title": "Card", "transaction_id": format!("ch_{id}"),
        "line_items": [], "tax_lines": [], "shipping_lines": [], "fee_lines": [], "coupon_lines": [], "refunds": [], "meta_data": [] })
}

/// Fills in the sums of an order and its lines, where they are missing. A line's `price` is a number in answers.
fn complete(order: &mut Value, currency: &str) {
    let mut sum =
        money::of(&order["shipping_total"]) + money::of(&order["total_tax"]) - money::of(&order["discount_total"]);
    for line in order["line_items"].as_array_mut().expect("lines") {
        let each = money::of(&line["price"]);
        let total = each * line["quantity"].as_i64().expect("a quantity");
        for name in ["subtotal", "total"] {
            if line[name].is_null() {
                line[name] = json!(money::text(total, currency));
            }
        }
        sum += money::of(&line["total"]);
        line["price"] = json!(each as f64 / 1000.0);
    }
    if order["total"].is_null() {
        order["total"] = json!(money::text(sum, currency));
    }
}
