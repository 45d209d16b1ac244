//! A conversation can go on after its server was killed or stopped in the middle of a turn.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;

use crate::support::{
    Reply, TestApp, TestShopper,
    fault_proxy::{Fault, FaultProxy, Upstream},
    process::Process,
    shopper::{answer, events, parse_events},
};

/// Starts a conversation with one answer and a second message that the model does not answer for 30 s.
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
    // The lease of the dead process expires within seconds. Until then the answer is a conflict.
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
    // The interrupted turn can still be read by its key.
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

#[tokio::test]
async fn a_stopping_replica_hands_its_streams_over_and_finishes_its_turns() {
    let app = TestApp::start().await;
    let patient = [("SHUTDOWN_DRAIN_SECONDS", "2"), ("SHUTDOWN_GRACE_SECONDS", "30")];
    let (mut leaving, staying) = (
        Process::serve_with(&app, &patient).await,
        Process::serve_with(&app, &[]).await,
    );
    let late = |text: &str| Reply::After(Duration::from_secs(8), Box::new(Reply::text(text)));
    app.model.script([late("Here at last."), late("Here at last.")]);
    let (mia, noah) = (
        app.shopper("mia").await.at(&leaving.url),
        app.shopper("noah").await.at(&leaving.url),
    );
    let streamed = |shopper: &TestShopper, after: &str| {
        shopper
            .post("/v1/chat/send")
            .header("accept", "text/event-stream")
            .header("idempotency-key", "handed-over")
            .header("last-event-id", after)
            .json(&json!({ "text": "Think" }))
    };
    let stream = tokio::spawn(streamed(&mia, "0").send());
    let whole = tokio::spawn(answer(noah.post("/v1/chat/send").json(&json!({ "text": "Think" }))));
    for _ in 0..200 {
        if app.model.requests().len() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    leaving.signal("-TERM");

    // While it still serves, `/health` says that it stops, and it closes each connection.
    let mut farewell = app
        .http
        .get(format!("{}/health", leaving.url))
        .send()
        .await
        .expect("it serves");
    for _ in 0..100 {
        if farewell.status() == StatusCode::SERVICE_UNAVAILABLE {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        farewell = app
            .http
            .get(format!("{}/health", leaving.url))
            .send()
            .await
            .expect("it serves");
    }
    assert_eq!(farewell.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(farewell.headers()["connection"], "close");
    assert_eq!(
        mia.read("/v1/orders").await.0,
        StatusCode::OK,
        "who comes meanwhile is served"
    );
    assert_eq!(mia.at(&staying.url).read("/v1/orders").await.0, StatusCode::OK);

    // The stream ends before the turn does and says when to reconnect. The rest is read at the other replica.
    let heard = stream
        .await
        .expect("runs")
        .expect("answers")
        .text()
        .await
        .expect("a whole stream");
    let names: Vec<String> = parse_events(&heard).into_iter().map(|event| event.name).collect();
    assert_eq!(names, ["accepted"], "{heard}");
    assert!(heard.contains("retry: 500"), "{heard}");
    let rest = events(streamed(&mia.at(&staying.url), "1")).await;
    let names: Vec<&str> = rest.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["message", "done"]);
    assert_eq!(rest[0].data["text"], "Here at last.");

    let (status, whole) = whole.await.expect("runs");
    assert_eq!(
        (status, whole["message"]["text"].as_str()),
        (StatusCode::OK, Some("Here at last."))
    );
    leaving.wait_for_exit().await;
    assert_eq!(app.model.requests().len(), 2, "no turn ran twice");
}

#[tokio::test]
async fn a_stopping_worker_ends_what_it_does_and_gives_the_rest_back() {
    let app = TestApp::without_worker().await;
    let way = FaultProxy::to(Upstream::Tcp(app.mailbox.url().replace("smtp://", ""))).await;
    way.set(Fault::Slow(Duration::from_millis(300)));
    let relay = format!("smtp://{}", way.address);
    let mia = app.shopper("mia").await;
    for _ in 0..12 {
        let talk = json!({ "text": "Where is my order?", "by_rules": true });
        let (_, said) = answer(mia.post("/v1/chat/send").json(&talk)).await;
        let conversation = said["conversation_id"].as_str().expect("an id");
        let asked = mia.post(&format!("/v1/conversations/{conversation}/transcript"));
        assert!(asked.send().await.expect("answers").status().is_success());
    }
    let asked_for = app.count("SELECT count(*) FROM graphile_worker._private_jobs").await;
    let mut worker = Process::worker_with(&app, &[("SMTP_URL", &relay), ("SHUTDOWN_GRACE_SECONDS", "20")]).await;
    // The relay's slowness leaves seconds between the first mail under way and the last one.
    app.wait_for_count(
        "SELECT (count(*) > 0)::int::bigint FROM graphile_worker._private_jobs WHERE locked_at IS NOT NULL",
        1,
    )
    .await;
    // A job that was only just taken is given back; one that talks with the relay, which takes seconds, is ended.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    worker.stop().await;
    let (sent, left) = (
        app.mailbox.all().len() as i64,
        app.count("SELECT count(*) FROM graphile_worker._private_jobs").await,
    );
    let held = app
        .count("SELECT count(*) FROM graphile_worker._private_jobs WHERE locked_at IS NOT NULL")
        .await;
    println!("{sent} of {asked_for} mails were sent on the way out, {left} given back, {held} held");
    assert!(sent > 0 && left > 0, "stopped in the middle");
    assert_eq!(held, 0, "nobody waits for its leases to run out");
    assert_eq!(sent + left, asked_for);

    let _next = Process::worker_with(&app, &[("SMTP_URL", &app.mailbox.url())]).await;
    app.wait_for_count("SELECT count(*) FROM graphile_worker._private_jobs", 0)
        .await;
    assert_eq!(app.mailbox.all().len() as i64, asked_for, "each once");
}

#[tokio::test]
async fn the_queues_own_clock_starts_the_housekeeping() {
    let app = TestApp::start().await;
    // The queue's own schedule adds the job with an empty payload.
    app.execute_sql("SELECT graphile_worker.add_job('housekeeping', 'null'::json)")
        .await;
    app.wait_for_count("SELECT count(*) FROM graphile_worker._private_jobs", 0)
        .await;
}
