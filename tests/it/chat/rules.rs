//! The fallback rules over HTTP: what they propose, find and offer when no model answers.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Reply, TestApp, TestShopper, shopper::answer};

/// Sends a message into a conversation, or a new one.
async fn says(shopper: &TestShopper, conversation: &Value, text: &str) -> Value {
    let mut body = json!({ "text": text });
    if conversation.is_string() {
        body["conversation_id"] = conversation.clone();
    }
    shopper.ask_in("en", body).await
}

fn text(answer: &Value) -> &str {
    answer["message"]["text"].as_str().unwrap_or_default()
}

fn tools(answer: &Value) -> Vec<&str> {
    let tools = answer["tools"].as_array().expect("a list");
    tools.iter().filter_map(|tool| tool["tool"].as_str()).collect()
}

#[tokio::test]
async fn a_return_is_proposed_only_by_a_yes_to_the_question_back() {
    let app = TestApp::offline().await;
    let mia = app.shopper("mia").await;
    let asked = says(&mia, &Value::Null, "I want to return #1002").await;
    let conversation = &asked["conversation_id"];
    assert_eq!(text(&asked), "Return Fisherman Sweater of order #1002?");
    assert_eq!(asked["message"]["suggestions"], json!(["Yes", "No"]));
    assert_eq!(app.count("SELECT count(*) FROM proposals").await, 0);
    // Something else comes between, so that the yes is to nothing.
    says(&mia, conversation, "Where is #1001?").await;
    let stray = says(&mia, conversation, "Yes").await;
    assert!(stray["proposals"].is_null(), "{stray}");
    says(&mia, conversation, "Return order #1002").await;
    let proposed = says(&mia, conversation, "Yes").await;
    assert_eq!(proposed["proposals"][0]["tool"], "return_items", "{proposed}");
    let again = says(&mia, conversation, "Yes").await;
    assert!(again["proposals"].is_null(), "{again}");
    assert_eq!(app.count("SELECT count(*) FROM proposals").await, 1);
}

#[tokio::test]
async fn the_cases_that_proposed_a_return_propose_none() {
    let app = TestApp::offline().await;
    let mia = app.shopper("mia").await;
    for (said, tool) in [
        ("I do not want to return #1002, where is it?", "get_order"),
        ("What is the return address for #1002?", "search_help"),
        ("Has my returned parcel for #1002 arrived?", "get_refund_status"),
    ] {
        let told = says(&mia, &Value::Null, said).await;
        assert_eq!(tools(&told), [tool], "{said}: {told}");
        assert!(!text(&told).starts_with("Return "), "{said}: {told}");
    }
    assert_eq!(app.count("SELECT count(*) FROM proposals").await, 0);
}

#[tokio::test]
async fn an_order_is_found_in_whatever_spelling_by_rules_tool_and_api() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    let meddle = "UPDATE orders SET number = '#EU-4001-A', folded_number = 'eu4001a' WHERE number = '#1003'";
    sqlx::raw_sql(meddle)
        .execute(&mut app.superuser().await)
        .await
        .expect("renames");
    for (spelling, number) in [
        ("１００１", "#1001"),
        ("١٠٠١", "#1001"),
        ("№1001", "#1001"),
        ("No.1001", "#1001"),
        ("order#1001", "#1001"),
        ("“1001”", "#1001"),
        ("1001…", "#1001"),
        ("eu-4001-a", "#EU-4001-A"),
        ("EU‑4001‑A", "#EU-4001-A"),
        ("EU 4001 A", "#EU-4001-A"),
    ] {
        let told = mia.ask_in("en", json!({ "text": spelling, "by_rules": true })).await;
        assert!(
            text(&told).starts_with(&format!("Order {number} (")),
            "{spelling}: {told}"
        );
        let path = format!(
            "/v1/orders/{}",
            percent_encoding::utf8_percent_encode(spelling, percent_encoding::NON_ALPHANUMERIC)
        );
        assert_eq!(mia.read(&path).await.1["number"], number, "{spelling}");
        app.model.script([
            Reply::call("get_order", json!({ "order_number": spelling })),
            Reply::text("There."),
        ]);
        assert_eq!(mia.ask("order?").await["tools"][0]["status"], "answered", "{spelling}");
    }
    let noah = app.shopper("noah").await;
    assert_eq!(noah.read("/v1/orders/eu%204001%20a").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_number_that_fits_no_order_leads_to_the_list_and_a_tracking_number_to_its_order() {
    let app = TestApp::offline().await;
    let (mia, noah) = (app.shopper("mia").await, app.shopper("noah").await);
    for said in ["11/18/2026", "$1500", "04101", "Where is order 4711?"] {
        let told = says(&mia, &Value::Null, said).await;
        assert!(text(&told).contains("Your orders: #1003 is"), "{said}: {told}");
    }
    let missing = says(&mia, &Value::Null, "04101").await;
    assert!(
        text(&missing).starts_with("I found no order 04101 of yours."),
        "{missing}"
    );
    let tracked = says(&mia, &Value::Null, "HP440028817").await;
    assert!(text(&tracked).starts_with("Order #1001 ("), "{tracked}");
    // Noah's list does not hold it, and his look-up does not find it.
    let hidden = says(&noah, &Value::Null, "HP440028817").await;
    assert!(
        text(&hidden).starts_with("I found no order HP440028817 of yours."),
        "{hidden}"
    );
    let guest = app.guest().await;
    let unknown = says(&guest, &Value::Null, "where is my order").await;
    assert!(text(&unknown).contains("Please sign in"), "{unknown}");
}

#[tokio::test]
async fn two_orders_that_differ_by_spelling_alone_are_found_by_their_exact_numbers() {
    let app = TestApp::offline().await;
    let mia = app.shopper("mia").await;
    let meddle = "UPDATE orders SET number = '#10-01', folded_number = '1001' WHERE number = '#1003'";
    sqlx::raw_sql(meddle)
        .execute(&mut app.superuser().await)
        .await
        .expect("renames");
    assert_eq!(mia.read("/v1/orders/1001").await.1["number"], "#1001");
    assert_eq!(mia.read("/v1/orders/10-01").await.1["number"], "#10-01");
    assert_eq!(mia.read("/v1/orders/100-1").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_not_understood_offers_buttons_that_a_reload_shows_again() {
    let app = TestApp::offline().await;
    let mia = app.shopper("mia").await;
    let offered = json!(["Where is my order?", "Return something", "Talk to a person"]);
    let told = says(&mia, &Value::Null, "tell me a joke").await;
    assert_eq!(told["message"]["suggestions"], offered, "{told}");
    let conversation = told["conversation_id"].as_str().expect("an id");
    let (_, kept) = mia.read(&format!("/v1/conversations/{conversation}/messages")).await;
    assert_eq!(kept["messages"][1]["suggestions"], offered, "{kept}");
    assert!(kept["messages"][0].get("suggestions").is_none(), "{kept}");
    let german = mia.ask_in("de", json!({ "text": "Erzähl mir einen Witz" })).await;
    assert_eq!(
        german["message"]["suggestions"][2], "Mit einem Menschen sprechen",
        "{german}"
    );
    let hello = says(&mia, &Value::Null, "hello").await;
    assert!(
        !text(&hello).contains('#') && hello["message"]["suggestions"].is_array(),
        "{hello}"
    );
}

#[tokio::test]
async fn a_person_is_called_before_any_model_is_asked() {
    let app = TestApp::start().await;
    for (shopper, said) in [
        ("mia", "I want to talk to a person"),
        ("noah", "Ich möchte mit einem Mitarbeiter sprechen"),
    ] {
        let called = says(&app.shopper(shopper).await, &Value::Null, said).await;
        assert_eq!(tools(&called), ["hand_off"], "{called}");
    }
    assert_eq!(app.model.requests().len(), 0);
    app.wait_for_count("SELECT count(*) FROM conversations WHERE waiting_since IS NOT NULL", 2)
        .await;
    app.model.script([Reply::text("No, an assistant.")]);
    let asked = says(&app.shopper("mia").await, &Value::Null, "Is a person reading this?").await;
    assert_eq!(text(&asked), "No, an assistant.");
}

#[tokio::test]
async fn a_message_with_characters_that_nobody_sees_is_answered_without_them() {
    let app = TestApp::offline().await;
    let mia = app.shopper("mia").await;
    let flag = "\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}";
    let pasted = format!("\u{202a}Where is \u{200e}#10\u{ad}01?\u{202c} {flag}");
    let told = says(&mia, &Value::Null, &pasted).await;
    assert!(text(&told).starts_with("Order #1001 ("), "{told}");
    let conversation = told["conversation_id"].as_str().expect("an id");
    let (_, kept) = mia.read(&format!("/v1/conversations/{conversation}/messages")).await;
    assert_eq!(kept["messages"][0]["text"], "Where is #1001? \u{1f3f4}");
    let (status, problem) = answer(mia.post("/v1/chat/send").json(&json!({ "text": "\u{200b}\u{202e}" }))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(problem["errors"][0]["field"], "text");
}

#[tokio::test]
async fn an_order_is_proved_by_its_number_in_whatever_spelling() {
    let app = TestApp::offline().await;
    let guest = app.guest().await;
    let proof = json!({ "order_number": "\u{200e}№１００１", "email": "mia@example.com" });
    let asked = answer(guest.post("/v1/order-proofs").json(&proof)).await;
    assert_eq!(asked.0, StatusCode::ACCEPTED);
    app.mailbox.newest_to("mia@example.com", 1).await;
}
