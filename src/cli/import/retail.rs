//! Converts the public retail data set to import lines. Amounts are kept as decimal text and never become floats.

use std::{collections::BTreeMap, fs, io, path::Path};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::store::{
    Address, Options,
    orders::{OrderStatus, PaymentKind, Shipment},
    records::{
        LineRecord, OrderRecord, PaymentMethodKind, PaymentMethodRecord, PaymentRecord, ProductRecord, Record,
        ShopperRecord, VariantRecord,
    },
};

#[derive(Deserialize)]
struct Product {
    name: String,
    product_id: String,
    variants: BTreeMap<String, Variant>,
}

#[derive(Deserialize)]
struct Variant {
    item_id: String,
    options: Options,
    available: bool,
    price: Box<RawValue>,
}

#[derive(Deserialize)]
struct User {
    name: Name,
    address: Address,
    email: String,
    payment_methods: BTreeMap<String, Method>,
}

#[derive(Deserialize)]
struct Name {
    first_name: String,
    last_name: String,
}

#[derive(Deserialize)]
struct Method {
    source: PaymentMethodKind,
    id: String,
    brand: Option<String>,
    last_four: Option<String>,
    balance: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct RetailOrder {
    order_id: String,
    user_id: String,
    address: Address,
    items: Vec<Item>,
    fulfillments: Vec<Fulfillment>,
    status: OrderStatus,
    payment_history: Vec<Transaction>,
}

#[derive(Deserialize)]
struct Item {
    name: String,
    product_id: String,
    item_id: String,
    price: Box<RawValue>,
    options: Options,
}

#[derive(Deserialize)]
struct Fulfillment {
    tracking_id: Vec<String>,
    item_ids: Vec<String>,
}

#[derive(Deserialize)]
struct Transaction {
    transaction_type: PaymentKind,
    amount: Box<RawValue>,
    payment_method_id: String,
}

/// The data set in `folder` as import lines: products, then shoppers, then orders.
pub fn lines(folder: &Path) -> io::Result<Vec<String>> {
    let products = read::<Product>(folder, "products.json")?.into_values().map(product);
    let shoppers = read::<User>(folder, "users.json")?
        .into_iter()
        .map(|(id, user)| shopper(id, user));
    let orders = read::<RetailOrder>(folder, "orders.json")?.into_values().map(order);
    products
        .chain(shoppers)
        .chain(orders)
        .map(|record| serde_json::to_string(&record).map_err(io::Error::other))
        .collect()
}

fn read<T: DeserializeOwned>(folder: &Path, name: &str) -> io::Result<BTreeMap<String, T>> {
    let text = fs::read_to_string(folder.join(name))?;
    serde_json::from_str(&text).map_err(|error| io::Error::other(format!("{name}: {error}")))
}

fn product(product: Product) -> Record {
    let variants = product.variants.into_values().map(|variant| VariantRecord {
        id: variant.item_id,
        options: variant.options,
        price: variant.price.get().to_owned(),
        available: variant.available,
    });
    Record::Product(ProductRecord {
        picture: None,
        id: product.product_id,
        name: product.name,
        description: String::new(),
        variants: variants.collect(),
        variants_apart: Vec::new(),
    })
}

fn shopper(id: String, user: User) -> Record {
    let payment_methods = user.payment_methods.into_values().map(|method| PaymentMethodRecord {
        id: method.id,
        kind: method.source,
        brand: method.brand,
        last_four: method.last_four,
        balance: method.balance.map(|balance| balance.get().to_owned()),
        reference: None,
        customer: None,
    });
    Record::Shopper(ShopperRecord {
        id,
        email: Some(user.email),
        first_name: user.name.first_name,
        last_name: user.name.last_name,
        address: Some(user.address),
        payment_methods: payment_methods.collect(),
        from_platform: false,
    })
}

fn order(order: RetailOrder) -> Record {
    let lines = order.items.into_iter().map(|item| LineRecord {
        product_id: item.product_id,
        item_id: item.item_id,
        name: item.name,
        options: item.options,
        price: item.price.get().to_owned(),
        quantity: 1,
        total: None,
    });
    let shipments = order.fulfillments.into_iter().flat_map(|fulfillment| {
        let item_ids = fulfillment.item_ids;
        fulfillment
            .tracking_id
            .into_iter()
            .map(move |tracking_number| Shipment {
                carrier: None,
                tracking_number: Some(tracking_number),
                item_ids: item_ids.clone(),
                shipped_at: None,
                url: None,
                status: None,
                fulfillment: None,
            })
    });
    let payments = order.payment_history.into_iter().map(|transaction| PaymentRecord {
        kind: transaction.transaction_type,
        amount: transaction.amount.get().to_owned(),
        payment_method: transaction.payment_method_id,
        reference: None,
        movement: None,
    });
    Record::Order(Box::new(OrderRecord {
        reference: None,
        number: order.order_id,
        shopper: Some(order.user_id),
        email: None,
        currency: None,
        totals: None,
        status: order.status,
        placed_at: None,
        address: order.address,
        lines: lines.collect(),
        shipments: shipments.collect(),
        payments: payments.collect(),
        from_platform: false,
        notes: Vec::new(),
        failed_refunds: Vec::new(),
    }))
}
