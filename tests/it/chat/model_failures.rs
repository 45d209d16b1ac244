//! However the model's provider fails, the shopper gets a true answer in time (part of R3).

use std::time::{Duration, Instant};

use countersign::{
    breaker::FAILURE_THRESHOLD,
    config::ModelSettings,
    model::{Deadlines, EndpointSettings},
};
use serde_json::json;

use crate::support::{
    FakeOpenAi, Reply, TestApp,
    app::{LONG_DEADLINES, endpoint, openai},
    fake_openai::delta,
};

#[tokio::test]
async fn errors_garbage_and_cut_streams_end_in_a_fallback_and_the_conversation_goes_on() {
    let canary = "provider-internal-detail";
    for failure in [
        Reply::Status(429, format!(r#"{{"error":{{"message":"{canary}"}}}}"#)),
        Reply::Status(500, canary.into()),
        Reply::Status(401, format!(r#"{{"error":{{"message":"{canary}"}}}}"#)),
        Reply::Raw(format!("data: {{{canary}\n\n")),
        Reply::Raw(format!("<html>{canary}</html>")),
        Reply::Raw(String::new()),
        Reply::Raw("data: [DONE]\n\n".into()),
    ] {
        let app = TestApp::start().await;
        let mia = app.shopper("mia").await;
        app.model.script([failure]);
        let events = mia.stream(json!({ "text": "Where is my order #1001?" })).await;
        let message = &events
            .iter()
            .find(|event| event.name == "message")
            .expect("a message")
            .data;
        assert_eq!(message["source"], "offline", "labelled: {message}");
        let text = message["text"].as_str().expect("a text");
        assert!(text.starts_with("I cannot think freely right now"), "{text}");
        assert!(text.contains("Order #1001") && text.contains("HP440028817"), "{text}");
        assert!(!format!("{events:?}").contains(canary), "{events:?}");
    }
}

#[tokio::test]
async fn another_model_is_asked_before_the_rules_and_each_is_billed_for_itself() {
    let second = FakeOpenAi::start().await;
    let settings = EndpointSettings {
        model: "second-model".into(),
        ..endpoint(&second, LONG_DEADLINES)
    };
    let app = TestApp::start_with_settings(|changed| changed.second_model = Some(settings)).await;
    app.model.script([Reply::Status(503, String::new())]);
    second.script([Reply::text("From the second.")]);
    let answer = app.shopper("mia").await.ask("Hi").await;
    assert_eq!(answer["message"]["text"], "From the second.");
    assert_eq!(answer["message"]["source"], "model");
    assert_eq!(second.requests()[0]["model"], "second-model");
    let spent = "SELECT sum(spent_micros)::bigint FROM budget_ledger WHERE model = ";
    assert_eq!(
        app.count(Box::leak(format!("{spent}'fake-model'").into_boxed_str()))
            .await,
        0
    );
    assert_eq!(
        app.count(Box::leak(format!("{spent}'second-model'").into_boxed_str()))
            .await,
        140
    );
}

#[tokio::test]
async fn a_model_that_fails_on_and_on_is_left_alone_and_a_person_can_be_reached_meanwhile() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    app.model.respond(|_| Reply::Status(500, String::new()));
    for _ in 0..FAILURE_THRESHOLD + 3 {
        assert_eq!(
            mia.ask("Where is my order #1001?").await["message"]["source"],
            "offline"
        );
    }
    assert_eq!(
        app.model.requests().len(),
        FAILURE_THRESHOLD as usize,
        "then it is left alone"
    );
    let answer = mia.ask("I want to talk to a person").await;
    assert_eq!(answer["tools"][0]["tool"], "hand_off", "{answer}");
    assert_eq!(answer["tools"][0]["status"], "proposed", "{answer}");
}

#[tokio::test]
async fn what_came_before_the_break_is_kept_and_marked() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    for cut in [
        Reply::Cut("Half an ans".into()),
        Reply::Raw(delta(json!({ "content": "Half an ans" }))),
    ] {
        app.model.script([cut, Reply::text("Whole.")]);
        let first = mia.ask("Hi").await;
        assert_eq!(
            first["message"]["text"],
            "Half an ans\n\n(My answer was cut short. Please ask again.)"
        );
        let again = mia
            .post("/v1/chat/send")
            .json(&json!({ "conversation_id": first["conversation_id"], "text": "Again" }));
        assert_eq!(
            crate::support::shopper::answer(again).await.1["message"]["text"],
            "Whole."
        );
    }
}

#[tokio::test]
async fn a_slow_model_and_an_absent_one_are_given_up_in_time() {
    let model = FakeOpenAi::start().await;
    let deadlines = Deadlines {
        first_chunk: Duration::from_millis(300),
        total: Duration::from_millis(600),
    };
    let settings = openai(&model, deadlines);
    let app = TestApp::start_with(model, settings).await;
    app.model
        .script([Reply::After(Duration::from_secs(30), Box::new(Reply::text("too late")))]);
    let mia = app.shopper("mia").await;
    let start = Instant::now();
    assert_eq!(mia.ask("Hi").await["message"]["source"], "offline");
    assert!(start.elapsed() < Duration::from_secs(10), "far from the model's 30 s");

    let price = "1/2".parse().expect("a price");
    let gone = ModelSettings::Endpoint(EndpointSettings {
        deadlines,
        ..EndpointSettings::new("http://127.0.0.1:1/v1".into(), "sk-fake".into(), "fake".into(), price)
    });
    let app = TestApp::start_with(FakeOpenAi::start().await, gone).await;
    assert_eq!(app.shopper("mia").await.ask("Hi").await["message"]["source"], "offline");
}
