//! A server that is killed or stopped in the middle of a turn leaves a conversation that can go on.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;

use crate::support::{
    Reply, TestApp, TestShopper,
    process::Process,
    shopper::{answer, events},
};

/// A conversation with one answer, and a second message whose answer hangs on the model.
async fn in_the_middle_of_a_turn(
    app: &TestApp,
    process: &Process,
) -> (
    TestShopper,
    serde_json::Value,
    tokio::task::JoinHandle<Option<Vec<crate::support::shopper::SentEvent>>>,
) {
    app.model.script([
        Reply::text("First."),
        Reply::After(Duration::from_secs(30), Box::new(Reply::text("never heard"))),
    ]);
    let mia = app.shopper("mia").await.at(&process.url);
    let conversation = mia.ask("Hi").await["conversation_id"].clone();
    let request = mia
        .post("/v1/chat/send")
        .header("accept", "text/event-stream")
        .header("idempotency-key", "hanging")
        .json(&json!({ "conversation_id": conversation, "text": "Think" }));
    let hanging = tokio::spawn(async move {
        let text = request.send().await.ok()?.text().await.ok()?;
        Some(crate::support::shopper::parse_events(&text))
    });
    for _ in 0..200 {
        if app.model.requests().len() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    (mia, conversation, hanging)
}

#[tokio::test]
async fn after_sigkill_in_a_turn_the_conversation_goes_on() {
    let app = TestApp::start().await;
    let mut process = Process::serve(&app).await;
    let (mia, conversation, _) = in_the_middle_of_a_turn(&app, &process).await;
    process.kill();

    let revived = Process::serve(&app).await;
    let mia = mia.at(&revived.url);
    app.model.script([Reply::text("Here I am.")]);
    let mut last = (StatusCode::CONFLICT, json!(null));
    // The dead process's lease runs out in seconds; until then the answer says so.
    for _ in 0..40 {
        last = answer(
            mia.post("/v1/chat/send")
                .json(&json!({ "conversation_id": conversation, "text": "Still there?" })),
        )
        .await;
        if last.0 == StatusCode::OK {
            break;
        }
        assert_eq!(last.0, StatusCode::CONFLICT);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    assert_eq!(
        (last.0, last.1["message"]["text"].as_str()),
        (StatusCode::OK, Some("Here I am."))
    );
    let (_, messages) = mia
        .read(&format!(
            "/v1/conversations/{}/messages",
            conversation.as_str().expect("an id")
        ))
        .await;
    let texts: Vec<&str> = messages["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .filter_map(|message| message["text"].as_str())
        .collect();
    assert_eq!(
        texts,
        [
            "Hi",
            "First.",
            "Think",
            "My answer was interrupted. Please send your message again.",
            "Still there?",
            "Here I am."
        ]
    );
    // The interrupted turn itself can still be asked for.
    let again = events(
        mia.post("/v1/chat/send")
            .header("idempotency-key", "hanging")
            .json(&json!({ "conversation_id": conversation, "text": "Think" })),
    )
    .await;
    assert_eq!(
        again.iter().map(|event| event.name.as_str()).collect::<Vec<_>>(),
        ["error", "message", "done"]
    );
}

#[tokio::test]
async fn sigterm_ends_a_running_stream_with_a_clear_event() {
    let app = TestApp::start().await;
    let process = Process::serve(&app).await;
    let (_, _, hanging) = in_the_middle_of_a_turn(&app, &process).await;
    process.signal("-TERM");
    let events = tokio::time::timeout(Duration::from_secs(10), hanging)
        .await
        .expect("in time")
        .expect("runs")
        .expect("a whole stream");
    let names: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["accepted", "error", "message", "done"]);
    assert_eq!(events[1].data["code"], "interrupted");
}
