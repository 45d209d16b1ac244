use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::fake_shopify::{BulkEnding, FakeShopify, RefundOutcome, ShopFault};

async fn send(shop: &FakeShopify, query: &str, variables: Value) -> (StatusCode, String) {
    let request = reqwest::Client::new()
        .post(shop.endpoint())
        .header("x-shopify-access-token", FakeShopify::TOKEN)
        .json(&json!({ "query": query, "variables": variables }));
    let response = request.send().await.expect("an answer");
    (
        response.status(),
        response.text().await.unwrap_or_else(|_| "cut".into()),
    )
}

async fn ask(shop: &FakeShopify, query: &str, variables: Value) -> Value {
    let (status, body) = send(shop, query, variables).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    serde_json::from_str(&body).expect("JSON")
}

/// The data of an answer without errors.
async fn data(shop: &FakeShopify, query: &str, variables: Value) -> Value {
    let answer = ask(shop, query, variables).await;
    assert_eq!(answer["errors"], Value::Null, "{answer}");
    answer["data"].clone()
}

/// A shop with a customer and a paid order of 45.00 with two lines.
async fn shop() -> (FakeShopify, String) {
    let shop = FakeShopify::start().await;
    let order = shop.world(|world| {
        let customer = world.add_customer(json!({ "firstName": "Mia", "lastName": "Meyer", "email": "mia@example.com" }));
        let product = world.add_product(json!({ "title": "Tea", "variants": [{ "price": "15.00", "inventoryQuantity": 3 }] }));
        let variant = world.node(&product).expect("a product")["variants"][0]["id"].clone();
        world.add_order(json!({ "customer": customer, "totalShippingPriceSet": "5.00", "lineItems": [{ "variant": variant, "quantity": 2 },
            { "title": "Wrapping", "originalUnitPriceSet": "10.00" }] }))
    });
    (shop, order)
}

#[tokio::test]
async fn an_order_is_answered_in_the_selected_fields() {
    let (shop, order) = shop().await;
    let query = "query Known($id: ID!) { mine: order(id: $id) { id legacyResourceId name displayFinancialStatus displayFulfillmentStatus ...Sums
        customer { firstName defaultEmailAddress { emailAddress } } shippingAddress { city countryCodeV2 }
        lineItems(first: 1) { nodes { title quantity originalUnitPriceSet { shopMoney { amount } } variant { price product { title } } } pageInfo { hasNextPage endCursor } }
        transactions(first: 5) { id kind status amountSet { presentmentMoney { amount currencyCode } } parentTransaction { id } } } }
        fragment Sums on Order { totalPriceSet { shopMoney { amount currencyCode } } totalReceivedSet { shopMoney { amount } } originalTotalDutiesSet { shopMoney { amount } } }";
    let found = data(&shop, query, json!({ "id": order })).await["mine"].clone();
    assert_eq!(found["name"], "#1001");
    assert_eq!(
        found["totalPriceSet"]["shopMoney"],
        json!({ "amount": "45.0", "currencyCode": "USD" })
    );
    assert_eq!(found["originalTotalDutiesSet"], Value::Null);
    assert_eq!(
        found["customer"],
        json!({ "firstName": "Mia", "defaultEmailAddress": { "emailAddress": "mia@example.com" } })
    );
    let line = json!({ "title": "Tea", "quantity": 2, "originalUnitPriceSet": { "shopMoney": { "amount": "15.0" } },
        "variant": { "price": "15.00", "product": { "title": "Tea" } } });
    assert_eq!(found["lineItems"]["nodes"], json!([line]));
    assert_eq!(found["lineItems"]["pageInfo"]["hasNextPage"], true);
    assert_eq!(
        (&found["displayFinancialStatus"], &found["displayFulfillmentStatus"]),
        (&json!("PAID"), &json!("UNFULFILLED"))
    );
    assert_eq!(found["transactions"][0]["kind"], "SALE");
    assert_eq!(
        shop.books(|books| (books.count("order"), books.calls[0].variables.clone())),
        (1, json!({ "id": order }))
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_call_is_said() {
    let (shop, order) = shop().await;
    let unknown = ask(&shop, "{ orders(first: 1) { nodes { id colour } } }", json!({})).await;
    assert_eq!(
        unknown["errors"][0]["message"],
        "Field 'colour' doesn't exist on type 'Order'"
    );
    assert_eq!(unknown["errors"][0]["extensions"]["code"], "undefinedField");
    let argument = ask(&shop, "{ orders(first: 1, colour: 2) { nodes { id } } }", json!({})).await;
    assert_eq!(
        argument["errors"][0]["message"],
        "Field 'orders' doesn't accept argument 'colour'"
    );
    let bare = ask(&shop, "{ orders { nodes { id } } }", json!({})).await;
    assert_eq!(bare["errors"][0]["message"], "you must provide one of first or last");
    let missing = ask(&shop, "query ($id: ID!) { order(id: $id) { id } }", json!({})).await;
    assert_eq!(missing["errors"][0]["extensions"]["code"], "INVALID_VARIABLE");
    let large = "{ orders(first: 250) { nodes { id lineItems(first: 250) { nodes { id variant { id product { id variants(first: 250) { nodes { id } } } } } } } } }";
    assert_eq!(
        ask(&shop, large, json!({})).await["errors"][0]["extensions"]["code"],
        "MAX_COST_EXCEEDED"
    );
    shop.world(|world| world.scopes.retain(|scope| scope != "read_orders"));
    let denied = ask(
        &shop,
        "query ($id: ID!) { order(id: $id) { id } currentAppInstallation { accessScopes { handle } } }",
        json!({ "id": order }),
    )
    .await;
    assert_eq!(denied["errors"][0]["extensions"]["code"], "ACCESS_DENIED");
    assert_eq!(denied["data"]["order"], Value::Null);
    assert_eq!(
        denied["data"]["currentAppInstallation"]["accessScopes"][0]["handle"],
        "read_all_orders"
    );
    shop.set_token("another");
    let (status, body) = send(&shop, "{ shop { name } }", json!({})).await;
    assert_eq!(
        (status, body.contains("Invalid API key or access token")),
        (StatusCode::UNAUTHORIZED, true)
    );
}

#[tokio::test]
async fn lists_have_pages_and_searches() {
    let (shop, order) = shop().await;
    shop.world(|world| world.generate(25));
    let query = "query ($after: String, $query: String) { orders(first: 10, after: $after, query: $query, sortKey: UPDATED_AT) { edges { cursor node { name } } pageInfo { hasNextPage endCursor } } }";
    let mut names = Vec::new();
    let mut after = Value::Null;
    loop {
        let page = data(&shop, query, json!({ "after": after })).await["orders"].clone();
        names.extend(
            page["edges"]
                .as_array()
                .expect("edges")
                .iter()
                .map(|edge| edge["node"]["name"].as_str().expect("a name").to_owned()),
        );
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    // The generated orders are older, and have the next numbers.
    assert_eq!(
        (
            names.len(),
            names.first().map(String::as_str),
            names.last().map(String::as_str)
        ),
        (26, Some("#1002"), Some("#1001"))
    );
    let generated = shop.world(|world| world.generated_orders().nth(3).expect("an order"));
    let since = shop.world(|world| world.now);
    shop.world(|world| world.edit(&generated, json!({ "note": "Ring twice" })));
    let since_text = since.to_rfc3339();
    let found = data(&shop, query, json!({ "query": format!("updated_at:>'{since_text}'") })).await;
    assert_eq!(found["orders"]["edges"][0]["node"]["name"], "#1005");
    assert_eq!(
        shop.world(|world| world.orders_changed_since(since)),
        [order.clone(), generated]
    );
    shop.world(|world| world.touch(&order));
    assert_eq!(shop.world(|world| world.orders_changed_since(world.now)), [order]);
    for name in ["#1001", "1001"] {
        let found = data(&shop, query, json!({ "query": format!("name:{name}") })).await;
        assert_eq!(found["orders"]["edges"].as_array().map(Vec::len), Some(1), "{found}");
    }
    let customers = "{ customers(first: 250) { nodes { id numberOfOrders } } products(first: 100) { nodes { title variants(first: 2) { nodes { id inventoryQuantity } } } } productVariants(first: 3, query: \"sku:none\") { nodes { id } } shop { currencyCode ianaTimezone } }";
    let found = data(&shop, customers, json!({})).await;
    assert_eq!(found["customers"]["nodes"].as_array().map(Vec::len), Some(8));
    assert_eq!(found["products"]["nodes"].as_array().map(Vec::len), Some(26));
    assert_eq!(found["productVariants"]["nodes"], json!([]));
}

#[tokio::test]
async fn calls_cost_points_which_come_back() {
    let (shop, _) = shop().await;
    shop.limit(20, 0);
    let query = "{ orders(first: 10) { nodes { id } } }";
    let first = ask(&shop, query, json!({})).await["extensions"]["cost"].clone();
    assert_eq!(
        (&first["requestedQueryCost"], &first["actualQueryCost"]),
        (&json!(6), &json!(3))
    );
    assert_eq!(first["throttleStatus"]["currentlyAvailable"], 17);
    for _ in 0..4 {
        ask(&shop, query, json!({})).await;
    }
    let refused = ask(&shop, query, json!({})).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "THROTTLED");
    assert_eq!(refused["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"], 5);
}

#[tokio::test]
async fn faults_come_in_their_order() {
    let (shop, order) = shop().await;
    let cancel = "mutation ($id: ID!) { orderCancel(orderId: $id, reason: CUSTOMER, refund: false, restock: true) { job { id done } orderCancelUserErrors { code } } }";
    shop.inject([
        ShopFault::Answers(503, "busy"),
        ShopFault::Throttled,
        ShopFault::InternalError,
        ShopFault::DoesItAndBreaksOff,
        ShopFault::Garbage,
        ShopFault::DoesItAndIsSilent(std::time::Duration::from_millis(1)),
    ]);
    shop.inject_on("orderCancel", ShopFault::DoesItAndFails);
    let name = "{ shop { name } }";
    assert_eq!(send(&shop, name, json!({})).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ask(&shop, name, json!({})).await["errors"][0]["message"], "Throttled");
    assert_eq!(
        ask(&shop, name, json!({})).await["errors"][0]["extensions"]["code"],
        "INTERNAL_SERVER_ERROR"
    );
    assert_eq!(send(&shop, name, json!({})).await.1, "cut");
    assert!(serde_json::from_str::<Value>(&send(&shop, name, json!({})).await.1).is_err());
    ask(&shop, name, json!({})).await;
    assert_eq!(
        send(&shop, cancel, json!({ "id": order })).await.0,
        StatusCode::INTERNAL_SERVER_ERROR
    );
    assert_eq!(shop.books(|books| books.cancelled.len()), 1);
    let again = data(&shop, cancel, json!({ "id": order })).await;
    assert_eq!(again["orderCancel"]["orderCancelUserErrors"][0]["code"], "INVALID");
}

const REFUND: &str = "mutation ($input: RefundInput!) { refundCreate(input: $input) { refund { id note totalRefundedSet { shopMoney { amount } } refundLineItems(first: 5) { nodes { quantity lineItem { title } } } transactions(first: 5) { nodes { status kind parentTransaction { id } } } } order { displayFinancialStatus totalRefundedSet { shopMoney { amount } } } userErrors { field message } } }";

fn refund_of(order: &str, parent: &Value, amount: &str) -> Value {
    json!({ "input": { "orderId": order, "note": "shop_refund:1", "transactions": [{ "orderId": order, "parentId": parent, "gateway": "bogus", "kind": "REFUND", "amount": amount }] } })
}

#[tokio::test]
async fn refunds_go_back_to_a_payment_and_never_exceed_it() {
    let (shop, order) = shop().await;
    let parent = shop.world(|world| world.node(&order).expect("an order")["transactions"][0]["id"].clone());
    let made = data(&shop, REFUND, refund_of(&order, &parent, "20.00")).await["refundCreate"].clone();
    assert_eq!(made["userErrors"], json!([]));
    assert_eq!(made["refund"]["totalRefundedSet"]["shopMoney"]["amount"], "20.0");
    assert_eq!(
        made["refund"]["transactions"]["nodes"][0],
        json!({ "status": "SUCCESS", "kind": "REFUND", "parentTransaction": { "id": parent } })
    );
    assert_eq!(made["order"]["displayFinancialStatus"], "PARTIALLY_REFUNDED");
    let beyond = data(&shop, REFUND, refund_of(&order, &parent, "25.01")).await;
    assert_eq!(
        beyond["refundCreate"]["userErrors"][0]["message"],
        "Refund amount $25.01 is greater than net payment received $25.00"
    );
    let foreign = data(
        &shop,
        REFUND,
        refund_of(&order, &json!("gid://shopify/OrderTransaction/9"), "1.00"),
    )
    .await;
    assert_eq!(
        foreign["refundCreate"]["userErrors"][0]["field"],
        json!(["transactions"])
    );
    shop.books(|books| {
        books
            .next_refunds
            .extend([RefundOutcome::Pending, RefundOutcome::Fails]);
    });
    for amount in ["5.00", "6.00"] {
        data(&shop, REFUND, refund_of(&order, &parent, amount)).await;
    }
    let suggest = "query ($id: ID!) { order(id: $id) { suggestedRefund(suggestFullRefund: true) { amountSet { shopMoney { amount } } maximumRefundableSet { shopMoney { amount } } suggestedTransactions { kind gateway amountSet { shopMoney { amount } } parentTransaction { id } } } refunds(first: 2) { note } } }";
    let suggested = data(&shop, suggest, json!({ "id": order })).await["order"].clone();
    assert_eq!(
        suggested["suggestedRefund"]["suggestedTransactions"][0]["amountSet"]["shopMoney"]["amount"],
        "25.0"
    );
    assert_eq!(
        suggested["refunds"],
        json!([{ "note": "shop_refund:1" }, { "note": "shop_refund:1" }])
    );
    let pending = shop.books(|books| books.refunds[1].id.clone());
    shop.world(|world| {
        world.end_refund(&pending, "SUCCESS");
        world.refund_by_staff(&order, "1.50", "by staff")
    });
    let booked: Vec<(String, String)> = shop.books(|books| {
        books
            .refunds
            .iter()
            .map(|refund| (refund.amount.clone(), refund.status.clone()))
            .collect()
    });
    let expected = [
        ("20.00", "SUCCESS"),
        ("5.00", "SUCCESS"),
        ("6.00", "FAILURE"),
        ("1.50", "SUCCESS"),
    ];
    assert_eq!(booked, expected.map(|(amount, status)| (amount.into(), status.into())));
}

#[tokio::test]
async fn a_discount_code_is_made_once() {
    let (shop, _) = shop().await;
    let create = "mutation ($input: DiscountCodeBasicInput!) { discountCodeBasicCreate(basicCodeDiscount: $input) { codeDiscountNode { id codeDiscount { ... on DiscountCodeBasic { title usageLimit codes(first: 1) { nodes { code } } } } } userErrors { field code } } }";
    let input = json!({ "input": { "title": "Sorry", "code": "SORRY-1", "startsAt": "2026-11-20T00:00:00Z", "usageLimit": 1, "context": { "all": "ALL" },
        "customerGets": { "value": { "discountAmount": { "amount": "5.00", "appliesOnEachItem": false } }, "items": { "all": true } } } });
    let made = data(&shop, create, input.clone()).await["discountCodeBasicCreate"].clone();
    assert_eq!(
        made["codeDiscountNode"]["codeDiscount"],
        json!({ "title": "Sorry", "usageLimit": 1, "codes": { "nodes": [{ "code": "SORRY-1" }] } })
    );
    let again = data(&shop, create, input).await["discountCodeBasicCreate"]["userErrors"].clone();
    assert_eq!(
        again,
        json!([{ "field": ["basicCodeDiscount", "code"], "code": "TAKEN" }])
    );
    let found = data(&shop, "{ codeDiscountNodeByCode(code: \"sorry-1\") { id } }", json!({})).await;
    assert_eq!(
        found["codeDiscountNodeByCode"]["id"],
        shop.books(|books| books.discount_codes[0].id.clone())
    );
}

#[tokio::test]
async fn orders_take_notes_tags_and_addresses() {
    let (shop, order) = shop().await;
    let update = "mutation ($input: OrderInput!, $id: ID!) { orderUpdate(input: $input) { order { note tags shippingAddress { address1 city } } userErrors { field } } tagsAdd(id: $id, tags: [\"return requested\"]) { node { id } userErrors { message } } }";
    let variables = json!({ "id": order, "input": { "id": order, "note": "Ring twice", "tags": ["vip"], "shippingAddress": { "address1": "2 Side Street" } } });
    let updated = data(&shop, update, variables).await;
    assert_eq!(
        updated["orderUpdate"]["order"],
        json!({ "note": "Ring twice", "tags": ["vip"], "shippingAddress": { "address1": "2 Side Street", "city": "Ottawa" } })
    );
    assert_eq!(updated["tagsAdd"]["node"]["id"], json!(order));
    shop.books(|books| {
        assert_eq!(books.notes[&order], "Ring twice");
        assert_eq!(books.tags[&order], ["return requested", "vip"]);
        assert_eq!(books.addresses[&order]["address1"], "2 Side Street");
    });
}

#[tokio::test]
async fn what_was_delivered_can_be_returned() {
    let (shop, order) = shop().await;
    let parcel = shop.world(|world| world.fulfill(&order));
    let query = "query ($id: ID!) { order(id: $id) { displayFulfillmentStatus fulfillments(first: 5) { id status trackingInfo { company number url } fulfillmentLineItems(first: 5) { nodes { id quantity lineItem { id variant { id } } } } } } }";
    let known = data(&shop, query, json!({ "id": order })).await["order"].clone();
    assert_eq!(
        (&known["displayFulfillmentStatus"], &known["fulfillments"][0]["id"]),
        (&json!("FULFILLED"), &json!(parcel))
    );
    let line = &known["fulfillments"][0]["fulfillmentLineItems"]["nodes"][0];
    let variant = &line["lineItem"]["variant"]["id"];
    let request = "mutation ($input: ReturnRequestInput!) { returnRequest(input: $input) { return { id name status } userErrors { code field } } }";
    let asked = json!({ "input": { "orderId": order, "returnLineItems": [{ "fulfillmentLineItemId": line["id"], "quantity": 1, "returnReason": "DEFECTIVE" }] } });
    let requested = data(&shop, request, asked).await["returnRequest"]["return"].clone();
    assert_eq!(
        (&requested["name"], &requested["status"]),
        (&json!("#1001-R1"), &json!("REQUESTED"))
    );
    let approve = "mutation ($id: ID!) { returnApproveRequest(input: { id: $id }) { return { status order { name } } userErrors { code } } }";
    let approved = data(&shop, approve, json!({ "id": requested["id"] })).await;
    assert_eq!(
        approved["returnApproveRequest"]["return"],
        json!({ "status": "OPEN", "order": { "name": "#1001" } })
    );
    let create = "mutation ($input: ReturnInput!) { returnCreate(returnInput: $input) { return { id status exchangeLineItems(first: 5) { nodes { variantId quantity } } returnLineItems(first: 5) { nodes { quantity returnReason ... on ReturnLineItem { fulfillmentLineItem { id } } } } } userErrors { code field } } }";
    let wanted = |quantity: i64| {
        json!({ "input": { "orderId": order, "exchangeLineItems": [{ "variantId": variant, "quantity": 1 }],
        "returnLineItems": [{ "fulfillmentLineItemId": line["id"], "quantity": quantity, "returnReason": "UNWANTED", "returnReasonNote": "Too green" }] } })
    };
    let beyond = data(&shop, create, wanted(2)).await["returnCreate"]["userErrors"].clone();
    assert_eq!(beyond[0]["code"], "INVALID");
    let made = data(&shop, create, wanted(1)).await["returnCreate"]["return"].clone();
    assert_eq!(
        made["exchangeLineItems"]["nodes"],
        json!([{ "variantId": variant, "quantity": 1 }])
    );
    let found = data(&shop, "query ($id: ID!, $order: ID!) { return(id: $id) { name order { id } } node(id: $id) { id } order(id: $order) { returns(first: 5) { nodes { status totalQuantity } } } }", json!({ "id": made["id"], "order": order })).await;
    assert_eq!(found["return"], json!({ "name": "#1001-R2", "order": { "id": order } }));
    assert_eq!(found["order"]["returns"]["nodes"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        shop.books(|books| (books.returns.len(), books.approved_returns.len())),
        (2, 1)
    );
}

#[tokio::test]
async fn webhooks_are_subscribed_to_once_and_signed() {
    let (shop, order) = shop().await;
    let create = "mutation ($topic: WebhookSubscriptionTopic!, $input: WebhookSubscriptionInput!) { webhookSubscriptionCreate(topic: $topic, webhookSubscription: $input) { webhookSubscription { id topic uri endpoint { ... on WebhookHttpEndpoint { callbackUrl } } } userErrors { message } } }";
    let variables =
        json!({ "topic": "ORDERS_UPDATED", "input": { "uri": "https://store.example/hook", "format": "JSON" } });
    let made = data(&shop, create, variables.clone()).await["webhookSubscriptionCreate"]["webhookSubscription"].clone();
    assert_eq!(made["endpoint"]["callbackUrl"], "https://store.example/hook");
    let again = data(&shop, create, variables).await["webhookSubscriptionCreate"]["userErrors"].clone();
    assert_eq!(again[0]["message"], "Address for this topic has already been taken");
    let listed = data(
        &shop,
        "{ webhookSubscriptions(first: 5, topics: [ORDERS_UPDATED]) { nodes { id } } }",
        json!({}),
    )
    .await;
    assert_eq!(listed["webhookSubscriptions"]["nodes"], json!([{ "id": made["id"] }]));
    shop.set_secret("another secret");
    let webhook = shop.webhook("orders/updated", &order);
    let body: Value = serde_json::from_str(&webhook.body).expect("JSON");
    assert_eq!(
        (
            &body["total_price"],
            &body["financial_status"],
            &body["customer"]["email"]
        ),
        (&json!("45.00"), &json!("paid"), &json!("mia@example.com"))
    );
    let request = webhook
        .request(&reqwest::Client::new(), "http://127.0.0.1:1/")
        .build()
        .expect("a request");
    assert_eq!(
        (
            request.headers()["x-shopify-topic"].to_str().ok(),
            webhook.topic.as_str()
        ),
        (Some("orders/updated"), "orders/updated")
    );
    for (topic, gid) in [
        ("customers/update", "gid://shopify/Customer/1"),
        ("products/update", "gid://shopify/Product/2"),
        ("orders/delete", order.as_str()),
    ] {
        assert!(shop.webhook(topic, gid).body.contains("\"id\""));
    }
    let delete = "mutation ($id: ID!) { webhookSubscriptionDelete(id: $id) { deletedWebhookSubscriptionId userErrors { message } } }";
    data(&shop, delete, json!({ "id": made["id"] })).await;
    assert!(shop.books(|books| books.webhooks.is_empty()));
}

const RUN: &str = "mutation ($query: String!) { bulkOperationRunQuery(query: $query) { bulkOperation { id status } userErrors { field message code } } }";
const POLL: &str =
    "{ currentBulkOperation { id status errorCode objectCount rootObjectCount fileSize url partialDataUrl } }";
const ALL: &str = "{ orders { edges { node { id name lineItems { edges { node { id quantity } } } } } } }";

async fn ended(shop: &FakeShopify) -> Value {
    loop {
        let found = data(shop, POLL, json!({})).await["currentBulkOperation"].clone();
        if !matches!(found["status"].as_str(), Some("CREATED" | "RUNNING" | "CANCELING")) {
            return found;
        }
    }
}

#[tokio::test]
async fn a_bulk_operation_writes_everything_in_lines() {
    let (shop, _) = shop().await;
    shop.world(|world| {
        world.generate(6000);
        world.bulk.running_polls = 2;
    });
    let run = data(&shop, RUN, json!({ "query": ALL })).await["bulkOperationRunQuery"].clone();
    assert_eq!(
        (&run["bulkOperation"]["status"], &run["userErrors"]),
        (&json!("CREATED"), &json!([]))
    );
    let second = data(&shop, RUN, json!({ "query": ALL })).await;
    assert_eq!(
        second["bulkOperationRunQuery"]["userErrors"][0]["code"],
        "OPERATION_IN_PROGRESS"
    );
    let by_id = "query ($id: ID!) { node(id: $id) { ... on BulkOperation { status objectCount } } }";
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(data(&shop, by_id, json!({ "id": run["bulkOperation"]["id"] })).await["node"]["status"].clone());
    }
    assert_eq!(seen, ["CREATED", "RUNNING", "RUNNING", "RUNNING"]);
    let done = ended(&shop).await;
    assert_eq!(
        (&done["status"], &done["rootObjectCount"]),
        (&json!("COMPLETED"), &json!("6001"))
    );
    let client = reqwest::Client::new();
    let url = done["url"].as_str().expect("an address");
    let whole = client
        .get(url)
        .send()
        .await
        .expect("an answer")
        .text()
        .await
        .expect("a file");
    assert_eq!(done["fileSize"], whole.len().to_string());
    let lines: Vec<Value> = whole
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(done["objectCount"], lines.len().to_string());
    assert_eq!(
        (&lines[0]["name"], &lines[1]["__parentId"]),
        (&json!("#1002"), &lines[0]["id"])
    );
    let rest = client
        .get(url)
        .header("range", "bytes=100-")
        .send()
        .await
        .expect("an answer");
    assert_eq!(rest.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(rest.text().await.expect("a part"), whole[100..]);
    shop.world(|world| world.bulk.cut_after = Some(50));
    assert!(client.get(url).send().await.expect("an answer").text().await.is_err());
    shop.world(|world| world.bulk.urls_expired = true);
    assert_eq!(
        client.get(url).send().await.expect("an answer").status(),
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn a_bulk_operation_can_fail_be_cancelled_or_be_refused() {
    let (shop, _) = shop().await;
    let list = "{ orders { edges { node { id fulfillments(first: 5) { id fulfillmentLineItems { edges { node { id } } } } } } } }";
    for (query, message) in [
        (list, "within a list field"),
        ("{ shop { name } }", "at least one connection"),
        ("{ orders { nodes { id } } }", "Selecting via 'nodes' is not supported"),
        (
            "{ orders { edges { node { name lineItems { edges { node { id } } } } } } }",
            "without 'id': orders",
        ),
        ("{ orders {", "Invalid bulk query"),
    ] {
        let errors = data(&shop, RUN, json!({ "query": query })).await["bulkOperationRunQuery"]["userErrors"].clone();
        assert!(
            errors[0]["message"].as_str().is_some_and(|text| text.contains(message)),
            "{errors}"
        );
    }
    shop.world(|world| {
        world.generate(10);
        world.bulk.ending = BulkEnding::Fails("TIMEOUT", 3);
        world.bulk.ungrouped = true;
    });
    data(&shop, RUN, json!({ "query": ALL })).await;
    let failed = ended(&shop).await;
    assert_eq!(
        (&failed["status"], &failed["errorCode"], &failed["url"]),
        (&json!("FAILED"), &json!("TIMEOUT"), &Value::Null)
    );
    let part = reqwest::get(failed["partialDataUrl"].as_str().expect("an address"))
        .await
        .expect("an answer");
    assert_eq!(part.text().await.expect("a file").lines().count(), 3);
    let run = data(&shop, RUN, json!({ "query": ALL })).await["bulkOperationRunQuery"]["bulkOperation"].clone();
    let cancel =
        "mutation ($id: ID!) { bulkOperationCancel(id: $id) { bulkOperation { status } userErrors { message } } }";
    let cancelled = data(&shop, cancel, json!({ "id": run["id"] })).await;
    assert_eq!(cancelled["bulkOperationCancel"]["bulkOperation"]["status"], "CANCELING");
    assert_eq!(ended(&shop).await["status"], "CANCELED");
    shop.world(|world| world.bulk.ending = BulkEnding::Expires);
    data(&shop, RUN, json!({ "query": ALL })).await;
    assert_eq!(ended(&shop).await["status"], "EXPIRED");
    assert_eq!(
        shop.world(|world| (world.bulk_queries().len(), world.bulk_webhook_body()["status"].clone())),
        (3, json!("expired"))
    );
}
