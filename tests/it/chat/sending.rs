//! Sending a message: the answer is true, as JSON and as an event stream.

use futures::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{
    Reply, TestApp,
    fake_openai::{delta, ending, question},
    shopper::{answer, events},
};

#[tokio::test]
async fn the_true_status_and_tracking_number_come_back() {
    let app = TestApp::start().await;
    app.model.script([
        Reply::call("get_order", json!({ "order_number": "#1001" })),
        Reply::EchoToolResult,
    ]);
    let mia = app.shopper("mia").await;
    let answer = mia.ask("Where is my order #1001?").await;
    let text = answer["message"]["text"].as_str().expect("a text");
    assert!(text.contains("HP440028817") && text.contains("processed"), "{text}");
    assert_eq!(answer["message"]["source"], "model");
    assert_eq!(
        answer["tools"],
        json!([{ "tool": "get_order", "activity": "Looking up your order…", "status": "answered" }])
    );
    assert_eq!(
        app.count("SELECT count(*) FROM tool_calls WHERE outcome = 'answered'")
            .await,
        1
    );
}

#[tokio::test]
async fn the_model_is_told_the_rules_the_tools_and_the_result_as_data() {
    let app = TestApp::start().await;
    app.model.script([
        Reply::call("get_order", json!({ "order_number": "#1001" })),
        Reply::text("It is on its way."),
    ]);
    app.shopper("mia").await.ask("Where is it?").await;
    let requests = app.model.requests();
    let [first, second] = &requests[..] else {
        panic!("two requests")
    };
    assert_eq!(
        (&first["stream"], &first["model"]),
        (&json!(true), &json!("fake-model"))
    );
    assert_eq!(first["messages"][0]["role"], "system");
    assert_eq!(first["messages"][1]["role"], "user");
    assert_eq!(question(first), "Where is it?");
    let mut names: Vec<&str> = first["tools"]
        .as_array()
        .expect("tools")
        .iter()
        .filter_map(|tool| tool["function"]["name"].as_str())
        .collect();
    names.sort_unstable();
    for name in [
        "check_stock",
        "get_order",
        "get_product",
        "get_profile",
        "get_refund_status",
        "list_orders",
        "search_products",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
    for tool in first["tools"].as_array().expect("tools") {
        assert_eq!(
            (
                &tool["function"]["strict"],
                &tool["function"]["parameters"]["additionalProperties"]
            ),
            (&json!(true), &json!(false))
        );
        assert!(
            !tool.to_string().contains("Debug"),
            "notes for programmers are not for the model: {tool}"
        );
    }
    let result = second["messages"]
        .as_array()
        .and_then(|messages| messages.last())
        .expect("a message");
    assert_eq!(
        (&result["role"], &result["tool_call_id"]),
        (&json!("tool"), &json!("call-0"))
    );
    let content: Value = serde_json::from_str(result["content"].as_str().expect("text")).expect("JSON");
    assert_eq!(content["data"]["number"], "#1001");
    insta::assert_json_snapshot!(
        "get_order_as_the_model_sees_it",
        first["tools"]
            .as_array()
            .expect("tools")
            .iter()
            .find(|tool| tool["function"]["name"] == "get_order")
    );
}

#[tokio::test]
async fn events_come_in_order_and_the_message_holds_the_deltas() {
    let app = TestApp::start().await;
    app.model.script([
        Reply::call("get_order", json!({ "order_number": "1001" })),
        Reply::Text(vec!["It is ".into(), "on its way.".into()]),
    ]);
    let events = app
        .shopper("mia")
        .await
        .stream(json!({ "text": "Where is #1001?" }))
        .await;
    let names: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(
        names,
        ["accepted", "tool", "tool", "delta", "delta", "delta", "message", "done"]
    );
    assert_eq!(
        events.iter().map(|event| event.id).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5, 6, 7, 8]
    );
    assert_eq!(events[6].data["text"], "It is on its way.");
}

#[tokio::test]
async fn several_calls_in_one_answer_all_run() {
    let app = TestApp::start().await;
    let calls = vec![
        ("get_order".into(), json!({ "order_number": "#1001" }).to_string()),
        ("get_profile".into(), String::new()),
        ("list_orders".into(), "{}".into()),
    ];
    app.model
        .script([Reply::Both("One moment.".into(), calls), Reply::text("Done.")]);
    let answer = app.shopper("mia").await.ask("Everything, please").await;
    assert_eq!(answer["message"]["text"], "One moment.\n\nDone.");
    let tools: Vec<&str> = answer["tools"]
        .as_array()
        .expect("tools")
        .iter()
        .filter_map(|tool| tool["status"].as_str())
        .collect();
    assert_eq!(tools, ["answered", "answered", "answered"]);
}

#[tokio::test]
async fn another_shoppers_order_is_not_found_by_any_spelling() {
    let app = TestApp::start().await;
    app.model.respond(|request| {
        let last = request["messages"]
            .as_array()
            .and_then(|messages| messages.last())
            .expect("a message");
        match last["role"].as_str() {
            Some("user") => Reply::call("get_order", json!({ "order_number": question(request) })),
            _ => Reply::EchoToolResult,
        }
    });
    for shopper in [app.shopper("noah").await, app.shopper_of_other_store("noah").await] {
        for number in [
            "#1001",
            "1001",
            "%",
            "_001",
            "#100_",
            "１００１",
            "1001 ",
            "' OR 1=1 --",
        ] {
            let text = shopper.ask_text(number).await;
            assert!(text.contains("not_found"), "{number}: {text}");
        }
    }
}

#[tokio::test]
async fn a_conversation_goes_on_and_reads_back() {
    let app = TestApp::start().await;
    app.model
        .script([Reply::text("Hello Mia."), Reply::text("Still here.")]);
    let mia = app.shopper("mia").await;
    let first = mia.ask("Hi").await;
    let id = first["conversation_id"].as_str().expect("an id");
    let (status, second) = answer(
        mia.post("/v1/chat/send")
            .json(&json!({ "conversation_id": id, "text": "Are you there?" })),
    )
    .await;
    assert_eq!(
        (status, &second["conversation_id"]),
        (StatusCode::OK, &first["conversation_id"])
    );
    let roles: Vec<Value> = app.model.requests()[1]["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .map(|message| message["role"].clone())
        .collect();
    assert_eq!(roles, ["system", "user", "assistant", "user"]);
    let (_, messages) = mia.read(&format!("/v1/conversations/{id}/messages")).await;
    let texts: Vec<&str> = messages["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .filter_map(|message| message["text"].as_str())
        .collect();
    assert_eq!(texts, ["Hi", "Hello Mia.", "Are you there?", "Still here."]);
    assert_eq!(
        messages["messages"][1], first["message"],
        "history reads back exactly what was answered"
    );
    let after = messages["messages"][1]["id"].as_str().expect("an id");
    let (_, rest) = mia
        .read(&format!("/v1/conversations/{id}/messages?after={after}&limit=1"))
        .await;
    assert_eq!(rest["messages"][0]["text"], "Are you there?");
    let (_, list) = mia.read("/v1/conversations").await;
    assert_eq!(list["conversations"][0]["last_message"], "Still here.");
}

#[tokio::test]
async fn somebody_elses_conversation_and_turn_are_not_found() {
    let app = TestApp::start().await;
    app.model.script([Reply::text("Hello Mia.")]);
    let answered = app.shopper("mia").await.ask("Hi").await;
    let (conversation, turn) = (
        answered["conversation_id"].as_str().expect("an id"),
        answered["turn_id"].as_str().expect("an id"),
    );
    for stranger in [app.shopper("noah").await, app.shopper_of_other_store("mia").await] {
        for path in [
            format!("/v1/conversations/{conversation}/messages"),
            format!("/v1/turns/{turn}/events"),
        ] {
            let request = stranger
                .get(&path)
                .header("accept", "text/event-stream")
                .header("last-event-id", "0");
            assert_eq!(answer(request).await.0, StatusCode::NOT_FOUND, "{path}");
        }
        let send = stranger
            .post("/v1/chat/send")
            .json(&json!({ "conversation_id": conversation, "text": "let me in" }));
        assert_eq!(answer(send).await.0, StatusCode::NOT_FOUND);
        assert_eq!(stranger.read("/v1/conversations").await.1["conversations"], json!([]));
    }
    assert_eq!(app.count("SELECT count(*) FROM turns").await, 1);
}

#[tokio::test]
async fn fifty_sends_with_one_key_are_one_turn_with_fifty_equal_answers() {
    let app = TestApp::start().await;
    let (replica, _guard) = app.replica().await;
    app.model.script([Reply::After(
        std::time::Duration::from_millis(100),
        Box::new(Reply::text("Once.")),
    )]);
    let here = app.shopper("mia").await;
    let there = here.at(&replica);
    let sends = (0..50).map(|n| {
        let shopper = if n % 2 == 0 { &here } else { &there };
        answer(
            shopper
                .post("/v1/chat/send")
                .header("idempotency-key", "k-1")
                .json(&json!({ "text": "Hi" })),
        )
    });
    let answers = join_all(sends).await;
    assert_eq!(answers[0].0, StatusCode::OK, "{}", answers[0].1);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    assert_eq!(app.count("SELECT count(*) FROM turns").await, 1);
    assert_eq!(app.count("SELECT count(*) FROM conversations").await, 1);
    assert_eq!(app.model.requests().len(), 1);
}

#[tokio::test]
async fn a_key_belongs_to_its_shopper_and_its_message() {
    let app = TestApp::start().await;
    app.model.script([Reply::text("For Mia."), Reply::text("For Noah.")]);
    let (mia, noah) = (app.shopper("mia").await, app.shopper("noah").await);
    let send = |shopper: &crate::support::TestShopper, text: &str| {
        answer(
            shopper
                .post("/v1/chat/send")
                .header("idempotency-key", "same")
                .json(&json!({ "text": text })),
        )
    };
    let first = send(&mia, "Hi").await;
    let (status, problem) = send(&mia, "Something else").await;
    assert_eq!(
        (status, problem["type"].as_str()),
        (
            StatusCode::UNPROCESSABLE_ENTITY,
            Some("urn:countersign:problem:idempotency_key_reused")
        )
    );
    assert_eq!(send(&mia, "Hi").await, first, "the first answer stands");
    assert_eq!(send(&noah, "Hi").await.1["message"]["text"], "For Noah.");
}

#[tokio::test]
async fn a_dropped_stream_resumes_where_it_was_on_any_replica() {
    let app = TestApp::start().await;
    let (replica, _guard) = app.replica().await;
    app.model
        .script([Reply::Text(vec!["a".into(), "b".into(), "c".into()])]);
    let mia = app.shopper("mia").await;
    let body = json!({ "text": "Hi" });
    let whole = events(mia.post("/v1/chat/send").header("idempotency-key", "k").json(&body)).await;
    let turn = whole[0].data["turn_id"].as_str().expect("an id");
    for shopper in [mia.clone(), mia.at(&replica)] {
        let again = events(
            shopper
                .post("/v1/chat/send")
                .header("idempotency-key", "k")
                .header("last-event-id", "3")
                .json(&body),
        )
        .await;
        let followed = events(
            shopper
                .get(&format!("/v1/turns/{turn}/events"))
                .header("last-event-id", "3"),
        )
        .await;
        // Deltas are not kept once the turn has ended, because the message contains their text.
        let rest: Vec<_> = whole
            .iter()
            .filter(|event| event.id > 3 && event.name != "delta")
            .cloned()
            .collect();
        assert_eq!((&again, &followed), (&rest, &rest));
    }
}

#[tokio::test]
async fn a_running_turn_is_followed_from_another_replica_and_blocks_a_second_one() {
    let app = TestApp::start().await;
    let (replica, _guard) = app.replica().await;
    app.model.script([
        Reply::text("First."),
        Reply::After(std::time::Duration::from_millis(600), Box::new(Reply::text("Slow."))),
    ]);
    let mia = app.shopper("mia").await;
    let conversation = mia.ask("Hi").await["conversation_id"].clone();
    let body = json!({ "conversation_id": conversation, "text": "Think" });
    let (here, there) = (mia.clone(), mia.at(&replica));
    let slow = tokio::spawn(events(
        here.post("/v1/chat/send").header("idempotency-key", "slow").json(&body),
    ));
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let (status, problem) = answer(
        there
            .post("/v1/chat/send")
            .json(&json!({ "conversation_id": conversation, "text": "And?" })),
    )
    .await;
    assert_eq!(
        (status, problem["type"].as_str()),
        (StatusCode::CONFLICT, Some("urn:countersign:problem:turn_in_progress"))
    );
    let followed = events(
        there
            .post("/v1/chat/send")
            .header("idempotency-key", "slow")
            .json(&body),
    )
    .await;
    let slow = slow.await.expect("ends");
    assert_eq!(followed.last(), slow.last());
    assert_eq!(
        followed
            .iter()
            .find(|event| event.name == "message")
            .map(|event| &event.data["text"]),
        Some(&json!("Slow."))
    );
}

#[tokio::test]
async fn messages_that_do_not_fit_are_refused_by_field_and_nothing_is_stored() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    let long = "x".repeat(4001);
    let nested = format!(r#"{{"text": {}1{}}}"#, "[".repeat(5000), "]".repeat(5000));
    for (body, status, field) in [
        (r#"{"text": ""}"#, 422, "text"),
        (r#"{"text": " \n "}"#, 422, "text"),
        (&*format!(r#"{{"text": "{long}"}}"#), 422, "text"),
        (r#"{"text": "\u0000\u202e"}"#, 422, "text"),
        (r#"{"text": "\u200b \u00ad\n"}"#, 422, "text"),
        (r#"{"text": 5}"#, 422, "text"),
        (r#"{}"#, 422, "text"),
        (r#"{"text": "hi", "shopper_id": "x"}"#, 422, "shopper_id"),
        (r#"{"text": "hi", "tenant_id": "x"}"#, 422, "tenant_id"),
        (r#"{"text": "hi", "role": "admin"}"#, 422, "role"),
        (r#"{"text": "hi", "text": "ho"}"#, 422, "text"),
        (r#"{"text": "hi", "conversation_id": "1"}"#, 422, "conversation_id"),
        (r#"{"text": "\ud800"}"#, 400, ""),
        (r#"{"text": "hi""#, 400, ""),
        (r#"{"text": "hi"} x"#, 400, ""),
        (&*nested, 422, "text"),
        ("[]", 422, ""),
        (r#"[null, "hi"]"#, 422, ""),
    ] {
        let request = mia
            .post("/v1/chat/send")
            .header("content-type", "application/json")
            .body(body.to_owned());
        let (found, problem) = answer(request).await;
        assert_eq!(found.as_u16(), status, "{body:.80} {problem}");
        assert_eq!(
            problem["errors"][0]["field"].as_str().unwrap_or_default(),
            field,
            "{body:.80} {problem}"
        );
    }
    assert_eq!(app.count("SELECT (SELECT count(*) FROM turns) + (SELECT count(*) FROM messages) + (SELECT count(*) FROM conversations)").await, 0);
    assert_eq!(app.model.requests().len(), 0);
}

#[tokio::test]
async fn hostile_models_are_refused_and_bounded() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    for (tool, arguments, code) in [
        ("delete_everything", "{}", "unknown_tool"),
        ("GET_ORDER", r#"{"order_number":"1001"}"#, "unknown_tool"),
        ("../get_order", "{}", "unknown_tool"),
        (
            "get_order",
            r#"{"order_number":"1001","shopper_id":"noah"}"#,
            "invalid_argument",
        ),
        ("get_order", r#"{"order_number":["#, "invalid_argument"),
        ("get_order", r#"{"order_number":1e309}"#, "invalid_argument"),
        ("get_order", r#"{"order_number":null}"#, "invalid_argument"),
        ("get_order", "", "invalid_argument"),
        ("list_orders", "[]", "invalid_argument"),
    ] {
        app.model.script([
            Reply::Calls(vec![(tool.into(), arguments.into())]),
            Reply::EchoToolResult,
        ]);
        let text = mia.ask_text("go on").await;
        assert!(text.contains(code), "{tool} {arguments}: {text}");
    }
    assert_eq!(
        app.count("SELECT count(*) FROM audit WHERE action = 'tool.refused'")
            .await,
        3,
        "each that no tool answers to"
    );
    assert_eq!(
        app.count("SELECT count(*) FROM tool_calls WHERE outcome = 'refused' AND reason IS NOT NULL")
            .await,
        9
    );
}

#[tokio::test]
async fn an_endless_model_is_cut_off_with_a_true_sentence() {
    let app = TestApp::start().await;
    let mia = app.shopper("mia").await;
    // The model calls a tool in every round.
    app.model.respond(|_| Reply::call("list_orders", json!({})));
    let answered = mia.ask("loop").await;
    assert_eq!(
        answered["message"]["source"], "offline",
        "the rules answer from what was looked up"
    );
    let text = answered["message"]["text"].as_str().expect("a text");
    assert!(text.contains("#1001") && text.matches("#1001").count() == 1, "{text}");
    let asked = app.model.requests();
    let choices: Vec<&str> = asked
        .iter()
        .map(|request| request["tool_choice"].as_str().unwrap_or("auto"))
        .collect();
    assert_eq!(choices, ["auto", "auto", "auto", "auto", "auto", "none"]);
    assert_eq!(
        asked[0]["tools"], asked[5]["tools"],
        "the provider's cache still knows the prompt"
    );
    // A thousand calls in one answer: none of them is run, and the fixed rules answer.
    app.model
        .respond(|_| Reply::Calls(vec![("list_orders".into(), "{}".into()); 1000]));
    assert_eq!(mia.ask("flood").await["message"]["source"], "offline");
    // Very long text.
    app.model.respond(|_| Reply::Text(vec!["word ".repeat(1000); 100]));
    let text = mia.ask_text("talk").await;
    assert!(
        text.len() < 17_000 && text.ends_with("(My answer was cut short. Please ask again.)"),
        "{}",
        text.len()
    );
    // Nothing, and nothing but white space: no answer, so the next in the chain is asked.
    for nothing in [Reply::text(""), Reply::text(" \n"), Reply::Raw(ending("stop").concat())] {
        app.model.script([nothing]);
        assert_eq!(mia.ask("say something").await["message"]["source"], "offline");
    }
    // Two finish reasons: what follows the first is not part of the answer.
    let [finish, ..] = ending("stop");
    app.model.script([Reply::Raw(
        [
            delta(json!({ "content": "real" })),
            finish,
            delta(json!({ "content": " fake" })),
            ending("stop").concat(),
        ]
        .concat(),
    )]);
    assert_eq!(mia.ask_text("twice").await, "real");
}

#[tokio::test]
async fn a_conversation_that_is_deleted_while_it_is_written_to_is_not_found_or_not_deleted() {
    let app = TestApp::start().await;
    app.model.respond(|_| Reply::text("Hello."));
    let mia = app.shopper("mia").await;
    for _ in 0..12 {
        let conversation = mia.ask("Hi").await["conversation_id"].clone();
        let path = format!("{}/v1/conversations/{}", mia.url, conversation.as_str().expect("an id"));
        let body = json!({ "text": "Again", "conversation_id": conversation });
        let send = || answer(mia.post("/v1/chat/send").json(&body));
        let delete = answer(app.http.delete(&path).bearer_auth(&mia.token));
        let (first, deleted, second) = tokio::join!(send(), delete, send());
        for (status, body) in [first, deleted, second] {
            assert!(!status.is_server_error(), "{status} {body}");
        }
    }
}
