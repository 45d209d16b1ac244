//! Help articles that the assistant quotes, and staff who take a conversation over.

use countersign::identity::StaffRole;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Reply, TestApp, TestShopper, shopper::answer};

/// The result of `search_help` as the model receives it.
async fn search_help(app: &TestApp, shopper: &TestShopper, query: &str) -> Value {
    app.model.script([
        Reply::call("search_help", json!({ "query": query })),
        Reply::EchoToolResult,
    ]);
    let heard = shopper.ask_text("How is that done?").await;
    serde_json::from_str(&heard).unwrap_or_else(|_| panic!("{heard}"))
}

fn title(found: &Value) -> &str {
    found["data"]["articles"][0]["title"].as_str().unwrap_or("nothing")
}

#[tokio::test]
async fn articles_are_found_by_their_words_with_a_letter_wrong_and_in_their_own_store_alone() {
    let app = TestApp::start().await;
    let admin = app.staff("admin@s.example", StaffRole::Admin).await;
    let write = async |place: &str, title: &str, body: &str, published: bool| {
        let text = json!({ "title": title, "body": body, "published": published });
        answer(admin.request("PUT", &format!("/v1/staff/help/{place}")).json(&text))
            .await
            .0
    };
    for (place, title, body) in [
        (
            "en/returns",
            "How to return something",
            "You may return what you bought within thirty days.",
        ),
        (
            "en/shipping",
            "Shipping and delivery",
            "We ship on the day of the order. Islands take four days.",
        ),
        ("de/versand", "Versand", "Wir verschicken am Tag der Bestellung."),
    ] {
        assert_eq!(write(place, title, body, true).await, StatusCode::NO_CONTENT);
    }
    assert_eq!(
        write("en/plans", "Secret plans", "We will sell boats.", false).await,
        StatusCode::NO_CONTENT
    );
    for place in ["fr/returns", "en/Returns", "en/-x", "en/a%2Fb"] {
        assert_eq!(write(place, "A", "b", true).await, StatusCode::NOT_FOUND, "{place}");
    }
    assert_eq!(
        write("en/empty", " ", "b", true).await,
        StatusCode::UNPROCESSABLE_ENTITY
    );

    let (mia, guest) = (app.shopper("mia").await, app.guest().await);
    assert_eq!(
        title(&search_help(&app, &mia, "how many days to return").await),
        "How to return something"
    );
    // One letter wrong, another form of the word, another language.
    assert_eq!(
        title(&search_help(&app, &guest, "shiping").await),
        "Shipping and delivery"
    );
    assert_eq!(title(&search_help(&app, &mia, "island").await), "Shipping and delivery");
    assert_eq!(title(&search_help(&app, &mia, "verschickt").await), "Versand");
    for query in ["boats", "xyzzy plugh", "' OR 1=1 --", "a & b | !c:*"] {
        assert_eq!(
            search_help(&app, &mia, query).await["error"]["code"],
            "not_found",
            "{query}"
        );
    }
    let elsewhere = app.shopper_of_other_store("mia").await;
    assert_eq!(
        search_help(&app, &elsewhere, "return").await["error"]["code"],
        "not_found"
    );

    let (_, help) = admin.read("/v1/staff/help").await;
    assert_eq!(help["articles"].as_array().map(Vec::len), Some(4));
    let asked = help["unanswered"].to_string();
    assert!(
        asked.contains("boats") && asked.contains("xyzzy") && !asked.contains("shiping"),
        "{asked}"
    );
    // Saving the same article again changes nothing and adds no audit entry.
    write(
        "en/returns",
        "How to return something",
        "You may return what you bought within thirty days.",
        true,
    )
    .await;
    assert_eq!(
        app.count("SELECT count(*) FROM audit WHERE action = 'help_article.write'")
            .await,
        4
    );
}

#[tokio::test]
async fn an_answer_cites_the_articles_that_were_found_and_they_can_be_read() {
    let app = TestApp::start().await;
    let admin = app.staff("admin@s.example", StaffRole::Admin).await;
    let write = async |place: &str, title: &str, published: bool| {
        let text = json!({ "title": title, "body": "Thirty days. <b>Really.</b>", "published": published });
        answer(admin.request("PUT", &format!("/v1/staff/help/{place}")).json(&text)).await;
    };
    write("en/returns", "How to return something", true).await;
    write("de/returns", "Thirty days: Rückgabe", true).await;
    write("en/plans", "Thirty secret plans", false).await;
    let (mia, guest) = (app.shopper("mia").await, app.guest().await);
    let asked = |language: Value| {
        app.model.script([
            Reply::call("search_help", json!({ "query": "thirty days", "language": language })),
            Reply::call("search_help", json!({ "query": "thirty days", "language": language })),
            Reply::text("Thirty days, see “My own invention”."),
        ]);
        mia.ask("How long?")
    };
    let english = json!({ "title": "How to return something", "language": "en", "slug": "returns" });
    let german = json!({ "title": "Thirty days: Rückgabe", "language": "de", "slug": "returns" });
    let said = asked(json!("en")).await;
    assert_eq!(
        said["message"]["citations"],
        json!([english, german]),
        "what was found, once, whatever the model says"
    );
    let in_german = asked(json!("de")).await;
    assert_eq!(
        in_german["message"]["citations"],
        json!([german, english]),
        "the shopper's language first"
    );
    // Without a language, articles in the store's language come first.
    app.execute_sql("UPDATE tenants SET language = 'de'").await;
    assert_eq!(asked(Value::Null).await["message"]["citations"][0], german);

    let place = format!(
        "/v1/conversations/{}/messages",
        said["conversation_id"].as_str().expect("an id")
    );
    let kept = mia.read(&place).await.1;
    assert_eq!(
        kept["messages"][1]["citations"],
        json!([english, german]),
        "kept with the message"
    );
    assert!(kept["messages"][0].get("citations").is_none());
    app.model.script([Reply::text("Just so.")]);
    assert!(
        mia.ask("And?").await["message"].get("citations").is_none(),
        "what nothing was looked up for cites nothing"
    );

    let (status, page) = guest.read("/v1/help/en/returns").await;
    assert_eq!(
        (status, &page["title"], &page["body"]),
        (
            StatusCode::OK,
            &json!("How to return something"),
            &json!("Thirty days. <b>Really.</b>")
        )
    );
    for hidden in ["en/plans", "fr/returns", "en/none", "en/%00", "en/..%2Fx"] {
        assert_eq!(
            mia.read(&format!("/v1/help/{hidden}")).await.0,
            StatusCode::NOT_FOUND,
            "{hidden}"
        );
    }
    let elsewhere = app.shopper_of_other_store("mia").await;
    assert_eq!(elsewhere.read("/v1/help/en/returns").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_person_holds_a_conversation_and_who_has_gone_reads_the_answer_in_a_mail() {
    let app = TestApp::start().await;
    let (approver, viewer) = (
        app.staff("kim@s.example", StaffRole::Approver).await,
        app.staff("viewer@s.example", StaffRole::Viewer).await,
    );
    let mia = app.shopper("mia").await;
    let said = mia.ask("A person please").await;
    let conversation = said["conversation_id"].as_str().expect("an id");
    let (place, asked) = (
        format!("/v1/staff/conversations/{conversation}"),
        app.model.requests().len(),
    );
    app.wait_for_count("SELECT count(*) FROM conversations WHERE waiting_since IS NOT NULL", 1)
        .await;
    let (_, open) = viewer.read("/v1/staff/conversations?open=true&search=person").await;
    assert_eq!(open["conversations"][0]["id"], conversation);
    assert_eq!(
        viewer.read("/v1/staff/conversations?search=100%25").await.1["conversations"],
        json!([])
    );
    let text = json!({ "text": "I am Kim." });
    assert_eq!(
        answer(viewer.request("POST", &format!("{place}/messages")).json(&text))
            .await
            .0,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        answer(approver.request("POST", &format!("{place}/messages")).json(&text))
            .await
            .0,
        StatusCode::NO_CONTENT
    );

    // The assistant is silent and the message is kept. The shopper was active a moment ago and gets no mail.
    let (_, while_held) = answer(
        mia.post("/v1/chat/send")
            .json(&json!({ "conversation_id": conversation, "text": "Hello Kim" })),
    )
    .await;
    assert_eq!(
        (&while_held["message"]["author"], &while_held["message"]["source"]),
        (&json!("system"), &json!("system"))
    );
    assert_eq!(app.model.requests().len(), asked, "no model was asked");
    assert_eq!(
        app.count("SELECT count(*) FROM outbox WHERE kind = 'staff_answer'")
            .await,
        0
    );

    app.execute_sql("UPDATE sessions SET last_seen_at = last_seen_at - interval '1 hour'")
        .await;
    assert_eq!(
        answer(
            approver
                .request("POST", &format!("{place}/messages"))
                .json(&json!({ "text": "It <b>ships</b> today." }))
        )
        .await
        .0,
        StatusCode::NO_CONTENT
    );
    let mail = app.mailbox.newest_to("mia@example.com", 2).await;
    assert!(mail.text().contains("It <b>ships</b> today."), "{}", mail.text());

    assert_eq!(
        answer(approver.request("POST", &format!("{place}/give-back"))).await.0,
        StatusCode::NO_CONTENT
    );
    app.model.script([Reply::text("I am back.")]);
    let (_, back) = answer(
        mia.post("/v1/chat/send")
            .json(&json!({ "conversation_id": conversation, "text": "Hello?" })),
    )
    .await;
    assert_eq!(back["message"]["text"], "I am back.");
    let (_, whole) = viewer.read(&place).await;
    let authors: Vec<&str> = whole["messages"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|it| it["author"].as_str())
        .collect();
    assert_eq!(
        authors.iter().filter(|author| **author == "staff").count(),
        2,
        "{authors:?}"
    );
    let elsewhere = app.shopper_of_other_store("mia").await;
    assert_eq!(
        elsewhere
            .read(&format!("/v1/conversations/{conversation}/messages"))
            .await
            .0,
        StatusCode::NOT_FOUND
    );
    let audited = "SELECT count(*) FROM audit WHERE action IN ('conversation.take', 'conversation.answer', 'conversation.give_back')";
    assert_eq!(app.count(audited).await, 4);
    assert_eq!(
        app.count("SELECT count(*) FROM audit WHERE action LIKE 'conversation.%' AND request_id IS NULL")
            .await,
        0
    );
}

#[tokio::test]
async fn who_is_shut_out_or_may_answer_no_more_holds_no_conversation() {
    let app = TestApp::start().await;
    let admin = app.staff("boss@s.example", StaffRole::Admin).await;
    let mia = app.shopper("mia").await;
    for (name, event) in [
        ("out@s.example", "shut out"),
        (
            "down@s.example",
            "UPDATE staff SET role = 'viewer' WHERE email = 'down@s.example'",
        ),
    ] {
        let kim = app.staff(name, StaffRole::Approver).await;
        app.model.script([Reply::text("Hello.")]);
        let said = mia.ask("hello").await;
        let conversation = said["conversation_id"].as_str().expect("an id");
        let taken = kim.request("POST", &format!("/v1/staff/conversations/{conversation}/take"));
        assert_eq!(answer(taken).await.0, StatusCode::NO_CONTENT);
        match event {
            "shut out" => {
                let (_, team) = admin.read("/v1/staff/members").await;
                let members = team["members"].as_array().expect("a list");
                let member = members.iter().find(|member| member["email"] == name).expect("there");
                let path = format!("/v1/staff/members/{}", member["id"].as_str().expect("an id"));
                assert_eq!(answer(admin.request("DELETE", &path)).await.0, StatusCode::NO_CONTENT);
            }
            statement => app.execute_sql(statement).await,
        }
        app.model.script([Reply::text("I am here.")]);
        let more = json!({ "conversation_id": conversation, "text": "Is anybody there?" });
        let (_, back) = answer(mia.post("/v1/chat/send").json(&more)).await;
        assert_eq!(back["message"]["text"], "I am here.", "{event}");
        let (_, open) = admin.read("/v1/staff/conversations?open=true").await;
        assert_eq!(
            open["conversations"][0]["id"], conversation,
            "{event}: another person is called"
        );
        app.execute_sql("UPDATE conversations SET waiting_since = NULL").await;
    }
}

#[tokio::test]
async fn an_admin_names_the_pages_that_may_call_and_only_of_her_own_store() {
    let app = TestApp::start().await;
    app.execute_sql("INSERT INTO origins (tenant_id, origin) SELECT tenant_id, 'https://theirs.example' FROM tenants WHERE slug = 'two'").await;
    let admin = app.staff("admin@s.example", StaffRole::Admin).await;
    let origin = |text: &str| json!({ "origin": text });
    let path = "/v1/staff/origins";
    assert_eq!(
        answer(admin.request("PUT", path).json(&origin("https://Shop.Example/")))
            .await
            .0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(admin.read(path).await.1["origins"], json!(["https://shop.example"]));
    for bad in ["*", "http://shop.example", "https://shop.example/path", "null"] {
        assert_eq!(
            answer(admin.request("PUT", path).json(&origin(bad))).await.0,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{bad}"
        );
    }
    assert_eq!(
        answer(admin.request("DELETE", path).json(&origin("https://theirs.example")))
            .await
            .0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        app.count("SELECT count(*) FROM origins").await,
        2,
        "another store's stays"
    );
    assert_eq!(
        answer(admin.request("DELETE", path).json(&origin("https://shop.example")))
            .await
            .0,
        StatusCode::NO_CONTENT
    );
}
