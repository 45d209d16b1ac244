//! Whatever the model's provider does, the shopper gets a true sentence in time (part of R3).

use std::time::{Duration, Instant};

use countersign::model::Deadlines;
use serde_json::json;

use crate::support::{FakeOpenAi, Reply, TestApp, app::openai, fake_openai::delta};

#[tokio::test]
async fn errors_garbage_and_cut_streams_end_in_a_fallback_and_the_conversation_goes_on() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
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
        app.model.script([failure]);
        let events = mia.stream(json!({ "text": "Hi" })).await;
        let message = &events
            .iter()
            .find(|event| event.name == "message")
            .expect("a message")
            .data;
        assert_eq!(message["source"], "fallback");
        assert!(events.iter().any(|event| event.name == "error"));
        assert!(!format!("{events:?}").contains(canary), "{events:?}");
    }
    // What came before the break is kept and marked.
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
    assert_eq!(mia.ask("Hi").await["message"]["source"], "fallback");
    assert!(start.elapsed() < Duration::from_secs(10), "far from the model's 30 s");

    let gone = countersign::config::ModelSettings::OpenAi(countersign::model::OpenAiSettings {
        price: "1/2".parse().expect("a price"),
        base_url: "http://127.0.0.1:1/v1".into(),
        api_key: "sk-fake".into(),
        model: "fake".into(),
        deadlines,
    });
    let app = TestApp::start_with(FakeOpenAi::start().await, gone).await;
    assert_eq!(
        app.shopper("mia").await.ask("Hi").await["message"]["source"],
        "fallback"
    );
}
