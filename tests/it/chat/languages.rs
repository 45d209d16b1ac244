//! The service's own sentences, in the language that the shopper reads.

use countersign::identity::StaffRole;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Reply, TestApp, shopper::answer};

fn said(answered: &Value) -> &str {
    answered["message"]["text"].as_str().expect("a text")
}

#[tokio::test]
async fn a_conversation_is_held_in_the_language_its_shopper_asks_for() {
    let app = TestApp::offline().await;
    let mia = app.shopper("mia").await;
    let question = json!({ "text": "Wo ist meine Bestellung #1001?" });
    let first = mia.ask_in("de-CH, de;q=0.9, en;q=0.5", question).await;
    assert_eq!(
        said(&first),
        "Bestellung #1001 (Storm Lantern, Enamel Mug) ist versandt. Die Sendungsnummer ist HP440028817. Die Summe ist 89,00 USD."
    );
    assert_eq!(first["tools"][0]["activity"], "Ich sehe nach Ihrer Bestellung…");
    // The language stays the same until a request asks for another one.
    let on = |text: &str| json!({ "conversation_id": first["conversation_id"], "text": text });
    let (_, second) = answer(mia.post("/v1/chat/send").json(&on("Was habe ich bestellt?"))).await;
    assert!(said(&second).starts_with("Ihre Bestellungen: "), "{second}");
    for strange in ["fr", "*", "de;q=", ";;,,"] {
        let third = mia.ask_in(strange, on("Wie lautet meine Adresse?")).await;
        assert!(said(&third).starts_with("Sie sind Mia "), "{strange}: {third}");
    }
    let fourth = mia.ask_in("en-GB", on("Where is #1001?")).await;
    assert!(said(&fourth).starts_with("Order #1001"), "{fourth}");
}

#[tokio::test]
async fn without_a_wish_it_is_the_shoppers_language_else_the_stores() {
    let app = TestApp::offline().await;
    app.execute_sql("UPDATE tenants SET language = 'de'").await;
    let (mia, noah) = (app.shopper("mia").await, app.shopper("noah").await);
    app.execute_sql("UPDATE shoppers SET language = 'en' WHERE external_id = 'noah'")
        .await;
    assert!(
        mia.ask_text("Hallo!")
            .await
            .starts_with("Ich kann nach Ihren Bestellungen")
    );
    assert!(noah.ask_text("Hello!").await.starts_with("I can look up your orders"));
}

#[tokio::test]
async fn a_request_is_told_of_decided_and_mailed_in_the_language_of_its_conversation() {
    let app = TestApp::start().await;
    let (kim, mia) = (
        app.staff("kim@s.example", StaffRole::Approver).await,
        app.shopper("mia").await,
    );
    let refund = |amount: &str| {
        let arguments = json!({ "order_number": "#1002", "amount": amount, "reason": "kaputt" });
        [Reply::call("request_refund", arguments), Reply::text("Ist beantragt.")]
    };
    app.model.script(refund("5.00"));
    let asked = mia.ask_in("de", json!({ "text": "Bitte 5 zurück" })).await;
    let proposal = &asked["proposals"][0];
    let summary = "Zur Bestellung #1002 5,00 USD an Visa mit den Endziffern 4242 erstatten.";
    assert_eq!(proposal["plan"]["translations"]["de"], summary);
    assert_eq!(asked["tools"][0]["activity"], "Ich bereite die Erstattung vor…");
    let mail = app.mailbox.newest_to("mia@example.com", 1).await.text();
    assert!(
        mail.contains("Guten Tag Mia") && mail.contains(summary) && mail.contains("5,00 USD"),
        "{mail}"
    );

    assert_eq!(kim.approve(proposal).await.0, StatusCode::OK);
    assert_eq!(mia.wait_until_ended(proposal).await["state"], "executed");
    app.model.script(refund("6.00"));
    let on = json!({ "conversation_id": asked["conversation_id"], "text": "Und noch 6" });
    let (_, again) = answer(mia.post("/v1/chat/send").json(&on)).await;
    let reject = format!(
        "/v1/staff/proposals/{}/reject",
        again["proposals"][0]["id"].as_str().expect("an id")
    );
    answer(
        kim.request("POST", &reject)
            .json(&json!({ "reason": "Schon erstattet." })),
    )
    .await;
    let place = format!(
        "/v1/conversations/{}/messages",
        asked["conversation_id"].as_str().expect("an id")
    );
    let (_, page) = mia.read(&place).await;
    let all: Vec<&str> = page["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .filter_map(|it| it["text"].as_str())
        .collect();
    for expected in [
        "Ihre Anfrage wurde genehmigt und wird ausgeführt.",
        &format!("Erledigt: {summary}"),
        "Ihre Anfrage wurde nicht genehmigt: Schon erstattet.",
    ] {
        assert!(all.contains(&expected), "{expected} is not in {all:#?}");
    }
}

#[tokio::test]
async fn handoff_texts_are_localized() {
    let app = TestApp::start().await;
    app.clock.stop_at("2026-11-28T12:00:00Z".parse().expect("a time"));
    let (admin, mia) = (
        app.staff("admin@s.example", StaffRole::Admin).await,
        app.shopper("mia").await,
    );
    let office = json!({ "time_zone": "Europe/Berlin", "week": [["09:00-17:00"], [], [], [], [], [], []] });
    assert_eq!(
        answer(admin.request("PUT", "/v1/staff/hours").json(&office)).await.0,
        StatusCode::NO_CONTENT
    );
    let first = mia.ask_in("de", json!({ "text": "Ein Mensch, bitte" })).await;
    assert_eq!(
        said(&first),
        "Ich habe jemanden aus unserem Team gerufen, der Ihnen hier antwortet.\n\nUnser Team ist gerade nicht da und kommt am Montag, 30.11., um 09:00 Uhr wieder (Ortszeit Berlin). \
         Wenn Sie dann nicht mehr hier sind, kommt die Antwort per Mail."
    );
    let conversation = first["conversation_id"].as_str().expect("an id");
    let take = format!("/v1/staff/conversations/{conversation}/take");
    assert_eq!(answer(admin.request("POST", &take)).await.0, StatusCode::NO_CONTENT);
    let on = json!({ "conversation_id": conversation, "text": "Sind Sie da?" });
    let (_, held) = answer(mia.post("/v1/chat/send").json(&on)).await;
    assert!(said(&held).starts_with("Ihre Nachricht ist bei unserem Team"), "{held}");
    let (_, page) = mia.read(&format!("/v1/conversations/{conversation}/messages")).await;
    let taken = "Ein Mensch aus unserem Team hat das Gespräch jetzt und antwortet Ihnen hier.";
    assert!(
        page["messages"]
            .as_array()
            .expect("messages")
            .iter()
            .any(|it| it["text"] == taken),
        "{page}"
    );
}

#[tokio::test]
async fn model_failure_text_is_localized() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    app.model.respond(|_| Reply::Status(500, "{}".into()));
    let told = mia.ask_in("de", json!({ "text": "Wo ist #1001?" })).await;
    assert!(
        said(&told).starts_with("Ich kann gerade nicht frei denken") && said(&told).contains("Bestellung #1001"),
        "{told}"
    );
}
