//! `countersign connect connector` against a fake of a store's own system: the history comes in whole wherever it is cut off, lost events are
//! mended, and what is approved here is done there once. All that is said on the wire fits docs/connector.openapi.json.

mod changes;
mod example;
mod history;

use std::process::Child;

use serde_json::{Value, json};

use crate::support::{
    TestApp, TestShopper,
    fake_connector::{FakeConnector, World},
    shop::{app, approved, connect as run, sent, signed_in, succeeds},
};

/// Starts the command for the first store. With a shop it is connected, without one the fetch goes on.
async fn connect(app: &TestApp, shop: Option<&str>) -> Child {
    run(app, "connector", shop, &[FakeConnector::SECRET]).await
}

fn address() -> Value {
    json!({ "address1": "4 Quay Street", "address2": "", "city": "Portland", "state": "ME", "zip": "04101", "country": "USA" })
}

fn add_product(world: &mut World) {
    let variant = json!({ "id": "lamp-red", "options": { "color": "red" }, "price": "40.00", "available": true });
    let product = json!({ "type": "product", "id": "lamp", "name": "Lamp", "variants": [variant] });
    world.put("products", "lamp", product);
}

fn add_shopper(world: &mut World, id: &str) {
    let card = json!({ "id": format!("card-{id}"), "kind": "credit_card", "brand": "visa", "last_four": "4242" });
    let shopper = json!({ "type": "shopper", "id": id, "email": format!("{id}@erp.example"), "first_name": "Zoe", "last_name": "Rask",
        "address": address(), "payment_methods": [card] });
    world.put("shoppers", id, shopper);
}

/// A paid order of so many lamps. Returns its reference.
fn add_order(world: &mut World, number: usize, shopper: &str, quantity: usize) -> String {
    let reference = format!("erp-{number:06}");
    let total = format!("{}.00", 40 * quantity);
    let line = json!({ "product_id": "lamp", "item_id": "lamp-red", "name": "Lamp", "options": { "color": "red" }, "price": "40.00",
        "quantity": quantity });
    let payment = json!({ "kind": "payment", "amount": total, "payment_method": format!("card-{shopper}") });
    let order = json!({ "type": "order", "number": format!("#E{number}"), "reference": reference, "shopper": shopper, "status": "pending",
        "placed_at": "2026-11-20T10:00:00Z", "address": address(), "totals": { "total": total }, "lines": [line], "payments": [payment] });
    world.put("orders", &reference, order);
    reference
}

/// Checks each request and each answer that was on the wire against the document.
fn fits_the_document(fake: &FakeConnector) {
    let text = std::fs::read_to_string("docs/connector.openapi.json").expect("the document");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let calls = fake.world(|world| world.calls.clone());
    assert!(!calls.is_empty());
    for call in calls {
        let operation = &document["paths"][format!("/v1/{}", call.name)]["post"];
        for (what, told) in [
            (&operation["requestBody"], &call.request),
            (&operation["responses"]["200"], &call.answer),
        ] {
            // The components stay beside the schema, because it refers to them.
            let mut schema = what["content"]["application/json"]["schema"].clone();
            assert!(schema["$ref"].is_string(), "{}", call.name);
            schema["components"] = document["components"].clone();
            let validator = jsonschema::draft202012::options()
                .should_validate_formats(true)
                .build(&schema)
                .expect("a schema");
            let errors: Vec<String> = validator
                .iter_errors(told)
                .map(|error| format!("{error} at {}", error.instance_path()))
                .collect();
            assert_eq!(errors, [] as [String; 0], "{}: {told}", call.name);
        }
    }
}

/// A store whose system has one shopper, who has one paid order of two lamps and can sign in here.
struct Connected {
    app: TestApp,
    fake: FakeConnector,
    zoe: TestShopper,
    order: String,
}

async fn connected() -> Connected {
    let app = app().await;
    let fake = FakeConnector::start().await;
    let order = fake.world(|world| {
        add_product(world);
        add_shopper(world, "zoe");
        add_order(world, 7, "zoe", 2)
    });
    succeeds(connect(&app, Some(&fake.url)).await).await;
    let zoe = signed_in(&app, "zoe", "zoe@erp.example").await;
    Connected { app, fake, zoe, order }
}

impl Connected {
    async fn approved(&self, tool: &str, arguments: Value) {
        let ended = approved(&self.app, &self.zoe, tool, arguments).await;
        assert_eq!(ended["state"], "executed");
    }

    async fn sent(&self) {
        sent(&self.app).await;
    }

    fn made(&self, operation: &str) -> Vec<Value> {
        self.fake.world(|world| world.made(operation))
    }
}
