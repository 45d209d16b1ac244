//! A model that does not answer: staff see it on every page and get one mail, whatever number of replicas see it.

use std::time::Duration;

use countersign::{config::ModelSettings, identity::StaffRole};
use serde_json::{Value, json};

use crate::{
    browser::console::ConsoleVisitor,
    support::{FakeOpenAi, Reply, TestApp, TestStaff, process::free_port, shopper::answer},
};

const MAILS: &str = "SELECT count(*) FROM outbox WHERE kind = 'model_outage'";

/// Waits until the status says that the model is away, or that it is back.
async fn outage(staff: &TestStaff, is_on: bool) -> Value {
    let mut seen = Value::Null;
    for _ in 0..600 {
        seen = staff.read("/v1/staff/status").await.1;
        if seen["model_outage"].is_object() == is_on {
            return seen["model_outage"].clone();
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("outage {is_on}: {seen}");
}

/// Waits until the model was asked so often.
async fn asked(model: &FakeOpenAi, count: usize) {
    for _ in 0..600 {
        if model.requests().len() >= count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("asked {} times, not {count}", model.requests().len());
}

/// A server that watches `model`, which answers already: the first question may come at once.
async fn watching(model: &FakeOpenAi, internal: u16) -> TestApp {
    TestApp::start_with_settings(|settings| {
        settings.model_check = Some(Duration::from_millis(200));
        settings.internal_listen = Some(([127, 0, 0, 1], internal).into());
        if let ModelSettings::Endpoint(endpoint) = &mut settings.model {
            endpoint.base_url = model.base_url();
        }
    })
    .await
}

fn refuse_key(_: &Value) -> Reply {
    Reply::Status(401, String::new())
}

#[tokio::test]
async fn staff_are_told_of_an_outage_once_and_the_pages_say_it_until_it_is_over() {
    let port = free_port();
    let model = FakeOpenAi::start().await;
    model.respond(|_| Reply::text("Here I am."));
    let app = watching(&model, port).await;
    let kim = app.staff("kim@shop.example", StaffRole::Admin).await;
    let mut ann = ConsoleVisitor::signed_in(&app, "ann@shop.example", StaffRole::Approver).await;
    let mut viewer = ConsoleVisitor::signed_in(&app, "viewer@shop.example", StaffRole::Viewer).await;
    outage(&kim, false).await;
    assert!(!ann.opens("/console").await.1.contains("model-outage"));

    model.respond(refuse_key);
    assert_eq!(app.shopper("mia").await.ask("Hi").await["message"]["source"], "offline");
    let seen = outage(&kim, true).await;
    assert_eq!(
        (&seen["error"], &seen["answered_by"]),
        (&json!("key_refused"), &json!("rules"))
    );
    assert!(
        seen["local_since"]
            .as_str()
            .is_some_and(|since| since.ends_with("(UTC)")),
        "{seen}"
    );
    let (_, ready) = answer(app.http.get(format!("http://127.0.0.1:{port}/ready"))).await;
    assert_eq!(
        (&ready["ready"], &ready["model_outage"]["error"]),
        (&json!(true), &json!("key_refused"))
    );
    let (_, page) = ann.opens("/console").await;
    for words in [
        "The assistant answers by fixed rules since",
        "the provider refuses the key",
        "OPENAI_API_KEY",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(
        !viewer.opens("/console").await.1.contains("model-outage"),
        "who can do nothing is not told"
    );
    let mail = app.mailbox.newest_to("kim@shop.example", 1).await.text();
    assert!(mail.contains("the provider refuses the key"), "{mail}");

    // Another replica sees the same outage; each of the two stores has its one mail.
    let (other, _stop) = app.replica_with(|settings| settings.internal_listen = None).await;
    outage(&kim.at(&other), true).await;
    app.wait_for_count(MAILS, 2).await;
    model.respond(|_| Reply::text("Here I am."));
    outage(&kim, false).await;
    outage(&kim.at(&other), false).await;
    app.wait_for_count("SELECT count(*) FROM model_outages WHERE ended_at IS NULL", 0)
        .await;
    assert_eq!(app.count(MAILS).await, 2);
    assert!(!ann.opens("/console").await.1.contains("model-outage"));
}

#[tokio::test]
async fn one_failed_turn_is_no_outage() {
    let model = FakeOpenAi::start().await;
    model.respond(|_| Reply::text("Here I am."));
    let app = watching(&model, free_port()).await;
    let kim = app.staff("kim@shop.example", StaffRole::Admin).await;
    let mia = app.shopper("mia").await;
    asked(&model, 1).await;
    outage(&kim, false).await;
    model.script([Reply::Status(500, String::new())]);
    assert_eq!(mia.ask("Hi").await["message"]["source"], "offline");
    let before = model.requests().len();
    asked(&model, before.max(3)).await;
    outage(&kim, false).await;
    assert_eq!(mia.ask("Hi").await["message"]["source"], "model");
    assert_eq!(app.count(MAILS).await, 0);
}

#[tokio::test]
async fn a_model_that_is_away_at_the_start_is_seen_before_a_shopper_asks() {
    let model = FakeOpenAi::start().await;
    model.respond(refuse_key);
    let app = watching(&model, free_port()).await;
    let kim = app.staff("kim@shop.example", StaffRole::Admin).await;
    outage(&kim, true).await;
    let spent = "SELECT count(*) FROM budget_ledger";
    assert_eq!(app.count(spent).await, 0, "the questions are on no store's budget");
}
