//! Registration, mailed codes, password resets and guests, and what each may see (A2, A5, A8, L2).

use chrono::Duration;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, TestApp, TestShopper, shopper::answer};

const NEW_PASSWORD: &str = "violet kettle on the pier";

fn registration(email: &str) -> Value {
    json!({ "email": email, "password": NEW_PASSWORD, "first_name": "Ada", "last_name": "L" })
}

/// The token in the response that opened a session.
fn token(opened: &Value) -> &str {
    opened["token"].as_str().unwrap_or_else(|| panic!("a token: {opened}"))
}

#[tokio::test]
async fn an_account_is_made_once_its_address_is_proved() {
    let app = TestApp::offline().await;
    let register = || app.with_store_key("/v1/registrations", registration("Ada@Example.com"));
    let (status, pending) = answer(register()).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert_eq!(
        app.count("SELECT count(*) FROM shoppers WHERE email = 'ada@example.com'")
            .await,
        0,
        "not yet"
    );
    let code = app.mailbox.newest_to("ada@example.com", 1).await.code();
    let told = sqlx::query_scalar::<_, i64>(
        "SELECT count(*) FROM outbox WHERE payload::text LIKE '%' || $1 || '%' OR payload::text LIKE '%@%'",
    );
    let told = told.bind(&code).fetch_one(&mut app.superuser().await).await;
    assert_eq!(told.expect("counts"), 0, "the outbox holds neither code nor address");
    let verify = |code: &str| {
        app.with_store_key(
            "/v1/registrations/verify",
            json!({ "email": "ada@example.com", "code": code, "attempt": pending["attempt"] }),
        )
    };
    let wrong = if code == "00000000" { "00000001" } else { "00000000" };
    assert_eq!(answer(verify(wrong)).await.0, StatusCode::UNAUTHORIZED);
    let (status, opened) = answer(verify(&code)).await;
    assert_eq!(
        (status, &opened["guest"]),
        (StatusCode::CREATED, &json!(false)),
        "{opened}"
    );
    let ada = TestShopper::with_token(&app, token(&opened));
    assert_eq!(ada.read("/v1/orders").await.0, StatusCode::OK);
    assert_eq!(
        answer(verify(&code)).await.0,
        StatusCode::UNAUTHORIZED,
        "a code works once"
    );

    // An address that has an account gets the same answer, and a mail that says so and has no code.
    assert_eq!(answer(register()).await.0, StatusCode::ACCEPTED);
    let mail = app.mailbox.newest_to("ada@example.com", 2).await;
    assert!(mail.raw.contains("has one already"), "{}", mail.raw);
    let body = json!({ "email": "ADA@example.com", "password": NEW_PASSWORD });
    assert_eq!(
        answer(app.with_store_key("/v1/sessions", body)).await.0,
        StatusCode::CREATED
    );
    assert_eq!(
        app.count("SELECT count(*) FROM passwords WHERE hash LIKE '%violet%'")
            .await,
        0
    );
}

#[tokio::test]
async fn weak_passwords_are_refused_by_field() {
    let app = TestApp::offline().await;
    for weak in ["password123", "ada@example.com", "aaaaaaaaaaaaaaaa"] {
        let mut body = registration("ada@example.com");
        body["password"] = json!(weak);
        let (status, problem) = answer(app.with_store_key("/v1/registrations", body)).await;
        assert_eq!(
            (status, &problem["errors"][0]["field"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("password")),
            "{problem}"
        );
    }
    assert!(app.mailbox.all().is_empty());
}

#[tokio::test]
async fn a_mailed_code_logs_in_once_for_ten_minutes_and_five_tries() {
    let app = TestApp::offline().await;
    let ask = || app.with_store_key("/v1/sessions/code-requests", json!({ "email": "mia@example.com" }));
    let use_code = async |email: &str, code: &str| {
        answer(app.with_store_key("/v1/sessions/code", json!({ "email": email, "code": code }))).await
    };
    assert_eq!(answer(ask()).await.0, StatusCode::ACCEPTED);
    let code = app.mailbox.newest_to("mia@example.com", 1).await.code();
    assert_eq!(
        use_code("noah@example.com", &code).await.0,
        StatusCode::UNAUTHORIZED,
        "another account's"
    );
    let (status, opened) = use_code("mia@example.com", &code).await;
    assert_eq!(status, StatusCode::CREATED, "{opened}");
    assert_eq!(
        use_code("mia@example.com", &code).await.0,
        StatusCode::UNAUTHORIZED,
        "used"
    );

    assert_eq!(answer(ask()).await.0, StatusCode::ACCEPTED);
    let late = app.mailbox.newest_to("mia@example.com", 2).await.code();
    app.clock.advance(Duration::minutes(11));
    assert_eq!(
        use_code("mia@example.com", &late).await.0,
        StatusCode::UNAUTHORIZED,
        "expired"
    );

    assert_eq!(answer(ask()).await.0, StatusCode::ACCEPTED);
    let guessed = app.mailbox.newest_to("mia@example.com", 3).await.code();
    for guess in 0..5 {
        let wrong = format!(
            "{:08}",
            (guessed.parse::<u32>().expect("digits") + 1 + guess) % 100_000_000
        );
        assert_eq!(use_code("mia@example.com", &wrong).await.0, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(
        use_code("mia@example.com", &guessed).await.0,
        StatusCode::UNAUTHORIZED,
        "five tries are over"
    );
}

#[tokio::test]
async fn what_is_asked_for_an_unknown_address_gets_the_same_answer_and_no_mail() {
    let app = TestApp::offline().await;
    for path in ["/v1/sessions/code-requests", "/v1/password-resets"] {
        let (known, _) = answer(app.with_store_key(path, json!({ "email": "mia@example.com" }))).await;
        let (unknown, _) = answer(app.with_store_key(path, json!({ "email": "nobody@example.com" }))).await;
        assert_eq!((known, unknown), (StatusCode::ACCEPTED, StatusCode::ACCEPTED));
    }
    app.mailbox.newest_to("mia@example.com", 2).await;
    assert_eq!(
        app.mailbox
            .all()
            .iter()
            .filter(|mail| mail.to == "nobody@example.com")
            .count(),
        0
    );
    assert_eq!(
        app.count("SELECT count(*) FROM codes WHERE email = 'nobody@example.com'")
            .await,
        2,
        "the same work is done for both"
    );
}

#[tokio::test]
async fn a_reset_link_sets_a_password_once_and_ends_every_session() {
    let app = TestApp::offline().await;
    let mia = app.shopper("mia").await;
    // The link begins with the configured public URL, whatever the `Host` header says.
    let ask = app
        .with_store_key("/v1/password-resets", json!({ "email": "mia@example.com" }))
        .header("host", "evil.test")
        .header("x-forwarded-host", "evil.test");
    assert_eq!(answer(ask).await.0, StatusCode::ACCEPTED);
    let mail = app.mailbox.newest_to("mia@example.com", 1).await;
    let (link, token) = mail.link();
    assert!(
        link.starts_with(&format!("{}/reset-password?store=pk_", app.url)),
        "{link}"
    );
    assert!(!mail.raw.contains("evil"), "{}", mail.raw);
    let complete = |token: &str| {
        app.with_store_key(
            "/v1/password-resets/complete",
            json!({ "token": token, "password": NEW_PASSWORD }),
        )
    };
    let mut forged = token.clone();
    forged.replace_range(40..41, if &token[40..41] == "A" { "B" } else { "A" });
    assert_eq!(answer(complete(&forged)).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(answer(complete(&token)).await.0, StatusCode::NO_CONTENT);
    assert_eq!(answer(complete(&token)).await.0, StatusCode::UNAUTHORIZED, "used");
    assert_eq!(
        mia.read("/v1/orders").await.0,
        StatusCode::UNAUTHORIZED,
        "every session has ended"
    );
    let log_in = |password: &str| {
        app.with_store_key(
            "/v1/sessions",
            json!({ "email": "mia@example.com", "password": password }),
        )
    };
    assert_eq!(answer(log_in(PASSWORD)).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(answer(log_in(NEW_PASSWORD)).await.0, StatusCode::CREATED);
    // A link of one store is not valid in another.
    assert_eq!(
        answer(app.with_store_key("/v1/password-resets", json!({ "email": "mia@example.com" })))
            .await
            .0,
        StatusCode::ACCEPTED
    );
    let (_, token) = app.mailbox.newest_to("mia@example.com", 2).await.link();
    let elsewhere = app
        .http
        .post(format!("{}/v1/password-resets/complete", app.url))
        .header("x-store-key", app.other_store.key.as_str())
        .json(&json!({ "token": token, "password": NEW_PASSWORD }));
    assert_eq!(answer(elsewhere).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_changed_password_ends_every_session_and_begins_a_new_one() {
    let app = TestApp::offline().await;
    let (here, there) = (app.shopper("mia").await, app.shopper("mia").await);
    let change = |current: &str| {
        let request = app
            .http
            .put(format!("{}/v1/password", app.url))
            .bearer_auth(&here.token);
        request.json(&json!({ "current_password": current, "password": NEW_PASSWORD }))
    };
    assert_eq!(answer(change("not the password")).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(there.read("/v1/orders").await.0, StatusCode::OK);
    let (status, opened) = answer(change(PASSWORD)).await;
    assert_eq!(status, StatusCode::CREATED, "{opened}");
    for old in [&here, &there] {
        assert_eq!(old.read("/v1/orders").await.0, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(
        TestShopper::with_token(&app, token(&opened)).read("/v1/orders").await.0,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_hash_of_old_parameters_is_renewed_when_its_owner_logs_in() {
    let app = TestApp::offline().await;
    // A hash of the same password with outdated parameters.
    let hash = {
        use argon2::{Argon2, Params, PasswordHasher};
        let params = Params::new(256, 1, 1, None).expect("parameters");
        let argon2 = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
        argon2.hash_password(PASSWORD.as_bytes()).expect("hashes").to_string()
    };
    sqlx::query("UPDATE passwords SET hash = $1")
        .bind(hash)
        .execute(&mut app.superuser().await)
        .await
        .expect("runs");
    app.shopper("mia").await;
    assert_eq!(
        app.count("SELECT count(*) FROM passwords WHERE hash LIKE '$argon2id$v=19$m=19456,t=2,p=1$%'")
            .await,
        1
    );
}

#[tokio::test]
async fn sessions_are_listed_for_their_owner_and_ended_one_by_one_or_all() {
    let app = TestApp::offline().await;
    let (one, two, noah) = (
        app.shopper("mia").await,
        app.shopper("mia").await,
        app.shopper("noah").await,
    );
    let (_, listed) = answer(one.get("/v1/sessions").header("user-agent", "Test/1")).await;
    let sessions = listed["sessions"].as_array().expect("sessions");
    assert_eq!(sessions.len(), 2, "{listed}");
    assert_eq!(sessions[0]["address"], "127.0.0.1");
    assert_eq!(sessions.iter().filter(|session| session["current"] == true).count(), 1);
    let other = sessions
        .iter()
        .find(|session| session["current"] == false)
        .expect("the other")["id"]
        .clone();
    let end = |shopper: &TestShopper, id: &Value| {
        let path = format!("{}/v1/sessions/{}", app.url, id.as_str().expect("an id"));
        app.http.delete(path).bearer_auth(&shopper.token)
    };
    assert_eq!(
        answer(end(&noah, &other)).await.0,
        StatusCode::NOT_FOUND,
        "somebody else's"
    );
    assert_eq!(answer(end(&one, &other)).await.0, StatusCode::NO_CONTENT);
    assert_eq!(two.read("/v1/orders").await.0, StatusCode::UNAUTHORIZED);
    let all = app
        .http
        .delete(format!("{}/v1/sessions", app.url))
        .bearer_auth(&one.token);
    assert_eq!(answer(all).await.0, StatusCode::NO_CONTENT);
    assert_eq!(one.read("/v1/orders").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(noah.read("/v1/orders").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_guest_chats_sees_nothing_personal_and_keeps_its_conversation_when_it_signs_in() {
    let app = TestApp::start().await;
    let guest = app.guest().await;
    assert_eq!(guest.read("/v1/orders").await.1["orders"], json!([]));
    app.model.script([
        Reply::call("get_order", json!({ "order_number": "#1001" })),
        Reply::call("get_profile", json!({})),
        Reply::call(
            "request_refund",
            json!({ "order_number": "#1002", "amount": "1.00", "reason": "x" }),
        ),
        Reply::text("Please sign in."),
    ]);
    let answered = guest.ask("Where is my order #1001?").await;
    let statuses: Vec<_> = answered["tools"]
        .as_array()
        .expect("tools")
        .iter()
        .map(|tool| tool["status"].clone())
        .collect();
    assert_eq!(
        statuses,
        [json!("refused"), json!("refused"), json!("refused")],
        "{answered}"
    );
    let told = app.model.requests();
    let tools = told[0]["tools"].to_string();
    assert!(
        !tools.contains("request_refund") && tools.contains("hand_off"),
        "guests' model is told of guests' tools"
    );
    assert!(
        told.last().expect("asked")["messages"]
            .to_string()
            .contains("sign_in_first")
    );

    let conversation = answered["conversation_id"].as_str().expect("an id").to_owned();
    let messages = format!("/v1/conversations/{conversation}/messages");
    let noah = app.shopper("noah").await;
    assert_eq!(noah.read(&messages).await.0, StatusCode::NOT_FOUND);
    let log_in = app
        .with_store_key(
            "/v1/sessions",
            json!({ "email": "mia@example.com", "password": PASSWORD }),
        )
        .bearer_auth(&guest.token);
    let (status, opened) = answer(log_in).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_ne!(token(&opened), guest.token, "a new token at every change of privilege");
    assert_eq!(
        guest.read("/v1/orders").await.0,
        StatusCode::UNAUTHORIZED,
        "the guest's token is worth nothing any more"
    );
    let mia = TestShopper::with_token(&app, token(&opened));
    let (status, kept) = mia.read(&messages).await;
    assert_eq!(
        (status, kept["messages"].as_array().map(Vec::len)),
        (StatusCode::OK, Some(2)),
        "{kept}"
    );
    app.model.script([Reply::text("Welcome back.")]);
    let body = json!({ "conversation_id": conversation, "text": "and now?" });
    assert_eq!(answer(mia.post("/v1/chat/send").json(&body)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_guest_proves_one_order_and_sees_that_one_alone() {
    let app = TestApp::offline().await;
    let guest = app.guest().await;
    let prove = |guest: &TestShopper, number: &str, email: &str| {
        guest
            .post("/v1/order-proofs")
            .json(&json!({ "order_number": number, "email": email }))
    };
    // Wrong and right pairs of order and address get the same answer.
    for (number, email) in [
        ("1001", "noah@example.com"),
        ("9999", "mia@example.com"),
        ("1001", "mia@example.com"),
    ] {
        assert_eq!(answer(prove(&guest, number, email)).await.0, StatusCode::ACCEPTED);
    }
    let code = app.mailbox.newest_to("mia@example.com", 1).await.code();
    assert_eq!(app.mailbox.all().len(), 1, "only the right pair was mailed");
    let verify = |guest: &TestShopper| {
        guest
            .post("/v1/order-proofs/verify")
            .json(&json!({ "email": "mia@example.com", "code": code }))
    };
    let stranger = app.guest().await;
    assert_eq!(
        answer(verify(&stranger)).await.0,
        StatusCode::UNAUTHORIZED,
        "another guest's code"
    );

    assert_eq!(
        answer(prove(&guest, "#1001", "mia@example.com")).await.0,
        StatusCode::ACCEPTED
    );
    let code = app.mailbox.newest_to("mia@example.com", 2).await.code();
    let verify = guest
        .post("/v1/order-proofs/verify")
        .json(&json!({ "email": "mia@example.com", "code": code }));
    let (status, opened) = answer(verify).await;
    assert_eq!(
        (status, &opened["guest"]),
        (StatusCode::CREATED, &json!(true)),
        "{opened}"
    );
    assert_eq!(
        guest.read("/v1/orders").await.0,
        StatusCode::UNAUTHORIZED,
        "the old token has ended"
    );
    let proved = TestShopper::with_token(&app, token(&opened));
    let (status, order) = proved.read("/v1/orders/1001").await;
    assert_eq!((status, &order["number"]), (StatusCode::OK, &json!("#1001")));
    assert_eq!(order["payments"], json!([]), "how it was paid is its owner's");
    for hidden in ["1002", "1003", "2001"] {
        assert_eq!(
            proved.read(&format!("/v1/orders/{hidden}")).await.0,
            StatusCode::NOT_FOUND,
            "{hidden}"
        );
    }
    assert_eq!(
        proved.read("/v1/orders").await.1["orders"].as_array().map(Vec::len),
        Some(1)
    );
    assert!(proved.ask_text("Where is my order #1001?").await.contains("#1001"));
    assert!(proved.ask_text("What is my profile?").await.contains("sign in"));
}

#[tokio::test]
async fn keys_of_the_server_rotate_without_logging_anybody_out() {
    use countersign::keyring::Keyring;
    let app = TestApp::offline().await;
    let old = crate::support::process::SECRET_KEY;
    let mia = app.shopper("mia").await;
    let rotating = |current: &str, old: Option<&str>| {
        std::sync::Arc::new(Keyring::new(&current.into(), old.map(Into::into).as_ref()))
    };
    let during = rotating("the new secret, long enough too", Some(old));
    let (during, _stop) = app.replica_with(|settings| settings.keyring = during).await;
    let after = rotating("the new secret, long enough too", None);
    let (after, _stop) = app.replica_with(|settings| settings.keyring = after).await;
    assert_eq!(
        mia.at(&during).read("/v1/orders").await.0,
        StatusCode::OK,
        "old tokens hold while both keys count"
    );
    assert_eq!(
        mia.at(&after).read("/v1/orders").await.0,
        StatusCode::UNAUTHORIZED,
        "and no longer"
    );
    let body = json!({ "email": "mia@example.com", "password": PASSWORD });
    let log_in = app
        .http
        .post(format!("{during}/v1/sessions"))
        .header("x-store-key", app.store.key.as_str())
        .json(&body);
    let (_, opened) = answer(log_in).await;
    let new = TestShopper::with_token(&app, token(&opened));
    assert_eq!(
        new.at(&after).read("/v1/orders").await.0,
        StatusCode::OK,
        "new ones rest on the new key"
    );
}

#[tokio::test]
async fn an_address_that_could_carry_a_header_or_hide_another_is_refused() {
    let app = TestApp::offline().await;
    for email in [
        "mia@example.com\r\nBcc: eve@evil.test",
        "mia@example.com\nSubject: x",
        "\"Mia <eve@evil.test>\" mia@example.com",
        "Mia <mia@example.com>",
        "mia@example.com,eve@evil.test",
        "mia@example.com\0",
        "mia\u{202e}@example.com",
        "mia\u{200b}@example.com",
        &format!("{}@example.com", "a".repeat(300)),
        "mia@",
        "@example.com",
        "mia",
    ] {
        for (path, body) in [
            ("/v1/registrations", registration(email)),
            ("/v1/sessions/code-requests", json!({ "email": email })),
            ("/v1/password-resets", json!({ "email": email })),
        ] {
            let (status, problem) = answer(app.with_store_key(path, body)).await;
            assert_eq!(
                (status, &problem["errors"][0]["field"]),
                (StatusCode::UNPROCESSABLE_ENTITY, &json!("email")),
                "{path} {email:?}: {problem}"
            );
        }
    }
    let mut named = registration("ada@example.com");
    named["first_name"] = json!("Ada\r\nBcc: eve@evil.test");
    assert_eq!(
        answer(app.with_store_key("/v1/registrations", named)).await.0,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert!(app.mailbox.all().is_empty());
}
